"""Every scenario of the bench measures what it says, once and small; nothing is timed here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import pytest_asyncio
from sqlalchemy import func, select

from pipeline import app
from pipeline.register import tables
from tests.alone import MEASURABLE
from tests.bench import plot, results
from tests.bench.bench import NAMES, Sizes, measure, on_a_pipeline
from tests.bench.results import Result, Row
from tests.bench.rig import Bench, quietly, started
from tests.bench.systems import Behaviour

pytestmark = pytest.mark.skipif(not MEASURABLE, reason="Linux tells what a process needs")
SMALL = Sizes(access=2, erasure=2, alone=1, megabytes=4, closed=3, beside=2, throttled=2)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with started(tmp_path_factory.mktemp("bench")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def measured(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """Each scenario once, on one pipeline where it can be."""
    found = {name: await how(bench) for name, how in on_a_pipeline(SMALL).items()}
    folder = tmp_path_factory.mktemp("memory")
    return found | {"memory": await measure("memory", SMALL, folder, quietly)}


def test_every_scenario_tells_figures_above_nothing_and_keeps_its_aims(
    measured: dict[str, Result],
) -> None:
    assert measured.keys() == set(NAMES)
    for name in NAMES:
        rows = measured[name].rows
        assert len({it.name for it in rows}) == len(rows), name
    figures = {(name, it.name): it.figure for name in NAMES for it in measured[name].rows}
    assert 16 < figures["access", "records a case"] <= 24, "a batch's ledger is one record a case"
    assert figures["access", "vendor calls a case"] == 10
    assert figures["erasure", "vendor calls a case"] > 10
    assert figures["alone", "from request to report, p50"] > 0.2, "two calls of 100 ms"
    assert figures["memory", "of one person"] == 4
    aims = {(name, it.name) for name in NAMES for it in measured[name].rows if it.aim is not None}
    assert {name for name, _ in aims} >= {"access", "memory", "closed", "throttled"}


@pytest.mark.asyncio(loop_scope="module")
async def test_closed_cases_are_in_the_register_whole(
    bench: Bench, measured: dict[str, Result]
) -> None:
    """Copies have as many events, keys and due rows as the case they are copies of."""
    async with app.register(bench.settings) as engine, engine.connect() as connection:
        counts = []
        for table, of in (("ledger", "case_id"), ("dues", "case_id"), ("keys", "owner")):
            owner = tables.metadata.tables[table].c[of]
            per = select(owner, func.count()).group_by(owner)
            counts.append({it[0]: it[1] for it in await connection.execute(per)})
        heads = select(tables.cases.c.head, tables.cases.c.id)
        by_head: dict[bytes, list[object]] = {}
        for head, case in await connection.execute(heads):
            by_head.setdefault(head, []).append(case)
    (same,) = (it for it in by_head.values() if len(it) > 1)
    assert len(same) == SMALL.closed + 1
    for count in counts:
        assert len({count.get(case, 0) for case in same}) == 1
    assert counts[0][same[0]] > 10
    assert counts[2][same[0]] == 2


def test_results_are_read_as_written_and_the_same_plots_are_drawn(
    measured: dict[str, Result], tmp_path: Path
) -> None:
    file = tmp_path / "results.json"
    results.write(file, measured)
    again = results.read(file)
    for name, result in measured.items():
        assert list(again[name].rows) == list(result.rows)
    drawn = plot.draw(again, tmp_path / "plots")
    names = {"throughput", "alone", "memory", "closed", "throttled"}
    assert {it.name for it in drawn} == {f"{name}.svg" for name in names}
    assert all(ET.parse(it).getroot().tag.endswith("svg") for it in drawn)  # noqa: S314
    before = [it.read_bytes() for it in drawn]
    assert [it.read_bytes() for it in plot.draw(again, tmp_path / "plots")] == before


def test_an_aim_is_met_or_not_or_not_set() -> None:
    assert Row(name="a", figure=1.2, unit="s").met is None
    assert Row(name="a", figure=1.2, unit="s", aim=1.2).met
    assert Row(name="a", figure=1.3, unit="s", aim=1.2).met is False
    assert Row(name="a", figure=1.3, unit="1/s", aim=1.2, sense="≥").met


def test_a_system_refuses_the_share_of_calls_that_it_is_told_to() -> None:
    for share in (0.0, 0.5, 0.9):
        behaviour = Behaviour(refused=share)
        assert sum(behaviour.refuses(n) for n in range(100)) == round(100 * share)
    with pytest.raises(ValueError, match="below 1"):
        Behaviour(refused=1.0)

"""Every field that comes in has its bounds; what an honest sender says is within them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.intake import bounds, senders
from pipeline.intake.envelopes import LANGUAGE
from pipeline.intake.refused import RefusedError
from pipeline.intake.senders import IntakesError
from schemas import events as e
from schemas.records import DoneRow, HoldingRow, OutcomeRow

from .worlds import CASE, START, Run, small_world, tag


def located(**changed: Any) -> e.HoldingsLocated:
    whole = e.HoldingsLocated(
        case=CASE, order=CASE, system="freshdesk", part=1, parts=1, digest=tag("answer")
    )
    return replace(whole, **changed)


def test_what_honest_hosts_say_is_within_all_bounds() -> None:
    run = Run(small_world())
    run.go("access", "erasure")
    for it in run.said:
        bounds.check(it.event, START)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (located(part=0), "part"),
        (located(part=2), "part"),
        (located(parts=2**40), "part"),
        (located(system="x" * 1001), "system"),
        (located(system="fresh\x00desk"), "system"),
        (located(holdings=(HoldingRow(tag=b"", kind="\x1b"),)), "holdings"),
        (located(holdings=(HoldingRow(tag=b"", kind="k", categories=("c" * 2000,)),)), "holdings"),
        (
            e.TaskCompleted(
                case=CASE,
                order=CASE,
                system="s",
                part=1,
                parts=1,
                digest=b"",
                done=(
                    DoneRow(
                        tag=b"",
                        category="c",
                        outcome=OutcomeRow(kind="k", until=datetime(1, 1, 1, tzinfo=UTC)),
                    ),
                ),
            ),
            "done",
        ),
        (
            e.OrderDeferred(
                case=CASE, order=CASE, system="s", until=START + timedelta(days=9999), reason="r"
            ),
            "until",
        ),
    ],
    ids=["zero", "past", "many", "long", "nul", "row", "category", "until", "for ever"],
)
def test_a_field_outside_its_bounds_is_named(event: Any, field: str) -> None:
    with pytest.raises(RefusedError, match=f"^out_of_bounds:{field}$"):
        bounds.check(event, START)


@pytest.mark.parametrize("tag_", ["en", "de-AT", "zh-Hant-TW", "es-419", "ast"])
def test_languages_as_people_name_them_are_taken(tag_: str) -> None:
    assert LANGUAGE.fullmatch(tag_)


@pytest.mark.parametrize("tag_", ["", "e", "en_GB", "en-", "../../en", "en\n", "x" * 40])
def test_what_is_no_language_is_not(tag_: str) -> None:
    assert not LANGUAGE.fullmatch(tag_)


@pytest.mark.parametrize("name", ["a b", "x" * 65, "-x", "\\u001b[2J", "a/b"])
def test_a_senders_name_is_short_and_plain(tmp_path: Path, name: str) -> None:
    path = tmp_path / "intakes.toml"
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    path.write_text(f'[intakes."{name}"]\npublic_key = "{key}"\n')
    with pytest.raises(IntakesError, match=r"is no name|approves without a person"):
        senders.load(path)

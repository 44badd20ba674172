"""How long a case takes, and what it costs: run the scenarios, show rows, draw plots."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.alone import MEASURABLE

from . import plot, results
from .results import Result, Row
from .rig import Bench, BenchError, Told, started
from .scenarios.alone import alone
from .scenarios.closed import closed
from .scenarios.memory import memory
from .scenarios.throttled import throttled
from .scenarios.throughput import access, erasure

HERE = Path(__file__).parent
RESULTS, PLOTS = HERE / "results.json", HERE / "plots"
NAMES = ("access", "erasure", "alone", "memory", "closed", "throttled")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much each scenario does."""

    access: int = 500
    erasure: int = 300
    alone: int = 30
    megabytes: int = 1024
    closed: int = 100_000
    beside: int = 200
    throttled: int = 50


def on_a_pipeline(sizes: Sizes) -> Mapping[str, Callable[[Bench], Awaitable[Result]]]:
    """The scenarios that work a pipeline over the five trivial systems."""
    return {
        "access": lambda it: access(it, sizes.access),
        "erasure": lambda it: erasure(it, sizes.erasure),
        "alone": lambda it: alone(it, sizes.alone),
        "closed": lambda it: closed(it, sizes.closed, sizes.beside),
        "throttled": lambda it: throttled(it, sizes.throttled),
    }


async def measure(name: str, sizes: Sizes, folder: Path, told: Told) -> Result:
    """What one scenario measures, on a pipeline that is started for it in an empty folder."""
    if name == "memory":
        return await memory(folder, sizes.megabytes, told)
    async with started(folder, told) as bench:
        return await on_a_pipeline(sizes)[name](bench)


class Bar:
    """A line that tells how far the work is."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=console, transient=True)

    def __enter__(self) -> Self:
        self._progress.start()
        self._task = self._progress.add_task("", total=None)
        return self

    def __call__(self, what: str, done: int, total: int) -> None:
        self._progress.update(self._task, description=what, completed=done, total=total or None)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def table(measured: Mapping[str, Result]) -> Table:
    """The rows as a person reads them."""
    made = Table("scenario", "what", "figure", "aim", "met")
    for name, result in measured.items():
        for n, row in enumerate(result.rows):
            made.add_row("" if n else name, row.name, _figure(row), *_aim(row))
        made.add_section()
    return made


def _figure(row: Row) -> str:
    return f"{row.figure:,g} {row.unit}"


def _aim(row: Row) -> tuple[str, str]:
    if row.aim is None:
        return "", ""
    return f"{row.sense} {row.aim:g} {row.unit}", "yes" if row.met else "[red]no[/]"


def _size(name: str, least: int, text: str) -> Callable[[click.decorators.FC], click.decorators.FC]:
    default = getattr(Sizes(), name)
    return click.option(
        f"--{name}", type=click.IntRange(min=least), default=default, show_default=True, help=text
    )


@click.command(epilog="Example: make bench ARGS='--only alone --alone 10'")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="One scenario; repeatable.")
@_size("access", 2, "Access cases at once.")
@_size("erasure", 2, "Erasure cases at once.")
@_size("alone", 1, "Cases one after the other, at 100 ms a vendor call.")
@_size("megabytes", 4, "MB of files of the person in `memory`.")
@_size("closed", 1, "Closed cases that are put into the register.")
@_size("beside", 1, "Access cases in a round of `closed`; three rounds without, three with.")
@_size("throttled", 2, "Access cases in a round of `throttled`, five a second; six rounds.")
def main(*, only: tuple[str, ...], **sizes: int) -> None:
    """Measure the pipeline on this machine, each scenario on a pipeline started for it.

    \b
    access, erasure  cases at once over five systems that answer at once, beside the floor: the
                     same records and calls with nothing in between
    alone            one case at a time: from request to report
    memory           hosts above idle, for a person of 1 GB in S3
    closed           a case with 100,000 closed ones in the register, over one without
    throttled        the other systems' answers while a fifth refuses most calls

    The rows go to the screen and to tests/bench/results.json, where they replace those of the same
    scenario; the plots in tests/bench/plots are drawn from it. HABEAS_REGISTER may name an empty
    PostgreSQL database for one scenario (the default is a SQLite file); `memory` always takes
    SQLite. Leave the machine alone meanwhile: its other work is in the figures.
    """
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # a topic that is new has no leader yet
    if not MEASURABLE:
        raise click.ClickException("the bench reads CPU and memory from /proc: run it on Linux")
    err, measured = Console(stderr=True), {}
    with tempfile.TemporaryDirectory() as root:  # kept to the end: removing files slows making them
        for name in (it for it in NAMES if not only or it in only):
            folder = Path(root) / name
            folder.mkdir()
            try:
                with Bar(err) as told:
                    measured[name] = asyncio.run(measure(name, Sizes(**sizes), folder, told))
            except (BenchError, TimeoutError, AssertionError) as error:
                raise click.ClickException(f"{name}: {error or 'stood still'}") from error
            keep(measured)
    Console().print(table(measured))


def keep(measured: Mapping[str, Result]) -> None:
    """Put results in place of earlier ones of the same scenario, and draw all plots anew."""
    everything = results.read(RESULTS) | dict(measured)
    results.write(RESULTS, {it: everything[it] for it in NAMES if it in everything})
    plot.draw(results.read(RESULTS), PLOTS)


if __name__ == "__main__":
    main()

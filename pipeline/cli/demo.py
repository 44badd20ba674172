"""`habeas demo`: people's requests through all systems, live, to verified responses."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.live import Live
from rich.table import Table

from pipeline import app
from pipeline.case.case import Case
from pipeline.case.outcome import state as class_of
from pipeline.case.waiting import QUEUED
from pipeline.demo import people, play
from pipeline.demo.actors import Seat
from pipeline.demo.dpo import CommandError
from pipeline.demo.mailbox import MailboxError
from pipeline.demo.play import DemoError, Ended
from pipeline.demo.seed import SeedError

from . import console
from .run import Fetching
from .show import matrix

SAID = (CommandError, DemoError, MailboxError, SeedError)
"""Errors whose message says what went wrong."""
GLYPHS = {
    "unasked": "[dim]·[/]",
    "searching": "[yellow]looking…[/]",
    "deferred": "[yellow]put off[/]",
    "failed": "[red]unknown[/]",
    "overdue": "[red]unknown[/]",
}


@click.command()
@click.option(
    "--out",
    default=Path("demo"),
    show_default=True,
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    help="Folder for everything the demo makes; an earlier demo's is emptied.",
)
@console.as_json
@console.command
async def demo(out: Path, *, as_json: bool) -> None:
    """Watch invented people's access and erasure requests travel the whole route.

    Starts a local Apache Kafka (unless HABEAS_BROKER is set), a sandbox of every system with some
    eighty people in it, and the pipeline; submits their requests as events on `rights.requests`;
    where the pipeline waits for people, presses the button in a mail, says whose something is, and
    approves; opens and verifies the responses; and at last compares every sandbox, field by field,
    with what must have become of it, and every record and file in the responses with what the
    vendor has, and whose it is. Exits 1 if anything differs.
    """
    settings = play.settings_of(out, console.load())
    cast = people.load()
    try:
        with play.room(settings.data), (settings.data / "habeas.log").open("w") as log:
            console.logs(to_file=log)
            with Fetching() as progress:
                async with app.broker(settings, progress) as bootstrap:
                    progress.done()
                    say(f"broker {bootstrap}")
                    with LiveView() as watch:
                        ended = await play.play(settings, bootstrap, cast, watch=watch, say=say)
    except (*SAID, ExceptionGroup) as error:
        first = play.first_of(error)
        if not isinstance(first, SAID):
            raise
        raise click.ClickException(str(first)) from None
    _tell(ended)
    if as_json:
        console.show_json_line(_facts(ended))
    sys.exit(1 if ended.wrong else 0)


def say(line: str) -> None:
    """A line beside the live view, on stderr: stdout belongs to the result."""
    console.err.print(f"[dim]·[/] {line}", highlight=False)


class LiveView:
    """The fan-out, live: on a terminal a table that changes, elsewhere a line per change."""

    def __init__(self) -> None:
        self._live = Live(console=console.err, refresh_per_second=8)
        self._shown: dict[str, str] = {}

    def __enter__(self) -> Callable[[Sequence[Seat]], None]:
        if console.err.is_terminal:
            self._live.start()
            return lambda seats: self._live.update(board(seats))
        return self._lines

    def __exit__(self, *_: object) -> None:
        if console.err.is_terminal:
            self._live.stop()

    def _lines(self, seats: Sequence[Seat]) -> None:
        for it in seats:
            now = it.case.state if it.case else "sent"
            if self._shown.get(str(it.id)) != now:
                self._shown[str(it.id)] = now
                say(f"{str(it.id)[:8]} {'+'.join(it.request.claims)}: {now}")


def board(seats: Sequence[Seat]) -> Table:
    """A line for every case: what each system said, and what came of it."""
    names = sorted({name for it in seats if it.case for name in it.case.systems})
    table = Table("case", "asks", "stands at", *names, "responses", "report")
    for it in seats:
        case = it.case
        cells = [_cell(case, name) for name in names] if case else ["" for _ in names]
        state = (case.state if case else "sent").replace("_", " ")
        signed = sum(1 for one in case.responses if one.digest) if case else 0
        table.add_row(
            str(it.id)[:8],
            " + ".join(it.request.claims),
            f"[bold green]{state}[/]" if it.at_rest else state,
            *cells,
            f"{signed} signed" if signed else "",
            f"#{case.reports}" if case and case.reports else "",
        )
    return table


def _cell(case: Case, system: str) -> str:
    """One system's part in one case, in a few words."""
    state = case.systems[system]
    if state.status != "located":
        return GLYPHS.get(state.status, state.status)
    held = {tag for tag, it in case.held.items() if it.system == system}
    if not held:
        return "nothing"
    words = [f"{len(held)} found"]
    if case.wants("access"):
        words.append(f"{sum(1 for tag in held if case.held[tag].exported)} copied")
    counts: Counter[str] = Counter(
        QUEUED if row in case.waiting else class_of(it)
        for row, it in case.outcomes.items()
        if row[0] in held
    )
    words += [f"{counts[it]} {label}" for it, label in DONE.items() if counts[it]]
    contested = sum(1 for tag in held if not case.is_ours(tag) and not case.is_out(tag))
    words += [f"{contested} [yellow]whose?[/]"] if contested else []
    return ", ".join(words)


DONE = {
    "proved": "[green]gone[/]",
    "kept": "kept",
    "dated": "dated",
    QUEUED: "[yellow]queued[/]",
    "open": "[red]open[/]",
}


def _tell(ended: Ended) -> None:
    told = console.err.print
    told(matrix(*ended.reported))
    stand = f"{ended.settled} answered, {ended.refused} refused, {ended.waiting} waiting for proof"
    told(f"{ended.submitted} requests: {stand}")
    told(f"{ended.responses_made} responses: {ended.responses}")
    told(f"reports (JSON, page, signature): {ended.reports}")
    told(f"{ended.verified} files verified against {ended.public_key}")
    told(ended.audit)
    for it in ended.wrong:
        told(f"[red]differs[/] {it}", highlight=False)
    if not ended.wrong:
        told(f"[bold green]all as it must be[/], in {ended.seconds} s. Look on:")
        told(f"  HABEAS_DATA={ended.reports.parent} habeas cases", highlight=False)


def _facts(ended: Ended) -> dict[str, object]:
    return {
        "submitted": ended.submitted,
        "settled": ended.settled,
        "refused": ended.refused,
        "waiting": ended.waiting,
        "responses_made": ended.responses_made,
        "verified": ended.verified,
        "systems": ended.systems,
        "seconds": ended.seconds,
        "responses": str(ended.responses),
        "reports": str(ended.reports),
        "public_key": str(ended.public_key),
    }

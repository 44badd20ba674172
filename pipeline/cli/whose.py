"""`habeas whose`: whose is it? The DPO sees which record says what, and decides."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

import click

from pipeline import app
from pipeline.case.graph import Graph, HandleError, Node, Record, graph
from pipeline.case.whose import ASK, EMAIL, OTHER, SAME
from pipeline.register import reading, values
from pipeline.register.reading import Entry
from schemas.events import WhoseDecided
from schemas.records import VerdictRow

from . import console, graph_shown
from .deciding import Who, as_person, decided, evidence, says

Verdicts = dict[str, str]
"""By handle: `same`, `other` or `ask`."""
ALREADY = "is decided so already"
FOLLOWS = {
    "searched": "every system is searched with an identifier of the same person",
    "taken": "a record of the same person is copied, and erased where that is asked for",
    "approved": "whatever is to be erased then needs an approval, however little it is",
    OTHER: "what is somebody else's is neither copied nor erased, and counts nowhere",
    ASK: "a link goes to the address, and it is used once it is confirmed there",
}
"""What comes of a decision."""


@click.command()
@click.argument("case")
@click.option("--same", multiple=True, metavar="HANDLE", help="It is the person's who asks.")
@click.option("--other", multiple=True, metavar="HANDLE", help="It is somebody else's.")
@click.option(
    "--ask", multiple=True, metavar="HANDLE", help="Let them confirm it, by a link to it."
)
@says
@evidence
@as_person
@click.option("--yes", is_flag=True, help="Do not ask whether to go on.")
@console.as_json
@console.command
async def whose(  # noqa: PLR0917  one parameter per option
    case: str,
    same: tuple[str, ...],
    other: tuple[str, ...],
    ask: tuple[str, ...],
    says: str,
    evidence: str,
    *,
    who: Who,
    yes: bool,
    as_json: bool,
) -> None:
    """Show whose the identifiers and records of CASE are known to be, and decide what is not.

    \b
    habeas whose 0204b5fb                               the graph: who is told by what
    habeas whose 0204b5fb --same 3fa2c1 --evidence ...  the same person as who asks
    habeas whose 0204b5fb --other 9b01d4 --ask 77e0aa   somebody else; ask the address

    A record is contested if it names somebody who is not known to be the person, or if different
    people share its address. It is neither copied nor erased until somebody decides. What hangs on
    it (the tickets of a contact) shares its fate. HANDLE is what the graph shows before each
    identifier and record; the options may be given more than once, and all make one decision.

    It shows personal data, opened with the key of the case. Who submitted a case does not decide
    it.
    """
    settings = console.load()
    files, codec = app.Place(settings.data).keys, await app.codec(settings)
    async with app.register(settings) as engine:
        case_id = await reading.find(engine, case)
        entries = await reading.entries(engine, case_id)
        rules = await app.rules_of(settings, engine)
        known = await values.opened(engine, codec, files, case_id, entries)
    found = graph(reading.folded(entries, rules))
    said = _verdicts({SAME: same, OTHER: other, ASK: ask})
    if not said:
        if as_json:
            console.show_json(graph_shown.as_json(case_id, found, known))
        else:
            graph_shown.show(case_id, found, known)
        return
    if known is None:
        raise click.ClickException("the key of this case is destroyed: nothing can follow any more")
    rows = _rows(case_id, found, said)
    _confirm(found, said, ask=sys.stdin.isatty() and not yes, to_err=as_json)
    event = WhoseDecided(case=case_id, by=who.name, verdicts=_anew(rows, entries))
    await decided(settings, who, event, says, evidence)
    if as_json:
        console.show_json({"case": case_id, "decided": rows})
    else:
        what = ", ".join(f"{handle} {verdict}" for handle, verdict in said.items())
        console.out.print(f"decided: {what}. `habeas case {case_id}` shows what follows")


def _verdicts(given: dict[str, Sequence[str]]) -> Verdicts:
    """What was said of each handle. Raises `UsageError` where that is two things."""
    said: Verdicts = {}
    for verdict, handles in given.items():
        for handle in map(str.lower, handles):
            if said.setdefault(handle, verdict) != verdict:
                raise click.UsageError(
                    f"{handle} is given as --{said[handle]} and as --{verdict}: say one of them"
                )
    return said


def _rows(case: UUID, found: Graph, said: Verdicts) -> tuple[VerdictRow, ...]:
    """The decision. Raises `ClickException` saying what to do if it is none."""
    rows: dict[bytes, VerdictRow] = {}
    for handle, verdict in said.items():
        try:
            meant = found.find(handle)
        except HandleError as error:
            nothing = "" if found.contested else ", and nothing of it is contested"
            raise click.ClickException(
                f"{error}{nothing}: `habeas whose {case}` shows all"
            ) from None
        refusal = _refused(meant, verdict)
        if rows.get(meant.tag, VerdictRow(tag=meant.tag, verdict=verdict)).verdict != verdict:
            refusal = "is given twice, with different verdicts: say one of them"
        if refusal:
            raise click.ClickException(f"{handle} {refusal}")
        rows[meant.tag] = VerdictRow(tag=meant.tag, verdict=verdict)
    return tuple(rows.values())


def _refused(meant: Node | Record, verdict: str) -> str:
    """Why nothing would follow from a verdict; empty if something does."""
    match meant, verdict:
        case Record(), "ask":
            return "is a record: only an address is asked; say --same or --other of the record"
        case Record(said=before), _:
            return ALREADY if before == verdict else ""
        case Node(), _:
            return _refused_of(meant, verdict)


def _refused_of(meant: Node, verdict: str) -> str:
    match meant, verdict:
        case Node(strong=False), _:
            return "may be shared by several people and tells nobody: decide on the records"
        case Node(how="vouched" | "link" | "policy" | "dpo"), "same" | "ask":
            return "is known to be theirs already"
        case Node(how="another"), "other":
            return ALREADY
        case Node(kind=kind), "ask" if kind != EMAIL:
            return "is no e-mail address, and no link can be sent there; say --same or --other"
        case Node(how="another"), "ask":
            return "is somebody else's, as was decided: --same takes that back"
        case _:
            return ""


def _anew(rows: tuple[VerdictRow, ...], entries: Iterable[Entry]) -> tuple[VerdictRow, ...]:
    """A decision is known by its words, and taken once: who comes back to one says a row again."""
    before = {it.event.verdicts for it in entries if isinstance(it.event, WhoseDecided)}
    while rows in before:
        rows = (*rows, rows[-1])
    return rows


def _confirm(found: Graph, said: Verdicts, *, ask: bool, to_err: bool) -> None:
    """Say what follows and, on a terminal, go on only if that is meant."""
    to = console.err if to_err else console.out
    for it in _follows(found, said):
        to.print(f"{it}.", soft_wrap=True)
    if ask:
        click.confirm("Decide this?", abort=True, err=to_err)


def _follows(found: Graph, said: Verdicts) -> Iterator[str]:
    same = [found.find(handle) for handle, verdict in said.items() if verdict == SAME]
    if any(isinstance(it, Node) for it in same):
        yield FOLLOWS["searched"]
    if not all(isinstance(it, Node) for it in same):
        yield FOLLOWS["taken"]
    if same:
        yield FOLLOWS["approved"]
    yield from (FOLLOWS[it] for it in (OTHER, ASK) if it in said.values())

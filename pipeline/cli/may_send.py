"""`habeas may-send`: may somebody be sent something? Asked by whoever sends, before they send."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.case.may_send import REASONS, Answer, may_send
from pipeline.crypto import one_click
from pipeline.policy import Policy
from pipeline.policy.preferences import ONLY, REFUSALS, Said
from pipeline.register import memory, preferences, subjects
from pipeline.register.case_keys import CaseKeys
from pipeline.register.memory import memory_key
from pipeline.register.preferences import preferences_key
from pipeline.settings import Settings

from . import console, list_files, listed
from .listed import EMAIL, KINDS, Columns, ListError, Row, Rows

MAY_NOT = 3
"""The exit code where somebody may not be sent it."""
MARK, LINKED = "habeas_may_send", "habeas_unsubscribe"
"""The column, or key, that a marked row has more: a word, or the link that ends it."""
HEADERS = ("List-Unsubscribe", "List-Unsubscribe-Post")
ONE_CLICK = "List-Unsubscribe=One-Click"
"""What a mail's second header says (RFC 8058)."""
YES, NO, UNKNOWN = "yes", "no", "unknown"
Identifier = tuple[str, str]
"""(kind, value)."""
Link = Callable[[str], str]
"""The link that ends mail to an address."""


@dataclass(slots=True)
class Counts:
    """What came of a list."""

    yes: int = 0
    no: int = 0
    unknown: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Answer | None) -> None:
        """Count a row with its answer; None: it could not be looked up."""
        if answer is None:
            self.unknown += 1
        else:
            self.yes += answer.may
            self.no += not answer.may
            self.reasons[answer.reason] += 1

    @property
    def code(self) -> int:
        """The exit code: 1 where anything is unknown, or `MAY_NOT`, or 0."""
        return 1 if self.unknown else MAY_NOT if self.no else 0


class Asked:
    """Answers for one purpose, of what the register knows by now."""

    def __init__(
        self, engine: AsyncEngine, policy: Policy, purpose: str, keys: tuple[bytes | None, ...]
    ) -> None:
        self._engine = engine
        self._policy = policy
        self._purpose = purpose
        self._said_key, self._memory_key = keys

    @classmethod
    async def of(cls, engine: AsyncEngine, settings: Settings, purpose: str) -> Asked:
        """As the register has it now. Raises `ClickException` if there is no such purpose."""
        policy = app.policy_of(settings)
        if purpose not in policy.purposes:
            named = ", ".join(sorted(policy.purposes))
            raise click.ClickException(f"the policy has no purpose of that id: it has {named}")
        keys = CaseKeys(app.Place(settings.data).keys.wrapping())
        async with engine.connect() as connection:
            found = [await it(keys).find(connection) for it in (preferences_key, memory_key)]
        return cls(engine, policy, purpose, tuple(found))

    async def answers(self, people: Sequence[Sequence[Identifier]]) -> list[Answer | None]:
        """An answer for each of these, who may have several identifiers; None if there is none.

        Each address must be one that may be written to. A user id beside it can only refuse.
        """
        now = wall_clock.now()
        every = {it for of in people for it in of}
        said_by, erased_by = (self._hashes(it, every) for it in (self._said_key, self._memory_key))
        async with self._engine.connect() as connection:
            said = await preferences.find(connection, said_by.values())
            erased = await memory.find(connection, erased_by.values(), now)
        history = {it: said.get(of, ()) for it, of in said_by.items()}
        gone = {it: erased[of].at for it, of in erased_by.items() if of in erased}
        return [self._of_all(of, history, gone, now) for of in people]

    def _of_all(
        self,
        those: Sequence[Identifier],
        history: Mapping[Identifier, Sequence[Said]],
        gone: Mapping[Identifier, datetime],
        now: datetime,
    ) -> Answer | None:
        """The first no, or else a yes."""
        beside = [it for it in those if it[0] != EMAIL]
        against = [
            it for of in beside for it in history.get(of, ()) if it.says in {ONLY, *REFUSALS}
        ]
        answers = [
            may_send(
                self._policy,
                self._purpose,
                [*history.get(it, ()), *against],
                erased=max((gone[of] for of in (it, *beside) if of in gone), default=None),
                on=now,
            )
            for it in [of for of in those if of[0] == EMAIL] or those
        ]
        return min(answers, key=lambda it: it.may, default=None)

    @staticmethod
    def _hashes(key: bytes | None, every: Iterable[Identifier]) -> dict[Identifier, bytes]:
        """Without a key nobody ever said anything, or was erased."""
        return {} if key is None else {it: subjects.hashed(key, *it) for it in every}


@click.command(name="may-send")
@click.argument("purpose")
@click.argument("address", required=False)
@click.option(
    "--list",
    "file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="A list of people instead of one address: CSV or NDJSON, `-` for stdin.",
)
@click.option(
    "--column",
    "given",
    multiple=True,
    metavar="NAME=KIND",
    help=f"A column, or dotted key, that holds identifiers. KIND is {' or '.join(KINDS)}.",
)
@click.option(
    "--link",
    "linked",
    is_flag=True,
    help="With the link that ends it by one click, for each who may: the mail's List-Unsubscribe.",
)
@click.option("--only", is_flag=True, help="Of a list: those alone who may, as they were written.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to, instead of stdout."
)
@console.as_json
@console.command
async def may(
    purpose: str,
    address: str | None,
    file: str | None,
    given: Sequence[str],
    out: Path | None,
    *,
    linked: bool,
    only: bool,
    as_json: bool,
) -> None:
    """Say whether ADDRESS may be sent something for PURPOSE, a purpose of the policy.

    \b
    habeas may-send offers ann@example.org             one address; `-` reads it from stdin
    habeas may-send offers --list people.csv --only    those of a list who may
    habeas may-send offers --list people.csv --out f   every row, marked yes or no
    habeas may-send offers --list people.csv --link    marked with the link for List-Unsubscribe

    Ask before each mailing: what somebody withdraws counts from the moment it comes in. A consent,
    an objection, the wish for one thing alone, an erasure, and the rules of a customer's country
    (`[[soft_opt_in]]` of the policy) are all heeded; whom nobody knows gets no marketing. What a
    contract or a law asks for still comes after an objection to marketing.

    An address as an argument shows in the list of processes: `-` does not. Exit codes: 0 yes, of a
    list everybody; 3 no, of a list somebody; 1 not known. A row that names nobody, or cannot be
    read whole, is `unknown`, and left out by --only; one with several addresses is a yes only if
    each of them is.
    """
    if (address is None) == (file is None):
        raise click.UsageError("give one ADDRESS, or a list with --list")
    settings = console.load()
    async with app.register(settings, reading=True) as engine:
        asked = await Asked.of(engine, settings, purpose)
        link = _links(settings, purpose) if linked else None
        if address is not None:
            code = await _one(asked, purpose, address, link, as_json=as_json)
        else:
            columns = Columns(dict(map(list_files.column, given)))
            code = await _many(asked, str(file), columns, out, link, only=only, as_json=as_json)
    click.get_current_context().exit(code)


def _links(settings: Settings, purpose: str) -> Link:
    """What makes the link for an address. Raises `ClickException` where nobody could open one."""
    url, place = app.pages_address(settings), app.Place(settings.data)
    if not url:
        raise click.ClickException("where are the pages? Set HABEAS_WEB_URL, or start `habeas up`")
    place.keys.require_signer(f"intake-{app.ONE_CLICK}")
    key = one_click.key_of(place.keys.signer(f"intake-{app.ONE_CLICK}"))
    return lambda email: f"{url}/unsubscribe/{one_click.token(key, purpose, email)}"


async def _one(
    asked: Asked, purpose: str, address: str, link: Link | None, *, as_json: bool
) -> int:
    value = sys.stdin.readline().strip() if address == "-" else address.strip()
    if "@" not in value:
        raise click.ClickException("that is no address of mail")
    (answer,) = await asked.answers([[(EMAIL, value)]])
    assert answer is not None  # noqa: S101  it was asked of one address
    headers = dict[str, str]()
    if link is not None and answer.may:
        headers = dict(zip(HEADERS, (f"<{link(value)}>", ONE_CLICK), strict=True))
    if as_json:
        console.show_json({"purpose": purpose, **told(answer), "headers": headers})
    else:
        word = "[green]yes[/]" if answer.may else "[red]no[/]"
        says = REASONS[answer.reason][1]
        console.out.print(f"{word}: {says} ({answer.article}). {answer.condition}".strip())
        for name, header in headers.items():
            click.echo(f"{name}: {header}")
    return 0 if answer.may else MAY_NOT


def told(answer: Answer) -> dict[str, object]:
    """An answer as JSON has it: what shows it by its id alone."""
    it = answer.evidence
    return {
        "may_send": answer.may,
        "reason": answer.reason,
        "article": answer.article,
        "condition": answer.condition,
        "record": None if it is None else it.record,
        "at": None if it is None else it.at,
    }


async def _many(
    asked: Asked,
    file: str,
    columns: Columns,
    out: Path | None,
    link: Link | None,
    *,
    only: bool,
    as_json: bool,
) -> int:
    shown = sys.stderr.isatty() and not (as_json or (out is None and sys.stdout.isatty()))
    counts, mark = Counts(), MARK if link is None else LINKED
    try:
        with list_files.read(file) as stream, list_files.written(out) as target:
            rows, lines = listed.rows(stream, columns, Path(str(stream.name)).suffix, mark)
            with _progress(os.fstat(stream.fileno()).st_size, shown=shown) as bar:
                target.write(rows.head(marked=link is not None or not only))
                for batch in list_files.batches(rows):
                    for row, answer in await _looked_up(asked, batch):
                        counts.add(answer)
                        target.write(_line(rows, row, answer, link, only=only))
                    bar(lines.read)
            if lines.read:
                columns.refuse_unseen()
            target.flush()
    except ListError as error:
        raise click.ClickException(str(error)) from None
    _tell(counts, as_json=as_json)
    return counts.code


async def _looked_up(asked: Asked, batch: Sequence[Row]) -> list[tuple[Row, Answer | None]]:
    """Each row with its answer; None of one of which it is not certain that all was read."""
    found = await asked.answers([it.identifiers for it in batch])
    return [(row, None if row.fault else answer) for row, answer in zip(batch, found, strict=True)]


def _line(rows: Rows, row: Row, answer: Answer | None, link: Link | None, *, only: bool) -> bytes:
    """A row as it is written; nothing if it is not."""
    may = answer is not None and answer.may
    if link is not None:
        email = next((value for kind, value in row.identifiers if kind == EMAIL), "")
        if only and not may:
            return b""
        return rows.marked(row, link(email) if may and email else "") if row.is_whole else b""
    if only:
        return row.raw + row.end if may else b""
    if not row.is_whole:
        return b""
    return rows.marked(row, UNKNOWN if answer is None else YES if answer.may else NO)


def _tell(counts: Counts, *, as_json: bool) -> None:
    if as_json:
        figures = {YES: counts.yes, NO: counts.no, UNKNOWN: counts.unknown}
        console.show_json_line({**figures, "reasons": dict(counts.reasons.most_common())}, err=True)
        return
    unknown = f", [red]{counts.unknown} unknown[/]" if counts.unknown else ""
    why = "; ".join(f"{count} {REASONS[it][1]}" for it, count in counts.reasons.most_common())
    console.err.print(
        f"may be sent it: [bold]{counts.yes}[/], may not: {counts.no}{unknown}. {why}",
        soft_wrap=True,
        highlight=False,
    )


@contextmanager
def _progress(size: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("looking up"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console.err, transient=True, disable=not shown) as bar:
        task = bar.add_task("", total=size or None)
        yield lambda so_far: bar.update(task, completed=so_far)

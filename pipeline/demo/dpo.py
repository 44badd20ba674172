"""What the DPO and a deputy do in the play, with commands: approve, extend, refuse, settle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import app
from pipeline.case.case import Case
from pipeline.case.whose import OTHER, SAME
from pipeline.crypto import grants
from pipeline.register.case_keys import RECORD, CaseKeys
from pipeline.settings import Settings
from schemas.records import VerdictRow

from .people import Request, kind_of, meant
from .processes import run
from .seed import Expected

LOGIN = "demo-dpo"
DEPUTY = "deputy"
"""The console of the second person: what takes two people takes two keys."""
REASONS = {
    "complexity": "Each of so many tickets is read by a person before it is erased.",
    "volume": "As many requests came in a week as in the year before.",
}
"""Why it takes longer, for the record; the person reads the ground."""
WHY = {
    "excessive": "You asked for the same seven times, each time for a discount to stop asking.",
    "unfounded": "You wrote that you ask in order to keep us busy.",
}
"""Why it is refused: the person reads it."""
SHOWS = "seven requests and six withdrawals, each on the day of an offer: tickets 1 to 26"
UPHELD = "Statistics do without any one person."
DONE_BY_HAND = "the dispute is over; hold lifted and file deleted in the vendor's own console"
HANDLE = 12
"""Hexadecimal digits."""


class CommandError(Exception):
    """A command that the DPO gave failed. The message is what it said."""


def handle(row: VerdictRow) -> str:
    """What `habeas whose` calls an identifier or a record."""
    return row.tag.hex()[:HANDLE]


async def appoint(settings: Settings) -> None:
    """Make the deputy's key, before the pipeline begins. Raises `CommandError`."""
    key = str(_deputys(settings))
    await _command(settings, "keys", "console", DEPUTY, "--out", key)


def _deputys(settings: Settings) -> Path:
    return settings.data / f"{DEPUTY}.key"


class Dpo:
    """Decides as the cast says. Knows the sandboxes' ids, and the keys of the data folder."""

    def __init__(self, settings: Settings, engine: AsyncEngine, planted: Expected) -> None:
        self._settings = settings
        self._engine = engine
        self._planted = planted

    async def verdicts(self, request: Request, case: Case) -> tuple[VerdictRow, ...] | None:
        """What there is to say of a case; None while something of it was not found yet."""
        files = app.Place(self._settings.data).keys
        async with self._engine.connect() as connection:
            found = await CaseKeys(files.wrapping()).of(connection, [case.id])
        key = found[case.id, RECORD]
        rows = []
        said_of = [*((it, SAME) for it in request.same), *((it, OTHER) for it in request.other)]
        for said, verdict in said_of:
            if kind := kind_of(said):
                tag = grants.identifier_tag(grants.tag_grant(key.key, key.id).key, kind, said)
            else:
                system, of, id_ = self.object(said, request.person)
                tag_key = grants.tag_grant(key.key, key.id, system).key
                tag = grants.holding_tag(tag_key, system, of, id_)
            if tag not in case.known and tag not in case.held:
                return None
            rows.append(VerdictRow(tag=tag, verdict=verdict))
        return tuple(rows)

    async def decide(self, case: UUID, verdicts: Sequence[VerdictRow]) -> None:
        """Say whose something is. Raises `CommandError`."""
        said = [(f"--{it.verdict}", handle(it)) for it in verdicts]
        words = (word for pair in said for word in pair)
        shows = ("--evidence", "what the person told us on the phone, which only they know")
        await self._command("whose", str(case), *words, *shows, "--yes")

    async def approve(self, case: UUID, digest: str) -> None:
        """Approve a plan. Raises `CommandError`."""
        await self._command("approve", str(case), "--plan", digest)

    async def extend(self, case: UUID, reason: str) -> None:
        """Take more time, with a reason. Raises `CommandError`."""
        said = ("--reason", reason, "--says", REASONS[reason])
        await self._command("decide", "extend", str(case), *said)

    async def propose(self, case: UUID, ground: str) -> None:
        """Propose to refuse a request; nothing follows yet. Raises `CommandError`."""
        said = ("--ground", ground, "--says", WHY[ground], "--evidence", SHOWS)
        await self._command("decide", "refuse", str(case), *said)

    async def confirm(self, case: UUID, proposal: str) -> None:
        """As the deputy, confirm what the DPO proposes. Raises `CommandError`."""
        who = ("--as", DEPUTY, "--key", str(_deputys(self._settings)))
        said = ("--confirm", proposal, *who)
        await self._command("decide", "refuse", str(case), *said, login=f"demo-{DEPUTY}")

    async def settle(self, case: UUID, item: str) -> None:
        """Say that an item was done by hand. Raises `CommandError`."""
        said = ("--done", "--evidence", DONE_BY_HAND)
        await self._command("decide", "settle", str(case), item, *said)

    async def uphold(self, case: UUID) -> None:
        """Let a use end that a person objects to. Raises `CommandError`."""
        await self._command("decide", "uphold", str(case), "--says", UPHELD)

    async def _command(self, *words: str, login: str = LOGIN) -> None:
        await _command(self._settings, *words, "--login", login)

    def object(self, said: str, person: str) -> tuple[str, str, str]:
        """System, kind and id of an object that the cast gives a name."""
        key, called = meant(said, person)
        system, _, name = called.partition(".")
        rows = self._planted[system].items()
        named = next(at for at, it in rows if (it["person"], it.get("as")) == (key, name))
        kind, _, id_ = named.partition("/")
        return system, kind, id_


async def _command(settings: Settings, *words: str) -> None:
    where = {
        "HABEAS_DATA": str(settings.data),
        "HABEAS_BROKER": settings.broker,
        "HABEAS_CLOCK_AHEAD": str(settings.clock_ahead.total_seconds()),
    }
    code, said = await run(("-m", "pipeline.cli", *words), where)
    if code:
        raise CommandError(f"habeas {words[0]} failed: {said}")

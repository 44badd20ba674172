"""Mailgun: list members, suppressions, allowlists, and events with their messages.

https://documentation.mailgun.com/docs/mailgun/api-reference

Everything is per sending domain, and there is no lookup over all of them: each domain and each list
is asked for the address. Every entry bears the address that it is under; a member also what its
name and variables say. What it can never find is in `BEYOND`; what stops mail is in `marks`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from connectors.sdk.http import Ceilings, Http, UnauthorisedError, as_form, basic
from connectors.sdk.interface import (
    MARKETING,
    NOT_OFFERED,
    Capabilities,
    Category,
    Connector,
    Datum,
    Erased,
    Expires,
    Failed,
    Holding,
    Identifier,
    Limit,
    NeedsHuman,
    NotSupported,
    Outcome,
    Page,
    Record,
    Rectified,
    Right,
    Standing,
    Subject,
    Suppressed,
    TerminalError,
)
from connectors.sdk.pages import Row
from connectors.sdk.registry import SettingsError, variable
from connectors.sdk.spelling import cleaned

from . import entry, marks
from .catalogue import BEYOND, REASONS
from .entry import EVENTS, KINDS, MEMBERS, OF_DOMAINS, TABLES
from .everybody import Everybody
from .places import Places, TakenError, classify, holding_of, moved, parts
from .stopping import Stopping

T = TypeVar("T")
MOST_DAYS = 30


class Mailgun(Connector):
    """One Mailgun account in one region."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings(Ceilings):
        """`url` is `https://api.mailgun.net`, or `https://api.eu.mailgun.net`.

        `retention_days` is how long the plan keeps events (30 at most). The
        `transactional_domains` send receipts and answers, and no marketing: an objection to that
        leaves them open, since Mailgun stops a domain as a whole.
        """

        url: str
        api_key: str = field(repr=False)
        retention_days: int = 30
        transactional_domains: tuple[str, ...] = ()

    capabilities = Capabilities(
        system="mailgun",
        rights=frozenset(Right) - {Right.AUTOMATED_DECISION},
        kinds=KINDS,
        fields={kind: it.fields for kind, it in TABLES.items()},
        limits=(Limit(calls=100, per=timedelta(seconds=1)),),  # ours: none is published for these
        beyond=BEYOND,
        lists_people=True,
        reasons=REASONS,
    )

    def __init__(self, settings: Settings) -> None:
        if not 0 < settings.retention_days <= MOST_DAYS:
            raise SettingsError(f"{variable('mailgun', 'retention_days')} is not 1 to {MOST_DAYS}")
        key = basic("api", settings.api_key)
        self._http = Http(settings.url, authorization=key, classify=classify, ceilings=settings)
        self._places = Places(self._http)
        self._stopping = Stopping(self._places, frozenset(settings.transactional_domains))
        self._keeps = timedelta(days=settings.retention_days)

    async def check(self) -> None:
        """Reads a list, and of the first domain one of each table and an event."""
        await self._places.check()

    def usable(self, subject: Subject) -> tuple[Identifier, ...]:
        """E-mail addresses, if a mailbox can be called so."""
        return tuple(it for it in super().usable(subject) if entry.is_address(cleaned(it.value)))

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        """What every list and every domain has under an address, in every spelling of it."""
        seen = set(known)
        for holding in known:
            row = await self._places.again(holding)
            if row is None:
                yield Page(gone=(holding,))
            else:
                seen.add(_found(holding, row))
                yield _page(replace(_found(holding, row), kind=holding.kind, id=holding.id), row)
        addresses = self._addresses(subject)
        if not addresses:
            return
        places = [("member", it) async for it in self._places.lists()]
        async for domain in self._places.domains():
            places += [(kind, domain) for kind in (*OF_DOMAINS, EVENTS)]
        for kind, of in places:
            for address in addresses:
                asked_for = holding_of(kind, of, address)
                row = await self._places.read(asked_for)
                # Mailgun may fold case: one thing that is found under two spellings is one.
                if row is not None and (found := _found(asked_for, row)) not in seen:
                    seen.add(found)
                    yield _page(found, row)

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        """Events, a page of them at a time, and their messages; all else came whole."""
        of, address = parts(holding)
        if holding.kind == EVENTS:
            async for record in self._places.events.records(of, address, holding):
                yield record
            return
        row = await self._places.read(holding)
        if row is not None:
            yield Record.of(holding, row)

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        """An entry goes by its address, never a collection; events expire with the last of them."""
        keep &= KINDS.get(holding.kind, frozenset())
        return await _said(self._erase(holding, *parts(holding), keep))

    async def standing(self, holding: Holding) -> Standing | None:
        """Restricted if it bears our mark: see `marks`."""
        row = await self._places.again(holding)
        if row is None:
            return None
        is_restricted = marks.is_restricted(holding.kind, row)
        return Standing(restricted=is_restricted, data=entry.says(holding.kind, row))

    async def restrict(self, holding: Holding, *, lift: bool = False) -> Outcome:
        """A mark inside the entry, where it has room for one; a list's member gets no mail then."""
        return await _said(self._stopping.restrict(holding, lift=lift))

    async def rectify(
        self, holding: Holding, data: Mapping[Datum, str]
    ) -> Outcome | Mapping[Datum, Outcome]:
        """A member's name and address; all else is about an address as it was."""
        if TABLES.get(holding.kind) is not MEMBERS:
            return NotSupported("of_the_address")
        return await _said(self._rectify(holding, data))

    def refiled(self, holding: Holding, data: Mapping[Datum, str]) -> Holding:
        """A member lies under its address."""
        is_moved = TABLES.get(holding.kind) is MEMBERS and Datum.EMAIL in data
        return moved(holding, data[Datum.EMAIL]) if is_moved else holding

    async def object_to(self, subject: Subject, purpose: str) -> Outcome:
        """Opts out in every domain that markets, seen there or not, and of every list."""
        addresses = self._addresses(subject)
        if purpose != MARKETING or not addresses:
            return NotSupported("other_purpose" if addresses else "no_address")
        return await _said(self._stopping.stop(addresses)) or Suppressed()

    async def objected(self, subject: Subject, purpose: str) -> bool:
        """Whether every domain that markets has stopped it, and every list."""
        addresses = self._addresses(subject)
        is_asked = purpose == MARKETING and bool(addresses)
        return is_asked and await self._stopping.is_stopped(addresses)

    async def people(
        self, kinds: frozenset[str] = frozenset(), until: datetime | None = None
    ) -> AsyncIterator[Sequence[Subject]]:
        """Every list, and every table and event of every domain."""
        async for page in Everybody(self._places).pages(kinds, until):
            yield page

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__()

    async def _erase(
        self, holding: Holding, of: str, address: str, keep: frozenset[Category]
    ) -> Outcome | Mapping[Category, Outcome]:
        row = await self._places.again(holding)
        if row is None:
            return Erased()
        if holding.kind == EVENTS:
            last = await self._places.events.last(of, address, self._keeps)
            return Expires(last) if last else Erased()
        if keep:
            return await self._blank(holding, row, keep)
        await self._http.delete(TABLES[holding.kind].route, of=of, address=address)
        return Erased()

    async def _rectify(
        self, holding: Holding, data: Mapping[Datum, str]
    ) -> Outcome | Mapping[Datum, Outcome]:
        row = await self._places.again(holding)
        if row is None:
            return await self._rectified_before(holding, data)
        now = entry.says(holding.kind, row)
        said: dict[Datum, Outcome | None] = {
            it: None if it in now else NotSupported(NOT_OFFERED) for it in data
        }
        due = {it: value for it, value in data.items() if value != now.get(it, value)}
        for it in sorted(due, key=lambda it: it is Datum.EMAIL):  # under another one it is gone
            said[it] = await _said(self._corrected(holding, it, due[it]))
        return {it: refused or Rectified() for it, refused in said.items()}

    async def _corrected(self, holding: Holding, datum: Datum, value: str) -> Outcome | None:
        """Why it was not written; None if it was."""
        of, address = parts(holding)
        if datum is Datum.EMAIL and not entry.is_one(value):
            return Failed("no_address")
        if datum is Datum.EMAIL and await self._stopping.is_stopped_anywhere(address):
            return NeedsHuman("has_opted_out")
        new = as_form({entry.DATA[datum]: value})
        try:
            is_there = await self._http.put(MEMBERS.route, new, of=of, address=address)
        except TakenError:
            return NeedsHuman("taken")
        return None if is_there else Failed("not_found")

    async def _rectified_before(
        self, holding: Holding, data: Mapping[Datum, str]
    ) -> Mapping[Datum, Outcome]:
        """What is gone may lie under its new address already, corrected."""
        at = self.refiled(holding, data)
        row = None if at == holding else await self._places.again(at)
        now = {} if row is None else entry.says(at.kind, row)
        return {
            it: Rectified() if now.get(it) == value else Failed("not_found")
            for it, value in data.items()
        }

    def _addresses(self, subject: Subject) -> list[str]:
        """Every form to ask with."""
        asked = Subject(self.usable(subject)).forms("email")
        return sorted(it for it in asked if entry.is_address(it))

    async def _blank(
        self, holding: Holding, row: Row, keep: frozenset[Category]
    ) -> Mapping[Category, Outcome]:
        table, (of, address) = TABLES[holding.kind], parts(holding)
        bare = marks.bare(row)
        blanks = table.fields.blanks(bare, keep) if table.can_blank else {}
        if "vars" in blanks:
            blanks["vars"] = marks.blanked(row)
        if blanks:
            await self._http.put(table.route, as_form(blanks), of=of, address=address)
        return table.fields.outcomes(bare, (holding.categories or KINDS[holding.kind]) - keep)


async def _said(work: Awaitable[T]) -> T | Outcome:
    """What comes of it: a refusal is an outcome, but for one of the key."""
    try:
        return await work
    except UnauthorisedError:
        raise
    except TerminalError as refused:
        return Failed(refused.reason)


def _found(asked: Holding, row: Row) -> Holding:
    """A holding by what its row says, as that spells the address, if anybody can ask so."""
    of, address = parts(asked)
    field_ = TABLES[asked.kind].address if asked.kind in TABLES else "recipient"
    spelt, kind = cleaned(str(row[field_])), entry.kind_of(asked.kind, row)
    handle = holding_of(kind, of, spelt if entry.is_address(spelt) else address)
    return replace(handle, categories=entry.categories(kind, row), bears=entry.bears(row))


def _page(found: Holding, row: Row) -> Page:
    """Events are exported, all else is whole in its row."""
    return Page(holdings=(found,), records=() if found.kind == EVENTS else (Record.of(found, row),))

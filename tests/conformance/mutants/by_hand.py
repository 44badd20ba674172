"""The connector of `connectors/README.md` with every step written by hand, to make mistakes in."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connectors.sdk.http import Ceilings, Http, UnauthorisedError
from connectors.sdk.interface import (
    Borne,
    Capabilities,
    Category,
    Connector,
    Erased,
    Failed,
    Holding,
    Limit,
    NotSupported,
    Outcome,
    Page,
    Record,
    RetryableError,
    Right,
    Subject,
    TerminalError,
)

Row = Mapping[str, str]
FIELDS = {
    "name": Category.IDENTITY,
    "user_id": Category.IDENTITY,
    "email": Category.CONTACT,
}


class Acme(Connector):
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings(Ceilings):  # from HABEAS_ACME_URL and HABEAS_ACME_TOKEN
        url: str
        token: str = field(repr=False)

    capabilities = Capabilities(
        system="acme",
        rights=frozenset({Right.ACCESS, Right.ERASURE}),
        kinds={"member": frozenset(FIELDS.values())},
        limits=(Limit(calls=100, per=timedelta(seconds=1)),),
        asked_by=frozenset({"email"}),
        beyond={"guests": "What you bought without your card."},
        reasons={
            "forbidden": "The token may not delete members.",
            "refused": "Acme refused the request.",
            "whole": "Acme deletes a member as a whole only.",
        },
    )

    def __init__(self, settings: Settings) -> None:
        token = f"Bearer {settings.token}"
        self._http = Http(settings.url, authorization=token, ceilings=settings)

    async def check(self) -> None:
        await self._list({"page": "1"})

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        seen = set(known)
        for holding in known:
            row = await self._read(holding)
            yield Page(gone=(holding,)) if row is None else _page([_record(row)])
        for email in filter(None, Subject(self.usable(subject)).forms("email")):
            page, before = 1, list[Row]()
            while rows := await self._list({"email": email, "page": str(page)}):
                if rows == before:
                    raise RetryableError("GET /members: a page that comes again")
                found = [_record(row) for row in rows if subject.bears("email", row["email"])]
                yield _page(it for it in found if it.holding not in seen)
                seen.update(it.holding for it in found)
                page, before = page + 1, rows

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        row = await self._read(holding)
        if row is not None:
            yield _record(row)

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        if keep & holding.categories:
            return NotSupported("whole")
        try:
            await self._http.delete("/members/{id}", id=holding.id)
        except UnauthorisedError:
            raise
        except TerminalError as error:
            return Failed(error.reason)
        return Erased()

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__()

    async def _read(self, holding: Holding) -> Row | None:
        answer = await self._http.get("/members/{id}", id=holding.id)
        return None if answer is None else _row(answer.body)

    async def _list(self, query: Mapping[str, str]) -> list[Row]:
        body = (await self._http.require("/members", query)).body
        if not isinstance(body, list):
            raise RetryableError("GET /members: not a list")
        return [_row(it) for it in body]


def _page(records: Iterable[Record]) -> Page:
    whole = tuple(records)
    return Page(holdings=tuple(it.holding for it in whole), records=whole)


def _record(row: Row) -> Record:
    """A member, who says by three fields who it is: all are told, asked for or not."""
    content = frozenset(it for name, it in FIELDS.items() if row[name])
    bears = tuple(Borne(name, name, row[name]) for name in FIELDS if row[name])
    return Record.of(Holding("member", row["id"], content, bears), row)


def _row(body: Any) -> Row:
    if not isinstance(body, dict) or not body.keys() >= {"id", *FIELDS}:
        raise RetryableError("Acme: not a member")
    return body

"""Put the cast into running sandboxes, and say of every object what must become of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from http import HTTPStatus
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from .people import Cast, Held, Somebody, meant

Expected = dict[str, dict[str, dict[str, Any]]]
"""System → `kind/id` → `then`, for `blank` its `fields`, what it is `marked` with, `person`:
whose it is, by key, and `as` where the cast gives it a name."""

CONTROL = "/_sandbox"
PATIENCE = ClientTimeout(total=30)
PARENTS = {"conversation": ("ticket", "ticket_id")}
"""What a sandbox makes of an object's fields: it goes, or stays, as that object does."""


class SeedError(Exception):
    """A sandbox cannot be reached or did not take an object. The message names no person."""


async def seed(urls: Mapping[str, str], cast: Cast) -> Expected:
    """Plant everything in the sandboxes at `urls`, by system; what must be true of each object.

    The sandboxes should be empty: what else is in them is in no cast. Raises `SeedError`.
    """
    expected: Expected = {system: {} for system in urls}
    async with ClientSession(timeout=PATIENCE) as session:
        for system, url in urls.items():
            mine = expected[system]
            held = [(it, one) for one in cast.people for it in one.held if it.system == system]
            await _plant(session, url, system, held, mine)
            state = await _call(session, "GET", f"{url}{CONTROL}/state", system)
            mine |= _children(state, mine)
    return expected


async def snapshot(urls: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """`states` and `ledger`, each by system: what the audit compares. Raises `SeedError`."""
    return {"states": await states(urls), "ledger": await ledgers(urls)}


async def states(urls: Mapping[str, str]) -> dict[str, Any]:
    """Every object of every sandbox, by system and `kind/id`. Raises `SeedError`."""
    return await _tell(urls, "state")


async def ledgers(urls: Mapping[str, str]) -> dict[str, Any]:
    """What every sandbox was called for and what that changed, by system. Raises `SeedError`."""
    return await _tell(urls, "ledger")


async def _tell(urls: Mapping[str, str], what: str) -> dict[str, Any]:
    async with ClientSession(timeout=PATIENCE) as session:
        return {
            system: await _call(session, "GET", f"{url}{CONTROL}/{what}", system)
            for system, url in urls.items()
        }


async def _plant(
    session: ClientSession,
    url: str,
    system: str,
    held: Sequence[tuple[Held, Somebody]],
    expected: dict[str, dict[str, Any]],
) -> None:
    """In waves: an object once all that it refers to have their ids."""
    ids: dict[tuple[str, str], str] = {}  # whose, and what it is called → id
    left = list(held)
    while left:
        wave = [(it, one) for it, one in left if _needed(it, one) <= ids.keys()]
        left = [(it, one) for it, one in left if not _needed(it, one) <= ids.keys()]
        if not wave:
            raise SeedError(f"{system}: objects of the cast refer to each other in a circle")
        rows = [_row(it, one, ids) for it, one in wave]
        said = await _call(session, "POST", f"{url}{CONTROL}/seed", system, rows)
        for (it, one), key in zip(wave, said["keys"], strict=True):
            expected[key] = {"person": one.key, "then": it.then.state}
            if it.then.fields:
                expected[key]["fields"] = list(it.then.fields)
            if it.then.now:
                expected[key]["now"] = dict(it.then.now)
            if it.then.marked:
                expected[key]["marked"] = dict(it.then.marked)
            if it.later.state != "same":
                fields = {"fields": list(it.later.fields)} if it.later.fields else {}
                expected[key]["later"] = {"then": it.later.state, **fields}
            if it.name:
                expected[key]["as"] = it.name
                ids[one.key, it.name] = key.partition("/")[2]


def _needed(held: Held, one: Somebody) -> set[tuple[str, str]]:
    return {meant(name, one.key) for name in held.references()}


def _row(held: Held, one: Somebody, ids: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """The object in the sandbox's words."""
    row = {
        name: ids[meant(it[1:], one.key)] if isinstance(it, str) and it.startswith("@") else it
        for name, it in held.fields.items()
    }
    if "description_text" in row:
        row.setdefault("description", f"<div>{escape(row['description_text'])}</div>")
    return {"kind": held.kind, **row}


def _children(
    state: Mapping[str, Mapping[str, Any]], expected: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """What must become of the objects that came with others."""
    return {
        key: {name: it for name, it in expected[parent].items() if name != "as"}
        for key, parent in _parents(state.items())
        if key not in expected and parent in expected
    }


def _parents(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterable[tuple[str, str]]:
    for key, fields in rows:
        kind, field = PARENTS.get(key.partition("/")[0], ("", ""))
        if kind:
            yield key, f"{kind}/{fields[field]}"


async def _call(
    session: ClientSession, method: str, url: str, system: str, body: object = None
) -> Any:
    try:
        async with session.request(method, url, json=body) as answer:
            if answer.status != HTTPStatus.OK:
                raise SeedError(f"{system}: the sandbox answered {answer.status} to {method}")
            return await answer.json()
    except (ClientError, TimeoutError) as error:
        raise SeedError(f"{system}: no answer from its sandbox ({type(error).__name__})") from None

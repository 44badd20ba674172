"""The demo's cast, as many times over as a test wants: no two copies share an address or an id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.demo.people import SAYS, Cast, Somebody

_ADDRESS = re.compile(r"[\w.'+%-]+@(?!lists\.)", re.IGNORECASE)
_OUR_ID = "BX-"
_PAYMENT = re.compile(r"^pi_")
_OF_ANOTHER = re.compile(r"^(@?[\w-]+):(?=[\w.]+$)")
"""The key in a name for an object of somebody else's."""


def crowd(cast: Cast, copies: range, roles: frozenset[str] | None = None) -> Cast:
    """Copies of everybody in the cast, or of those who play these roles: `key` is `role/copy`."""
    chosen = [it for it in cast.people if roles is None or it.key in roles]
    return Cast(tuple(_copied(it, n) for n in copies for it in chosen))


def role(person: str) -> str:
    """The part of the cast that somebody of the crowd plays."""
    return person.partition("/")[0]


def _copied(one: Somebody, n: int) -> Somebody:
    key, request = f"{one.key}/{n}", one.request
    if request is not None:
        named = tuple((kind, _other(value, n)) for kind, value in request.identifiers)
        said: dict[str, Any] = {
            word: tuple(_other(it, n) for it in getattr(request, word)) for word in SAYS
        }
        request = replace(request, person=key, identifiers=named, **said)
    held = tuple(replace(it, fields=_fields(it.fields, n)) for it in one.held)
    return replace(one, key=key, request=request, held=held)


def _fields(fields: Mapping[str, Any], n: int) -> dict[str, Any]:
    return {name: _other(value, n) for name, value in fields.items()}


def _other(value: Any, n: int) -> Any:
    """A value with the addresses and ids of this copy, however deep."""
    match value:
        case str():
            named = _OF_ANOTHER.sub(lambda it: f"{it[1]}/{n}:", _PAYMENT.sub(f"pi_{n}_", value))
            return _ADDRESS.sub(lambda it: f"c{n}.{it[0]}", named).replace(_OUR_ID, f"BX-{n}-")
        case list():
            return [_other(it, n) for it in value]
        case dict():
            return _fields(value, n)
        case _:
            return value

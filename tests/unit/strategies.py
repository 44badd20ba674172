"""Hypothesis strategies for every event and what it seals, made from the dataclasses themselves."""

from __future__ import annotations

import types
from dataclasses import Field, fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, cast, get_args, get_origin, get_type_hints
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from schemas.derive import event_types
from schemas.events import Event

ROWS = 3
"""Rows of an array, at most."""
LONG = 2**63

_PRIMITIVES: dict[Any, SearchStrategy[Any]] = {
    str: st.text(max_size=12),
    int: st.integers(-LONG, LONG - 1),
    bool: st.booleans(),
    bytes: st.binary(max_size=40),
    UUID: st.uuids(),
    datetime: st.datetimes(timezones=st.just(UTC)),
}


def of(hint: Any) -> SearchStrategy[Any]:
    """Values of a field's type."""
    if hint in _PRIMITIVES:
        return _PRIMITIVES[hint]
    if get_origin(hint) is tuple:
        return st.lists(of(get_args(hint)[0]), max_size=ROWS).map(tuple)
    if isinstance(hint, types.UnionType):
        return st.one_of(*(st.none() if it is type(None) else of(it) for it in get_args(hint)))
    return instances(hint)


def instances(kind: Any) -> SearchStrategy[Any]:
    """Instances of a dataclass, every field drawn."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{it.name: of(hints[it.name]) for it in fields(kind)})


def values(kind: type[Event], field: Field[Any]) -> SearchStrategy[Any]:
    """Values of one field of an event."""
    return of(get_type_hints(kind)[field.name])


def events(*kinds: type[Event]) -> SearchStrategy[Event]:
    """Events of these types, or of every type."""
    chosen = kinds or tuple(event_types().values())
    return st.one_of(*(cast("SearchStrategy[Event]", instances(it)) for it in chosen))


def sealing() -> tuple[type[Event], ...]:
    """Every event type that has a sealed part."""
    return tuple(it for it in event_types().values() if it.SEALS is not None)


def enclosed() -> tuple[type[Event], ...]:
    """Every event type that comes in from outside: sealed to the pipeline, and signed."""
    return tuple(it for it in sealing() if "signature" in names(it))


def contents(kind: type[Event]) -> SearchStrategy[Any]:
    """What an event type may seal."""
    if kind.SEALS is None or not is_dataclass(kind.SEALS):
        raise TypeError(f"{kind.__name__} seals nothing")
    return instances(kind.SEALS)


def names(kind: type[Event]) -> tuple[str, ...]:
    """The names of an event's fields, in their order on the wire."""
    return tuple(it.name for it in fields(kind))

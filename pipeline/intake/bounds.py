"""How large, long and late what comes in may be: every field of every event, before it is believed.

Who said it is known by then. It may still be mistaken, or somebody may have taken its key.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from schemas.events import (
    Event,
    HoldingsLocated,
    IncidentOpened,
    MeasureTaken,
    OrderDeferred,
    PeopleListed,
    RequestReceived,
    TaskCompleted,
    TaskDeclined,
)
from schemas.records import FactRow

from . import decisions
from .refused import RefusedError

TEXT = 1000
"""Characters of a code, a name, a reason."""
NUMBER = 2**53
"""What every reader of JSON can tell exactly."""
PARTS = 10_000
"""Of one answer."""
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
APPLIES = datetime(2018, 5, 25, tzinfo=UTC)
"""GDPR Art. 99(2): no request is older than the right to make it."""
LONGEST_WAIT = timedelta(days=10 * 366)
"""A vendor's own date for trying again may be far; an order that waits longer waits for ever."""
HIGHEST_LEVEL = 2
AHEAD = timedelta(minutes=5)
"""How far a sender's clock may be before the broker's."""
FACT, READ = re.compile(r"[a-z_]{1,60}"), re.compile(r"[A-Za-z0-9_.*\[\]/ -]{0,100}")
"""What a fact is called, and the vendor's field that it was read from: no value of a field."""
DAY = re.compile(r"\d{4}-\d\d-\d\d")
LATEST = 3000
"""The years of a period are added to a day."""


def check(event: Event, now: datetime) -> None:
    """Raise `RefusedError` if a field is outside its bounds; its code names the field."""
    of: Any = type(event)
    for name, is_within in _fields(of):
        if not is_within(getattr(event, name)):
            raise RefusedError(f"out_of_bounds:{name}")
    match event:
        case RequestReceived() if not 0 <= event.level <= HIGHEST_LEVEL:
            raise RefusedError("out_of_bounds:level")
        case RequestReceived() if event.received_at < APPLIES:
            raise RefusedError("out_of_bounds:received_at")
        case RequestReceived() if len(event.claims) != len(set(event.claims)):
            raise RefusedError("claims_repeated")
        case HoldingsLocated() | TaskDeclined() if not all(map(_is_fact, event.facts)):
            raise RefusedError("out_of_bounds:facts")
        case IncidentOpened() if event.aware_at > now + AHEAD:
            raise RefusedError("out_of_bounds:aware_at")  # nobody knows what is to come
        case OrderDeferred() if event.until > now + LONGEST_WAIT:
            raise RefusedError("out_of_bounds:until")
        case HoldingsLocated() | TaskCompleted() | MeasureTaken() | PeopleListed() if not _is_part(
            event
        ):
            raise RefusedError("out_of_bounds:part")
        case _:
            decisions.check(event)


def _is_part(event: HoldingsLocated | TaskCompleted | MeasureTaken | PeopleListed) -> bool:
    return 1 <= event.part <= event.parts <= PARTS


Check = Callable[[Any], bool]


@cache
def _fields(of: type) -> tuple[tuple[str, Check], ...]:
    """The fields of a class that have bounds beyond those of a record."""
    hints = get_type_hints(of)
    made = ((it.name, _check(hints[it.name])) for it in fields(of))
    return tuple((name, check) for name, check in made if check is not None)


@cache
def _check(hint: Any) -> Check | None:
    if hint in _BOUNDS:
        return _BOUNDS[hint]
    if get_origin(hint) is tuple:
        item = _check(get_args(hint)[0])
        return None if item is None else lambda value: all(map(item, value))
    if isinstance(hint, types.UnionType):
        (inner,) = (it for it in get_args(hint) if it is not type(None))
        some = _check(inner)
        return None if some is None else lambda value: value is None or some(value)
    if isinstance(hint, type) and is_dataclass(hint):
        names = _fields(hint)
        return lambda value: all(within(getattr(value, name)) for name, within in names)
    return None


def _is_fact(row: FactRow) -> bool:
    """Whether a host names a fact and a field, and tells a yes, a no or a day."""
    if not (FACT.fullmatch(row.name) and READ.fullmatch(row.read)):
        return False
    if row.value in {"true", "false"}:
        return True
    try:
        return bool(DAY.fullmatch(row.value)) and date.fromisoformat(row.value).year < LATEST
    except ValueError:
        return False


def _is_text(value: str) -> bool:
    return len(value) <= TEXT and value.isprintable()


def _is_number(value: int) -> bool:
    return 0 <= value <= NUMBER


def _is_moment(value: datetime) -> bool:
    return value >= EARLIEST


_BOUNDS: dict[Any, Check] = {str: _is_text, int: _is_number, datetime: _is_moment}

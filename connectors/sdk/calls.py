"""What the host puts around every vendor call, and how calls are counted. No HTTP in here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol, TypeVar
from uuid import uuid4

T = TypeVar("T")


class Caller(Protocol):
    """Runs one attempt at a vendor call: waits for its turn, repeats it, or refuses to."""

    async def __call__(self, attempt: Callable[[], Awaitable[T]]) -> T: ...


async def _once(attempt: Callable[[], Awaitable[T]]) -> T:
    return await attempt()


_ONCE: Final[Caller] = _once
caller: ContextVar[Caller] = ContextVar("caller", default=_ONCE)
"""The host's rate limit, retries and circuit breaker; by default, each call is made once."""


calling: ContextVar[str] = ContextVar("calling", default="")
"""The method and the route of the call that a `Caller` is to make, `GET /contacts/{id}`."""


async def call(attempt: Callable[[], Awaitable[T]], *, route: str = "") -> T:
    """Make one vendor call as the host wants it made. For connectors without `Http` (boto3).

    `route` is what a `Limit` may name: a method and a template, or the name of an operation.
    """
    token = calling.set(route)
    try:
        return await caller.get()(attempt)
    finally:
        calling.reset(token)


LONGEST_ID = 200
"""Characters: a vendor's header may have thousands, and this is kept."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that a vendor was sent, and what it may be asked about later."""

    method: str
    route: str
    """The template, `/contacts/{id}`: never the path, which may name a person."""
    status: int | None
    """None if no answer came."""
    request_id: str | None = None
    """The vendor's own id of the call, for evidence: as much of it as `LONGEST_ID`."""

    def __post_init__(self) -> None:
        if self.request_id is not None and len(self.request_id) > LONGEST_ID:
            object.__setattr__(self, "request_id", self.request_id[:LONGEST_ID])


_witnesses: ContextVar[tuple[list[Call], ...]] = ContextVar("witnesses", default=())


@contextmanager
def witnessed() -> Iterator[list[Call]]:
    """Collect every call made inside, failed attempts included, in the order they ended."""
    calls: list[Call] = []
    token = _witnesses.set((*_witnesses.get(), calls))
    try:
        yield calls
    finally:
        _witnesses.reset(token)


def witness(made: Call) -> None:
    """Tell whoever is counting that a call was made. `Http` does so by itself."""
    for calls in _witnesses.get():
        calls.append(made)


_effect: ContextVar[str] = ContextVar("effect", default="")


@contextmanager
def effect(name: str) -> Iterator[None]:
    """What happens inside is one effect: whoever brings it about again gives it the same name."""
    token = _effect.set(name)
    try:
        yield
    finally:
        _effect.reset(token)


def idempotency_key(*change: str) -> str:
    """A key for one change of a vendor's, for vendors that do nothing twice under the same key.

    The same again when the host repeats the effect, and in another effect never. It says nothing
    of what it is made of.
    """
    return sha256("\0".join((_effect.get() or uuid4().hex, *change)).encode()).hexdigest()

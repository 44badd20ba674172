"""The kit's tests one by one, so that a mutant can be put to any of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from connectors.sdk.conformance import ConnectorConformance, World

SLOW = "test_an_answer_without_an_end_is_retryable"
"""Waits for seconds, and catches what nothing else does: it comes last."""


@dataclass(frozen=True, slots=True)
class Case:
    """A test of the kit, with its parameters."""

    name: str
    """As pytest writes it: `test_a_busy_vendor_is_retryable[429-check]`."""
    test: Callable[..., Any]
    given: Mapping[str, Any]

    async def run(self, world: World, request: pytest.FixtureRequest) -> None:
        """Raises what the test raises."""
        wanted = inspect.signature(self.test).parameters.keys() - {"self", "world", "request"}
        fixtures = {it: request.getfixturevalue(it) for it in wanted - self.given.keys()}
        if "caplog" in fixtures:
            fixtures["caplog"].clear()
        if "request" in inspect.signature(self.test).parameters:
            fixtures["request"] = request
        await self.test(ConnectorConformance(), world=world, **fixtures, **self.given)


def cases() -> Mapping[str, Case]:
    """All of them by name, in the order in which they run."""
    found = {it.name: it for test in _tests() for it in _of(test)}
    return dict(sorted(found.items(), key=lambda it: it[0] == SLOW))


def _tests() -> Iterator[Callable[..., Any]]:
    for of in ConnectorConformance.__mro__:
        yield from (it for name, it in vars(of).items() if name.startswith("test_"))


def _of(test: Callable[..., Any]) -> Iterator[Case]:
    marks = [it for it in getattr(test, "pytestmark", ()) if it.name == "parametrize"]
    for values in product(*(_values(it) for it in marks)):
        name = "-".join(label for label, _ in values)
        given = {key: value for _, found in values for key, value in found.items()}
        yield Case(f"{test.__name__}[{name}]" if name else test.__name__, test, given)


def _values(mark: pytest.Mark) -> Iterator[tuple[str, dict[str, Any]]]:
    argument, values = mark.args
    ids = mark.kwargs.get("ids")
    labels = list(map(ids, values)) if callable(ids) else list(ids or values)
    for label, value in zip(labels, values, strict=True):
        yield str(label), {argument: value}

"""A connector to nothing: it says what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from connectors.sdk.calls import Call, witness
from connectors.sdk.interface import (
    Borne,
    Capabilities,
    Category,
    Connector,
    Erased,
    Fact,
    Holding,
    Outcome,
    Page,
    Record,
    Right,
    Subject,
)

PROFILE, USAGE = Category.PROFILE, Category.USAGE
Step = Callable[[], None]


def nothing() -> None:
    """What most steps do."""


def borne(holding: Holding, *values: str, kind: str = "email", field: str = "email") -> Holding:
    """The same, and it says that it is of these: of the person that most orders ask about."""
    said = tuple(Borne(field, kind, it) for it in values or ("ann@example.org",))
    return replace(holding, bears=(*holding.bears, *said))


def hanging(holding: Holding, on: Holding) -> Holding:
    """The same, as a part of another."""
    return replace(holding, part_of=on)


@dataclass
class Scripted(Connector):
    """Holds `held`, as it tells of whose it is; `pages` overrides what a look says.

    A step may raise.
    """

    held: list[Holding] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    pages: Callable[[], AsyncIterator[Page]] | None = None
    bodies: Mapping[Holding, Sequence[bytes]] = field(default_factory=dict)
    on_check: Step = nothing
    on_locate: Step = nothing
    on_erase: Mapping[Holding, Callable[[], Outcome | Mapping[Category, Outcome]]] = field(
        default_factory=dict
    )
    asked: list[str] = field(default_factory=list)
    """What was called, in order."""
    kept: dict[Holding, frozenset[Category]] = field(default_factory=dict)

    capabilities = Capabilities(
        system="acme",
        rights=frozenset({Right.ACCESS, Right.ERASURE}),
        kinds={it: frozenset({PROFILE, USAGE}) for it in ("child", "parent")},
        beyond={"attic": "What lies in the attic."},
        facts=frozenset({"customer"}),
    )

    async def check(self) -> None:
        self._asked("check")
        self.on_check()

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        self._asked("locate")
        self.on_locate()
        if self.pages is not None:
            async for page in self.pages():
                yield page
            return
        for it in self.held:
            yield Page(holdings=(it,))
        gone = tuple(it for it in known if it not in self.held)
        yield Page(gone=gone, facts=tuple(self.facts))

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        self._asked(f"export {holding.kind} {holding.id}")
        for body in self.bodies.get(holding, ()):
            yield Record(holding, body)

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        self._asked(f"erase {holding.kind} {holding.id}")
        self.kept[holding] = keep
        if holding in self.on_erase:
            return self.on_erase[holding]()
        self.held = [it for it in self.held if it != holding]
        return Erased()

    async def __aexit__(self, *_: object) -> None:
        """Nothing to release."""

    def _asked(self, what: str) -> None:
        self.asked.append(what)
        witness(Call("POST" if what.startswith("erase") else "GET", "/x/{id}", 200, "req-1"))

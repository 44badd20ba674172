"""A vendor that the kit controls: what it is asked to plant, to break and to show."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from .. import registry
from ..interface import Category, Connector, Identifier, Subject
from ..sandbox import Fault, Mode, Sandbox
from .marks import Mark

State = Mapping[str, Any]
"""Every object that a vendor has, by a key of its own."""


class World(Protocol):
    """A vendor that the test controls: a sandbox here, or an account made for tests."""

    @property
    def searched_by(self) -> Sequence[str]:
        """The kinds of identifier that this system is searched with: `email`, `phone`, ..."""
        ...

    @property
    def states(self) -> Mapping[str, Callable[[State], bool]]:
        """What objects of this vendor can be, in words, and how its state shows one."""
        ...

    @property
    def tells_case_apart(self) -> bool:
        """Whether an address in upper case is another one to this vendor."""
        ...

    @property
    def stamps(self) -> Sequence[str]:
        """The fields that the vendor itself sets at every change: `updated_at`."""
        ...

    @property
    def undated(self) -> Sequence[str]:
        """The kinds of which this vendor does not tell when something was made."""
        ...

    @property
    def marks(self) -> Sequence[Mark]:
        """What was planted so far, in that order."""
        ...

    def connector(self, *, restricted: bool = False) -> Connector:
        """A new connector; `restricted`: with a key that may not read some kind of holding."""
        ...

    async def seed(self, subject: Subject, *, holdings: int) -> None:
        """Let exactly so many holdings be there, with every identifier on at least one of them.

        Let 250 be more than one page of a list that `locate` reads. If children hang on parents,
        seed both. Let every category have content that can, a `mark` in each.
        """
        ...

    async def orphan(self) -> bool:
        """Remove every parent and leave its children; False if this vendor has neither."""
        ...

    async def beside(self, subject: Subject, other: Identifier) -> bool:
        """Let one holding be there that is found by the subject and bears `other` as well.

        In a field that somebody may write to: further addresses, a free field for our user id.
        False if this vendor's records have no room for another of that kind.
        """
        ...

    async def share(self, subject: Subject, other: Subject) -> bool:
        """Let both be there, and something that both have a part in: a list, a company, a ticket.

        False if this vendor has no such thing.
        """
        ...

    async def markets_to(self, subject: Subject) -> bool:
        """Whether the vendor, by its own state, may still use something of theirs for marketing."""
        ...

    async def nameless(self) -> bool:
        """Let something be there of somebody who has no e-mail address.

        False if all that this vendor has lies under one.
        """
        ...

    async def state(self) -> State:
        """Every object that the vendor has, by a key of its own."""
        ...

    async def calls(self) -> Mapping[str, int]:
        """How often each route was called: `GET /contacts/{id}`."""
        ...

    async def effects(self) -> int:
        """How many calls had an effect."""
        ...

    async def connections(self) -> int:
        """How many sockets to the vendor are open."""
        ...

    async def leaks(self) -> int:
        """How often a redirect was followed with credentials."""
        ...

    async def settle(self) -> bool:
        """Let reads show what was written, and jobs be done; False if nobody can hurry them."""
        ...

    async def fail(
        self,
        status: int,
        *,
        times: int | None = 1,
        retry_after: int | None = None,
        call: str = "",
        after: int = 0,
    ) -> None:
        """Answer the next `times` calls so (all, if None), with no effect.

        Those of one route, if `call` names it, and not the first `after` of them.
        """
        ...

    async def spoil(
        self, mode: Mode, *, times: int | None = 1, call: str = "", after: int = 0
    ) -> None:
        """Spoil the next answer: `html`, `half` a body, `empty`; or `reset` every connection.

        `other`, `null`: JSON that says nothing. `redirect`: ask elsewhere. `repeat`: the first page
        of each list in place of every other. `large`: 64 MiB. `deep`: 100,000 arrays in one
        another. `drip`: a byte now and then, without an end.
        """
        ...

    async def ignore(self, words: Iterable[str]) -> None:
        """Answer as if no parameter of a query that has one of the words in it had been sent."""
        ...

    async def lie(self) -> None:
        """Say that every change was made, and make none."""
        ...

    async def calm(self) -> None:
        """No more faults."""
        ...


class SandboxWorld(ABC):
    """A `World` around a `Sandbox`.

    A vendor adds `seed` and `beside`; `orphan` with children; `share` and `states` for what it has;
    `markets_to` if its connector takes objections, `nameless` if it lists people.
    """

    searched_by: Sequence[str] = ("email",)
    states: ClassVar[Mapping[str, Callable[[State], bool]]] = {}
    """What objects can be that no kind or category shows: `"a deleted contact": lambda state: …`.
    Whatever the seed never plants is printed at the end.
    """
    tells_case_apart: bool = False
    """True where an address in upper case is another one to the vendor; `beyond` says so then."""
    stamps: Sequence[str] = ()
    """See `World`."""
    undated: Sequence[str] = ()
    """See `World`."""
    changes_by: ClassVar[tuple[str, ...]] = ("DELETE", "PUT", "PATCH")
    """The methods that change something; see `lie`. Add POST if the vendor changes by it."""
    answer_seconds: ClassVar[int] = 5
    """How long the connector waits for an answer, if its `Settings` are `Ceilings`."""

    def __init__(self, sandbox: Sandbox, connector: type[Connector]) -> None:
        self.sandbox = sandbox
        self.marks: list[Mark] = []
        self._connector = connector

    def mark(self, category: Category, form: str = "Mark {}") -> str:
        """A text to plant that is nowhere else: `mark(Category.CONTACT, "{}@example.org")`.

        The kit looks for it in copies, and in the vendor's state after an erasure.
        """
        made = Mark.of(len(self.marks), category)
        self.marks.append(made)
        return form.format(made.number)

    @abstractmethod
    async def seed(self, subject: Subject, *, holdings: int) -> None:
        """See `World`."""

    async def orphan(self) -> bool:
        """See `World`."""
        return False

    async def beside(self, subject: Subject, other: Identifier) -> bool:
        """See `World`. Not to say it is not to have none."""
        raise NotImplementedError("say in your world what a record may bear beside")

    async def share(self, _subject: Subject, _other: Subject) -> bool:
        """See `World`."""
        return False

    async def markets_to(self, subject: Subject) -> bool:
        """See `World`: read the sandbox's state, and do not ask the connector."""
        raise NotImplementedError("say in your world whom the vendor may write to for marketing")

    async def nameless(self) -> bool:
        """See `World`. Not to say it is not to have none."""
        raise NotImplementedError("say in your world what is there of people without an address")

    def connector(self, *, restricted: bool = False) -> Connector:
        """See `World`."""
        seconds = registry.variable(self.sandbox.system, "answer_seconds")
        environ = {seconds: str(self.answer_seconds), **self.sandbox.environ(restricted=restricted)}
        return registry.build(self._connector, environ)

    async def state(self) -> State:
        """See `World`."""
        copied: dict[str, Any] = json.loads(json.dumps(self.sandbox.state()))
        return copied

    async def calls(self) -> Mapping[str, int]:
        """See `World`."""
        return dict(self.sandbox.calls)

    async def effects(self) -> int:
        """See `World`."""
        return len(self.sandbox.ledger)

    async def connections(self) -> int:
        """See `World`."""
        return self.sandbox.connections

    async def leaks(self) -> int:
        """See `World`."""
        return self.sandbox.leaks

    async def settle(self) -> bool:
        """See `World`."""
        await self.sandbox.settle()
        return True

    async def fail(
        self,
        status: int,
        *,
        times: int | None = 1,
        retry_after: int | None = None,
        call: str = "",
        after: int = 0,
    ) -> None:
        """See `World`."""
        self.sandbox.faults.append(
            Fault(status=status, times=times, retry_after=retry_after, call=call, after=after)
        )

    async def spoil(
        self, mode: Mode, *, times: int | None = 1, call: str = "", after: int = 0
    ) -> None:
        """See `World`."""
        # aiohttp by itself repeats a request once whose connection drops.
        times = None if mode in {"reset", "repeat"} else times
        self.sandbox.faults.append(Fault(mode=mode, times=times, call=call, after=after))

    async def ignore(self, words: Iterable[str]) -> None:
        """See `World`."""
        self.sandbox.faults.append(Fault(mode="deaf", words=tuple(words), times=None))

    async def lie(self) -> None:
        """See `World`."""
        for method in self.changes_by:
            self.sandbox.faults.append(Fault(mode="lie", method=method, times=None))

    async def calm(self) -> None:
        """See `World`."""
        self.sandbox.faults.clear()

"""Who acts while a case is worked on? Those who ask press buttons, the DPO and a deputy decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk.sandbox import Sandbox
from pipeline import app
from pipeline.case import inbox, lifecycle, weighing
from pipeline.case.case import Case
from pipeline.case.rules import Rules
from pipeline.register import reading
from pipeline.settings import Settings
from schemas.events import CaseReported

from . import mailbox
from .dpo import DEPUTY, Dpo, handle
from .people import Request

Say = Callable[[str], None]


@dataclass(slots=True)
class Seat:
    """One request of the cast, and its case as it was last seen."""

    request: Request
    id: UUID = field(default_factory=uuid4)
    case: Case | None = None
    report: CaseReported | None = None
    pressed: list[str] = field(default_factory=list)
    """Recipients who acknowledge what they are told of it."""
    is_again: bool = False
    """Whether it was asked for years later, and no recipient answers."""

    @property
    def is_decided(self) -> bool:
        """Whether people decide something of it, or nobody answers them."""
        asked = self.request
        return bool(asked.extended or asked.refused or asked.by_hand or self.is_again)

    def promised(self) -> dict[str, Any]:
        """What must have come of that."""
        asked = self.request
        return {
            "to": dict(asked.identifiers)["email"],
            "extended": asked.extended,
            "refused": asked.refused,
            "by_hand": sorted({it.partition(".")[0] for it in asked.by_hand}),
            "silent": self.is_again,
        }

    def told(self, linked: Sequence[str]) -> dict[str, list[str]]:
        """What recipients may be told of, and which of them acknowledge that."""
        known = [*self.request.proved, *linked] if self.request.level else []
        return {"addresses": known, "pressed": self.pressed}

    @property
    def at_rest(self) -> bool:
        """Whether it stands where it must in the end, with nothing under way."""
        case = self.case
        if case is None or case.under_way():
            return False
        if self.request.ends == lifecycle.ASKED:
            return case.state == lifecycle.ASKED
        if self.request.refused:
            return case.state == lifecycle.REFUSED
        if (
            self.waits_for_hands
            or self.waits_for_people
            or (case.plan is not None and case.plan.state == "asked")
        ):
            return False
        said = {recipient for (recipient, _), it in case.told.items() if it.says}
        if not said.issuperset(self.request.acknowledged):
            return False
        return not case.is_open and case.reports > 0 and all(it.digest for it in case.responses)

    @property
    def waits_for_hands(self) -> bool:
        """Whether something is open that a person does by hand, in the cast."""
        systems = {it.partition(".")[0] for it in self.request.by_hand}
        claims = () if self.case is None else self.case.claims.values()
        rows = (row for claim in claims for row in claim.coverage)
        return any(it.state == "open" and it.system in systems for it in rows)

    @property
    def waits_for_people(self) -> bool:
        """Whether somebody has not yet said what the cast lets them say of who is who."""
        return self.case is None or self.case.people < self.request.words


async def look(engine: AsyncEngine, rules: Rules, seats: Sequence[Seat]) -> None:
    """Read how the cases stand. To read all of them each time would take longer than they do."""
    for it in seats:
        entries = await reading.entries(engine, it.id)
        it.case = reading.folded(entries, rules) if entries else None
        it.report = reading.last_report(entries)


class Actors:
    """Those around the pipeline: they press buttons, decide and approve, each thing once."""

    def __init__(
        self, settings: Settings, dpo: Dpo, say: Say, vendors: Mapping[str, Sandbox]
    ) -> None:
        self._settings = settings
        self._dpo = dpo
        self._say = say
        self._vendors = vendors
        self._begun: set[tuple[UUID, str]] = set()

    async def act(self, seat: Seat) -> None:
        """Do what can be done for a case as it stands, and was not begun yet.

        Raises `CommandError` and `MailboxError`.
        """
        case = seat.case
        if case is None:
            return
        if seat.waits_for_people:
            for address in seat.request.confirm:
                await self._press(case.id, address)
        if seat.waits_for_people and (seat.request.same or seat.request.other):
            await self._decide(seat.request, case)
        for recipient in seat.request.acknowledged:
            await self._acknowledge(seat, case, recipient)
        for said in seat.request.by_hand if seat.waits_for_hands else ():
            await self._do_by_hand(seat.request, case, said)
        if seat.request.upheld and weighing.waits(case):
            await self._uphold(case)
        if case.plan is not None and case.plan.state == "asked" and not seat.waits_for_people:
            await self._answer(seat.request, case, case.plan.digest.hex())

    async def _answer(self, request: Request, case: Case, digest: str) -> None:
        """Refuse what is planned, take more time for it, or approve it."""
        if request.refused:
            await self._refuse(case, request.refused)
        elif request.extended and not case.extended:
            await self._extend(case, request.extended)
        elif self._begin(case.id, digest):
            self._say(f"habeas approve {case.id} --plan {digest[:16]}")
            await self._dpo.approve(case.id, digest)

    async def _press(self, case: UUID, address: str) -> None:
        url = mailbox.link(app.Place(self._settings.data).mail, address, case)
        if url and self._begin(case, address):
            await mailbox.press(url)
            self._say(f"{str(case)[:8]} pressed the button in the mail to a second address")

    async def _acknowledge(self, seat: Seat, case: Case, recipient: str) -> None:
        """A recipient opens the first message about a case, and presses the button on its page."""
        policy = app.policy_of(self._settings)
        contact = next(it.contact for it in policy.recipients if it.id == recipient)
        folder = app.Place(self._settings.data).instructions
        url = mailbox.link(folder, contact, case.id, page="acknowledge")
        if url and self._begin(case.id, recipient):
            seat.pressed.append(recipient)
            await mailbox.press(url)
            self._say(f"{str(case.id)[:8]} {recipient} acknowledged what it was told")

    async def _decide(self, request: Request, case: Case) -> None:
        if (case.id, "whose") in self._begun:
            return
        verdicts = await self._dpo.verdicts(request, case)
        if verdicts and self._begin(case.id, "whose"):
            said = " ".join(f"--{it.verdict} {handle(it)}" for it in verdicts)
            self._say(f"habeas whose {case.id} {said}")
            await self._dpo.decide(case.id, verdicts)

    async def _uphold(self, case: Case) -> None:
        if self._begin(case.id, "upheld"):
            self._say(f"habeas decide uphold {case.id}")
            await self._dpo.uphold(case.id)

    async def _extend(self, case: Case, reason: str) -> None:
        if self._begin(case.id, reason):
            self._say(f"habeas decide extend {case.id} --reason {reason}")
            await self._dpo.extend(case.id, reason)

    async def _refuse(self, case: Case, ground: str) -> None:
        """One person proposes it, and once that is in the ledger another one confirms it."""
        if case.proposal is None:
            if self._begin(case.id, ground):
                self._say(f"habeas decide refuse {case.id} --ground {ground}")
                await self._dpo.propose(case.id, ground)
            return
        proposal = case.proposal.digest.hex()
        if self._begin(case.id, proposal):
            self._say(f"habeas decide refuse {case.id} --confirm {proposal[:16]} --as {DEPUTY}")
            await self._dpo.confirm(case.id, proposal)

    async def _do_by_hand(self, request: Request, case: Case, said: str) -> None:
        """Delete something at a vendor, past the pipeline, and then say so."""
        system, kind, id_ = self._dpo.object(said, request.person)
        for item in inbox.waiting(case, app.rules(self._settings)):
            about = item.about
            if about is None or (about.system, about.kind) != (system, kind):
                continue
            if self._begin(case.id, said):
                del self._vendors[system].tables[kind][id_]
                self._say(f"habeas decide settle {case.id} {item.id} --done")
                await self._dpo.settle(case.id, item.id)

    def _begin(self, case: UUID, what: str) -> bool:
        """Whether this is to be done now; it is not again."""
        is_new = (case, what) not in self._begun
        self._begun.add((case, what))
        return is_new

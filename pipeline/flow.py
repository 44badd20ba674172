"""The route as a table: which step reads what, says what, and where it runs. Read this first.

Wiring, topics with their settings, and the picture in the README are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from schemas import events as e
from schemas.derive import event_name
from schemas.events import Event

from .case.case import Case
from .case.rules import Given, Rules
from .settings import Settings
from .stages.aggregate import aggregate
from .stages.fan_out import fan_out
from .stages.identify import identify
from .stages.notify import notify
from .stages.open import open_case
from .stages.plan import plan
from .stages.report import report
from .stages.respond import respond
from .stages.search import search

Stage = Callable[[Case, Event, Rules, Given], Iterator[Event]]

PREFIX = "rights."
REQUESTS = PREFIX + "requests"
RESULTS = PREFIX + "results"
DECISIONS = PREFIX + "decisions"
REPORTS = PREFIX + "reports"
LEDGER = PREFIX + "ledger"
DEAD_LETTERS = PREFIX + "dead-letters"
RESPONSE, NOTICE = "response", "notice"


def work(system: str) -> str:
    """The topic of one system's orders; `response` and `notice` are worked on like systems."""
    return f"{PREFIX}work.{system}"


class Where(StrEnum):
    """Where a step runs: at the edge, in the decider, or in a host."""

    EDGE = "edge"
    DECIDE = "decide"
    HOST = "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the route. `stage` is its function, for steps that the decider runs."""

    name: str
    where: Where
    reads: tuple[type[Event], ...] = ()
    says: tuple[type[Event], ...] = ()
    stage: Stage | None = None


ROUTE: tuple[Step, ...] = (
    Step(name="intake", where=Where.EDGE, says=(e.RequestReceived,)),
    Step(
        name="open",
        where=Where.DECIDE,
        reads=(e.RequestReceived,),
        says=(e.CaseOpened, e.IdentityAsked, e.IdentityVerified),
        stage=open_case,
    ),
    Step(
        name="identify",
        where=Where.DECIDE,
        reads=(e.IdentityProved, e.IdentityOverdue),
        says=(e.IdentityVerified, e.IdentityRefused),
        stage=identify,
    ),
    Step(
        name="search",
        where=Where.DECIDE,
        reads=(e.IdentityVerified, e.HoldingsLocated, e.OrderDue),
        says=(e.SearchOrdered,),
        stage=search,
    ),
    Step(
        name="locate",
        where=Where.HOST,
        reads=(e.SearchOrdered,),
        says=(e.HoldingsLocated, e.SearchFailed, e.OrderDeferred),
    ),
    Step(
        name="plan",
        where=Where.DECIDE,
        reads=(
            e.HoldingsLocated,
            e.SearchFailed,
            e.SearchOverdue,
            e.OrderDeferred,
            e.OrderDue,
            e.ApprovalOverdue,
            e.PlanChanged,
            e.TaskCompleted,
            e.TaskDeclined,
        ),
        says=(e.PlanMade, e.ApprovalAsked, e.PlanApproved, e.PlanObserved),
        stage=plan,
    ),
    Step(
        name="fan out",
        where=Where.DECIDE,
        reads=(e.PlanApproved, e.ResponseSigned, e.ClaimWithdrawn, e.OrderDue),
        says=(e.TaskOrdered,),
        stage=fan_out,
    ),
    Step(
        name="perform",
        where=Where.HOST,
        reads=(e.TaskOrdered,),
        says=(e.TaskCompleted, e.TaskDeclined, e.OrderDeferred),
    ),
    Step(
        name="aggregate",
        where=Where.DECIDE,
        reads=(
            e.HoldingsLocated,
            e.SearchFailed,
            e.SearchOverdue,
            e.TaskCompleted,
            e.PlanApproved,
            e.PlanObserved,
            e.PlanChanged,
            e.ApprovalOverdue,
            e.OrderDue,
        ),
        says=(e.ClaimSettled, e.ObligationOpened),
        stage=aggregate,
    ),
    Step(
        name="respond",
        where=Where.DECIDE,
        reads=(e.ClaimSettled, e.DeadlineNear, e.OrderDue),
        says=(e.ResponseOrdered,),
        stage=respond,
    ),
    Step(
        name="assemble",
        where=Where.HOST,
        reads=(e.ResponseOrdered,),
        says=(e.ResponseSigned, e.OrderDeferred),
    ),
    Step(
        name="notify",
        where=Where.DECIDE,
        reads=(
            e.CaseOpened,
            e.IdentityAsked,
            e.IdentityRefused,
            e.ApprovalAsked,
            e.ResponseSigned,
            e.RequestRefused,
            e.DeadlineExtended,
            e.OrderDue,
        ),
        says=(e.NoticeOrdered,),
        stage=notify,
    ),
    Step(
        name="send",
        where=Where.HOST,
        reads=(e.NoticeOrdered,),
        says=(e.NoticeSent, e.NoticeFailed, e.OrderDeferred),
    ),
    Step(
        name="report",
        where=Where.DECIDE,
        reads=(e.ClaimSettled, e.ResponseSigned, e.NoticeSent, e.NoticeFailed),
        says=(e.CaseReported,),
        stage=report,
    ),
    Step(
        name="clock",
        where=Where.DECIDE,
        reads=(e.OrderDeferred,),
        says=(
            e.OrderDue,
            e.SearchOverdue,
            e.IdentityOverdue,
            e.ApprovalOverdue,
            e.DeadlineNear,
            e.KeyDestroyed,
        ),
    ),
    Step(
        name="DPO",
        where=Where.EDGE,
        reads=(),
        says=(
            e.IdentityProved,
            e.PlanApproved,
            e.PlanChanged,
            e.RequestRefused,
            e.DeadlineExtended,
            e.ClaimWithdrawn,
        ),
    ),
)

FINAL: frozenset[type[Event]] = frozenset(
    {e.PlanMade, e.ObligationOpened, e.CaseReported, e.KeyDestroyed}
)
"""Read by people and other teams, and by the fold, but by no step."""

STAGES: dict[type[Event], tuple[Stage, ...]] = {
    event: tuple(it.stage for it in ROUTE if it.stage is not None and event in it.reads)
    for event in {read for step in ROUTE for read in step.reads}
}
"""The decider's stages by the event they read, in the order of the route."""


def topic_of(event: Event) -> str | None:
    """The topic that the decider publishes an event to; None if only the ledger has it."""
    match event:
        case e.SearchOrdered() | e.TaskOrdered():
            return work(event.system)
        case e.ResponseOrdered():
            return work(RESPONSE)
        case e.NoticeOrdered():
            return work(NOTICE)
        case e.CaseReported():
            return REPORTS
        case _:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic and the settings it is created with. `retention` None keeps records for ever."""

    name: str
    partitions: int
    retention: timedelta | None
    about: str


def topics(systems: tuple[str, ...], settings: Settings) -> tuple[Topic, ...]:
    """Every topic of the route. All are keyed by case."""
    days = timedelta(days=1)
    orders = (*systems, RESPONSE, NOTICE)

    def topic(name: str, retention: timedelta | None, about: str) -> Topic:
        return Topic(name=name, partitions=settings.partitions, retention=retention, about=about)

    return (
        topic(REQUESTS, settings.incoming_kept, "what intakes publish: the public contract"),
        *(topic(work(it), 2 * days, f"orders to the {it} host") for it in orders),
        topic(RESULTS, settings.incoming_kept, "what hosts answer"),
        topic(DECISIONS, settings.incoming_kept, "what the DPO decides"),
        topic(REPORTS, 90 * days, "completion reports"),
        topic(LEDGER, None, "every case event, for audit and recovery"),
        topic(DEAD_LETTERS, settings.dead_letters_kept, "records that nobody can read"),
    )


def picture() -> str:
    """The route as a Mermaid flow chart, as the README shows it; that orders wait is left out."""
    marks = {Where.EDGE: ("([", "])"), Where.DECIDE: ("[", "]"), Where.HOST: ("[[", "]]")}
    waits = {e.OrderDeferred, e.OrderDue}
    lines = ["flowchart LR"]
    for it in ROUTE:
        left, right = marks[it.where]
        lines.append(f"    {_id(it)}{left}{it.name}{right}")
    for it in ROUTE:
        for other in ROUTE:
            carried = [event_name(event) for event in it.says if event in {*other.reads} - waits]
            if carried:
                lines.append(f'    {_id(it)} -- "{_joined(carried)}" --> {_id(other)}')
    return "\n".join(lines) + "\n"


def _id(step: Step) -> str:
    return step.name.replace(" ", "_").lower()


def _joined(names: list[str]) -> str:
    return "<br>".join(names)

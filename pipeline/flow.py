"""The route as a table: which step reads what, says what, and where it runs. Read this first.

Wiring, topics with their settings, and the picture in the README are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import partial

from schemas import events as e
from schemas.derive import event_name
from schemas.events import Event

from .case.case import Case
from .case.rules import Given, Rules
from .settings import Settings
from .stages.affect import affect
from .stages.aggregate import aggregate
from .stages.fan_out import fan_out
from .stages.forward import forward
from .stages.identify import identify
from .stages.inform import inform
from .stages.instruct import instruct
from .stages.measure import measure
from .stages.notify import notify
from .stages.open import open_case
from .stages.plan import plan
from .stages.record import record
from .stages.report import report
from .stages.respond import respond
from .stages.search import search
from .stages.suspect import suspect
from .stages.tell import tell
from .stages.warn import warn

Stage = Callable[[Case, Event, Rules, Given], Iterator[Event]]

PREFIX = "rights."
REQUESTS = PREFIX + "requests"
PREFERENCES = PREFIX + "preferences"
RESULTS = PREFIX + "results"
DECISIONS = PREFIX + "decisions"
REPORTS = PREFIX + "reports"
LEDGER = PREFIX + "ledger"
DEAD_LETTERS = PREFIX + "dead-letters"
DECIDED = (REQUESTS, PREFERENCES, RESULTS, DECISIONS)
"""The topics that the decider reads."""
ENCLOSED = frozenset({REQUESTS, PREFERENCES, DECISIONS})
"""Those of them whose records come in an envelope, from outside."""
RESPONSE, NOTICE, RECIPIENTS = "response", "notice", "recipients"
OURS = (RESPONSE, NOTICE, RECIPIENTS)
"""Hosts that speak to no vendor: their orders are worked on like a system's."""
SIGNED = frozenset({REPORTS, LEDGER})
"""Topics that the orchestrator signs what it says on: their readers hold no key of a case."""

ORCHESTRATOR, REPORTER, WEB = "orchestrator", "reports", "web"
INTAKE, CONSOLE = "intake", "console"
"""Roles of which each has a name of its own behind it, as in `intakes.toml`."""
BOUND = "bound"
"""An intake that may say certain words of preferences, and publishes nothing else."""
RECOVERER, LETTER_READER = "recover", "dead-letters"
"""Who gives the commands `habeas recover` and `habeas dead-letters`."""


def work(system: str) -> str:
    """The topic of the orders to one system, or to one of `OURS`."""
    return f"{PREFIX}work.{system}"


def host(system: str) -> str:
    """The role that works on one system's orders."""
    return f"host.{system}"


def group(role: str) -> str:
    """The consumer group of a role, and the name that it has at the broker (its principal)."""
    return f"habeas.{role}"


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
    of_requests: bool = True
    of_incidents: bool = False
    """Which cases the decider runs it for."""

    def is_for(self, case: Case) -> bool:
        """Whether the decider runs it for a case."""
        return self.of_requests if case.incident is None else self.of_incidents


BY_PEOPLE: tuple[type[Event], ...] = (
    e.IdentityProved,
    e.IdentityRejected,
    e.WhoseDecided,
    e.PlanApproved,
    e.PlanChanged,
    e.RefusalProposed,
    e.RequestRefused,
    e.FeeAsked,
    e.FeeSettled,
    e.ItemSettled,
    e.ItemTaken,
    e.PersonReappeared,
    e.ErasureReplayed,
    e.DeadlineExtended,
    e.ClockPaused,
    e.ClockResumed,
    e.ClaimWithdrawn,
    e.LiftDecided,
    e.IncidentOpened,
    e.PeopleAffected,
    e.PeopleSought,
    e.BreachNoticesReleased,
    e.AuthorityNotified,
    e.WaiverProposed,
    e.BreachNoticesWaived,
    e.IncidentClosed,
    e.ObjectionDecided,
    e.DecisionReviewed,
)
"""What people decide, at a console; `intake/roles.py` says who what."""

ROUTE: tuple[Step, ...] = (
    Step(name="intake", where=Where.EDGE, says=(e.RequestReceived, e.PreferenceReceived)),
    Step(
        name="open",
        where=Where.DECIDE,
        reads=(e.RequestReceived, e.PreferenceReceived, e.ContactLapsed, e.FollowUpOpened),
        says=(e.CaseOpened, e.SamePersonFound, e.IdentityAsked, e.IdentityVerified),
        stage=open_case,
    ),
    Step(
        name="identify",
        where=Where.DECIDE,
        reads=(
            e.CaseOpened,
            e.IdentityProved,
            e.IdentityRejected,
            e.IdentityOverdue,
            e.WhoseDecided,
            e.HoldingsLocated,
            e.TaskCompleted,
        ),
        says=(
            e.SamePersonFound,
            e.IdentityVerified,
            e.IdentityRefused,
            e.ConfirmationAsked,
            e.ClockResumed,
        ),
        stage=identify,
    ),
    Step(
        name="search",
        where=Where.DECIDE,
        reads=(
            e.IdentityVerified,
            e.IdentityProved,
            e.WhoseDecided,
            e.HoldingsLocated,
            e.TaskCompleted,
            e.ItemSettled,
            e.RequestsCompared,
            e.OrderDue,
        ),
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
        name="forward",
        where=Where.DECIDE,
        reads=(e.HoldingsLocated, e.TaskCompleted, e.WhoseDecided),
        says=(e.DocumentsFound,),
        stage=forward,
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
            e.WhoseDecided,
            e.FeeSettled,
            e.RequestsCompared,
        ),
        says=(e.PlanMade, e.ApprovalAsked, e.PlanApproved, e.PlanObserved),
        stage=plan,
    ),
    Step(
        name="fan out",
        where=Where.DECIDE,
        reads=(
            e.PlanApproved,
            e.ResponseSigned,
            e.ClaimWithdrawn,
            e.FeeSettled,
            e.RequestsCompared,
            e.ErasureReleased,
            e.OrderDue,
        ),
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
        name="measure",
        where=Where.DECIDE,
        reads=(
            e.IdentityVerified,
            e.IdentityProved,
            e.WhoseDecided,
            e.HoldingsLocated,
            e.TaskCompleted,
            e.MeasureTaken,
            e.ItemSettled,
            e.PlanApproved,
            e.PlanObserved,
            e.NoticeSent,
            e.NoticeFailed,
            e.ClaimWithdrawn,
            e.RequestRefused,
            e.FeeSettled,
            e.RequestsCompared,
            e.OrderDue,
        ),
        says=(e.MeasureOrdered, e.MeasuresObserved),
        stage=measure,
    ),
    Step(
        name="apply",
        where=Where.HOST,
        reads=(e.MeasureOrdered,),
        says=(e.MeasureTaken, e.OrderDeferred),
    ),
    Step(
        name="enumerate",
        where=Where.HOST,
        reads=(e.PeopleOrdered,),
        says=(e.PeopleListed, e.ListingFailed, e.OrderDeferred),
    ),
    Step(
        name="instruct",
        where=Where.DECIDE,
        reads=(
            e.IdentityVerified,
            e.IdentityProved,
            e.WhoseDecided,
            e.HoldingsLocated,
            e.TaskCompleted,
            e.PlanApproved,
            e.ClaimSettled,
            e.RecipientOverdue,
            e.RequestsCompared,
            e.ErasureReleased,
            e.OrderDue,
        ),
        says=(e.InstructionOrdered,),
        stage=instruct,
    ),
    Step(
        name="deliver",
        where=Where.HOST,
        reads=(e.InstructionOrdered,),
        says=(e.InstructionSent, e.InstructionFailed, e.OrderDeferred),
    ),
    Step(name="acknowledge", where=Where.EDGE, says=(e.RecipientAcknowledged,)),
    Step(
        name="aggregate",
        where=Where.DECIDE,
        reads=(
            e.IdentityVerified,
            e.IdentityProved,
            e.MeasureTaken,
            e.MeasuresObserved,
            e.HoldingsLocated,
            e.SearchFailed,
            e.SearchOverdue,
            e.TaskCompleted,
            e.PlanApproved,
            e.PlanObserved,
            e.PlanChanged,
            e.ApprovalOverdue,
            e.OrderDue,
            e.ResponseSigned,
            e.WhoseDecided,
            e.FeeSettled,
            e.ItemSettled,
            e.InstructionSent,
            e.InstructionFailed,
            e.RecipientAcknowledged,
            e.RecipientOverdue,
            e.RequestsCompared,
            e.NoticeSent,
            e.DecisionReviewed,
            e.ObjectionDecided,
            e.ErasureReleased,
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
            e.ConfirmationAsked,
            e.DocumentsFound,
            e.IdentityRefused,
            e.ApprovalAsked,
            e.ResponseSigned,
            e.RequestRefused,
            e.DeadlineExtended,
            e.DecisionRecorded,
            e.InstructionFailed,
            e.ItemSettled,
            e.MeasureTaken,
            e.NoticeSent,
            e.RecipientOverdue,
            e.OrderDue,
        ),
        says=(e.NoticeOrdered,),
        stage=notify,
        of_incidents=True,
    ),
    Step(
        name="tell",
        where=Where.DECIDE,
        reads=(
            e.FeeAsked,
            e.ClaimWithdrawn,
            e.TaskCompleted,
            e.TaskDeclined,
            e.PeopleNeeded,
            e.RequestJoined,
        ),
        says=(e.NoticeOrdered,),
        stage=tell,
        of_incidents=True,
    ),
    Step(
        name="suspect",
        where=Where.DECIDE,
        reads=(e.WhoseDecided, e.IdentityRejected),
        says=(e.IncidentSuspected,),
        stage=suspect,
    ),
    Step(
        name="affect",
        where=Where.DECIDE,
        reads=(e.PeopleAffected, e.PeopleSought, e.OrderDue),
        says=(e.AffectedAdded, e.PeopleOrdered),
        stage=affect,
        of_requests=False,
        of_incidents=True,
    ),
    Step(
        name="warn",
        where=Where.DECIDE,
        reads=(e.IncidentOpened, e.BreachNoticesReleased, e.BreachNoticesDue, e.IncidentDue),
        says=(e.IncidentDescribed, e.NoticeOrdered),
        stage=warn,
        of_requests=False,
        of_incidents=True,
    ),
    Step(
        name="inform",
        where=Where.DECIDE,
        reads=(e.CaseOpened, e.ClockPaused, e.ClockResumed, e.ReminderDue, e.ProgressDue),
        says=(e.NoticeOrdered,),
        stage=inform,
    ),
    Step(
        name="send",
        where=Where.HOST,
        reads=(e.NoticeOrdered,),
        says=(e.NoticeSent, e.NoticeFailed, e.OrderDeferred),
    ),
    Step(name="confirm", where=Where.EDGE, says=(e.IdentityProved,)),
    Step(
        name="report",
        where=Where.DECIDE,
        reads=(
            e.ClaimSettled,
            e.MeasureTaken,
            e.ResponseSigned,
            e.NoticeSent,
            e.NoticeFailed,
            e.InstructionSent,
            e.InstructionFailed,
            e.RecipientAcknowledged,
            e.RecipientOverdue,
            e.OrderDue,
        ),
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
            e.ConfirmationOverdue,
            e.ApprovalOverdue,
            e.RecipientOverdue,
            e.RequestsCompared,
            e.RequestJoined,
            e.ErasureReleased,
            e.DeadlineNear,
            e.PeopleNeeded,
            e.ReminderDue,
            e.ProgressDue,
            e.ContactLapsed,
            e.ObligationDue,
            e.FollowUpOpened,
            e.ObligationClosed,
            e.IncidentOpened,
            e.IncidentRaised,
            e.IncidentDue,
            e.BreachNoticesDue,
            e.KeyDestroyed,
        ),
    ),
    Step(name="DPO", where=Where.EDGE, says=BY_PEOPLE),
    Step(
        name="record",
        where=Where.DECIDE,
        reads=BY_PEOPLE,
        says=(e.DecisionRecorded,),
        stage=record,
        of_incidents=True,
    ),
)

FINAL: frozenset[type[Event]] = frozenset(
    {
        e.SamePersonFound,
        e.PlanMade,
        e.ObligationOpened,
        e.ObligationDue,
        e.ObligationClosed,
        e.CaseReported,
        e.KeyDestroyed,
        e.ConfirmationOverdue,
        e.PeopleListed,
        e.ListingFailed,
        e.IncidentSuspected,
        e.IncidentRaised,
        e.IncidentDescribed,
        e.AffectedAdded,
    }
)
"""Read by people and other teams, and by the fold, but by no step."""


def _only(step: Step, stage: Stage) -> Stage:
    """A step's function, for the cases that the step is for."""

    def run(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
        if step.is_for(case):
            yield from stage(case, event, rules, given)

    return run


STAGES: dict[type[Event], tuple[Stage, ...]] = {
    event: tuple(_only(it, it.stage) for it in ROUTE if it.stage is not None and event in it.reads)
    for event in {read for step in ROUTE for read in step.reads}
}
"""The decider's stages by the event they read, in the order of the route."""


def topic_of(event: Event) -> str | None:
    """The topic that the decider publishes an event to; None if only the ledger has it."""
    match event:
        case e.SearchOrdered() | e.TaskOrdered() | e.MeasureOrdered() | e.PeopleOrdered():
            return work(event.system)
        case e.ResponseOrdered():
            return work(RESPONSE)
        case e.NoticeOrdered():
            return work(NOTICE)
        case e.InstructionOrdered():
            return work(RECIPIENTS)
        case e.CaseReported():
            return REPORTS
        case _:
            return None


def replayed(systems: tuple[str, ...]) -> frozenset[str]:
    """The topics on which a record that was put aside may be sent once more."""
    orders = (work(it) for it in (*systems, *OURS))
    return frozenset({*DECIDED, *orders})


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and the settings it is created with. `retention` None keeps records for ever."""

    name: str
    retention: timedelta | None
    writers: tuple[str, ...] = ()
    """Roles. Every intake and every console is a principal of its own."""
    readers: tuple[str, ...] = ()
    partitions: int = field(kw_only=True)
    about: str = field(kw_only=True)


def topics(systems: tuple[str, ...], settings: Settings) -> tuple[Topic, ...]:
    """Every topic of the route. All are keyed by case."""
    days, kept = timedelta(days=1), settings.incoming_kept
    hosts = {it: host(it) for it in (*systems, *OURS)}
    all_hosts, decider = tuple(hosts.values()), (ORCHESTRATOR,)
    puts_aside = (*decider, *all_hosts, REPORTER)
    topic = partial(Topic, partitions=settings.partitions)
    orders = (
        topic(work(it), 2 * days, decider, (role,), about=f"orders to the {it} host")
        for it, role in hosts.items()
    )
    return (
        topic(
            REQUESTS, kept, (INTAKE,), decider, about="what intakes publish: the public contract"
        ),
        topic(
            PREFERENCES,
            kept,
            (INTAKE, BOUND, WEB),
            decider,
            about="what people want to be sent, or no longer: a public contract as well",
        ),
        *orders,
        topic(RESULTS, kept, all_hosts, decider, about="what hosts answer"),
        topic(DECISIONS, kept, (CONSOLE, WEB), decider, about="what the DPO decides"),
        topic(REPORTS, 90 * days, decider, (REPORTER,), about="completion reports"),
        topic(
            LEDGER,
            None,
            decider,
            (*decider, RECOVERER),
            about="every case event, for audit and recovery",
        ),
        topic(
            DEAD_LETTERS,
            settings.dead_letters_kept,
            puts_aside,
            (LETTER_READER,),
            about="records that nobody can read",
        ),
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

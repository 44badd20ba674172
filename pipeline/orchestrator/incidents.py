"""An incident that the pipeline suspects in itself: said in the request, and opened, at once.

Both are locked in one transaction, so neither is said without the other, nor a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid5

import structlog

from pipeline.case import suspicion
from pipeline.case.case import Case
from pipeline.case.dues import Due, event_of
from pipeline.kafka import wire
from pipeline.register import store
from schemas import events as e
from schemas.derive import event_name

from .inputs import Input

log = structlog.get_logger()


def raised(case: Case, due: Due) -> Sequence[Input]:
    """What a due row of a case says of the incident that it waits for, and before it the incident's
    first event.
    """
    incident = UUID(due.ref)
    if incident not in case.suspicions:
        return []  # overtaken
    log.error("incident.opened", case=str(incident), of=str(case.id), then="habeas incident list")
    opened = suspicion.opened(case, incident)
    named = uuid5(incident, event_name(e.IncidentOpened))
    trace = wire.new_trace()
    said = event_of(case.id, due)
    return [
        Input(opened, named, None, trace),
        Input(said, store.due_id(case.id, due), None, trace, due=due, needs=incident),
    ]

"""What the host of Habeas' own records does with its orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.sdk.interface import Connector
from pipeline.crypto.grants import Grants
from pipeline.ports import Work
from pipeline.register.own_records import OwnRecords
from schemas.events import Event

from .connector import SYSTEM, OwnRecordsConnector


class OwnRecordsWork:
    """Each order is about a case, which the search leaves out: the answer is about that."""

    def __init__(self, records: OwnRecords, work: Callable[[Connector], Work]) -> None:
        self.system = SYSTEM
        self._records = records
        self._work = work

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        return await self._work(OwnRecordsConnector(self._records, order.case))(order, grants)

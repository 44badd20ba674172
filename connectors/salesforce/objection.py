"""No more marketing: the opt-outs of every contact and lead that bears what was asked for.

Where a record is linked to an Individual, that one's too: no marketing, and no profiling for it.
What lies in the bin and leads that became contacts take no part in anything, and cannot be changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from connectors.sdk.http import UnauthorisedError
from connectors.sdk.interface import Failed, Outcome, Subject, Suppressed, TerminalError

from . import soql
from .catalogue import REASONS
from .marks import LINK
from .org import Org
from .rest import Rest
from .search import asked_of
from .tables import INDIVIDUAL, OPT_OUTS, PEOPLE, SOLICITED


@dataclass(frozen=True, slots=True)
class Used:
    """A record that is still used, and the opt-outs that it lacks."""

    name: str
    id: str
    lacks: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Used {self.name}>"


class Objection:
    """Against direct marketing, in one org."""

    def __init__(self, org: Org, rest: Rest) -> None:
        self._org = org
        self._rest = rest

    async def make(self, usable: Subject) -> Outcome:
        """Opt out whatever is used. One that refuses does not keep the others."""
        done: Outcome = Suppressed()
        async for it in self.used(usable):
            try:
                await self._rest.update(it.name, it.id, dict.fromkeys(it.lacks, True))
            except UnauthorisedError:
                raise
            except TerminalError as error:
                if error.reason not in REASONS:
                    raise
                done = Failed(error.reason)
        return done

    async def used(self, usable: Subject) -> AsyncIterator[Used]:
        """What is not opted out of everything, read anew."""
        schemas, people = await self._org.schemas(), dict[str, None]()
        for kind in PEOPLE:
            async for rows in self._org.find(kind, asked_of(schemas[kind], usable)):
                for row in rows:
                    if row["IsDeleted"] or row.get("IsConverted"):
                        continue
                    lacks = tuple(it for it in OPT_OUTS if row.get(it) is not True)
                    if lacks:
                        yield Used(schemas[kind].table.name, row["Id"], lacks)
                    if row.get(LINK):
                        people[row[LINK]] = None
        if people and "individual" not in schemas:
            raise TerminalError(f"{INDIVIDUAL.name}: hidden", reason="forbidden")
        async for used in self._people(people):
            yield used

    async def _people(self, ids: dict[str, None]) -> AsyncIterator[Used]:
        """Those of some Individuals. One that the user may not see may be used."""
        fields, unseen = ["Id", "IsDeleted", *SOLICITED], set(ids)
        for condition in soql.any_of({"Id": ids}, fields):
            query = soql.select(fields, INDIVIDUAL.name, f"WHERE {condition}")
            async for rows in self._rest.query(query):
                for row in rows:
                    unseen.discard(row["Id"])
                    lacks = tuple(it for it in SOLICITED if row.get(it) is not True)
                    if lacks and not row.get("IsDeleted"):
                        yield Used(INDIVIDUAL.name, row["Id"], lacks)
        if unseen:
            raise TerminalError(f"{INDIVIDUAL.name}: hidden", reason="forbidden")

"""No more marketing: the opt-outs of every contact and lead that bears what was asked for.

Where a record is linked to an Individual, that one's too: no marketing, and no profiling for it.
One that is linked to any other record as well may be somebody else's: it proves nothing, and a
person decides.
What lies in the bin and leads that became contacts take no part in anything, and cannot be changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from connectors.sdk.http import UnauthorisedError
from connectors.sdk.interface import Failed, NeedsHuman, Outcome, Subject, Suppressed, TerminalError

from . import soql
from .catalogue import REASONS
from .individuals import LINK, OBJECT, SHARED, Individuals
from .org import Org
from .rest import Rest
from .search import asked_of
from .tables import OPT_OUTS, PEOPLE, SOLICITED


@dataclass(frozen=True, slots=True)
class Used:
    """A record that is still used, or may be, and the opt-outs that it lacks."""

    name: str
    id: str
    lacks: tuple[str, ...]
    """Empty if it may be somebody else's: then nothing is known of it, and nothing changed."""

    def __repr__(self) -> str:
        return f"<Used {self.name}>"


class Objection:
    """Against direct marketing, in one org."""

    def __init__(self, org: Org, rest: Rest, individuals: Individuals) -> None:
        self._org = org
        self._rest = rest
        self._individuals = individuals

    async def make(self, usable: Subject) -> Outcome:
        """Opt out whatever is used. One that refuses does not keep the others."""
        done: Outcome = Suppressed()
        async for it in self.used(usable):
            if not it.lacks:
                done = NeedsHuman(SHARED)
                continue
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
        """What is not opted out of everything, or not known to be, read anew."""
        schemas, people, theirs = await self._org.schemas(), dict[str, None](), set[str]()
        for kind in PEOPLE:
            async for rows in self._org.find(kind, asked_of(schemas[kind], usable)):
                for row in rows:
                    theirs.add(row["Id"])
                    if row["IsDeleted"] or row.get("IsConverted"):
                        continue
                    lacks = tuple(it for it in OPT_OUTS if row.get(it) is not True)
                    if lacks:
                        yield Used(schemas[kind].table.name, row["Id"], lacks)
                    if row.get(LINK):
                        people[row[LINK]] = None
        if people and "individual" not in schemas:
            raise TerminalError(f"{OBJECT}: hidden", reason="forbidden")
        shared = await self._individuals.shared(people, theirs)
        for id_ in shared:
            yield Used(OBJECT, id_, ())
        async for used in self._people([it for it in people if it not in shared]):
            yield used

    async def _people(self, ids: Collection[str]) -> AsyncIterator[Used]:
        """Those of some Individuals. One that the user may not see may be used."""
        fields, unseen = ["Id", "IsDeleted", *SOLICITED], set(ids)
        for condition in soql.any_of({"Id": ids}, fields):
            query = soql.select(fields, OBJECT, f"WHERE {condition}")
            async for rows in self._rest.query(query):
                for row in rows:
                    unseen.discard(row["Id"])
                    lacks = tuple(it for it in SOLICITED if row.get(it) is not True)
                    if lacks and not row.get("IsDeleted"):
                        yield Used(OBJECT, row["Id"], lacks)
        if unseen:
            raise TerminalError(f"{OBJECT}: hidden", reason="forbidden")

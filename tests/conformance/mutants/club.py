"""Mistakes with what only some vendors have: jobs, files in pieces, lists of several people."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from connectors.sdk.interface import Connector
from tests.conformance.mutants.mutant import Mutant, changed, load
from tests.fakes import club
from tests.fakes.club import Club, ClubSandbox, ClubWorld


@asynccontextmanager
async def world_of(connector: type[Connector] = Club) -> AsyncIterator[ClubWorld]:
    async with ClubSandbox() as sandbox:
        yield ClubWorld(sandbox, connector)


def _made(old: str, new: str) -> type[Connector]:
    text = changed(inspect.getsource(club), old, new)
    made: type[Connector] = load("club_mutant", text)["Club"]
    return made


def _but(mistake: str, old: str, new: str, caught_by: str) -> Mutant:
    return Mutant(mistake, partial(_made, old, new), world_of, caught_by)


MUTANTS = [
    _but(
        "takes a job that was begun for one that is done",
        """return Queued(datetime.fromisoformat(answer.body["by"]))""",
        "return Erased()",
        "test_what_is_said_to_be_gone_is_gone_from_the_vendor[False]",
    ),
    _but(
        "erases the event that others are invited to as well",
        """await self._http.delete("/events/{id}/guests/{guest}", id=event, guest=guest)""",
        """await self._http.delete("/events/{id}", id=event)""",
        "test_what_others_have_a_part_in_stays_theirs",
    ),
    _but(
        "drops files",
        """for file in row["files"]:""",
        """for file in ():""",
        "test_everything_planted_is_in_the_copy",
    ),
    _but(
        "drops all of a file but its first piece",
        "for start in range(0, len(content), PIECE):",
        "for start in range(0, PIECE, PIECE):",
        "test_everything_planted_is_in_the_copy",
    ),
    _but(
        "does not say where a file ends",
        "more=goes_on)",
        "more=True)",
        "test_a_file_comes_to_an_end",
    ),
    _but(
        "forgets that a file is content",
        """    content |= {OF_FILE} if row["files"] else set()
""",
        "",
        "test_what_is_copied_is_of_a_category_that_is_told",
    ),
    _but(
        "says that a file is blank, and it is not",
        "{it: stays if it is OF_FILE else Redacted() for it in due}",
        "dict.fromkeys(due, Redacted())",
        "test_what_is_kept_stays_and_the_rest_goes",
    ),
    _but(
        "says of a blank record that it is erased",
        "{it: stays if it is OF_FILE else Redacted() for it in due}",
        "{it: stays if it is OF_FILE else Erased() for it in due}",
        "test_what_is_kept_stays_and_the_rest_goes",
    ),
    _but(
        "takes a list that an answer leaves out for an empty one",
        """_shaped(answer.body, {"title", "guests"})""",
        """{"title": "", "guests": None, **(answer.body or {})}""",
        "test_a_route_that_fails_is_never_absence[look_again]",
    ),
    _but(
        "blanks again what is blank",
        """if of in due and row[name]}""",
        """if of in due}""",
        "test_what_is_kept_stays_and_the_rest_goes",
    ),
    _but(
        "blanks what is to be kept too",
        """if of in due and row[name]}""",
        """if row[name]}""",
        "test_what_is_kept_stays_and_the_rest_goes",
    ),
]

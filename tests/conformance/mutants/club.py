"""Mistakes with what only some vendors have: jobs, files in pieces, guest lists; and with verbs."""

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


def _made(*changes: tuple[str, str]) -> type[Connector]:
    text = inspect.getsource(club)
    for old, new in changes:
        text = changed(text, old, new)
    made: type[Connector] = load("club_mutant", text)["Club"]
    return made


def _but(mistake: str, old: str, new: str, caught_by: str, *more: tuple[str, str]) -> Mutant:
    return Mutant(mistake, partial(_made, (old, new), *more), world_of, caught_by)


READ = "test_what_is_said_to_be_done_is_read_from_the_vendor"
CHANGES = """            if changed:
                await self._http.patch("/members/{id}", as_json(changed), id=holding.id)
"""

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
    _but(
        "says that a member is restricted, and writes nothing",
        CHANGES,
        "            pass\n",
        f"{READ}[restrict]",
    ),
    _but(
        "lifts nothing",
        """{"held": not lift}""",
        """{"held": True}""",
        f"{READ}[lift]",
    ),
    _but(
        "restricts the whole club",
        CHANGES,
        """            if changed:
                for it in (await self._http.require("/members", {"page": "1"})).body:
                    await self._http.patch("/members/{id}", as_json(changed), id=it["id"])
""",
        "test_nobody_else_is_changed[restrict]",
    ),
    _but(
        "lifts what the member said too",
        """{"held": not lift}""",
        """{"held": not lift, "newsletter": lift}""",
        "test_lifting_gives_back_what_was_there[False]",
    ),
    _but(
        "overwrites another field when it corrects one",
        "as_json(changed)",
        """as_json({**changed, "likes": ""})""",
        "test_only_what_is_named_is_corrected",
    ),
    _but(
        "writes again what is so already",
        " if row[name] != value}",
        "}",
        f"{READ}[rectify]",
    ),
    _but(
        "takes out of a value what it does not like",
        """{DATA[it]: new for it, new in data.items()}""",
        """{DATA[it]: new.replace("<", "") for it, new in data.items()}""",
        "test_a_hostile_value_is_carried_as_it_is_or_refused",
    ),
    _but(
        "remembers who objected, and does not read it",
        "return purpose == MARKETING and not used",
        "return subject in STOPPED",
        "test_what_the_vendor_only_said_is_not_read[object_to]",
        (
            """        said = [
            await self._change(""",
            """        STOPPED.add(subject)
        said = [
            await self._change(""",
        ),
        ("PIECE = 16", "PIECE, STOPPED = 16, set()"),
    ),
    _but(
        "says that nothing is used, whoever asks",
        "return purpose == MARKETING and not used",
        "return purpose == MARKETING",
        "test_an_objection_stops_all_of_it",
    ),
    _but(
        "stops the first record of somebody only",
        """            async for it in self._members(subject)
        ]
        return next""",
        """            async for it in self._members(Subject(subject.identifiers[:1]))
        ]
        return next""",
        "test_an_objection_stops_all_of_it",
    ),
    _but(
        "stops an address in one spelling",
        """        for email in Subject(self.usable(subject)).forms("email"):
            async for rows in self._pages("/members", {"email": email}):
""",
        """        for email in Subject(self.usable(subject)).of("email"):
            async for rows in self._pages("/members", {"email": email}):
""",
        "test_an_objection_is_of_the_mailbox_however_it_is_spelt[with an A-label]",
    ),
    _but(
        "says that it is stopped, and the vendor refused",
        "return next((it for it in said if it != Suppressed()), Suppressed())",
        "return Suppressed() if said or not said else said[0]",
        "test_a_verb_whose_route_fails_is_not_done[object_to]",
    ),
    _but(
        "takes one purpose for another",
        """        if purpose != MARKETING:
            return NotSupported("receipts")
""",
        "",
        "test_another_purpose_is_not_stopped_by_it",
    ),
    _but(
        "stops it for nobody",
        """        if not self.usable(subject):
            return NotSupported("nobody")
""",
        "",
        "test_without_anything_to_be_known_by_nothing_is_stopped",
    ),
    _but(
        "takes what is gone for what is free",
        """        if row is None or _held(holding, row) is None:
            return None
        if holding""",
        """        if row is None or _held(holding, row) is None:
            return Standing()
        if holding""",
        "test_what_is_gone_is_not_changed",
    ),
    _but(
        "takes a mark that an answer leaves out for none",
        """_shaped(answer.body, {"files", "held", "newsletter", *FIELDS})""",
        """{"id": holding.id, **BLANK["member"], **(answer.body or {})}""",
        "test_a_standing_that_cannot_be_read_is_none",
    ),
    _but(
        "takes a refused key for a refused change",
        """            return NotSupported("guests_only")
        row = await self._row(holding)
""",
        """            return NotSupported("guests_only")
        try:
            row = await self._row(holding)
        except TerminalError as refused:
            return Failed(refused.reason)
""",
        "test_a_refused_key_is_never_an_answer[restrict]",
    ),
]

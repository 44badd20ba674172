"""Mistakes in keeping the contract, made with Freshdesk: it has parents, children and a trash."""

from __future__ import annotations

import logging
import random
import unicodedata
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aiohttp

from connectors.freshdesk import Freshdesk
from connectors.sdk.calls import caller
from connectors.sdk.interface import (
    Category,
    ConnectorError,
    Datum,
    Erased,
    Expires,
    Fact,
    Failed,
    Holding,
    Identifier,
    Outcome,
    Page,
    Record,
    Redacted,
    Restricted,
    RetryableError,
    Standing,
    Subject,
    TerminalError,
)
from tests.conformance.mutants.mutant import Text, written
from tests.conformance.test_freshdesk import world_of

Said = Outcome | Mapping[Category, Outcome]
Pages = AsyncIterator[Page]
Records = AsyncIterator[Record]
NOTHING: frozenset[Category] = frozenset()
BUSY = "test_a_busy_vendor_is_retryable[429-locate]"


def _each(holding: Holding, keep: frozenset[Category], said: Outcome) -> Said:
    return dict.fromkeys(holding.categories - keep, said)


class TakesAnyAmount(Freshdesk):
    """Reads an answer to its end, wherever that is."""

    def __init__(self, settings: Freshdesk.Settings) -> None:
        super().__init__(replace(settings, answer_bytes=2**40, answer_depth=2**40))


class WaitsForEver(Freshdesk):
    """Waits for an answer as long as bytes come."""

    def __init__(self, settings: Freshdesk.Settings) -> None:
        super().__init__(replace(settings, answer_seconds=3600))


# Finding.


class LosesIdentifiers(Freshdesk):
    """Searches with the first identifier only."""

    def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        return super().locate(Subject(subject.identifiers[:1]), known)


class SearchesWithTheWeak(Freshdesk):
    """Takes every identifier for a strong one."""

    def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        strong = tuple(Identifier(it.kind, it.value) for it in subject.identifiers)
        return super().locate(Subject(strong), known)


class FindsStrangers(Freshdesk):
    """Takes whoever a list shows, and lists with an empty filter."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        async for page in super().locate(subject, known):
            yield page
        for email in subject.of("email"):
            answer = await self._http.require("/api/v2/contacts", {"email": email.strip()})
            contacts = [Holding("contact", str(row["id"])) for row in answer.body]
            yield Page(holdings=tuple(contacts))


class LooksAtTheFirstPages(Freshdesk):
    """Stops when it has found something."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        async for page in super().locate(subject, known):
            yield page
            if page.holdings and not known:
                return


class NamesTwice(Freshdesk):
    """Says again what a page before has said."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        async for page in super().locate(subject, known):
            yield page
            yield page


class GathersAll(Freshdesk):
    """Gives one page of everything at the end."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        pages = [page async for page in super().locate(subject, known)]
        yield Page(
            holdings=tuple(it for page in pages for it in page.holdings),
            gone=tuple(it for page in pages for it in page.gone),
            records=tuple(it for page in pages for it in page.records),
        )


class KeepsTheFirstSubject(Freshdesk):
    """Keeps whom it was asked about first, and asks about them for good."""

    subject: Subject | None = None

    def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        self.subject = self.subject or subject
        return super().locate(self.subject, known)


class KeepsTheLastSubject(Freshdesk):
    """Reads whom it is asked about from itself, where another case has written meanwhile."""

    subject = Subject(())

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        self.subject = subject
        await self._http.require("/api/v2/contacts", {"per_page": "1"})
        async for page in super().locate(self.subject, known):
            yield page


class AsksAsGiven(Freshdesk):
    """Asks in one spelling."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        given = set(subject.of("email"))
        async for page in super().locate(subject, known):
            bears = {it.value for held in page.holdings for it in held.bears if it.kind == "email"}
            if not bears or bears & given or known:
                yield page


class FoldsTooMuch(Freshdesk):
    """Folds what merely looks alike, on its way out and back."""

    def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        folded = (
            replace(it, value=unicodedata.normalize("NFKC", it.value.lower()))
            for it in subject.identifiers
        )
        return super().locate(Subject(tuple(folded)), known)


class UsesEverything(Freshdesk):
    """Says that it can ask by whatever it is given."""

    def usable(self, subject: Subject) -> tuple[Identifier, ...]:
        return subject.identifiers


class UsesWhatItKnows(Freshdesk):
    """Says that it asked by what it was not given."""

    def usable(self, subject: Subject) -> tuple[Identifier, ...]:
        return (*super().usable(subject), Identifier("email", "all@example.org"))


class AsksAnyway(Freshdesk):
    """Lists everybody to see whom it can find."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        await self._http.require("/api/v2/contacts")
        async for page in super().locate(subject, known):
            yield page


class SpeaksInCodes(Freshdesk):
    """Tells the person a code."""

    capabilities = replace(Freshdesk.capabilities, beyond={"archived": "archived"})


class ChecksTooLittle(Freshdesk):
    """Tries the key, and reads no kind of holding."""

    async def check(self) -> None:
        await self._http.require("/api/v2/agents/me")


class HasUndeclaredKinds(Freshdesk):
    """Declares one kind, and finds two."""

    capabilities = replace(
        Freshdesk.capabilities,
        kinds={"contact": Freshdesk.capabilities.kinds["contact"]},
    )


class TellsAFactOfNobody(Freshdesk):
    """Takes whoever it was asked about for a customer."""

    capabilities = replace(Freshdesk.capabilities, facts=frozenset({"customer"}))

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        async for page in super().locate(subject, known):
            yield page
        if self.usable(subject):
            yield Page(facts=(Fact("customer", value=True),))


class SaysNoWithoutAsking(Freshdesk):
    """Takes whom it did not look for, for no customer."""

    capabilities = replace(Freshdesk.capabilities, facts=frozenset({"customer"}))

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        async for page in super().locate(subject, known):
            yield page
        yield Page(facts=(Fact("customer", value=False),))


# Whose it is.


class _Tells(Freshdesk):
    """Tells of each holding what `told` makes of it."""

    asked = Subject(())

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        self.asked = subject
        async for page in super().locate(subject, known):
            holdings = tuple(self.told(it, known=it in known) for it in page.holdings)
            yield replace(page, holdings=holdings)

    def told(self, holding: Holding, *, known: bool) -> Holding:
        raise NotImplementedError


class TellsNothing(_Tells):
    """Decides by itself, and tells nobody why."""

    def told(self, holding: Holding, *, known: bool) -> Holding:
        return replace(holding, bears=(), part_of=None)


class TellsOnlyWhatMatched(_Tells):
    """Leaves out whatever else the record says, and with it the stranger."""

    def told(self, holding: Holding, *, known: bool) -> Holding:
        bears = tuple(it for it in holding.bears if self.asked.bears(it.kind, it.value))
        return replace(holding, bears=bears)


class TellsNamesOnly(_Tells):
    """Does not say what it was found by."""

    def told(self, holding: Holding, *, known: bool) -> Holding:
        return replace(holding, bears=tuple(it for it in holding.bears if it.kind == "name"))


class TellsInItsOwnWords(_Tells):
    """Has kinds of identifiers that nobody compares."""

    def told(self, holding: Holding, *, known: bool) -> Holding:
        return replace(holding, bears=tuple(replace(it, kind=it.field) for it in holding.bears))


class HangsOnTheUndeclared(_Tells):
    """Names an owner that is no holding."""

    def told(self, holding: Holding, *, known: bool) -> Holding:
        owner = holding.part_of and replace(holding.part_of, kind="requester")
        return replace(holding, part_of=owner)


class TellsOnce(_Tells):
    """Of what is known it reads whether it is there, and not whose it is."""

    def told(self, holding: Holding, *, known: bool) -> Holding:
        return Holding(holding.kind, holding.id, holding.categories) if known else holding


class ForgetsACategory(_Tells):
    """Has no word for what devices say."""

    def told(self, holding: Holding, *, known: bool) -> Holding:
        return replace(holding, categories=holding.categories - {Category.TECHNICAL})


class SaysTheKindsCategories(_Tells):
    """Tells the categories that a kind may have, and not those that have content now."""

    def told(self, holding: Holding, *, known: bool) -> Holding:
        return replace(holding, categories=self.capabilities.kinds[holding.kind])


class ShowsIdsInReprs(_Tells):
    """Has holdings whose `repr` shows the person."""

    def told(self, holding: Holding, *, known: bool) -> Holding:
        class Shown(Holding):
            def __repr__(self) -> str:
                return f"<{self.kind} {[it.value for it in self.bears]}>"

        return Shown(holding.kind, holding.id, holding.categories, holding.bears, holding.part_of)


class BelievesWhoeverItFinds(Freshdesk):
    """Takes what it read of a stranger for the subject's."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        async for page in super().locate(subject, known):
            yield replace(page, facts=(Fact("customer", value=True),))


# The second look.


class ReadsChildrenThroughParents(Freshdesk):
    """Looks for a known ticket among the tickets of the known contacts."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        seen: set[Holding] = set()
        contacts = [it for it in known if it.kind == "contact"]
        async for page in super().locate(subject, contacts):
            seen.update(page.holdings)
            yield page
        yield Page(gone=tuple(it for it in known if it.kind == "ticket" and it not in seen))


class SearchesForTheKnown(Freshdesk):
    """Reads nothing by its id: what a search does not find is gone."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        seen: set[Holding] = set()
        async for page in super().locate(subject):
            seen.update(page.holdings)
            yield page
        yield Page(gone=tuple(it for it in known if it not in seen))


class BelievesWhatIsKnown(Freshdesk):
    """Says of what is known that it is there, and does not look."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        yield Page(holdings=tuple(known))
        async for page in super().locate(subject):
            yield replace(page, holdings=tuple(it for it in page.holdings if it not in known))


class LeavesTheKnownOut(Freshdesk):
    """Says nothing of what is known and gone."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        async for page in super().locate(subject, known):
            yield replace(page, gone=())


class Remembers(Freshdesk):
    """Believes what it said itself."""

    def __init__(self, settings: Freshdesk.Settings) -> None:
        super().__init__(settings)
        self._erased: set[Holding] = set()

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        yield Page(gone=tuple(it for it in known if it in self._erased))
        left = [it for it in known if it not in self._erased]
        async for page in super().locate(subject, left):
            yield replace(
                page, holdings=tuple(it for it in page.holdings if it not in self._erased)
            )

    async def erase(self, holding: Holding, keep: frozenset[Category] = NOTHING) -> Said:
        self._erased.add(holding)
        return await super().erase(holding, keep)


# Failures.


class TakesRefusalForAbsence(Freshdesk):
    """Finds nothing where it may not look."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        try:
            async for page in super().locate(subject, known):
                yield page
        except TerminalError:
            return


class TakesRefusalForTheEnd(Freshdesk):
    """Exports as much as it may read, and says no more."""

    async def export(self, holding: Holding) -> Records:
        try:
            async for record in super().export(holding):
                yield record
        except TerminalError:
            return


class TakesTroubleForGone(Freshdesk):
    """Says of what it cannot read again that it is gone."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        for it in known:
            try:
                async for page in super().locate(Subject(()), [it]):
                    yield page
            except TerminalError:
                yield Page(gone=(it,))
        async for page in super().locate(subject):
            yield replace(page, holdings=tuple(it for it in page.holdings if it not in known))


class GivesUpAtOnce(Freshdesk):
    """Takes a busy vendor for a final answer."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        try:
            async for page in super().locate(subject, known):
                yield page
        except RetryableError:
            raise TerminalError("busy") from None


class HasErrorsOfItsOwn(Freshdesk):
    """Raises what nobody knows."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        try:
            async for page in super().locate(subject, known):
                yield page
        except ConnectorError as error:
            raise RuntimeError(str(error)) from None


class RetriesByItself(Freshdesk):
    """Begins once more when a vendor is busy."""

    async def export(self, holding: Holding) -> Records:
        try:
            every = [record async for record in super().export(holding)]
        except RetryableError:
            every = [record async for record in super().export(holding)]
        for it in every:
            yield it


class GoesAroundTheHost(Freshdesk):
    """Makes a call that nobody limits or counts."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        url = self._http._base_url
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            await answer.read()
        async for page in super().locate(subject, known):
            yield page


class ErasesAroundTheHost(Freshdesk):
    """Erases by calls of its own."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = NOTHING) -> Said:
        async def once(attempt: Any) -> Any:
            return await attempt()

        token = caller.set(once)
        try:
            return await super().erase(holding, keep)
        finally:
            caller.reset(token)


class FollowsRedirects(Freshdesk):
    """Goes where an answer points to, with the key."""

    async def export(self, holding: Holding) -> Records:
        headers = {"Authorization": "Basic of the key"}
        async with aiohttp.ClientSession() as session:
            url = f"{self._http._base_url}/api/v2/contacts"
            async with session.get(url, headers=headers, allow_redirects=False) as answer:
                where = answer.headers.get("Location", url)
            async with session.get(where, headers=headers):
                pass
        async for record in super().export(holding):
            yield record


# Copies.


class ExportsMore(Freshdesk):
    """Exports what it did not locate."""

    async def export(self, holding: Holding) -> Records:
        async for record in super().export(holding):
            yield record
        yield Record(Holding("ticket", "1000000"), b"{}")


class ExportsTheBeginning(Freshdesk):
    """Exports the first page of a list inside."""

    async def export(self, holding: Holding) -> Records:
        async for record in super().export(holding):
            yield record
            return


class ExportsInAnyOrder(Freshdesk):
    """Exports another copy each time."""

    async def export(self, holding: Holding) -> Records:
        async for record in super().export(holding):
            yield replace(record, body=record.body + b" " * random.randrange(10_000))


class CutsRecords(Freshdesk):
    """Has a bound for a record, and says nothing where it cuts."""

    async def export(self, holding: Holding) -> Records:
        async for record in super().export(holding):
            yield replace(record, body=record.body[:4096])


class LeavesRecordsOut(Freshdesk):
    """Calls a list's row the whole record, and it is not."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        async for page in super().locate(subject, known):
            rows = (Record.of(it, {"id": it.id}) for it in page.holdings)
            yield replace(page, records=tuple(rows))


# Erasures.


class ErasesNothing(Freshdesk):
    """Says that it erased, and does not."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = NOTHING) -> Said:
        return Erased()


class ErasesSomebodyElse(Freshdesk):
    """Erases everybody in the list as well."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = NOTHING) -> Said:
        for row in (await self._http.require("/api/v2/contacts")).body:
            await super().erase(Holding("contact", str(row["id"])))
        return await super().erase(holding, keep)


class ProvesTheForbidden(Freshdesk):
    """Takes a refusal for done."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = NOTHING) -> Said:
        said = await super().erase(holding, keep)
        return Erased() if isinstance(said, Failed) else said


class KeepsNothing(Freshdesk):
    """Erases all, whatever is to be kept."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = NOTHING) -> Said:
        await super().erase(holding)
        return _each(holding, keep, Erased())


class KeepsWhatItIsNotAsked(Freshdesk):
    """Says of what is kept too that it is gone."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = NOTHING) -> Said:
        said = await super().erase(holding, keep)
        return {**said, **dict.fromkeys(keep, Redacted())} if isinstance(said, Mapping) else said


class BlanksNothing(Freshdesk):
    """Says that fields are blank, and leaves them."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = NOTHING) -> Said:
        return _each(holding, keep, Redacted()) if keep else await super().erase(holding)


class FlattersItself(Freshdesk):
    """Calls erased whatever it is, be it in a bin."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = NOTHING) -> Said:
        await super().erase(holding, keep)
        return _each(holding, keep, Erased())


class ErasesWhatIsKept(Freshdesk):
    """Erases where everything is to be kept."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = NOTHING) -> Said:
        if holding.kind == "contact" and keep >= holding.categories:
            await super().erase(holding)
            return {}
        return await super().erase(holding, keep)


class CountsFromNow(Freshdesk):
    """Gives another date each time."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = NOTHING) -> Said:
        said = await super().erase(holding, keep)
        return Expires(datetime.now(UTC)) if isinstance(said, Expires) else said


class HasNoTimeZone(Freshdesk):
    """Gives a date that is another in each country."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = NOTHING) -> Said:
        said = await super().erase(holding, keep)
        return Expires(said.at.replace(tzinfo=None)) if isinstance(said, Expires) else said


class InventsReasons(Freshdesk):
    """Gives the vendor's own words for a reason."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = NOTHING) -> Said:
        said = await super().erase(holding, keep)
        is_ticket = holding.kind == "ticket"
        return Failed("this ticket belongs to somebody important") if is_ticket else said


# Discretion.


class NamesThePerson(Freshdesk):
    """Says in an error whom it looked for."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        try:
            async for page in super().locate(subject, known):
                yield page
        except RetryableError:
            raise RetryableError(f"no answer for {subject.of('email')}") from None


class LogsThePerson(Freshdesk):
    """Logs whom it looks for."""

    def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        logging.getLogger("freshdesk").info("looking for %s", subject.of("email"))
        return super().locate(subject, known)


class LogsTheContent(Freshdesk):
    """Logs what it exports."""

    async def export(self, holding: Holding) -> Records:
        async for record in super().export(holding):
            logging.getLogger("freshdesk").debug("exported %s", record.body)
            yield record


class LeavesASessionOpen(Freshdesk):
    """Leaves its connections to the operating system."""

    async def __aexit__(self, *_: object) -> None:
        return None


# Restrictions, corrections, objections.


class SaysThatItIsMarked(Freshdesk):
    """Says that it is restricted, and marks nothing."""

    async def restrict(self, holding: Holding, *, lift: bool = False) -> Outcome:
        return Restricted()


class RemembersWhatItRestricted(Freshdesk):
    """Tells how things stand from what it did itself."""

    def __init__(self, settings: Freshdesk.Settings) -> None:
        super().__init__(settings)
        self.marked: set[Holding] = set()

    async def restrict(self, holding: Holding, *, lift: bool = False) -> Outcome:
        said = await super().restrict(holding, lift=lift)
        (self.marked.discard if lift else self.marked.add)(holding)
        return said

    async def standing(self, holding: Holding) -> Standing | None:
        now = await super().standing(holding)
        return now and replace(now, restricted=holding in self.marked)


class MarksWhatHangsOnIt(Freshdesk):
    """Restricts whoever is in the same list as well."""

    async def restrict(self, holding: Holding, *, lift: bool = False) -> Outcome:
        for row in (await self._http.require("/api/v2/contacts")).body:
            await super().restrict(Holding("contact", str(row["id"])), lift=lift)
        return await super().restrict(holding, lift=lift)


class CorrectsByHeart(Freshdesk):
    """Says what it was told to write, and logs it."""

    async def rectify(
        self, holding: Holding, data: Mapping[Datum, str]
    ) -> Outcome | Mapping[Datum, Outcome]:
        logging.getLogger("mutant").info("rectified %s", list(data.values()))
        return await super().rectify(holding, data)


FRESHDESK = Text(world_of, "connectors.freshdesk", "Freshdesk")
READ = "test_what_is_said_to_be_done_is_read_from_the_vendor"
MUTANTS = [
    written(SaysThatItIsMarked, world_of, f"{READ}[restrict]"),
    written(RemembersWhatItRestricted, world_of, "test_a_standing_is_read_anew"),
    written(MarksWhatHangsOnIt, world_of, "test_nobody_else_is_changed[restrict]"),
    written(CorrectsByHeart, world_of, "test_a_verb_names_nobody[rectify]"),
    FRESHDESK.but(
        "takes off every tag when it lifts",
        "marks",
        "[it for it in _tags(row) if it != mark], **back}",
        "[], **back}",
        "test_lifting_gives_back_what_was_there[False]",
    ),
    FRESHDESK.but(
        "unticks a field that nobody had ticked",
        "marks",
        "{field: BEFORE[mark]}",
        "{field: False}",
        "test_lifting_gives_back_what_was_there[False]",
    ),
    FRESHDESK.but(
        "takes a ticket that cannot be changed for a marked one",
        "connector",
        """NeedsHuman("in_trash" if holding.kind == "ticket" else "unblock")
        return await""",
        """Restricted()
        return await""",
        f"{READ}[restrict]",
        ("    Record,\n", "    Record,\n    Restricted,\n"),
    ),
    FRESHDESK.but(
        "writes a contact's tags when it corrects the name",
        "changes",
        "changes = contact.corrected(row, {it: data[it] for it in part})",
        """changes = contact.corrected(row, {it: data[it] for it in part})
            changes = {**changes, "tags": []} if changes else {}""",
        "test_only_what_is_named_is_corrected",
    ),
    FRESHDESK.but(
        "says that nothing was corrected when one value is refused",
        "changes",
        """await answered(work, NeedsHuman("unblock"))""",
        "await work",
        "test_one_value_that_is_refused_hides_no_other",
    ),
    FRESHDESK.but(
        "says that an address was corrected, and it is another contact's",
        "changes",
        """return NeedsHuman("taken")""",
        "return None",
        "test_a_hostile_value_is_carried_as_it_is_or_refused",
    ),
    FRESHDESK.but(
        "marks one contact of those who object",
        "changes",
        "in (await self._marketed(subject)).items():",
        "in list((await self._marketed(subject)).items())[:1]:",
        "test_an_objection_stops_all_of_it",
    ),
    FRESHDESK.but(
        "takes whoever cannot be asked for as not used",
        "connector",
        "is_asked = purpose == MARKETING and bool(asked.identifiers)\n        return is_asked and",
        "return True or",
        "test_an_objection_stops_all_of_it",
    ),
    written(TakesAnyAmount, world_of, "test_an_answer_that_is_too_large_is_given_up[locate]"),
    written(LosesIdentifiers, world_of, "test_everything_is_located_across_pages"),
    written(SearchesWithTheWeak, world_of, "test_a_weak_identifier_is_not_searched_with"),
    written(FindsStrangers, world_of, "test_hostile_identifiers_find_nobody"),
    written(LooksAtTheFirstPages, world_of, "test_everything_is_located_across_pages"),
    written(NamesTwice, world_of, "test_everything_is_located_across_pages"),
    written(GathersAll, world_of, "test_a_page_has_an_end"),
    written(KeepsTheFirstSubject, world_of, "test_two_people_at_once_are_two_people"),
    written(KeepsTheLastSubject, world_of, "test_two_people_at_once_are_two_people"),
    written(AsksAsGiven, world_of, "test_an_address_is_found_however_it_is_spelt[in upper case]"),
    written(FoldsTooMuch, world_of, "test_an_address_that_looks_alike_finds_nobody[False-0]"),
    written(UsesEverything, world_of, "test_what_it_can_be_asked_by_is_of_the_subject"),
    written(UsesWhatItKnows, world_of, "test_what_it_can_be_asked_by_is_of_the_subject"),
    written(AsksAnyway, world_of, "test_without_anything_to_ask_by_nobody_is_asked_about"),
    written(SpeaksInCodes, world_of, "test_what_no_search_finds_is_said_in_plain_words"),
    written(ChecksTooLittle, world_of, "test_a_key_that_may_not_read_fails_the_check"),
    written(HasUndeclaredKinds, world_of, "test_what_is_located_was_declared"),
    written(TellsAFactOfNobody, world_of, "test_a_stranger_is_held_nowhere"),
    written(SaysNoWithoutAsking, world_of, "test_what_is_known_is_read_by_its_own_id"),
    written(TellsNothing, world_of, "test_a_holding_tells_whose_it_is"),
    written(TellsOnlyWhatMatched, world_of, "test_a_record_tells_what_it_bears_beside[email]"),
    written(TellsNamesOnly, world_of, "test_a_holding_bears_what_it_was_found_by"),
    written(TellsInItsOwnWords, world_of, "test_a_holding_tells_whose_it_is"),
    written(HangsOnTheUndeclared, world_of, "test_a_holding_tells_whose_it_is"),
    written(TellsOnce, world_of, "test_what_is_known_tells_the_same_again"),
    written(ForgetsACategory, world_of, "test_what_is_copied_is_of_a_category_that_is_told"),
    written(SaysTheKindsCategories, world_of, "test_what_is_kept_stays_and_the_rest_goes"),
    written(ShowsIdsInReprs, world_of, "test_no_identifier_is_logged_or_shown_when_all_is_well"),
    written(BelievesWhoeverItFinds, world_of, "test_a_record_tells_what_it_bears_beside[email]"),
    written(ReadsChildrenThroughParents, world_of, "test_a_child_is_seen_when_its_parent_is_gone"),
    written(SearchesForTheKnown, world_of, "test_what_is_known_is_read_by_its_own_id"),
    written(BelievesWhatIsKnown, world_of, "test_a_child_is_seen_when_its_parent_is_gone"),
    written(LeavesTheKnownOut, world_of, "test_every_known_holding_is_answered_for"),
    written(Remembers, world_of, "test_a_lie_is_found_out_by_looking_again"),
    written(TakesRefusalForAbsence, world_of, "test_a_refused_key_is_never_absence[locate]"),
    written(TakesRefusalForTheEnd, world_of, "test_a_route_that_fails_is_never_absence[export]"),
    written(TakesTroubleForGone, world_of, "test_a_route_that_fails_is_never_absence[look_again]"),
    written(GivesUpAtOnce, world_of, BUSY),
    written(HasErrorsOfItsOwn, world_of, BUSY),
    written(RetriesByItself, world_of, "test_a_busy_vendor_is_retryable[429-export]"),
    written(GoesAroundTheHost, world_of, "test_every_call_goes_through_the_host"),
    written(ErasesAroundTheHost, world_of, "test_every_call_goes_through_the_host"),
    written(FollowsRedirects, world_of, "test_a_redirect_takes_no_credentials_along"),
    written(ExportsMore, world_of, "test_export_brings_only_what_was_located"),
    written(ExportsTheBeginning, world_of, "test_everything_planted_is_in_the_copy"),
    written(ExportsInAnyOrder, world_of, "test_export_repeats_itself"),
    written(CutsRecords, world_of, "test_everything_planted_is_in_the_copy"),
    written(LeavesRecordsOut, world_of, "test_a_record_in_a_page_is_what_export_gives"),
    written(ErasesNothing, world_of, "test_what_is_erased_is_no_longer_located"),
    written(ErasesSomebodyElse, world_of, "test_nobody_else_is_touched"),
    written(ProvesTheForbidden, world_of, "test_a_forbidden_erasure_is_not_proved"),
    written(KeepsNothing, world_of, "test_what_is_kept_stays_and_the_rest_goes"),
    written(KeepsWhatItIsNotAsked, world_of, "test_what_is_kept_stays_and_the_rest_goes"),
    written(BlanksNothing, world_of, "test_what_is_kept_stays_and_the_rest_goes"),
    written(FlattersItself, world_of, "test_what_is_kept_stays_and_the_rest_goes"),
    written(ErasesWhatIsKept, world_of, "test_to_keep_everything_is_to_do_nothing"),
    written(CountsFromNow, world_of, "test_erasing_twice_says_the_same[True]"),
    written(HasNoTimeZone, world_of, "test_every_reason_is_in_the_catalogue"),
    written(InventsReasons, world_of, "test_every_reason_is_in_the_catalogue"),
    written(NamesThePerson, world_of, "test_no_identifier_reaches_a_log_or_an_error"),
    written(LogsThePerson, world_of, "test_no_identifier_is_logged_or_shown_when_all_is_well"),
    written(LogsTheContent, world_of, "test_no_identifier_is_logged_or_shown_when_all_is_well"),
    written(LeavesASessionOpen, world_of, "test_sockets_are_closed_at_the_end"),
]

"""The kit catches what it is for: each mutant of a good connector falls to a named test."""

import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest

from connectors.freshdesk import Freshdesk
from connectors.freshdesk.contact import Row
from connectors.freshdesk.sandbox import FreshdeskSandbox
from connectors.sdk import conformance
from connectors.sdk.conformance import ConnectorConformance
from connectors.sdk.interface import (
    Category,
    ConnectorError,
    Erased,
    Expires,
    Failed,
    Holding,
    Identifier,
    Outcome,
    Page,
    Record,
    RetryableError,
    Subject,
    TerminalError,
)
from tests.conformance.test_freshdesk import FreshdeskWorld

Said = Outcome | Mapping[Category, Outcome]
Pages = AsyncIterator[Page]


class LosesPages(Freshdesk):
    """Reads the first page of a list only."""

    async def _pages(
        self, route: str, query: Mapping[str, str], **parts: str
    ) -> AsyncIterator[list[Row]]:
        async for page in super()._pages(route, query, **parts):
            yield page
            return


class TakesRepetitionForTheEnd(Freshdesk):
    """Ends a list where a page comes again."""

    async def _pages(
        self, route: str, query: Mapping[str, str], **parts: str
    ) -> AsyncIterator[list[Row]]:
        try:
            async for page in super()._pages(route, query, **parts):
                yield page
        except RetryableError:
            return


class TrustsTheShape(Freshdesk):
    """Reads an answer without looking at it first."""

    async def _pages(
        self, route: str, query: Mapping[str, str], **parts: str
    ) -> AsyncIterator[list[Row]]:
        answer = await self._http.require(route, query, **parts)
        yield [{"id": row["id"]} for row in answer.body]


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


class TakesRefusalForAbsence(Freshdesk):
    """Finds nothing where it may not look."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        try:
            async for page in super().locate(subject, known):
                yield page
        except TerminalError:
            return


class GivesUpAtOnce(Freshdesk):
    """Takes a busy vendor for a final answer."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        try:
            async for page in super().locate(subject, known):
                yield page
        except RetryableError:
            raise TerminalError("busy") from None


class NamesThePerson(Freshdesk):
    """Says in an error whom it looked for."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        try:
            async for page in super().locate(subject, known):
                yield page
        except RetryableError:
            raise RetryableError(f"no answer for {subject.of('email')}") from None


class GoesAroundTheHost(Freshdesk):
    """Makes a call that nobody limits or counts."""

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> Pages:
        url = self._http._base_url
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            await answer.read()
        async for page in super().locate(subject, known):
            yield page


class ChecksTooLittle(Freshdesk):
    """Tries the key, and reads no kind of holding."""

    async def check(self) -> None:
        await self._http.require("/api/v2/agents/me")


class ExportsMore(Freshdesk):
    """Exports what it did not locate."""

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        async for record in super().export(holding):
            yield record
        yield Record(Holding("ticket", "1000000"), b"{}")


class ErasesNothing(Freshdesk):
    """Says that it erased, and does not."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = frozenset()) -> Said:
        del holding, keep
        return Erased()


class ErasesSomebodyElse(Freshdesk):
    """Erases everybody in the list as well."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = frozenset()) -> Said:
        for row in (await self._http.require("/api/v2/contacts")).body:
            await super().erase(Holding("contact", str(row["id"])))
        return await super().erase(holding, keep)


class Remembers(Freshdesk):
    """Believes what it said itself."""

    def __init__(self, settings: Freshdesk.Settings) -> None:
        super().__init__(settings)
        self._erased: set[Holding] = set()

    async def erase(self, holding: Holding, keep: frozenset[Category] = frozenset()) -> Said:
        self._erased.add(holding)
        return await super().erase(holding, keep)

    async def _find(self, holding: Holding) -> tuple[str, Row] | None:
        return None if holding in self._erased else await super()._find(holding)


class ProvesTheForbidden(Freshdesk):
    """Takes a refusal for done."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = frozenset()) -> Said:
        said = await super().erase(holding, keep)
        return Erased() if isinstance(said, Failed) else said


class KeepsNothing(Freshdesk):
    """Erases all, whatever is to be kept."""

    async def erase(self, holding: Holding, keep: frozenset[Category] = frozenset()) -> Said:
        await super().erase(holding)
        return dict.fromkeys(holding.categories - keep, Erased())


class BlanksNothing(Freshdesk):
    """Says that fields are blank, and leaves them."""

    async def _write(self, changes: Row, id_: str) -> None:
        del changes, id_


class CountsFromNow(Freshdesk):
    """Gives another date each time."""

    async def _trash(self, holding: Holding) -> Outcome:
        said = await super()._trash(holding)
        return Expires(datetime.now(UTC)) if isinstance(said, Expires) else said


class InventsReasons(Freshdesk):
    """Gives the vendor's own words for a reason."""

    async def _trash(self, holding: Holding) -> Outcome:
        await super()._trash(holding)
        return Failed("this ticket belongs to somebody important")


KIT = ConnectorConformance()
MUTANTS: list[tuple[type[Freshdesk], Callable[..., Awaitable[None]], Mapping[str, Any]]] = [
    (LosesPages, KIT.test_everything_is_located_across_pages, {}),
    (TakesRepetitionForTheEnd, KIT.test_a_page_that_comes_again_is_not_the_end, {}),
    (
        TrustsTheShape,
        KIT.test_an_answer_of_another_shape_is_an_error,
        {"operation": conformance._locate},
    ),
    (LosesIdentifiers, KIT.test_everything_is_located_across_pages, {}),
    (SearchesWithTheWeak, KIT.test_a_weak_identifier_is_not_searched_with, {}),
    (FindsStrangers, KIT.test_hostile_identifiers_find_nobody, {}),
    (ReadsChildrenThroughParents, KIT.test_a_child_is_seen_when_its_parent_is_gone, {}),
    (SearchesForTheKnown, KIT.test_what_is_known_is_read_by_its_own_id, {}),
    (
        TakesRefusalForAbsence,
        KIT.test_a_refused_key_is_never_absence,
        {"operation": conformance._locate},
    ),
    (
        GivesUpAtOnce,
        KIT.test_a_busy_vendor_is_retryable,
        {"operation": conformance._locate, "status": 429},
    ),
    (GoesAroundTheHost, KIT.test_every_call_goes_through_the_host, {}),
    (ChecksTooLittle, KIT.test_a_key_that_may_not_read_fails_the_check, {}),
    (ExportsMore, KIT.test_export_brings_only_what_was_located, {}),
    (ErasesNothing, KIT.test_what_is_erased_is_no_longer_located, {}),
    (ErasesSomebodyElse, KIT.test_nobody_else_is_touched, {}),
    (Remembers, KIT.test_a_lie_is_found_out_by_looking_again, {}),
    (ProvesTheForbidden, KIT.test_a_forbidden_erasure_is_not_proved, {}),
    (KeepsNothing, KIT.test_what_is_kept_stays_and_the_rest_goes, {}),
    (BlanksNothing, KIT.test_what_is_kept_stays_and_the_rest_goes, {}),
    (CountsFromNow, KIT.test_erasing_twice_says_the_same, {"backwards": True}),
    (InventsReasons, KIT.test_every_reason_is_in_the_catalogue, {}),
]


@pytest.mark.parametrize(
    ("mutant", "test", "given"), MUTANTS, ids=[mutant.__name__ for mutant, *_ in MUTANTS]
)
async def test_a_mutant_is_caught(
    mutant: type[Freshdesk], test: Callable[..., Awaitable[None]], given: Mapping[str, Any]
) -> None:
    async with FreshdeskSandbox() as sandbox:
        with pytest.raises((AssertionError, pytest.fail.Exception, ConnectorError)):
            await test(FreshdeskWorld(sandbox, mutant), **given)


async def test_an_error_that_names_the_person_is_caught(caplog: pytest.LogCaptureFixture) -> None:
    async with FreshdeskSandbox() as sandbox:
        world = FreshdeskWorld(sandbox, NamesThePerson)
        with pytest.raises(AssertionError):
            await KIT.test_no_identifier_reaches_a_log_or_an_error(world, caplog)


def _readme() -> ModuleType:
    """The example in `connectors/README.md`, as a module."""
    text = (Path(conformance.__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    acme = sys.modules["acme"] = ModuleType("acme")
    exec("\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)), vars(acme))  # noqa: S102
    return acme


class TestTheReadmesExample(_readme().TestAcme):  # type: ignore[misc]  # made from the text
    """What a new author copies keeps every promise."""

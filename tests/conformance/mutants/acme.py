"""Mistakes in the connector of `connectors/README.md`, as somebody writes it by hand."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import connectors
from connectors.sdk.conformance import SandboxWorld
from connectors.sdk.interface import Connector
from tests.conformance.mutants.mutant import Mutant, changed, load

README = Path(connectors.__path__[0]) / "README.md"


def example() -> str:
    """The Python in the README: connector, sandbox, test."""
    text = README.read_text(encoding="utf-8")
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))


def by_hand() -> str:
    """The same with a connector whose every step is written by hand: more to do wrong."""
    _, _, rest = example().partition("\nfrom aiohttp import web\n")
    return (
        (Path(__file__).with_name("by_hand.py")).read_text() + "\nfrom aiohttp import web\n" + rest
    )


ACME = load("acme", example())


@asynccontextmanager
async def world_of(connector: type[Connector]) -> AsyncIterator[SandboxWorld]:
    """The README's world, around another connector."""
    async with ACME["AcmeSandbox"]() as sandbox:
        yield ACME["AcmeWorld"](sandbox, connector)


def _made(*changes: tuple[str, str]) -> type[Connector]:
    text = by_hand()
    for old, new in changes:
        text = changed(text, old, new)
    made: type[Connector] = load("acme_mutant", text)["Acme"]
    return made


def _but(mistake: str, old: str, new: str, caught_by: str, *more: tuple[str, str]) -> Mutant:
    return Mutant(mistake, partial(_made, (old, new), *more), world_of, caught_by)


MUTANTS = [
    _but(
        "reads one page",
        "page, before = page + 1, rows",
        "break",
        "test_everything_is_located_across_pages",
    ),
    _but(
        "takes a page that comes again for the end",
        'raise RetryableError("GET /members: a page that comes again")',
        "break",
        "test_a_page_that_comes_again_is_not_the_end",
    ),
    _but(
        "trusts the filter",
        """if subject.bears("email", row["email"])]""",
        "]",
        "test_a_filter_that_is_ignored_finds_nobody_else",
    ),
    _but(
        "asks for everybody and compares the beginning",
        """{"email": email, "page": str(page)}""",
        """{"page": str(page)}""",
        "test_a_namesake_is_somebody_else",
        ("""if subject.bears("email", row["email"])]""", """if row["email"].startswith(email)]"""),
    ),
    _but(
        "takes the first of a page",
        "found = [_record(row) for row in rows if",
        "found = [_record(row) for row in rows[:1] if",
        "test_everything_is_located_across_pages",
    ),
    _but(
        "asks with the first address",
        """.forms("email")):""",
        """.forms("email")[:1]):""",
        "test_everything_is_located_across_pages",
    ),
    _but(
        "compares letter by letter",
        """subject.bears("email", row["email"])""",
        """row["email"] == email""",
        "test_an_address_is_found_however_the_vendor_has_it",
    ),
    _but(
        "takes an odd answer for an empty list",
        """        if not isinstance(body, list):
            raise RetryableError("GET /members: not a list")
""",
        """        if not isinstance(body, list):
            return []
""",
        "test_a_route_that_fails_is_never_absence[check]",
    ),
    _but(
        "takes a list that is not there for an empty one",
        """        body = (await self._http.require("/members", query)).body
""",
        """        said = await self._http.get("/members", query)
        body = [] if said is None else said.body
""",
        "test_a_route_that_fails_is_never_absence[locate]",
    ),
    _but(
        "takes an odd answer for a member who is gone",
        "return None if answer is None else _row(answer.body)",
        "return _row(answer.body) if answer and answer.body else None",
        "test_a_route_that_fails_is_never_absence[look_again]",
    ),
    _but(
        "takes a refusal for a member who is gone",
        """        answer = await self._http.get("/members/{id}", id=holding.id)
""",
        """        try:
            answer = await self._http.get("/members/{id}", id=holding.id)
        except TerminalError:
            return None
""",
        "test_a_refused_key_is_never_absence[look_again]",
    ),
    _but(
        "does not look again",
        "yield Page(gone=(holding,)) if row is None else _page([_record(row)])",
        "yield Page(gone=(holding,))",
        "test_what_is_known_is_read_by_its_own_id",
    ),
    _but(
        "forgets a category",
        "for name, it in FIELDS.items() if row[name])",
        """for name, it in FIELDS.items() if row[name] and name == "email")""",
        "test_what_is_copied_is_of_a_category_that_is_told",
    ),
    _but(
        "leaves a field out of the copy",
        "return Record.of(Holding(",
        """row = {key: value for key, value in row.items() if key != "user_id"}
    return Record.of(Holding(""",
        "test_everything_planted_is_in_the_copy",
    ),
    _but(
        "does not say whose it is",
        """bears = tuple(Borne(name, name, row[name]) for name in FIELDS if row[name])""",
        """bears = ()""",
        "test_a_holding_tells_whose_it_is",
    ),
    _but(
        "ignores what is to be kept",
        """        if keep & holding.categories:
            return NotSupported("whole")
""",
        "",
        "test_what_is_kept_stays_and_the_rest_goes",
    ),
    _but(
        "says that it erased what it was refused",
        "return Failed(error.reason)",
        "return Erased()",
        "test_a_forbidden_erasure_is_not_proved",
    ),
    _but(
        "says a refused key as an outcome",
        """        except UnauthorisedError:
            raise
""",
        "",
        "test_a_refused_key_is_never_absence[erase]",
    ),
    _but(
        "gives the vendor's words for a reason",
        "return Failed(error.reason)",
        "return Failed(str(error))",
        "test_every_reason_is_in_the_catalogue",
    ),
    _but(
        "leaves its session open",
        """        await self._http.__aexit__()

    async def _read""",
        """        return None

    async def _read""",
        "test_sockets_are_closed_at_the_end",
    ),
    _but(
        "checks whether it is there, and not what it may read",
        """        await self._list({"page": "1"})
""",
        """        await self._http.get("/", {})
""",
        "test_a_key_that_may_not_read_fails_the_check",
    ),
    _but(
        "passes the check whatever it is refused",
        """        await self._list({"page": "1"})
""",
        """        try:
            await self._list({"page": "1"})
        except TerminalError:
            return
""",
        "test_a_key_that_may_not_read_fails_the_check",
    ),
    _but(
        "asks once more by itself",
        """        body = (await self._http.require("/members", query)).body
""",
        """        try:
            body = (await self._http.require("/members", query)).body
        except RetryableError:
            body = (await self._http.require("/members", query)).body
""",
        "test_a_busy_vendor_is_retryable[429-check]",
    ),
    _but(
        "says for how long to wait, and loses it",
        """        body = (await self._http.require("/members", query)).body
""",
        """        try:
            body = (await self._http.require("/members", query)).body
        except RetryableError:
            raise RetryableError("GET /members: busy") from None
""",
        "test_a_busy_vendor_is_retryable[429-check]",
    ),
    _but(
        "calls it failed when it is gone already",
        """            await self._http.delete("/members/{id}", id=holding.id)
""",
        """            if await self._http.delete("/members/{id}", id=holding.id) is None:
                return Failed("refused")
""",
        "test_erasing_twice_says_the_same[False]",
    ),
    _but(
        "names the person in what it prints",
        """            await self._http.delete("/members/{id}", id=holding.id)
""",
        """            print([it.value for it in holding.bears])
            await self._http.delete("/members/{id}", id=holding.id)
""",
        "test_no_identifier_is_logged_or_shown_when_all_is_well",
    ),
    _but(
        "names the person in an error",
        """        body = (await self._http.require("/members", query)).body
""",
        """        try:
            body = (await self._http.require("/members", query)).body
        except RetryableError as error:
            raise RetryableError(f"{query}", retry_after=error.retry_after) from None
""",
        "test_no_identifier_reaches_a_log_or_an_error",
    ),
    _but(
        "puts the person's address into the path as it is",
        """        answer = await self._http.get("/members/{id}", id=holding.id)
""",
        """        answer = await self._http.get(f"/members/{holding.id}x")
""",
        "test_what_is_known_is_read_by_its_own_id",
    ),
    _but(
        "raises an error of its own",
        """    if not isinstance(body, dict) or not body.keys() >= {"id", *FIELDS}:
        raise RetryableError("Acme: not a member")
""",
        """    if not isinstance(body, dict) or not body.keys() >= {"id", *FIELDS}:
        raise ValueError("Acme: not a member")
""",
        "test_a_route_that_fails_is_never_absence[look_again]",
    ),
    _but(
        "exports nothing",
        """        if row is not None:
            yield _record(row)
""",
        """        if row is None:
            yield _record(row)
""",
        "test_a_record_in_a_page_is_what_export_gives",
    ),
    _but(
        "raises where it is gone",
        """        if row is not None:
            yield _record(row)
""",
        """        yield _record(row)
""",
        "test_nothing_is_exported_of_what_is_gone",
    ),
]

"""Lists that come in pages: how a vendor turns them, and when one may be believed.

A page or a cursor that comes again is no end. A list that is turned by number shifts while it is
read, and is read until two passes agree.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from .http import Answer, Http
from .interface import NotFoundError, RetryableError, TerminalError

Row = Mapping[str, Any]

LAST_PAGE: Final = 10_000
OF_EVERYBODY: Final = 1_000_000
"""Pages of a list that has a row for each thing that anybody did."""
_PASSES: Final = 5
"""Over a list that shifts: then it is left for later."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is asked for one page."""

    route: str
    query: Mapping[str, str]
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging(ABC):
    """How a vendor turns the pages of its lists."""

    rows: str = ""
    """Where in an answer the list is; empty: the answer is the list."""
    key: str = "id"
    """The field that tells its rows apart; each has it, a text or a number."""
    size: int = 0
    """Rows in a page, as is asked for; 0: not asked for."""
    size_parameter: str = "limit"
    last: int = LAST_PAGE
    """How many pages there may be."""

    def begin(self, step: Step) -> Step:
        """What is asked for the first page."""
        size = {self.size_parameter: str(self.size)} if self.size else {}
        return replace(step, query={**size, **step.query})

    @abstractmethod
    def follow(self, step: Step, answer: Answer) -> Step | None:
        """What is asked for the page after this one; None if this was the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor(Paging):
    """Each page says where the next begins, and `parameter` asks for it."""

    parameter: str
    after: Callable[[Any], object]
    """From an answer's body what to give `parameter`; None or empty at the end."""

    def follow(self, step: Step, answer: Answer) -> Step | None:
        token = self.after(answer.body)
        return replace(step, query={**step.query, self.parameter: str(token)}) if token else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Paging):
    """Pages are counted, or with `by_rows` the rows before them.

    The last page is short where a page's `size` is known (it is asked for), else it is empty.
    """

    parameter: str = "page"
    first: int = 1
    by_rows: bool = False

    def begin(self, step: Step) -> Step:
        begun = Paging.begin(self, step)
        return replace(begun, query={**begun.query, self.parameter: str(self.first)})

    def follow(self, step: Step, answer: Answer) -> Step | None:
        goes_on = 'rel="next"' in answer.headers.get("Link", "")
        rows = len(rows_of(answer.body, f"GET {step.route}", self.rows, self.key))
        if not goes_on and (rows < self.size or not rows):
            return None
        page = int(step.query[self.parameter]) + (rows if self.by_rows else 1)
        return replace(step, query={**step.query, self.parameter: str(page)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Paging):
    """Each page gives the address of the next: its query is taken, or with `route` its last part.

    Of the rest nothing is believed: credentials do not go where an answer points to.
    """

    after: Callable[[Any], object]
    """The address, from an answer's body; None or empty at the end."""
    route: str = ""
    """Where the pages after the first are: `/query/{page}`."""

    def follow(self, step: Step, answer: Answer) -> Step | None:
        address = self.after(answer.body)
        if not address:
            return None
        try:
            link = urlsplit(str(address))
        except ValueError:
            raise RetryableError(f"GET {step.route}: a next page that is no address") from None
        if not self.route:
            return replace(step, query=dict(parse_qsl(link.query, keep_blank_values=True)))
        page = unquote(link.path.rpartition("/")[2])
        return Step(self.route, {}, {**step.parts, "page": page})


async def pages(
    http: Http, route: str, by: Paging, query: Mapping[str, str] | None = None, **parts: str
) -> AsyncIterator[list[Row]]:
    """Every page of a list, be it empty; of one that is turned by number each row once.

    Raises `NotFoundError` if there is no such list, `RetryableError` if an answer is no list, if
    pages repeat or go on shifting, `TerminalError` if there are more than there may be.
    """
    first = by.begin(Step(route, query or {}, parts))
    if not isinstance(by, Number):
        async for rows in _pass(http, first, by):
            yield rows
        return
    told: set[Hashable] = set()
    before: set[Hashable] = set()
    for _ in range(_PASSES):
        seen, turned = set[Hashable](), 0
        async for rows in _pass(http, first, by):
            fresh = [row for row in rows if row[by.key] not in told]
            if fresh or not told:
                yield fresh
            keys = {row[by.key] for row in rows}
            told, seen, turned = told | keys, seen | keys, turned + bool(rows)
        if turned <= 1 or seen == before:
            return
        before = seen
    raise RetryableError(f"GET {route}: a list that goes on changing")


async def first(
    http: Http, route: str, by: Paging, query: Mapping[str, str] | None = None, **parts: str
) -> None:
    """Read one row of a list: proves that it may be read. Raises as `pages` does."""
    one = {**(query or {}), **({by.size_parameter: "1"} if by.size else {})}
    step = by.begin(Step(route, one, parts))
    answer = await http.require(route, step.query, **parts)
    rows_of(answer.body, f"GET {route}", by.rows, by.key)


async def _pass(http: Http, first: Step, by: Paging) -> AsyncIterator[list[Row]]:
    said = f"GET {first.route}"
    # Of each page a number is kept, however many there are.
    step, asked, read = first, {hash(_mark(first))}, set[int]()
    for _ in range(by.last):
        try:
            answer = await http.require(step.route, step.query, **step.parts)
        except NotFoundError:
            if step is first:
                raise
            raise RetryableError(f"{said}: a list that went while it was read") from None
        rows = rows_of(answer.body, said, by.rows, by.key)
        page = hash(tuple(row[by.key] for row in rows))
        if rows and page in read:
            raise RetryableError(f"{said}: a page that comes again")
        read.add(page)
        yield rows
        following = by.follow(step, answer)
        if following is None:
            return
        if hash(_mark(following)) in asked:
            raise RetryableError(f"{said}: a page that comes again")
        asked.add(hash(_mark(following)))
        step = following
    raise TerminalError(f"{said}: more than {by.last} pages")


def rows_of(body: Any, said: str, where: str = "", key: str = "id") -> list[Row]:
    """The rows in an answer, each of which has its key. Raises `RetryableError`."""
    found = body.get(where) if where and isinstance(body, dict) else body
    if not isinstance(found, list) or (where and not isinstance(body, dict)):
        raise RetryableError(f"{said}: not a list")
    return [row_of(it, said, key) for it in found]


def row_of(body: Any, said: str, key: str = "id") -> Row:
    """An answer that is one record with its key. Raises `RetryableError`."""
    name = body.get(key) if isinstance(body, dict) else None
    if not isinstance(name, str | int) or isinstance(name, bool) or name == "":
        raise RetryableError(f"{said}: not a record")
    found: Row = body
    return found


def _mark(step: Step) -> Hashable:
    return (step.route, *sorted(step.query.items()), *sorted(step.parts.items()))

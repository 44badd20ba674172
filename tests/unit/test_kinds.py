"""From declared kinds come the check, the search, the second look and the copy."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from connectors.sdk.fields import Fields
from connectors.sdk.http import Http
from connectors.sdk.interface import (
    Borne,
    Category,
    Holding,
    Identifier,
    NotFoundError,
    Page,
    RetryableError,
    Subject,
)
from connectors.sdk.kinds import File, Kind, Listing, Look, Part, Reads, categories
from connectors.sdk.pages import Number

PAGES = Number(size=2)
OPEN, CLOSED = {"state": "open"}, {"state": "closed"}


def attached(row: Mapping[str, Any]) -> list[File]:
    return [
        File(route="attachment", address=it["url"], name=it["name"]) for it in row.get("files", ())
    ]


CONTACT = Kind(
    name="contact",
    routes=("/contacts/{id}",),
    fields=Fields(
        {"name": Category.IDENTITY, "email": Category.CONTACT},
        own=frozenset({"id", "state"}),
    ),
    bears={"email": "email", "name": "name"},
    lists=(
        Listing(route="/contacts", paging=PAGES, by={"email": "email"}, queries=(OPEN, CLOSED)),
    ),
    listed="id",
)
TICKET = Kind(
    name="ticket",
    routes=("/tickets/{id}", "/tickets/archived/{id}"),
    fields=Fields({}, own=frozenset({"id", "contact"}), always=frozenset({Category.USAGE})),
    owner=("contact", "contact"),
    lists=(Listing(route="/tickets", paging=PAGES, of="contact", parameter="contact"),),
    listed="part",
    parts={"notes": Part(listing=Listing(route="notes", paging=PAGES), files=attached)},
    files=attached,
)
KINDS = (CONTACT, TICKET)


@dataclass
class Vendor:
    """Contacts, their tickets and the notes in these, as plain tables."""

    url: str = ""
    rows: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"contacts": [], "tickets": [], "notes": []}
    )
    filters: tuple[str, ...] = ("email", "contact", "state", "ticket")
    asked: list[str] = field(default_factory=list)
    hidden: frozenset[str] = frozenset()

    async def serve(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        match request.path.strip("/").split("/"):
            case ["files", name]:
                return web.Response(body=name.encode(), content_type="text/plain")
            case [table]:
                return self.page(request, table, dict(request.query))
            case ["tickets", *_, id_, "notes"] if "notes" not in self.hidden:
                return self.page(request, "notes", {"ticket": id_, **request.query})
            case [table, *between, id_] if table not in self.hidden:
                rows = self.rows.get(table, ()) if not between or "moved" in self.hidden else ()
                for row in rows:
                    if str(row["id"]) == id_:
                        return web.json_response(row)
        return web.Response(status=404)

    def page(self, request: web.Request, table: str, asked: dict[str, str]) -> web.Response:
        named = [it for it in self.filters if it in asked]
        rows = [
            it for it in self.rows[table] if all(str(it.get(name)) == asked[name] for name in named)
        ]
        start = (int(request.query["page"]) - 1) * int(request.query["limit"])
        shown = rows[start : start + int(request.query["limit"])]
        if table == "contacts":
            shown = [{"id": it["id"]} for it in shown]
        return web.json_response(shown)


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    vendor = Vendor()
    app = web.Application()
    app.router.add_route("*", r"/{rest:[\s\S]*}", vendor.serve)
    async with TestServer(app) as server:
        vendor.url = str(server.make_url("/")).rstrip("/")
        yield vendor


@pytest.fixture
async def reads(vendor: Vendor) -> AsyncIterator[Reads]:
    async with Http(vendor.url) as http:
        yield Reads(http, KINDS, missing="not_fetched")


ANN = Subject((Identifier("email", "ann@example.org"),))


def contact(id_: int, email: str = "ann@example.org", **more: Any) -> dict[str, Any]:
    return {"id": id_, "email": email, "name": "Ann", "state": "open", **more}


async def look(reads: Reads, subject: Subject = ANN, known: Sequence[Holding] = ()) -> list[Page]:
    return [it async for it in Look(reads, subject).locate(known)]


def ids(pages: list[Page]) -> list[tuple[str, str]]:
    return [(it.kind, it.id) for page in pages for it in page.holdings]


def test_the_categories_of_the_kinds_are_told() -> None:
    assert categories(KINDS) == {
        "contact": {Category.IDENTITY, Category.CONTACT, Category.PROFILE},
        "ticket": {Category.USAGE, Category.PROFILE},
    }


async def test_a_person_is_found_in_every_state_with_all_that_is_theirs(
    vendor: Vendor, reads: Reads
) -> None:
    vendor.rows["contacts"] = [
        contact(1),
        contact(2, state="closed"),
        contact(3, "bob@example.org"),
    ]
    vendor.rows["tickets"] = [{"id": 10 + n, "contact": 1 + n % 3} for n in range(6)]
    found = await look(reads)
    assert ids(found) == [
        ("contact", "1"),
        ("contact", "2"),
        *(("ticket", it) for it in ("10", "13", "11", "14")),
    ]
    one = found[0].holdings[0]
    assert one.categories == {Category.IDENTITY, Category.CONTACT}
    assert one.bears == (Borne("email", "email", "ann@example.org"), Borne("name", "name", "Ann"))
    ticket = found[-1].holdings[0]
    assert ticket.part_of == Holding("contact", "2")
    assert ticket.categories == {Category.USAGE}


async def test_only_a_whole_row_is_a_record(vendor: Vendor, reads: Reads) -> None:
    vendor.rows["contacts"] = [contact(1)]
    vendor.rows["tickets"] = [{"id": 10, "contact": 1}]
    assert [it.holding.kind for page in await look(reads) for it in page.records] == ["contact"]


async def test_a_vendor_that_ignores_filters_finds_no_stranger(
    vendor: Vendor, reads: Reads
) -> None:
    vendor.filters = ()
    vendor.rows["contacts"] = [contact(1), contact(2, "bob@example.org")]
    vendor.rows["tickets"] = [{"id": 10, "contact": 1}, {"id": 11, "contact": 2}]
    assert set(ids(await look(reads))) == {("contact", "1"), ("ticket", "10")}


async def test_what_is_known_is_read_by_its_id_and_gone_only_if_that_says_so(
    vendor: Vendor, reads: Reads
) -> None:
    vendor.rows["contacts"] = [contact(1, "")]
    vendor.rows["tickets"] = [{"id": 10, "contact": 1}, {"id": 11, "contact": 1}]
    known = [Holding("contact", "1"), Holding("ticket", "10"), Holding("ticket", "12")]
    found = await look(reads, known=known)
    assert ids(found) == [("contact", "1"), ("ticket", "10"), ("ticket", "11")], "a blank one's own"
    assert [it for page in found for it in page.gone] == [Holding("ticket", "12")]


async def test_of_a_known_one_that_is_somebody_elses_now_nothing_is_listed(
    vendor: Vendor, reads: Reads
) -> None:
    vendor.rows["contacts"] = [contact(1, "bob@example.org")]
    vendor.rows["tickets"] = [{"id": 10, "contact": 1}]
    assert ids(await look(reads, known=[Holding("contact", "1")])) == [("contact", "1")]


async def test_what_a_list_still_shows_of_what_is_gone_is_not_held(
    vendor: Vendor, reads: Reads
) -> None:
    vendor.rows["contacts"] = [contact(1)]
    vendor.hidden = frozenset({"contacts"})
    found = await look(reads, known=[Holding("contact", "1")])
    assert (ids(found), [it.gone for it in found if it.gone]) == ([], [(Holding("contact", "1"),)])


async def test_the_check_reads_one_of_every_list_or_an_id_that_nothing_has(
    vendor: Vendor, reads: Reads
) -> None:
    await reads.check()
    assert vendor.asked == ["/contacts?limit=1&state=open&page=1", "/tickets?limit=1&page=1"]
    vendor.asked.clear()
    await Reads(reads.http, [Kind(name="card", routes=("/cards/{id}",), fields=Fields({}))]).check()
    assert vendor.asked == ["/cards/habeas-canary"]


async def test_a_copy_has_the_lists_inside_and_every_file_byte_for_byte(
    vendor: Vendor, reads: Reads
) -> None:
    def file(name: str) -> dict[str, str]:
        return {"url": f"{vendor.url}/files/{name}", "name": name}

    vendor.rows["tickets"] = [{"id": 10, "contact": 1, "files": [file("a.txt")]}]
    vendor.rows["notes"] = [{"id": n, "ticket": 10, "files": [file(f"{n}.txt")]} for n in range(3)]
    ticket = Holding("ticket", "10")
    found = [it async for it in reads.export(ticket)]
    data, files = [it for it in found if not it.name], [it for it in found if it.name]
    assert [it.body.count(b'"ticket": 10') for it in data] == [2, 1]
    assert b'"contact": 1' in data[0].body
    assert b'"contact"' not in data[1].body
    assert [(it.name, it.body) for it in files] == [
        (name, name.encode()) for name in ("a.txt", "0.txt", "1.txt", "2.txt")
    ]
    assert {it.holding for it in found} == {ticket}


async def test_a_file_that_is_not_to_be_had_is_named_and_missing(
    vendor: Vendor, reads: Reads
) -> None:
    gone = {"url": f"{vendor.url}/nowhere/a/b", "name": "a.txt"}
    vendor.rows["tickets"] = [{"id": 10, "contact": 1, "files": [gone]}]
    *_, last = [it async for it in reads.export(Holding("ticket", "10"))]
    assert (last.name, last.body, last.missing) == ("a.txt", b"", "not_fetched")


async def test_of_what_is_gone_there_is_no_copy(reads: Reads) -> None:
    assert [it async for it in reads.export(Holding("ticket", "10"))] == []


async def test_a_list_inside_that_is_missing_is_no_empty_one(vendor: Vendor, reads: Reads) -> None:
    vendor.rows["tickets"] = [{"id": 10, "contact": 1}]
    vendor.hidden = frozenset({"notes"})
    with pytest.raises(NotFoundError):
        [it async for it in reads.export(Holding("ticket", "10"))]


async def test_a_record_that_moves_while_it_is_copied_is_copied_later(
    vendor: Vendor, reads: Reads
) -> None:
    vendor.rows["tickets"] = [{"id": 10, "contact": 1}]
    vendor.hidden = frozenset({"notes"})

    async def whole() -> None:
        async for _ in reads.export(Holding("ticket", "10")):
            pass

    serve = vendor.serve

    async def moved(request: web.Request) -> web.Response:
        if request.path.endswith("notes"):
            vendor.hidden |= {"moved"}
        is_old = request.path == "/tickets/10" and "moved" in vendor.hidden
        return web.Response(status=404) if is_old else await serve(request)

    app = web.Application()
    app.router.add_route("*", r"/{rest:[\s\S]*}", moved)
    async with TestServer(app) as server, Http(str(server.make_url("/"))) as http:
        reads.http = http
        with pytest.raises(RetryableError, match="moved meanwhile"):
            await whole()

"""The audit lets the right result pass and names every other: real sandboxes, real connectors."""

from __future__ import annotations

import ast
import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4
from zipfile import ZipFile

import pytest

from connectors.sdk import registry
from connectors.sdk.interface import (
    MARKETING,
    Category,
    Connector,
    Datum,
    Holding,
    Identifier,
    Record,
    Right,
    Subject,
)
from connectors.sdk.sandbox import Sandbox
from connectors.sdk.spelling import normal
from pipeline.case.whose import NAMES, OURS, Bearing, People, judged
from pipeline.demo import audit, audit_answers, audit_decided
from pipeline.demo.people import Cast, Request, kind_of, load, meant
from pipeline.demo.seed import Expected, SeedError, seed, snapshot
from schemas.records import BorneRow

Snapshot = dict[str, dict[str, Any]]

SYSTEMS = ("aws", "freshdesk", "mailgun", "salesforce", "stripe")
BASIC = frozenset({("salesforce", "contact"), ("stripe", "customer")})
"""Of a customer: name and address stay."""
KEPT = frozenset({Category.IDENTITY, Category.CONTACT})
WHOLE = frozenset(
    {("stripe", it) for it in ("charge", "invoice", "checkout_session", "subscription")}
)
"""Of a customer: stays as it is."""
DOCUMENTS = frozenset({("aws", "upload")})
"""Of customers: neither copied nor erased, since we only hold them."""
OPT_OUTS = frozenset({("mailgun", "unsubscribe"), ("mailgun", "complaint")})
BUYS = frozenset({("salesforce", "contact"), ("stripe", "charge"), ("stripe", "invoice")})
ROUNDS = 3
LINKS = frozenset({("stripe", "customer", "metadata.user_id")})
"""What our own server writes: (system, kind, field)."""


MARKS = frozenset({Right.RECTIFICATION, Right.RESTRICTION})
ADS = frozenset({"mailgun", "salesforce"})
"""Systems that the policy's data map uses for direct marketing."""


@dataclass(frozen=True, slots=True)
class Acts:
    """What the audit is given."""

    expected: Expected
    before: Snapshot
    after: Snapshot
    answers: dict[str, dict[str, list[Record]]]
    """Person → system → what they were told."""

    def differences(self) -> list[str]:
        states, ledger = self.after["states"], self.after["ledger"]
        return audit.compare(self.expected, self.before["states"], states, ledger)

    def key(self, person: str, kind: str, then: str) -> str:
        """`system kind/id` of one of somebody's objects."""
        return next(
            f"{system} {key}"
            for system, table in self.expected.items()
            for key, it in table.items()
            if (it["person"], it["then"]) == (person, then) and key.startswith(f"{kind}/")
        )

    def row(self, where: str, *, before: bool = False) -> dict[str, Any]:
        """An object's fields, to be changed."""
        system, key = where.split()
        row: dict[str, Any] = (self.before if before else self.after)["states"][system][key]
        return row


async def find(
    connectors: Mapping[str, Connector], request: Request, expected: Expected
) -> dict[str, list[Holding]]:
    """What is held of the person: by what is proved, by what people say, and by no other word."""
    who, known = people(request, expected)
    held: dict[str, list[Holding]] = {it: [] for it in connectors}
    whose = judged((), who)
    for _ in range(ROUNDS):
        for system, connector in connectors.items():
            async for page in connector.locate(Subject(tuple(known.values())), held[system]):
                held[system] += [it for it in page.holdings if it not in held[system]]
        every = [(system, it) for system, those in held.items() for it in those]
        whose = judged([bearing(*it) for it in every], who)
        borne = {tag(it.kind, it.value): it for _, of in every for it in of.bears}
        known |= {it: Identifier(borne[it].kind, borne[it].value) for it in whose.linked}
    return {
        system: [it for it in those if whose.whose[named(system, it)] == OURS]
        for system, those in held.items()
    }


def people(request: Request, expected: Expected) -> tuple[People, dict[bytes, Identifier]]:
    """What is known of who is who, and the identifiers to search with."""
    vouched = [it for it, level in zip(request.identifiers, request.levels, strict=True) if level]
    confirmed = [(kind_of(it), it) for it in (*request.confirm, *request.same) if kind_of(it)]
    said = {
        thing(it, request, expected): verdict
        for verdict in ("same", "other")
        for it in getattr(request, verdict)
        if not kind_of(it)
    }
    known = {tag(*it): Identifier(*it) for it in (*vouched, *confirmed)}
    who = People(
        proved=frozenset(known),
        said=said,
        names=frozenset(tag(it, request.name) for it in NAMES if normal(it, request.name)),
        trusted=LINKS,
    )
    return who, known


def thing(said: str, request: Request, expected: Expected) -> bytes:
    """The tag of an object that the cast gives a name."""
    system, at = where(said, request.person, expected)
    kind, _, id_ = at.partition("/")
    return named(system, Holding(kind, id_))


def where(said: str, person: str, expected: Expected) -> tuple[str, str]:
    """System and key of an object that the cast gives a name."""
    key, called = meant(said, person)
    system, _, name = called.partition(".")
    rows = expected[system].items()
    return system, next(at for at, it in rows if (it["person"], it.get("as")) == (key, name))


def bearing(system: str, it: Holding) -> Bearing:
    """A holding as it is judged."""
    words = [(of, of.kind) for of in it.bears]
    words += [(of, "whole_name") for of in it.bears if of.kind == "name"]
    return Bearing(
        tag=named(system, it),
        system=system,
        kind=it.kind,
        bears=tuple(
            BorneRow(tag=tag(kind, of.value), kind=kind, field=of.field)
            for of, kind in words
            if normal(kind, of.value)
        ),
        part_of=b"" if it.part_of is None else named(system, it.part_of),
    )


def tag(kind: str, value: str) -> bytes:
    return f"{kind} {normal(kind, value)}".encode()


def named(system: str, it: Holding) -> bytes:
    return f"{system} {it.kind} {it.id}".encode()


async def answer(
    connectors: Mapping[str, Connector], request: Request, expected: Expected
) -> dict[str, list[Record]]:
    """By hand what the pipeline does: find, export, erase, and mark what the policy keeps."""
    held = await find(connectors, request, expected)
    told: dict[str, list[Record]] = {}
    if "access" in request.claims:
        for system, connector in connectors.items():
            copies = [[one async for one in connector.export(it)] for it in held[system]]
            assert all(copies)
            told[system] = [one for those in copies for one in those]
    if "erasure" in request.claims:
        customer = any((of, it.kind) in BUYS for of in held for it in held[of])
        whole = OPT_OUTS | DOCUMENTS | (WHOLE if customer else frozenset())
        if request.person == "open-dispute":
            whole |= {("stripe", "payment_method")}
        for system, connector in connectors.items():
            kinds = list(connector.capabilities.kinds)
            for it in sorted(held[system], key=lambda it: kinds.index(it.kind)):
                keep = KEPT if customer and (system, it.kind) in BASIC else frozenset()
                if it.kind == "opted_out_member":
                    keep = frozenset({Category.CONTACT, Category.MARKETING})
                if it.categories - keep and (system, it.kind) not in whole:
                    await connector.erase(it, keep)
                is_kept = bool(keep) or (system, it.kind) in whole
                if is_kept and Right.RESTRICTION in connector.capabilities.rights:
                    await connector.restrict(it)
    return told


async def measure(connector: Connector, request: Request, held: Sequence[Holding]) -> None:
    """What is to be corrected, marked and stopped in one system."""
    rights = connector.capabilities.rights & {*request.claims}
    changes = {Datum(it): to for it, to in request.changes}
    owners_first = sorted(held, key=lambda it: it.part_of is not None)
    for it in owners_first:
        stands = await connector.standing(it) if rights & MARKS else None
        if stands is None:
            continue
        due = {of: to for of, to in changes.items() if stands.data.get(of) not in {None, "", to}}
        if due and Right.RECTIFICATION in rights:
            await connector.rectify(it, due)
        if Right.RESTRICTION in rights:
            await connector.restrict(it)
    if Right.OBJECTION in rights and not request.purpose and connector.capabilities.system in ADS:
        subject = Subject(tuple(Identifier(kind, it) for kind, it in request.identifiers))
        await connector.object_to(subject, MARKETING)


@asynccontextmanager
async def running() -> AsyncIterator[dict[str, Sandbox]]:
    async with AsyncExitStack() as stack:
        made = {it: registry.load(registry.SANDBOXES, it)() for it in SYSTEMS}
        yield {system: await stack.enter_async_context(it) for system, it in made.items()}


async def perform(cast: Cast) -> Acts:
    async with running() as sandboxes, AsyncExitStack() as stack:
        urls = {system: it.url for system, it in sandboxes.items()}
        expected = await seed(urls, cast)
        before = await snapshot(urls)
        connectors = {
            system: await stack.enter_async_context(registry.connect(system, it.environ()))
            for system, it in sandboxes.items()
        }
        answered = [it for it in cast.requests() if it.ends == "answered"]
        answers = {it.person: await answer(connectors, it, expected) for it in answered}
        for request in answered:
            if {*request.claims} & {*MARKS, Right.OBJECTION}:
                held = await find(connectors, request, expected)
                for system, connector in connectors.items():
                    await measure(connector, request, held[system])
            for said in request.by_hand:
                system, key = where(said, request.person, expected)
                kind, _, id_ = key.partition("/")
                del sandboxes[system].tables[kind][id_]
        return Acts(expected, before, await snapshot(urls), answers)


@pytest.fixture(scope="module")
def performed() -> Acts:
    return asyncio.run(perform(load()))


@pytest.fixture
def acts(performed: Acts) -> Acts:
    """A copy, to plant differences in."""
    return deepcopy(performed)


def test_what_the_right_answers_leave_behind_passes(performed: Acts) -> None:
    assert performed.differences() == []
    states = [it["then"] for table in performed.expected.values() for it in table.values()]
    assert {
        it: states.count(it) > 0 for it in ("gone", "binned", "blank", "same")
    } == dict.fromkeys(("gone", "binned", "blank", "same"), True)
    assert audit.changing(performed.expected) > 80


def test_what_is_expected_covers_every_object_that_was_there(performed: Acts) -> None:
    assert {system: set(it) for system, it in performed.expected.items()} == {
        system: set(it) for system, it in performed.before["states"].items()
    }


def test_nothing_done_at_all_does_not_pass(performed: Acts) -> None:
    idle = Acts(performed.expected, performed.before, performed.before, {})
    assert len(idle.differences()) >= audit.changing(performed.expected)


Plant = Callable[[Acts], str]
"""Makes one difference; the line that must name it."""


def changed_field_of_a_bystander(acts: Acts) -> str:
    where = acts.key("shares-a-surname-and-employer", "contact", "same")
    acts.row(where)["company_id"] = 999
    return f"{where} company_id: should be the same"


def moved_date_of_a_bystander(acts: Acts) -> str:
    where = acts.key("lead-1", "lead", "same")
    acts.row(where)["SystemModstamp"] = "2030-01-01T00:00:00.000+0000"
    return f"{where} SystemModstamp: should be the same"


def new_field_of_a_bystander(acts: Acts) -> str:
    where = acts.key("support-1", "contact", "same")
    acts.row(where)["deleted"] = None
    return f"{where} deleted: should be the same"


def lost_field_of_a_bystander(acts: Acts) -> str:
    where = acts.key("support-1", "ticket", "same")
    del acts.row(where)["subject"]
    return f"{where} subject: should be the same"


def missing_conversation(acts: Acts) -> str:
    where = acts.key("support-1", "conversation", "same")
    del acts.after["states"]["freshdesk"][where.split()[1]]
    return f"{where}: is missing"


def missing_kept_record(acts: Acts) -> str:
    where = acts.key("customer", "contact", "blank")
    del acts.after["states"]["salesforce"][where.split()[1]]
    return f"{where}: is missing"


def ticket_that_is_still_there(acts: Acts) -> str:
    where = acts.key("many-tickets", "ticket", "gone")
    key = where.split()[1]
    acts.after["states"]["freshdesk"][key] = acts.row(where, before=True)
    return f"{where}: should be gone and is there"


def lead_that_is_not_in_the_bin(acts: Acts) -> str:
    where = acts.key("two-addresses", "lead", "binned")
    acts.row(where)["IsDeleted"] = False
    return f"{where} IsDeleted: should lie in the recycle bin"


def binned_record_with_another_change(acts: Acts) -> str:
    where = acts.key("web-form", "case", "binned")
    acts.row(where)["Subject"] = None
    return f"{where} Subject: should be the same"


def field_that_is_not_blank(acts: Acts) -> str:
    where = acts.key("customer", "contact", "blank")
    acts.row(where)["Description"] = "Still here"
    return f"{where} Description: should be blank"


def blanked_opt_out(acts: Acts) -> str:
    where = acts.key("customer", "contact", "blank")
    acts.row(where)["HasOptedOutOfEmail"] = False
    return f"{where} HasOptedOutOfEmail: should be the same"


def blanked_name_of_a_customer(acts: Acts) -> str:
    where = acts.key("customer", "contact", "blank")
    acts.row(where)["FirstName"] = None
    return f"{where} FirstName: should be the same"


def object_that_appeared(acts: Acts) -> str:
    acts.after["states"]["salesforce"]["lead/new"] = {"Id": "new"}
    return "salesforce lead/new: appeared"


def object_that_is_in_no_cast(acts: Acts) -> str:
    for it in (acts.before, acts.after):
        it["states"]["freshdesk"]["contact/0"] = {"id": 0}
    return "freshdesk contact/0: is not in the cast"


def object_that_was_never_planted(acts: Acts) -> str:
    acts.expected["freshdesk"]["contact/0"] = {"then": "gone", "person": "nobody"}
    return "freshdesk contact/0: is in the cast and was not there before"


def effect_that_cannot_be_seen(acts: Acts) -> str:
    where = acts.key("unvouched", "contact", "same")
    touched = {"operation": "update", "key": where.split()[1], "at": ""}
    acts.after["ledger"]["freshdesk"]["mutations"].append(touched)
    return f"{where}: was touched (update)"


def system_that_was_not_looked_at(acts: Acts) -> str:
    del acts.after["states"]["freshdesk"]
    return "freshdesk: not in after"


PLANTS: tuple[Plant, ...] = (
    changed_field_of_a_bystander,
    moved_date_of_a_bystander,
    new_field_of_a_bystander,
    lost_field_of_a_bystander,
    missing_conversation,
    missing_kept_record,
    ticket_that_is_still_there,
    lead_that_is_not_in_the_bin,
    binned_record_with_another_change,
    field_that_is_not_blank,
    blanked_opt_out,
    blanked_name_of_a_customer,
    object_that_appeared,
    object_that_is_in_no_cast,
    object_that_was_never_planted,
    effect_that_cannot_be_seen,
    system_that_was_not_looked_at,
)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda it: str(it.__name__))
def test_one_planted_difference_is_named_and_no_other(acts: Acts, plant: Plant) -> None:
    line = plant(acts)
    assert acts.differences() == [line]


def test_no_line_holds_a_value(acts: Acts) -> None:
    wrong = Acts(acts.expected, acts.after, acts.before, {})
    said = "\n".join(wrong.differences())
    assert "@" not in said
    assert all(it.name not in said for it in load().people)


# Who was called.


def test_a_call_before_anybody_was_identified_is_named_by_its_route(acts: Acts) -> None:
    assert audit.quiet(acts.before["ledger"], acts.before["ledger"]) == []
    said = audit.quiet(acts.before["ledger"], acts.after["ledger"])
    assert "freshdesk: GET /api/v2/contacts was called before anybody was identified" in said
    del acts.after["ledger"]["freshdesk"]
    assert "freshdesk: not in both ledgers" in audit.quiet(
        acts.before["ledger"], acts.after["ledger"]
    )


# What was told.


def packed(folder: Path, acts: Acts) -> dict[str, str]:
    """The answers as people open them, in a folder; who asked for each."""
    folder.mkdir(exist_ok=True)
    asked = {}
    for n, (person, told) in enumerate(acts.answers.items()):
        case = str(UUID(int=n))
        asked[case] = person
        with ZipFile(folder / f"{case}-1.zip", "w") as package:
            package.writestr("index.html", "<p>Your data</p>")
            for system, records in told.items():
                told_of = [shown(n, system, it) for n, it in enumerate(records)]
                package.writestr(f"data/{system}.json", json.dumps(told_of))
                for it, record in zip(told_of, records, strict=True):
                    if "file" in it:
                        package.writestr(it["file"], record.body)
    return asked


def shown(n: int, system: str, record: Record) -> dict[str, Any]:
    """A record as an answer shows it; small files come in one piece."""
    of = {"kind": record.holding.kind, "id": record.holding.id}
    if record.name:
        assert not record.more
        return {**of, "name": record.name, "file": f"files/{system}/{n}"}
    if record.content_type == "application/json":
        return {**of, "data": json.loads(record.body)}
    return {**of, "content_type": record.content_type, "text": record.body.decode()}


def found_in(folder: Path, acts: Acts) -> audit_answers.Told:
    owners = audit_answers.Owners(acts.expected, acts.before["states"])
    return audit_answers.told(folder, packed(folder, acts), owners)


def test_answers_that_hold_what_is_the_persons_pass(performed: Acts, tmp_path: Path) -> None:
    told = found_in(tmp_path, performed)
    assert told.wrong == []
    assert told.answers == len(performed.answers)
    records = sum(len(it) for of in performed.answers.values() for it in of.values())
    assert told.records + told.files == records > 50
    assert told.files > 10


Slip = Callable[[Acts], tuple[str, str]]
"""Slips something of somebody else's into an answer; (who asked, what the line must say)."""


def record_of(acts: Acts, system: str, person: str, kind: str) -> Record:
    """The record of one of somebody's objects, as a connector exports it."""
    rows = acts.expected[system].items()
    where = next(at for at, it in rows if it["person"] == person and at.startswith(f"{kind}/"))
    body = json.dumps(acts.before["states"][system][where]).encode()
    return Record(Holding(kind, where.partition("/")[2]), body)


def the_strangers_contact_of_a_poisoned_lead(acts: Acts) -> tuple[str, str]:
    told = acts.answers["poisoned-lead"]["salesforce"]
    told.append(record_of(acts, "salesforce", "all-five", "contact"))
    return "poisoned-lead", "is of all-five"


def the_contact_that_a_lead_became(acts: Acts) -> tuple[str, str]:
    told = acts.answers["converted-into-a-stranger"]["salesforce"]
    told.append(record_of(acts, "salesforce", "customer-9", "contact"))
    return "converted-into-a-stranger", "is of customer-9"


def the_other_one_at_a_shared_mailbox(acts: Acts) -> tuple[str, str]:
    told = acts.answers["shares-a-mailbox"]["stripe"]
    told.append(record_of(acts, "stripe", "shares-it-too", "customer"))
    return "shares-a-mailbox", "is of shares-it-too"


def a_member_at_a_shared_mailbox(acts: Acts) -> tuple[str, str]:
    found = Holding("member", "news@lists.example.com/info@varga.example.com")
    acts.answers["shares-a-mailbox"]["mailgun"].append(Record.of(found, {}))
    return "shares-a-mailbox", "is of shares-it-too"


def a_file_of_whom_a_rider_names(acts: Acts) -> tuple[str, str]:
    rows = acts.before["states"]["aws"]
    key = acts.key("paying-3", "object", "same").split()[1]
    id_ = f"files/exports/BX-40003/report.csv?versionId={quote(rows[key]['VersionId'], safe='')}"
    acts.answers["rider"]["aws"].append(Record(Holding("object", id_), b"month", "text/csv"))
    return "rider", "is of paying-3"


def a_conversation_in_a_ticket(acts: Acts) -> tuple[str, str]:
    key = acts.key("support-1", "conversation", "same").split()[1]
    ticket = acts.answers["umlaut"]["freshdesk"][1]
    said = json.loads(ticket.body)
    said["conversations"].append({"id": key.partition("/")[2]})
    acts.answers["umlaut"]["freshdesk"][1] = Record.of(ticket.holding, said)
    return "umlaut", "is of support-1"


def a_strangers_words_in_a_record_of_theirs(acts: Acts) -> tuple[str, str]:
    lead = acts.answers["types-a-user-id"]["salesforce"][0]
    said = json.loads(lead.body) | {"Description": {"also": ["monica.ibanez@example.net"]}}
    acts.answers["types-a-user-id"]["salesforce"][0] = Record.of(lead.holding, said)
    return "types-a-user-id", "has a text of paying-3"


def what_is_no_object(acts: Acts) -> tuple[str, str]:
    acts.answers["rider"]["salesforce"].append(Record.of(Holding("lead", "invented"), {}))
    return "rider", "is of nobody"


def what_lies_nowhere(acts: Acts) -> tuple[str, str]:
    acts.answers["rider"]["mailgun"].append(Record.of(Holding("member", "no/where"), {}))
    return "rider", "is of no object"


Loss = Callable[[dict[str, list[Record]]], str]
"""Takes something away from what an answer has by system; what the line must say."""


def a_file_that_is_cut(told: dict[str, list[Record]]) -> str:
    n, it = next((n, it) for n, it in enumerate(told["freshdesk"]) if it.name == "drawing.dwg")
    told["freshdesk"][n] = replace(it, body=it.body[:-1])
    return "a file is not there, or another one"


def a_file_that_is_left_out(told: dict[str, list[Record]]) -> str:
    told["freshdesk"] = [it for it in told["freshdesk"] if it.name != "aux.txt"]
    return "a file is not there, or another one"


def a_file_that_comes_twice(told: dict[str, list[Record]]) -> str:
    told["freshdesk"] += [it for it in told["freshdesk"] if it.name == "drawing.dwg"]
    return "a file is of no object"


def a_field_that_no_table_knows(told: dict[str, list[Record]]) -> str:
    n, it = next((n, it) for n, it in enumerate(told["freshdesk"]) if it.holding.kind == "contact")
    said = json.loads(it.body)
    del said["custom_fields"]
    told["freshdesk"][n] = Record.of(it.holding, said)
    return "1 texts are not there"


def a_conversation(told: dict[str, list[Record]]) -> str:
    n, it = next(
        (n, it) for n, it in enumerate(told["freshdesk"]) if b"which version" in it.body.lower()
    )
    said = json.loads(it.body)
    del said["conversations"][0]
    told["freshdesk"][n] = Record.of(it.holding, said)
    return "texts are not there"


LOSSES: tuple[Loss, ...] = (
    a_file_that_is_cut,
    a_file_that_is_left_out,
    a_file_that_comes_twice,
    a_field_that_no_table_knows,
    a_conversation,
)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda it: str(it.__name__))
def test_what_an_answer_lacks_of_what_it_has_is_named(
    acts: Acts, tmp_path: Path, loss: Loss
) -> None:
    says = loss(acts.answers["sent-files"])
    wrong = found_in(tmp_path, acts).wrong
    assert any(says in it for it in wrong), wrong
    assert all(it.endswith(", and sent-files asked") for it in wrong)
    assert not any(it in "".join(wrong) for it in ("@", "4711", "drawing"))


SLIPS: tuple[Slip, ...] = (
    the_strangers_contact_of_a_poisoned_lead,
    the_contact_that_a_lead_became,
    the_other_one_at_a_shared_mailbox,
    a_member_at_a_shared_mailbox,
    a_file_of_whom_a_rider_names,
    a_conversation_in_a_ticket,
    a_strangers_words_in_a_record_of_theirs,
    what_is_no_object,
    what_lies_nowhere,
)


@pytest.mark.parametrize("slip", SLIPS, ids=lambda it: str(it.__name__))
def test_a_strangers_record_in_an_answer_is_named_and_no_value_of_it(
    acts: Acts, tmp_path: Path, slip: Slip
) -> None:
    person, says = slip(acts)
    wrong = found_in(tmp_path, acts).wrong
    assert any(it.endswith(f": {says}, and {person} asked") for it in wrong), wrong
    assert all(it.endswith(f", and {person} asked") for it in wrong)
    assert "@" not in "".join(wrong)


@pytest.mark.parametrize(
    ("asker", "wrong"),
    [
        ("poisoned-lead", ""),
        ("rider", "is of rider, and poisoned-lead asked"),
        ("", "is of no object, and poisoned-lead asked"),
    ],
)
def test_a_record_of_a_request_must_be_of_one_that_the_person_made(
    acts: Acts, tmp_path: Path, asker: str, wrong: str
) -> None:
    """What the pipeline says of itself no vendor has: who made the request is known from ASKED."""
    folder = tmp_path / "answers"
    asked = packed(folder, acts)
    made = next((it for it, person in asked.items() if person == asker), str(uuid4()))
    record = {"kind": "request", "id": made, "data": {"request": made, "asked_for": []}}
    case = next(it for it, person in asked.items() if person == "poisoned-lead")
    with ZipFile(folder / f"{case}-1.zip", "a") as package:
        package.writestr("data/habeas.json", json.dumps([record]))
    owners = audit_answers.Owners(acts.expected, acts.before["states"])
    said = audit_answers.told(folder, asked, owners).wrong
    assert [it.rpartition(": ")[2] for it in said] == ([wrong] if wrong else [])


def test_answers_that_say_nothing_or_that_nobody_asked_for_are_no_pass(
    acts: Acts, tmp_path: Path
) -> None:
    owners = audit_answers.Owners(acts.expected, acts.before["states"])
    with pytest.raises(audit_answers.AuditError, match="no record"):
        audit_answers.told(tmp_path, {}, owners)
    asked = packed(tmp_path, acts)
    case = next(it for it, person in asked.items() if person == "rider")
    del asked[case]
    assert audit_answers.told(tmp_path, asked, owners).wrong == [
        f"{case}-1.zip: nobody asked for it"
    ]
    (tmp_path / f"{case}-2.zip").write_bytes(b"not a zip")
    with pytest.raises(audit_answers.AuditError, match="cannot be read"):
        audit_answers.told(tmp_path, {case: "rider", **asked}, owners)


def test_the_script_of_answers_says_how_much_it_read_and_exits_as_it_must(
    acts: Acts, files: dict[str, Path], tmp_path: Path
) -> None:
    folder, asked = tmp_path / "answers", tmp_path / "asked.json"
    given = (files["expected"], files["before"], asked, folder)
    asked.write_text(json.dumps(packed(folder, acts)))
    done = run(*given, script=audit_answers)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"in {len(acts.answers)} answers, all of the person who asked" in done.stdout
    the_contact_that_a_lead_became(acts)
    asked.write_text(json.dumps(packed(folder, acts)))
    done = run(*given, script=audit_answers)
    assert done.returncode == 1
    assert "is of customer-9" in done.stdout
    asked.write_text("[]")
    assert run(*given, script=audit_answers).returncode == 2


# As a script.


@pytest.fixture
def files(acts: Acts, tmp_path: Path) -> dict[str, Path]:
    given = {"expected": acts.expected, "before": acts.before, "after": acts.after}
    for name, it in given.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(it))
    return {name: tmp_path / f"{name}.json" for name in given}


def run(*given: Path, script: ModuleType = audit) -> subprocess.CompletedProcess[str]:
    """In a process of its own, isolated from this project."""
    command = [sys.executable, "-I", str(script.__file__), *map(str, given)]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


def test_the_script_exits_0_and_says_how_much_it_compared(files: dict[str, Path]) -> None:
    done = run(*files.values(), files["before"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "objects" in done.stdout
    assert "0 differences" in done.stdout


def test_the_script_exits_1_and_prints_a_line_a_difference(files: dict[str, Path]) -> None:
    done = run(files["expected"], files["before"], files["before"])
    assert done.returncode == 1
    assert "should be gone and is there\n" in done.stdout
    assert run(*files.values(), files["after"]).returncode == 1  # called too early


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("expected", "{}"),
        ("expected", '{"freshdesk": {"contact/1": {}}, "salesforce": {}}'),
        ("before", "{}"),
        ("after", '{"states": {"freshdesk": 1, "salesforce": 1}, "ledger": {"freshdesk": 1}}'),
        ("after", "not JSON"),
        ("after", "[]"),
    ],
)
def test_the_script_exits_2_when_it_could_not_compare(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    files[name].write_text(text)
    assert audit.main([str(it) for it in files.values()]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err[:7]) == ("", "audit: ")


def test_a_missing_file_or_argument_is_not_a_pass(files: dict[str, Path]) -> None:
    files["after"].unlink()
    assert audit.main([str(it) for it in files.values()]) == 2
    with pytest.raises(SystemExit, match="2"):
        audit.main([])


@pytest.mark.parametrize(
    "wanted",
    [{"then": "lost"}, {"then": "blank"}, {"then": "binned"}, {"then": "blank", "fields": []}],
)
def test_an_expectation_that_cannot_be_understood_is_not_a_pass(wanted: dict[str, Any]) -> None:
    states = {"freshdesk": {"contact/1": {"id": 1}}}
    ledger: dict[str, Any] = {"freshdesk": {"mutations": [], "calls": {}}}
    with pytest.raises(audit.AuditError):
        audit.compare({"freshdesk": {"contact/1": wanted}}, states, states, ledger)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (["vip", "ours"], []),
        (["vip"], ["freshdesk contact/1 tags: should be marked"]),
        (["ours"], ["freshdesk contact/1 tags: should be the same"]),
        (["vip", "ours", "new"], ["freshdesk contact/1 tags: should be the same"]),
    ],
)
def test_what_is_kept_bears_its_mark_and_is_the_same_beside_it(
    tags: list[str], said: list[str]
) -> None:
    wanted = {"then": "same", "marked": {"tags": "ours"}}
    before, after = ({"freshdesk": {"contact/1": {"tags": it}}} for it in (["vip"], tags))
    made = [{"key": "contact/1", "operation": "update"}]
    ledger: dict[str, Any] = {"freshdesk": {"mutations": made, "calls": {}}}
    expected = {"freshdesk": {"contact/1": wanted}}
    assert audit.compare(expected, before, after, ledger) == said
    assert audit.changing(expected) == 1


@pytest.mark.parametrize(
    "script", [audit, audit_answers, audit_decided], ids=lambda it: str(it.__name__)
)
def test_an_audit_imports_nothing_but_the_standard_library(script: ModuleType) -> None:
    tree = ast.parse(Path(str(script.__file__)).read_text())
    imports = [it for it in ast.walk(tree) if isinstance(it, ast.Import | ast.ImportFrom)]
    names = {
        name
        for it in imports
        for name in (
            [it.module or "."] if isinstance(it, ast.ImportFrom) else [a.name for a in it.names]
        )
    }
    assert {it.partition(".")[0] for it in names} <= sys.stdlib_module_names


# Seeding.


async def test_the_seed_says_whose_every_object_is() -> None:
    cast = load()
    async with running() as sandboxes:
        expected = await seed({it: made.url for it, made in sandboxes.items()}, cast)
        tickets = sandboxes["freshdesk"].table("ticket")
        contacts = sandboxes["freshdesk"].table("contact")
    leans = {it.key: it.leans_on() for it in cast.people}
    for id_, ticket in tickets.items():
        contact = f"contact/{ticket['requester_id']}"
        owner = expected["freshdesk"][contact]["person"]
        wrote = expected["freshdesk"][f"ticket/{id_}"]["person"]
        assert wrote == owner or owner in leans[wrote]
    names = {it.key: it.name for it in cast.people}
    assert len(set(leans.values())) > 1
    planted = {
        contacts[key.partition("/")[2]]["name"]: it["person"]
        for key, it in expected["freshdesk"].items()
        if key.startswith("contact/")
    }
    assert sum(names[key] == name for name, key in planted.items()) > 25


async def test_an_unreachable_sandbox_is_an_error_that_names_it() -> None:
    async with running() as sandboxes:
        url = sandboxes["freshdesk"].url
    with pytest.raises(SeedError, match="freshdesk: no answer"):
        await seed({"freshdesk": url}, load())


async def test_an_object_that_a_sandbox_refuses_is_an_error_without_its_content() -> None:
    async with running() as sandboxes:
        swapped = {"salesforce": sandboxes["freshdesk"].url}
        with pytest.raises(SeedError, match=r"^salesforce: the sandbox answered 400 to POST$"):
            await seed(swapped, load())

"""The audit lets the right result pass and names every other: real sandboxes, real connectors."""

from __future__ import annotations

import ast
import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.sdk import registry
from connectors.sdk.interface import Category, Connector, Holding, Identifier, Subject
from connectors.sdk.sandbox import Sandbox
from pipeline.demo import audit
from pipeline.demo.people import Cast, Request, load
from pipeline.demo.seed import Expected, SeedError, seed, snapshot

Snapshot = dict[str, dict[str, Any]]

SYSTEMS = ("aws", "freshdesk", "mailgun", "salesforce", "stripe")
BASIC = frozenset({("salesforce", "contact"), ("stripe", "customer")})
"""Of a customer: name and address stay."""
KEPT = frozenset({Category.IDENTITY, Category.CONTACT})
WHOLE = frozenset(
    {("stripe", it) for it in ("charge", "invoice", "checkout_session", "subscription")}
)
"""Of a customer: stays as it is."""
OPT_OUTS = frozenset({("mailgun", "unsubscribe"), ("mailgun", "complaint")})
BUYS = frozenset({("salesforce", "contact"), ("stripe", "charge"), ("stripe", "invoice")})
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Acts:
    """What the audit is given."""

    expected: Expected
    before: Snapshot
    after: Snapshot

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


async def find(connectors: Mapping[str, Connector], request: Request) -> dict[str, list[Holding]]:
    """What is held, with whatever else the systems know the person by."""
    strong = {Identifier(*it) for it in request.identifiers if it[0] != "phone"}
    held: dict[str, list[Holding]] = {it: [] for it in connectors}
    for _ in range(ROUNDS):
        for system, connector in connectors.items():
            async for page in connector.locate(Subject(tuple(strong)), held[system]):
                held[system] += [it for it in page.holdings if it not in held[system]]
                strong |= {it for it in page.identifiers if it.strong}
    return held


async def answer(connectors: Mapping[str, Connector], request: Request) -> None:
    """By hand what the pipeline does: find, export, and erase but for what the policy keeps."""
    held = await find(connectors, request)
    if "access" in request.claims:
        for system, connector in connectors.items():
            for it in held[system]:
                assert [record async for record in connector.export(it)]
    if "erasure" in request.claims:
        customer = any((of, it.kind) in BUYS for of in held for it in held[of])
        whole = OPT_OUTS | (WHOLE if customer else frozenset())
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
        for request in cast.requests():
            if request.ends == "answered":
                await answer(connectors, request)
        return Acts(expected, before, await snapshot(urls))


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
    idle = Acts(performed.expected, performed.before, performed.before)
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
    wrong = Acts(acts.expected, acts.after, acts.before)
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


# As a script.


@pytest.fixture
def files(acts: Acts, tmp_path: Path) -> dict[str, Path]:
    given = {"expected": acts.expected, "before": acts.before, "after": acts.after}
    for name, it in given.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(it))
    return {name: tmp_path / f"{name}.json" for name in given}


def run(*given: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own, isolated from this project."""
    script = [sys.executable, "-I", str(audit.__file__), *map(str, given)]
    return subprocess.run(script, capture_output=True, text=True, check=False)  # noqa: S603


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


def test_the_audit_imports_nothing_but_the_standard_library() -> None:
    tree = ast.parse(Path(str(audit.__file__)).read_text())
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
    for id_, ticket in tickets.items():
        contact = f"contact/{ticket['requester_id']}"
        owner = expected["freshdesk"][contact]["person"]
        assert expected["freshdesk"][f"ticket/{id_}"]["person"] == owner
    names = {it.key: it.name for it in cast.people}
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

"""What a host does about one row, and what it says of it once it has read it anew."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from connectors.mailgun import Mailgun, MailgunSandbox
from connectors.salesforce import Salesforce, SalesforceSandbox
from connectors.sdk import registry
from connectors.sdk.interface import (
    Category,
    Connector,
    Datum,
    Holding,
    Identifier,
    Lifted,
    NeedsHuman,
    Outcome,
    Rectified,
    Restricted,
    Subject,
    Unaffected,
)
from connectors.stripe import Stripe, StripeSandbox
from pipeline.case.outcome import from_row
from pipeline.case.rights import RECTIFICATION, RESTRICTION, Verb
from pipeline.crypto.grants import Grant
from pipeline.stages.apply import _Measure
from pipeline.stages.bore import Look, bore
from pipeline.stages.look import Asked
from pipeline.stages.tags import Tags
from pipeline.stages.vendor import Vendor
from pipeline.storage.objects import FolderObjects
from schemas.events import MeasureOrdered
from schemas.records import MeasureRow, OutcomeRow, SealedChange
from schemas.sealed import SealError

First = Callable[[str, Look], Awaitable[frozenset[bytes]]]

LIST, ANN, NEW = "news@lists.example.com", "ann@example.org", "ann.lee@example.org"
TAG = b"member"
ROW = MeasureRow(tag=TAG, kind="member", categories=(Category.CONTACT, Category.IDENTITY))
CHANGES = (
    SealedChange(datum=Datum.EMAIL, was=ANN, to=NEW),
    SealedChange(datum=Datum.NAME, was="Anne", to="Ann"),
)


@pytest.fixture
async def sandbox() -> AsyncIterator[MailgunSandbox]:
    async with MailgunSandbox() as made:
        made.plant("member", {"list": LIST, "address": ANN, "name": "Anne"})
        yield made


def ordered(verb: Verb, right: str, *rows: MeasureRow) -> MeasureOrdered:
    return MeasureOrdered(
        case=uuid4(),
        order=uuid4(),
        system="any",
        n=1,
        attempt=1,
        right=right,
        verb=verb,
        not_after=datetime.now(UTC) + timedelta(hours=1),
        run_limit=60,
        rows=rows,
    )


async def asked_once(name: str, look: Look) -> frozenset[bytes]:
    """Nothing was written down: the order comes for the first time."""
    del name
    return await look()


async def applied(
    connector: Connector,
    order: MeasureOrdered,
    known: Mapping[bytes, Holding],
    *proved: str,
    changes: Sequence[SealedChange] = CHANGES,
) -> dict[tuple[bytes, str], Outcome]:
    """What one order brings about, by tag and category."""
    done = await rows_of(connector, order, known, *proved, changes=changes)
    return {row: from_row(it) for row, it in done.items()}


async def rows_of(
    connector: Connector,
    order: MeasureOrdered,
    known: Mapping[bytes, Holding],
    *proved: str,
    changes: Sequence[SealedChange] = CHANGES,
    first: First = asked_once,
) -> dict[tuple[bytes, str], OutcomeRow]:
    """The same, as it travels."""
    tags = Tags(
        key=b"",
        system=order.system,
        identifiers={},
        spellings=frozenset(),
        holdings=dict[Holding, bytes](),
    )
    subject = Subject(tuple(Identifier("email", it) for it in proved))
    whom = Asked(subject, known, frozenset(), "", tags)
    vendor = Vendor(connector, order.case, lambda: datetime.now(UTC))
    return await _Measure(vendor, order, whom, changes, first).done()


async def rectified(sandbox: MailgunSandbox, *proved: str) -> dict[str, Outcome]:
    """What one order brings about, by category."""
    order = ordered(Verb.RECTIFY, RECTIFICATION, ROW)
    known = {TAG: Holding("member", f"{LIST}/{ANN}")}
    async with registry.build(Mailgun, sandbox.environ()) as connector:
        done = await applied(connector, order, known, *proved)
    return {category: outcome for (_, category), outcome in done.items()}


async def test_nothing_goes_to_an_address_that_nobody_has_shown_to_be_theirs(
    sandbox: MailgunSandbox,
) -> None:
    """Whoever has it would have the record. What else is right is written, once."""
    for _ in range(2):
        assert await rectified(sandbox, ANN) == {
            Category.CONTACT: NeedsHuman("address_unproved"),
            Category.IDENTITY: Rectified(),
        }
    (row,) = sandbox.table("member").values()
    assert (row["address"], row["name"], len(sandbox.ledger)) == (ANN, "Ann", 1)


async def test_a_record_that_would_be_another_one_is_for_a_person(sandbox: MailgunSandbox) -> None:
    """What the case knows by its id would not be found there any more."""
    outcomes = await rectified(sandbox, ANN, NEW)
    assert outcomes[Category.CONTACT] == NeedsHuman("moves_record")
    assert [it["address"] for it in sandbox.table("member").values()] == [ANN]


async def test_what_is_gone_and_somebody_elses_is_not_written(sandbox: MailgunSandbox) -> None:
    """Under the new address there may be another one."""
    sandbox.table("member").clear()
    sandbox.plant("member", {"list": LIST, "address": NEW, "name": "Somebody"})
    assert await rectified(sandbox, NEW) == dict.fromkeys(ROW.categories, Unaffected())
    assert sandbox.ledger == []


async def test_what_is_wrong_in_another_field_is_not_called_right() -> None:
    """A correction is one of the record, and not of the field that somebody thought of."""
    async with StripeSandbox() as vendor:
        (key,) = vendor.seed(
            [
                {
                    "kind": "customer",
                    "email": ANN,
                    "address": {"city": "Bonn"},
                    "description": "Moved from Bonn to Bonn-Beuel.",
                }
            ]
        )
        known = {TAG: Holding("customer", key.partition("/")[2])}
        row = MeasureRow(tag=TAG, kind="customer", categories=("contact", "identity"))
        order = ordered(Verb.RECTIFY, RECTIFICATION, row)
        changes = (SealedChange(datum="city", to="Kiel"),)
        async with registry.build(Stripe, vendor.environ()) as connector:
            done = await applied(connector, order, known, ANN, changes=changes)
        assert vendor.state()[key]["address"]["city"] == "Kiel"
        assert done == {
            (TAG, "contact"): NeedsHuman("stands_elsewhere"),
            (TAG, "identity"): Unaffected(),
        }


async def test_a_mark_that_was_there_before_is_told_apart() -> None:
    """Nobody takes off what somebody else has set."""
    async with StripeSandbox() as vendor:
        marked = {"habeas_restricted": "true"}
        (key,) = vendor.seed([{"kind": "customer", "email": ANN, "metadata": marked}])
        known = {TAG: Holding("customer", key.partition("/")[2])}
        row = MeasureRow(tag=TAG, kind="customer", categories=("contact",))
        async with registry.build(Stripe, vendor.environ()) as connector:
            rows = await rows_of(connector, ordered(Verb.RESTRICT, RESTRICTION, row), known)
        assert {it.reason for it in rows.values()} == {"already"}
        assert vendor.ledger == []


async def test_owners_are_marked_and_lifted_before_their_parts() -> None:
    """Whatever their tags are: a comment stands through its case, a case through its contact."""
    async with SalesforceSandbox() as org:
        contact = org.add_contact(Email=ANN)
        case = org.add_case(ContactId=contact)
        comment = org.add_comment(ParentId=case, CommentBody="She called.")
        ids = {"comment": comment, "case": case, "contact": contact}
        known = {kind.encode(): Holding(kind, id_) for kind, id_ in ids.items()}
        about = (Category.PROFILE,)
        rows = [MeasureRow(tag=kind.encode(), kind=kind, categories=about) for kind in ids]
        async with registry.build(Salesforce, org.environ()) as connector:
            for verb, outcome in ((Verb.RESTRICT, Restricted()), (Verb.LIFT, Lifted())):
                done = await applied(connector, ordered(verb, RESTRICTION, *rows), known)
                assert done == {(tag, Category.PROFILE): outcome for tag in known}


async def test_a_mark_that_an_order_set_before_its_host_died_is_its_own(tmp_path: Path) -> None:
    """The same order comes again. One that was somebody else's before is so still."""
    grant = Grant("record", uuid4(), "stripe", os.urandom(32))
    first = partial(bore, FolderObjects(tmp_path), grant)
    async with StripeSandbox() as vendor:
        theirs = {"habeas_restricted": "true"}
        people = [{"kind": "customer", "email": ANN, "metadata": it} for it in ({}, theirs)]
        ids = [it.partition("/")[2] for it in vendor.seed(people)]
        known = {it.encode(): Holding("customer", it) for it in ids}
        about = (Category.CONTACT,)
        rows = [MeasureRow(tag=it, kind="customer", categories=about) for it in known]
        order = ordered(Verb.RESTRICT, RESTRICTION, *rows)
        async with registry.build(Stripe, vendor.environ()) as connector:
            for _ in range(2):
                done = await rows_of(connector, order, known, first=first)
                said = {tag.decode(): it.reason for (tag, _), it in done.items()}
                assert said == {ids[0]: None, ids[1]: "already"}
        assert len(vendor.ledger) == 1


async def test_what_bore_a_mark_is_written_once_and_opens_for_its_host_alone(
    tmp_path: Path,
) -> None:
    """Of two hosts with one order both say what was there when the first of them came."""
    grant = Grant("record", uuid4(), "stripe", os.urandom(32))
    objects = FolderObjects(tmp_path)

    async def look() -> frozenset[bytes]:
        async def other() -> frozenset[bytes]:
            return frozenset({TAG})

        return await bore(objects, grant, "case/stripe-restrict-1", other) - {TAG}

    assert await bore(objects, grant, "case/stripe-restrict-1", look) == {TAG}
    with pytest.raises(SealError):
        await bore(objects, replace(grant, key=bytes(32)), "case/stripe-restrict-1", look)

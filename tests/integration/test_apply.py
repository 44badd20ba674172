"""What a host did about one row is read anew, also where a correction has put it elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
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
    Lifted,
    NeedsHuman,
    Outcome,
    Rectified,
    Restricted,
    Subject,
    Unaffected,
)
from pipeline.case.rights import RECTIFICATION, RESTRICTION, Verb
from pipeline.stages.apply import _Measure
from pipeline.stages.look import Asked
from pipeline.stages.tags import Tags
from pipeline.stages.vendor import Vendor
from schemas.events import MeasureOrdered
from schemas.records import MeasureRow, SealedChange

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


async def applied(
    connector: Connector, order: MeasureOrdered, known: Mapping[bytes, Holding]
) -> dict[tuple[bytes, str], Outcome]:
    """What one order brings about, by tag and category."""
    tags = Tags(
        key=b"",
        system=order.system,
        identifiers={},
        spellings=frozenset(),
        holdings=dict[Holding, bytes](),
    )
    whom = Asked(Subject(()), known, frozenset(), "", tags)
    vendor = Vendor(connector, order.case, lambda: datetime.now(UTC))
    return await _Measure(vendor, order, whom, CHANGES).done()


async def rectified(sandbox: MailgunSandbox) -> dict[str, Outcome]:
    """What one order brings about, by category."""
    order = ordered(Verb.RECTIFY, RECTIFICATION, ROW)
    known = {TAG: Holding("member", f"{LIST}/{ANN}")}
    async with registry.build(Mailgun, sandbox.environ()) as connector:
        done = await applied(connector, order, known)
    return {category: outcome for (_, category), outcome in done.items()}


async def test_a_member_is_read_under_the_address_that_was_corrected(
    sandbox: MailgunSandbox,
) -> None:
    """The same order again finds it there, and writes nothing."""
    for _ in range(2):
        assert await rectified(sandbox) == dict.fromkeys(ROW.categories, Rectified())
    (row,) = sandbox.table("member").values()
    assert (row["address"], row["name"], len(sandbox.ledger)) == (NEW, "Ann", 2)


async def test_what_cannot_be_moved_is_read_where_it_is(sandbox: MailgunSandbox) -> None:
    sandbox.plant("unsubscribe", {"domain": "lists.example.com", "address": ANN})
    assert await rectified(sandbox) == {
        Category.CONTACT: NeedsHuman("has_opted_out"),
        Category.IDENTITY: Rectified(),
    }


async def test_what_is_gone_and_somebody_elses_is_not_written(sandbox: MailgunSandbox) -> None:
    """Under the new address there may be another one."""
    sandbox.table("member").clear()
    sandbox.plant("member", {"list": LIST, "address": NEW, "name": "Somebody"})
    assert await rectified(sandbox) == {
        Category.CONTACT: Rectified(),
        Category.IDENTITY: Unaffected(),
    }
    assert sandbox.ledger == []


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

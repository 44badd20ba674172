"""What a host did about one row is read anew, also where a correction has put it elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from connectors.mailgun import Mailgun, MailgunSandbox
from connectors.sdk import registry
from connectors.sdk.interface import (
    Category,
    Datum,
    Holding,
    NeedsHuman,
    Outcome,
    Rectified,
    Subject,
    Unaffected,
)
from pipeline.case.rights import RECTIFICATION, Verb
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


async def rectified(sandbox: MailgunSandbox) -> dict[str, Outcome]:
    """What one order brings about, by category."""
    order = MeasureOrdered(
        case=uuid4(),
        order=uuid4(),
        system="mailgun",
        n=1,
        attempt=1,
        right=RECTIFICATION,
        verb=Verb.RECTIFY,
        not_after=datetime.now(UTC) + timedelta(hours=1),
        run_limit=60,
        rows=(ROW,),
    )
    known = {TAG: Holding("member", f"{LIST}/{ANN}")}
    tags = Tags(
        key=b"",
        system="mailgun",
        identifiers={},
        spellings=frozenset(),
        holdings=dict[Holding, bytes](),
    )
    whom = Asked(Subject(()), known, frozenset(), "", tags)
    async with registry.build(Mailgun, sandbox.environ()) as connector:
        vendor = Vendor(connector, order.case, lambda: datetime.now(UTC))
        done = await _Measure(vendor, order, whom, CHANGES).done()
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

"""Documents that customers upload: we are their processor, and they decide (GDPR Art. 4(8), 28)."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from pipeline import policy
from pipeline.case import inbox, lifecycle
from schemas import events as e

from .people import ANN
from .test_open_items import settled
from .world import Answer, World

CUSTOMER, DPO = "privacy@customer.example", "info@bizxpert.com"
SECRET, OURS = "invoice of a customer", "a file of ours"
NAMED = "a customer of whom nobody else is told"
ROW = """
[[documents]]
id = "uploads"
system = "aws"
begins = "{begins}"
customer = "{named}"
contact = "{contact}"
"""


@asynccontextmanager
async def bucket(
    folder: Path, contact: str, begins: str = "files/uploads/"
) -> AsyncIterator[World]:
    """A document and an unfinished upload under a person's address."""
    known = folder / "policy"
    known.mkdir()
    for name in policy.FILES:
        shutil.copy(Path(policy.__file__).parent / name, known / name)
    with (known / policy.FILES[0]).open("a") as out:
        out.write(ROW.format(contact=contact, begins=begins, named=NAMED))
    async with World(folder, systems=("aws",), options={"policy": str(known)}) as world:
        at = {"Bucket": "files", "Key": f"uploads/{ANN}/invoice.txt"}
        world.holds("aws", "object", **at, Body=SECRET)
        half = {**at, "Key": f"uploads/{ANN}/half", "Parts": ["half"]}
        world.holds("aws", "upload", **half)
        yield world


def whole(answer: Answer) -> bytes:
    return b"".join(answer.files.values())


@pytest.mark.parametrize("contact", [CUSTOMER, ""])
async def test_neither_copied_nor_erased_and_the_customer_is_told(
    tmp_path: Path, contact: str
) -> None:
    """GDPR Art. 28(3)(a), (e): on the customer's instructions alone (policy, "Controller")."""
    async with bucket(tmp_path, contact) as world:
        before = world.vendors["aws"].state()
        await world.submit("access", "erasure", email=ANN)
        assert world.vendors["aws"].state() == before
        assert world.effects("aws") == []
        (found,) = await world.said(e.DocumentsFound)
        assert (found.of, found.count) == ("uploads", 2)
        answer = await world.answer(1)
        assert SECRET.encode() not in whole(answer)
        assert "decides about it as the controller" in answer.text
        assert "neither copied nor erased" in answer.text
        assert CUSTOMER not in answer.text
        assert NAMED not in answer.text
        told = [it for it in world.mails() if "Art. 28(3)(e)" in it.text]
        assert [it.to for it in told] == [contact or DPO]
        assert ANN not in told[0].text
        report = world.report()
        assert {it["kind"]: it["count"] for it in report.document["documents"]} == {
            "object": 1,
            "upload": 1,
        }
        assert {it["state"] for it in report.document["claims"]} == {"no_data"}


async def test_what_is_ours_beside_them_is_copied_and_erased(tmp_path: Path) -> None:
    """GDPR Art. 15(3), 17(1): being a processor of some files is no reason to keep the others."""
    theirs = f"files/uploads/{quote(ANN)}/invoice"  # as S3's ids are written
    async with bucket(tmp_path, CUSTOMER, begins=theirs) as world:
        at = {"Bucket": "files", "Key": f"uploads/{ANN}/wishes.txt"}
        ours = world.holds("aws", "object", **at, Body=OURS)
        before = world.vendors["aws"].state()
        await world.submit("access", "erasure", email=ANN)
        assert before.keys() - world.vendors["aws"].state().keys() == {ours}
        answer = await world.answer(1)
        assert OURS.encode() in whole(answer)
        assert SECRET.encode() not in whole(answer)
        assert "decides about it as the controller" in answer.text
        claims = world.report().document["claims"]
        assert {it["state"] for it in claims} == {"fulfilled"}


async def test_where_nobody_knows_the_customer_the_dpo_has_it_on_their_list(
    tmp_path: Path,
) -> None:
    """GDPR Art. 28(3)(e), 39(1): until a person says that the customer was told, and by what."""
    async with bucket(tmp_path, "") as world:
        await world.submit("access", email=ANN)
        (item,) = inbox.waiting(await world.case(), world.rules)
        assert item.kind == inbox.DOCUMENTS
        assert (await world.case()).state == lifecycle.PEOPLE
        await settled(world, item, evidence="told by the account manager on 2 March")
        assert not list(inbox.waiting(await world.case(), world.rules))

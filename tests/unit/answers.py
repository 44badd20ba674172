"""A realistic response order: exports that lie sealed, and everything that became of them."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

from connectors.sdk.interface import Holding, Record
from pipeline import policy
from pipeline.crypto import grants
from pipeline.crypto.grants import Grants
from pipeline.crypto.segments import open_stream, pack, seal_stream
from pipeline.keys.answer_keys import AnswerKeys
from pipeline.stages.assemble import Assemble
from pipeline.storage.objects import FolderObjects
from schemas.codec import locked
from schemas.events import CaseReported, ResponseOrdered, ResponseSigned
from schemas.records import (
    ClaimRow,
    CoverageRow,
    ExportRow,
    FoundRow,
    ObligationRow,
    OutcomeRow,
    RegardedRow,
    ResponseRow,
    Sealed,
    SealedIdentifier,
    SystemRow,
)
from schemas.sealed import seal_event

CASE = UUID("6f1c2c52-5f0a-4e0e-9c1e-0d3a1b2c4d5e")
RECEIVED = datetime(2026, 3, 5, 9, 30, tzinfo=UTC)
NOW = datetime(2026, 3, 9, 14, 0, tzinfo=UTC)
RULE = "bizxpert.basic-customer-record"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \u202e{{ 7*7 }}"

PERSON = Sealed(
    name="Ann Lee",
    identifiers=(
        SealedIdentifier(tag=b"t" * 16, kind="email", value="ann.lee@example.org"),
        SealedIdentifier(tag=b"u" * 16, kind="user_id", value="u-48213"),
    ),
)


def record(kind: str, id_: str, body: object) -> Record:
    """A record as a connector exports it."""
    return Record(Holding(kind, id_), json.dumps(body).encode())


def freshdesk() -> list[Record]:
    """A contact and two tickets, one with a conversation in two pages, one hostile."""
    return [
        record("contact", "103", _contact()),
        record("ticket", "4711", {**_ticket(4711, "Invoice export fails"), "conversations": TALK}),
        record("ticket", "4711", {"id": 4711, "conversations": LATER}),
        record("ticket", "4712", {**_ticket(4712, HOSTILE), "conversations": []}),
    ]


def salesforce() -> list[Record]:
    """A contact and a case with its comment."""
    return [
        record("comment", "00aKA00000Xy1zABCD", {"CommentBody": "Called back.", "Id": "00a"}),
        record("case", "500KA00000Xy1zQYAR", _case()),
        record("contact", "003KA00000Xy1zQYAR", _person()),
    ]


def _contact() -> dict[str, object]:
    return {
        "id": 103,
        "name": "Ann Lee",
        "email": "ann.lee@example.org",
        "phone": "+353 1 555 0100",
        "mobile": None,
        "job_title": "Head of Finance",
        "address": "12 Harbour Road\nDublin 1\nIreland",
        "language": "en",
        "time_zone": "Dublin",
        "tags": ["vip", "webinar-2025"],
        "other_emails": ["a.lee@example.net"],
        "custom_fields": {"preferred_product": "Invoices", "newsletter": True, "cf_nothing": None},
        "created_at": "2024-01-15T09:12:00Z",
        "updated_at": "2026-02-20T16:40:11Z",
        "twitter_id": None,
    }


def _ticket(number: int, subject: str) -> dict[str, object]:
    return {
        "id": number,
        "subject": subject,
        "description": f"<div>Hello,<br>the export of our invoices stops at page 3. {number}</div>",
        "description_text": f"Hello, the export of our invoices stops at page 3. {number}",
        "status": 4,
        "priority": 2,
        "cc_emails": [],
        "created_at": "2026-02-18T10:02:00Z",
    }


TALK = [
    {
        "id": 1,
        "body": "<div>Thank you for writing. Which browser is it?</div>",
        "body_text": "Thank you for writing. Which browser is it?",
        "incoming": False,
        "private": False,
        "created_at": "2026-02-18T10:30:00Z",
    },
    {
        "id": 2,
        "body": "<div>Firefox, the newest. The page says “Error 17”.</div>",
        "body_text": "Firefox, the newest. The page says “Error 17”.",
        "incoming": True,
        "private": False,
        "created_at": "2026-02-18T11:05:00Z",
    },
]
LATER = [
    {
        "id": 3,
        "body": "<p>Customer on annual plan; <b>escalated</b> to the platform team.</p>",
        "incoming": False,
        "private": True,
        "created_at": "2026-02-19T08:00:00Z",
    },
    {
        "id": 4,
        "body_text": "It is mended. Could you try once more?\n\nKind regards\nSupport",
        "incoming": False,
        "private": False,
        "created_at": "2026-02-20T16:40:00Z",
    },
]


def _case() -> dict[str, object]:
    return {
        "Id": "500KA00000Xy1zQYAR",
        "CaseNumber": "00001042",
        "Subject": "Question about the annual plan",
        "Description": "Does the annual plan include the archive?",
        "SuppliedEmail": "ann.lee@example.org",
        "SuppliedPhone": None,
        "Status": "Closed",
        "CreatedDate": "2025-11-03T12:00:00.000+0000",
    }


def _person() -> dict[str, object]:
    return {
        "attributes": {"type": "Contact", "url": "/services/data/v62.0/sobjects/Contact/003"},
        "FirstName": "Ann",
        "LastName": "Lee",
        "Birthdate": "1984-07-02",
        "Email": "ann.lee@example.org",
        "MobilePhone": "+353 87 555 0101",
        "MailingCity": "Dublin",
        "HasOptedOutOfEmail": True,
        "LeadSource": "Webinar",
        "Marketing_Interests__c": "Archive;Invoices",
        "Description": None,
    }


def _found(system: str, kind: str, category: str, count: int = 1) -> FoundRow:
    return FoundRow(system=system, kind=kind, category=category, count=count)


FOUND = (
    _found("freshdesk", "contact", "contact"),
    _found("freshdesk", "contact", "identity"),
    _found("freshdesk", "contact", "profile"),
    _found("freshdesk", "ticket", "profile", 2),
    _found("freshdesk", "ticket", "usage", 2),
    _found("salesforce", "case", "contact"),
    _found("salesforce", "case", "profile"),
    _found("salesforce", "comment", "profile"),
    _found("salesforce", "contact", "contact"),
    _found("salesforce", "contact", "identity"),
    _found("salesforce", "contact", "marketing"),
)


def access_rows() -> Iterable[CoverageRow]:
    """Everything that was found was exported; one system is unknown."""
    for it in FOUND:
        yield _row(it, "proved", OutcomeRow(kind="exported"), "access")
    yield _unknown("access")


def erasure_rows() -> Iterable[CoverageRow]:
    """Some of it erased, kept, going by itself, and open."""
    purge = datetime(2026, 4, 8, tzinfo=UTC)
    special = {
        ("freshdesk", "ticket"): ("dated", OutcomeRow(kind="expires", until=purge)),
        ("salesforce", "contact"): ("kept", OutcomeRow(kind="retained", rule=RULE)),
        ("salesforce", "comment"): ("open", OutcomeRow(kind="failed", reason="forbidden")),
    }
    for it in FOUND:
        state, outcome = special.get((it.system, it.kind), ("proved", OutcomeRow(kind="erased")))
        if it.category == "marketing":
            state, outcome = "proved", OutcomeRow(kind="redacted")
        yield _row(it, state, outcome, "erasure")
    yield _unknown("erasure")


def _row(it: FoundRow, state: str, outcome: OutcomeRow, right: str) -> CoverageRow:
    return CoverageRow(
        system=it.system,
        kind=it.kind,
        category=it.category,
        state=state,
        outcome=outcome,
        count=it.count,
        right=right,
    )


def _unknown(right: str) -> CoverageRow:
    failed = OutcomeRow(kind="failed", reason="unauthorised")
    whole = FoundRow(system="stripe", kind="system", category="", count=1)
    return _row(whole, "open", failed, right)


SYSTEMS = (
    SystemRow(system="freshdesk", searched="found", rounds=2, found=3, calls=11),
    SystemRow(system="mailgun", searched="nothing", rounds=1, calls=2),
    SystemRow(system="salesforce", searched="found", rounds=2, found=3, calls=9),
    SystemRow(system="stripe", searched="failed: unauthorised", rounds=1, calls=1),
)
OBLIGATIONS = (
    ObligationRow(obligation=uuid4(), system="salesforce", state="kept", count=2, rule=RULE),
    ObligationRow(
        obligation=uuid4(),
        system="freshdesk",
        state="dated",
        count=4,
        until=datetime(2026, 4, 8, tzinfo=UTC),
    ),
)


def order(exports: Sequence[ExportRow] = (), *rights: str, kind: str = "final") -> ResponseOrdered:
    """A response to these claims, by default to access and erasure. Nothing is sealed yet."""
    asked = rights or ("access", "erasure")
    rows = [*access_rows()] if "access" in asked else []
    rows += erasure_rows() if "erasure" in asked else ()
    settled = None if kind == "interim" else NOW
    return ResponseOrdered(
        case=CASE,
        order=uuid4(),
        n=1,
        attempt=1,
        kind=kind,
        not_after=NOW + timedelta(hours=1),
        run_limit=600,
        claims=tuple(
            ClaimRow(right=it, state="partially_fulfilled", settled_at=settled) for it in asked
        ),
        received_at=RECEIVED,
        due_at=datetime(2026, 4, 5, 23, 59, 59, tzinfo=UTC),
        policy=policy.load().digest,
        head=sha256(b"the ledger").digest(),
        systems=SYSTEMS,
        found=FOUND,
        coverage=tuple(rows),
        obligations=OBLIGATIONS if "erasure" in asked else (),
        exports=tuple(exports),
    )


def report() -> CaseReported:
    """The report of the example person's case."""
    ordered = order()
    return CaseReported(
        case=ordered.case,
        n=2,
        state="answered",
        claims=ordered.claims,
        received_at=ordered.received_at,
        due_at=ordered.due_at,
        reported_at=NOW,
        intake="website",
        level=2,
        method="vouched",
        policy=ordered.policy,
        plans=1,
        approved_by="policy",
        systems=ordered.systems,
        found=ordered.found,
        coverage=ordered.coverage,
        obligations=ordered.obligations,
        responses=(
            ResponseRow(n=1, kind="final", claims=("access",), digest=b"d" * 32, notified="sent"),
        ),
        head=ordered.head,
        regarded=tuple(
            RegardedRow(
                right=claim.right,
                system=it.system,
                kind=it.kind,
                category=it.category,
                count=it.count,
            )
            for claim in ordered.claims
            for it in ordered.found
        ),
    )


@dataclass(frozen=True)
class Bench:
    """The response host's world in a folder."""

    root: Path
    grants: Grants
    objects: FolderObjects
    signer: AnswerKeys
    key: Path
    """The public key."""

    async def export(self, system: str, records: AsyncIterator[Record] | list[Record]) -> ExportRow:
        """Seal records as a connector's host does."""
        grant = self.grants.package(system)
        name, count = f"{CASE}/{system}-{os.urandom(4).hex()}-1", 0

        async def packed() -> AsyncIterator[bytes]:
            nonlocal count
            if isinstance(records, list):
                for it in records:
                    count += not it.more
                    yield pack(it)
                return
            async for it in records:
                count += not it.more
                yield pack(it)

        await self.objects.put(name, seal_stream(grant.key, grant.key_id, name, packed()))
        digest, size = sha256(), 0
        async for chunk in self.objects.get(name):
            digest.update(chunk)
            size += len(chunk)
        return ExportRow(system=system, name=name, digest=digest.digest(), records=count, size=size)

    async def assemble(self, ordered: ResponseOrdered, person: Sealed = PERSON) -> ResponseSigned:
        """Let the response host work on an order."""
        record = self.grants.record()
        sealed = seal_event(locked(), ordered, person, record.key, record.key_id, "response")
        work = Assemble(
            self.objects,
            self.signer,
            {policy.load().digest: policy.load()},
            locked(),
            now=lambda: NOW,
        )
        (signed,) = await work(sealed, self.grants)
        assert isinstance(signed, ResponseSigned)
        return signed

    async def package(self, ordered: ResponseOrdered, person: Sealed = PERSON) -> Path:
        """Assemble, and open what was assembled into a file."""
        signed = await self.assemble(ordered, person)
        return await self.open(signed)

    async def open(self, signed: ResponseSigned) -> Path:
        """A package as its subject receives it."""
        key = self.grants.package("response").key
        path = self.root / "package.zip"
        with path.open("wb") as file:
            async for chunk in open_stream(key, signed.name, self.objects.get(signed.name)):
                file.write(chunk)
        return path

    async def whole(self) -> Path:
        """The package of the example person."""
        exports = [
            await self.export("freshdesk", freshdesk()),
            await self.export("salesforce", salesforce()),
        ]
        return await self.package(order(exports))


def bench(root: Path) -> Bench:
    """A fresh one, with keys of its own."""
    record, package = os.urandom(32), os.urandom(32)
    systems = ("response", "freshdesk", "salesforce")
    package_id = uuid4()
    granted = Grants(
        (
            grants.grant(grants.RECORD, record, uuid4(), "response"),
            *(grants.grant(grants.PACKAGE, package, package_id, it) for it in systems),
        )
    )
    signer = AnswerKeys(root / "keys")
    signer.create(NOW)
    (root / "objects").mkdir(exist_ok=True)
    return Bench(root, granted, FolderObjects(root / "objects"), signer, signer.current_public)


def with_exports(ordered: ResponseOrdered, *exports: ExportRow) -> ResponseOrdered:
    """The order with other exports."""
    return replace(ordered, exports=exports)

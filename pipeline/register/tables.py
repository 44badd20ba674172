"""The tables of the register. What names a person is sealed; times are UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(TypeDecorator[datetime]):
    """An aware datetime, stored as microseconds since 1970 so that every database agrees."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        del dialect
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else _EPOCH + timedelta(microseconds=value)


metadata = MetaData()

cases = Table(
    "cases",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", Integer, nullable=False, doc="of the last event in the ledger"),
    Column("head", LargeBinary, nullable=False, doc="of the ledger's hash chain"),
    Column("state", String(32), nullable=False),
    Column("claims", Text, nullable=False, doc="right=state, comma-separated"),
    Column("waiting", Text, nullable=False, doc="orders that wait for an answer"),
    Column("broken", Text, nullable=False, doc="sums that differ; empty if none"),
    Column("received_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
)

ledger = Table(
    "ledger",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("event_id", Uuid, nullable=False, unique=True),
    Column("type", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", Moment, nullable=False),
)

unchained = Table(
    "unchained",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("event_id", Uuid, nullable=False, unique=True),
    Column("type", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False, doc="empty where nobody can read it any more"),
    Column("at", Moment, nullable=False),
)
"""What a recovery knows to have been said after a case's ledger ends, and cannot chain to it."""

outbox = Table(
    "outbox",
    metadata,
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    Column("topic", String(249), nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("headers", Text, nullable=False, doc="JSON: name, base64 value"),
    Column("at", Moment, nullable=False),
)

offsets = Table(
    "offsets",
    metadata,
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next", BigInteger, nullable=False),
)

dues = Table(
    "dues",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("ref", String(64), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("claimed_until", Moment, nullable=False),
    Column(
        "system",
        String(64),
        nullable=False,
        server_default="",
        doc="where a hold stops it: a task's; empty if none does",
    ),
    Index("dues_at", "at"),
)

set_aside = Table(
    "set_aside",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("why", Text, nullable=False, doc="why nothing more is decided about it"),
    Column("at", Moment, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("system", String(64), nullable=False, doc="`*` is every system"),
    Column("reason", Text, nullable=False),
    Column("engaged_by", Text, nullable=False, doc="a login, `the brake` or a command"),
    Column("engaged_at", Moment, nullable=False),
    Column("lifted_at", Moment, doc="empty while nothing is erased; rows stay, for audit"),
)

lifts = Table(
    "lifts",
    metadata,
    Column("hold", Uuid, primary_key=True),
    Column("console", String(64), primary_key=True),
    Column("key", LargeBinary, nullable=False, doc="the console's public key, then"),
    Column("signature", LargeBinary, nullable=False),
    Column("login", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

erasures = Table(
    "erasures",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("system", String(64), primary_key=True),
    Column("n", Integer, primary_key=True, doc="the task's number; attempts do not count"),
    Column("holdings", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Index("erasures_at", "system", "at"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", Uuid, nullable=False, doc="a case or an obligation"),
    Column("purpose", String(16), nullable=False),
    Column("wrapping", String(64), nullable=False, doc="id of the key that wraps it"),
    Column("wrapped", LargeBinary, nullable=False, doc="empty once destroyed"),
    Column("created_at", Moment, nullable=False),
    Column("destroy_at", Moment),
    Column("destroyed_at", Moment),
    Index("keys_owner", "owner"),
    Index("keys_wrapping", "wrapping"),
    Index(
        "keys_destroy_at",
        "destroy_at",
        sqlite_where=text("destroyed_at IS NULL"),
        postgresql_where=text("destroyed_at IS NULL"),
    ),
)

subjects = Table(
    "subjects",
    metadata,
    Column("hash", LargeBinary, primary_key=True, doc="keyed, of an identifier that is proved"),
    Column("case_id", Uuid, primary_key=True),
    Column("created_at", Moment, nullable=False),
    Index("subjects_case_id", "case_id"),
)
"""Whose cases are whose, for as long as a case's record key lives."""

erased = Table(
    "erased",
    metadata,
    Column("hash", LargeBinary, primary_key=True, doc="keyed, of an identifier of theirs"),
    Column("case_id", Uuid, primary_key=True),
    Column("erased_at", Moment, nullable=False),
    Column("forget_at", Moment, nullable=False),
    Index("erased_forget_at", "forget_at"),
)
"""For whom something was erased, until a date of its own: cases and their keys may end before."""

wrapping_keys = Table(
    "wrapping_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("left_at", Moment, nullable=False, doc="since when no living case key is under it"),
)

links = Table(
    "links",
    metadata,
    Column("digest", LargeBinary, primary_key=True, doc="SHA-256 of the token in the mail"),
    Column("case_id", Uuid, nullable=False),
    Column("tag", LargeBinary, nullable=False, doc="of the address that it confirms; or empty"),
    Column("expires_at", Moment, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column(
        "recipient",
        String(64),
        nullable=False,
        server_default="",
        doc="who acknowledges by it; empty for one that confirms an address",
    ),
    Column("right", String(32), nullable=False, server_default="", doc="what they were told for"),
    Index("links_case_id", "case_id"),
    Index("links_expires_at", "expires_at"),
)

policies = Table(
    "policies",
    metadata,
    Column("digest", LargeBinary, primary_key=True, doc="SHA-256 over its files"),
    Column("files", Text, nullable=False, doc="JSON: their texts, in the order of `policy.FILES`"),
    Column("used_at", Moment, nullable=False, doc="when an orchestrator first started with it"),
)

preferences = Table(
    "preferences",
    metadata,
    Column("hash", LargeBinary, primary_key=True, doc="keyed, of an identifier of theirs"),
    Column("id", Uuid, primary_key=True, doc="of the record, or of the case it is from"),
    Column("says", String(16), nullable=False),
    Column("purpose", String(64), nullable=False, doc="empty: all direct marketing"),
    Column("at", Moment, nullable=False, doc="when they said so"),
    Column("level", Integer, nullable=False, doc="how surely the address is theirs"),
    Column("country", String(8), nullable=False, doc="ISO 3166-1; empty if it is not known"),
    Column("intake", String(64), nullable=False, doc="empty of one that a case says"),
    Column("digest", LargeBinary, nullable=False, doc="keyed, of all that was said"),
    Column("sealed", LargeBinary, nullable=False, doc="what shows it; empty once that is over"),
    Column("forget_at", Moment, nullable=False),
    Column("look_at", Moment, doc="when it is looked whether they are let go; empty: it is not"),
    Index("preferences_id", "id"),
    Index("preferences_forget_at", "forget_at"),
    Index("preferences_look_at", "look_at"),
)
"""What people want to be sent, or no longer: every word of theirs, the latest counts."""

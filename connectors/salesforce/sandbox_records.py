"""The records of the sandbox's org: planted as if they had always been, binned, and purged."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from connectors.sdk.sandbox import Sandbox

from .sandbox_objects import (
    CASCADES,
    DEFAULTS,
    FIELDS,
    HANGS_ON_ANY,
    NAMES,
    USER,
    Row,
    blank,
    new_id,
    stamp,
)

BIN = timedelta(days=15)


class Records(Sandbox):
    """One org, without its answers."""

    system = "salesforce"

    def __init__(self, **where: Any) -> None:
        super().__init__(**where)
        self.fields = {name: dict(fields) for name, fields in FIELDS.items()}
        """Of each object: an org adds its own, or has not all; see `sandbox_objects.TYPES`."""

    def add_contact(self, **fields: Any) -> str:
        """A contact; its id."""
        return self.plant("contact", fields)

    def add_lead(self, **fields: Any) -> str:
        """A lead; its id. One with a `ConvertedContactId` is converted."""
        return self.plant("lead", fields)

    def add_case(self, **fields: Any) -> str:
        """A case, of a contact (`ContactId`) or from the web (`SuppliedEmail`); its id."""
        return self.plant("case", fields)

    def add_comment(self, **fields: Any) -> str:
        """A comment on a case (`ParentId`); its id."""
        return self.plant("comment", fields)

    def add_attachment(self, parent: str, body: bytes, **fields: Any) -> str:
        """An attachment of a record; its id."""
        held = {"ParentId": parent, "Body": b64encode(body).decode(), "BodyLength": len(body)}
        return self.plant("attachment", {**held, **fields})

    def add_file(
        self, *records: str, name: str = "file", versions: Iterable[bytes] = (b"",)
    ) -> str:
        """A file that hangs on records, with all its versions; its id."""
        file = self.plant("file", {"Title": name})
        for n, body in enumerate(versions, 1):
            held = {"VersionData": b64encode(body).decode(), "ContentSize": len(body)}
            called = {"Title": name, "PathOnClient": name, "VersionNumber": str(n)}
            self.plant("version", {"ContentDocumentId": file, **called, **held})
        for it in (USER, *records):
            self.plant("link", {"ContentDocumentId": file, "LinkedEntityId": it})
        return file

    def turn_off_privacy(self) -> None:
        """An org without Data Protection and Privacy has no Individuals, and no links to any."""
        del self.fields["Individual"]
        for fields in self.fields.values():
            fields.pop("IndividualId", None)

    def plant(self, kind: str, fields: Mapping[str, Any]) -> str:
        """Put a record there. Raises `KeyError` for a kind or a field that the org has not."""
        schema = self.fields[next(name for name, it in NAMES.items() if it == kind)]
        unknown = fields.keys() - schema.keys()
        if unknown:
            raise KeyError(f"{kind}: {', '.join(sorted(unknown))}")
        at = stamp(self.now() - timedelta(days=400))
        number = self.new_id()
        row: Row = {it: blank(type_) for it, type_ in schema.items()}
        row |= {"Id": new_id(kind, number), "CreatedDate": at, "SystemModstamp": at}
        row |= {
            **({"OwnerId": USER} if "OwnerId" in schema else {}),
            **DEFAULTS.get(kind, {}),
            **fields,
        }
        if row["IsDeleted"]:
            row["SystemModstamp"] = stamp(self.now())
        if kind == "case":
            row["CaseNumber"] = row["CaseNumber"] or f"{number:08}"
        if kind == "lead":
            row["IsConverted"] = bool(row["ConvertedContactId"])
        if kind == "email":
            row["MessageDate"] = row["MessageDate"] or row["CreatedDate"]
        self.table(kind)[row["Id"]] = row
        if kind == "event" or (kind == "task" and row["Status"] == "Completed"):
            self._reckon(row["WhoId"], row["ActivityDate"])
        return str(row["Id"])

    def _reckon(self, who: str | None, day: str | None) -> None:
        """The last activity of a contact or a lead: an event, or a task that was completed."""
        for kind in ("contact", "lead"):
            row = self.table(kind).get(who or "")
            if row is not None and day is not None:
                row["LastActivityDate"] = max(day, row["LastActivityDate"] or day)

    # What becomes of them.

    def bin(self, kind: str, row: Row) -> None:
        """Put a record into the recycle bin, and what hangs on it."""
        row |= {"IsDeleted": True, "SystemModstamp": stamp(self.now())}
        for of, field in (*CASCADES.get(kind, ()), *HANGS_ON_ANY):
            for it in self.children(of, field, row):
                self.bin(of, it)
        for of in ("contact", "lead") if kind == "individual" else ():
            for it in self.children(of, "IndividualId", row):
                it["IndividualId"] = None

    def children(self, kind: str, field: str, parent: Row) -> list[Row]:
        """The records of `kind` that refer to one, and are not in the bin."""
        rows = self.table(kind).values()
        return [it for it in rows if it[field] == parent["Id"] and not it["IsDeleted"]]

    def purge(self, kind: str) -> None:
        """What the bin has held for long enough."""
        before = stamp(self.now() - BIN)
        rows = self.table(kind)
        for id_ in [k for k, v in rows.items() if v["IsDeleted"] and v["SystemModstamp"] < before]:
            del rows[id_]

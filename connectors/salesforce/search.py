"""Where to look for a person in Salesforce, and what the rows found there say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from connectors.sdk.interface import Fact, Holding, Identifier, Page, Record, Subject, lower

from . import soql
from .rest import Row
from .tables import PHONES, TABLES


class Search:
    """One search: what it has found is searched on with, and nothing is said twice."""

    def __init__(self, subject: Subject, *, has_user_ids: bool) -> None:
        """`has_user_ids` says whether the org holds our own ids, and can be asked for them."""
        strong = Subject(tuple(it for it in subject.identifiers if it.strong))
        self._emails, self._user_ids = strong.of("email"), strong.of("user_id")
        self._asks = (*self._emails, *(self._user_ids if has_user_ids else ()))
        self._known = frozenset(lower(it) for it in self._emails)
        self._converted: set[str] = set()  # contacts that leads became
        self.ids: dict[str, set[str]] = defaultdict(set)
        """What was found, by kind."""

    def steps(self) -> Iterator[tuple[str, Mapping[str, Iterable[str]]]]:
        """A kind, and the values wanted of its fields; each step uses what those before found."""
        who = {"Email": self._emails, "User_Id__c": self._user_ids}
        yield "lead", who
        yield "contact", {**who, "Other_Email__c": self._emails, "Id": self._converted}
        yield "lead", {"ConvertedContactId": self.ids["contact"]}
        yield "case", {"SuppliedEmail": self._emails, "ContactId": self.ids["contact"]}
        yield "comment", {"ParentId": self.ids["case"]}

    def page(self, kind: str, rows: Iterable[Row]) -> Page:
        """The rows that are new."""
        new = [row for row in rows if row["Id"] not in self.ids[kind]]
        self.ids[kind].update(row["Id"] for row in new)
        self._converted.update(filter(None, (row.get("ConvertedContactId") for row in new)))
        return Page(
            holdings=tuple(_holding(kind, row) for row in new),
            identifiers=tuple(dict.fromkeys(it for row in new for it in self._identifiers(row))),
            records=tuple(record(kind, row) for row in new),
        )

    def facts(self) -> tuple[Fact, ...]:
        """Whoever has a contact is a customer. Unknown if there was nothing to search by."""
        customer = bool(self.ids["contact"])
        searched = customer or any(map(soql.possible, self._asks))
        return (Fact("customer", customer),) if searched else ()

    def _identifiers(self, row: Row) -> Iterator[Identifier]:
        """What the person is not known by yet. Another e-mail is strong beside a known one."""
        emails = [it for it in (row.get("Email"), row.get("Other_Email__c")) if it]
        user_id = row.get("User_Id__c")
        strong = any(lower(it) in self._known for it in emails)
        for email in emails:
            if lower(email) not in self._known:
                yield Identifier("email", email, strong)
        if user_id and user_id not in self._user_ids:
            yield Identifier("user_id", user_id, strong)
        for phone in PHONES:
            if row.get(phone):
                yield Identifier("phone", row[phone], strong=False)


def record(kind: str, row: Row) -> Record:
    """The whole row: it is asked for field by field."""
    return Record.of(_holding(kind, row), row)


def _holding(kind: str, row: Row) -> Holding:
    content = TABLES[kind].content.items()
    filled = (category for category, fields in content if any(row.get(it) for it in fields))
    return Holding(kind, row["Id"], frozenset(filled))

"""One search of Stripe: what to ask with, what was found already, and whose things to list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from connectors.sdk.interface import Holding, Identifier, Page, Record, Subject, lower
from connectors.sdk.pages import Row

from .belonging import holding, strong
from .facts import Facts
from .kinds import is_whole

LONGEST = 500
"""Characters of what Stripe can be asked for."""


class Search:
    """What was looked for and found so far. Nothing is said twice."""

    def __init__(
        self, subject: Subject, usable: Sequence[Identifier], user_id_key: str, *, searched: bool
    ) -> None:
        """`usable` is asked with. `searched` says whether no object escapes that is theirs."""
        self._subject = subject
        self._usable = Subject(tuple(usable))
        self._user_id_key = user_id_key
        self._seen: set[Holding] = set()
        self.facts = Facts(subject, searched=searched and bool(usable))
        self.customers: dict[str, None] = {}
        """The ids of customers whose things are listed, in the order found.

        Only of those who bear what was asked for: one who does not may be somebody else.
        """

    def spellings(self) -> Iterator[str]:
        """E-mail addresses in every form that Stripe's lists tell apart."""
        yield from filter(is_askable, self._usable.forms("email"))

    def clauses(self) -> Iterator[tuple[str, str]]:
        """What Stripe's search is asked for, by field: it tells no upper case from lower."""
        emails: dict[str, str] = {}
        for email in self.spellings():
            emails.setdefault(lower(email), email)
        yield from (("email", it) for it in emails.values())
        ours = f"metadata['{escaped(self._user_id_key)}']"
        ids = dict.fromkeys(filter(is_askable, self._usable.forms("user_id")))
        yield from ((ours, it) for it in ids)

    def is_theirs(self, email: object) -> bool:
        """Whether an address is one of those looked for."""
        return self._subject.bears("email", email)

    def is_known_by(self, customer: Row) -> bool:
        """Whether a customer bears an identifier that was looked for."""
        return self._bears_asked(holding("customer", customer, self._user_id_key))

    def page(
        self,
        kind: str,
        rows: Iterable[Row],
        owner: Holding | None = None,
        *,
        is_known: bool = False,
    ) -> Page:
        """The rows that are new, each with its record if the row is the whole of it.

        `owner` is the checkout that led to them; `is_known` says that they were asked for by id.
        """
        fresh = {holding(kind, row, self._user_id_key, owner): row for row in rows}
        fresh = {it: row for it, row in fresh.items() if it not in self._seen}
        self._seen.update(fresh)
        for it, row in fresh.items():
            self.facts.take(it, row)
            if kind == "customer" and self._is_followed(it, is_known=is_known):
                self.customers[it.id] = None
        return Page(
            holdings=tuple(fresh),
            records=tuple(Record.of(it, row) for it, row in fresh.items() if is_whole(kind, row)),
        )

    def _is_followed(self, customer: Holding, *, is_known: bool) -> bool:
        """A known one that bears nothing any more was blanked, perhaps by us."""
        return self._bears_asked(customer) or (is_known and not strong(customer))

    def _bears_asked(self, it: Holding) -> bool:
        return any(self._subject.bears(one.kind, one.value) for one in strong(it))


def is_askable(text: str) -> bool:
    """No customer of Stripe's is known by anything else, and a search for it is refused."""
    return bool(text.strip()) and text.isprintable() and len(text) <= LONGEST


def escaped(text: str) -> str:
    """A value, or a key, inside the quotes of Stripe's search language."""
    return text.replace("\\", "\\\\").replace("'", "\\'")

"""Correct: write what is right into one record, and read anew what it says then.

Nothing is overwritten that was not read before: what stood there is kept, sealed, with the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.sdk.calls import effect
from connectors.sdk.interface import (
    Datum,
    Failed,
    Holding,
    NeedsHuman,
    Outcome,
    Rectified,
    Standing,
    Subject,
    Unaffected,
)
from connectors.sdk.spelling import cleaned, normal
from schemas.records import COMPLETE, SealedBefore, SealedChange

from ..case.marks import TEXT_STANDS
from ..faults import crash
from .vendor import Vendor

NOT_SHOWN = Failed("not_shown")
"""The connector says that it is done, and a fresh look does not show it."""
NO_OUTCOME = Failed("no_outcome")
OTHER_VALUE = NeedsHuman("other_value")
"""Something else stands there than what is said to be wrong: a person compares."""
BESIDE = NeedsHuman(TEXT_STANDS)
"""Text stands where a statement would: a person puts it beside that."""
ADDRESS_UNPROVED = NeedsHuman("address_unproved")
"""Nobody has shown that the new address is theirs: whoever has it would have the record."""
MOVES = NeedsHuman("moves_record")
"""The record lies under the address: another one is another record."""
ELSEWHERE = NeedsHuman("stands_elsewhere")
"""What is wrong still stands in another field of the record."""
NOTHING = Unaffected()
LEAST = 3
"""Characters of a value that is looked for in a whole record: less is found anywhere."""
_SPELT = {Datum.EMAIL: "email", Datum.PHONE: "phone", Datum.MOBILE: "phone"}


@dataclass(frozen=True, slots=True)
class Corrected:
    """What became of one record, by category, and what stood there before."""

    became: Mapping[str, Outcome]
    before: tuple[SealedBefore, ...] = ()


class Correction:
    """What is wrong and what is right, for every record of an order."""

    def __init__(
        self, vendor: Vendor, subject: Subject, changes: Iterable[SealedChange], name: str
    ) -> None:
        """`subject` is whom it is about, by what is proved; `name` tells effects apart."""
        self._vendor = vendor
        self._subject = subject
        self._changes = {Datum(it.datum): it for it in changes}
        self._name = name
        said = ((cleaned(it.was).casefold(), datum) for datum, it in self._changes.items())
        self._wrong = {was: datum for was, datum in said if was}
        """What is known to be wrong, in lower case: as they say, and what stood in its place."""

    async def of(
        self, holding: Holding, tag: bytes, categories: Sequence[str], now: Standing
    ) -> Corrected:
        """Correct one record, of which `now` was just read. Raises `GaveUpError`."""
        became = {datum: self._stands(datum, now, categories) for datum in self._changes}
        due = {it: self._changes[it].to for it, outcome in became.items() if outcome is None}
        if self._vendor.refiled(holding, due) != holding:
            became |= dict.fromkeys(due, MOVES)
            due = {}
        before = tuple(SealedBefore(tag=tag, datum=it, value=now.data[it]) for it in due)
        self._wrong |= {cleaned(it.value).casefold(): Datum(it.datum) for it in before}
        if due:
            with effect(f"{self._name} {tag.hex()}"):
                said = await self._vendor.rectify(holding, due)
            crash.passing("host.after-measure")
            each = said if isinstance(said, Mapping) else dict.fromkeys(due, said)
            after = await self._vendor.standing(holding)
            became |= {it: _shown(it, each.get(it, NO_OUTCOME), due[it], after) for it in due}
        outcomes: Mapping[str, Outcome] = _by_category(categories, became)
        if all(isinstance(it, Rectified | Unaffected) for it in outcomes.values()):
            outcomes = await self._looked_through(holding, outcomes)
        return Corrected(outcomes, before)

    async def _looked_through(
        self, holding: Holding, outcomes: Mapping[str, Outcome]
    ) -> Mapping[str, Outcome]:
        """The same, unless what is wrong still stands somewhere in the record."""
        right = [it.to.casefold() for it in self._changes.values()]
        wrong = {
            value: datum
            for value, datum in self._wrong.items()
            if len(value) >= LEAST and not any(value in of for of in right)
        }
        if not wrong:
            return outcomes
        # as a word of its own: a name in an address is none
        words = "|".join(map(re.escape, sorted(wrong)))
        sought = re.compile(rf"(?<![\w@.-])(?:{words})(?![\w@-])")
        found: set[str] = set()
        async for record in self._vendor.export(holding):
            texts = () if record.name else _texts(record.body)  # of a file we correct nothing
            said = (it for text in texts for it in sought.findall(text.casefold()))
            found |= {wrong[it].category.value for it in said}
        among = found & outcomes.keys() or (outcomes.keys() if found else ())
        return {**outcomes, **dict.fromkeys(among, ELSEWHERE)}

    def _stands(self, datum: Datum, now: Standing, categories: Sequence[str]) -> Outcome | None:
        """What is to be said of a datum without writing it; None if it is to be written.

        What is missing is filled in only where the record has something of its category.
        """
        change, value = self._changes[datum], now.data.get(datum)
        if value is None:
            return NOTHING
        if cleaned(value) and cleaned(value) == cleaned(change.to):
            return Rectified()
        stays = _kept(change, datum, value, categories)
        if stays is not None:
            return stays
        proved = datum != Datum.EMAIL or self._subject.bears("email", change.to)
        return None if proved else ADDRESS_UNPROVED


def _kept(
    change: SealedChange, datum: Datum, value: str, categories: Sequence[str]
) -> Outcome | None:
    """Why what stands there stays as it is; None if it may be written over, or filled in."""
    if change.how == COMPLETE and cleaned(value):
        return BESIDE if datum == Datum.STATEMENT else OTHER_VALUE
    if change.how == COMPLETE:
        fits = datum == Datum.STATEMENT or datum.category in categories
        return None if fits else NOTHING
    if not cleaned(value):
        return NOTHING
    is_other = change.was and not is_same(datum, value, change.was)
    return OTHER_VALUE if is_other else None


def is_same(datum: Datum, one: str, other: str) -> bool:
    """Whether two values say the same. Vendors write addresses and numbers their own way."""
    kind = _SPELT.get(datum, "")
    mine, theirs = (normal(kind, it) if kind else cleaned(it).casefold() for it in (one, other))
    return mine == theirs


def _shown(datum: Datum, said: Outcome, to: str, after: Standing | None) -> Outcome:
    """What a connector says of a datum, once a fresh look shows it."""
    if not isinstance(said, Rectified):
        return said
    if after is None:
        return NOTHING
    value = after.data.get(datum, "")
    shows = is_same(datum, value, to) if datum in _SPELT else cleaned(value) == cleaned(to)
    return said if shows else NOT_SHOWN


def _texts(body: bytes) -> Iterator[str]:
    """Every text in a record."""
    try:
        left = [json.loads(body)]
    except (ValueError, RecursionError):
        left = [body.decode("utf-8", "replace")]
    while left:
        match left.pop():
            case str(text):
                yield text
            case dict(fields):
                left += fields.values()
            case list(items):
                left += items
            case _:
                pass


def _told_with(datum: Datum, categories: Sequence[str]) -> str:
    """The category that a datum is told with; a statement that is the first text of its record is
    told with the first of what there was.
    """
    first = datum == Datum.STATEMENT and datum.category not in categories
    return categories[0] if first and categories else datum.category.value


def _by_category(
    categories: Sequence[str], became: Mapping[Datum, Outcome | None]
) -> dict[str, Outcome]:
    """The worst of what became of a category's data: open, else corrected, else nothing there."""
    found: dict[str, Outcome] = {}
    for category in categories:
        said = [it for of, it in became.items() if _told_with(of, categories) == category]
        open_ = (it for it in said if not isinstance(it, Rectified | Unaffected))
        corrected = (it for it in said if isinstance(it, Rectified))
        found[category] = next(open_, None) or next(corrected, NOTHING)
    return found

"""What a request says beside its rights: what is wrong and right, and the use objected to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from datetime import date

from connectors.sdk.interface import Datum
from connectors.sdk.spelling import cleaned
from pipeline.case.rights import OBJECTION, RECTIFICATION
from schemas.records import COMPLETE, REPLACE, SealedChange

from .refused import RefusedError

HOW = frozenset({REPLACE, COMPLETE})
"""To overwrite what is wrong, or to fill in what is missing (GDPR Art. 16)."""
LONGEST = 200
"""Characters of a value that is to be entered somewhere."""
EVIDENCE = 4000
"""Characters of what shows it."""
PURPOSE = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""The id of one of the policy's."""
ADDRESS = re.compile(r"[^\s@,;<>()\"]+@[^\s@,;<>()\"]+\.[^\s@,;<>()\"]+")
NUMBER = re.compile(r"\+?[0-9 ()./-]{4,40}")
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Categories of characters that nobody sees, or that end a line: they forge what others read."""


def check(
    claims: Collection[str], purpose: str, changes: Sequence[SealedChange], evidence: str
) -> None:
    """Raise `RefusedError` with a code unless these fit the rights that are asked for.

    What is wrong is said of a rectification and of nothing else; a use, of an objection.
    """
    if bool(changes) != (RECTIFICATION in claims) or (evidence and not changes):
        raise RefusedError("changes_without_rectification_or_none")
    if purpose and not (OBJECTION in claims and PURPOSE.fullmatch(purpose)):
        raise RefusedError("purpose_without_objection_or_no_code")
    data = [it.datum for it in changes]
    if not set(data) <= {*Datum} or len(data) != len(set(data)):
        raise RefusedError("datum_unknown_or_repeated")
    if len(evidence) > EVIDENCE or any(is_hidden(it) for it in evidence if it != "\n"):
        raise RefusedError("evidence_too_long_or_hidden")
    for change in changes:
        _check(change)


def _check(change: SealedChange) -> None:
    for value in (change.to, change.was):
        if len(value) > LONGEST or any(map(is_hidden, value)):
            raise RefusedError("change_too_long_or_hidden")
    if not cleaned(change.to):
        raise RefusedError("change_to_nothing")
    overwrites = change.how == REPLACE and change.datum == Datum.STATEMENT
    if change.how not in HOW or (change.how == COMPLETE and change.was) or overwrites:
        raise RefusedError("change_neither_replaces_nor_completes")
    datum = Datum(change.datum)
    if datum == Datum.EMAIL and change.how != COMPLETE and not change.was:
        raise RefusedError("change_of_which_address")  # somebody may have several
    if not _FITS.get(datum, bool)(change.to.strip()):
        raise RefusedError("change_to_no_such_value")


def is_hidden(character: str) -> bool:
    """Whether nobody sees a character, or it ends a line."""
    return unicodedata.category(character) in HIDDEN


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text) <= date.today()  # noqa: DTZ011  whoever is born is born
    except ValueError:
        return False


_FITS = {
    Datum.EMAIL: lambda text: bool(ADDRESS.fullmatch(text)),
    Datum.PHONE: lambda text: bool(NUMBER.fullmatch(text)),
    Datum.MOBILE: lambda text: bool(NUMBER.fullmatch(text)),
    Datum.DATE_OF_BIRTH: _is_date,
}
"""What a value must look like; of the others, anything that says something."""

"""Does everything that is kept have a date, or a reason why not? And is the date the right one?

    python pipeline/demo/audit_kept.py EXPECTED BEFORE ASKED FOLDER

FOLDER has the completion reports as they were signed, `CASE-N.json`; ASKED says who asked (case →
person, by the keys of the cast). EXPECTED says of every object (system → `kind/id`) whose it is;
BEFORE is a snapshot from before anybody asked: `states`, by system, as the sandboxes tell them.

A date is reckoned anew from what the report says that it follows from, on the calendar; and the day
that it runs from must be the latest that the named field has among the person's own objects.

Stands alone, as `audit.py` does: Python's own library, and nothing of what it audits. What is wrong
is one line that names report and row, and no person. Exit: 0 nothing, 1 something, 2 not compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
Tables = Mapping[str, Mapping[str, Row]]
"""System → `kind/id` → fields."""
OWN = "habeas"
"""What the pipeline itself holds."""
SIGNATURE = ".dsse.json"
WRITTEN = {
    "ticket.stats.agent_responded_at": ("conversation", "created_at"),
    "ticket.stats.requester_responded_at": ("conversation", "created_at"),
}
"""Fields that a vendor reckons, and where the sandbox has what it reckons them from."""


class AuditError(Exception):
    """Nothing was compared. The message says why."""


@dataclass(slots=True)
class Told:
    """How many rows are kept, with a date or with a reason, and what of them is wrong."""

    dated: int = 0
    reasoned: int = 0
    wrong: list[str] = field(default_factory=list)


def told(folder: Path, asked: Mapping[str, str], expected: Tables, before: Tables) -> Told:
    """What every report keeps. Raises `AuditError` if nothing is kept until a date."""
    found = Told()
    for path in sorted(it for it in folder.glob("*.json") if not it.name.endswith(SIGNATURE)):
        report = _read(str(path))
        person = asked.get(str(report["case"]), "")
        own = _own(person, expected, before)
        for row in report["coverage"]:
            if row["state"] == "kept":
                where = f"{path.name} {row['system']} {row['kind']} {row['category']}"
                found.wrong += (f"{where}: {it}" for it in _wrong(row["outcome"], own))
                found.dated += bool(row["outcome"]["until"])
                found.reasoned += not row["outcome"]["until"]
    if not found.dated:
        raise AuditError("nothing is kept until a date: there is nothing to look at")
    return found


def _own(person: str, expected: Tables, before: Tables) -> dict[str, list[tuple[str, Row]]]:
    """A person's objects, by system: their kind and fields."""
    return {
        system: [
            (key.partition("/")[0], before[system][key])
            for key, it in rows.items()
            if it["person"] == person and key in before[system]
        ]
        for system, rows in expected.items()
    }


def _wrong(outcome: Row, own: Mapping[str, Sequence[tuple[str, Row]]]) -> Iterator[str]:
    until, period = outcome["until"], outcome["period"]
    if not until:
        if not outcome["reason"]:
            yield "has neither a date nor a reason"
        return
    if not period:
        yield "has a date that follows from nothing"
        return
    began = date.fromisoformat(period["told"])
    if period["anchor"] == "tax_year_end":
        began = date(began.year, 12, 31)
    ends = _years_on(began, period["years"])
    if str(until)[:10] != ends.isoformat():
        yield f"is kept until {str(until)[:10]}, and should be until {ends}"
    if period["system"] == OWN:
        return  # no vendor has it: the arithmetic is all that can be read here
    if period["told"] not in {str(it) for it in _latest(period, own)}:
        yield f"runs from a day that is not the latest of {period['read']}"


def _years_on(day: date, years: int) -> date:
    """That day so many years later, or the last one before it that the month has."""
    for less in range(day.day):
        with suppress(ValueError):
            return date(day.year + years, day.month, day.day - less)
    raise AuditError("a day that no month has")


def _latest(period: Row, own: Mapping[str, Sequence[tuple[str, Row]]]) -> list[date]:
    """The latest day that a field has among somebody's objects; empty if none has it."""
    kind, _, path = str(period["read"]).partition(".")
    kind, path = WRITTEN.get(str(period["read"]), (kind, path))
    values = (_at(row, path) for of, row in own[period["system"]] if of == kind)
    return sorted(_day(it) for it in values if it)[-1:]


def _at(row: Any, path: str) -> Any:
    for name in path.split("."):
        row = row.get(name) if isinstance(row, Mapping) else None
    return row


def _day(moment: Any) -> date:
    if isinstance(moment, int):
        return datetime.fromtimestamp(moment, UTC).date()
    read = datetime.fromisoformat(str(moment))
    return (read.astimezone(UTC) if read.tzinfo else read).date()


def _read(path: str) -> dict[str, Any]:
    try:
        read = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AuditError(f"{path} cannot be read ({type(error).__name__})") from None
    if not isinstance(read, dict):
        raise AuditError(f"{path}: an object should be in it")
    return read


def audit(expected: str, before: str, asked: str, folder: str) -> Told:
    """What the reports in a folder keep. Raises `AuditError`."""
    try:
        return told(Path(folder), _read(asked), _read(expected), _read(before)["states"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AuditError(
            f"a file is not of the form it should be ({type(error).__name__})"
        ) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Look at reports, print what is kept without a ground; the exit code."""
    parser = argparse.ArgumentParser(description="Look for what is kept without a date or reason.")
    for name in ("expected", "before", "asked", "folder"):
        parser.add_argument(name, metavar=name.upper())
    given = parser.parse_args(argv)
    try:
        found = audit(given.expected, given.before, given.asked, given.folder)
    except AuditError as error:
        sys.stderr.write(f"audit: {error}\n")
        return 2
    sys.stdout.writelines(f"{it}\n" for it in found.wrong)
    kept = f"{found.dated} kept until a date, {found.reasoned} with a reason"
    sys.stdout.write(f"audit: {kept}, {len(found.wrong)} wrong\n")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

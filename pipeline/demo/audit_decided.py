"""Did the people who asked read what people decided of it, and did it come as they read?

    python pipeline/demo/audit_decided.py PROMISED MAIL INSTRUCTIONS REPORTS

PROMISED says by case `to` whom letters go, and what must have come of it: `extended` and `refused`
(why, or nothing), `by_hand` (systems in which a person settled what was open) and `silent` (whether
no recipient answers). MAIL and INSTRUCTIONS have the mails that went out, to people and to
recipients; REPORTS the completion reports, `CASE-N.json`.

Stands alone, as `audit.py` does. What is wrong is one line that names the case, and no person.
Exit: 0 nothing, 1 something, 2 not compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

SIGNATURE = ".dsse.json"
DOCUMENT = "instruction.json"
EXTENDED, REFUSED = "Your request takes longer", "We do not do what you asked for, and why"
GROUNDS = {"excessive": "manifestly excessive", "unfounded": "manifestly unfounded"}
MONTHS = "months"
"""The step of a date that counts more than one month."""
TOLD = 3
"""How often a silent recipient has a message: once, and two reminders."""
Row = Mapping[str, Any]


class AuditError(Exception):
    """Nothing was compared. The message says why."""


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a case: its letters to the person (subject, text), reports, instructions."""

    letters: Sequence[tuple[str, str]]
    reports: Sequence[Row]
    """In order."""
    instructions: Sequence[Row]

    def of(self, subject: str) -> list[str]:
        """The letters with a subject that begins so."""
        return [text for said, text in self.letters if said.startswith(subject)]


def came(case: str, to: str, mail: Path, told: Path, reports: Path) -> Came:
    """Read what came of a case. Raises `AuditError`."""
    letters = [
        (str(it["Subject"]), _text(it))
        for it in _mails(mail)
        if it["To"] == to and case in _text(it)
    ]
    documents = [it for it in map(_document, _mails(told)) if it["case"] == case]
    read = [
        json.loads(it.read_text(encoding="utf-8"))
        for it in reports.glob(f"{case}-*.json")
        if not it.name.endswith(SIGNATURE)
    ]
    return Came(letters, sorted(read, key=lambda it: int(it["n"])), documents)


def wrong(promised: Row, it: Came) -> Iterator[str]:
    """What did not come as it was promised."""
    if promised["extended"]:
        yield from _extended(it)
    if promised["refused"]:
        yield from _refused(promised["refused"], it)
    for system in promised["by_hand"]:
        yield from _by_hand(system, it)
    if promised["silent"]:
        yield from _silent(it)


def _extended(it: Came) -> Iterator[str]:
    """Three months from receipt, counted here anew, in the letter and in the report."""
    if not it.reports:
        yield "extended, and there is no report"
        return
    report = it.reports[-1]
    received, due = (date.fromisoformat(report[of][:10]) for of in ("received_at", "due_at"))
    until = _months_after(received, 3)
    if due != until:
        yield "the date is not three months after receipt"
    if not any(step["rule"] == MONTHS for step in report["steps"]):
        yield "the report's steps do not say that it was extended"
    letters = it.of(EXTENDED)
    if len(letters) != 1 or f"{until.day} {until:%B} {until.year}" not in letters[0]:
        yield "no letter, or more than one, says until when it takes longer"
    elif "supervisory authority" not in letters[0] or "court" not in letters[0]:
        yield "the letter that it takes longer does not say where to complain"


def _refused(ground: str, it: Came) -> Iterator[str]:
    """One letter, with ground, reasons, authority and court; and nobody was told to do anything."""
    letters = it.of(REFUSED)
    if len(letters) != 1:
        yield f"{len(letters)} letters say that it is refused"
    for text in letters:
        if GROUNDS[ground] not in text:
            yield "the letter does not name the ground"
        if "These are their reasons: Case" in text or "These are their reasons:" not in text:
            yield "the letter gives no reasons"
        if "supervisory authority" not in text or "court" not in text:
            yield "the letter does not say where to complain"
    if it.instructions:
        yield "refused, and recipients were told to do something"
    if it.reports:
        yield "refused, and a report says what was done"


def _by_hand(system: str, it: Came) -> Iterator[str]:
    """Open in an earlier report; in the last one proved or attested, with a further answer."""
    if len(it.reports) <= 1:
        yield f"{system}: nothing was reported after it was done by hand"
        return
    first, last = it.reports[0], it.reports[-1]
    was, now = (
        [row["state"] for row in report["coverage"] if row["system"] == system]
        for report in (first, last)
    )
    if "open" not in was:
        yield f"{system}: nothing was open before it was done by hand"
    if not now or not set(now) <= {"proved", "attested", "kept", "dated"}:
        yield f"{system}: still open after it was done by hand"
    if len(last["responses"]) <= len(first["responses"]):
        yield f"{system}: done by hand, and the person was not told"


def _silent(it: Came) -> Iterator[str]:
    """Everybody who was asked has not answered, was told three times, and the report says so."""
    if not it.reports:
        yield "there is no report of what recipients did not say"
        return
    first, last = it.reports[0], it.reports[-1]
    if len(last["responses"]) <= len(first["responses"]):
        yield "recipients did not answer, and the person was not told"
    rows = [row for row in last["recipients"] if row["asks"]]
    for row in rows:
        if row["state"] != "unanswered" or row["reminders"] != TOLD - 1:
            yield f"{row['recipient']}, {row['right']}: did not answer, and it is not said"
    if not rows:
        yield "no recipient was asked for anything"
    counts = Counter((told["to"], told["right"]) for told in it.instructions)
    if len(counts) < len({row["recipient"] for row in rows}) or set(counts.values()) != {TOLD}:
        yield "a recipient was not told once and reminded twice"


def _months_after(day: date, months: int) -> date:
    """The same day, or that month's last one."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _mails(folder: Path) -> Iterator[EmailMessage]:
    for path in sorted(folder.glob("*.eml")):
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        if isinstance(mail, EmailMessage):
            yield mail


def _text(mail: EmailMessage) -> str:
    """What it says, whatever its lines."""
    body = mail.get_body(("plain",))
    return "" if body is None else " ".join(str(body.get_content()).split())


def _document(mail: EmailMessage) -> Row:
    """What an instruction says to programs. Raises `AuditError`."""
    for it in mail.iter_attachments():
        if it.get_filename() == DOCUMENT:
            document: Row = json.loads(it.get_content())
            return document
    raise AuditError("a mail to a recipient has no instruction")


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, print what is wrong; the exit code."""
    parser = argparse.ArgumentParser(description="Compare what people decided with what came.")
    for name in ("promised", "mail", "instructions", "reports"):
        parser.add_argument(name, type=Path, metavar=name.upper())
    asked = parser.parse_args(argv)
    folders = asked.mail, asked.instructions, asked.reports
    try:
        promised: dict[str, Row] = json.loads(asked.promised.read_text(encoding="utf-8"))
        said = [
            f"{case}: {line}"
            for case, it in promised.items()
            for line in wrong(it, came(case, it["to"], *folders))
        ]
        counts = {
            of: sum(bool(it[of]) for it in promised.values())
            for of in ("extended", "refused", "by_hand", "silent")
        }
    except (AuditError, OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        sys.stderr.write(f"audit: {error if isinstance(error, AuditError) else 'not compared'}\n")
        return 2
    said += [f"nothing was {of}" for of, count in counts.items() if not count]
    sys.stdout.writelines(f"{it}\n" for it in said)
    told = ", ".join(f"{count} {of.replace('_', ' ')}" for of, count in counts.items())
    sys.stdout.write(f"audit: what people decided: {told}, {len(said)} wrong\n")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())

"""Were recipients told of those who asked, and of nobody else? Was no word of theirs invented?

    python pipeline/demo/audit_told.py TOLD FOLDER REPORTS

TOLD says of every case which addresses may be told (none while nobody knows who asks), and which
recipients pressed the button: `addresses` and `pressed`, by case. FOLDER has the mails to
recipients, each with what was signed; REPORTS the completion reports, `CASE-N.json`.

Stands alone, as `audit.py` does. What is wrong is one line that names the case, and no person.
Exit: 0 nothing, 1 something, 2 not compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

SIGNATURE = ".dsse.json"
DOCUMENT, ENVELOPE = "instruction.json", "instruction.dsse.json"
Row = Mapping[str, Any]


class AuditError(Exception):
    """Nothing was compared. The message says why."""


def instructions(folder: Path) -> Iterator[tuple[EmailMessage, Row, Row]]:
    """Every mail, what it says to programs, and what is signed of that. Raises `AuditError`."""
    for path in sorted(folder.glob("*.eml")):
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        if not isinstance(mail, EmailMessage):
            raise AuditError(f"{path.name} is no mail")
        held = {it.get_filename(): it.get_content() for it in mail.iter_attachments()}
        try:
            envelope = json.loads(held[ENVELOPE])
            yield (
                mail,
                json.loads(held[DOCUMENT]),
                json.loads(b64decode(envelope["payload"]))["predicate"],
            )
        except (KeyError, TypeError, ValueError):
            raise AuditError(f"{path.name} has no instruction") from None


def wrong_mails(told: Mapping[str, Row], folder: Path) -> Iterator[str]:
    """What is wrong with the instructions that went out."""
    seen: set[tuple[str, ...]] = set()
    for mail, document, signed in instructions(folder):
        case = str(document["case"])
        named = {it["value"] for it in document["identifiers"]}
        body = mail.get_body(("plain",))
        text = "" if body is None else str(body.get_content())
        if document != signed:
            yield f"{case}: what is signed is not what is said"
        if not named or not named <= set(told.get(case, {}).get("addresses", ())):
            yield f"{case}: tells of somebody who did not ask, or of nobody"
        if not all(it in text for it in named):
            yield f"{case}: the letter does not say what the document says"
        key = case, document["to"], document["right"], *sorted(named)
        if key in seen and not document["reminder"]:
            yield f"{case}: {document['to']} was told the same twice"
        seen.add(key)


def wrong_reports(told: Mapping[str, Row], reports: Path) -> Iterator[str]:
    """Where the last report says more, or less, than a recipient did."""
    latest: dict[str, tuple[int, Row]] = {}
    for path in reports.glob("*.json"):
        if not path.name.endswith(SIGNATURE):
            report = json.loads(path.read_text(encoding="utf-8"))
            if report["n"] > latest.get(report["case"], (0, {}))[0]:
                latest[report["case"]] = report["n"], report
    for case, (_, report) in sorted(latest.items()):
        said = {it["recipient"] for it in report["recipients"] if it["state"] == "acknowledged"}
        if said != set(told.get(case, {}).get("pressed", ())):
            yield f"{case}: {len(said)} recipients are said to have acknowledged"
        if not report["recipients"]:
            yield f"{case}: names no recipient"


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, print what is wrong; the exit code."""
    parser = argparse.ArgumentParser(description="Compare who was told with who was to be.")
    for name in ("told", "folder", "reports"):
        parser.add_argument(name, type=Path, metavar=name.upper())
    asked = parser.parse_args(argv)
    try:
        told = json.loads(asked.told.read_text(encoding="utf-8"))
        count = sum(1 for _ in instructions(asked.folder))
        wrong = [*wrong_mails(told, asked.folder), *wrong_reports(told, asked.reports)]
    except (AuditError, OSError, KeyError, ValueError) as error:
        sys.stderr.write(f"audit: {error if isinstance(error, AuditError) else 'not compared'}\n")
        return 2
    if not count:
        wrong.append("no recipient was told of anybody")
    pressed = sum(len(it["pressed"]) for it in told.values())
    sys.stdout.writelines(f"{it}\n" for it in wrong)
    sys.stdout.write(f"audit: {count} instructions to recipients, {pressed} acknowledged\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

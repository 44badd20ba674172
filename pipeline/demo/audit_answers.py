"""Is every record in every answer an object of the person who asked? Read from the answers.

    python pipeline/demo/audit_answers.py EXPECTED BEFORE ASKED FOLDER

FOLDER has the answers as people open them, `CASE-N.zip`; ASKED says who asked (case → person, by
the keys of the cast). EXPECTED says of every object (system → `kind/id`) whose it is; BEFORE is a
snapshot from before anybody asked: `states`, by system, as the sandboxes tell them.

Two things are looked at, and neither believes the other. A record names an object: it must be one
of the person's. And no text in it may be one that only objects of other people have, whatever
object it says that it is of.

What the pipeline says of itself (`habeas`) no vendor has: such a record must be of a request that
the person made, by ASKED.

Of an object that an answer has, it must have all: each text that the vendor holds of it, and each
of its files, byte for byte; and no file that the vendor does not hold.

Stands alone, as `audit.py` does: Python's own library, and nothing of what it audits. What is wrong
is one line that names answer, record and persons by their keys, and never a value. Exit: 0 nothing,
1 something, 2 not compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from zipfile import BadZipFile, ZipFile

Row = Mapping[str, Any]
Tables = Mapping[str, Mapping[str, Row]]
"""System → `kind/id` → fields."""

Held = Mapping[tuple[str, str], Row]
"""Objects by system and `kind/id`."""

SHORT = 6
"""Letters. Shorter texts are nobody's: a status, a language."""
WHOLE = frozenset({"freshdesk", "salesforce", "stripe"})
"""Systems whose records are the vendor's own rows, text by text."""


OWN = "habeas"
"""What the pipeline itself holds: requests."""


class AuditError(Exception):
    """Nothing was compared. The message says why."""


@dataclass(slots=True)
class Told:
    """What was found: how many answers, their records and files, and what of them is wrong."""

    answers: int = 0
    records: int = 0
    files: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Item:
    """A record of an answer, or a file, and where it stands."""

    where: str
    system: str
    record: Row
    content: bytes | None = None
    """Of a file: its bytes."""


class Owners:
    """Whose an object is, and whose a text; what there is of each."""

    def __init__(self, expected: Tables, before: Tables) -> None:
        self._before = before
        self._whose = {
            (system, key): str(it["person"])
            for system, rows in expected.items()
            for key, it in rows.items()
        }
        self._bearers: dict[str, set[str]] = defaultdict(set)
        for (system, key), person in self._whose.items():
            for text in _texts(before.get(system, {}).get(key)):
                self._bearers[text].add(person)

    def of(self, system: str, record: Row) -> set[str]:
        """Whose the objects are that a record says it is of; empty if there are none."""
        keys = _keys(system, record, self._before.get(system, {}))
        return {self._whose.get((system, it), "nobody") for it in keys}

    def objects(self, item: Item, person: str) -> dict[tuple[str, str], Row]:
        """This person's objects that an item is of, with what hangs on them."""
        rows = self._before.get(item.system, {})
        keys = _keys(item.system, item.record, rows)
        keys |= {key for key, row in rows.items() if f"ticket/{row.get('ticket_id')}" in keys}
        found = ((item.system, key) for key in sorted(keys & rows.keys()))
        return {it: rows[it[1]] for it in found if self._whose.get(it) == person}

    def others_texts(self, record: Row, person: str) -> set[str]:
        """The others who alone have some text that is in a record of this person's answer."""
        said = {name: it for name, it in record.items() if name != "kind"}
        found = (self._bearers.get(it, {person}) for it in _texts(said))
        return {one for bearers in found if person not in bearers for one in bearers}


def told(folder: Path, asked: Mapping[str, str], owners: Owners) -> Told:
    """What every answer holds, and whose it is. Raises `AuditError` if nothing was told at all."""
    found = Told()
    for path in sorted(folder.glob("*.zip")):
        found.answers += 1
        person = asked.get(path.stem.rpartition("-")[0])
        if person is None:
            found.wrong.append(f"{path.name}: nobody asked for it")
            continue
        items = list(_items(path))
        for it in items:
            found.records += it.content is None
            found.files += it.content is not None
            whose = _askers(it, asked) if it.system == OWN else owners.of(it.system, it.record)
            said = _foreign(owners, whose, it.record, person)
            found.wrong += (f"{it.where}: {wrong}" for wrong in said)
        held = {key: row for it in items for key, row in owners.objects(it, person).items()}
        differ = (*_texts_differ(held, items), *_files_differ(held, items))
        found.wrong += (f"{path.name} {it}, and {person} asked" for it in differ)
    if not found.records:
        raise AuditError("no record is in any answer: there is nothing to look at")
    return found


def _askers(item: Item, asked: Mapping[str, str]) -> set[str]:
    """Who made the request that a record of the pipeline's own is of; empty if nobody did."""
    person = asked.get(str(item.record["id"]))
    return set() if person is None else {person}


def _foreign(owners: Owners, whose: set[str], record: Row, person: str) -> Iterator[str]:
    if not whose:
        yield f"is of no object, and {person} asked"
    for it in sorted(whose - {person}):
        yield f"is of {it}, and {person} asked"
    for it in sorted(owners.others_texts(record, person)):
        yield f"has a text of {it}, and {person} asked"


def _texts_differ(held: Held, items: Sequence[Item]) -> Iterator[str]:
    """What an answer does not say of the objects that it has."""
    said: dict[str, set[str]] = defaultdict(set)
    for it in items:
        said[it.system].update(_texts(it.record))
    for (system, key), row in held.items():
        missing = {*_texts(_shown(row))} - said[system]
        if system in WHOLE and missing:
            yield f"{system} {key}: {len(missing)} texts are not there"


def _files_differ(held: Held, items: Sequence[Item]) -> Iterator[str]:
    """The files of those objects that are not there, and those there that are no object's."""
    left = Counter((it.system, it.content) for it in items if it.content is not None)
    for it in items:
        if "not_copied" in it.record:
            yield f"{it.where}: a file is named and not copied"
    for (system, key), row in held.items():
        for content in _files(system, key, row):
            if not left[system, content]:
                yield f"{system} {key}: a file is not there, or another one"
            left[system, content] -= 1
    for (system, _), count in left.items():
        if count > 0:
            yield f"{system}: a file is of no object, or not as that has it"


def _files(system: str, key: str, row: Row) -> Iterator[bytes]:
    """The contents of an object's files, as its sandbox has them."""
    match system, key.partition("/")[0]:
        case "aws", "object":
            yield row["Body"].encode()
        case "freshdesk", _:
            stored = (*(row.get("attachments") or ()), row.get("avatar"))
            yield from (it["_content"].encode("latin-1") for it in stored if it)
        case "stripe", "invoice":
            yield f"%PDF-1.7\n{json.dumps(row, sort_keys=True)}\n%%EOF\n".encode()
        case _:
            return


def _shown(row: Row) -> Row:
    """What a vendor shows of an object: what begins with `_` is its own."""
    return {name: _inside(it) for name, it in row.items() if not name.startswith("_")}


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return _shown(value)
    return [_inside(it) for it in value] if isinstance(value, list) else value


def _items(path: Path) -> Iterator[Item]:
    """Everything in an answer's `data/`, with the files that it names."""
    try:
        with ZipFile(path) as package:
            for name in package.namelist():
                folder, _, file = name.partition("/")
                if folder != "data":
                    continue
                system = file.removesuffix(".json")
                for n, it in enumerate(json.loads(package.read(name)), start=1):
                    where = f"{path.name} {system} record {n}"
                    content = package.read(it["file"]) if "file" in it else None
                    yield Item(where, system, it, content)
    except (OSError, ValueError, BadZipFile) as error:
        raise AuditError(f"{path.name} cannot be read ({type(error).__name__})") from None


def _keys(system: str, record: Row, rows: Mapping[str, Row]) -> set[str]:
    """The objects that a record says it is of, as the sandbox calls them."""
    kind, id_ = str(record["kind"]), str(record["id"])
    match system:
        case "aws":  # files/key?versionId=..., or an upload's id
            marks = {it for found in parse_qs(id_.rpartition("?")[2]).values() for it in found}
            return {key for key, it in rows.items() if _marks(key, it) & marks}
        case "mailgun":  # list or domain/address: whatever lies there
            of, _, address = id_.partition("/")
            return {key for key, it in rows.items() if _is_at(it, of, address)}
        case _:
            nested = (record.get("data") or {}).get("conversations") or ()
            return {f"{kind}/{id_}", *(f"conversation/{it['id']}" for it in nested)}


def _marks(key: str, row: Row) -> set[str]:
    return {key.partition("/")[2], str(row.get("VersionId", ""))}


def _is_at(row: Row, of: str, address: str) -> bool:
    whose = str(row.get("address") or row.get("recipient"))
    return row.get("_of") == of and whose.casefold() == address.casefold()


def _texts(value: Any) -> Iterator[str]:
    """Every text in it, however deep, that is long enough to be somebody's."""
    if isinstance(value, str) and len(value) >= SHORT:
        yield value
    inside = value.values() if isinstance(value, dict) else value
    for it in inside if isinstance(value, dict | list) else ():
        yield from _texts(it)


def _read(path: str) -> dict[str, Any]:
    try:
        read = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AuditError(f"{path} cannot be read ({type(error).__name__})") from None
    if not isinstance(read, dict):
        raise AuditError(f"{path}: an object should be in it")
    return read


def audit(expected: str, before: str, asked: str, folder: str) -> Told:
    """What the answers in a folder hold, and whose it is. Raises `AuditError`."""
    try:
        owners = Owners(_read(expected), _read(before)["states"])
        return told(Path(folder), _read(asked), owners)
    except (AttributeError, KeyError, TypeError) as error:
        raise AuditError(
            f"a file is not of the form it should be ({type(error).__name__})"
        ) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Look at answers, print what is not the person's; the exit code."""
    parser = argparse.ArgumentParser(description="Look for other people's objects in answers.")
    for name in ("expected", "before", "asked", "folder"):
        parser.add_argument(name, metavar=name.upper())
    given = parser.parse_args(argv)
    try:
        found = audit(given.expected, given.before, given.asked, given.folder)
    except AuditError as error:
        sys.stderr.write(f"audit: {error}\n")
        return 2
    sys.stdout.writelines(f"{it}\n" for it in found.wrong)
    read = f"{found.records} records in {found.answers} answers"
    held = f"{found.files} files, byte for byte as the vendors hold them"
    wrong = f"{len(found.wrong)} differences to what the vendors hold of the person who asked"
    whole = f"all of the person who asked; {held}"
    sys.stdout.write(f"audit: {read}, {wrong if found.wrong else whole}\n")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Compare every sandbox before and after, object by object and field by field, with the cast.

    python pipeline/demo/audit.py EXPECTED BEFORE AFTER [QUIET]

EXPECTED says of every object (system → `kind/id`) what must be true of it: `gone`, `binned`,
`blank` in some `fields`, or `same`; also which field must have been `marked`, and with what, and
what fields must say `now`. The others are snapshots: `states` and `ledger`, each by system, as the
sandboxes tell them. QUIET was taken while only people had asked whom nobody vouches for: until then
no vendor may have been called.

Stands alone: it needs Python's own library and nothing of what it audits. A difference is one line
that names system, object and field, and never a value. Exit: 0 none, 1 some, 2 not compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
Table = Mapping[str, Row]
"""`kind/id` → fields."""

GONE, BINNED, BLANK, SAME = "gone", "binned", "blank", "same"

MOVED: Mapping[str, frozenset[str]] = {
    "freshdesk": frozenset({"updated_at"}),
    "mailgun": frozenset(),
    "salesforce": frozenset({"SystemModstamp"}),
    "stripe": frozenset(),
}
"""What a vendor moves by itself. Allowed only where something was to change."""
MADE: Mapping[str, tuple[str, Row]] = {
    "salesforce": (
        "individual",
        {
            "LastName": "Habeas: not to be processed",
            "FirstName": None,
            "HasOptedOutProcessing": True,
        },
    ),
}
"""What a mark makes beside what it is on, by kind and fields: it names nobody."""
OPT_OUT = "unsubscribe/"
"""What the key of a note begins with that an address wants no mail."""
BIN = {"salesforce": "IsDeleted"}
"""The flag of a record that lies in the vendor's recycle bin."""


class AuditError(Exception):
    """Nothing was compared. The message says why."""


def compare(
    expected: Mapping[str, Table],
    before: Mapping[str, Table],
    after: Mapping[str, Table],
    ledger: Mapping[str, Row],
) -> list[str]:
    """Every difference, one line each; none if all is as it must be. Raises `AuditError`."""
    if not any(expected.values()):
        raise AuditError("nothing is expected: there is nothing to compare with")
    said: list[str] = []
    for system in sorted({*expected, *before, *after, *ledger}):
        absent = [name for name, it in _named(expected, before, after, ledger) if system not in it]
        if absent:
            said.append(f"{system}: not in {', '.join(absent)}")
            continue
        said += _objects(system, expected[system], before[system], after[system])
        said += _touched(system, expected[system], ledger[system], after[system])
    return said


def quiet(before: Mapping[str, Row], later: Mapping[str, Row]) -> list[str]:
    """A line for every route of a vendor that was called between two ledgers."""
    said: list[str] = []
    for system in sorted({*before, *later}):
        if system not in before or system not in later:
            said.append(f"{system}: not in both ledgers")
            continue
        earlier = before[system]["calls"]
        said += [
            f"{system}: {route} was called before anybody was identified"
            for route, count in sorted(later[system]["calls"].items())
            if count != earlier.get(route, 0)
        ]
    return said


def changing(expected: Mapping[str, Table]) -> int:
    """How many objects must be different afterwards."""
    rows = [it for table in expected.values() for it in table.values()]
    return sum(not _is_same(it) for it in rows)


def _named(*given: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from zip(("expected", "before", "after", "ledger"), given, strict=True)


def _objects(system: str, wanted: Table, was: Table, now: Table) -> Iterator[str]:
    for key in sorted({*wanted, *was, *now}):
        where = f"{system} {key}"
        if key not in wanted:
            if _is_made(system, key, now.get(key) or was[key]) or key in _opt_outs(wanted, now):
                continue
            yield f"{where}: {'is not in the cast' if key in was else 'appeared'}"
        elif key not in was:
            yield f"{where}: is in the cast and was not there before"
        else:
            for difference in _object(system, wanted[key], was[key], now.get(key)):
                yield f"{where}{difference}"


def _is_made(system: str, key: str, row: Row) -> bool:
    """Whether a mark made it, and it says of nobody anything."""
    kind, fields = MADE.get(system, ("", {}))
    return key.partition("/")[0] == kind and all(row.get(it) == said for it, said in fields.items())


def _bears(value: Any, mark: str) -> bool:
    """Whether a mark is in it; a field of an object that says nothing is none."""
    return bool(value.get(mark)) if isinstance(value, dict) else mark in (value or ())


def _with(value: Any, said: Any) -> Any:
    """What was there, with what must have been corrected in it; of an object, field by field."""
    if isinstance(value, dict) and isinstance(said, dict):
        return _full({**value, **{name: _with(value.get(name), it) for name, it in said.items()}})
    return said


def _full(value: Any) -> Any:
    """An object without the fields that say nothing."""
    if not isinstance(value, dict):
        return value
    return {name: it for name, it in value.items() if it is not None}


def _opt_outs(wanted: Table, now: Table) -> frozenset[str]:
    """What an objection makes: a note that an address wants no mail, of one that should have it."""
    objected = {now.get(key, {}).get("address") for key, it in wanted.items() if "now" in it}
    return frozenset(
        key
        for key, row in now.items()
        if key.startswith(OPT_OUT) and row["address"] in objected - {None} and "*" in row["tags"]
    )


def _object(system: str, wanted: Row, was: Row, now: Row | None) -> Iterator[str]:
    then, may_change = wanted["then"], _may_change(system, wanted)
    if then == GONE:
        if now is not None:
            yield ": should be gone and is there"
        return
    if now is None:
        yield ": is missing"
        return
    if then == BINNED and now.get(BIN[system]) is not True:
        yield f" {BIN[system]}: should lie in the recycle bin"
    if then == BLANK:
        yield from (f" {it}: should be blank" for it in wanted["fields"] if _filled(now, it))
    marked = wanted.get("marked", {})
    yield from (f" {it}: should be marked" for it in marked if not _bears(now.get(it), marked[it]))
    changed = wanted.get("now", {})
    wrong = (it for it, said in changed.items() if _full(now.get(it)) != _with(was.get(it), said))
    yield from (f" {it}: should be corrected" for it in wrong)
    for field in sorted({*was, *now} - may_change - changed.keys()):
        is_there = field in was and field in now
        if not is_there or was[field] != _unmarked(now[field], marked.get(field)):
            yield f" {field}: should be the same"


def _may_change(system: str, wanted: Row) -> frozenset[str]:
    """The fields of an object that may be different afterwards."""
    match wanted:
        case {"then": "same"} if not _is_same(wanted):
            return MOVED.get(system, frozenset())
        case {"then": "same" | "gone"}:
            return frozenset()
        case {"then": "binned"} if system in BIN:
            return MOVED[system] | {BIN[system]}
        case {"then": "blank", "fields": [_, *_] as fields} if system in MOVED:
            return MOVED[system] | set(fields)
        case _:
            raise AuditError(f"{system}: what is expected cannot be understood")


def _unmarked(value: Any, mark: str | None) -> Any:
    """A list or an object without the mark in it; of a text with it, what was there: none."""
    if isinstance(value, str) and mark is not None and mark in value:
        return None
    if mark is None or not isinstance(value, dict | list):
        return value
    if isinstance(value, dict):
        return {name: it for name, it in value.items() if name != mark}
    return [it for it in value if it != mark]


def _filled(row: Row, field: str) -> bool:
    return _says(row.get(field))


def _says(value: Any) -> bool:
    """Whether anything is in it, however deep."""
    if isinstance(value, dict):
        return any(map(_says, value.values()))
    return value not in (None, "", [])


def _is_same(wanted: Row) -> bool:
    """Whether nothing of an object may be different afterwards."""
    return wanted["then"] == SAME and not {"marked", "now"} & wanted.keys()


def _touched(system: str, wanted: Table, ledger: Row, made: Table) -> Iterator[str]:
    """Effects on what was not to change, even if they cannot be seen any more."""
    for it in ledger["mutations"]:
        of = wanted.get(it["key"], {"then": SAME})
        is_made = _is_made(system, it["key"], made.get(it["key"], {}))
        if _is_same(of) and not is_made and it["key"] not in _opt_outs(wanted, made):
            yield f"{system} {it['key']}: was touched ({it['operation']})"


def _read(path: str, *parts: str) -> Any:
    try:
        read = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AuditError(f"{path} cannot be read ({type(error).__name__})") from None
    if not isinstance(read, dict) or not read.keys() >= set(parts):
        raise AuditError(f"{path}: {' and '.join(parts) or 'systems'} should be in it")
    return read


def audit(expected: str, before: str, after: str, calm: str | None = None) -> list[str]:
    """Every difference between files, as `compare` and `quiet` tell them. Raises `AuditError`."""
    wanted = _read(expected)
    was, now = (_read(it, "states", "ledger") for it in (before, after))
    try:
        said = compare(wanted, was["states"], now["states"], now["ledger"])
        if calm is not None:
            said += quiet(was["ledger"], _read(calm, "ledger")["ledger"])
    except (AttributeError, KeyError, TypeError) as error:
        raise AuditError(
            f"a file is not of the form it should be ({type(error).__name__})"
        ) from None
    return said


def main(argv: Sequence[str] | None = None) -> int:
    """Compare files, print each difference; the exit code."""
    parser = argparse.ArgumentParser(description="Compare the sandboxes with the cast.")
    for name in ("expected", "before", "after"):
        parser.add_argument(name, metavar=name.upper())
    parser.add_argument("quiet", metavar="QUIET", nargs="?")
    asked = parser.parse_args(argv)
    try:
        said = audit(asked.expected, asked.before, asked.after, asked.quiet)
        changes = changing(_read(asked.expected))
    except AuditError as error:
        sys.stderr.write(f"audit: {error}\n")
        return 2
    total = sum(len(it) for it in _read(asked.expected).values())
    sys.stdout.writelines(f"{it}\n" for it in said)
    counts = f"{total} objects, {changes} to change, {len(said)} differences"
    sys.stdout.write(f"audit: {counts}\n")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())

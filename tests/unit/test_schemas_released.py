"""Released schemas are never edited, and every version reads what every other wrote."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import make_dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_many

from schemas import derive
from schemas.derive import FOLDER, LOCK, SchemaError, event_name, event_types, subjects, text
from schemas.events import Event
from tests.unit import strategies
from tests.unit.avro_rules import breaks, misreadings

LOCKED: dict[str, dict[str, Any]] = json.loads(LOCK.read_text())
FILES = {it.name.removesuffix(".avsc"): it.read_text() for it in FOLDER.glob("*.avsc")}
SCHEMAS: dict[str, Any] = {subject: json.loads(it) for subject, it in FILES.items()}

Change = Callable[[dict[str, Any]], None]


def families() -> dict[str, list[Any]]:
    """All versions of each event, and of each sealed part."""
    found = defaultdict(list)
    for subject, schema in SCHEMAS.items():
        found[subject.rpartition(".v")[0]].append(schema)
    return found


def test_every_released_file_is_as_it_was_released() -> None:
    found = {subject: sha256(it.encode()).hexdigest() for subject, it in FILES.items()}
    assert found == {subject: it["sha256"] for subject, it in LOCKED.items()}


def test_every_schema_of_this_release_is_the_released_one() -> None:
    derived = {subject: text(it) for subject, it in subjects().items()}
    assert derived == {subject: FILES.get(subject) for subject in derived}


def test_ids_are_numbered_from_1_without_a_gap() -> None:
    numbers = sorted(it["id"] for it in LOCKED.values())
    assert numbers == list(range(1, len(LOCKED) + 1))


def test_what_was_ever_released_can_still_be_read_by_a_class() -> None:
    """A decider folds ledgers of every release, so no type of event is ever dropped."""
    known = {it.rpartition(".v")[0] for it in subjects()}
    assert set(families()) <= known


@pytest.mark.parametrize("name", sorted(families()))
def test_every_version_reads_what_every_other_wrote(name: str) -> None:
    assert breaks(*families()[name]) == []


@pytest.mark.parametrize("kind", event_types().values(), ids=event_name)
def test_a_sealed_part_is_the_last_field_and_only_its_signature_comes_after(
    kind: type[Event],
) -> None:
    names = strategies.names(kind)
    after = names[names.index("sealed") + 1 :] if "sealed" in names else ()
    assert after in {(), ("signature",)}
    assert kind.SEALS is None or "sealed" in names
    assert names.count("signature") == after.count("signature")
    assert names[0] == "case"


def test_released_schemas_are_not_written_again(released: Path) -> None:
    before = {it.name: it.read_bytes() for it in released.rglob("*") if it.is_file()}
    assert derive.write() == []
    assert {it.name: it.read_bytes() for it in released.rglob("*") if it.is_file()} == before


def test_a_new_event_gets_a_file_and_the_next_id(
    released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = make_dataclass("CometSeen", [("at", int)], bases=(Event,), frozen=True, kw_only=True)
    monkeypatch.setattr(derive, "event_types", lambda: {**event_types(), "comet_seen": seen})
    assert derive.write() == ["comet_seen.v1"]
    assert json.loads(derive.LOCK.read_text())["comet_seen.v1"]["id"] == len(LOCKED) + 1
    assert json.loads((released / "avsc" / "comet_seen.v1.avsc").read_text())["fields"]


def test_a_released_schema_that_would_change_is_refused_by_name(
    released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = make_dataclass("PlanMade", [("n", str)], bases=(Event,), frozen=True, kw_only=True)
    monkeypatch.setattr(derive, "event_types", lambda: {**event_types(), "plan_made": changed})
    before = derive.LOCK.read_bytes()
    with pytest.raises(SchemaError, match=r"plan_made\.v1 is released"):
        derive.write()
    assert derive.LOCK.read_bytes() == before


def test_a_field_that_avro_cannot_hold_is_refused() -> None:
    odd = make_dataclass("Odd", [("any", dict)])
    with pytest.raises(SchemaError, match="no Avro form"):
        derive.schema_of(odd, "odd")


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the released schemas that may be written to."""
    (tmp_path / "avsc").mkdir()
    for subject, content in FILES.items():
        (tmp_path / "avsc" / f"{subject}.avsc").write_text(content)
    (tmp_path / "ids.json").write_text(LOCK.read_text())
    monkeypatch.setattr(derive, "FOLDER", tmp_path / "avsc")
    monkeypatch.setattr(derive, "LOCK", tmp_path / "ids.json")
    return tmp_path


# The checker itself: it refuses planted changes, and agrees with what a reader really does.


def _drop(schema: dict[str, Any], name: str) -> None:
    schema["fields"] = [it for it in schema["fields"] if it["name"] != name]


def _add(schema: dict[str, Any], **field: Any) -> None:
    schema["fields"].append({"name": "colour", "type": "string", **field})


def _retype(schema: dict[str, Any], name: str, new: Any) -> None:
    (field,) = (it for it in schema["fields"] if it["name"] == name)
    field["type"] = new


def _row(schema: dict[str, Any]) -> dict[str, Any]:
    (field,) = (it for it in schema["fields"] if it["name"] == "rows")
    row: dict[str, Any] = field["type"]["items"]
    return row


BREAKING: dict[str, Change] = {
    "a field without a default is added": _add,
    "a field without a default is dropped": lambda it: _drop(it, "digest"),
    "a field gets another type": lambda it: _retype(it, "n", "string"),
    "a field is widened": lambda it: _retype(it, "n", "double"),
    "a field becomes nullable": lambda it: _retype(it, "n", ["null", "long"]),
    "a field becomes an array": lambda it: _retype(it, "n", {"type": "array", "items": "long"}),
    "a uuid becomes plain text": lambda it: _retype(it, "case", "string"),
    "the record gets another name": lambda it: it.update(name="plan_drawn"),
    "text becomes bytes": lambda it: _retype(_row(it), "rule", "bytes"),
    "a row's field without a default is added": lambda it: _add(_row(it)),
    "a row's field without a default is dropped": lambda it: _drop(_row(it), "rule"),
    "a row's nullable field is no longer": lambda it: _retype(_row(it), "until", "long"),
    "a row gets another name": lambda it: _row(it).update(name="row_of_plan"),
    "an array's items get another type": lambda it: _retype(
        _row(it), "needs", {"type": "array", "items": "long"}
    ),
}

HARMLESS: dict[str, Change] = {
    "nothing": lambda _: None,
    "a field with a default is added": lambda it: _add(it, default=""),
    "a field with a default is dropped": lambda it: _drop(it, "rows"),
    "a row's field with a default is added": lambda it: _add(_row(it), default=""),
    "a row's field with a default is dropped": lambda it: _drop(_row(it), "needs"),
    "fields change places": lambda it: it["fields"].reverse(),
    "the doc is better": lambda it: it.update(doc="What will be done."),
}


def _planted(change: Change) -> tuple[Any, Any]:
    was = SCHEMAS["plan_made.v1"]
    now = deepcopy(was)
    change(now)
    return was, now


@pytest.mark.parametrize("change", BREAKING.values(), ids=BREAKING)
def test_a_change_that_some_version_could_not_read_is_found(change: Change) -> None:
    assert breaks(*_planted(change)) != []


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_a_change_that_every_version_can_read_is_let_through(change: Change) -> None:
    assert breaks(*_planted(change)) == []


def test_a_change_is_compared_with_every_version_and_not_only_the_last() -> None:
    """Dropped in v2 and back in v3 with another type: each step alone is compatible."""
    first, second = _planted(lambda it: _drop(it, "rows"))
    third = deepcopy(second)
    _add(third, name="rows", default="")
    assert breaks(first, second) == breaks(second, third) == []
    assert breaks(first, second, third) != []


@pytest.mark.parametrize(
    "change", [*HARMLESS.values(), *BREAKING.values()], ids=[*HARMLESS, *BREAKING]
)
def test_what_the_checker_lets_through_a_reader_really_reads(change: Change) -> None:
    was, now = _planted(change)
    for writer, reader in ((was, now), (now, was)):
        if not misreadings(writer, reader):
            for datum in generate_many(writer, 20):
                _write_and_read(writer, reader, datum)


def _write_and_read(writer: Any, reader: Any, datum: Any) -> None:
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(writer), datum)
    out.seek(0)
    read = fastavro.schemaless_reader(
        out, fastavro.parse_schema(writer), fastavro.parse_schema(reader)
    )
    assert isinstance(read, dict)
    assert set(read) == {it["name"] for it in reader["fields"]}
    assert out.read() == b""

"""Whom a list of the affected names: in portions, every row counted, none left out in silence."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.affected import Given, portions
from pipeline.cli.listed import ListError, Row
from pipeline.intake.edge import Edge
from pipeline.intake.incidents import MOST, check_people
from pipeline.keys.key_files import KeyFiles
from schemas.codec import locked
from schemas.records import SealedAffected, SealedIdentifier
from tests.fakes.deciders import Sent


def read(path: Path, text: str) -> tuple[list[str], Given, list[int]]:
    """The addresses of a list, what came of it, and the lines that could not be read."""
    path.write_text(text)
    done, faults = Given(), list[int]()

    def fault(row: Row) -> None:
        faults.append(row.line)

    found = [it for portion in portions(path, {}, done, fault) for it in portion.people]
    return found, done, faults


def test_every_row_is_somebody(tmp_path: Path) -> None:
    rows = ["email,note", "ann@example.org,", "nobody,", ",", "'bob@example.org,", '"a@example.org']
    found, done, faults = read(tmp_path / "list.csv", "\n".join(rows))
    assert found == ["ann@example.org", "bob@example.org"]
    assert done == Given(rows=5, addresses=2, unreachable=3, faults=len(faults))
    assert faults == [3, 4, 6]


def test_objects_line_by_line_are_read_as_well(tmp_path: Path) -> None:
    lines = ['{"user": {"email": "ann@example.org"}}', '{"emails": ["bob@example.org"]}', "{"]
    found, done, faults = read(tmp_path / "list.ndjson", "\n".join(lines))
    assert found == ["ann@example.org", "bob@example.org"]
    assert (done.unreachable, faults) == (1, [3])


def test_an_address_that_is_none_costs_nobody_else_their_portion(tmp_path: Path) -> None:
    """The pipeline refuses a portion whole: what it does not take is counted, and left out."""
    endless = f"{'a' * 400}@example.org"
    found, done, _ = read(tmp_path / "list.csv", f"email\nann@example.org\n{endless}\n")
    assert found == ["ann@example.org"]
    assert (done.addresses, done.unreachable) == (1, 1)
    named = (SealedIdentifier(tag=b"", kind="email", value=it) for it in found)
    check_people(SealedAffected(login="", identifiers=tuple(named)))


@given(count=st.integers(0, 1300))
def test_portions_are_bounded_and_nobody_is_lost_between_two(
    tmp_path_factory: pytest.TempPathFactory, count: int
) -> None:
    path = tmp_path_factory.mktemp("list") / "list.csv"
    people = [f"p{n}@example.org" for n in range(count)]
    path.write_text("\n".join(["email", *people]))
    found = list(portions(path, {}))
    assert [it for portion in found for it in portion.people] == people
    assert all(len(it.people) <= MOST for it in found)
    assert len(found) == max(1, -(-count // MOST))


def test_a_list_that_has_no_column_of_people_is_none(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("colour\nred\n")
    with pytest.raises(ListError, match="--column"):
        list(portions(path, {}))


def test_what_stands_in_the_clear_for_a_list_can_be_made_by_its_console_alone(
    tmp_path: Path,
) -> None:
    """Who guesses a short list cannot tell from a topic that it is this one."""

    def edge(seed: int) -> Edge:
        signer = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        files = KeyFiles(tmp_path)
        return Edge(name="dpo", files=files, codec=locked(), producer=Sent(), signer=signer)

    digest = sha256(b"email\nann@example.org\n").digest()
    assert edge(1).tag(digest) == edge(1).tag(digest)
    assert edge(1).tag(digest) != edge(2).tag(digest)
    assert edge(1).tag(digest) not in {digest[:16], sha256(digest).digest()[:16]}

"""Key files: whole or not there, their owner's alone, and overwritten when they go."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline import settings
from pipeline.keys.key_files import KeyFiles
from pipeline.keys.key_folder import KeyFileError, KeyFolder, KeyPairs
from pipeline.keys.orchestrator_keys import OrchestratorKeys
from pipeline.settings import Settings, SettingsError

NOW = datetime(2026, 5, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_keys_are_found_by_id_oldest_first_as_they_lie_there_now(tmp_path: Path) -> None:
    keys, other = KeyFolder(tmp_path / "acme"), KeyFolder(tmp_path / "acme")
    assert not keys
    with pytest.raises(KeyFileError, match="start the pipeline once"):
        keys.current(NOW)
    made = [keys.create(NOW + n * HOUR) for n in (1, 0, 2)]
    assert list(other) == sorted(made) == [made[1], made[0], made[2]]
    assert len({other[it] for it in made} | {bytes(32)}) == 4
    assert other.current(NOW + HOUR) == made[0]
    assert all(it.stat().st_mode & 0o077 == 0 for it in (tmp_path / "acme").iterdir())
    keys.destroy(made[0])
    assert made[0] not in other
    with pytest.raises(KeyError):
        other[made[0]]


@pytest.mark.parametrize("text", ["", "abcd", "no key"])
def test_a_spoilt_key_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "old.key").write_text(text)
    with pytest.raises(KeyFileError, match=r"old\.key"):
        KeyFolder(tmp_path)["old"]


def test_no_id_leads_out_of_the_folder(tmp_path: Path) -> None:
    outside = KeyFolder(tmp_path / "wrapping").create(NOW)
    pairs = KeyPairs(tmp_path / "pipeline")
    pairs.create(NOW)
    assert f"../wrapping/{outside}" not in pairs
    with pytest.raises(KeyError):
        pairs[f"../wrapping/{outside}"]


def test_what_is_destroyed_is_overwritten_before_it_goes(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path)
    named = keys.create(NOW)
    raw = keys[named]
    os.link(tmp_path / f"{named}.key", tmp_path / "the same blocks")
    keys.destroy(named)
    assert [it.name for it in tmp_path.iterdir()] == ["the same blocks"]
    left = (tmp_path / "the same blocks").read_bytes()
    assert len(left) == 65
    assert raw.hex().encode() not in left


def test_what_a_dead_process_left_is_taken_away(tmp_path: Path) -> None:
    pairs = KeyPairs(tmp_path)
    named = pairs.create(NOW)
    assert not pairs.is_untidy()
    half = tmp_path / f".{named.replace('0', '1')}"
    half.write_text("abc")
    pairs.withdraw(named)  # it died before it published
    assert pairs.is_untidy()
    pairs.tidy()
    assert not pairs.is_untidy()
    assert not half.exists()
    assert pairs.public(NOW)[0] == named


def test_a_pair_seals_with_what_opens_and_its_public_part_goes_first(tmp_path: Path) -> None:
    pairs = KeyPairs(tmp_path)
    first, second = pairs.create(NOW), pairs.create(NOW + HOUR)
    named, public = pairs.public(NOW + HOUR)
    assert named == second
    assert pairs[named].public_key().public_bytes_raw() == public.public_bytes_raw()
    pairs.destroy(second)
    assert (pairs.public(NOW + HOUR)[0], list(pairs)) == (first, [first])


def test_the_public_half_of_a_signing_key_outlives_it(tmp_path: Path) -> None:
    """What it signed lies in the ledger's topic for ever."""
    keys = OrchestratorKeys(tmp_path)
    first, second = keys.create(NOW), keys.create(NOW + HOUR)
    signature = keys[first].sign(b"said")
    assert (keys.current(NOW), keys.current(NOW + HOUR)) == (first, second)
    keys.destroy(first)
    keys.tidy()
    assert list(keys) == [second]
    public = keys.public_of(first)
    assert public is not None
    public.verify(signature, b"said")
    for named in ("", "../x", "20990101T000000000000-00000000", "x" * 300):
        assert keys.public_of(named) is None


def test_every_kind_gets_its_first_key_once(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path)
    for _ in range(2):
        files.create(NOW, ("acme", "other"))
    kinds = [(it.purpose, it.system, len(it.keys)) for it in files.kinds(Settings())]
    assert kinds == [
        ("wrapping", "", 1),
        ("intake", "", 1),
        ("letters", "", 1),
        ("orchestrator", "", 1),
        ("signing", "", 1),
        ("host", "acme", 1),
        ("host", "other", 1),
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HABEAS_HOST_KEY_PERIOD", "3600"),
        ("HABEAS_WRAPPING_KEY_PERIOD", "1"),
        ("HABEAS_BACKUPS_KEPT", "604800"),
        ("HABEAS_INCOMING_KEPT", "94608000"),
        ("HABEAS_DEAD_LETTERS_KEPT", "94608000"),
        ("HABEAS_MAIL_KEPT", "94608000"),
        ("HABEAS_GIVE_UP_AFTER", "0"),
    ],
)
def test_periods_that_cannot_work_are_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        settings.load({variable: value})

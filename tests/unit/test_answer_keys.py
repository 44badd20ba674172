"""Signing keys: one in force after the other; public halves stay; revoked as of a moment."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from securesystemslib.signer import SSlibKey

from pipeline.crypto.trusted_keys import TrustedKey, former_key_id, key_id
from pipeline.keys.answer_keys import AnswerKeys
from pipeline.keys.key_files import KeyFiles
from pipeline.keys.key_folder import KeyFileError

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(tmp_path: Path, clock: Clock) -> AnswerKeys:
    return AnswerKeys(tmp_path, clock)


def by(keys: AnswerKeys) -> TrustedKey:
    """The key that signs now; its public half verifies what it signs."""
    signature = keys.sign(b"hello")
    (key,) = [it for it in keys.trusted() if it.id == signature.key_id]
    key.public.verify(signature.value, b"hello")
    return key


def earlier(folder: Path) -> Ed25519PrivateKey:
    """A folder of the first releases: one key in PEM, and its public half."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    folder.mkdir(exist_ok=True)
    (folder / "signing.key").write_bytes(private)
    (folder / "signing.pem").write_bytes(public)
    return key


def test_a_key_is_named_as_securesystemslib_names_it() -> None:
    public = Ed25519PrivateKey.generate().public_key()
    assert key_id(public) == SSlibKey.from_crypto(public).keyid != former_key_id(public)
    assert TrustedKey(public=public).is_named(former_key_id(public))


def test_without_a_key_it_says_what_to_do(keys: AnswerKeys) -> None:
    assert keys.trusted() == []
    with pytest.raises(KeyFileError, match="start the pipeline once"):
        keys.sign(b"hello")


def test_a_new_key_signs_once_it_is_in_force(keys: AnswerKeys, clock: Clock) -> None:
    keys.create(NOW)
    first = by(keys)
    keys.create(NOW + DAY)
    pem = keys.current_public.read_bytes()
    assert by(keys) == replace(first, until=NOW + DAY)
    clock.now = NOW + DAY
    second = by(keys)
    assert second.id != first.id
    assert keys.is_untidy()  # the sweep lays out who signs now: a host need not write to keys
    keys.tidy()
    assert not keys.is_untidy()
    assert (second.since, second.until) == (NOW + DAY, None)
    assert keys.current_public.read_bytes() != pem


def test_private_halves_are_their_owners_alone_and_public_halves_stay(keys: AnswerKeys) -> None:
    named = keys.create(NOW)
    first = by(keys)
    (private,) = keys.folder.root.glob("*.key")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    keys.create(NOW + DAY / 2)
    keys.destroy(named)
    assert first.id in {it.id for it in keys.trusted()}
    assert (keys.folder.root / f"{first.id}.pem").exists()


def test_nothing_is_signed_with_a_revoked_key(keys: AnswerKeys) -> None:
    keys.create(NOW)
    first = by(keys)
    keys.revoke(first.id, NOW)
    with pytest.raises(KeyFileError, match="no signing key"):
        keys.sign(b"hello")
    keys.create(NOW)
    assert by(keys).id != first.id


def test_the_earliest_revocation_counts(keys: AnswerKeys) -> None:
    keys.create(NOW)
    first = by(keys)
    for as_of in (NOW, NOW - DAY, NOW + DAY):
        keys.revoke(first.id, as_of)
    assert [it.revoked for it in keys.trusted()] == [NOW - DAY]
    with pytest.raises(KeyFileError, match="no signing key"):
        keys.revoke("0" * 64, NOW)


def test_what_a_process_that_died_did_not_publish_is_published(keys: AnswerKeys) -> None:
    keys.folder.create(NOW)
    assert keys.is_untidy()
    keys.tidy()
    assert not keys.is_untidy()
    assert by(keys).since == NOW


def test_the_key_of_the_first_releases_is_taken_over_in_place(tmp_path: Path) -> None:
    key = earlier(tmp_path)
    pem = (tmp_path / "signing.pem").read_bytes()
    files = KeyFiles(tmp_path)
    for _ in range(2):  # a second start changes nothing
        files.create(NOW, ())
        assert by(files.signing()).id == key_id(key.public_key())
        assert len(files.signing()) == 1
        assert (tmp_path / "signing.pem").read_bytes() == pem
    assert not (tmp_path / "signing.key").exists()


def test_taking_over_goes_on_where_it_stopped(tmp_path: Path) -> None:
    key = earlier(tmp_path)
    signing = KeyFiles(tmp_path).signing()
    private = (tmp_path / "signing.key").read_bytes()
    signing.adopt()
    (tmp_path / "signing.key").write_bytes(private)  # as if it had died before the last step
    signing.adopt()
    assert [it.id for it in signing.trusted()] == [key_id(key.public_key())]
    assert not (tmp_path / "signing.key").exists()


def test_an_earlier_key_that_is_no_pair_or_no_key_is_refused(tmp_path: Path) -> None:
    earlier(tmp_path)
    private = (tmp_path / "signing.key").read_bytes()
    earlier(tmp_path)
    (tmp_path / "signing.key").write_bytes(private)
    with pytest.raises(KeyFileError, match="not the public key"):
        KeyFiles(tmp_path).signing().adopt()
    (tmp_path / "signing.key").write_text("rubbish")
    with pytest.raises(KeyFileError, match="cannot read"):
        KeyFiles(tmp_path).signing().adopt()
    assert (tmp_path / "signing.key").exists()


def test_a_lone_host_follows(keys: AnswerKeys, tmp_path: Path, clock: Clock) -> None:
    theirs = AnswerKeys(tmp_path / "theirs", clock)
    keys.create(NOW)
    theirs.follow(keys)
    assert by(theirs) == by(keys)
    keys.create(NOW + DAY)
    clock.now = NOW + DAY
    keys.revoke(keys.trusted()[0].id, NOW)
    keys.destroy(min(keys))
    theirs.follow(keys)
    assert by(theirs) == by(keys)
    assert theirs.trusted() == keys.trusted()
    assert list(theirs) == list(keys)


@pytest.mark.parametrize("change", [{"key": "../../signing"}, {"revoked": "soon"}, {"file": 7}])
def test_an_index_that_cannot_be_read_is_no_empty_one(
    keys: AnswerKeys, change: dict[str, object]
) -> None:
    keys.create(NOW)
    index = keys.folder.root / "keys.json"
    (line,) = json.loads(index.read_text())["keys"]
    line.update(change)
    index.write_text(json.dumps({"keys": [line]}))
    with pytest.raises(KeyFileError, match=r"cannot read"):
        keys.trusted()

"""`intakes.toml`: what it says, what it may not say, how it is edited and read again."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from structlog.testing import capture_logs

from pipeline.intake.roles import Role
from pipeline.intake.senders import VOUCHED, IntakesError, Senders, load, parse
from pipeline.intake.senders_file import SendersFile, register, revoke

WHEN = datetime(2026, 11, 29, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


_SEEDS = (bytes([n]) * 32 for n in range(256))
"""The same in every process of a run: names of tests are made of these keys."""


def public() -> Ed25519PublicKey:
    return Ed25519PrivateKey.from_private_bytes(next(_SEEDS)).public_key()


A, B, C = (public().public_bytes_raw().hex() for _ in range(3))


def said(text: str) -> Senders:
    return parse(text, Path("intakes.toml"))


def test_a_console_without_roles_is_what_it_was_before_there_were_any() -> None:
    found = said(f'[consoles.cli]\npublic_key = "{A}"').consoles["cli"]
    assert (set(found.roles), found.level) == ({Role.DPO}, 2)


def test_a_console_with_roles_has_the_level_that_is_said_and_else_none() -> None:
    found = said(
        f'[consoles.a]\npublic_key = "{A}"\nroles = ["link", "auditor"]\n'
        f'[consoles.b]\npublic_key = "{B}"\nroles = []\nlevel = 1'
    ).consoles
    assert (set(found["a"].roles), found["a"].level) == ({Role.LINK, Role.AUDITOR}, 0)
    assert (found["b"].roles, found["b"].level) == (frozenset[Role](), 1)


def test_an_intake_vouches_for_user_ids_only_where_it_says_so() -> None:
    found = said(
        f'[intakes.a]\npublic_key = "{A}"\nlevel = 2\n'
        f'[intakes.b]\npublic_key = "{B}"\nvouches_for = ["user_id"]'
    ).intakes
    assert found["a"].vouches_for == VOUCHED == {"email", "phone"}
    assert found["b"].vouches_for == {"user_id"}


def test_a_sender_may_have_several_keys_and_is_revoked_with_all_of_them() -> None:
    (one, other) = (
        said(
            f"""
            [intakes.web]
            revoked_at = 2026-11-29T12:00:00Z
            [[intakes.web.keys]]
            public_key = "{A}"
            revoked_at = 2026-11-28T12:00:00Z
            [[intakes.web.keys]]
            public_key = "{B}"
            valid_from = 2026-11-28T13:00:00+01:00
            """
        )
        .intakes["web"]
        .keys
    )
    assert one.revoked_at == other.valid_from == WHEN - timedelta(days=1)
    assert other.revoked_at == WHEN
    assert other.is_early(WHEN - timedelta(days=1) - SECOND)
    assert not other.is_revoked(WHEN - SECOND)
    assert other.is_revoked(WHEN)


def test_an_intake_that_names_words_is_bound_to_them_and_no_other_is() -> None:
    found = said(
        f'[intakes.a]\npublic_key = "{A}"\n[intakes.b]\npublic_key = "{B}"\nsays = ["objected"]\n'
    ).intakes
    assert found["a"].says is None
    assert found["b"].says == frozenset({"objected"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f'[consoles.a]\npublic_key = "{A}"\nroles = ["boss"]', r"\[consoles.a\].*boss"),
        (f'[consoles.a]\npublic_key = "{A}"\nroles = "dpo"', "roles is no list"),
        (f'[consoles.a]\npublic_key = "{A}"\nvouches_for = ["email"]', "it has vouches_for"),
        (f'[intakes.a]\npublic_key = "{A}"\nroles = ["dpo"]', "it has roles"),
        (f'[intakes.a]\npublic_key = "{A}"\nvouches_for = ["iban"]', "vouches_for has iban"),
        (f'[intakes.a]\npublic_key = "{A}"\nsays = ["maybe"]', "says has maybe"),
        (f'[intakes.a]\npublic_key = "{A}"\nsays = "objected"', "says is no list"),
        (f'[consoles.a]\npublic_key = "{A}"\nsays = ["objected"]', "it has says"),
        (f'[intakes.a]\npublic_key = "{A}"\nlevel = -1', "level is below 0"),
        (f'[intakes.a]\npublic_key = "{A}"\nlevel = "high"', r"\[intakes.a\]: invalid literal"),
        (f'[intakes.a]\npublic_key = "{A}"\nrevoked_a = 2026-11-29T12:00:00Z', "it has revoked_a"),
        (f'[intakes.a]\npublic_key = "{A}"\nrevoked_at = 2026-11-29T12:00:00', "with its zone"),
        (f'[intakes.a]\npublic_key = "{A}"\nrevoked_at = 2026-11-29', "with its zone"),
        (f'[intakes.a]\npublic_key = "{A}"\nrevoked_at = ""', "with its zone"),
        (f'[[intakes.a.keys]]\npublic_key = "{A}"\nlevel = 2', "keys has level"),
        ("[intakes.a]\nkeys = []", "either public_key or"),
        ("[intakes.a]\nlevel = 2", "'public_key' is missing"),
        ('[intakes.a]\npublic_key = "00"', r"\[intakes.a\]"),
        (f'[intake.a]\npublic_key = "{A}"', "the file has intake"),
        (f'[consoles.policy]\npublic_key = "{A}"', "nobody approved"),
        (f'[intakes."a b"]\npublic_key = "{A}"', "'a b' is no name"),
        ("intakes = 3", "intakes.toml"),
        ("]", "intakes.toml"),
        ("a = " + "[" * 100_000, "intakes.toml"),
    ],
)
def test_what_cannot_be_meant_is_an_error_that_says_where(text: str, says: str) -> None:
    with pytest.raises(IntakesError, match=says):
        said(text)


def test_an_edit_keeps_comments_and_a_revocation_is_never_moved_to_later(tmp_path: Path) -> None:
    path = tmp_path / "intakes.toml"
    path.write_text(
        f"""# ours
[intakes.web]  # the site
public_key = "{A}"  # since May
[consoles.cli]
public_key = "{B}"
[intakes.shop]
[[intakes.shop.keys]]
public_key = "{A}"
[[intakes.shop.keys]]
public_key = "{B}"
# the end
"""
    )
    path.chmod(0o640)
    for section, name in (("intakes", "web"), ("intakes", "shop"), ("consoles", "cli")):
        assert revoke(path, section, name, WHEN) == WHEN
        assert revoke(path, section, name, WHEN - SECOND) == WHEN - SECOND
        assert revoke(path, section, name, WHEN) == WHEN - SECOND
    register(path, "consoles", "ann", public(), level=2, roles=["reviewer"])
    register(path, "intakes", "new", public(), level=1)
    register(path, "intakes", "web", public(), level=2)  # is there: nothing is changed
    text, known = path.read_text(), load(path)
    assert all(it in text for it in ("# ours", "# the site", "# since May", "# the end"))
    senders = [*known.intakes.values(), *known.consoles.values()]
    revoked = {key.raw.hex() for it in senders for key in it.keys if key.is_revoked(WHEN - SECOND)}
    assert revoked == {A, B}
    assert known.consoles["ann"].roles == {Role.REVIEWER}
    assert (known.intakes["new"].level, known.intakes["web"].level) == (1, 0)
    assert path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(IntakesError, match=r"no \[consoles.web\]"):
        revoke(path, "consoles", "web", WHEN)


def test_edits_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "intakes.toml"
    names = [f"n{n}" for n in range(12)]
    threads = [
        threading.Thread(target=register, args=(path, "intakes", it, public()), kwargs={"level": 1})
        for it in names
    ]
    for it in threads:
        it.start()
    for it in threads:
        it.join()
    assert sorted(load(path).intakes) == sorted(names)


def test_an_edit_of_a_file_that_is_wrong_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "intakes.toml"
    path.write_text("[intakes.a]\nlevel = 2\n")
    with pytest.raises(IntakesError, match="public_key"):
        register(path, "intakes", "b", public(), level=1)
    assert path.read_text() == "[intakes.a]\nlevel = 2\n"


def test_an_edit_reaches_the_file_that_a_link_names(tmp_path: Path) -> None:
    real, path = tmp_path / "real.toml", tmp_path / "intakes.toml"
    register(real, "intakes", "a", public())
    path.symlink_to(real)
    register(path, "intakes", "b", public())
    assert path.is_symlink()
    assert sorted(load(real).intakes) == ["a", "b"]


def test_a_changed_file_is_read_again_and_rubbish_leaves_what_was(tmp_path: Path) -> None:
    path = tmp_path / "intakes.toml"
    register(path, "intakes", "a", public(), level=1)
    known = SendersFile(path)
    assert known() is known()
    register(path, "intakes", "b", public(), level=1)
    assert sorted(known().intakes) == ["a", "b"]
    good = path.read_bytes()
    for rubbish in (b"\xff\x00", b"[intakes.a]\nlevel = 2\n", b"[intakes", None):
        if rubbish is None:
            path.unlink()
        else:
            path.write_bytes(rubbish)
        with capture_logs() as logs:
            assert sorted(known().intakes) == ["a", "b"]
            assert sorted(known().intakes) == ["a", "b"]
        assert [(it["event"], it["log_level"]) for it in logs] == [("intakes.unreadable", "error")]
    path.write_bytes(good)
    revoke(path, "intakes", "b", WHEN)
    assert known().intakes["b"].keys[0].is_revoked(WHEN)


def test_at_the_start_a_file_must_be_readable_and_none_is_nobody(tmp_path: Path) -> None:
    path = tmp_path / "intakes.toml"
    known = SendersFile(path)
    assert known() == Senders({}, {})
    register(path, "intakes", "a", public(), level=1)
    assert sorted(known().intakes) == ["a"]
    path.write_text("rubbish")
    with pytest.raises(IntakesError):
        SendersFile(path)


def test_a_console_is_an_intakes_by_its_name_or_by_any_key_that_either_ever_had() -> None:
    known = said(
        f'[intakes.a]\npublic_key = "{A}"\n[intakes.b]\npublic_key = "{B}"\n'
        f'[consoles.a]\npublic_key = "{B}"\n'
        f"[[consoles.c.keys]]\nrevoked_at = 2026-11-29T12:00:00Z\n"
        f'public_key = "{A}"\n[[consoles.c.keys]]\npublic_key = "{C}"'
    )
    assert known.is_of_intake("a", "a")
    assert known.is_of_intake("a", "b")
    assert known.is_of_intake("c", "a")
    assert not known.is_of_intake("c", "b")
    assert known.is_of_intake("gone", "gone")
    assert not known.is_of_intake("gone", "b")

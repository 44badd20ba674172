"""Somebody else has an account on the machine: what of ours they can read or change.

Every process makes what it makes for its owner alone, and none starts where that is not so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import app, modes, transport
from pipeline.kafka import connection
from pipeline.modes import ModesError
from pipeline.register.engine import migrate
from pipeline.settings import Settings
from tests.secure import Authority

PROBE = """
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from pipeline.cli import main

@main.command()
def probe():
    Path(sys.argv[2]).mkdir()
    (Path(sys.argv[2]) / "file").touch()

main(["probe"])
"""


def test_what_a_process_makes_is_its_owners_whatever_the_shell_says(tmp_path: Path) -> None:
    made = tmp_path / "made"
    code = [sys.executable, "-c", PROBE, "-", str(made)]
    subprocess.run(code, check=True, umask=0, cwd=Path(__file__).parents[2])  # noqa: S603
    assert made.stat().st_mode & 0o777 == 0o700
    assert (made / "file").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def installation(tmp_path: Path) -> Settings:
    """A data folder as `habeas up` leaves it."""
    settings = Settings(data=tmp_path / "data")
    place = app.Place(settings.data)
    keys = (place.keys.root / "hosts" / "stripe" / "1.key", place.keys.root / "signing" / "1.key")
    public = (place.keys.root / "letters" / "1.pub", place.public_key)
    for it in (*keys, place.intakes, settings.data / "register.db"):
        it.parent.mkdir(parents=True, exist_ok=True)
        it.touch(mode=0o600)
    for it in public:
        it.parent.mkdir(parents=True, exist_ok=True)
        it.touch(mode=0o644)
    settings.data.chmod(0o700)
    return settings


def test_an_installation_as_it_is_made_is_taken(installation: Settings) -> None:
    app.check_modes(installation)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("", 0o750),
        ("", 0o701),
        ("keys", 0o770),
        ("keys/hosts", 0o757),
        ("keys/hosts/stripe/1.key", 0o640),
        ("keys/hosts/stripe/1.key", 0o604),
        ("keys/signing/1.key", 0o620),
        ("keys/letters/1.pub", 0o664),
        ("keys/signing.pem", 0o646),
        ("intakes.toml", 0o644),
        ("register.db", 0o660),
    ],
)
async def test_what_others_could_read_or_change_stops_the_start_until_it_is_mended(
    installation: Settings, name: str, mode: int
) -> None:
    path = installation.data / name
    path.chmod(mode)
    told = f"others on this machine could .* after: chmod go= {path}$"
    with pytest.raises(ModesError, match=told):
        await app.prepare(installation, "nowhere")
    with pytest.raises(ModesError, match=told):
        await app.run_roles((), installation, "nowhere", above={})
    path.chmod(mode & 0o700)  # what the person is told
    app.check_modes(installation)


def test_a_link_is_as_open_as_what_it_leads_to(installation: Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch(mode=0o644)
    (installation.data / "keys" / "linked.key").symlink_to(elsewhere)
    with pytest.raises(ModesError, match=r"linked\.key"):
        app.check_modes(installation)


def test_a_mounted_secret_may_be_its_groups_where_a_person_said_so(
    installation: Settings,
) -> None:
    """As Kubernetes mounts one: links to files of root's, readable by the pod's group."""
    folder = installation.data / "keys" / "hosts" / "stripe"
    (folder / "..2026").mkdir()
    mounted = folder / "..2026" / "2.key"
    mounted.touch()
    mounted.chmod(0o440)
    (folder / "..data").symlink_to("..2026")
    (folder / "2.key").symlink_to("..data/2.key")
    with pytest.raises(ModesError, match=r"2\.key"):
        app.check_modes(installation)
    named = Settings(data=installation.data, group_may_read=f"/elsewhere, {folder}")
    app.check_modes(named)
    mounted.chmod(0o460)  # to read, not to change
    with pytest.raises(ModesError, match=r"2\.key"):
        app.check_modes(named)
    mounted.chmod(0o444)
    with pytest.raises(ModesError, match=r"2\.key"):
        app.check_modes(named)


def test_a_password_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.touch(mode=0o640)
    file.write_text("pass-word\n")
    settings = Settings(
        broker="localhost:9092",
        kafka_security="sasl_plaintext",
        kafka_user="habeas",
        kafka_password_file=str(file),
    )
    with pytest.raises(ModesError, match="chmod go=") as refused:
        connection.of(settings)
    assert "word\n" not in str(refused.value)
    file.chmod(0o600)
    assert connection.of(settings).security["sasl_plain_password"] == "pass-word"


def test_a_key_of_ours_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).issue("ours")
    transport.context("HABEAS_KAFKA", ca="", cert=str(certificate), key=str(key))
    key.chmod(0o640)
    for group_may_read, taken in (("", False), (str(tmp_path), True)):
        with nullcontext() if taken else pytest.raises(ModesError, match=r"ours\.key"):
            transport.context(
                "HABEAS_KAFKA",
                ca="",
                cert=str(certificate),
                key=str(key),
                group_may_read=group_may_read,
            )


def test_a_list_of_many_paths_is_cut(tmp_path: Path) -> None:
    many = [tmp_path / f"{n}.key" for n in range(30)]
    for it in many:
        it.touch()
        it.chmod(0o666)
    with pytest.raises(ModesError) as refused:
        modes.refuse_open(many)
    assert str(refused.value).count(".key") == 10


async def test_what_a_program_without_our_umask_makes_is_private_all_the_same(
    tmp_path: Path,
) -> None:
    """One that uses `app` without the command line."""
    place = app.Place(tmp_path / "data")
    before = os.umask(0)
    try:
        place.keys.create(datetime.now(UTC), ("stripe",))
        app.register_local(place)
        async with app.register(Settings(data=place.root)) as engine:
            await migrate(engine)
            app.check_modes(Settings(data=place.root))
    finally:
        os.umask(before)

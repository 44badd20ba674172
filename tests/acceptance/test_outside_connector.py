"""A connector of another team: begun by a command, filled in, packaged, and put to a case."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen
from zipfile import ZipFile

import pytest
from click.testing import CliRunner

import pipeline
from pipeline.cli import main

ROOT = Path(pipeline.__path__[0]).parent
PATIENCE = 120
"""Seconds for a case, with a broker to start."""
TO_WRITE = r"        raise NotImplementedError\(.*?\n        \)\n"
EMAIL, NAME = "ann-outside@example.org", "Ann Outside"
ERASE = """        due = holding.categories - keep
        try:
            if not keep:
                await self._http.delete("/contacts/{id}", id=holding.id)
                return Erased()
            row = await self._reads.row(holding)
            if row is None or not due:
                return dict.fromkeys(due, Erased())
            blanks = CONTACT.fields.blanks(row, keep)
            if blanks:
                await self._http.patch("/contacts/{id}", as_json(blanks), id=holding.id)
            return CONTACT.fields.outcomes(row, due)
        except UnauthorisedError:
            raise
        except TerminalError as refused:
            return Failed(refused.reason)
"""
ROUTES = """            web.patch("/contacts/{id}", self._patch),
            web.delete("/contacts/{id}", self._delete),
        ]
"""
HANDLERS = """
    async def _patch(self, request: web.Request) -> web.Response:
        row = self.table("contact").get(request.match_info["id"])
        if row is None:
            return self.refusal(404)
        row |= {name: value or "" for name, value in (await request.json()).items()}
        self.changed("update", "contact", row["id"])
        return web.json_response(row)

    async def _delete(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        if self.table("contact").pop(id_, None) is None:
            return self.refusal(404)
        self.changed("delete", "contact", id_)
        return web.Response(status=204)
"""
SEED = """        emails = subject.of("email")
        for n in range(holdings):
            name = self.mark(Category.IDENTITY)
            self.sandbox.plant("contact", {"name": name, "email": emails[n % len(emails)]})
"""
MAP = """
[[data]]
system = "dovecote"
kind = "contact"
categories = ["identity", "contact", "profile"]
role = "controller"
purposes = ["relationship"]
sources = ["you"]

[[recipients]]
system = "dovecote"
name = "Dovecote"
role = "processor: pigeon post"
"""


def _begun(into: Path) -> Path:
    """What `habeas connector new` writes."""
    into.mkdir(mode=0o700, exist_ok=True)
    said = CliRunner().invoke(main, ["connector", "new", "dovecote", "--into", str(into)])
    assert said.exit_code == 0, said.output
    return into / "habeas-dovecote"


def _written(path: Path, body: str, **names: str) -> None:
    """The next thing in a file that is to be written, written; and what it needs, imported."""
    text = re.sub(TO_WRITE, lambda _: body, path.read_text(), count=1, flags=re.DOTALL)
    for old, new in names.items():
        text = text.replace(f"    {old},\n", f"    {old},\n    {new},\n", 1)
    path.write_text(text)


def _seeded(folder: Path) -> None:
    test = folder / "tests/test_dovecote.py"
    _written(test, SEED)
    _written(test, "        return False\n")
    test.write_text(test.read_text().replace("import Identifier", "import Category, Identifier"))


def _erasing(folder: Path) -> None:
    connector, sandbox = (folder / f"habeas_dovecote/{it}.py" for it in ("connector", "sandbox"))
    _written(connector, ERASE, Connector="Erased", Erased="Failed", Subject="TerminalError")
    text = connector.read_text()
    needs = "Ceilings, Http, UnauthorisedError, as_json"
    connector.write_text(text.replace("Ceilings, Http\n", f"{needs}\n", 1))
    text = sandbox.read_text().replace("        ]\n", ROUTES, 1)
    sandbox.write_text(text + HANDLERS)


def _run(folder: Path, *command: str, **environ: str) -> tuple[int, str]:
    """A command of a team's, in its folder: how it ended, and what it said."""
    done = subprocess.run(  # noqa: S603
        command,
        cwd=folder,
        env={**os.environ, **environ},
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
    )
    return done.returncode, done.stdout + done.stderr


def _kit(folder: Path) -> tuple[int, str]:
    asked = ("-q", "-x", "-p", "no:randomly", "--tb=short")
    return _run(folder, sys.executable, "-m", "pytest", *asked)


def test_what_is_begun_passes_lint_and_types_as_ours_are_set(tmp_path: Path) -> None:
    folder = _begun(tmp_path / "team")
    ours, theirs = (
        tomllib.loads((it / "pyproject.toml").read_text())["tool"] for it in (ROOT, folder)
    )
    for names in (("ruff", "lint", "select"), ("ruff", "lint", "ignore"), ("mypy", "strict")):
        assert _at(theirs, *names) == _at(ours, *names)
    for command in ("ruff check", "ruff format --check", f"mypy --cache-dir {ROOT}/.mypy_cache"):
        code, said = _run(folder, sys.executable, "-m", *command.split())
        assert code == 0, said


def test_what_is_begun_fails_and_says_what_to_do_next(tmp_path: Path) -> None:
    folder = _begun(tmp_path / "team")
    assert "write `seed`" in _kit(folder)[1]
    _seeded(folder)
    assert "write `erase`" in _kit(folder)[1]
    _erasing(folder)
    code, said = _kit(folder)
    assert code == 0, said
    assert "never planted" in said


@pytest.mark.parametrize("name", ["", "Acme", "acme-crm", "1st", "class", "../acme"])
def test_a_name_that_no_system_can_have_begins_nothing(tmp_path: Path, name: str) -> None:
    said = CliRunner().invoke(main, ["connector", "new", name, "--into", str(tmp_path)])
    assert said.exit_code == 1
    assert "in lower case" in said.output
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    folder = _begun(tmp_path / "team")
    before = {it: it.read_bytes() for it in folder.rglob("*") if it.is_file()}
    said = CliRunner().invoke(main, ["connector", "new", "dovecote", "--into", str(folder.parent)])
    assert said.exit_code == 1
    assert "there already" in said.output
    assert {it: it.read_bytes() for it in folder.rglob("*") if it.is_file()} == before


def _at(value: Any, *names: str) -> Any:
    for it in names:
        value = value[it]
    return value


@dataclass(frozen=True)
class Installation:
    """An environment of its own with two wheels in it, and what else they need from ours."""

    folder: Path
    environ: Mapping[str, str]

    @classmethod
    def of(cls, folder: Path, *projects: Path) -> Installation:
        """Build the wheels of two projects, and install them."""
        wheels, home = folder / "wheels", folder / "env"
        for project in projects:
            build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel")
            code, said = _run(project, *build, "-d", str(wheels))
            assert code == 0, said
        assert _run(folder, sys.executable, "-m", "venv", "--without-pip", str(home))[0] == 0
        install = ["install", "--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
        pip = (sys.executable, "-m", "pip", "--python", str(home / "bin/python"), *install)
        code, said = _run(folder, *pip, *map(str, wheels.glob("*.whl")))
        assert code == 0, said
        (site,) = home.glob("lib/python*/site-packages")
        (site / "beside.pth").write_text(sysconfig.get_path("purelib"))
        return cls(folder, {"PYTHONSAFEPATH": "1"})

    def command(self, name: str) -> str:
        """A program of the environment."""
        return str(self.folder / "env/bin" / name)

    def habeas(self, *arguments: str, **environ: str) -> tuple[int, str]:
        """A command, as a person gives it."""
        return _run(self.folder, self.command("habeas"), *arguments, **self.environ, **environ)

    @contextmanager
    def process(self, *command: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
        """What runs until the end."""
        running = subprocess.Popen(  # noqa: S603
            command,
            cwd=self.folder,
            env={**os.environ, **self.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield running
        finally:
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=60)


def test_a_connector_from_a_wheel_beside_ours_plays_a_case(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    folder = _begun(tmp_path / "team")
    _erasing(folder)
    made = Installation.of(tmp_path, ROOT, folder)
    where = "import pipeline, habeas_dovecote as it; print(pipeline.__file__, it.__file__)"
    code, said = _run(tmp_path, made.command("python"), "-c", where, **made.environ)
    assert code == 0, said
    assert all(it.startswith(str(tmp_path / "env")) for it in said.split())
    assert made.habeas("connector", "new", "loft", "--into", str(tmp_path))[0] == 0
    sandbox = (made.command("python"), "-m", "connectors.sdk.sandbox", "dovecote")
    with made.process(*sandbox) as vendor:
        assert vendor.stdout is not None
        told = json.loads(vendor.stdout.readline())
        _seed(told["url"], [{"kind": "contact", "name": NAME, "email": EMAIL}])
        environ = {**told["environ"], **_settings(tmp_path)}
        assert made.habeas("connector", "check", **environ) == (0, "dovecote: ok\n")
        with made.process(made.command("habeas"), "up", **environ):
            file = _answered(made, environ, tmp_path / "copy.zip")
            _wait(lambda: not _state(told["url"]))
    copy = ZipFile(file)
    assert NAME.encode() in copy.read("data/dovecote.json")


def _settings(folder: Path) -> dict[str, str]:
    """Of a pipeline with one system, and a policy that knows it."""
    policy = folder / "policy"
    shutil.copytree(Path(pipeline.__path__[0]) / "policy", policy)
    with (policy / "bizxpert.toml").open("a") as file:
        file.write(MAP)
    return {
        "HABEAS_DATA": str(folder / "data"),
        "HABEAS_POLICY": str(policy),
        "HABEAS_SYSTEMS": "dovecote",
        "HABEAS_WEB_LISTEN": "127.0.0.1:0",
        "HABEAS_SWEEP": "0.2",
    }


def _answered(made: Installation, environ: Mapping[str, str], file: Path) -> Path:
    """Ask for a copy and for erasure, and wait for the copy."""
    ask = ("submit", "--claim", "access", "--claim", "erasure", "--email", EMAIL, "--name", NAME)
    said = _until(lambda: made.habeas(*ask, "--json", **environ))
    case = json.JSONDecoder().raw_decode(said)[0]["case"]  # what is logged stands after it
    _until(lambda: made.habeas("response", case, "--n", "1", "--out", str(file), **environ))
    return file


def _until(attempt: Callable[[], tuple[int, str]]) -> str:
    """Try until it works; what it said."""
    last = ""

    def works() -> bool:
        nonlocal last
        code, last = attempt()
        return code == 0

    _wait(works, lambda: last)
    return last


def _wait(holds: Callable[[], bool], tell: Callable[[], str] = str) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, tell()
        time.sleep(0.5)


def _seed(url: str, objects: list[dict[str, str]]) -> None:
    asked = Request(f"{url}/_sandbox/seed", json.dumps(objects).encode(), method="POST")  # noqa: S310
    urlopen(asked).close()  # noqa: S310


def _state(url: str) -> dict[str, Any]:
    with urlopen(f"{url}/_sandbox/state") as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
    return found

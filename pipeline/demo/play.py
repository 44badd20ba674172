"""The demo, act by act: seed, ask, watch, approve, open, verify, audit."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import registry
from pipeline import app
from pipeline.adapters.register import reading
from pipeline.case import lifecycle
from pipeline.case.case import Case
from pipeline.response.verify import VerifyError, verify
from pipeline.settings import Settings
from schemas.events import CaseReported
from schemas.records import Person, SealedIdentifier

from . import audit as audit_script
from . import seed
from .people import Cast, Request

MARK = ".habeas-demo"
"""Lies in an output folder that a demo made: such a folder may be emptied by the next one."""
LOOK_EVERY = 0.25
PATIENCE = timedelta(minutes=5)
"""For all cases together."""
SEARCH_BUDGET = timedelta(seconds=30)
Watch = Callable[[Sequence["Seat"]], None]
Say = Callable[[str], None]


class DemoError(Exception):
    """The demo cannot begin, or did not come to its end. The message says why."""


@dataclass(slots=True)
class Seat:
    """One request of the cast, and its case as it was last seen."""

    request: Request
    id: UUID = field(default_factory=uuid4)
    case: Case | None = None
    report: CaseReported | None = None

    @property
    def at_rest(self) -> bool:
        """Whether it stands where it must in the end, with nothing under way."""
        case = self.case
        if case is None or case.under_way():
            return False
        if self.request.ends == lifecycle.ASKED:
            return case.state == lifecycle.ASKED
        settled = all(not it.active for it in case.claims.values())
        return settled and case.reports > 0 and all(it.digest for it in case.responses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the demo ended. `wrong` names everything that is not as it must be."""

    submitted: int
    settled: int
    waiting: int
    responses_made: int
    verified: int
    systems: tuple[str, ...]
    seconds: float
    responses: Path
    reports: Path
    public_key: Path
    reported: tuple[CaseReported, ...]
    """The last report of every case that has one."""
    wrong: tuple[str, ...]
    audit: str


@contextmanager
def room(out: Path) -> Iterator[None]:
    """An empty folder that is ours meanwhile; an earlier demo's is emptied.

    Raises `DemoError` for anybody else's folder, and for one that a demo runs in.
    """
    mark = out / MARK
    if out.exists() and any(out.iterdir()) and not mark.exists():
        raise DemoError(f"{out} is not empty and no demo made it: choose another with --out")
    out.mkdir(parents=True, exist_ok=True)
    with mark.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(f"a demo is running in {out}: choose another with --out") from None
        for it in out.iterdir():
            if it.is_dir():
                shutil.rmtree(it)
            elif it != mark:
                it.unlink()
        yield


@asynccontextmanager
async def stage(settings: Settings, bootstrap: str) -> AsyncIterator[dict[str, str]]:
    """Sandboxes of every system and the whole pipeline on them; the sandboxes' addresses."""
    async with AsyncExitStack() as stack:
        urls, environ = {}, {}
        for system in app.systems(settings):
            made = registry.load(registry.SANDBOXES, system)()
            sandbox = await stack.enter_async_context(made)
            urls[system] = sandbox.url
            environ.update(sandbox.environ())
        await app.prepare(settings, bootstrap)
        async with asyncio.TaskGroup() as group:  # if the pipeline fails, the play ends
            pipeline = group.create_task(app.run_everything(settings, bootstrap, environ))
            yield urls
            pipeline.cancel()


async def play(settings: Settings, bootstrap: str, cast: Cast, *, watch: Watch, say: Say) -> Ended:
    """Everything, from the first request to the audit. `settings.data` is the output folder."""
    began = time.monotonic()
    seats = [Seat(it) for it in cast.requests()]
    out = settings.data
    async with stage(settings, bootstrap) as urls, app.register(settings) as engine:
        say(f"{len(cast.people)} people in {len(urls)} sandboxes: {', '.join(urls)}")
        _write(out / "audit" / "expected.json", await seed.seed(urls, cast))
        _write(out / "audit" / "before.json", await seed.snapshot(urls))
        nobody_vouches = [it for it in seats if it.request.ends == lifecycle.ASKED]
        await _submit(settings, nobody_vouches)
        await _until(engine, settings, nobody_vouches, lambda _: None)
        _write(out / "audit" / "quiet.json", await seed.snapshot(urls))
        await _submit(settings, [it for it in seats if it not in nobody_vouches])
        await _until(engine, settings, seats, watch, say)
        _write(out / "audit" / "after.json", await seed.snapshot(urls))
        made = await _open(engine, settings, seats)
        reports = await _reports(out / "reports", seats)
    verified, wrong = _verify([*made, *reports], out)
    said, differs = await _audit(out / "audit")
    at_rest = [it for it in seats if it.at_rest]
    return Ended(
        submitted=len(seats),
        settled=sum(1 for it in at_rest if it.request.ends != lifecycle.ASKED),
        waiting=sum(1 for it in at_rest if it.request.ends == lifecycle.ASKED),
        responses_made=len(made),
        verified=verified,
        systems=tuple(urls),
        seconds=round(time.monotonic() - began, 1),
        responses=out / "responses",
        reports=out / "reports",
        public_key=app.Place(out).public_key,
        reported=tuple(it.report for it in seats if it.report),
        wrong=(*wrong, *differs),
        audit=said,
    )


async def _submit(settings: Settings, seats: Sequence[Seat]) -> None:
    async with app.local_edge(settings) as edge:
        for it in seats:
            person = Person(
                name=it.request.name,
                language=it.request.language,
                identifiers=tuple(
                    SealedIdentifier(tag=b"", kind=kind, value=value)
                    for kind, value in it.request.identifiers
                ),
            )
            await edge.request(
                it.id,
                it.request.claims,
                person,
                level=it.request.level,
                received_at=datetime.now(UTC),
            )


async def _until(
    engine: AsyncEngine,
    settings: Settings,
    seats: Sequence[Seat],
    watch: Watch,
    say: Say = lambda _: None,
) -> None:
    """Look until all are at rest; approve what waits for a person's approval."""
    rules, until = app.rules(settings), time.monotonic() + PATIENCE.total_seconds()
    approved: set[UUID] = set()
    while not all(it.at_rest for it in seats):
        if time.monotonic() > until:
            late = ", ".join(str(it.id) for it in seats if not it.at_rest)
            raise DemoError(f"not at rest after {PATIENCE}: {late}; look with `habeas case`")
        await asyncio.sleep(LOOK_EVERY)
        for it in seats:
            entries = await reading.entries(engine, it.id)
            it.case = reading.folded(entries, rules) if entries else None
            it.report = reading.last_report(entries)
        watch(seats)
        for it in seats:
            plan = it.case.plan if it.case else None
            if plan is not None and plan.state == "asked" and it.id not in approved:
                approved.add(it.id)
                say(f"habeas approve {it.id} --plan {plan.digest.hex()[:16]}")
                await _approve(settings, it.id, plan.digest.hex())


async def _approve(settings: Settings, case: UUID, digest: str) -> None:
    """As the DPO does it: with the command."""
    code, said = await _run(
        ("-m", "pipeline.cli", "approve", str(case), "--plan", digest, "--login", "demo-dpo"),
        {"HABEAS_DATA": str(settings.data), "HABEAS_BROKER": settings.broker},
    )
    if code:
        raise DemoError(f"habeas approve failed: {said}")


async def _open(engine: AsyncEngine, settings: Settings, seats: Sequence[Seat]) -> list[Path]:
    """Open every response as its subject receives it. Names hold no person."""
    folder = settings.data / "responses"
    folder.mkdir(exist_ok=True)
    made = []
    for seat in seats:
        for it in seat.case.responses if seat.case else ():
            path = folder / f"{seat.id}-{it.n}.zip"
            await app.open_response(settings, engine, seat.id, it.n, path)
            made.append(path)
    return made


async def _reports(folder: Path, seats: Sequence[Seat]) -> list[Path]:
    """The last report of every case that has one, once they are written."""
    wanted = [
        folder / f"{it.id}-{it.case.reports}.json" for it in seats if it.case and it.case.reports
    ]
    for _ in range(100):
        if all(it.with_suffix(".dsse.json").exists() for it in wanted):
            break
        await asyncio.sleep(LOOK_EVERY)
    return wanted


def _verify(files: Sequence[Path], out: Path) -> tuple[int, list[str]]:
    verified, wrong = 0, []
    for it in files:
        try:
            verify(it, app.Place(out).public_key)
        except (VerifyError, OSError) as error:
            wrong.append(f"{it.name}: {error}")
        else:
            verified += 1
    return verified, wrong


async def _audit(folder: Path) -> tuple[str, list[str]]:
    """Run the audit as a process of its own: it knows nothing of the pipeline."""
    files = (str(folder / f"{it}.json") for it in ("expected", "before", "after", "quiet"))
    code, said = await _run(("-I", str(audit_script.__file__), *files), {})
    *lines, last = said.strip().splitlines() or [""]
    return last, lines if code else []


async def _run(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env={**os.environ, **environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False))


def settings_of(out: Path, settings: Settings) -> Settings:
    """A demo's settings: everything in one folder, and little patience."""
    return replace(
        settings,
        data=out,
        register="",
        search_budget=SEARCH_BUDGET,
        sweep=timedelta(seconds=0.5),
    )

"""The demo, act by act: seed, ask, watch, approve, open, verify, audit."""

from __future__ import annotations

import asyncio
import fcntl
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import registry, wall_clock
from connectors.sdk.sandbox import Sandbox
from pipeline import app, disk, own_records
from pipeline.case import lifecycle
from pipeline.case.case import LOOK
from pipeline.response.verify import VerifyError, checked, trusted
from pipeline.settings import Settings
from pipeline.web import serve
from schemas.events import CaseReported

from . import audit, audit_answers, audit_decided, audit_kept, audit_told, seed, silence, year_six
from .actors import Actors, Say, Seat, look
from .dpo import Dpo, appoint
from .people import Cast
from .processes import run

MARK = ".habeas-demo"
"""Lies in an output folder that a demo made: such a folder may be emptied by the next one."""
LOOK_EVERY = 0.25
TOLD = ("audit/told.json", "instructions", "reports")
"""What the audit of recipients reads, in the output folder."""
PATIENCE = timedelta(minutes=5)
"""For all cases together."""
SEARCH_BUDGET = timedelta(seconds=30)
JOB_TAKES = timedelta(seconds=2)
"""How long Freshdesk's job takes that deletes a contact for good."""
LIMITS = ",".join(f"2000/60s{it}" for it in ("", " GET /api/v2/contacts", " GET /api/v2/tickets"))
"""Of Freshdesk, as one may buy them: the demo asks in seconds what others ask in a day."""
Watch = Callable[[Sequence[Seat]], None]


class DemoError(Exception):
    """The demo cannot begin, or did not come to its end. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the demo ended. `wrong` names everything that is not as it must be."""

    submitted: int
    settled: int
    refused: int
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

    Raises `DemoError` for anybody else's folder, and for one that a demo runs in; `TakenError` for
    one that `habeas up` runs on.
    """
    mark = out / MARK
    if out.exists() and any(out.iterdir()) and not mark.exists():
        raise DemoError(f"{out} is not empty and no demo made it: choose another with --out")
    out.mkdir(parents=True, exist_ok=True)
    out.chmod(0o700)  # it is empty or a demo's, and holds keys in a moment
    with mark.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(f"a demo is running in {out}: choose another with --out") from None
        with disk.alone(out):  # of an earlier demo's folder `habeas up` may have been started
            for it in out.iterdir():
                if it.is_dir():
                    shutil.rmtree(it)
                elif it.name not in {MARK, disk.LOCK}:
                    it.unlink()
            yield


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the pipeline plays, with the sandboxes by system."""

    settings: Settings
    bootstrap: str
    vendors: dict[str, Sandbox]
    environ: dict[str, str]

    @property
    def urls(self) -> dict[str, str]:
        """The sandboxes' addresses, by system."""
        return {system: it.url for system, it in self.vendors.items()}

    @asynccontextmanager
    async def pipeline(self) -> AsyncIterator[None]:
        """The whole pipeline; if it fails, the play ends."""
        async with asyncio.TaskGroup() as group:
            whole = app.run_everything(
                self.settings, self.bootstrap, self.environ, above={app.WEB: serve}
            )
            pipeline = group.create_task(whole)
            yield
            pipeline.cancel()


@asynccontextmanager
async def stage(settings: Settings, bootstrap: str) -> AsyncIterator[Stage]:
    """Sandboxes of every system, and all that a pipeline on them needs.

    Raises `DemoError`, before anything is made, where another pipeline is or was on the broker.
    """
    if settings.broker and await app.is_at_work(bootstrap):
        raise DemoError(
            f"a pipeline decides, or has decided, on the broker {bootstrap}, and would take part:"
            " leave HABEAS_BROKER out, and the demo brings its own. Nothing was changed."
        )
    async with AsyncExitStack() as stack:
        vendors: dict[str, Sandbox] = {}
        environ: dict[str, str] = {}
        for system in app.systems(settings):
            if system == own_records.SYSTEM:
                continue  # the demo's own register
            made = registry.load(registry.SANDBOXES, system)()
            if system == "freshdesk":
                made.delays.queue = JOB_TAKES
            sandbox = await stack.enter_async_context(made)
            vendors[system] = sandbox
            environ.update(sandbox.environ())
        environ.setdefault("HABEAS_FRESHDESK_LIMITS", LIMITS)
        await app.prepare(settings, bootstrap)
        yield Stage(settings, bootstrap, vendors, environ)


async def play(settings: Settings, bootstrap: str, cast: Cast, *, watch: Watch, say: Say) -> Ended:
    """Everything, from the first request to the audit. `settings.data` is the output folder."""
    began = time.monotonic()
    seats = [Seat(it) for it in cast.requests()]
    again = [Seat(it, is_again=True) for it in cast.requests() if it.again]
    out = settings.data
    async with AsyncExitStack() as stack:
        at = await stack.enter_async_context(stage(settings, bootstrap))
        engine = await stack.enter_async_context(app.register(settings))
        urls = at.urls
        say(f"{len(cast.people)} people in {len(urls)} sandboxes: {', '.join(urls)}")
        planted, _ = await asyncio.gather(seed.seed(urls, cast), appoint(settings))
        audited = out / "audit"
        _write(audited / "expected.json", planted)
        _write(audited / "asked.json", {str(it.id): it.request.person for it in seats})
        _write(audited / "before.json", await seed.snapshot(urls))
        async with at.pipeline():
            nobody_vouches = [it for it in seats if it.request.ends == lifecycle.ASKED]
            await _submit(settings, nobody_vouches)
            actors = Actors(settings, Dpo(settings, engine, planted), say, at.vendors)
            await _until(engine, settings, nobody_vouches, lambda _: None, actors)
            _write(audited / "quiet.json", await seed.snapshot(urls))
            await _submit(settings, [it for it in seats if it not in nobody_vouches])
            await _until(engine, settings, seats, watch, actors)
            told = {str(it.id): it.told(cast.linked(it.request.person)) for it in seats}
            _write(audited / "told.json", told)
            _write(audited / "after.json", await seed.snapshot(urls))
            say(_waited(seats))
            made = await _open(engine, settings, seats)
            reports = await _reports(out / "reports", seats)
        verified, wrong = _verify([*made, *reports], out)
        said, differs = await _audit(out)
        with year_six.later(settings) as then:
            at = replace(at, settings=then)
            async with at.pipeline():
                more, unlike = await _years_later(at, engine, planted, again, say)
        kept, unkept = await _promises(out, [*seats, *again])
    ends: list[str] = [it.request.ends for it in seats if it.at_rest]
    return Ended(
        submitted=len(seats),
        settled=ends.count("answered"),
        refused=ends.count("refused"),
        waiting=ends.count(lifecycle.ASKED),
        responses_made=len(made),
        verified=verified,
        systems=tuple(urls),
        seconds=round(time.monotonic() - began, 1),
        responses=out / "responses",
        reports=out / "reports",
        public_key=app.Place(out).public_key,
        reported=tuple(it.report for it in seats if it.report),
        wrong=(*wrong, *differs, *unlike, *unkept),
        audit=f"{said}; {more}; {kept}",
    )


async def _years_later(
    at: Stage, engine: AsyncEngine, planted: seed.Expected, again: Sequence[Seat], say: Say
) -> tuple[str, list[str]]:
    """What was put off falls due, and somebody asks again of whom recipients say nothing.

    What the audit says of it, and everything that differs.
    """
    audited = at.settings.data / "audit"
    await _submit(at.settings, again)
    before = json.loads((audited / "after.json").read_text())
    due = await year_six.looked_at(engine, at.settings, Dpo(at.settings, engine, planted))
    made = await year_six.supplements(engine, at.settings, due)
    _write(audited / "expected-later.json", year_six.expected(planted, before))
    _write(audited / "later.json", year_six.since(before, await seed.snapshot(at.urls)))
    say(year_six.told(due, len(made)))
    say(await silence.lasts(engine, at.settings, again))
    reports = await _reports(at.settings.data / "reports", again)
    _, wrong = _verify([*made, *reports], at.settings.data)
    names = ("expected-later", "after", "later")
    last, differs = await _differs(audit.__file__, *(str(audited / f"{it}.json") for it in names))
    return f"years later {last}", [*wrong, *differs]


async def _promises(out: Path, seats: Sequence[Seat]) -> tuple[str, list[str]]:
    """What the audit of what people decided says in short, and everything that differs."""
    promised = out / "audit" / "promised.json"
    _write(promised, {str(it.id): it.promised() for it in seats if it.is_decided})
    folders = (str(out / it) for it in ("mail", "instructions", "reports"))
    return await _differs(audit_decided.__file__, str(promised), *folders)


def _waited(seats: Sequence[Seat]) -> str:
    """What became of what a vendor deletes by a job."""
    looks = [
        sum(kind == LOOK for kind, _, _ in it.case.orders) for it in seats if it.case is not None
    ]
    waited = sum(1 for it in looks if it)
    return (
        f"Freshdesk deletes by a job of {JOB_TAKES.seconds} seconds: {waited} cases waited for it,"
        f" told it once, and looked {sum(looks)} times until all of it was gone"
    )


async def _submit(settings: Settings, seats: Sequence[Seat]) -> None:
    async with app.local_edge(settings) as edge:
        for it in seats:
            asked = it.request
            at = wall_clock.now()
            await edge.request(
                it.id,
                asked.claims,
                asked.sent(),
                level=asked.level,
                received_at=at,
                purpose=asked.purpose,
            )


async def _until(
    engine: AsyncEngine, settings: Settings, seats: Sequence[Seat], watch: Watch, actors: Actors
) -> None:
    """Look until all are at rest; meanwhile people do their part."""
    rules, until = app.rules(settings), time.monotonic() + PATIENCE.total_seconds()
    async with asyncio.TaskGroup() as acting:
        while not all(it.at_rest for it in seats):
            if time.monotonic() > until:
                late = ", ".join(str(it.id) for it in seats if not it.at_rest)
                raise DemoError(f"not at rest after {PATIENCE}: {late}; look with `habeas case`")
            await asyncio.sleep(LOOK_EVERY)
            moving = [it for it in seats if not it.at_rest]
            await look(engine, rules, moving)
            watch(seats)
            for it in moving:
                acting.create_task(actors.act(it))
            if all(it.at_rest for it in moving):
                await look(engine, rules, seats)  # whether they still are


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
    """By every key that the folder knows, as `habeas verify` does: a key may turn between two."""
    verified, wrong = 0, []
    keys = app.Place(out).keys.signing().trusted()
    for it in files:
        try:
            trusted(checked(it, keys), None)
        except (VerifyError, OSError) as error:
            wrong.append(f"{it.name}: {error}")
        else:
            verified += 1
    return verified, wrong


async def _audit(out: Path) -> tuple[str, list[str]]:
    """Run the audits (objects, answers, what is kept, who was told), in processes of their own.

    What they say in short, and everything that differs. They know nothing of the pipeline.
    """
    expected, before, after, quiet, asked = (
        str(out / "audit" / f"{it}.json")
        for it in ("expected", "before", "after", "quiet", "asked")
    )
    objects = (audit.__file__, expected, before, after, quiet)
    answers = (audit_answers.__file__, expected, before, asked, str(out / "responses"))
    kept = (audit_kept.__file__, expected, before, asked, str(out / "reports"))
    told = (audit_told.__file__, *(str(out / it) for it in TOLD))
    short, differs = [], []
    for last, lines in await asyncio.gather(
        *(_differs(*it) for it in (objects, answers, kept, told))
    ):
        short.append(last)
        differs += lines
    return f"audit: {'; '.join(short)}", differs


async def _differs(*command: str) -> tuple[str, list[str]]:
    """What an audit says in short, and its differences."""
    code, said = await run(("-I", *command), {})
    *lines, last = said.strip().splitlines() or [""]
    return last.removeprefix("audit: "), (lines or [last]) if code else []


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False))


def first_of(error: Exception) -> Exception:
    """What made the play end: it comes in a group, for others ended with it."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def settings_of(out: Path, settings: Settings) -> Settings:
    """A demo's settings: everything in one folder, and little patience."""
    return replace(
        settings,
        data=out,
        register="",
        search_budget=SEARCH_BUDGET,
        sweep=timedelta(seconds=0.5),
        look_pause=timedelta(seconds=0.5),
        web_listen="127.0.0.1:0",
        web_url="",
    )

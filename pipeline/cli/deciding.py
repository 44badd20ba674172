"""What every decision from the command line has: who takes it, why, and on which case."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline import app
from pipeline.case.case import Case
from pipeline.intake.decisions import WORDS, check_words
from pipeline.intake.refused import RefusedError
from pipeline.keys.key_files import signer_in
from pipeline.register import reading
from pipeline.settings import Settings
from schemas.events import Event
from schemas.records import Actor

from . import console

F = TypeVar("F", bound=Callable[..., Any])
LACKS: Mapping[str, str] = {
    "too_long": f"--says and --evidence take {WORDS} characters each",
    "refused_without_reasons_and_evidence": "a proposal takes --says and --evidence",
    "decided_without_reasons": "--says gives your reasons",
    "reviewed_without_reasons_and_evidence": "a review takes --says and --evidence",
    "overridden_without_balancing": "--evidence says how the grounds were weighed",
    "settled_without_evidence": "--done takes --evidence, --not-possible takes --says",
    "proved_without_evidence": "--evidence says what they showed you",
    "incident_without_what_happened": "--happened says what happened, in plain words",
    "notice_without_its_words": "the affected read what happened, what it may lead to, and what you"
    " do about it (GDPR Art. 34(2)): --happened, --consequences and --measures",
    "authority_without_reasons": "--says gives the reasons: of the delay, or why no risk is likely",
    "waived_without_reasons_and_evidence": "to tell nobody takes --says and --evidence",
    "recorded_without_evidence": "--evidence says how you know: a letter, a call, of which day",
}
"""What a decision lacks, by the code it would be refused with."""
says = click.option("--says", default="", help="Your reasons, for the record.")
evidence = click.option("--evidence", default="", help="What shows it: a reference, what you saw.")


@dataclass(frozen=True, slots=True)
class Who:
    """The person at the console `name`, with the key in a file; None is this machine's."""

    name: str
    key: Path | None
    login: str


def as_person(function: F) -> F:
    """Give a command the options that say who decides, as its argument `who`."""

    @click.option(
        "--as", "name", default=app.CONSOLE, show_default=True, help="The console you are."
    )
    @click.option(
        "--key",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Your signing key. Default: this machine's own, for `dpo`.",
    )
    @click.option("--login", default=None, help="Who you are. Default: your login here.")
    @wraps(function)
    def with_who(*args: Any, name: str, key: Path | None, login: str | None, **rest: Any) -> Any:
        if key is None and name != app.CONSOLE:
            raise click.UsageError(f"--key names the file with {name}'s signing key")
        return function(*args, who=Who(name, key, login or getpass.getuser()), **rest)

    return with_who  # type: ignore[return-value]  # the same command, with options before it


async def opened(settings: Settings, case: str) -> Case:
    """The case whose id begins so, as it stands. Raises `NoCaseError`."""
    async with app.register(settings) as engine:
        case_id = await reading.find(engine, case)
        rules = await app.rules_of(settings, engine)
        return reading.folded(await reading.entries(engine, case_id), rules)


async def decided(
    settings: Settings, who: Who, event: Event, says: str = "", evidence: str = ""
) -> None:
    """Publish a decision of theirs, with their reasons and evidence sealed.

    Raises `UsageError` where it would be refused for want of them.
    """
    await decided_as(settings, who, event, Actor(login=who.login, says=says, evidence=evidence))


async def decided_as(settings: Settings, who: Who, event: Event, actor: Actor) -> None:
    """As `decided`, with all that is sealed in it."""
    try:
        check_words(event, actor)
    except RefusedError as error:
        raise click.UsageError(LACKS[str(error)]) from None
    signer = None if who.key is None else signer_in(who.key)
    async with app.local_edge(settings, who.name, signer) as sender:
        await sender.decided(event, actor)


def told(known: Case, what: str, *, as_json: bool, **shown: object) -> None:
    """Say that a decision was published."""
    if as_json:
        console.show_json({"case": known.id, "decided": what, **shown})
    else:
        look = "case" if known.incident is None else "incident show"
        shows = f"{what}. `habeas {look} {known.id}` shows what follows"
        console.out.print(shows, soft_wrap=True, highlight=False)

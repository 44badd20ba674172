"""The command line: `habeas --help` teaches it."""

from __future__ import annotations

import os

import click

from pipeline.modes import UMASK

from . import (
    ask,
    check,
    connectors,
    decide,
    figures,
    hold,
    inbox,
    incident,
    keys,
    obligations,
    policy,
    recipients,
    recover,
    replay,
    run,
    screen,
    show,
    whose,
)
from .demo import demo


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96})
@click.version_option(package_name="habeas")
def main() -> None:
    """Habeas answers data-subject requests: finds a person in every system, does what the law
    says, proves it, and answers within the month.

    Start with `habeas demo`: it needs nothing and shows everything. Then `habeas up` with your
    own systems, `habeas submit` to ask, `habeas cases` to look. Settings are `HABEAS_*` variables;
    without any, everything lies in the folder `.habeas`.
    """
    os.umask(UMASK)


for command in (
    demo,
    run.up,
    run.run,
    run.topics,
    ask.submit,
    ask.approve,
    show.cases,
    show.case,
    inbox.inbox,
    incident.incident,
    decide.decide,
    whose.whose,
    obligations.obligations,
    recipients.recipients,
    show.report,
    figures.figures,
    hold.hold,
    screen.screen,
    replay.replay,
    check.response,
    check.verify,
    check.dead_letters,
    keys.keys,
    recover.recover,
    connectors.connector,
    policy.policy,
):
    main.add_command(command)

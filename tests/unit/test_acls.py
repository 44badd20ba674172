"""The printed ACLs: a script that a shell takes, the same as data, and a principal's other form."""

from __future__ import annotations

import shlex
from dataclasses import asdict

from pipeline import flow
from pipeline.kafka import acls
from pipeline.settings import Settings

SENDERS = {flow.INTAKE: ["web", "o'hara"], flow.CONSOLE: ["cli"]}
ROUTE = flow.topics(("freshdesk",), Settings())
MADE = acls.of_route(ROUTE, SENDERS)


def test_the_script_is_a_command_for_every_acl_and_a_shell_reads_it_back() -> None:
    usage, safe, *commands = acls.script(MADE).splitlines()
    assert usage.startswith("#")
    assert safe == "set -e"
    for command, it in zip(commands, MADE, strict=True):
        whose, what = ["--allow-principal", it.principal], ["--operation", it.operation]
        started = ["kafka-acls.sh", "$@", "--add"]
        assert shlex.split(command) == [*started, *whose, *what, f"--{it.resource}", it.name]


def test_no_acl_is_for_everybody_or_everything_or_given_twice() -> None:
    assert len({tuple(asdict(it).values()) for it in MADE}) == len(MADE)
    for it in MADE:
        assert "*" not in f"{it.principal}{it.name}"
        assert it.resource in {"topic", "group"}
        assert it.operation in {"Read", "Write", "Create", "Describe", "DescribeConfigs"}


def test_every_topic_of_the_route_has_who_writes_and_who_reads() -> None:
    for it in ROUTE:
        assert it.writers
        assert it.readers


def test_every_intake_and_console_is_a_principal_of_its_own() -> None:
    writers = {it.principal for it in MADE if (it.operation, it.name) == ("Write", flow.REQUESTS)}
    assert writers == {
        "User:habeas.intake.web",
        "User:habeas.intake.o'hara",
        "User:habeas.dead-letters",
    }


def test_a_principal_may_be_named_as_a_certificate_names_it() -> None:
    named = acls.of_route(ROUTE, SENDERS, "User:CN={name},O=Example")
    assert {it.principal for it in named} >= {"User:CN=habeas.orchestrator,O=Example"}

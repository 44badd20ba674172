"""What may each role do at the broker? The ACLs of every principal, made from the route's topics.

A principal is named like the role's consumer group: `habeas.orchestrator`, `habeas.host.stripe`,
`habeas.intake.web`. No role needs transactions, or an ACL for idempotent writes: since Kafka 2.8
who may write may do so idempotently (KIP-679). Who may read or write may describe.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline import flow
from pipeline.flow import Topic

TOPICS_ROLE = "topics"
"""Who runs `habeas topics`."""
PRINCIPAL = "User:{name}"
READ, WRITE, CREATE, DESCRIBE, DESCRIBE_CONFIGS = (
    "Read",
    "Write",
    "Create",
    "Describe",
    "DescribeConfigs",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acl:
    """One permission, as `kafka-acls.sh` names its parts."""

    principal: str
    resource: str
    """`topic` or `group`; both are meant literally."""
    name: str
    operation: str

    def arguments(self) -> str:
        """As `kafka-acls.sh` takes it."""
        return shlex.join(
            (
                "--add",
                *("--allow-principal", self.principal),
                *("--operation", self.operation),
                *(f"--{self.resource}", self.name),
            )
        )


def of_route(
    topics: Sequence[Topic], senders: Mapping[str, Sequence[str]], principal: str = PRINCIPAL
) -> list[Acl]:
    """The ACLs of every role on these topics.

    `senders` names intakes and consoles, by `flow.INTAKE`, `BOUND` and `CONSOLE`; `principal` is
    the form of a principal, such as `User:CN={name}` where certificates name them.
    """
    found = []
    for role, resource, name, operation in _permissions(topics):
        for named in _names(role, senders):
            whose = principal.replace("{name}", flow.group(named))
            acl = Acl(principal=whose, resource=resource, name=name, operation=operation)
            found.append(acl)
    return sorted(set(found), key=lambda it: (it.principal, it.resource, it.name, it.operation))


def _names(role: str, senders: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Who has a role: itself, or everybody of its kind, `intake.web`."""
    if role not in {flow.INTAKE, flow.BOUND, flow.CONSOLE}:
        return (role,)
    kind = flow.INTAKE if role == flow.BOUND else role
    return [f"{kind}.{it}" for it in senders.get(role, ())]


def script(acls: Sequence[Acl]) -> str:
    """A shell script that adds them: its arguments say which broker, and as whom."""
    usage = "# sh acls.sh --bootstrap-server HOST:PORT --command-config ADMIN.properties"
    return "\n".join(
        [usage, "set -e", *(f'kafka-acls.sh "$@" {it.arguments()}' for it in acls), ""]
    )


Permission = tuple[str, str, str, str]
"""(role, resource, name, operation)."""


def _permissions(topics: Sequence[Topic]) -> Iterator[Permission]:
    for topic in topics:
        for role in topic.writers:
            yield role, "topic", topic.name, WRITE
        for role in topic.readers:
            yield role, "topic", topic.name, READ
        yield flow.ORCHESTRATOR, "topic", topic.name, DESCRIBE_CONFIGS  # it refuses other settings
        for operation in (CREATE, DESCRIBE, DESCRIBE_CONFIGS):
            yield TOPICS_ROLE, "topic", topic.name, operation
    yield from _groups(topics)
    yield from _of_people(topics)


def _groups(topics: Sequence[Topic]) -> Iterator[Permission]:
    """Who reads on where it left off. `recover` moves the orchestrators'."""
    for role in {it for topic in topics for it in topic.readers} - {
        flow.RECOVERER,
        flow.LETTER_READER,
    }:
        yield role, "group", flow.group(role), READ
    yield flow.RECOVERER, "group", flow.group(flow.ORCHESTRATOR), READ


def _of_people(topics: Sequence[Topic]) -> Iterator[Permission]:
    """What `recover` sets back, and where `dead-letters replay` sends again what was refused."""
    for topic in topics:
        if flow.ORCHESTRATOR in topic.readers and topic.name != flow.LEDGER:
            yield flow.RECOVERER, "topic", topic.name, READ
        if topic.name not in {flow.LEDGER, flow.DEAD_LETTERS}:
            yield flow.LETTER_READER, "topic", topic.name, READ
            yield flow.LETTER_READER, "topic", topic.name, WRITE

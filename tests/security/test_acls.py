"""Who has got hold of one role's password: what they can do with it at the broker, and what not.

The ACLs are those that `habeas topics --acls` prints, on a broker that keeps to them.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from pipeline import flow
from pipeline.kafka import acls, connection, positions, topics
from pipeline.kafka.connection import Broker
from pipeline.kafka.local_kafka import LocalKafka
from pipeline.kafka.producer import producer
from pipeline.settings import Settings
from tests.rig import plant, states
from tests.secure import ADMIN, SecureKafka, SecureRig

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOSTS = ("freshdesk", "salesforce", "response", "notice", "recipients")
WORK = {f"rights.work.{it}" for it in HOSTS}
INCOMING = {"rights.requests", "rights.preferences", "rights.results", "rights.decisions"}
LETTERS, LEDGER, REPORTS = "rights.dead-letters", "rights.ledger", "rights.reports"
EVERY = {*INCOMING, *WORK, LETTERS, LEDGER, REPORTS}

READS: dict[str, set[str]] = {
    "orchestrator": {*INCOMING, LEDGER},
    **{f"host.{it}": {f"rights.work.{it}"} for it in HOSTS},
    "reports": {REPORTS},
    "recover": {*INCOMING, LEDGER},
    "dead-letters": EVERY - {LEDGER},
}
"""By role, and nothing else: written down here once more, by hand."""
WRITES: dict[str, set[str]] = {
    "orchestrator": {*WORK, REPORTS, LEDGER, LETTERS},
    **{f"host.{it}": {"rights.results", LETTERS} for it in HOSTS},
    "reports": {LETTERS},
    "intake.cli": {"rights.requests", "rights.preferences"},
    "intake.one-click": {"rights.preferences"},
    "console.dpo": {"rights.decisions"},
    "web": {"rights.decisions", "rights.preferences"},
    "dead-letters": EVERY - {LEDGER, LETTERS},
}
GROUPS: dict[str, set[str]] = {
    **{it: {f"habeas.{it}"} for it in ("orchestrator", "reports", *(f"host.{h}" for h in HOSTS))},
    "recover": {"habeas.orchestrator"},
}
ROLES = sorted({*READS, *WRITES, "topics"})
BUSY = {KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS}
"""What a broker says of groups that has just begun to keep them."""
WITHIN = 30.0
"""Seconds for the broker's answer to one attempt."""


class AclRig(SecureRig):
    """The printed ACLs are in force before anything else is done: topics are made under them."""

    async def _start_kafka(self, port: int | None = None) -> LocalKafka:
        kafka = await super()._start_kafka(port)
        route = flow.topics(self.systems, Settings(partitions=1))
        names = {flow.INTAKE: ["cli"], flow.BOUND: ["one-click"], flow.CONSOLE: ["dpo", "web"]}
        self.printed = acls.script(acls.of_route(route, names))
        await asyncio.to_thread(_apply, self.secure, self.printed)
        await topics.create(self.secure.broker("habeas.topics"), route)
        return kafka


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AclRig]:
    """Roles with passwords of their own, and the printed ACLs in force."""
    made = AclRig(
        tmp_path_factory.mktemp("rig"),
        users=tuple(f"habeas.{it}" for it in ROLES),
        options={"HABEAS_PARTITIONS": "1"},
    )
    async with made:
        made.settings = made.secure.settings("habeas.intake.cli", made.settings)
        yield made


def _apply(secure: SecureKafka, printed: str) -> None:
    """What a shell and `kafka-acls.sh` make of the script: each line is one command."""
    admin = AdminClient(secure.librdkafka(ADMIN))
    lines = [it for it in printed.splitlines() if it.startswith("kafka-acls.sh")]
    assert lines
    for made in admin.create_acls([_binding(it) for it in lines]).values():
        made.result(WITHIN)


def _binding(line: str) -> AclBinding:
    program, arguments, add, *given = shlex.split(line)
    assert (program, arguments, add) == ("kafka-acls.sh", "$@", "--add")
    options = dict(zip(given[::2], given[1::2], strict=True))
    (kind,) = options.keys() - {"--allow-principal", "--operation"}
    operation = {"DescribeConfigs": "DESCRIBE_CONFIGS"}.get(
        options["--operation"], options["--operation"].upper()
    )
    return AclBinding(
        ResourceType[kind[2:].upper()],
        options[kind],
        ResourcePatternType.LITERAL,
        options["--allow-principal"],
        "*",
        AclOperation[operation],
        AclPermissionType.ALLOW,
    )


async def test_a_whole_case_goes_through_with_every_role_under_its_own_name(
    rig: AclRig,
) -> None:
    assert (await rig.habeas("topics", "--acls"))[1] == rig.printed
    for process in ("orchestrator", "response", "notice", "recipients", "reports"):
        rig.run("run", process)
    for system in rig.systems:
        rig.run("run", "host", system)
    who = plant(rig, "acl")
    case = await rig.settled(await rig.submit("access", "erasure", email=who.email))
    assert states(case, "erasure")["freshdesk", "contact"] == {"proved"}
    assert states(case, "access")["freshdesk", "contact"] == {"proved"}
    report = rig.settings.data / "reports" / f"{case.id}-{case.reports}.json"
    await rig.wait_for(report.exists)
    ended = {it.log.name: it.stop() for it in rig.roles}
    assert set(ended.values()) <= {0, 130}, ended
    rig.roles.clear()
    private = [it for it in rig.settings.data.rglob("*") if it.is_relative_to(report.parent)]
    assert private
    assert not [
        it.name for it in private if it.stat().st_mode & 0o077
    ]  # whatever the shell's umask
    for role, command in (
        ("recover", ("recover", "--dry-run")),
        ("dead-letters", ("dead-letters", "list")),
        ("topics", ("topics",)),
    ):
        code, said, err = await rig.habeas(*command, **rig.as_role(role))
        assert code == 0, (command, said, err)


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_do_its_part_and_nothing_else(rig: SecureRig, role: str) -> None:
    """What the broker itself says that this principal may do, topic by topic, group by group."""
    assert {it.name for it in flow.topics(rig.systems, rig.settings)} == EVERY
    admin = AdminClient(rig.secure.librdkafka(f"habeas.{role}"))
    may = await asyncio.to_thread(_permitted, admin)
    read, write = AclOperation.READ, AclOperation.WRITE
    assert {topic for topic, operations in may.items() if read in operations} == READS.get(
        role, set()
    )
    assert {topic for topic, operations in may.items() if write in operations} == WRITES.get(
        role, set()
    )
    others = {AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS}
    if role == "topics":
        others.add(AclOperation.CREATE)
    assert {it for operations in may.values() for it in operations} <= {read, write, *others}
    asked = {f"habeas.{it}" for it in READS}
    assert await asyncio.to_thread(_groups, admin, asked) == GROUPS.get(role, set())


@pytest.mark.parametrize(
    ("role", "does", "topic"),
    [
        ("host.freshdesk", "reads", "rights.work.salesforce"),
        ("host.freshdesk", "reads", "rights.requests"),
        ("host.freshdesk", "reads", "rights.results"),
        ("host.freshdesk", "writes", "rights.work.freshdesk"),
        ("host.freshdesk", "writes", "rights.reports"),
        ("host.freshdesk", "writes", "rights.ledger"),
        ("host.freshdesk", "writes", "rights.decisions"),
        ("intake.cli", "reads", "rights.requests"),
        ("intake.cli", "writes", "rights.decisions"),
        ("intake.cli", "writes", "rights.results"),
        ("console.dpo", "writes", "rights.requests"),
        ("reports", "writes", "rights.reports"),
        ("orchestrator", "writes", "rights.decisions"),
        ("orchestrator", "reads", "rights.work.freshdesk"),
    ],
)
async def test_who_tries_it_all_the_same_is_refused(
    rig: SecureRig, role: str, does: str, topic: str
) -> None:
    broker = rig.secure.broker(f"habeas.{role}")
    attempt = _write(broker, topic) if does == "writes" else _read(broker, topic)
    with pytest.raises(TopicAuthorizationFailedError):
        await attempt


async def _write(broker: Broker, topic: str) -> None:
    async with producer(broker) as out:
        await out.send_and_wait(topic, b"?")


async def _read(broker: Broker, topic: str) -> None:
    consumer = AIOKafkaConsumer(topic, **connection.consumer(broker))
    try:
        await consumer.start()
        await consumer.getmany(timeout_ms=10_000)
    finally:
        await consumer.stop()


async def test_a_host_cannot_take_the_orders_of_another_by_joining_its_group(
    rig: SecureRig,
) -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        await positions.move(
            rig.secure.broker("habeas.host.freshdesk"),
            "habeas.host.salesforce",
            {("rights.work.salesforce", 0): 9},
        )


async def test_a_command_that_the_broker_does_not_permit_says_so(rig: SecureRig) -> None:
    code, _, err = await rig.habeas("dead-letters", "list", **rig.as_role("intake.cli"))
    assert code == 1
    assert "habeas topics --acls" in err
    code, shown, err = await rig.habeas("inbox", **rig.as_role("console.dpo"))
    assert code == 0, err
    assert "whether records lie in dead letters is not known" in shown
    assert "habeas topics --acls" in shown


def _permitted(admin: AdminClient) -> dict[str, set[AclOperation]]:
    found: dict[str, set[AclOperation]] = {}
    codes = set()
    asked = TopicCollection(sorted(EVERY))
    for topic, told in admin.describe_topics(
        asked, include_authorized_operations=True, request_timeout=WITHIN
    ).items():
        try:
            found[topic] = set(told.result(WITHIN).authorized_operations)
        except KafkaException as refused:  # it may not even know that the topic is there
            found[topic] = set()
            codes.add(refused.args[0].code())
    assert codes <= {KafkaError.TOPIC_AUTHORIZATION_FAILED}
    return found


def _groups(admin: AdminClient, asked: set[str]) -> set[str]:
    """Those of the groups that this principal may read on for."""
    found, codes = set(), set()
    for group, told in admin.describe_consumer_groups(
        sorted(asked), include_authorized_operations=True, request_timeout=WITHIN
    ).items():
        try:
            operations = told.result(WITHIN).authorized_operations
        except KafkaException as refused:
            codes.add(refused.args[0].code())
        else:
            assert set(operations) == {AclOperation.READ, AclOperation.DESCRIBE}
            found.add(group)
    if codes & BUSY:
        return _groups(admin, asked)
    assert codes <= {KafkaError.GROUP_AUTHORIZATION_FAILED}
    return found

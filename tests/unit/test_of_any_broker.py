"""A question to the cluster while a broker of several is down."""

from __future__ import annotations

import click
import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError

from pipeline.cli import console
from pipeline.kafka import connection


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ASKED_EVERY", 0.0)


@pytest.mark.asyncio
async def test_another_broker_answers_where_the_one_that_was_asked_is_down() -> None:
    down = [NodeNotReadyError(), NodeNotReadyError()]

    @connection.of_any_broker
    async def ask(what: str) -> str:
        if down:
            raise down.pop()
        return what

    assert await ask("topics") == "topics"


@pytest.mark.asyncio
async def test_where_none_answers_it_is_said_after_a_while() -> None:
    asked = []

    @connection.of_any_broker
    async def ask() -> None:
        asked.append(1)
        raise NodeNotReadyError

    with pytest.raises(NodeNotReadyError):
        await ask()
    assert len(asked) == connection.ASKED


@pytest.mark.asyncio
async def test_another_error_is_not_asked_again() -> None:
    asked = []

    @connection.of_any_broker
    async def ask() -> None:
        asked.append(1)
        raise KafkaConnectionError

    with pytest.raises(KafkaConnectionError):
        await ask()
    assert len(asked) == 1


@pytest.mark.parametrize("error", [NodeNotReadyError, KafkaConnectionError])
def test_a_command_without_a_broker_says_what_to_do(error: type[KafkaError]) -> None:
    @console.command
    async def run() -> None:
        raise error

    with pytest.raises(click.ClickException) as said:
        run()
    assert said.value.message == console.NO_BROKER

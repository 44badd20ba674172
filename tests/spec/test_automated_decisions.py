"""Automated decisions: there are none, and the answer says so (Art. 22)."""

from __future__ import annotations

from schemas import events as e

from .people import ANN, customer
from .world import World


async def test_that_there_are_none_is_said_plainly(world: World) -> None:
    """Art. 22(1), 15(1)(h): the policy names none; nobody is searched for to say so."""
    customer(world)
    await world.submit("automated_decision", email=ANN)
    text = (await world.answer()).text
    assert "We take no decision about you by a machine alone" in text
    assert not await world.said(e.SearchOrdered)
    assert (await world.case()).state == "answered"

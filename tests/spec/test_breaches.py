"""Breaches: the authority within 72 hours (GDPR Art. 33), and those whom it affects (Art. 34)."""

from __future__ import annotations

from pipeline.case.incident import counts

from .breaches import (
    CONSEQUENCES,
    HAPPENED,
    MEASURES,
    affected,
    opened,
    released,
)
from .people import ANN, BOB
from .world import World


async def test_each_of_the_affected_is_told_once_in_plain_words(world: World) -> None:
    """Art. 34(1), (2): the nature of the breach, the contact, the consequences, the measures."""
    incident = await opened(world)
    await affected(world, incident, [ANN, BOB, ANN.upper()])
    assert not world.mails(to=ANN), "nobody is told before the DPO has released the words"
    await released(world, incident)
    (mail,) = world.mails(to=ANN)
    assert all(it in mail.text for it in (HAPPENED, CONSEQUENCES, MEASURES, str(incident)))
    assert "data protection officer at" in mail.text
    assert len(world.mails(to=BOB)) == 1
    known = (await world.case(incident)).incident
    assert known is not None
    assert (counts(known).affected, counts(known).told) == (2, 2)

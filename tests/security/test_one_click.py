"""Attacks on the links that end mail, and on the sender behind them.

Who has such a link may end what it names, for whom it was sent to: that harms nobody. What is tried
here is to make it say more: of somebody else, of another use, or a yes; and to read who it is for.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from pipeline.app import ONE_CLICK, Place
from pipeline.crypto import one_click
from pipeline.intake.edge import Edge
from pipeline.intake.envelopes import Envelopes
from pipeline.intake.refused import UnauthenticatedError
from pipeline.intake.senders_file import SendersFile
from pipeline.orchestrator.inputs import read
from pipeline.settings import Settings
from schemas.envelope import disclose
from schemas.records import Person, Preference, SealedIdentifier
from tests.fakes.deciders import CODEC, NOW, OFFSETS, Sent, arrived, set_up
from tests.fakes.pages import Served, served

ANN, EVE = "ann@example.org", "eve@example.org"
CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
async def pages(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return set_up(tmp_path, "")


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with ClientSession() as made:
        yield made


def whose(pages: Served) -> list[Preference]:
    """Whom what was published is about."""
    keys = Place(pages.settings.data).keys.pipeline()
    return [disclose(CODEC, it, keys[it.key]) for it in pages.withdrawn()]


async def test_a_machine_that_opens_the_link_ends_nothing_and_a_post_does(
    pages: Served, client: ClientSession
) -> None:
    link = f"{pages.url}/unsubscribe/{pages.unsubscription('offers', ANN)}"
    for method in ("GET", "HEAD", "OPTIONS"):
        for tail in ("", "?List-Unsubscribe=One-Click", "?_method=POST"):
            async with client.request(method, link + tail) as got:
                assert ANN not in await got.text()
    assert pages.withdrawn() == []
    async with client.post(link, data=CLICK, allow_redirects=False) as got:
        assert (got.status, "Set-Cookie" in got.headers) == (200, False)
    (said,) = pages.withdrawn()
    assert (said.says, said.purpose, said.level, said.intake) == (
        "withdrawn",
        "offers",
        2,
        ONE_CLICK,
    )
    assert [it.value for it in whose(pages)] == [ANN]


async def test_the_link_and_what_is_said_of_it_name_nobody(
    pages: Served, client: ClientSession
) -> None:
    token = pages.unsubscription("offers", ANN)
    sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert ANN.encode() not in sealed
    assert b"offers" not in sealed
    with capture_logs() as logs:
        async with client.post(f"{pages.url}/unsubscribe/{token}", data=CLICK):
            pass
    assert token not in str(logs)
    assert ANN not in str(logs)
    assert ANN.encode() not in b"".join(it.value for it in pages.broker.records)


async def test_nobody_makes_a_link_of_another_one_or_of_nothing(
    pages: Served, client: ClientSession
) -> None:
    """A changed letter, a cut, two tokens joined, another's key, and rubbish are all not there."""
    mine, theirs = (pages.unsubscription("offers", it) for it in (EVE, ANN))
    other = one_click.token(bytes(64), "offers", ANN)
    half = len(mine) // 2
    flipped = [f"{mine[:n]}{'A' if mine[n] != 'A' else 'B'}{mine[n + 1 :]}" for n in (0, half)]
    tried = [
        *flipped,
        mine[:-3],
        f"{mine[:4]}.{mine[4:]}",  # which a lenient decoder reads as the same bytes
        f"{mine}=",
        mine[:half] + theirs[half:],
        other,
        "x",
        "%2e%2e",
        "é",
        "a" * 3000,
    ]
    for it in tried:
        async with client.post(f"{pages.url}/unsubscribe/{it}", data=CLICK) as got:
            assert got.status == 404, it
    assert pages.withdrawn() == []


async def test_a_page_elsewhere_presses_no_button(pages: Served, client: ClientSession) -> None:
    link = f"{pages.url}/unsubscribe/{pages.unsubscription('offers', ANN)}"
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        async with client.post(link, headers=headers) as got:
            assert got.status == 403
    assert pages.withdrawn() == []


async def test_pressed_again_within_a_minute_it_is_said_once_and_later_again(
    pages: Served, client: ClientSession
) -> None:
    """Who consented anew in between, and clicks the link of an old mail, is heard."""
    link = f"{pages.url}/unsubscribe/{pages.unsubscription('offers', ANN)}"
    for later in (0, 1, 61):
        pages.now = NOW + timedelta(seconds=later)
        async with client.post(link, data=CLICK) as got:
            assert got.status == 200
    assert len({it.case for it in pages.withdrawn()}) == 2


async def test_while_the_broker_is_away_nobody_is_told_that_it_is_done(
    pages: Served, client: ClientSession
) -> None:
    link = f"{pages.url}/unsubscribe/{pages.unsubscription('offers', ANN)}"
    pages.broker.away = True
    async with client.post(link, data=CLICK) as got:
        assert (got.status, got.headers["Retry-After"]) == (503, "30")
    pages.broker.away = False
    async with client.post(link, data=CLICK) as got:
        assert got.status == 200
    assert len(pages.withdrawn()) == 1


@pytest.mark.parametrize("says", ["given", "bought", "asked", "only", "served"])
async def test_whoever_takes_the_key_of_the_links_says_no_yes_with_it(
    settings: Settings, says: str
) -> None:
    """What they have: the key of the web role's intake. It may refuse, and do nothing else."""
    out = Sent()
    purpose = "single-notice" if says in {"only", "served"} else "offers"
    told = Preference(kind="email", value=ANN)
    await _edge(settings, out).preference(uuid4(), says, purpose, told, level=2, at=NOW)
    assert _refused(settings, out) == "intake_may_not_say"


@pytest.mark.parametrize("claim", ["access", "erasure", "objection"])
async def test_whoever_takes_the_key_of_the_links_asks_for_nothing_with_it(
    settings: Settings, claim: str
) -> None:
    out = Sent()
    person = Person(identifiers=(SealedIdentifier(tag=b"", kind="email", value=ANN),))
    edge = _edge(settings, out)
    await edge.request(uuid4(), (claim,), person, level=2, received_at=NOW)
    assert _refused(settings, out) == "intake_may_not_ask"


def _edge(settings: Settings, out: Sent) -> Edge:
    return Edge(name=ONE_CLICK, files=Place(settings.data).keys, codec=CODEC, producer=out)


def _refused(settings: Settings, out: Sent) -> str:
    """Why what was published is put aside."""
    place = Place(settings.data)
    envelopes = Envelopes(CODEC, SendersFile(place.intakes), place.keys.pipeline())
    try:
        read(arrived(out.records[0], next(OFFSETS)), CODEC, envelopes)
    except UnauthenticatedError as error:
        return str(error)
    return ""

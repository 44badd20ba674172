"""Who reads an address and presses the button is searched for; who does not is not."""

from __future__ import annotations

import re

import pytest
from aiohttp import ClientSession

from tests.rig import Rig, plant, text_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_address_that_nobody_vouches_for_is_searched_with_once_its_link_was_pressed(
    up: Rig,
) -> None:
    who = plant(up, "reader")
    case = await up.until(
        await up.submit("access", email=who.email, level=0),
        lambda it: it.state == "identity_asked" and not it.under_way(),
    )
    (mail,) = up.mails(case.id)
    assert mail["To"] == who.email
    (link,) = re.findall(r"http://127\.0\.0\.1:[0-9]+/confirm/[0-9a-f]{32}", text_of(mail))
    async with ClientSession() as client:
        for _ in range(3):  # a scanner, a preview, the person
            async with client.get(link) as page:
                assert page.status == 200
        assert (await up.look(case.id)).state == "identity_asked"  # type: ignore[union-attr]
        async with client.post(link) as page:
            assert page.status == 200
        case = await up.settled(case.id)
        assert case.held
        assert case.responses
        async with client.post(link) as page:
            assert page.status == 404

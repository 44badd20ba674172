"""What the DPO counts, from requests that went through (Art. 5(2), 12(3))."""

from __future__ import annotations

import json
import os
from typing import Any

from connectors.sdk.sandbox import Fault
from tests.commands import give

from .people import ANN, BOB, customer
from .world import World


async def counted(world: World, *options: str) -> Any:
    """What `habeas figures` says of this register."""
    environ = {**os.environ, "HABEAS_DATA": str(world.place.root)}
    code, out, err = await give(("figures", *options, "--json"), environ)
    assert code == 0, err
    return json.loads(out)


async def test_what_became_of_requests_is_counted_from_the_register(world: World) -> None:
    """Art. 5(2), 12(3): on time or late, how long it took, refused why, and which system failed."""
    customer(world)
    await world.submit("access", "erasure", email=ANN)
    await world.submit("access", email=BOB, level=0)
    await world.later(days=15)
    world.holds("salesforce", "lead", FirstName="Bob", LastName="Example", Email=BOB)
    world.vendors["aws"].faults.append(Fault(status=503, times=None))
    await world.submit("erasure", email=BOB, name="Bob Example")
    await world.later(days=2)
    found = await counted(world, "--from", "2026-03-01", "--to", "2026-03-31")
    assert found["cases"] == 3
    of = {it["right"]: it for it in found["rights"]}
    assert {name: of["access"][name] for name in ("received", "answered", "refused", "late")} == {
        "received": 2,
        "answered": 1,
        "refused": 1,
        "late": 0,
    }
    assert (of["erasure"]["answered"], of["erasure"]["on_time"]) == (2, 2)
    assert of["access"]["p95_days"] == 14.0
    assert found["refusals"] == [{"reason": "eu-gdpr:A12IdentityFailure", "claims": 1}]
    assert {it["system"] for it in found["failures"]} == {"aws"}
    assert "dated in salesforce" in {it["what"] for it in found["coming"]}
    assert "example.org" not in json.dumps(found)

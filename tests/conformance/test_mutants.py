"""The kit catches what it is for: each mistake that a team may make falls to one of its tests.

Each is put to the test that is recorded beside it. `make kit` puts it to all of them in turn until
one fails, and prints which did.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from connectors.sdk.conformance import discretion
from tests.conformance.mutants import (
    acme,
    aws,
    club,
    freshdesk,
    mailgun,
    people,
    salesforce,
    stripe,
)
from tests.conformance.mutants.cases import Case, cases
from tests.conformance.mutants.mutant import Mutant

CASES = cases()
MUTANTS = [
    *acme.MUTANTS,
    *aws.MUTANTS,
    *club.MUTANTS,
    *freshdesk.MUTANTS,
    *mailgun.MUTANTS,
    *people.MUTANTS,
    *salesforce.MUTANTS,
    *stripe.MUTANTS,
]
IS_WHOLE = bool(os.environ.get("HABEAS_KIT"))


@pytest.fixture(autouse=True)
def _no_long_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what a mutant never does."""
    monkeypatch.setattr(discretion, "CLOSING", 1)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[it.name for it in MUTANTS])
async def test_a_mutant_is_caught(
    mutant: Mutant,
    record_property: Callable[[str, object], None],
    request: pytest.FixtureRequest,
) -> None:
    for name in CASES if IS_WHOLE else (mutant.caught_by,):
        if await _catches(CASES[name], mutant, request):
            if IS_WHOLE:
                record_property("mutant", mutant.name)
                record_property("caught by", name)
            return
    record_property("mutant", mutant.name)
    record_property("caught by", "NOTHING")
    pytest.fail("the kit lets it pass")


async def _catches(case: Case, mutant: Mutant, request: pytest.FixtureRequest) -> bool:
    connector = mutant.make()
    async with mutant.world_of(connector) as world:
        try:
            await case.run(world, request)
        except (ImportError, NameError, SyntaxError):
            raise  # the mutant itself is broken
        except (Exception, pytest.fail.Exception):  # noqa: BLE001  whatever it is, it is seen
            return True
        except pytest.skip.Exception:
            return False
    return False

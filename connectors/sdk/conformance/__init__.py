"""The promises of `Connector`, as tests that any connector can run.

    class TestAcme(ConnectorConformance):
        @pytest.fixture
        async def world(self):
            async with AcmeSandbox() as sandbox:
                yield AcmeWorld(sandbox, Acme)

Each test says what to mend when it fails. Install `habeas[conformance]`.
"""

from __future__ import annotations

import pytest

from .belonging import Belonging
from .cast import ALIKE
from .copies import Copies
from .discretion import Discretion
from .enumerating import Enumerating
from .erasures import Erasures
from .failures import Failures
from .finding import Finding
from .keeping import Keeping
from .looking import Seen, erase, exported, in_order, look
from .marks import Mark
from .objecting import Objecting
from .others import Others
from .rectifying import Rectifying
from .restricting import Restricting
from .routes import Routes
from .states import States, more, some
from .verbs import Verbs
from .world import SandboxWorld, State, World

__all__ = [
    "ALIKE",
    "ConnectorConformance",
    "Mark",
    "SandboxWorld",
    "Seen",
    "State",
    "World",
    "erase",
    "exported",
    "in_order",
    "look",
    "more",
    "some",
]


@pytest.mark.asyncio
class ConnectorConformance(
    Finding,
    Belonging,
    Others,
    Copies,
    Erasures,
    Keeping,
    Verbs,
    Restricting,
    Rectifying,
    Objecting,
    Enumerating,
    Discretion,
    Routes,
    Failures,
    States,
):
    """Inherit, and provide the fixture `world`."""

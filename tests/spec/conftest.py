"""What the spec tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A pipeline, five vendors that hold nothing yet, and a Monday morning."""
    async with World(tmp_path) as made:
        yield made

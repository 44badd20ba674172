"""How long the tests of endurance run, and with which luck: `make soak SEED=7`."""

from __future__ import annotations

import os

SOAK = os.environ.get("HABEAS_SOAK") == "1"
"""Whether the same tests run in their long form, with larger numbers."""
SEED = int(os.environ.get("HABEAS_SEED", "1"))
"""What everything random in them is made from; each prints it."""

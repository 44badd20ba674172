"""Every line of the threat model names a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODEL = (ROOT / "deploy" / "SECURITY.md").read_text()


def test_each_line_of_the_threat_model_names_its_test_and_the_test_is_there() -> None:
    rows = [it for it in MODEL.splitlines() if it.startswith("| ") and not it.startswith("| tries")]
    assert len(rows) > 30
    folder = "security"
    for row in rows:
        named = re.findall(r"`(?:([a-z]+)/)?(test_[a-z_]+\.py)`", row.rpartition(" | ")[2])
        assert named or row.rstrip(" |").endswith("the same"), row
        for place, file in named:
            folder = place or folder
            assert (ROOT / "tests" / folder / file).exists(), row


def test_each_attack_is_in_the_threat_model() -> None:
    missing = [
        it.name for it in (ROOT / "tests" / "security").glob("test_*.py") if it.name not in MODEL
    ]
    assert missing == []

"""Every place where a process can be told to die has a name that the tests of deaths know."""

from __future__ import annotations

import re
from pathlib import Path

import pipeline
from pipeline.faults.crash import POINTS, RECOVERING

NAMED = re.compile(r'\bpassing\("([a-z.-]+)"\)')


def test_what_the_code_passes_is_what_the_tests_of_deaths_go_through() -> None:
    folder = Path(pipeline.__file__).parent
    passed = {name for it in folder.rglob("*.py") for name in NAMED.findall(it.read_text())}
    assert passed == POINTS | RECOVERING

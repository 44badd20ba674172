"""The table of `make kit`: which mistake is seen by which test, wherever each was tried."""

from __future__ import annotations

import pytest

MUTANT, CAUGHT = "mutant", "caught by"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    told = [dict(it.user_properties) for it in reports if it.when == "call"]
    rows = sorted((str(it[MUTANT]), str(it[CAUGHT])) for it in told if MUTANT in it)
    if not rows:
        return
    terminalreporter.section("which test of the kit sees a mistake first")
    wide = max(len(mutant) for mutant, _ in rows)
    for mutant, caught in rows:
        terminalreporter.write_line(f"{mutant:{wide}}  {caught}")

"""Named places where a process can be told to die, so that tests can prove it does no harm.

`HABEAS_CRASH_AT=decider.before-commit` kills the process (SIGKILL) the first time it passes there;
`host.after-effect*2` the first two times. How often it has died already is kept in the data folder.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

POINTS = frozenset(
    {
        "decider.before-commit",
        "decider.after-commit",
        "publisher.before-forget",
        "decider.after-publish",
        "host.in-export",
        "host.after-effect",
        "host.before-answer",
        "host.after-answer",
        "host.before-commit",
        "assembler.after-zip",
        "sender.after-mail",
        "reports.before-signature",
        "reports.before-commit",
        "clock.after-claim",
        "clock.in-sweep",
        "clock.after-commit",
        "brake.engaged",
        "keys.before-use",
        "keys.in-rewrap",
        "keys.in-destroy",
    }
)

RECOVERING = frozenset({"recover.before-commit", "recover.after-commit"})
"""Of `habeas recover`, which is no part of a pipeline that runs."""


def passing(point: str) -> None:
    """Die here if told to."""
    wanted, _, times = os.environ.get("HABEAS_CRASH_AT", "").partition("*")
    if wanted != point:
        return
    mark = Path(os.environ.get("HABEAS_DATA", ".habeas")) / f"crashed-{point}"
    died = int(mark.read_text()) if mark.exists() else 0
    if died < int(times or 1):
        mark.write_text(str(died + 1))
        os.kill(os.getpid(), signal.SIGKILL)

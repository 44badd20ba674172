"""Named places where a process can be told to die, so that tests can prove it does no harm.

`HABEAS_CRASH_AT=decider.before-commit` kills the process (SIGKILL) the first time it passes there;
`host.after-effect*2` the first two times. How often it has died already is kept in the data folder.
`HABEAS_FREEZE_AT` stops it there instead (SIGSTOP), until it is told to go on (SIGCONT).
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
        "host.after-measure",
        "host.before-answer",
        "host.after-answer",
        "host.before-commit",
        "assembler.after-zip",
        "sender.after-mail",
        "deliverer.after-sending",
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


_TOLD = {
    "HABEAS_CRASH_AT": ("crashed", signal.SIGKILL),
    "HABEAS_FREEZE_AT": ("frozen", signal.SIGSTOP),
}


def passing(point: str) -> None:
    """Die here, or freeze, if told to."""
    for variable, (name, told) in _TOLD.items():
        wanted, _, times = os.environ.get(variable, "").partition("*")
        if wanted != point:
            continue
        mark = Path(os.environ.get("HABEAS_DATA", ".habeas")) / f"{name}-{point}"
        before = int(mark.read_text()) if mark.exists() else 0
        if before < int(times or 1):
            mark.write_text(str(before + 1))
            os.kill(os.getpid(), told)

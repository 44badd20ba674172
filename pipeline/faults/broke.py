"""Where something broke, told without a value: an error's text may name a person."""

from __future__ import annotations

import traceback
from pathlib import Path


def at(error: BaseException) -> str:
    """The place that a caught error came from: `acme/connector.py:99 in locate`."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{'/'.join(Path(last.filename).parts[-2:])}:{last.lineno} in {last.name}"

"""What Habeas itself holds about people, as one more system that it searches: `habeas`."""

from .connector import SYSTEM, OwnRecordsConnector
from .periods import periods_that_differ
from .work import OwnRecordsWork

__all__ = ["SYSTEM", "OwnRecordsConnector", "OwnRecordsWork", "periods_that_differ"]

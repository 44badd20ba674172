"""What fails again and again is given up after a time, and not before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline.faults.patience import GaveUpError, Patience


class Time:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_only_failures_without_a_success_between_count() -> None:
    time = Time()
    patience = Patience("sending", timedelta(seconds=60), time)
    patience.failed(ValueError())
    time.now = 59
    patience.failed(ValueError())
    patience.succeeded()
    time.now = 1000  # a long quiet is no failure
    patience.failed(ValueError())
    time.now = 1059
    patience.failed(ValueError())
    time.now = 1060
    with pytest.raises(GaveUpError, match=r"sending failed for 60 s, the last time by ValueError"):
        patience.failed(ValueError("Ann"))


def test_what_is_given_up_does_not_repeat_a_strangers_words() -> None:
    patience = Patience("sending", timedelta(0))
    with pytest.raises(GaveUpError) as given_up:
        patience.failed(ValueError("Ann"))
    assert "Ann" not in str(given_up.value)

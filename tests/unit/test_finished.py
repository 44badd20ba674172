"""What is finished past a commit survives in its metadata; nothing else is taken for finished."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.host.offset_bitmap import FURTHEST, Partition, decoded, encoded

MOST = 4096
"""Bytes of a commit's metadata, by the broker's default."""


@given(base=st.integers(0, 2**60), ahead=st.sets(st.integers(1, FURTHEST - 1)))
def test_what_is_encoded_is_decoded(base: int, ahead: set[int]) -> None:
    offsets = {base + it for it in ahead}
    said = encoded(base, offsets)
    assert decoded(base, said) == offsets
    assert len(said) <= MOST


def test_the_worst_case_fits() -> None:
    random = Random(1)
    assert len(encoded(0, {n for n in range(1, FURTHEST + 64) if random.random() < 0.5})) <= MOST


def test_what_is_further_ahead_than_fits_is_left_out() -> None:
    random = Random(1)
    ahead = {n for n in range(1, 3 * FURTHEST) if random.random() < 0.5}
    said = encoded(0, ahead)
    assert len(said) <= MOST
    assert decoded(0, said) == {it for it in ahead if it < FURTHEST}


@pytest.mark.parametrize(
    "said", ["", "1:", "1:?", "1:AAAA", "2:eJwDAAAAAAE=", "rubbish", "1:" + "A" * 4000]
)
def test_what_cannot_be_read_is_nothing(said: str) -> None:
    assert decoded(5, said) == frozenset()


@given(seed=st.integers(0, 2**32))
def test_workers_that_die_one_after_the_other_lose_nothing(seed: int) -> None:
    """Nor is anything done again that some worker's last commit says is finished."""
    random = Random(seed)
    total, finished = 40, set[int]()
    base, metadata = 0, ""
    while base < total:
        state, start, known = Partition(), base, decoded(base, metadata)
        state.restore(base, metadata)
        running: set[int] = set()
        for offset in range(start, total):
            if state.begin(offset):
                assert offset not in known
                running.add(offset)
            while running and (random.random() < 0.6 or offset == total - 1):
                done = random.choice(sorted(running))
                running.discard(done)
                state.end(done)
                finished.add(done)
            said = state.to_commit()
            if said is not None and random.random() < 0.7:
                state.committed(said)
                base, metadata = said
            unfinished = set(range(total)) - finished
            assert all(it >= base for it in unfinished)
            assert unfinished.isdisjoint(decoded(base, metadata))
            if random.random() < 0.05:
                break  # killed
    assert finished == set(range(total))


def test_a_partition_whose_oldest_order_is_far_behind_is_full() -> None:
    state = Partition()
    assert state.begin(7)
    for offset in range(8, 7 + FURTHEST):
        assert not state.is_full
        assert state.begin(offset)
        state.end(offset)
    assert state.is_full
    state.end(7)
    assert not state.is_full
    assert state.to_commit() == (7 + FURTHEST, "")


def test_an_order_that_arrives_again_is_not_new() -> None:
    state = Partition()
    assert [state.begin(it) for it in (3, 4, 5, 4)] == [True, True, True, False]
    state.end(4)
    assert not state.begin(4)
    assert state.to_commit() == (3, encoded(3, {4}))
    state.end(3)
    assert not state.begin(3)
    assert state.to_commit() == (5, "")

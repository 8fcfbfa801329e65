"""The clock of a text: what it counts, and what it says of it."""

from __future__ import annotations

import pytest

from tinyllm.generate.completion import Clock, Timing


@pytest.fixture
def now(monkeypatch):
    at = [50.0]
    monkeypatch.setattr("tinyllm.generate.completion.time.perf_counter", lambda: at[0])
    return at


def test_time_outside_of_blocks_does_not_count(now):
    clock = Clock()
    with clock:
        now[0] += 2
    now[0] += 100
    for _ in range(3):
        with clock:
            now[0] += 1
            clock.tick()
        now[0] += 100
    assert clock.timing(7) == Timing(first_token_seconds=3.0, seconds=5.0, tokens_per_second=1.0, memory_bytes=7)


def test_one_token_has_no_pace(now):
    clock = Clock()
    with clock:
        clock.tick()
        now[0] += 1
    assert clock.timing(0) == Timing(0.0, 1.0, 0.0, 0)
    assert Clock().timing(0) == Timing(0.0, 0.0, 0.0, 0)


def test_a_block_that_fails_counts_too(now):
    clock = Clock()
    with pytest.raises(ValueError, match="wrong"), clock:
        now[0] += 4
        raise ValueError("wrong")
    assert clock.timing(0).seconds == 4

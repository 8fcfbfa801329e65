"""The deadline: which limit holds when, and that no wait is ever granted beyond it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client.deadline import LONGEST_WAIT, Deadline, SystemClock, Timeout
from tinyllm.client.errors import (
    CanceledError,
    ConnectTimeout,
    DeadlineError,
    FirstTokenTimeout,
    IdleTimeout,
    TotalTimeout,
)
from tinyllm.errors import ConfigError

from .faultserver import HandClock


@pytest.mark.parametrize("name", ["connect", "first_token", "idle", "total"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), "3", True])
def test_a_limit_is_a_positive_number(name, value):
    with pytest.raises(ConfigError, match=name):
        Timeout(**{name: value})
    assert getattr(Timeout(**{name: None}), name) is None


def test_timeouts_out_of_what_users_write():
    assert Timeout.of(3).total == 3.0 and Timeout.of(None) == Timeout()
    own = Timeout(idle=1)
    assert Timeout.of(own) is own


def test_each_phase_has_its_limit_and_its_error():
    clock = HandClock()
    deadline = Deadline(Timeout(connect=2, first_token=20, idle=5, total=100), clock)
    steps = [
        (lambda: deadline.connecting("a"), 2, ConnectTimeout),
        (deadline.sending, 5, IdleTimeout),
        (deadline.waiting, 20, FirstTokenTimeout),
        (deadline.token, 5, IdleTimeout),
    ]
    for begin, limit, error in steps:
        begin()
        assert deadline.grant() == pytest.approx(limit)
        clock.sleep(limit)
        with pytest.raises(error):
            deadline.grant()
    clock.sleep(deadline.remaining())
    with pytest.raises(TotalTimeout, match="within 100 s"):
        deadline.grant()
    assert deadline.remaining() == 0.0


def test_bytes_renew_idle_but_not_the_wait_for_content():
    clock = HandClock()
    deadline = Deadline(Timeout(first_token=10, idle=4), clock, content=True)
    deadline.waiting()
    clock.sleep(6)
    deadline.moved()
    deadline.body()  # a comment: content=True waits for more than bytes
    assert deadline.grant() == pytest.approx(4) and isinstance(deadline.expired(), FirstTokenTimeout)
    deadline.token()
    clock.sleep(3)
    deadline.moved()
    assert deadline.grant() == pytest.approx(4) and isinstance(deadline.expired(), IdleTimeout)
    clock.sleep(3)
    deadline.token()  # only the first one counts
    assert deadline.grant() == pytest.approx(1)


def test_without_a_decoder_the_first_byte_is_the_content():
    deadline = Deadline(Timeout(first_token=10, idle=4), HandClock())
    deadline.waiting()
    deadline.body()
    assert isinstance(deadline.expired(), IdleTimeout)


def test_the_total_runs_through_all_attempts_and_can_be_cut():
    clock = HandClock()
    deadline = Deadline(Timeout(connect=4, total=10), clock)
    for left in (4, 4, 2):
        deadline.connecting("a")
        assert deadline.grant() == pytest.approx(left)
        clock.sleep(min(left, 4))
    deadline = Deadline(Timeout(), clock)
    deadline.at_most(2)
    deadline.at_most(9)
    assert deadline.grant() == pytest.approx(2)


def test_no_limit_is_none():
    deadline = Deadline(Timeout(None, None, None, None), HandClock())
    deadline.connecting("a")
    assert deadline.grant() == LONGEST_WAIT and deadline.remaining() == math.inf


def test_marks_are_seconds_since_the_beginning_and_begin_anew():
    clock = HandClock()
    deadline = Deadline(Timeout(), clock)
    deadline.connecting("a")
    clock.sleep(1)
    deadline.mark("dns")
    clock.sleep(1)
    deadline.mark("dns")
    assert deadline.marks == {"dns": 1.0}
    deadline.connecting("b")
    assert deadline.marks == {}


def test_cancel_wakes_who_watches():
    deadline, woken = Deadline(), []
    deadline.watch(lambda: woken.append("a"))
    forget = deadline.watch(lambda: woken.append("b"))
    forget()
    forget()
    deadline.cancel()
    assert woken == ["a"] and deadline.canceled
    deadline.watch(lambda: woken.append("late"))
    assert woken == ["a", "late"]
    with pytest.raises(CanceledError):
        deadline.grant()


@settings(derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from(["connecting", "sending", "waiting", "body", "token", "moved"]), st.floats(0, 3))
    )
)
def test_no_wait_is_granted_beyond_the_end(story):
    clock = HandClock()
    deadline = Deadline(Timeout(connect=2, first_token=3, idle=1, total=10), clock)
    for step, passed in story:
        getattr(deadline, step)(*(["a"] if step == "connecting" else []))
        try:
            assert 0 < deadline.grant() <= deadline.end - clock.now()
        except DeadlineError as error:
            assert isinstance(error, TotalTimeout) == (clock.now() >= deadline.end)
        assert deadline.granted_until <= deadline.end
        clock.sleep(passed)


def test_the_system_clock_never_runs_backwards():
    clock = SystemClock()
    first = clock.now()
    clock.sleep(0)
    assert clock.now() >= first

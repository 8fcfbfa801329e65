"""Batches: order, one error for one item, never too many at once, never too fast, never too dear."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client.batch import Limiter, Outcome, batch
from tinyllm.client.cost import Budget
from tinyllm.client.errors import (
    BadRequestError,
    BudgetExceededError,
    ConnectionFailedError,
    RateLimitedError,
    ServerError,
    TotalTimeout,
)
from tinyllm.client.limits import RateLimit, rate_limits
from tinyllm.errors import ConfigError


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


def test_order_and_errors_per_item():
    gate = threading.Event()

    def run(x):
        if x == 0:
            assert gate.wait(10)  # the first one ends last
        if x == 3:
            raise ValueError("three")
        if x == 7:
            gate.set()
        return x * x

    told = []
    outcomes = batch(range(8), run, 4, done=told.append)
    assert [o.value for o in outcomes] == [0, 1, 4, None, 16, 25, 36, 49]
    assert [o.index for o in outcomes] == list(range(8)) and not outcomes[3].ok and told[-1] != outcomes[-1]
    assert len(told) == 8 and outcomes[2].result() == 4
    with pytest.raises(ValueError, match="three"):
        outcomes[3].result()
    assert batch([], run) == []


def test_never_more_than_so_many_at_once():
    lock, now, peak = threading.Lock(), [0], [0]
    barrier = threading.Barrier(4)

    def run(_):
        with lock:
            now[0] += 1
            peak[0] = max(peak[0], now[0])
        barrier.wait(10)  # goes on only when four are there
        with lock:
            now[0] -= 1

    assert all(o.ok for o in batch(range(40), run, 4)) and peak[0] == 4


def test_many_items_are_taken_as_they_are_needed():
    taken = []

    def items():
        for i in range(2000):
            taken.append(i)
            yield i

    seen = []
    outcomes = batch(items(), lambda i: seen.append(len(taken) - i), 8)
    assert len(outcomes) == 2000 and max(seen) <= 9


def test_one_budget_for_all():
    budget = Budget(100)
    lock, running = threading.Lock(), []

    def run(cost):
        with lock:
            running.append(cost)
        return SimpleNamespace(cost=cost)

    outcomes = batch([5] * 40, run, 8, budget=budget, bound=lambda cost: 2 * cost)
    refused = [o for o in outcomes if isinstance(o.error, BudgetExceededError)]
    assert budget.spent == 5 * len(running) <= 100 and len(refused) == 40 - len(running)
    assert budget.left < 10  # it was not stopped too early either


@pytest.mark.parametrize(
    ("problem", "spent"),
    [
        (BadRequestError("no", status=400), 0),
        (ServerError("?", status=500), 30),
        (OSError(), 30),
        (ConnectionFailedError("?", reason="dns"), 0),
        (ConnectionFailedError("?"), 30),
    ],
)
def test_what_may_be_on_the_bill_is_booked(problem, spent):
    def run(_):
        raise problem

    budget = Budget(100)
    assert batch([1], run, budget=budget, bound=lambda _: 30)[0].error is problem
    assert (budget.spent, budget.left) == (spent, 100 - spent)


def test_without_a_bound_a_budget_lets_nothing_through():
    outcomes = batch([1], lambda _: 1, budget=Budget(100))
    assert isinstance(outcomes[0].error, BudgetExceededError)
    assert batch([1, 2], lambda x: x, 1, budget=Budget(calls=1))[0].value == 1


def test_one_time_for_all():
    clock = Clock()
    outcomes = batch(range(5), lambda _: clock.sleep(1), 1, seconds=2.5, clock=clock)
    assert [o.ok for o in outcomes] == [True] * 3 + [False] * 2
    assert all(isinstance(o.error, TotalTimeout) for o in outcomes[3:])
    clock = Clock()
    limiter = Limiter(requests=60, clock=clock, sleep=clock.sleep)
    outcomes = batch(range(90), lambda i: i, 1, seconds=10.5, clock=clock, limiter=limiter)
    assert sum(o.ok for o in outcomes) == 70 and clock.now <= 10.5


@settings(derandomize=True, max_examples=25)
@given(
    st.integers(1, 600),
    st.integers(1, 5000),
    st.lists(st.tuples(st.integers(0, 3000), st.floats(0, 30)), min_size=1, max_size=30),
)
def test_a_limiter_keeps_to_its_rates(requests, tokens, asked):
    clock = Clock()
    limiter = Limiter(requests, tokens, clock, clock.sleep)
    sent = []
    for amount, pause in asked:
        clock.now += pause
        assert limiter.acquire(amount)
        sent.append((clock.now, amount))
    for i, (begin, _) in enumerate(sent):
        for j in range(i, len(sent)):
            seconds = sent[j][0] - begin
            assert j - i + 1 <= requests + requests / 60 * seconds + 1e-3
            before = sum(min(amount, tokens) for _, amount in sent[i:j])  # what is larger than all goes when it is full
            assert before + min(sent[j][1], tokens) <= tokens + tokens / 60 * seconds + 1e-3


def test_a_limiter_learns():
    clock = Clock()
    limiter = Limiter(clock=clock, sleep=clock.sleep)
    assert all(limiter.acquire() for _ in range(1000)) and clock.now == 0.0  # nothing is known yet
    limiter.learn([RateLimit("requests", 100, 2, 49.0), RateLimit("tokens", None, None, None)])
    assert limiter.acquire() and limiter.acquire() and clock.now == 0.0
    assert limiter.acquire() and clock.now == pytest.approx(0.5)  # 98 are back in 49 seconds
    limiter.learn([RateLimit("requests", 100, 90, 5.0)])  # the provider has not seen all of ours yet
    assert limiter.acquire() and clock.now == pytest.approx(1.0)
    limiter.learn([RateLimit("tokens", 1000, 0, 10.0)])
    assert limiter.acquire(tokens=500) and clock.now == pytest.approx(6.0)
    limiter.learn([RateLimit("images", None, 0, 20.0)])
    assert not limiter.acquire(until=25.0) and clock.now == pytest.approx(6.0)
    assert limiter.acquire(until=27.0) and clock.now == pytest.approx(26.0)


@pytest.mark.parametrize(
    "headers",
    [
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1m0s",
        },
        {
            "anthropic-ratelimit-requests-limit": "60",
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "2026-11-21T09:01:00Z",
            "date": "Sat, 21 Nov 2026 09:00:00 GMT",
        },
    ],
)
def test_a_limiter_learns_from_headers(headers):
    clock = Clock()
    limiter = Limiter(clock=clock, sleep=clock.sleep)
    limiter.learn(rate_limits(headers))
    assert limiter.acquire() and clock.now == pytest.approx(1.0)  # sixty a minute


def test_who_is_told_to_come_back_later_stops_all():
    clock = Clock()
    limiter = Limiter(clock=clock, sleep=clock.sleep)
    when = []

    def run(i):
        when.append(clock.now)
        if i == 0:
            raise RateLimitedError("slow down", retry_after=7.0)

    batch(range(3), run, 1, limiter=limiter, tokens=lambda i: 10, clock=clock)
    assert when == [0.0, 7.0, 7.0]


def test_what_cannot_go_on_is_raised():
    def items():
        yield 1
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        batch(items(), lambda i: i)

    def interrupted(i):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch(range(3), interrupted, 2)
    for settings_ in ({"concurrency": 0}, {"concurrency": 1.5}, {"seconds": -1}):
        with pytest.raises(ConfigError):
            batch([1], lambda i: i, **settings_)
    for bad in (0, -1, float("nan")):
        with pytest.raises(ConfigError):
            Limiter(requests=bad)
    assert Outcome(0, 1).ok

"""Which errors are retried, how long is waited, and what all waits together never pass: on a clock of our own."""

from __future__ import annotations

import random
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client import errors as e
from tinyllm.client.retry import Retry, RetryBudget, maybe_billed, retrying
from tinyllm.errors import ConfigError


class Time:
    """A clock that only sleeping moves."""

    def __init__(self, total: float = 1e9) -> None:
        self.now, self.total, self.slept = 0.0, total, []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def remaining(self) -> float:
        return self.total - self.now


def script(*steps):
    """A callable that raises or returns what stands next."""
    waiting = list(steps)

    def attempt():
        step = waiting.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step

    return attempt


def run(attempt, time: Time, retry: Retry | None = None, *, chance: float = 1.0, **more):
    record = []
    found = None
    try:
        found = retrying(
            attempt,
            retry or Retry(),
            remaining=time.remaining,
            sleep=time.sleep,
            random=lambda: chance,
            record=record.append,
            **more,
        )
    except e.ProviderError as error:
        found = error
    return found, record


def test_it_waits_longer_each_time_and_not_after_the_last():
    time, last = Time(), e.ServerError("3")
    found, record = run(script(e.ServerError("1"), e.OverloadedError("2"), last), time)
    assert found is last and time.slept == [0.5, 1.0]
    assert [(a.waited, a.stopped) for a in record] == [(0.5, ""), (1.0, ""), (0.0, "3 attempts")]


def test_it_returns_what_works():
    time = Time()
    found, record = run(script(e.ConnectionFailedError("x"), "answer"), time, provider="p", model="m")
    assert found == "answer" and time.slept == [0.5]
    assert [(a.provider, a.model, a.error is None) for a in record] == [("p", "m", False), ("p", "m", True)]


@pytest.mark.parametrize(
    "kind",
    [
        e.BadRequestError,
        e.AuthError,
        e.PermissionRefusedError,
        e.NotFoundError,
        e.ContextLengthError,
        e.QuotaExhaustedError,
        e.ContentFilteredError,
        e.TotalTimeout,
        e.CanceledError,
        e.BudgetExceededError,
        e.ProtocolError,
        e.StreamInterruptedError,
    ],
)
def test_never_retried(kind):
    time = Time()
    found, record = run(script(kind("no")), time)
    assert isinstance(found, kind) and time.slept == [] and len(record) == 1


def test_the_provider_s_wish():
    retry = Retry()
    assert retry.delay(1, 20.0, lambda: 1.0) == 20.25
    assert retry.delay(9, 1.0, lambda: 1.0) == 8.0 and retry.delay(9, 1.0, lambda: 0.0) == 1.0
    assert retry.delay(10**6, None, lambda: 1.0) == 8.0


@pytest.mark.parametrize("wanted", [12.0, 11.99, 4233600.0])
def test_a_wait_that_does_not_fit_fails_at_once(wanted):
    time = Time(total=12.0)
    found, record = run(script(e.RateLimitedError("x", retry_after=wanted)), time)
    assert isinstance(found, e.RateLimitedError) and time.slept == []
    assert "12 s left" in record[0].stopped


def test_a_key_pressed_while_it_waits():
    def sleep(seconds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retrying(script(e.ServerError("x")), Retry(), remaining=lambda: 9.0, sleep=sleep, random=lambda: 0.5)


def test_retries_of_all_calls_are_a_tenth_and_ten():
    budget, made = RetryBudget(), 0
    for _ in range(200):
        _, record = run(script(*[e.ServerError("x")] * 3), Time(), budget=budget)
        made += len(record)
    assert made == 200 + budget.retries and budget.retries == 30
    assert "budget" in record[-1].stopped


def test_the_budget_counts_right_in_threads():
    budget = RetryBudget(share=0.0, spare=100)
    got = []
    threads = [threading.Thread(target=lambda: got.extend(budget.take() for _ in range(50))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got) == 100


def test_what_may_be_billed_twice():
    yes = [
        e.FirstTokenTimeout("x"),
        e.IdleTimeout("x"),
        e.TruncatedError("x"),
        e.ConnectionFailedError("x", reason="reset"),
        e.ServerError("x", status=502),
        e.ServerError("x", status=504),
        e.ServerError("x", status=408),
    ]
    no = [
        e.ConnectTimeout("x"),
        e.ConnectionFailedError("x", reason="connect"),
        e.ServerError("x", status=500),
        e.RateLimitedError("x", status=429),
        e.OverloadedError("x", status=503),
    ]
    assert all(map(maybe_billed, yes)) and not any(map(maybe_billed, no))
    _, record = run(script(yes[0], "answer"), Time())
    assert [attempt.maybe_billed for attempt in record] == [True, False]


@pytest.mark.parametrize(
    "wrong", [{"max_attempts": 0}, {"base": -1.0}, {"cap": float("nan")}, {"spread": float("inf")}]
)
def test_rules_that_cannot_be_meant(wrong):
    with pytest.raises(ConfigError):
        Retry(**wrong)


failures = st.one_of(
    st.builds(lambda wait: e.RateLimitedError("x", retry_after=wait), st.none() | st.floats(1e-3, 1e6)),
    st.sampled_from([e.ServerError, e.OverloadedError, e.ConnectTimeout, e.BadRequestError]).map(
        lambda kind: kind("x")
    ),
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(failures, min_size=1, max_size=30), st.floats(0, 100), st.integers(1, 20), st.integers(0, 99))
def test_waiting_never_passes_the_total(steps, total, attempts, seed):
    time, chance = Time(total), random.Random(seed)
    record = []
    try:
        retrying(
            script(*steps, "answer"),
            Retry(max_attempts=attempts),
            remaining=time.remaining,
            sleep=time.sleep,
            random=chance.random,
            record=record.append,
        )
    except e.ProviderError as error:
        assert record[-1].error is error and record[-1].stopped
    assert time.now <= total and len(record) <= min(attempts, len(steps) + 1)
    assert sum(attempt.waited for attempt in record) == pytest.approx(time.now)
    for before in record[:-1]:
        assert before.error.retryable and before.waited >= (before.error.retry_after or 0)

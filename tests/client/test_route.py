"""The fallback chain and the commit point, over callables: no network, no time."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client import errors as e
from tinyllm.client.breaker import Breakers
from tinyllm.client.retry import Retry, RetryBudget
from tinyllm.client.route import Policy, Route, call, falls_back, stream
from tinyllm.client.types import Began, Done, ErrorDelta, TextDelta, Usage, UsageUpdate
from tinyllm.errors import ConfigError

BEGAN, HI, YOU, DONE, LATE = Began("id"), TextDelta("Hi"), TextDelta(" you"), Done("stop"), UsageUpdate(Usage(1, 1))
BUSY = ErrorDelta("Overloaded", type="overloaded_error")


class World:
    """A clock, routes that follow a script, and what was seen of them."""

    def __init__(self, total: float = 1e6, **rules) -> None:
        self.now, self.record, self.opened, self.closed = 0.0, [], [], []
        self.policy = Policy(
            remaining=lambda: total - self.now, sleep=self.sleep, random=lambda: 1.0, record=self.record.append, **rules
        )

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def route(self, provider: str, *attempts, base_url: str = "") -> Route:
        waiting = list(attempts)

        def open_():
            self.opened.append(provider)
            steps = waiting.pop(0)
            if isinstance(steps, BaseException):
                raise steps
            return self.deltas(provider, steps)

        return Route(provider, "m", open_, base_url)

    def deltas(self, provider, steps):
        try:
            for step in steps:
                if isinstance(step, BaseException):
                    raise step
                yield step
        finally:
            self.closed.append(provider)


def read(deltas) -> tuple[list, BaseException | None]:
    got = []
    try:
        for delta in deltas:
            got.append(delta)
    except Exception as error:
        return got, error
    return got, None


def test_one_that_works():
    world = World()
    got, error = read(stream([world.route("p", [BEGAN, HI, YOU, DONE, LATE])], world.policy))
    assert got == [BEGAN, HI, YOU, DONE, LATE] and error is None and world.closed == ["p"]
    assert [(a.provider, a.error) for a in world.record] == [("p", None)]


BEFORE = [
    e.ConnectionFailedError("x"),
    e.FirstTokenTimeout("x"),
    e.RateLimitedError("x"),
    [e.ConnectionFailedError("x")],
    [BEGAN, e.ConnectionFailedError("x")],
    [BEGAN, LATE, BUSY],
    [BEGAN],
    [],
    [BEGAN, e.StreamInterruptedError("x")],
    [e.TruncatedError("x")],
]


@pytest.mark.parametrize("bad", BEFORE)
def test_before_the_commit_point_it_is_tried_again(bad):
    world = World()
    got, error = read(stream([world.route("p", bad, [BEGAN, HI, DONE])], world.policy))
    assert got == [BEGAN, HI, DONE] and error is None and world.opened == ["p", "p"] and world.now == 0.5


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        ([BEGAN, HI, e.ConnectionFailedError("x", reason="reset")], e.StreamInterruptedError),
        ([BEGAN, HI, BUSY], e.StreamInterruptedError),
        ([HI, e.ProtocolError("x")], e.StreamInterruptedError),
        ([HI, e.RateLimitedError("x")], e.StreamInterruptedError),
        ([BEGAN, HI], e.TruncatedError),
        ([HI, e.IdleTimeout("x")], e.IdleTimeout),
        ([HI, e.TotalTimeout("x")], e.TotalTimeout),
        ([HI, e.CanceledError("x")], e.CanceledError),
    ],
)
def test_after_it_nothing_is_tried_again(bad, kind):
    world = World(allow_cross_provider=True)
    chain = [world.route("p", bad, [HI, DONE]), world.route("q", [HI, DONE])]
    got, error = read(stream(chain, world.policy, partial=lambda: "Hi"))
    assert got == [step for step in bad if isinstance(step, Began | TextDelta)]
    assert type(error) is kind and error.partial == "Hi" and error.retryable is False
    assert world.opened == ["p"] == world.closed


def test_who_shows_nothing_before_the_end_may_try_again():
    world = World()
    bad = [[HI, e.ConnectionFailedError("x")], [HI, YOU]]
    got, error = read(stream([world.route("p", *bad, [HI, YOU, DONE])], world.policy, whole=True))
    assert got == [HI, YOU, DONE] and error is None and world.opened == ["p"] * 3 == world.closed
    assert [attempt.maybe_billed for attempt in world.record] == [True, True, False]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    "late", [e.ConnectionFailedError("x"), e.IdleTimeout("x"), e.TotalTimeout("x"), e.ProtocolError("x")]
)
def test_what_breaks_after_the_end_is_no_failure(whole, late):
    world = World()
    got, error = read(stream([world.route("p", [HI, DONE, late])], world.policy, whole=whole))
    assert got == [HI, DONE] and error is None and world.closed == ["p"]


@pytest.mark.parametrize("whole", [False, True])
def test_an_error_that_the_provider_tells_after_the_end_is_one(whole):
    world = World(retry=Retry(max_attempts=1))
    _, error = read(stream([world.route("p", [HI, DONE, BUSY])], world.policy, whole=whole))
    assert isinstance(error, e.OverloadedError if whole else e.StreamInterruptedError)


def test_a_reader_who_stops_closes_the_stream():
    world = World()
    deltas = stream([world.route("p", [HI, YOU, DONE])], world.policy)
    assert world.opened == [] and next(deltas) == HI
    deltas.close()
    assert world.closed == ["p"] and world.record[-1].error is None


FALL = [
    e.RateLimitedError("x"),
    e.QuotaExhaustedError("x", status=429),
    e.OverloadedError("x"),
    e.ServerError("x"),
    e.ConnectTimeout("x"),
    e.FirstTokenTimeout("x"),
    e.IdleTimeout("x"),
    e.ConnectionFailedError("x"),
    e.CircuitOpenError("x"),
    e.AuthError("no key"),
]
STAY = [
    e.AuthError("wrong key", status=401),
    e.BadRequestError("x", status=400),
    e.ContextLengthError("x"),
    e.PermissionRefusedError("x"),
    e.NotFoundError("x"),
    e.TotalTimeout("x"),
    e.CanceledError("x"),
    e.ContentFilteredError("x"),
    e.BudgetExceededError("x"),
    e.ProtocolError("x"),
]


@pytest.mark.parametrize("error", FALL)
def test_falls_back(error):
    world = World(retry=Retry(max_attempts=1))
    got, raised = read(stream([world.route("p", error), world.route("local", [HI, DONE])], world.policy))
    assert got == [HI, DONE] and raised is None and falls_back(error)
    assert [(a.provider, a.error) for a in world.record] == [("p", error), ("local", None)]


@pytest.mark.parametrize("error", STAY)
def test_does_not_fall_back(error):
    world = World()
    _, raised = read(stream([world.route("p", error), world.route("local", [HI, DONE])], world.policy))
    assert raised is error and world.opened == ["p"] and not falls_back(error)


def test_no_sticking():
    world = World(retry=Retry(max_attempts=1))
    chain = [world.route("p", e.ServerError("x"), [HI, DONE]), world.route("local", [YOU, DONE])]
    assert read(stream(chain, world.policy))[0] == [YOU, DONE]
    assert read(stream(chain, world.policy))[0] == [HI, DONE]


def test_another_vendor_needs_leave():
    world = World()
    chain = [world.route("p", e.ServerError("x")), world.route("q", [HI, DONE]), world.route("local", [HI, DONE])]
    with pytest.raises(ConfigError, match=r"q would get to read what is meant for p.*allow_cross_provider"):
        stream(chain, world.policy)
    with pytest.raises(ConfigError, match="at least one"):
        call([], world.policy)
    assert world.opened == []
    allowed = World(retry=Retry(max_attempts=1), allow_cross_provider=True)
    chain = [allowed.route("p", e.ServerError("x")), allowed.route("q", [HI, DONE])]
    assert read(stream(chain, allowed.policy))[0] == [HI, DONE]


def test_all_failed_tells_of_everybody():
    world = World(retry=Retry(max_attempts=1))
    first, second = e.ServerError("p is ill"), ConfigError("no checkpoint")
    _, error = read(stream([world.route("p", first), world.route("local", second)], world.policy))
    assert type(error) is e.AllFailedError and error.attempts == (first, second)
    assert "p: p is ill; local: no checkpoint" in str(error)
    alone = World(retry=Retry(max_attempts=1))
    assert read(stream([alone.route("p", first)], alone.policy))[1] is first


def test_a_wait_that_does_not_fit_falls_back_at_once():
    world = World(total=12.0)
    chain = [world.route("p", e.RateLimitedError("x", retry_after=60.0)), world.route("local", [HI, DONE])]
    assert read(stream(chain, world.policy))[0] == [HI, DONE] and world.now == 0.0


def test_a_breaker_that_is_open_is_not_even_tried():
    world = World()
    breakers = Breakers(lambda: world.now)
    policy = Policy(
        remaining=lambda: 1e6, sleep=world.sleep, random=lambda: 0.0, breakers=breakers, retry=Retry(max_attempts=5)
    )
    chain = [world.route("p", *[e.ServerError("x")] * 5), world.route("local", *[[HI, DONE]] * 9)]
    for _ in range(3):
        assert read(stream(chain, policy))[0] == [HI, DONE]
    assert world.opened == ["p"] * 5 + ["local"] * 3
    _, error = read(stream(chain[:1], policy))
    assert type(error) is e.CircuitOpenError


def test_a_breaker_that_waits_for_a_known_time_is_waited_for():
    world = World()
    breakers = Breakers(lambda: world.now)
    policy = Policy(remaining=lambda: 1e6, sleep=world.sleep, random=lambda: 0.0, breakers=breakers)
    breakers.of("p", "").failed(e.RateLimitedError("x", retry_after=7.0))
    assert read(stream([world.route("p", [HI, DONE])], policy))[0] == [HI, DONE] and world.now == 7.0


def test_half_open_is_given_back_when_something_foreign_happens():
    world = World()
    breakers = Breakers(lambda: world.now, failures=1)
    policy = Policy(remaining=lambda: 1e6, sleep=world.sleep, random=lambda: 0.0, breakers=breakers)
    breakers.of("p", "").failed(e.ServerError("x"))
    world.now = 31.0
    _, error = read(stream([world.route("p", RuntimeError("a bug"), [HI, DONE])], policy))
    assert isinstance(error, RuntimeError) and breakers.of("p", "").state == "half open"
    assert read(stream([world.route("p", [HI, DONE])], policy))[0] == [HI, DONE]


def test_answers_that_come_whole():
    world = World()
    assert call([Route("p", "m", lambda: [1.0, 2.0])], world.policy) == [1.0, 2.0]
    answers = iter([e.ServerError("x"), "found"])

    def flaky():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert call([Route("p", "m", flaky)], world.policy) == "found"


steps = st.sampled_from(
    [
        BEGAN,
        HI,
        YOU,
        DONE,
        LATE,
        BUSY,
        *(kind("x") for kind in (e.ServerError, e.ConnectionFailedError, e.IdleTimeout, e.ProtocolError)),
    ]
)
attempt = st.one_of(
    st.lists(steps, max_size=5),
    st.sampled_from([e.ServerError("x"), e.BadRequestError("x"), e.RateLimitedError("x", retry_after=5.0)]),
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(attempt, min_size=6, max_size=6), st.floats(0, 20), st.booleans(), st.integers(0, 99))
def test_laws_of_any_stream(attempts, total, whole, seed):
    world = World()
    chance = random.Random(seed)
    policy = Policy(
        remaining=lambda: total - world.now,
        sleep=world.sleep,
        random=chance.random,
        budget=RetryBudget(),
        breakers=Breakers(lambda: world.now),
        record=world.record.append,
    )
    chain = [world.route("p", *attempts[:3]), world.route("local", *attempts[3:])]
    got, error = read(stream(chain, policy, whole=whole, partial=lambda: "partial"))
    assert error is None or isinstance(error, e.ProviderError)
    assert world.now <= total
    assert (error is None) == any(isinstance(delta, Done) for delta in got) or isinstance(
        error, e.StreamInterruptedError
    )
    assert not (whole and error is not None and got), "who waits for the whole sees all of it or nothing"
    made = attempts[: world.opened.count("p")] + attempts[3:][: world.opened.count("local")]
    assert len(world.closed) == sum(not isinstance(step, BaseException) for step in made), "what was opened is closed"

"""When a provider is not asked, until when, and who may ask it first again."""

from __future__ import annotations

import pytest

from tinyllm.client import errors as e
from tinyllm.client.breaker import Breaker, Breakers


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def fail(breaker: Breaker, error: e.ProviderError | None = None, times: int = 1) -> None:
    for _ in range(times):
        breaker.enter("p")
        breaker.failed(error or e.ServerError("x", status=500))


def test_five_failures_in_thirty_seconds(clock):
    breaker = Breaker(clock)
    fail(breaker, times=4)
    clock.now = 30.0
    fail(breaker)
    assert breaker.state == "open"
    with pytest.raises(e.CircuitOpenError, match="p is not asked for 20 s more: it has failed too often") as caught:
        clock.now = 40.0
        breaker.enter("p")
    assert not caught.value.retryable and caught.value.retry_after is None


def test_failures_further_apart_do_not_count(clock):
    breaker = Breaker(clock)
    for clock.now in range(0, 100, 8):
        fail(breaker)
    assert breaker.state == "closed"


@pytest.mark.parametrize("kind", [e.BadRequestError, e.AuthError, e.NotFoundError, e.QuotaExhaustedError])
def test_a_refusal_is_a_sign_of_health(clock, kind):
    breaker = Breaker(clock)
    fail(breaker, times=4)
    fail(breaker, kind("x", status=400))
    fail(breaker, times=4)
    assert breaker.state == "closed"


def test_one_probe(clock):
    breaker = Breaker(clock)
    fail(breaker, times=5)
    clock.now = 30.0
    assert breaker.state == "half open"
    breaker.enter()
    with pytest.raises(e.CircuitOpenError, match="while one request probes it"):
        breaker.enter()
    breaker.failed(e.ConnectTimeout("x"))
    assert breaker.state == "open"
    clock.now = 60.0
    breaker.enter()
    breaker.left()  # canceled: says nothing, the next one may
    breaker.enter()
    breaker.worked()
    assert breaker.state == "closed"
    fail(breaker, times=4)
    assert breaker.state == "closed"


def test_retry_after_opens_it_until_then(clock):
    breaker = Breaker(clock)
    breaker.enter()
    breaker.enter()  # two at a time
    breaker.failed(e.RateLimitedError("x", status=429, retry_after=7.0))
    breaker.worked()  # the other one had set out before
    clock.now = 3.0
    with pytest.raises(e.CircuitOpenError, match="it asked us to wait") as caught:
        breaker.enter()
    assert caught.value.retryable and caught.value.retry_after == 4.0
    clock.now = 7.0
    breaker.enter()
    breaker.worked()
    assert breaker.state == "closed"


def test_a_rate_limit_without_a_time_opens_nothing(clock):
    breaker = Breaker(clock)
    fail(breaker, e.RateLimitedError("x", status=429), times=9)
    assert breaker.state == "closed"


def test_each_address_has_its_own(clock):
    breakers = Breakers(clock, failures=1)
    fail(breakers.of("p", "https://a"))
    assert breakers.of("p", "https://a").state == "open"
    assert breakers.of("p", "https://b").state == breakers.of("q", "https://a").state == "closed"

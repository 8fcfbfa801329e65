"""Many calls at once, but not too many: bounded concurrency, the provider's rate limits, one budget of money and time.

    items -> [ workers, as many as concurrency says ] -> outcomes, in the order of the items
                 1 budget: is there money for the most it can cost?       else BudgetExceededError
                 2 limiter: has the provider room for it yet?             wait, but not beyond the end: TotalTimeout
                 3 run(item)                                              its value, or its error, for this item alone

What is done is any callable; ``complete`` is one. An item that fails does not stop the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..errors import ConfigError
from .cost import Budget
from .errors import (
    CircuitOpenError,
    ConnectionFailedError,
    ConnectTimeout,
    ProviderError,
    RateLimitedError,
    TotalTimeout,
)
from .limits import RateLimit
from .retry import NEVER_SENT

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Value]):
    """What became of an item: a value, or an error."""

    index: int
    value: Value | None = None
    error: Exception | None = None

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.error is None

    def result(self) -> Value:
        """Return the value.

        Raises:
            Exception: the item's own error.
        """
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


@dataclass(slots=True)
class _Bucket:
    capacity: float
    rate: float  # a second
    level: float
    at: float

    def fill(self, now: float) -> None:
        self.level = min(self.capacity, self.level + self.rate * max(0.0, now - self.at))
        self.at = max(self.at, now)

    def wait(self, amount: float) -> float:
        """Return seconds until there is enough; more than there ever is may go when the bucket is full."""
        lack = min(amount, self.capacity) - self.level
        if lack <= 0:
            return 0.0
        return lack / self.rate if self.rate > 0 else float("inf")


class Limiter:
    """A token bucket for each thing that a provider limits; threads may share it.

    It starts with what it is told, and learns from every reply what the provider has left.

    Args:
        requests: a minute, None if unknown.
        tokens: a minute, None if unknown.
        clock: seconds that never run backwards.
        sleep: waits for so many seconds.

    Example:
        >>> now = [0.0]
        >>> limiter = Limiter(requests=60, clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s))
        >>> all(limiter.acquire() for _ in range(90)), now[0]  # sixty at once, then one a second
        (True, 30.0)
    """

    def __init__(
        self,
        requests: float | None = None,
        tokens: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._closed_until = now = clock()
        self._buckets: dict[str, _Bucket] = {}
        for what, each_minute in (("requests", requests), ("tokens", tokens)):
            if each_minute is not None:
                if not each_minute > 0:
                    raise ConfigError(f"Limiter: {what}={each_minute!r} a minute", hint="a number above 0, or None")
                self._buckets[what] = _Bucket(each_minute, each_minute / 60, each_minute, now)

    def learn(self, limits: Iterable[RateLimit]) -> None:
        """Take over what a reply's headers say, see ``rate_limits``; there is never more than that afterwards."""
        with self._lock:
            now = self._clock()
            for said in limits:
                if said.remaining is None:
                    continue
                if said.limit is None:
                    if said.remaining == 0 and said.reset:
                        self._closed_until = max(self._closed_until, now + said.reset)
                    continue
                bucket = self._buckets.get(said.what)
                if bucket is None:
                    bucket = self._buckets[said.what] = _Bucket(said.limit, said.limit / 60, said.remaining, now)
                bucket.fill(now)
                bucket.capacity = max(said.limit, 1)
                # what other threads have asked for meanwhile may not be in the provider's number yet
                bucket.level = min(bucket.level, said.remaining)
                if said.reset and said.limit > said.remaining:
                    bucket.rate = (said.limit - said.remaining) / said.reset

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long: somebody was told to come back later."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    def acquire(self, tokens: int = 0, until: float | None = None) -> bool:
        """Wait until a request may go out, and count it.

        Args:
            tokens: that it will use, about.
            until: when it would be too late, by the clock.

        Returns:
            False if it would be: nothing was waited for, and nothing counted.
        """
        amounts = {"requests": 1, "tokens": tokens, "input-tokens": tokens}
        while True:
            with self._lock:
                now = self._clock()
                wait = max(0.0, self._closed_until - now)
                for what, amount in amounts.items():
                    if what in self._buckets:
                        self._buckets[what].fill(now)
                        wait = max(wait, self._buckets[what].wait(amount))
                if (until is not None and now + wait > until) or wait == float("inf"):
                    return False
                if wait <= 1e-9:  # what is lacking by rounding alone is not waited for
                    for what, amount in amounts.items():
                        if what in self._buckets:
                            self._buckets[what].level -= amount
                    return True
            self._sleep(wait)


def batch(
    items: Iterable[Item],
    run: Callable[[Item], Value],
    concurrency: int = 8,
    *,
    limiter: Limiter | None = None,
    tokens: Callable[[Item], int] | None = None,
    budget: Budget | None = None,
    bound: Callable[[Item], int | None] | None = None,
    seconds: float | None = None,
    done: Callable[[Outcome[Value]], object] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Outcome[Value]]:
    """Do something with all items, several at a time, and return what became of them, in their order.

    Args:
        items: are taken as they are needed, so that there may be very many.
        run: what to do with one; is called in other threads. What it returns may have a ``cost``.
        concurrency: how many at a time.
        limiter: keeps to a provider's limits.
        tokens: how many an item will use, for the limiter.
        budget: of money, for all.
        bound: the most micro-dollars that an item can cost, see ``cost.most``; None if nobody can tell.
        seconds: for all. What has begun by then is waited for; what has not is not begun.
        done: is told of every outcome as it comes, in one thread at a time.
        clock: of ``seconds``, and the limiter's.

    Raises:
        ConfigError: a number that makes no sense.
        BaseException: what ``items`` or ``done`` raised; or an interruption. What has begun is waited for.

    Example:
        >>> outcomes = batch([4, 0, 2], lambda x: 8 // x)
        >>> [outcome.value for outcome in outcomes], outcomes[1].error
        ([2, None, 4], ZeroDivisionError('integer division or modulo by zero'))
    """
    if type(concurrency) is not int or concurrency < 1:
        raise ConfigError(f"batch: concurrency={concurrency!r}", hint="a whole number above 0")
    if seconds is not None and not seconds >= 0:
        raise ConfigError(f"batch: seconds={seconds!r}", hint="0 or more, or None")
    until = None if seconds is None else clock() + seconds
    numbered: Iterator[tuple[int, Item]] = enumerate(items)
    outcomes: dict[int, Outcome[Value]] = {}
    fatal: list[BaseException] = []
    lock = threading.Lock()

    def one(index: int, item: Item) -> Outcome[Value]:
        if until is not None and clock() >= until:
            return Outcome(index, error=TotalTimeout(f"the {seconds:g} s of the batch were over before item {index}"))
        most: int | None = None
        reserved = False
        spent: int | None = 0
        try:
            if budget is not None:
                most = None if bound is None else bound(item)
                budget.reserve(most, patient=True)
                reserved = True
            if limiter is not None and not limiter.acquire(0 if tokens is None else tokens(item), until):
                raise TotalTimeout(
                    f"item {index} would have to wait for the provider's rate limit for longer than there is time",
                    hint="more time, or fewer items",
                )
            spent = None  # from here on nobody knows, until an answer says so
            value = run(item)
            spent = getattr(value, "cost", None)
            return Outcome(index, value)
        except Exception as problem:
            if spent is None and _is_free(problem):
                spent = 0
            if limiter is not None and isinstance(problem, RateLimitedError) and problem.retry_after:
                limiter.pause(problem.retry_after)
            return Outcome(index, error=problem)
        finally:
            if budget is not None and reserved:
                budget.settle(most, spent)

    def work() -> None:
        try:
            while not fatal:
                with lock:
                    following: Any = next(numbered, None)
                if following is None:
                    return
                outcome = one(*following)
                with lock:
                    outcomes[outcome.index] = outcome
                    if done is not None and not fatal:
                        done(outcome)
        except BaseException as problem:
            fatal.append(problem)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(concurrency)]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    except BaseException as problem:
        fatal.append(problem)
        for worker in workers:
            if worker.ident is not None:
                worker.join()
    if fatal:
        raise fatal[0]
    return [outcomes[index] for index in sorted(outcomes)]


def _is_free(problem: Exception) -> bool:
    """Tell whether a call that ended so is on no bill: refused, or never sent."""
    if isinstance(problem, CircuitOpenError | ConnectTimeout):
        return True
    if isinstance(problem, ConnectionFailedError) and problem.reason in NEVER_SENT:
        return True
    return isinstance(problem, ProviderError) and problem.status is not None and 400 <= problem.status < 500

"""When to try again, how long to wait first, and when to stop: every rule about retries, in one place.

    which      what the error says: 408, 425, 429, 500, 502, 503, 504, 529, failed connects, drops before the first byte
    how long   U(0, min(8, 0.5 * 2**n)), or what the provider asks for and up to a quarter of a second, if that is more
    not if     a wait does not fit into the time that remains: then fail, or fall back, at once
    how often  three attempts; all retries of a process together at most 10 % of its requests, and 10

Nothing here knows a clock: ``remaining``, ``sleep`` and ``random`` are given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ..errors import ConfigError
from .errors import ConnectionFailedError, FirstTokenTimeout, IdleTimeout, ProviderError, StreamInterruptedError

Got = TypeVar("Got")
NEVER_SENT = frozenset({"dns", "connect", "tls"})  # how far a failed connection had come, as dial.py says
LOST = frozenset({408, 502, 504})  # somebody between us and the model gave up; the model may have gone on


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and how long to wait.

    Args:
        max_attempts: of one call at one provider, the first one included.
        base: seconds, the longest wait before the second attempt.
        cap: seconds, the longest wait that is not the provider's wish.
        spread: seconds, the most that is added to what the provider asks for.

    Raises:
        ConfigError: a number that cannot be meant.
    """

    max_attempts: int = 3
    base: float = 0.5
    cap: float = 8.0
    spread: float = 0.25

    def __post_init__(self) -> None:
        if not (self.max_attempts >= 1 and 0 <= self.base < 1e9 and 0 <= self.cap < 1e9 and 0 <= self.spread < 1e9):
            raise ConfigError("Retry: max_attempts is at least 1, and no time is negative or without end")

    def delay(self, failures: int, wanted: float | None, random: Callable[[], float]) -> float:
        """Return the seconds to wait after so many failures.

        Args:
            failures: so far, at least one.
            wanted: what the provider asks for, if it does.
            random: a number from 0 to 1.

        Example:
            >>> Retry().delay(2, None, lambda: 1.0), Retry().delay(2, 20.0, lambda: 0.5)
            (1.0, 20.125)
        """
        own = random() * min(self.cap, self.base * 2.0 ** min(failures - 1, 64))
        return own if wanted is None else max(own, wanted + random() * self.spread)


class RetryBudget:
    """How many retries all calls together may make: a share of their requests, and a few to begin with.

    When a provider is down, a thousand callers that try three times each are what keeps it down.

    Args:
        share: of the requests.
        spare: on top.

    Example:
        >>> budget = RetryBudget(share=0.1, spare=1)
        >>> budget.request(); budget.take(), budget.take()
        (True, False)
    """

    def __init__(self, share: float = 0.1, spare: int = 10) -> None:
        self.share, self.spare = share, spare
        self.requests = self.retries = 0
        self._lock = threading.Lock()

    def request(self) -> None:
        """Count a first attempt."""
        with self._lock:
            self.requests += 1

    def take(self) -> bool:
        """Count a retry, if it is one that may be made."""
        with self._lock:
            if self.retries + 1 > self.share * self.requests + self.spare:
                return False
            self.retries += 1
            return True


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: at whom, what became of it, how long was waited afterwards, and what may have been paid for twice.

    Args:
        provider, model: who was asked.
        error: None: it worked.
        waited: seconds before the next one.
        stopped: why there was no next one at this provider.
        maybe_billed: whether the provider may have done the work of this failed attempt, and charge for it.
    """

    provider: str
    model: str
    error: ProviderError | None = None
    waited: float = 0.0
    stopped: str = ""
    maybe_billed: bool = False


def maybe_billed(error: ProviderError) -> bool:
    """Say whether the provider may have charged for a failed attempt: the request went out, the answer got lost.

    Example:
        >>> maybe_billed(FirstTokenTimeout("silence")), maybe_billed(ConnectionFailedError("no", reason="dns"))
        (True, False)
    """
    if isinstance(error, ConnectionFailedError):
        return error.reason not in NEVER_SENT
    return isinstance(error, FirstTokenTimeout | IdleTimeout | StreamInterruptedError) or error.status in LOST


def retrying(
    attempt: Callable[[], Got],
    retry: Retry,
    *,
    remaining: Callable[[], float],
    sleep: Callable[[float], None],
    random: Callable[[], float],
    budget: RetryBudget | None = None,
    record: Callable[[Attempt], None] = lambda attempt: None,
    provider: str = "",
    model: str = "",
) -> Got:
    """Return what an attempt returns, after as many as it takes and the rules allow.

    Args:
        attempt: does it, or raises a ``ProviderError``.
        retry: the rules.
        remaining: how many seconds are left of the total.
        sleep: waits; what it raises ends it all.
        random: a number from 0 to 1.
        budget: that all calls share.
        record: is told of every attempt.
        provider, model: for the record.

    Raises:
        ProviderError: the last attempt's error, as it was.
    """
    if budget is not None:
        budget.request()
    failures = 0
    while True:
        try:
            got = attempt()
        except ProviderError as error:
            failures += 1
            wait, stopped = 0.0, ""
            if not error.retryable:
                stopped = "not an error that goes away"
            elif failures >= retry.max_attempts:
                stopped = f"{failures} attempts"
            else:
                wait = retry.delay(failures, error.retry_after, random)
                left = remaining()
                if wait >= left:
                    wait, stopped = 0.0, f"a wait of {wait:.3g} s, and {max(left, 0.0):.3g} s left"
                elif budget is not None and not budget.take():
                    wait, stopped = 0.0, "the retry budget of all calls is used up"
            record(Attempt(provider, model, error, wait, stopped, maybe_billed(error)))
            if stopped:
                raise
            sleep(wait)
        else:
            record(Attempt(provider, model))
            return got

"""Stop asking a provider that fails again and again, and ask it once after a while whether it is well."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from .errors import (
    CircuitOpenError,
    ConnectionFailedError,
    ConnectTimeout,
    FirstTokenTimeout,
    IdleTimeout,
    OverloadedError,
    ProviderError,
    RateLimitedError,
    ServerError,
    StreamInterruptedError,
)

# what says that a provider is ill; any other error shows that it answers
ILL = (
    ConnectionFailedError, ConnectTimeout, FirstTokenTimeout, IdleTimeout, OverloadedError, ServerError,
    StreamInterruptedError,
)  # fmt: skip


class Breaker:
    """The state of one provider at one address.

    Closed: everybody may ask. After ``failures`` of them within ``window`` seconds it is open: nobody may, for ``rest``
    seconds. Then it is half open: one probe may; if that works it is closed, if not it is open again. A 429 that says
    when to come back opens it until then.

    Args:
        clock: seconds, monotonic.
        failures: that open it.
        window: seconds in which they have to happen.
        rest: seconds that it stays open.

    Example:
        >>> now = 0.0
        >>> breaker = Breaker(lambda: now, failures=1)
        >>> breaker.enter(); breaker.failed(ServerError("500")); breaker.state
        'open'
        >>> now = 31.0
        >>> breaker.enter(); breaker.worked(); breaker.state
        'closed'
    """

    def __init__(
        self, clock: Callable[[], float], *, failures: int = 5, window: float = 30.0, rest: float = 30.0
    ) -> None:
        self.failures, self.window, self.rest = failures, window, rest
        self._clock = clock
        self._times: deque[float] = deque(maxlen=failures)
        self._until: float | None = None  # None: closed
        self._told = False  # whether the provider itself said until when
        self._probing = False
        self._lock = threading.Lock()

    @property
    def state(self) -> str:
        """ "closed", "open" or "half open"."""
        with self._lock:
            if self._until is None:
                return "closed"
            return "open" if self._clock() < self._until else "half open"

    def enter(self, provider: str = "") -> None:
        """Let an attempt pass; it has to be followed by ``worked``, ``failed`` or ``left``.

        Raises:
            CircuitOpenError: it may not. Where the provider said when to come back, that is its ``retry_after``, and
                the error is retryable.
        """
        with self._lock:
            if self._until is None:
                return
            left = self._until - self._clock()
            if left <= 0 and not self._probing:
                self._probing = True
                return
            why = f"for {left:.3g} s more" if left > 0 else "while one request probes it"
            said = "it asked us to wait" if self._told else "it has failed too often just now"
            raise CircuitOpenError(
                f"{provider or 'the provider'} is not asked {why}: {said}",
                "wait, or name another one: fallback=",
                provider=provider or None,
                retry_after=left if self._told and left > 0 else None,
                retryable=self._told,
            )

    def worked(self) -> None:
        """It answered: all is forgotten."""
        with self._lock:
            self._close_if_asked()

    def failed(self, error: ProviderError) -> None:
        """It failed; what that means depends on how."""
        with self._lock:
            now = self._clock()
            if isinstance(error, RateLimitedError):
                if error.retry_after is not None:
                    until = now + error.retry_after
                    self._until = until if self._until is None else max(until, self._until)
                    self._told = True
                self._probing = False
            elif isinstance(error, ILL):
                self._times.append(now)
                full = len(self._times) == self.failures and now - self._times[0] <= self.window
                if self._probing or full:
                    until = now + self.rest
                    self._until = until if self._until is None else max(until, self._until)
                    self._told = False
                self._probing = False
            elif error.status is not None:
                self._close_if_asked()  # it refuses, so it is there
            else:
                self._probing = False

    def left(self) -> None:
        """Whoever asked went away: that says nothing."""
        with self._lock:
            self._probing = False

    def _close_if_asked(self) -> None:
        if self._until is not None and not self._probing:
            return  # a straggler that had set out before it opened
        self._until, self._told, self._probing = None, False, False
        self._times.clear()


class Breakers:
    """A breaker for each provider and address, made when it is asked for.

    Example:
        >>> breakers = Breakers(lambda: 0.0)
        >>> breakers.of("openai", "https://a") is breakers.of("openai", "https://a")
        True
    """

    def __init__(
        self, clock: Callable[[], float], *, failures: int = 5, window: float = 30.0, rest: float = 30.0
    ) -> None:
        self._make = lambda: Breaker(clock, failures=failures, window=window, rest=rest)
        self._all: dict[tuple[str, str], Breaker] = {}
        self._lock = threading.Lock()

    def of(self, provider: str, base_url: str) -> Breaker:
        """Return the one of a provider at an address."""
        with self._lock:
            if (provider, base_url) not in self._all:
                self._all[provider, base_url] = self._make()
            return self._all[provider, base_url]

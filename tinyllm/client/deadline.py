"""How long to wait: four limits on one clock, and a deadline that hands out every wait, so that none outlasts it.

A socket's timeout limits one operation, and a server that sends a byte now and then never meets it. So nobody here
waits for longer than ``Deadline.grant`` allows: it is asked before every single read, write, connect and look-up.

    connect       until the line stands: name, connection, proxy, TLS; each attempt anew
    idle          while the request goes out, and between two pieces of the answer
    first_token   from the sent request to the first content
    total         over all of it, retries included
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Protocol

from ..errors import ConfigError
from .errors import CanceledError, ConnectTimeout, DeadlineError, FirstTokenTimeout, IdleTimeout, TotalTimeout

LONGEST_WAIT = 3600.0  # seconds for a single wait that has no limit: sockets count milliseconds in 32 bits


class Clock(Protocol):
    """What time it is, and how to let it pass; tests have one of their own."""

    def now(self) -> float:
        """Return seconds since some moment; they never run backwards."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        ...


class SystemClock:
    """The computer's monotonic clock."""

    def now(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Timeout:
    """Limits in seconds; None is no limit.

    Args:
        connect: until the line stands.
        first_token: from the sent request to the first content.
        idle: between two pieces of the answer.
        total: over everything, retries and waits between them included.

    Raises:
        ConfigError: a limit that is no positive number.

    Example:
        >>> Timeout.of(10)
        Timeout(connect=5.0, first_token=60.0, idle=30.0, total=10.0)
    """

    connect: float | None = 5.0
    first_token: float | None = 60.0
    idle: float | None = 30.0
    total: float | None = 300.0

    def __post_init__(self) -> None:
        for one in fields(self):
            limit = getattr(self, one.name)
            if limit is None:
                continue
            if isinstance(limit, bool) or not isinstance(limit, int | float) or not limit > 0:
                raise ConfigError(
                    f"timeout: {one.name}={limit!r} is no positive number of seconds", "None for no limit"
                )
            object.__setattr__(self, one.name, float(limit))

    @classmethod
    def of(cls, value: Timeout | float | None) -> Timeout:
        """Return a timeout as it is; a number is the total; None is the default."""
        if isinstance(value, Timeout):
            return value
        return cls() if value is None else cls(total=value)


class Deadline:
    """The limits of one request while it runs; every wait asks it first.

    Args:
        timeout: the limits.
        clock: what time it is.
        content: whether somebody says when the first content came, by ``token()``. Otherwise it is the first byte of
            the body, which may be no more than a comment that keeps the line open.

    Attributes:
        began: when, by the clock.
        end: when the total is over.
        granted_until: the latest moment that any wait was allowed to last to. It is never later than ``end``.
        marks: when what was done, in seconds from the beginning: dns, connect, proxy, tls, sent, headers, first_byte.

    Example:
        >>> class Stopped:
        ...     def now(self): return 7.0
        ...     def sleep(self, seconds): ...
        >>> deadline = Deadline(Timeout(connect=2, total=10), Stopped())
        >>> deadline.connecting("api.example")
        >>> deadline.grant(), deadline.remaining()
        (2.0, 10.0)
    """

    def __init__(self, timeout: Timeout | None = None, clock: Clock | None = None, *, content: bool = False) -> None:
        self.timeout, self.clock, self.content = timeout or Timeout(), clock or SystemClock(), content
        self.began = self.clock.now()
        self.end = self.granted_until = self.began
        self.end += math.inf if self.timeout.total is None else self.timeout.total
        self.marks: dict[str, float] = {}
        self._kind: type[DeadlineError] = TotalTimeout
        self._until, self._limit, self._host = math.inf, math.inf, "the server"
        self._canceled = False
        self._watchers: dict[object, Callable[[], None]] = {}

    # where the request is

    def connecting(self, host: str) -> None:
        """Begin an attempt: its line has to stand within ``connect`` seconds."""
        self._host = host
        self.marks.clear()
        self._begin(ConnectTimeout, self.timeout.connect)

    def sending(self) -> None:
        """The line stands; the request goes out, and every piece of it that is taken begins ``idle`` anew."""
        self._begin(IdleTimeout, self.timeout.idle)

    def waiting(self) -> None:
        """The request is sent: the first content has to come within ``first_token`` seconds."""
        self.mark("sent")
        self._begin(FirstTokenTimeout, self.timeout.first_token)

    def moved(self) -> None:
        """Bytes went over the line."""
        if self._kind is IdleTimeout:
            self._begin(IdleTimeout, self.timeout.idle)

    def body(self) -> None:
        """The body's first byte is here."""
        self.mark("first_byte")
        if not self.content:
            self.token()

    def token(self) -> None:
        """The first content is here; from now on ``idle`` counts."""
        if self._kind is not IdleTimeout:
            self._begin(IdleTimeout, self.timeout.idle)

    def at_most(self, seconds: float) -> None:
        """Bring the end nearer: all that is still wanted has to come within so many seconds."""
        self.end = min(self.end, self.clock.now() + seconds)

    def mark(self, name: str) -> None:
        """Note that something is done; the first time counts."""
        self.marks.setdefault(name, self.clock.now() - self.began)

    # how long to wait

    def grant(self) -> float:
        """Return for how many seconds the next wait may last.

        Raises:
            DeadlineError: for none: which limit it was says its class.
            CanceledError: somebody called ``cancel()``.
        """
        if self._canceled:
            raise CanceledError(f"{self._host}: the request was canceled")
        now = self.clock.now()
        left = min(self.end, self._until) - now
        if left <= 0:
            raise self.expired()
        left = min(left, LONGEST_WAIT)
        self.granted_until = max(self.granted_until, now + left)
        return left

    def remaining(self) -> float:
        """Return the seconds that are left of the total, 0 if none; ``math.inf`` without a limit."""
        return max(0.0, self.end - self.clock.now())

    def expired(self) -> DeadlineError:
        """Return the error for the limit that is reached first; the total goes before all others once it is spent."""
        if self.end <= max(self._until, self.clock.now()):
            said = f"{self._host}: no whole answer within {self.end - self.began:g} s"
            return TotalTimeout(said, "a larger timeout, Timeout(total=...)")
        limit, what = f"{self._limit:g} s", self._host
        if self._kind is ConnectTimeout:
            return ConnectTimeout(f"{what}: no connection within {limit}", "is the address right, is the network up?")
        if self._kind is FirstTokenTimeout:
            said = f"{what}: connected, and no content within {limit}"
            return FirstTokenTimeout(said, "a larger timeout, Timeout(first_token=...)")
        return IdleTimeout(f"{what}: nothing moved for {limit}", "a larger timeout, Timeout(idle=...)")

    # who does not want to wait anymore

    @property
    def canceled(self) -> bool:
        """Whether somebody called ``cancel()``."""
        return self._canceled

    def cancel(self) -> None:
        """End every wait at once, from any thread: the next one, and the one that is going on."""
        self._canceled = True
        for wake in list(self._watchers.values()):
            wake()

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have ``wake`` called when the request is canceled; return what ends that."""
        ticket = object()
        self._watchers[ticket] = wake
        if self._canceled:
            wake()

        def forget() -> None:
            self._watchers.pop(ticket, None)

        return forget

    def _begin(self, kind: type[DeadlineError], limit: float | None) -> None:
        self._kind, self._limit = kind, math.inf if limit is None else limit
        self._until = self.clock.now() + self._limit

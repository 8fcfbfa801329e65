"""What a provider says about when to come back: Retry-After in all its forms, and the rate limits in the headers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

LONGEST = 1e9  # seconds: "never", for a number that does not fit
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?\s*\Z")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|h|m|s)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(text: str) -> float | None:
    """Return a Go duration (``12ms``, ``6m0s``, ``1h2m3.5s``) or a plain number as seconds; None if it is neither.

    Example:
        >>> seconds_of("6m0s"), seconds_of("12ms"), seconds_of("3"), seconds_of("soon")
        (360.0, 0.012, 3.0, None)
    """
    text = text.strip()
    if _NUMBER.match(text):
        return _bounded(float(text))
    found = _PART.findall(text)
    if not found or "".join(number + unit for number, unit in found) != text:
        return None
    return _bounded(sum(float(number) * _SECONDS[unit] for number, unit in found))


def _bounded(seconds: float) -> float:
    return max(-LONGEST, min(LONGEST, seconds))


def _moment(text: str) -> float | None:
    """Return an HTTP date as seconds since 1970."""
    from email.utils import parsedate_to_datetime  # takes 20 ms to import, and few replies need it

    try:
        moment = parsedate_to_datetime(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None


def _moment_rfc3339(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with their names in small letters."""
    return {str(name).lower(): str(value) for name, value in headers.items()}


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Return how many seconds to wait, as the headers say; None if they do not, or not in a way that can be meant.

    ``retry-after-ms`` counts before ``retry-after``, which is a number of seconds or a date. A date is compared with
    the ``Date`` of the same reply, so that our clock may be wrong, and gets a second more, since it has no fractions.

    Args:
        headers: of the reply.
        now: seconds since 1970, for a reply without a ``Date``.

    Example:
        >>> retry_after({"Retry-After": "7"}), retry_after({"retry-after-ms": "250"})
        (7.0, 0.25)
    """
    said = lowered(headers)
    found = None
    if _NUMBER.match(said.get("retry-after-ms", "").strip()):
        found = _bounded(float(said["retry-after-ms"]) / 1000)
    elif "retry-after" in said:
        text = said["retry-after"].strip()
        found = _bounded(float(text)) if _NUMBER.match(text) else None
        moment = None if found is not None else _moment(text)
        here = _moment(said.get("date", "")) if "date" in said else None
        here = now if here is None else here
        if moment is not None and here is not None and moment > here:
            found = moment - here + 1
    return found if found is not None and found > 0 and math.isfinite(found) else None


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How much of one thing ("requests", "tokens", ...) is left until ``reset`` seconds from now; None: not said."""

    what: str
    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None


_NAMES = (
    re.compile(r"x-ratelimit-(?P<part>limit|remaining|reset)-(?P<what>[a-z-]+)\Z"),
    re.compile(r"anthropic-ratelimit-(?P<what>[a-z-]+)-(?P<part>limit|remaining|reset)\Z"),
)


def rate_limits(headers: Mapping[str, str], now: float | None = None) -> tuple[RateLimit, ...]:
    """Return the limits that a reply's headers tell, in the order of their names.

    Args:
        headers: OpenAI's (``x-ratelimit-remaining-tokens``; a reset is a duration) or Anthropic's
            (``anthropic-ratelimit-tokens-remaining``; a reset is a moment).
        now: seconds since 1970, to turn a moment into seconds from now where the reply has no ``Date``.

    Example:
        >>> rate_limits({"x-ratelimit-limit-requests": "60", "x-ratelimit-reset-requests": "1s"})
        (RateLimit(what='requests', limit=60, remaining=None, reset=1.0),)
    """
    said = lowered(headers)
    here = _moment(said.get("date", "")) if "date" in said else None
    here = now if here is None else here
    parts: dict[str, dict[str, float | None]] = {}
    for name, value in said.items():
        match = next((match for shape in _NAMES if (match := shape.match(name))), None)
        if match is None:
            continue
        number = seconds_of(value)
        if number is None and match["part"] == "reset":
            moment = _moment_rfc3339(value)
            number = None if moment is None or here is None else max(0.0, moment - here)
        parts.setdefault(match["what"], {})[match["part"]] = number
    return tuple(
        RateLimit(what, _whole(said.get("limit")), _whole(said.get("remaining")), said.get("reset"))
        for what, said in sorted(parts.items())
    )


def _whole(number: float | None) -> int | None:
    return None if number is None or number < 0 else int(number)

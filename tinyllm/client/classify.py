"""Turn what a provider answered instead of an answer into one typed error: by status and codes, hardly ever by words.

Only whether a text was too long is read from a message, by the patterns of each wire in ``data/errors.json``; nobody
gives all of them a code. Everything that an error shows was scrubbed of keys first.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import errors
from .errors import ProviderError
from .limits import lowered, retry_after, seconds_of
from .scrub import scrub
from .tables import table
from .types import ErrorDelta, Secret, Spec

LONGEST_READ = 1 << 16  # bytes of a body that are looked at
LONGEST_MESSAGE = 500  # characters of it that stand in an error's line
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 529})


@functools.cache
def _patterns(wire: str) -> tuple[tuple[frozenset[str], re.Pattern[str] | None], ...]:
    rows = [row for row in table("errors")["context"] if wire in row["wires"]]
    return tuple(
        (frozenset(row.get("said", ())), re.compile(row["message"], re.I | re.S) if "message" in row else None)
        for row in rows
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What an error's body says, whatever its shape: the words that mean something, its message, and numbers."""

    message: str = ""
    words: tuple[str, ...] = ()
    status: int | None = None
    request_id: str | None = None
    param: str | None = None
    asked: int | None = None
    limit: int | None = None
    delay: float | None = None
    daily: bool = False
    html: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)


def read_body(body: bytes | str | Mapping[str, Any]) -> Said:
    """Read a body of any shape: ``{"error": {...}}``, ``{"error": "text"}``, ``{"message"}``, a list, HTML, nothing.

    Example:
        >>> said = read_body(b'{"error": {"message": "no", "code": "invalid_api_key", "type": "x"}}')
        >>> said.message, said.words
        ('no', ('invalid_api_key', 'x'))
    """
    if isinstance(body, Mapping):
        return _of_object(body)
    text = body[:LONGEST_READ].decode("utf-8", "replace") if isinstance(body, bytes) else body[:LONGEST_READ]
    text = text.lstrip("\ufeff").strip()
    if text[:1] == "<":
        title = re.search(r"<title[^>]{0,100}>([^<]{1,200})", text, re.I)
        return Said(" ".join(title[1].split()) if title else "", html=True)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return Said(" ".join(text.split()))
    if isinstance(found, list) and found:
        found = found[0]
    return _of_object(found) if isinstance(found, dict) else Said(" ".join(text.split()))


def _of_object(found: Mapping[str, Any]) -> Said:
    inner = found.get("error", found.get("response", found))
    if isinstance(inner, Mapping) and isinstance(inner.get("error"), Mapping):
        inner = inner["error"]  # Responses: response.failed has it one level further in
    if not isinstance(inner, Mapping):
        inner = {"message": inner} if isinstance(inner, str) else found
    details = inner.get("details")
    blocks = [block for block in _blocks(details) if isinstance(block, Mapping)]
    spoken = [inner.get("code"), inner.get("type"), inner.get("status")]
    spoken += [block.get(key) for block in blocks for key in ("error_code", "reason")]
    numbers = [inner.get("code"), inner.get("status"), found.get("code")]
    message = inner.get("message") or found.get("message") or found.get("detail") or ""
    violations = [v for block in blocks for v in _blocks(block.get("violations")) if isinstance(v, Mapping)]
    delays = [seconds_of(block["retryDelay"]) for block in blocks if isinstance(block.get("retryDelay"), str)]
    return Said(
        message=message if isinstance(message, str) else _dump(message),
        words=tuple(word for word in spoken if isinstance(word, str) and word),
        status=next((n for n in map(_status, numbers) if n), None),
        request_id=_text(found.get("request_id")) or _text(inner.get("request_id")),
        param=_text(inner.get("param")),
        asked=_count(inner.get("n_prompt_tokens")),
        limit=_count(inner.get("n_ctx")),
        delay=next((delay for delay in delays if delay and delay > 0), None),
        daily=any("PerDay" in str(v.get("quotaId", "")) or str(v.get("quotaValue")) == "0" for v in violations),
        raw=found,
    )


def _blocks(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif value is not None:
        yield value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9,]{1,15}", value):
        return int(value.replace(",", "") or 0)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _status(value: Any) -> int | None:
    number = _count(value)
    return number if number is not None and 400 <= number <= 599 else None


def classify(
    status: int | None,
    headers: Mapping[str, str],
    body: bytes | str | Mapping[str, Any],
    spec: Spec,
    *,
    model: str = "",
    secrets: Iterable[Secret] = (),
    now: float | None = None,
) -> ProviderError:
    """Return the one error that a reply means.

    Args:
        status: of HTTP; None or 200 for an error that came inside of a good reply.
        headers: of the reply.
        body: of the reply, or an error frame that was already parsed.
        spec: where it came from.
        model: that was asked, for the message.
        secrets: further keys that must not show; the spec's own is always left out.
        now: seconds since 1970, for a Retry-After that is a date in a reply without one.

    Example:
        >>> found = classify(429, {"retry-after": "7"}, b'{"error": "slow down"}', Spec("x", "openai_chat"))
        >>> type(found).__name__, found.retry_after, found.retryable
        ('RateLimitedError', 7.0, True)
    """
    said, head = read_body(body), lowered(headers)
    hidden = [secret for secret in (spec.key, *secrets) if secret]
    http = status if status is not None and not 200 <= status < 300 else None
    meant = _meant(http, said)
    wait = retry_after(head, now) or said.delay
    show = functools.partial(_clean, secrets=hidden)
    facts: dict[str, Any] = {
        "provider": spec.name,
        "status": status if http else meant,
        "reason": show(said.words[0])[:200] if said.words else None,
        "request_id": _request_id(head, said, show),
        "body": show(_as_text(body)),
        "retry_after": wait,
        "retryable": _retryable(http or meant, head, said),
    }
    words = show(" ".join(said.message.split()))
    message = words[:LONGEST_MESSAGE] + ("..." if len(words) > LONGEST_MESSAGE else "")
    place = f"{spec.name}{f' ({model})' if model else ''}"
    number = f" {status}" if status else ""
    if http and 300 <= http < 400:
        target = re.match(r"https?://([\w.\-]+(?::\d+)?)(?=[/?#]|\Z)", show(head.get("location", "")))
        there = target[1] if target else "another address"
        return errors.ProtocolError(
            f"{place} answered{number}: it sends us on to {there}, and redirects are not followed",
            "give the address itself: base_url=...",
            **facts,
        )
    if said.html:
        message = f"a page of HTML instead of JSON{f': {message}' if message else ''}"
        if not http:
            ask = "is there a proxy or a login page between? look at base_url"
            return errors.ProtocolError(f"{place} answered{number} with {message}", ask, **facts)
    line = f"{place} answered{number}: {message or 'without a word'}"
    found = _context(spec.wire, meant, said)
    if found is not None:
        needed, allowed = found
        if needed is not None and allowed is not None:
            line += f" ({needed - allowed:,} tokens too many: {needed:,} where {allowed:,} fit)"
        facts |= {"retryable": False, "needed": needed, "allowed": allowed}
        return errors.ContextLengthError(line, "shorten it: fit_messages leaves the oldest turns out", **facts)
    kind, hint = _kind(meant, said)
    return kind(line, hint, **facts)


def classify_delta(delta: ErrorDelta, spec: Spec, *, model: str = "", secrets: Iterable[Secret] = ()) -> ProviderError:
    """Return the error that came as part of a stream, or in the body of a good reply.

    Example:
        >>> late = ErrorDelta("Overloaded", type="overloaded_error")
        >>> type(classify_delta(late, Spec("anthropic", "anthropic"))).__name__
        'OverloadedError'
    """
    told = {"message": delta.message, "type": delta.type, "code": delta.code if delta.code else delta.status}
    body = delta.body if delta.body else {"error": told}
    if not read_body(body).words and (delta.type or delta.code):
        body = {"error": {**told, "details": delta.body}}
    status = delta.status if delta.status and delta.status >= 400 else None
    return classify(status, {}, body, spec, model=model, secrets=secrets)


def _meant(http: int | None, said: Said) -> int | None:
    told = table("errors")
    for row in told["overrides"]:
        if http in row["http"] and row["said"] in said.words:
            return int(row["status"])
    if http:
        return http
    known = (told["statuses"][word] for word in said.words if word in told["statuses"])
    return said.status or next(known, None)


def _retryable(status: int | None, head: Mapping[str, str], said: Said) -> bool:
    told = head.get("x-should-retry", "").strip().lower()
    if told == "false" or said.daily or _spent(said):
        return False
    return status in RETRIED or (status == 409 and told == "true")


def _spent(said: Said) -> bool:
    return any(row["said"] in said.words for row in table("errors")["spent"])


def _kind(status: int | None, said: Said) -> tuple[type[ProviderError], str | None]:
    if _spent(said) or status == 402:
        return errors.QuotaExhaustedError, "waiting does not help: add credit or raise the limit at the provider's site"
    if status == 429 and said.daily:
        return (
            errors.QuotaExhaustedError,
            "the quota of the day is used up: another model, another provider, or tomorrow",
        )
    if set(said.words) & set(table("errors")["filtered"]):
        return errors.ContentFilteredError, "say it in other words"
    if set(said.words) & set(table("errors")["unsupported"]):
        named = f"leave {said.param} out" if said.param else "leave the parameter out"
        return errors.UnsupportedParamError, f'{named}, or pass on_unsupported="drop"'
    return _KINDS.get(status or 0) or ((errors.BadRequestError, None) if 400 <= (status or 0) < 500 else _FAILED)


_FAILED: tuple[type[ProviderError], str | None] = (errors.ServerError, None)
_KINDS: dict[int, tuple[type[ProviderError], str | None]] = {
    401: (errors.AuthError, "look at the key: `tinyllm doctor` says which one is used"),
    403: (errors.PermissionRefusedError, "the key is known and may not do this: another model, or another key"),
    404: (errors.NotFoundError, "look at the model's name, and at base_url"),
    409: (errors.BadRequestError, None),
    413: (errors.BadRequestError, "send less"),
    425: (errors.OverloadedError, "try again a little later"),
    429: (errors.RateLimitedError, "wait, or send fewer requests at a time"),
    503: (errors.OverloadedError, "try again a little later"),
    529: (errors.OverloadedError, "try again a little later"),
    408: _FAILED,
}


def _context(wire: str, status: int | None, said: Said) -> tuple[int | None, int | None] | None:
    """Return the tokens that were asked for and those that fit, as far as they were counted; None: not too long."""
    if status in (401, 402, 403, 404, 429, 529):
        return None
    found = None
    for words, pattern in _patterns(wire):
        match = pattern.search(said.message[:2000]) if pattern else None
        if match:
            numbers = match.groupdict()
            asked, more = _count(numbers.get("asked")), _count(numbers.get("more")) or 0
            limit = _count(numbers.get("limit"))
            return (said.asked if asked is None else asked + more), (said.limit if limit is None else limit)
        if words & set(said.words):
            found = (said.asked, said.limit)
    return found


def _request_id(head: Mapping[str, str], said: Said, show: Any) -> str | None:
    found = next((head[name] for name in ("request-id", "x-request-id", "x-goog-request-id") if head.get(name)), None)
    found = found or said.request_id
    return show(found)[:200] if found else None


def _as_text(body: bytes | str | Mapping[str, Any]) -> str:
    if isinstance(body, bytes):
        return body[:LONGEST_READ].decode("utf-8", "replace")
    return body[:LONGEST_READ] if isinstance(body, str) else _dump(body)


def _dump(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)[:LONGEST_READ]
    except (ValueError, RecursionError):
        return ""


def _clean(text: str, secrets: Iterable[Secret]) -> str:
    """Take keys out, and what could drive a terminal or cannot be written: control characters, half surrogates."""
    text = scrub(text, secrets).encode("utf-8", "replace").decode()
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", " ", text)

"""Every error that talking to a model can end in: who refused, what came back, and whether to try again.

No other exception leaves this room: not the socket's, not json's, not ssl's. Where Python has an error of the same
meaning ours is one of those, too, so that ``except TimeoutError`` and ``except ConnectionError`` go on working.

    ProviderError
      AuthError PermissionRefusedError NotFoundError                 who you are, what you may, what there is
      BadRequestError   ContextLengthError SchemaError UnsupportedParamError     what was asked
      RateLimitedError QuotaExhaustedError OverloadedError ServerError
      DeadlineError     ConnectTimeout FirstTokenTimeout IdleTimeout TotalTimeout
      ConnectionFailedError ProtocolError                            the line, and what came over it
      StreamInterruptedError TruncatedError ContentFilteredError     an answer that is not whole
      CircuitOpenError AllFailedError BudgetExceededError CanceledError     our own refusals
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import TinyLLMError

LONGEST_BODY = 4096  # characters of a reply that an error carries


class ProviderError(TinyLLMError):
    """What all errors of this room have in common.

    Args:
        message: one line: what was asked, what came back.
        hint: what to try.
        provider: whose.
        status: of HTTP, where there was a reply.
        code: the provider's own word for it.
        request_id: for its support.
        body: of the reply, without secrets, at most 4 KiB.
        retry_after: seconds that the provider wants us to wait; None if it did not say.
        retryable: whether the same request may succeed later; None: what is usual for this class.
    """

    code = "E-PROVIDER"
    retryable = False
    partial: Any = None  # what had come of an answer that broke off

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        *,
        provider: str | None = None,
        status: int | None = None,
        reason: str | None = None,
        request_id: str | None = None,
        body: str = "",
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.provider, self.status, self.reason, self.request_id = provider, status, reason, request_id
        self.body, self.retry_after = body[:LONGEST_BODY], retry_after
        if retryable is not None:
            self.retryable = retryable


class AuthError(ProviderError):
    """No key, or one that the provider does not know (401)."""

    code = "E-AUTH"


class PermissionRefusedError(ProviderError, PermissionError):
    """A key that may not do this (403)."""

    code = "E-PERMISSION"


class NotFoundError(ProviderError, LookupError):
    """No such model or address (404)."""

    code = "E-NOT-FOUND"


class BadRequestError(ProviderError, ValueError):
    """A request that the provider does not understand or accept (400, 413, 422)."""

    code = "E-BAD-REQUEST"


class ContextLengthError(BadRequestError):
    """More text than the model reads: ``needed`` tokens, where ``allowed`` may be; None where nobody counted."""

    code = "E-CONTEXT"

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        *,
        needed: int | None = None,
        allowed: int | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, hint, **facts)
        self.needed, self.allowed = needed, allowed


class SchemaError(BadRequestError):
    """A value that does not follow its schema; ``path`` says where, such as "$.days[2].high"."""

    code = "E-SCHEMA"

    def __init__(self, message: str, hint: str | None = None, *, path: str = "$", **facts: Any) -> None:
        super().__init__(message, hint, **facts)
        self.path = path


class UnsupportedParamError(BadRequestError):
    """A parameter that this model does not take."""

    code = "E-UNSUPPORTED"


class RateLimitedError(ProviderError):
    """Too many requests for now (429); ``retry_after`` is in seconds, None if nobody said."""

    code = "E-RATE"
    retryable = True


class QuotaExhaustedError(ProviderError):
    """A spending limit or a daily quota: no retry helps (402, some 429)."""

    code = "E-QUOTA"


class OverloadedError(ProviderError):
    """The provider has too much to do (503, 529)."""

    code = "E-OVERLOADED"
    retryable = True


class ServerError(ProviderError):
    """The provider failed (500, 502, 504)."""

    code = "E-SERVER"
    retryable = True


class DeadlineError(ProviderError, TimeoutError):
    """A time that was set is over."""

    code = "E-DEADLINE"


class ConnectTimeout(DeadlineError):
    """No connection in time."""

    code = "E-CONNECT-TIMEOUT"
    retryable = True


class FirstTokenTimeout(DeadlineError):
    """Connected, and nothing came."""

    code = "E-FIRST-TOKEN"
    retryable = True


class IdleTimeout(DeadlineError):
    """Something came, and then nothing for too long."""

    code = "E-IDLE"


class TotalTimeout(DeadlineError):
    """The time for all of it is over, retries included."""

    code = "E-TOTAL"


class ConnectionFailedError(ProviderError, ConnectionError):
    """No connection, or it broke before anything came: refused, no such host, a bad certificate, a reset."""

    code = "E-CONNECTION"
    retryable = True


class ProtocolError(ProviderError):
    """What came is not what the format allows: no JSON where JSON belongs, a line without end, HTML."""

    code = "E-PROTOCOL"


class StreamInterruptedError(ProviderError):
    """A stream that ended without its end; ``partial`` is what had come."""

    code = "E-INTERRUPTED"

    def __init__(self, message: str, hint: str | None = None, *, partial: Any = None, **facts: Any) -> None:
        super().__init__(message, hint, **facts)
        self.partial = partial


class TruncatedError(StreamInterruptedError):
    """An answer whose end never came though the connection ended in good order."""

    code = "E-TRUNCATED"


class ContentFilteredError(ProviderError):
    """The provider refused the content."""

    code = "E-FILTERED"


class CircuitOpenError(ProviderError):
    """Not even tried: this provider has failed too often just now."""

    code = "E-CIRCUIT"


class AllFailedError(ProviderError):
    """Everybody in the chain failed; ``attempts`` are their errors, in order."""

    code = "E-ALL-FAILED"

    def __init__(
        self, message: str, hint: str | None = None, *, attempts: Sequence[TinyLLMError] = (), **facts: Any
    ) -> None:
        super().__init__(message, hint, **facts)
        self.attempts = tuple(attempts)


class BudgetExceededError(ProviderError):
    """The next call would cost more than is left; it was not made."""

    code = "E-BUDGET"


class CanceledError(ProviderError):
    """Whoever asked does not want the answer anymore."""

    code = "E-CANCELED"

"""Go down a chain of providers until one answers, and know the moment after which there is no going back.

    commit point   once the first delta with content is handed out, nothing is retried and nobody else is asked: what
                   breaks then is a StreamInterruptedError that carries what had come
    fall back      only where the provider is unavailable, slow, out of quota, or has no key here; never on a request
                   that was wrong, since it would be wrong elsewhere
    no sticking    every call starts at the head of the chain

All of it works on callables: a route opens, which returns deltas or raises a ProviderError.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..errors import ConfigError, TinyLLMError
from . import errors
from .breaker import Breaker, Breakers
from .classify import classify_delta
from .errors import AllFailedError, AuthError, ProviderError, StreamInterruptedError, TruncatedError
from .registry import LOCAL
from .retry import Attempt, Retry, RetryBudget, retrying
from .types import (
    Delta,
    Done,
    ErrorDelta,
    ReasoningDelta,
    Spec,
    TextDelta,
    ToolArgsDelta,
    ToolDone,
    ToolStart,
)

Got = TypeVar("Got")
SHOWN = (TextDelta, ReasoningDelta, ToolStart, ToolArgsDelta, ToolDone, Done)
FALLS_BACK = (
    errors.RateLimitedError, errors.QuotaExhaustedError, errors.OverloadedError, errors.ServerError,
    errors.ConnectTimeout, errors.FirstTokenTimeout, errors.IdleTimeout, errors.ConnectionFailedError,
    errors.CircuitOpenError, StreamInterruptedError,
)  # fmt: skip
AFTER_THE_END = (
    errors.ConnectionFailedError, errors.DeadlineError, errors.ProtocolError, StreamInterruptedError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Route:
    """One provider of a chain.

    Args:
        provider, model: who.
        open: sends the request; returns the deltas, or for `call` whatever the answer is.
        base_url: where; a breaker belongs to a provider at an address.
        spec: with its wire and key, for the errors that come as deltas.
    """

    provider: str
    model: str
    open: Callable[[], Any]
    base_url: str = ""
    spec: Spec | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a call, and what it has of time and chance.

    Args:
        remaining: how many seconds are left of the total.
        sleep: waits so many seconds.
        random: a number from 0 to 1.
        retry: at each provider.
        budget, breakers: that all calls share.
        allow_cross_provider: whether a fallback may hand the prompt to another vendor.
        record: is told of every attempt, in order.
    """

    remaining: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]
    retry: Retry = field(default_factory=Retry)
    budget: RetryBudget | None = None
    breakers: Breakers | None = None
    allow_cross_provider: bool = False
    record: Callable[[Attempt], None] = lambda attempt: None


def check_chain(routes: Sequence[Route], allow_cross_provider: bool) -> None:
    """Refuse a chain that is empty, or that leads to another vendor without leave.

    Raises:
        ConfigError: with the names.
    """
    if not routes:
        raise ConfigError("a call needs at least one provider")
    strangers = [route.provider for route in routes[1:] if route.provider not in (routes[0].provider, LOCAL)]
    if strangers and not allow_cross_provider:
        raise ConfigError(
            f"fallback: {', '.join(strangers)} would get to read what is meant for {routes[0].provider}",
            hint="allow_cross_provider=True, if that is all right",
        )


def falls_back(error: TinyLLMError) -> bool:
    """Say whether the next in the chain is asked after this error.

    Example:
        >>> falls_back(errors.ServerError("500")), falls_back(errors.BadRequestError("400"))
        (True, False)
    """
    if isinstance(error, AuthError):
        return error.status is None  # no key here; one that was refused is the user's to mend
    return isinstance(error, FALLS_BACK) or not isinstance(error, ProviderError)


def call(routes: Sequence[Route], policy: Policy) -> Any:
    """Return what the first route that works returns, for answers that come whole, such as embeddings.

    Raises:
        ConfigError: a chain that may not be.
        ProviderError: what the only one failed with, or what nobody else is asked after.
        AllFailedError: the whole chain failed.
    """
    check_chain(routes, policy.allow_cross_provider)
    return _reach(routes, lambda route: route.open(), policy)


def stream(
    routes: Sequence[Route],
    policy: Policy,
    *,
    partial: Callable[[], Any] = lambda: None,
    whole: bool = False,
) -> Iterator[Delta]:
    """Return the deltas of the first route that works; nothing is opened before the first is asked for.

    Args:
        routes: the chain.
        policy: the rules.
        partial: what has come so far, for the error of a stream that breaks off.
        whole: whether nobody sees a delta before the last has come: then all of it may be tried again.

    Raises:
        ConfigError: at once, a chain that may not be.
        ProviderError, AllFailedError: as `call`, while the deltas are read.
        StreamInterruptedError: it broke off after the commit point; TruncatedError: without its end.
        DeadlineError: time ran out after the commit point, with what had come as ``partial``.
    """
    check_chain(routes, policy.allow_cross_provider)
    return _deltas(routes, policy, partial, whole)


def _deltas(routes: Sequence[Route], policy: Policy, partial: Callable[[], Any], whole: bool) -> Iterator[Delta]:
    route, held, rest = _reach(routes, functools.partial(_begin, whole=whole), policy)
    done = any(isinstance(delta, Done) for delta in held)
    try:
        yield from held
        for delta in rest:
            if isinstance(delta, ErrorDelta):
                done = False
                raise classify_delta(delta, _spec(route), model=route.model)
            done = done or isinstance(delta, Done)
            yield delta
        if not done:
            raise _cut_short(route)
    except ProviderError as error:
        if done and isinstance(error, AFTER_THE_END):
            return
        breaker = _breaker(policy, route)
        if breaker is not None:
            breaker.failed(error)
        broken = _broken_off(error, partial)
        if broken is error:
            raise
        raise broken from error
    finally:
        _close(rest)


def _begin(route: Route, whole: bool) -> tuple[Route, list[Delta], Iterator[Delta]]:
    """Open a route and read up to the commit point."""
    held: list[Delta] = []
    rest = iter(route.open())
    done = False
    try:
        for delta in rest:
            if isinstance(delta, ErrorDelta):
                done = False
                raise classify_delta(delta, _spec(route), model=route.model)
            held.append(delta)
            done = done or isinstance(delta, Done)
            if isinstance(delta, SHOWN) and not whole:
                return route, held, rest
        if not done:
            raise _cut_short(route)
    except ProviderError as error:
        _close(rest)
        if not (done and isinstance(error, AFTER_THE_END)):
            if isinstance(error, StreamInterruptedError):
                error.retryable = True  # it broke off, and nobody has seen any of it
            raise
    except BaseException:
        _close(rest)
        raise
    return route, held, iter(())


def _reach(routes: Sequence[Route], begin: Callable[[Route], Got], policy: Policy) -> Got:
    failed: list[TinyLLMError] = []
    for route in routes:
        try:
            return retrying(
                functools.partial(_guarded, route, begin, _breaker(policy, route)),
                policy.retry,
                remaining=policy.remaining,
                sleep=policy.sleep,
                random=policy.random,
                budget=policy.budget,
                record=policy.record,
                provider=route.provider,
                model=route.model,
            )
        except (ProviderError, ConfigError) as error:
            if not falls_back(error) or len(routes) == 1:
                raise
            failed.append(error)
        if policy.remaining() <= 0:
            break
    told = "; ".join(f"{route.provider}: {error.message}" for route, error in zip(routes, failed, strict=False))
    raise AllFailedError(f"nobody answered: {told}", attempts=failed) from failed[-1]


def _guarded(route: Route, begin: Callable[[Route], Got], breaker: Breaker | None) -> Got:
    if breaker is None:
        return begin(route)
    breaker.enter(route.provider)
    try:
        got = begin(route)
    except ProviderError as error:
        breaker.failed(error)
        raise
    except BaseException:
        breaker.left()
        raise
    breaker.worked()
    return got


def _breaker(policy: Policy, route: Route) -> Breaker | None:
    if policy.breakers is None or route.provider == LOCAL:
        return None
    return policy.breakers.of(route.provider, route.base_url)


def _spec(route: Route) -> Spec:
    return route.spec or Spec(route.provider, "", route.base_url)


def _cut_short(route: Route) -> TruncatedError:
    return TruncatedError(
        f"{route.provider}: the stream ended without the sign that it is whole",
        "ask again; what had come is in `partial`",
        provider=route.provider,
        retryable=True,
    )


def _broken_off(error: ProviderError, partial: Callable[[], Any]) -> ProviderError:
    """Return the error that a reader of half an answer gets: it carries that half, and is not retried."""
    if isinstance(error, StreamInterruptedError | errors.DeadlineError | errors.CanceledError):
        error.retryable = False
        error.partial = partial() if error.partial is None else error.partial
        return error
    return StreamInterruptedError(
        f"the answer broke off: {error.message}",
        "what had come is in `partial`; it is not asked for again, since you have seen it",
        partial=partial(),
        provider=error.provider,
        status=error.status,
        reason=error.reason,
        request_id=error.request_id,
        body=error.body,
        retry_after=error.retry_after,
    )


def _close(deltas: Iterable[Delta]) -> None:
    close = getattr(deltas, "close", None)
    if close is not None:
        close()

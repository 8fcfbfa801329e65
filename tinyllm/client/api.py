"""One function for any model: ``complete``, ``stream``, ``embed``.

    complete("Why is the sky blue?")                                   # the provider whose key is set, or your own GPT
    complete("Why is the sky blue?", "anthropic", "a-model", max_tokens=100)
    with stream("Tell me a story.", "local") as pieces:
        for text in pieces.text():
            ...

``complete`` is ``stream`` read to its end: one path, whoever answers. Which provider "auto" means, registry.py says;
what is tried again and who is asked instead, retry.py and route.py; what an error means, classify.py.

A ``Client`` holds what calls share: the line, the clock, the circuit breakers. The functions use one of this process.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache as once
from importlib import import_module
from pathlib import Path
from typing import Any
from warnings import warn

from ..errors import ConfigError
from . import route as routing
from .assemble import Assembler
from .breaker import Breakers
from .cache import Cache, key_of, sampled
from .classify import classify
from .cost import Prices, shipped
from .deadline import Clock, Deadline, SystemClock, Timeout
from .errors import CanceledError, ProviderError, UnsupportedParamError
from .reading import Stream, replayed
from .registry import LOCAL, resolve
from .retry import Retry, RetryBudget
from .route import Policy, Route
from .trace import Attempt, Tracer
from .transport import HttpTransport, Response, Transport
from .types import (
    Call,
    Completion,
    Delta,
    Embeddings,
    ErrorDelta,
    HttpRequest,
    Message,
    Spec,
    Tool,
    messages_of,
)

LATE = 2.0  # seconds that a record of usage may come after the end
LARGEST_ERROR = 1 << 16  # bytes of a refusal that are read
Prompt = str | Sequence[Message | Mapping[str, Any]]
Fallback = Sequence[str | tuple[str, str]]  # providers, or (provider, model)
UNSUPPORTED = ("error", "drop", "warn")
PARAMETERS = ("max_tokens", "temperature", "top_p", "stop", "seed", "tools", "tool_choice", "schema")  # may be dropped


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who is asked, for what, with which address and key."""

    spec: Spec
    call: Call


class Client:
    """What calls share.

    Args:
        transport: carries requests.
        clock: tells the time and waits.
        chance: a number from 0 to 1, for the waits between attempts.
        environ: where keys and addresses are looked for.
        prices: what answers cost.
    """

    def __init__(
        self,
        *,
        transport: Transport | None = None,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
        environ: Mapping[str, str] | None = None,
        prices: Prices | None = None,
    ) -> None:
        self.transport = HttpTransport() if transport is None else transport
        self.clock: Clock = SystemClock() if clock is None else clock
        self.chance, self.environ, self.prices = chance, environ, prices
        self._budget, self._breakers = RetryBudget(), Breakers(clock=self.clock.now)
        self._models: dict[Path, tuple[int, Any]] = {}  # local ones: when they were saved, and they themselves

    def complete(self, prompt: Prompt, provider: str = "auto", model: str | None = None, **settings: Any) -> Completion:
        """Return the whole answer; arguments and errors as of ``stream``."""
        return self.stream(prompt, provider, model, whole=True, **settings).result()

    def stream(
        self,
        prompt: Prompt,
        provider: str = "auto",
        model: str | None = None,
        *,
        whole: bool = False,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        tools: Sequence[Tool] = (),
        tool_choice: str | None = None,
        schema: Mapping[str, Any] | None = None,
        timeout: Timeout | float | None = None,
        retry: Retry | None = None,
        fallback: Fallback = (),
        allow_cross_provider: bool = False,
        cache: Cache | None = None,
        cache_sampled: bool = False,
        on_unsupported: str = "error",
        base_url: str | None = None,
        api_key: str | None = None,
        api_version: str | None = None,
        extra: Mapping[str, Any] | None = None,
        keep_text: bool = True,
        trace: str | os.PathLike[str] | None = None,
    ) -> Stream:
        """Return the answer as it comes; see the function ``stream``.

        With ``whole`` nobody sees a delta before the last has come, so that all of it may be tried again.
        """
        if on_unsupported not in UNSUPPORTED:
            raise ConfigError(f"on_unsupported={on_unsupported!r}", hint=", ".join(UNSUPPORTED))
        call = Call(
            messages_of(prompt), model or "", max_tokens, temperature, top_p,
            (stop,) if isinstance(stop, str) else tuple(stop or ()), seed, tuple(tools), tool_choice, schema,
            extra=extra or {},
        )  # fmt: skip
        chain = [self._asked(call, provider, base_url=base_url, api_key=api_key, api_version=api_version)]
        for one in fallback:
            name, other = (one, "") if isinstance(one, str) else one
            chain.append(self._asked(replace(call, model=other), name))
        deadline = Deadline(Timeout.of(timeout), self.clock)
        tracer = Tracer(clock=self.clock.now)
        winner = _Winner(chain[0])

        def opened(asked: _Asked) -> Callable[[], Iterator[Delta]]:
            return lambda: self._answer(asked, deadline, tracer, cache, cache_sampled, on_unsupported, winner)

        routes = [Route(a.spec.name, a.call.model, opened(a), a.spec.base_url, a.spec) for a in chain]
        policy = Policy(
            deadline.remaining, self.clock.sleep, self.chance, retry or Retry(), self._budget, self._breakers,
            allow_cross_provider,
        )  # fmt: skip
        routing.check_chain(routes, allow_cross_provider)

        def deltas(answer: Assembler) -> Iterator[Delta]:
            for delta in routing.stream(routes, policy, partial=answer.completion, whole=whole):
                tracer.delta(delta)
                yield delta

        def end(completion: Completion) -> Completion:
            spec = winner.asked.spec
            found = completion.with_(provider=spec.name, model=completion.model or winner.asked.call.model)
            prices = shipped() if self.prices is None else self.prices
            cost = 0 if spec.wire == LOCAL else prices.cost(found.usage, found.provider, found.model)
            found = found.with_(cost=0 if winner.cached else cost, attempts=max(1, winner.attempts))
            told = tracer.done(found)
            if trace is not None:
                told.append(trace)
            if cache is not None and winner.key and not winner.cached:
                cache.put(winner.key, found)
            return found.with_(trace=told)

        return Stream(deltas, Assembler(chain[0].spec.name, call.model, keep_text), end, winner.stop)

    def _asked(self, call: Call, provider: str, **given: str | None) -> _Asked:
        spec = resolve(provider, call.model, environ=self.environ, **given)
        if not call.model and spec.wire != LOCAL:
            raise ConfigError(f"{spec.name}: which model?", hint='model="...", as its documentation names it')
        return _Asked(spec, call)

    def _answer(
        self,
        asked: _Asked,
        deadline: Deadline,
        tracer: Tracer,
        cache: Cache | None,
        cache_sampled: bool,
        on_unsupported: str,
        winner: _Winner,
    ) -> Iterator[Delta]:
        """Ask once: yield the deltas of the reply, or raise the one error that it means."""
        winner.begin(asked)
        spec, call = asked.spec, asked.call
        if spec.wire == LOCAL:
            with tracer.attempt(spec.name, call.model):
                for delta in self._local(call.model).deltas(call):
                    winner.go_on()
                    yield delta
            return
        adapter = import_module(f".providers.{spec.wire}", __package__)
        request = _built(adapter, call, spec, on_unsupported)
        if cache is not None and (cache_sampled or not sampled(request.body)):
            winner.key = key_of(request, spec.wire, api_version=spec.api_version)
            kept = cache.get(winner.key)
            if kept is not None:
                winner.cached = True
                yield from replayed(kept)
                return
        with tracer.attempt(spec.name, call.model) as attempt:
            within = Deadline(replace(deadline.timeout, total=_left(deadline)), self.clock, content=True)
            winner.wait_by(within)
            yield from self._reply(adapter.Decoder(), request, asked, within, tracer, attempt)

    def _reply(
        self, decoder: Any, request: HttpRequest, asked: _Asked, deadline: Deadline, tracer: Tracer, attempt: Attempt
    ) -> Iterator[Delta]:
        tracer.sent(len(request.body))
        with self.transport.send(request, deadline) as response:
            attempt.status = response.status
            _noted(attempt, deadline.marks)
            if not 200 <= response.status < 300:
                body = response.read(LARGEST_ERROR)
                raise _refused(response, body, asked)
            try:
                for chunk in response.chunks:
                    tracer.received(len(chunk))
                    for delta in decoder.feed(chunk):
                        if isinstance(delta, routing.SHOWN):
                            deadline.token()
                        yield delta
                    if decoder.finished:
                        deadline.at_most(LATE)
            except routing.AFTER_THE_END:  # all was said: only a record of usage may be lost
                if not decoder.finished:
                    raise
            yield from decoder.close()

    def _local(self, model: str) -> Any:
        """Return the model at a path, or the one that "local" means now; one that was saved anew is read anew."""
        from .local import Local, find_model, saved_at

        path = Path(model) if model else find_model(os.environ if self.environ is None else self.environ)
        when = saved_at(path)
        if path not in self._models or self._models[path][0] != when:
            self._models[path] = when, Local(path)
        return self._models[path][1]

    def embed(
        self,
        texts: Sequence[str],
        provider: str = "auto",
        model: str | None = None,
        *,
        dimensions: int | None = None,
        timeout: Timeout | float | None = None,
        retry: Retry | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        api_version: str | None = None,
    ) -> Embeddings:
        """Return a vector of each text; see the function ``embed``."""
        if isinstance(texts, str):
            raise ConfigError("embed: got one string where it takes several", hint="put it into a list: [text]")
        asked = self._asked(
            Call((), model or ""), provider, base_url=base_url, api_key=api_key, api_version=api_version
        )
        spec = asked.spec
        adapter = None if spec.wire == LOCAL else import_module(f".providers.{spec.wire}", __package__)
        if adapter is None or not hasattr(adapter, "build_embed"):
            raise UnsupportedParamError(f"{spec.name} makes no vectors", "another provider", provider=spec.name)
        request = adapter.build_embed(list(texts), asked.call.model, spec, dimensions)
        deadline = Deadline(Timeout.of(timeout), self.clock)

        def once_asked() -> Embeddings:
            attempt = Deadline(replace(deadline.timeout, total=_left(deadline)), self.clock)
            with self.transport.send(request, attempt) as response:
                body = response.read()
                if not 200 <= response.status < 300:
                    raise _refused(response, body, asked)
            found = adapter.decode_embed(body)
            if isinstance(found, ErrorDelta):
                raise routing.classify_delta(found, spec, model=asked.call.model)
            return found

        policy = Policy(
            deadline.remaining, self.clock.sleep, self.chance, retry or Retry(), self._budget, self._breakers
        )
        found = routing.call([Route(spec.name, asked.call.model, once_asked, spec.base_url, spec)], policy)
        return replace(found, provider=spec.name, model=found.model or asked.call.model)


class _Winner:
    """Who is being asked, and so, in the end, who answered."""

    def __init__(self, asked: _Asked) -> None:
        self.asked, self.attempts, self.key, self.cached = asked, 0, "", False
        self._deadline: Deadline | None = None
        self._stopped = False

    def stop(self) -> None:
        """End it, from any thread: what is waited for comes back with a CanceledError."""
        self._stopped = True
        if self._deadline is not None:
            self._deadline.cancel()

    def wait_by(self, deadline: Deadline) -> None:
        """Take note of the deadline that waits ask from here on."""
        self._deadline = deadline
        self.go_on()

    def go_on(self) -> None:
        """Return unless it was stopped.

        Raises:
            CanceledError: it was.
        """
        if self._stopped:
            raise CanceledError("the answer is not wanted anymore", provider=self.asked.spec.name)

    def begin(self, asked: _Asked) -> None:
        """Take note of a new attempt."""
        self.asked, self.key, self.cached = asked, "", False
        self.attempts += 1


def _built(adapter: Any, call: Call, spec: Spec, on_unsupported: str) -> HttpRequest:
    """Build the request; a parameter that this model does not take is an error, or left out."""
    while True:
        try:
            return adapter.build_request(call, spec)
        except UnsupportedParamError as error:
            name = error.reason or ""
            nothing: Any = () if name in ("stop", "tools") else None
            if on_unsupported == "error" or name not in PARAMETERS or getattr(call, name) == nothing:
                raise
            if on_unsupported == "warn":
                warn(f"left out: {error.message}", stacklevel=2)
            call = replace(call, **{name: nothing})


def _refused(response: Response, body: bytes, asked: _Asked) -> ProviderError:
    """Return the one error that a refusal means; the time of day is for a Retry-After that is a date."""
    return classify(response.status, response.headers, body, asked.spec, model=asked.call.model, now=time.time())


def _left(deadline: Deadline) -> float | None:
    """Return what is left of the total, as a limit: a time that is over leaves a moment in which to say so."""
    return None if deadline.timeout.total is None else max(1e-3, deadline.remaining())


def _noted(attempt: Attempt, marks: Mapping[str, float]) -> None:
    """Take over how long each step on the way to the answer's head took."""
    before = 0.0
    for mark, name in (("dns", "dns"), ("connect", "connect"), ("tls", "tls"), ("sent", "send")):
        if mark in marks:
            setattr(attempt, name, marks[mark] - before)
            before = marks[mark]


@once
def default() -> Client:
    """Return the client of this process."""
    return Client()


def complete(prompt: Prompt, provider: str = "auto", model: str | None = None, **settings: Any) -> Completion:
    """Ask a model, and return its whole answer; ``str`` of it is the text.

    Arguments and errors are those of ``stream``.
    """
    return default().complete(prompt, provider, model, **settings)


def stream(prompt: Prompt, provider: str = "auto", model: str | None = None, **settings: Any) -> Stream:
    """Ask a model, and return its answer as it comes.

    Args:
        prompt: a text, or messages.
        provider: a name; "auto" is the one whose key is set, and else the GPT that you trained.
        model: as the provider names it; for "local" a path, by default the run that was saved last.
        settings: max_tokens, temperature, top_p, stop, seed; tools, tool_choice; schema, which the answer follows;
            timeout (seconds in all, or a Timeout); retry (a Retry); fallback (providers to ask instead, or pairs of
            provider and model) and allow_cross_provider; cache, and cache_sampled for answers
            that would be others each time; on_unsupported ("error", "drop" or "warn");
            base_url, api_key, api_version instead of the usual ones; extra, further fields of the request;
            keep_text, whether the text is kept for ``result``; trace, a file to which a line is added.

    Raises:
        ConfigError: an unknown provider, or no model.
        AuthError: no key.
        ProviderError: what went wrong, when the answer is read.
    """
    return default().stream(prompt, provider, model, **settings)


def embed(texts: Sequence[str], provider: str = "auto", model: str | None = None, **settings: Any) -> Embeddings:
    """Return a vector of each text.

    Args:
        texts: several.
        provider, model: as for ``stream``.
        settings: dimensions; timeout, retry, base_url, api_key, api_version as for ``stream``.

    Raises:
        UnsupportedParamError: this provider makes no vectors.
        ProviderError: as ``stream``.
    """
    return default().embed(texts, provider, model, **settings)


__all__ = ["Client", "complete", "default", "embed", "stream"]

"""Pick a model for a purpose from the dated rows and the providers at hand, and say why it, and why not the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError, TinyLLMError, nearest
from .registry import LOCAL, find, is_here, resolve
from .tables import table
from .types import Usage

Cost = Callable[[Usage, str, str], int | None]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The pick: who, the cost of a typical call in micro-dollars (None: unknown), why, and why not the others."""

    provider: str
    model: str
    cost: int | None
    why: str
    passed: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        lines = (f"  not {name}: {why}" for name, why in self.passed)
        return "\n".join([f"{self.provider}/{self.model}: {self.why}", *lines])


def use_cases() -> tuple[str, ...]:
    """Return what a model can be chosen for.

    Example:
        >>> use_cases()
        ('chat', 'reasoning', 'summarization', 'speed', 'embeddings')
    """
    return tuple(table("models")["uses"])


def choose_model(
    use_case: str,
    budget: int | None = None,
    local_only: bool = False,
    *,
    environ: Mapping[str, str] | None = None,
    cost: Cost | None = None,
) -> Chosen:
    """Return a model for a purpose, among the providers whose key is set, and the local GPT.

    The best rank wins, then the cheaper one, then the order of the file. A rank is what its maker recommends it for,
    not a measurement.

    Args:
        use_case: one of `use_cases`.
        budget: micro-dollars that a typical call of this kind may cost; a model of unknown price does not fit in any.
        local_only: whether the text has to stay on this machine.
        environ: the environment; None: the process's.
        cost: micro-dollars of a usage, a provider and a model; None: those of the shipped price table.

    Raises:
        ConfigError: an unknown use case, a budget that is none, or nothing at hand that fits, with all the reasons.

    Example:
        >>> picked = choose_model("speed", environ={"OPENAI_API_KEY": "k"}, cost=lambda usage, provider, model: 150)
        >>> picked.provider, picked.model, picked.cost
        ('openai', 'gpt-6-luna', 150)
        >>> choose_model("chat", local_only=True, environ={}, cost=lambda *_: 0).provider
        'local'
    """
    uses = table("models")["uses"]
    if use_case not in uses:
        close = nearest(use_case, uses)
        raise ConfigError(
            f'choose_model: no use case "{use_case[:40]}"', hint=f'"{close}"' if close else f"one of {', '.join(uses)}"
        )
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 0):
        raise ConfigError("choose_model: budget is a whole number of micro-dollars, at least 0")
    environ = os.environ if environ is None else environ
    typical = Usage(input=uses[use_case]["read"], output=uses[use_case]["written"])
    cost = cost or _shipped
    fitting: list[tuple[int, bool, int, int, Mapping[str, Any]]] = []
    passed: list[tuple[str, str]] = []
    for place, row in enumerate(table("models")["models"]):
        if use_case not in row["uses"]:
            continue
        price = cost(typical, row["provider"], row["model"])
        why_not = _unfit(row, price, budget, local_only, environ)
        if why_not:
            passed.append((f"{row['provider']}/{row['model']}", why_not))
        else:
            fitting.append((row["uses"][use_case], price is None, price or 0, place, row))
    if not fitting:
        reasons = "; ".join(f"{name}: {why}" for name, why in passed)
        raise ConfigError(f"choose_model: nothing at hand for {use_case}: {reasons}", hint=_hint(use_case, local_only))
    (rank, unknown, price, _, best), *others = sorted(fitting, key=lambda one: one[:4])
    passed = [
        (f"{row['provider']}/{row['model']}", _behind(rank, price, other_rank, other_unknown, other_price))
        for other_rank, other_unknown, other_price, _, row in others
    ] + passed
    typical_words = f"a call of {typical.input:,} tokens read and {typical.output:,} written"
    words = [
        f"rank {rank} for {use_case}, of {len(fitting)} that fit",
        f"{typical_words}: {'unknown price' if unknown else f'{price:,} micro-dollars'}",
        f"row of {best['checked_on'] or 'no known day'}",
        *([best["note"]] if "note" in best else []),
    ]
    return Chosen(best["provider"], best["model"], None if unknown else price, "; ".join(words), tuple(passed))


def _unfit(
    row: Mapping[str, Any], price: int | None, budget: int | None, local_only: bool, environ: Mapping[str, str]
) -> str:
    """Say why a row cannot be taken; "" if it can."""
    provider = find(row["provider"])
    if row["provider"] != LOCAL and not any(environ.get(name, "").strip() for name in provider.auto):
        return f"{' and '.join(provider.auto)} not set"
    try:
        spec = resolve(row["provider"], row["model"], environ=environ)
    except TinyLLMError as error:
        return error.message
    if local_only and not is_here(spec.base_url):
        return "not on this machine"
    if budget is not None and price is None:
        return "its price is unknown, and there is a budget"
    if budget is not None and price is not None and price > budget:
        return f"{price:,} micro-dollars a call, and the budget is {budget:,}"
    return ""


def _behind(rank: int, price: int, other_rank: int, other_unknown: bool, other_price: int) -> str:
    if other_rank != rank:
        return f"rank {other_rank}"
    if other_unknown:
        return "as good, and its price is unknown"
    return (
        f"as good, at {other_price:,} micro-dollars" if other_price != price else "as good, and further down the file"
    )


def _hint(use_case: str, local_only: bool) -> str:
    if local_only:
        return "start Ollama and set OLLAMA_HOST" + ("" if use_case != "embeddings" else ", or use tinyllm's MiniLM")
    return "set a provider's key, or a larger budget"


def _shipped(usage: Usage, provider: str, model: str) -> int | None:
    from .cost import shipped

    return shipped().cost(usage, provider, model)

"""The seventh stop: what the model has made of the text so far need not be made again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .stop import Stop, Tour

_REPEATS = 7
_SECONDS = 0.6  # for each figure, at most


@dataclass(frozen=True)
class Cost:
    """What one more token costs after T tokens, in seconds.

    Attributes:
        T: how many tokens there are.
        again: where all of them go through the model again.
        cached: where their keys and values are kept.
    """

    T: int
    again: float
    cached: float


def visit(tour: Tour) -> None:
    """Measure a token after texts of several lengths, with the cache and without, and compare the logits."""
    from ...models import GPT, GPTConfig

    config = tour.need_run().model.config
    longest = 8 * config.block_size
    model = GPT(GPTConfig.from_dict({**config.to_dict(), "block_size": longest}), np.random.default_rng(0)).eval()
    costs, error = measured(model, [longest // 8, longest // 4, longest // 2, longest - 1])
    tour.screen.line(f"    {'tokens so far':<16}{'all again':>12}{'with cache':>12}{'faster':>10}", style="bold")
    for cost in costs:
        times = f"{1000 * cost.again:>9.2f} ms{1000 * cost.cached:>9.2f} ms"
        tour.screen.line(f"    {cost.T:<16}{times}{cost.again / cost.cached:>9.1f}x")
    tour.screen.line()
    tour.screen.paragraph(
        f"Time for one more token, by a model of this run's sizes with room for {longest} tokens (medians; weights "
        "that have learned nothing take as long). All again: every token so far goes through every layer, for a single "
        "new one. With the cache its keys and values are there already. The logits are the same: they differ by "
        f"{error:.0e} at most."
    )


def measured(model: Any, lengths: list[int]) -> tuple[list[Cost], float]:
    """Return the costs after texts of these lengths, and the largest difference between the logits of the two ways."""
    from ...autograd import no_grad
    from ...generate import Decoder

    ids = np.random.default_rng(0).integers(0, model.config.vocab_size, (1, max(lengths) + 1))
    decoder = Decoder(model)
    costs, errors = [], []
    for T in lengths:
        decoder.reset()
        decoder.prefill(ids[:, :T])

        def again(T: int = T) -> Any:
            with no_grad():
                return model(ids[:, : T + 1]).data[:, -1]

        def cached(T: int = T) -> Any:
            decoder.cache.truncate(T)
            return decoder.step(ids[:, T])

        errors.append(float(np.abs(again() - cached()).max()))  # and both are warm now
        costs.append(Cost(T, _median(again), _median(cached)))
    return costs, max(errors)


def _median(work: Callable[[], Any]) -> float:
    """Return the median time of a piece of work, of as many as fit into a moment."""
    times: list[float] = []
    while len(times) < _REPEATS or (sum(times) < _SECONDS / 10 and len(times) < 50):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
        if sum(times) > _SECONDS:
            break
    return float(np.median(times))


STOP = Stop(
    "cache",
    "What is remembered need not be read again",
    "A text is written token by token, and of all that the model computes only the last token's part is new.",
    visit,
)

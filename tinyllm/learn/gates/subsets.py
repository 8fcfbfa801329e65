"""R8: whatever somebody has solved, in whatever order, the stack runs, and on the right answers it runs as without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import kernels
from ...errors import TinyLLMError
from ..exercise import Exercise, Lesson
from ..exercises import exercises
from ..slots.slot import Slot
from ..slots.swap import swap

SUBSETS = 20


def r8_subsets(lesson: Lesson, work: Callable[[], list[Any]] | None = None, count: int = SUBSETS) -> list[str]:
    """Return what goes wrong when only this lesson is solved, or any of 20 random subsets of the course.

    A tiny model is trained for two steps with copies of the library's own functions in the slots: its losses and
    weights have to be those of the library, to the bit.

    Args:
        lesson: its exercises alone are one of the subsets.
        work: what is to be the same; by default those two steps.
        count: how many subsets are drawn.
    """
    work = work or two_steps
    complaints = []
    rng = np.random.default_rng([8, int(lesson.number)])
    everything = list(exercises())
    chosen = [list(lesson.exercises)]
    for _ in range(count):
        size = int(rng.integers(1, len(everything) + 1)) if everything else 0
        chosen.append([everything[i] for i in sorted(rng.permutation(len(everything))[:size])])
    with kernels.use("numpy"):
        expected = work()
        for subset in chosen:
            found = _run(subset, work)
            if found != expected:
                ids = " ".join(exercise.id for exercise in subset)
                words = found if isinstance(found, str) else "another result than without"
                complaints.append(f"with {ids} in the slots: {words}")
    return complaints


def _run(subset: list[Exercise], work: Callable[[], list[Any]]) -> Any:
    try:
        with swap({exercise: Slot.of(exercise.slot).copy() for exercise in subset}):
            return work()
    except TinyLLMError as error:
        return f"it stops: {error}"


def two_steps() -> list[Any]:
    """Train a tiny model for two steps; return its losses and its weights, as bytes."""
    from ...models import GPT, GPTConfig
    from ...nn.optim import AdamW

    rng = np.random.default_rng(8)
    model = GPT(GPTConfig(vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8), rng)
    optimizer = AdamW(model.parameters(), lr=1e-2)
    ids = rng.integers(0, 11, (2, 9))
    found: list[Any] = []
    for _ in range(2):
        loss = model.loss(ids[:, :-1], ids[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.data.tobytes())
    return found + [p.data.tobytes() for p in model.parameters()]

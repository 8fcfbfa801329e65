"""The third stop: every parameter of the GPT has its gradient checked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from .stop import Stop, Tour

_TOKENS = 12
_DIRECTIONS = 3
_TOLERANCE = 1e-9


def visit(tour: Tour) -> None:
    """Hold the gradient of each parameter, in float64, against slopes measured along random directions."""
    from ...models import GPT
    from ...viz import GradientErrors, draw_gradient_check

    run = tour.need_run()
    model = GPT(run.model.config, np.random.default_rng(0))
    model.load_state_dict(run.model.state_dict())
    model.astype(np.float64).eval()
    ids = np.asarray(run.val_tokens[: _TOKENS + 1], dtype=np.int64)[None]  # (1, T + 1)
    numbers = model.count_parameters()
    began = time.perf_counter()
    names, errors = zip(*_errors(model, ids[:, :-1], ids[:, 1:], np.random.default_rng(run.config.seed)), strict=True)
    seconds = time.perf_counter() - began
    data = GradientErrors(
        names,
        errors,
        _TOLERANCE,
        title="Every gradient of the model, checked",
        subtitle=f"the GPT of this run, {numbers:,} numbers, float64, complex step along random directions",
    )
    verdict = f"{len(data.wrong())} DO NOT AGREE: {', '.join(data.wrong())}" if data.wrong() else "all agree"
    tour.screen.paragraph(
        f"{len(names)} parameters with {numbers:,} numbers, {_DIRECTIONS} directions each, float64: {verdict}. "
        f"Largest relative error {max(errors):.0e}, tolerance {_TOLERANCE:.0e} ({seconds:.1f} s)."
    )
    tour.screen.line(f"    picture: {tour.keep(draw_gradient_check(data), 'gradients.png')}")


def _errors(model: Any, idx: Any, targets: Any, rng: np.random.Generator) -> Iterator[tuple[str, float]]:
    """Yield each parameter's name and the largest relative error of its gradient.

    The slope of the loss along a direction u is measured by the complex step: Im loss(p + i h u) / h with h = 1e-20,
    where nothing is subtracted, so nothing cancels. The gradient g promises that it is the inner product of g and u.
    """
    from ...autograd import no_grad
    from ...autograd.numeric import complex_step

    model.zero_grad()
    model.loss(idx, targets).backward()
    for name, p in model.named_parameters():
        kept, grad = p.data, p.grad

        def loss(x: Any, p: Any = p) -> Any:
            p.data = x
            return model.loss(idx, targets).data

        directions = [u / np.sqrt((u**2).sum()) for u in rng.normal(size=(_DIRECTIONS, *p.shape))]
        try:
            with no_grad():  # complex numbers go through the NumPy references of the kernels
                measured = np.array([complex_step(loss, kept, u) for u in directions])
        finally:
            p.data = kept
        promised = np.array([(grad * u).sum() for u in directions])
        yield name, float(np.abs(promised - measured).max() / max(np.abs(measured).max(), 1e-300))


STOP = Stop(
    "check",
    "Its gradients are right",
    "The whole model is one function: move a parameter a little in a random direction, and the loss must change as the "
    "gradient says.",
    visit,
)

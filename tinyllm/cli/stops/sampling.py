"""The sixth stop: one model, three temperatures."""

from __future__ import annotations

import numpy as np

from .stop import Stop, Tour

TEMPERATURES = (0.3, 0.8, 1.5)
PROMPT = "The "  # without one the likeliest beginning of this text is an empty line, and then another


def visit(tour: Tour) -> None:
    """Let the model write at each temperature, and say among how many characters it chooses there."""
    from ...generate import generate

    run = tour.need_run()
    for temperature, choices in zip(TEMPERATURES, choices_at(tour), strict=True):
        tour.screen.line(f"temperature {temperature}: as if among {choices:.1f} equally likely", style="bold")
        done = generate(run.model, PROMPT, run.tokenizer, run.config.sample_tokens, temperature, seed=0)
        tour.screen.paragraph(PROMPT + (done.text or "").rstrip(), indent="    ")
    tour.screen.line()
    tour.screen.paragraph(
        "The logits are divided by the temperature before they become probabilities: below 1 the likely gets likelier, "
        "and the text tame; above 1 the unlikely comes more often, and the text wild. At 0 nothing is left to chance."
    )


def choices_at(tour: Tour) -> list[float]:
    """Return for each temperature e to the mean entropy of the next token, on the same piece of validation text."""
    from ...autograd import no_grad
    from ...generate import Sampling, entropy

    run = tour.need_run()
    ids = np.asarray(run.val_tokens[: run.config.block_size], dtype=np.int64)[None]  # (1, T)
    with no_grad():
        logits = run.model.eval()(ids).data[0]  # (T, V)
    settings = [Sampling(temperature=temperature) for temperature in TEMPERATURES]
    return [float(np.exp(np.mean([entropy(setting.probabilities(row)) for row in logits]))) for setting in settings]


STOP = Stop(
    "sampling",
    "Three temperatures",
    "The model says how likely every character is; how much is left to chance is up to whoever draws.",
    visit,
    needs=("learn",),
)

r"""Is the loss of an untrained model ln V? That is the loss of one that holds every token for equally likely.

Whoever knows nothing gives each of V tokens the probability 1 / V, and loses -ln (1 / V) = ln V. A loss far above it
means that the model is sure of something it cannot know: its logits are not flat, and the first hundreds of steps go
into making them so.

Source: Karpathy 2019, "A Recipe for Training Neural Networks": verify loss at init.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import kernels
from ..autograd import no_grad
from ..models import GPT
from .finding import Finding
from .trial import copy_of, refuse_bad_batch

_FLAT = 1.0  # standard deviation of logits: at 1 the loss is about ln V + 1/2


@dataclass(frozen=True)
class Start:
    """What a model says before it has learned.

    Attributes:
        loss: mean over the batch, in nats per token.
        expected: ln V.
        spread: standard deviation of a position's logits over the vocabulary, the mean over positions.
        entropy: of the predictions, in nats; ln V when they are flat.
        top: the largest probability of a token, the mean over positions.
    """

    loss: float
    expected: float
    spread: float
    entropy: float
    top: float

    @property
    def flat(self) -> bool:
        """Are the logits nearly the same for all tokens?"""
        return self.spread < _FLAT

    def findings(self) -> tuple[Finding, ...]:
        """Say what this means."""
        usual = f"ln V = {self.expected:.2f} with flat logits (a spread below {_FLAT:g}) before the first step"
        seen = f"the loss is {self.loss:.2f}, logits have a spread of {self.spread:.2g}"
        if not math.isfinite(self.loss):
            return (Finding("start", "fix", f"the loss is {self.loss}", usual, "tl.detect_anomaly() names the op"),)
        if self.loss > self.expected + max(0.5, 0.1 * self.expected):
            sure = f"{seen}: the model is sure of tokens it cannot know (probability {self.top:.2f} for its favorite)"
            return (Finding("start", "fix", sure, usual, "smaller initial weights: normal with 0.02, as in GPT-2"),)
        if self.loss < self.expected - max(0.2, 0.05 * self.expected):
            return (Finding("start", "ok", f"{seen}: it has learned already", usual),)
        if not self.flat:
            return (Finding("start", "note", f"{seen}: not flat", usual, "smaller initial weights of the head"),)
        return (Finding("start", "ok", seen, usual),)


def start_of(model: GPT, x: Any, y: Any) -> Start:
    """Measure the loss and how flat the logits are on a batch x, y (B, T), without dropout.

    Args:
        model: as it was before any training; it stays as it is.
        x, y: token ids and the ones that come next.

    Raises:
        ShapeError, DataError: the batch cannot be used.

    Example:
        >>> from tinyllm.models import GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=4, n_layer=1, n_head=1, n_embd=6)
        >>> start = start_of(GPT(config, np.random.default_rng(0)), [[1, 2, 3]], [[2, 3, 4]])
        >>> round(start.expected, 3), start.flat
        (2.398, True)
    """
    x, y = refuse_bad_batch("start_of", model, x, y)
    trial = copy_of(model).eval()
    with no_grad(), np.errstate(all="ignore"):
        logits = trial(x).data.astype(np.float64)  # (B, T, V)
        loss = float(trial.loss(x, y).item())
    V = logits.shape[-1]
    with kernels.use("numpy"), np.errstate(all="ignore"):
        p = kernels.softmax(logits)
        entropy = float(-(p * np.log(np.maximum(p, 1e-300))).sum(-1).mean())
        spread = float(logits.std(-1).mean())
    return Start(loss, math.log(V), spread, entropy, float(p.max(-1).mean()))

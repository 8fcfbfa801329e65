r"""Do the hidden units of the MLPs take part? A dead one is near zero whatever is read; a saturated one never bends.

A unit that is zero for every text passes no gradient on either, so it stays dead. One whose input is large and
positive for every text passes it on as it is: a GELU that is a straight line, and might as well not be there.
Heads that look at one place only are looked at elsewhere (the attention maps).

Source: Maas, Hannun & Ng 2013 (dead units of rectifiers); Karpathy 2022, "Building makemore, part 3" (saturation layer
by layer).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..models import GPT
from .finding import Finding
from .trial import copy_of, refuse_bad_batch
from .watch import watch_hidden

Array = np.ndarray[Any, Any]
EPS = 1e-6  # |activation| below which a unit is silent: GELU(-5.3), and far below what a healthy unit shows
STRAIGHT = 4.0  # GELU(4) and SiLU(4) are 4 to within 0.02 and 2 %
_MANY = 0.1  # share of a layer


@dataclass(frozen=True)
class LayerUnits:
    """The hidden units of one MLP.

    Attributes:
        layer: its name.
        units: F, how many there are.
        dead: which were silent at every position.
        saturated: which were on the straight part of their bend at every position.
        active: share of all activations that were not silent.
        rms: root mean square of the activations.
    """

    layer: str
    units: int
    dead: tuple[int, ...]
    saturated: tuple[int, ...]
    active: float
    rms: float


@dataclass(frozen=True)
class DeadUnits:
    """The hidden units of all MLPs.

    Attributes:
        layers: from the first to the last.
        positions: how many tokens they were watched on.
    """

    layers: tuple[LayerUnits, ...]
    positions: int

    @property
    def units(self) -> int:
        """How many units there are."""
        return sum(layer.units for layer in self.layers)

    def findings(self) -> tuple[Finding, ...]:
        """Say what this means."""
        usual = "hardly any unit is silent or straight at every position of a few hundred tokens"
        if not self.layers:
            return (Finding("units", "ok", "there is no MLP to look at", usual),)
        for kind, what in (("dead", "dead (silent at every position)"), ("saturated", "saturated (never bend)")):
            counts = [(len(getattr(layer, kind)) / layer.units, layer) for layer in self.layers]
            share, worst = max(counts, key=lambda pair: pair[0])
            if share > _MANY:
                others = sum(s > _MANY for s, _ in counts) - 1
                seen = f"{share:.0%} of the {worst.units} hidden units of {worst.layer} are {what}"
                seen += f", and so it is in {others} other layers" if others else ""
                advice = "a lower learning rate, smaller initial weights, and a look at that layer's biases"
                return (Finding("units", "fix" if share > 0.5 else "note", seen, usual, advice),)
        dead = sum(len(layer.dead) for layer in self.layers)
        straight = sum(len(layer.saturated) for layer in self.layers)
        seen = f"{dead} of {self.units} hidden units are dead and {straight} saturated on {self.positions} tokens"
        return (Finding("units", "ok", seen, usual),)


def dead_units(model: GPT, x: Any, eps: float = EPS) -> DeadUnits:
    """Watch the hidden units of every MLP while a copy reads x (B, T).

    Args:
        model: stays as it is.
        x: token ids; the more, the surer: a unit may wait for something rare.
        eps: below this size an activation is silent.

    Raises:
        ShapeError, DataError: the batch cannot be used.

    Example:
        >>> from tinyllm.models import GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=4, n_layer=2, n_head=1, n_embd=6)
        >>> model = GPT(config, np.random.default_rng(0))
        >>> model.blocks[1].mlp.up.bias.data[:3] = -100
        >>> [layer.dead for layer in dead_units(model, [[1, 2, 3, 4]]).layers]
        [(), (0, 1, 2)]
    """
    x, _ = refuse_bad_batch("dead_units", model, x)
    trial = copy_of(model).eval()
    watched = watch_hidden(trial)
    with no_grad(), np.errstate(all="ignore"):
        trial.hidden(x)
    layers = []
    for name, bent, down in watched:
        if bent.out is None or down.into is None:  # an MLP that forward passes by
            continue
        hidden = np.abs(down.into.data.reshape(-1, down.into.shape[-1]))  # (N, F)
        silent = hidden <= eps
        straight = (bent.out.data.reshape(hidden.shape) > STRAIGHT).all(0)
        layers.append(
            LayerUnits(
                name,
                hidden.shape[1],
                tuple(int(i) for i in np.nonzero(silent.all(0))[0]),
                tuple(int(i) for i in np.nonzero(straight)[0]),
                float(1 - silent.mean()),
                float(np.sqrt(np.mean(np.square(hidden, dtype=np.float64)))),
            )
        )
    return DeadUnits(tuple(layers), int(x.size))

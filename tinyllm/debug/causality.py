r"""Who can see whom? A later token must not change an earlier logit, and no row of a batch may change another.

Change one token and look at what else changes. This finds a mask that is missing or off by one, a norm over the wrong
axis, a reshape where a transpose belongs, and whatever else mixes what should be apart: all of them models that learn
wonderfully, on knowledge they will not have when they write.

Source: Karpathy 2019, "A Recipe for Training Neural Networks": use backprop to chart dependencies. Here by
perturbation: it needs no gradient and sees through code that has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..models import GPT
from .finding import Finding, listed
from .trial import copy_of, refuse_bad_batch
from .watch import watch_blocks

Array = np.ndarray[Any, Any]
_LONGEST = 32  # positions that are looked at
_PROBES = 8  # of which so many are changed
_NOISE = 1e-5  # of the change where it belongs: rounding is below, a leak above


@dataclass(frozen=True)
class Influence:
    """What a change of one token changed.

    Attributes:
        probed: the positions that were changed.
        leaks: those of them that changed logits of earlier positions.
        leak_layer: where that is first seen: "embed", "blocks.1", ..., "logits"; "" for nowhere.
        leak: the largest such change, as a share of the change at the position itself.
        unseen: positions whose change no later logit noticed.
        row_layer: where a change of another row is first seen in this one; "" for nowhere.
        row_leak: the largest such change, as a share of the change in the other row itself.
        moved: was there any change at all? If not, nothing was learned about the model.
    """

    probed: tuple[int, ...]
    leaks: tuple[int, ...]
    leak_layer: str
    leak: float
    unseen: tuple[int, ...]
    row_layer: str
    row_leak: float
    moved: bool

    def findings(self) -> tuple[Finding, ...]:
        """Say what this means: of the future, and of the other rows."""
        return self._future(), self._rows()

    def _future(self) -> Finding:
        usual = "a token changes its own logits and later ones, never earlier ones"
        if not self.moved:
            seen = "no token that was changed changed any logit"
            return Finding("future", "fix", seen, usual, "see that idx reaches the embedding")
        if self.leaks:
            seen = (
                f"changing the token at {_positions(self.leaks)} changes earlier logits, first seen in "
                f"{self.leak_layer} (by {self.leak:.1%} of its own change)"
            )
            advice = f"the causal mask of {self.leak_layer}: keys s <= t only, before the softmax"
            return Finding("future", "fix", seen, usual, advice)
        if self.unseen and len(self.unseen) == len(self.probed) - 1:
            seen = "no later position notices that a token has changed: the model does not look back"
            return Finding("future", "note", seen, usual, "see that attention is added to the residual stream")
        seen = f"{len(self.probed)} tokens were changed one by one; no earlier logit moved"
        return Finding("future", "ok", seen, usual)

    def _rows(self) -> Finding:
        usual = "the rows of a batch know nothing of each other"
        if self.row_layer:
            seen = (
                f"changing one row changes the logits of another, first seen in {self.row_layer} "
                f"(by {self.row_leak:.1%} of its own change)"
            )
            advice = f"the axes of {self.row_layer}: a mean, norm or reshape that reaches over B"
            return Finding("rows", "fix", seen, usual, advice)
        return Finding("rows", "ok", "changing one row left the others as they were", usual)


def influence(model: GPT, x: Any) -> Influence:
    """Change tokens one at a time, then a whole row, and see what else changes.

    Args:
        model: stays as it is; dropout is off.
        x: token ids (B, T), of which the first row is used, up to 32 tokens of it.

    Raises:
        ShapeError: x is not (B, T), or has fewer than two tokens in a row.
        DataError: ids that the model does not have.

    Example:
        >>> from tinyllm.models import GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=4, n_layer=2, n_head=1, n_embd=6)
        >>> model = GPT(config, np.random.default_rng(0))
        >>> influence(model, [[1, 2, 3]]).leaks
        ()
        >>> model.blocks[1].attn.causal = False
        >>> found = influence(model, [[1, 2, 3]])
        >>> found.leaks, found.leak_layer
        ((1, 2), 'blocks.1')
    """
    x, _ = refuse_bad_batch("influence", model, x)
    row = x[0, :_LONGEST]
    T = len(row)
    if T < 2:
        refuse_bad_batch("influence: one token has no past", model, x[0])
    V = model.config.vocab_size
    probes = np.unique(np.linspace(0, T - 1, min(T, _PROBES)).astype(int))
    texts = np.repeat(row[None], len(probes) + 1, axis=0)  # the first stays as it is
    for i, t in enumerate(probes, start=1):
        texts[i, t] = (texts[i, t] + 1) % V
    trial = copy_of(model).eval()
    names, stages = _stages(trial, texts)
    moves = [_largest(stage[1:] - stage[0]) for stage in stages]  # (probes, T) each
    logits = moves[-1]
    own = np.array([logits[i, t] for i, t in enumerate(probes)])
    past = np.tril(np.ones((T, T), dtype=bool), -1)[probes]  # (probes, T): positions before the one that was changed
    later = np.triu(np.ones((T, T), dtype=bool), 1)[probes]
    before = np.where(past, logits, 0.0).max(1)
    leaks = tuple(int(t) for t, change, o in zip(probes, before, own, strict=True) if change > _NOISE * max(o, 1e-30))
    after = np.where(later, logits, 0.0).max(1)
    unseen = tuple(
        int(t) for t, change, o in zip(probes, after, own, strict=True) if t < T - 1 and change <= 1e-2 * _NOISE * o
    )
    leak_layer = _first(names, [_share(np.where(past, move, 0.0), move) for move in moves]) if leaks else ""

    pair = np.stack([row, row])
    other = np.stack([row, (row + 1) % V])
    apart = [
        _largest(b - a) for a, b in zip(_stages(trial, pair)[1], _stages(trial, other)[1], strict=True)
    ]  # (2, T) each
    shares = [_share(move[0], move[1]) for move in apart]
    row_layer = _first(names, shares) if shares[-1] > _NOISE else ""
    return Influence(
        tuple(int(t) for t in probes),
        leaks,
        leak_layer,
        float((before / np.maximum(own, 1e-30)).max()) if leaks else 0.0,
        unseen,
        row_layer,
        float(shares[-1]) if row_layer else 0.0,
        bool(own.any()),
    )


def _stages(trial: GPT, idx: Array) -> tuple[list[str], list[Array]]:
    """Run a copy; return what enters its first block, what leaves each, and the logits, with their names."""
    kept = trial.blocks
    watches = watch_blocks(trial)
    try:
        with no_grad(), np.errstate(all="ignore"):
            logits = trial(idx).data
    finally:
        trial.blocks = kept
    tensors = [watches[0].into, *(watch.out for watch in watches)] if watches else []
    arrays = [tensor.data for tensor in tensors if tensor is not None]
    return ["embed", *(f"blocks.{i}" for i in range(len(watches))), "logits"][-len(arrays) - 1 :], [*arrays, logits]


def _largest(difference: Array) -> Array:
    """Return the largest change over the last axis; what is not a number counts as a change."""
    return np.nan_to_num(np.abs(difference).max(-1).astype(np.float64), nan=np.inf)


def _share(part: Array, whole: Array) -> float:
    top = float(whole.max())
    return float(part.max()) / top if 0 < top < np.inf else 0.0


def _first(names: list[str], shares: list[float]) -> str:
    return next((name for name, share in zip(names, shares, strict=True) if share > _NOISE), names[-1])


def _positions(places: tuple[int, ...]) -> str:
    return ("position " if len(places) == 1 else "positions ") + listed(places)

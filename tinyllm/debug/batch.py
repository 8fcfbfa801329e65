"""Does the batch ask what it should? At each position, for the token that comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..models import GPT
from .finding import Finding
from .trial import refuse_bad_batch

_IGNORED = -100  # a target that does not count


@dataclass(frozen=True)
class BatchFacts:
    """What a batch holds.

    Attributes:
        rows, length: B and T.
        shifted: share of the targets y[b, t] that are x[b, t + 1].
        copied: share of them that are x[b, t] itself.
        distinct: how many different ids occur.
        equal_rows: how many rows repeat an earlier one.
    """

    rows: int
    length: int
    shifted: float
    copied: float
    distinct: int
    equal_rows: int

    def findings(self) -> tuple[Finding, ...]:
        """Say what this means."""
        usual = "each target is the token after its input, and no two rows are the same"
        size = f"{self.rows} rows of {self.length} tokens, {self.distinct} different ones"
        if self.copied == 1 and self.distinct > 1:
            seen, advice = "the targets are the inputs themselves", "y = tokens[start + 1 : start + 1 + T]"
        elif self.shifted < 1:
            seen = f"{1 - self.shifted:.0%} of the targets are not the token that follows in x"
            advice = "look at one row of x and y side by side, decoded"
        elif self.distinct < 2:
            seen, advice = "the batch repeats one single token", "look at the text and at the tokenizer"
        elif self.equal_rows:
            seen, advice = f"{self.equal_rows} rows repeat others", "look at how the places of the blocks are drawn"
            return (Finding("batch", "note", seen, usual, advice),)
        else:
            return (Finding("batch", "ok", f"{size}; every target follows its input", usual),)
        return (Finding("batch", "fix", seen, usual, advice),)


def batch_facts(model: GPT, x: Any, y: Any) -> BatchFacts:
    """Look at a batch of inputs x and targets y (B, T) before any number is blamed on the model.

    Args:
        model: whose vocabulary the ids must belong to.
        x: token ids.
        y: what is to be predicted; -100 does not count.

    Raises:
        ShapeError, DataError: no batch at all, or ids that the model does not have.

    Source: Karpathy 2019, "A Recipe for Training Neural Networks": become one with the data.
    """
    x, y = refuse_bad_batch("batch_facts", model, x, y)
    counts = y != _IGNORED
    after = counts[:, :-1]
    shifted = float((y[:, :-1] == x[:, 1:])[after].mean()) if after.any() else 1.0
    copied = float((y == x)[counts].mean()) if counts.any() else 0.0
    rows = len(np.unique(np.concatenate([x, y], axis=1), axis=0))
    return BatchFacts(x.shape[0], x.shape[1], shifted, copied, len(np.unique(x)), len(x) - rows)

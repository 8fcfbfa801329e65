"""BagEncoder: every stem has a vector, and a text's is the direction of their sum.

A stem that occurs tf times counts 1 + ln tf times, as in tf-idf. Only the direction is used, so a sum and a mean are
the same encoder, with the same gradients. Order says nothing to it, which makes it fast: a text costs one row of a
table per stem, and a step of training moves only the rows of the stems in its batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from ...autograd import Tensor
from ...errors import ConfigError, ShapeError
from ...kernels.sparse import sparse_dot
from ...nn.init import normal
from ...nn.optim import Adam
from .door import unit
from .encoder import Array, Encoder, Numbers
from .lsa import LSA

PIECE = np.dtype([("stem", np.int64), ("weight", np.float32)])  # a stem of a text, and how much it counts


class BagEncoder(Encoder):
    """The direction of the sum of the stems' vectors.

    Args:
        dim: how many numbers a vector has.
        words: a preset of ``rag.words``.
        seed: of the first vectors.

    Raises:
        ConfigError: a dim below 1, or another preset.

    Example:
        >>> from tinyllm.rag.embed.pairs import Pairs
        >>> pairs = Pairs(["ducks", "cats"], ["They swim.", "They sleep."], [(0,), (1,)])
        >>> bag = BagEncoder(dim=8).fit(pairs, dev=pairs, epochs=5)
        >>> q, d = bag.embed(["a duck"], "query"), bag.embed(["who sleeps", "who swims"])
        >>> int((q @ d.T).argmax())
        1
    """

    lr, warmup = 0.01, 0

    def __init__(self, dim: int = 192, words: str = "default", seed: int = 0) -> None:
        super().__init__(dim, words, seed)
        self.table: Array = np.zeros((0, dim), np.float32)  # (V, dim)
        self._used: tuple[Array, Tensor] | None = None  # the rows of the last batch

    @classmethod
    def of(cls, vocabulary: Sequence[str], table: Any, words: str = "default") -> Self:
        """Begin with vectors that somebody else made, such as LSA's: usable at once, and to be trained further.

        Args:
            vocabulary: the stems.
            table: one vector for each of them, (V, dim).
            words: the preset that the stems came from.

        Raises:
            ShapeError: not one row for each stem.
            ConfigError: a stem twice, or none at all.

        Example:
            >>> BagEncoder.of(["duck", "swim"], np.eye(2)).embed(["Ducks swimming"]).round(3)
            array([[0.707, 0.707]], dtype=float32)
        """
        rows = np.array(table, np.float32)
        if rows.ndim != 2 or len(rows) != len(vocabulary):
            raise ShapeError(f"BagEncoder.of: {len(vocabulary)} stems, a table of {rows.shape}", hint="(stems, dim)")
        places = {word: n for n, word in enumerate(vocabulary)}
        if not places or len(places) < len(rows):
            raise ConfigError("BagEncoder.of: the stems are none, or one comes twice", hint="each stem once")
        encoder = cls(rows.shape[1], words)
        encoder.vocabulary, encoder.table = places, rows
        encoder.lr = cls.lr / 10  # these vectors mean something already: what is far from them is worse first
        return encoder

    @classmethod
    def from_lsa(cls, lsa: LSA) -> Self:
        """Begin where LSA ends: the same vectors, and from there on they learn.

        Raises:
            ConfigError: LSA has read no corpus.

        Example:
            >>> lsa = LSA(dim=2).fit(["a duck swims", "ducks and geese swim", "stars shine", "a star shines"])
            >>> bool(np.allclose(BagEncoder.from_lsa(lsa).embed(["shining geese"]), lsa.embed(["shining geese"])))
            True
        """
        return cls.of(*lsa.stems(), words=lsa.settings["words"])

    def numbers(self, texts: Sequence[str]) -> list[Array]:
        """Return of each text its known stems and what they count, 1 + ln tf: an array of ``PIECE``."""
        known = self.vocabulary.get
        found = []
        for text in texts:
            counts = Counter(n for word in self._split(text) if (n := known(word)) is not None)
            pieces = np.empty(len(counts), PIECE)
            pieces["stem"], pieces["weight"] = list(counts), list(counts.values())
            found.append(pieces)
        for pieces in found:
            pieces["weight"] = 1 + np.log(pieces["weight"])
        return found

    def vectors(self, numbers: Numbers) -> Tensor:
        """Return the sums (N, dim); a gradient goes to the rows of this batch's stems, which one step then moves."""
        pieces, texts = _laid_out(numbers)
        stems, places = np.unique(pieces["stem"], return_inverse=True)
        rows = Tensor(self.table[stems], requires_grad=True)  # (U, dim): of U stems in this batch, no others
        self._used, self._id = (stems, rows), None
        weights = np.zeros((len(numbers), len(stems)), np.float32)  # (N, U)
        weights[texts, places] = pieces["weight"]
        return Tensor(weights) @ rows

    def encode(self, numbers: Numbers) -> Array:
        """Return the directions (N, dim) of the sums; each is added up by itself, whatever stands around it."""
        pieces, texts = _laid_out(numbers)
        starts = np.concatenate([[0], np.cumsum(np.bincount(texts, minlength=len(numbers)))])
        rows = starts, pieces["stem"].astype(np.int32), pieces["weight"]
        return unit(sparse_dot(rows, self.table))

    def steps(self, lr: float) -> _RowAdam:
        """Return Adam for the rows of the last batch."""
        self._used = None
        return _RowAdam(self, lr)

    def weights(self) -> dict[str, Array]:
        """Return the table."""
        return {"table": self.table}

    def _start(self, vocabulary: dict[str, int]) -> None:
        self.vocabulary = vocabulary
        rng = np.random.default_rng(self.seed)
        self.table = normal(self.dim**-0.5)(rng, (len(vocabulary), self.dim))

    def _settings(self) -> dict[str, Any]:
        return {"dim": self.dim, "words": self.words, "seed": self.seed}


class _RowAdam(Adam):
    """Adam for the rows that a batch has used: the moments of all others stand still with them.

    Source: the "lazy" Adam of several libraries; it differs from Adam, which moves rows by gradients long past.
    """

    def __init__(self, encoder: BagEncoder, lr: float) -> None:
        super().__init__([Tensor(encoder.table, requires_grad=True)], lr)
        self._encoder = encoder

    def step(self, lr: float | None = None, grad_scale: float = 1.0) -> None:
        table, moments = self._encoder.table, self.state[0]
        used, self._encoder._used = self._encoder._used, None
        if used is None or used[1].grad is None:
            return
        stems, gradient = used[0], used[1].grad
        self.steps += 1
        here, mine = table[stems], tuple(moment[stems] for moment in moments)
        self.update(here, gradient * grad_scale, mine, self.lr if lr is None else lr, False)
        for whole, part in zip((table, *moments), (here, *mine), strict=True):
            whole[stems] = part


def _laid_out(numbers: Numbers) -> tuple[Array, Array]:
    """Return the pieces (E,) of all texts in a row, and which text each is of (E,)."""
    owners = np.repeat(np.arange(len(numbers)), [len(each) for each in numbers])
    return np.concatenate([np.zeros(0, PIECE), *numbers]), owners

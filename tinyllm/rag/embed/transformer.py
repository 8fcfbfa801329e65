"""TransformerEncoder: a small encoder of the kind of ``models.Bert``, trained here from nothing.

Its tokens are stems, those that came often enough to be learned; all others are one token, the unknown. Unlike a bag
it sees which stems stand where, and has to learn from few texts what to do with that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...autograd import Tensor, no_grad
from ...errors import ConfigError
from ...models.bert import Bert
from ...models.bert_config import BertConfig
from ...nn import clip_grad_norm
from ...nn.optim import AdamW, decay_groups
from .door import unit
from .encoder import Array, Encoder, Numbers

_TOGETHER = 64  # texts that are encoded at a time, of about one length
_UNKNOWN = 0


class TransformerEncoder(Encoder):
    """The mean of what a transformer makes of the stems.

    Args:
        dim: how many numbers a vector has, and the width of the transformer.
        layers, heads: of it; the heads divide ``dim``.
        max_tokens: the most stems it reads, and counts; those behind them are dropped.
        min_count: how often a stem has to come in training to be known.
        dropout: while training.
        words: a preset of ``rag.words``.
        seed: of the first weights, and of what dropout drops.

    Raises:
        ConfigError: a size out of its range, or another preset.

    Example:
        >>> from tinyllm.rag.embed.pairs import Pairs
        >>> pairs = Pairs(["ducks", "cats"], ["They swim.", "They sleep."], [(0,), (1,)])
        >>> encoder = TransformerEncoder(dim=8, layers=1, heads=2, min_count=1).fit(pairs, dev=pairs, epochs=2)
        >>> encoder.embed(["Ducks swim."]).shape
        (1, 8)
    """

    lr, warmup = 0.001, 20

    def __init__(
        self,
        dim: int = 64,
        layers: int = 2,
        heads: int = 4,
        max_tokens: int = 128,
        min_count: int = 2,
        dropout: float = 0.1,
        words: str = "default",
        seed: int = 0,
    ) -> None:
        super().__init__(dim, words, seed)
        if max_tokens < 3 or min_count < 1:
            raise ConfigError(
                f"TransformerEncoder: max_tokens {max_tokens}, min_count {min_count}", hint="3 and 1, or more"
            )
        self.layers, self.heads, self.min_count, self.dropout = layers, heads, min_count, dropout
        self._max_tokens = max_tokens
        self._bert = self._made(1)

    @property
    def max_tokens(self) -> int | None:
        """The most stems it reads of a text."""
        return self._max_tokens

    def meet(self, texts: Any, min_count: int | None = None) -> None:
        """Learn the stems that come ``min_count`` times, as ``Encoder.meet`` does."""
        super().meet(texts, self.min_count if min_count is None else min_count)

    def numbers(self, texts: Sequence[str]) -> list[Array]:
        """Return the numbers of each text's first ``max_tokens`` stems; 0 is the unknown."""
        known = self.vocabulary.get
        found = []
        for text in texts:
            row = [known(word, _UNKNOWN - 1) + 1 for word in self._split(text)[: self._max_tokens]]
            found.append(np.array(row if any(row) else [], np.int64))
        return found

    def vectors(self, numbers: Numbers) -> Tensor:
        """Return the means (N, dim) of the last layer's vectors."""
        self._id = None
        x, packing = self._bert.train().packed(*_rectangle(numbers))
        return packing.mean(x)

    def encode(self, numbers: Numbers) -> Array:
        """Return the directions (N, dim) of the means, some texts of about one length at a time."""
        out = np.zeros((len(numbers), self.dim), np.float32)
        self._bert.eval()
        order = sorted((n for n in range(len(numbers)) if len(numbers[n])), key=lambda n: len(numbers[n]))
        with no_grad():
            for start in range(0, len(order), _TOGETHER):
                some = order[start : start + _TOGETHER]
                x, packing = self._bert.packed(*_rectangle([numbers[n] for n in some]))
                out[some] = packing.mean(x).data
        return unit(out)

    def steps(self, lr: float) -> _Clipped:
        """Return AdamW over all weights, gradients clipped to a norm of 1."""
        return _Clipped(self._bert, lr)

    def weights(self) -> dict[str, Array]:
        """Return the transformer's own arrays, by their names."""
        return {name: p.data for name, p in self._bert.named_parameters()}

    def _start(self, vocabulary: dict[str, int]) -> None:
        self.vocabulary = vocabulary
        self._bert = self._made(1 + len(vocabulary))

    def _made(self, V: int) -> Bert:
        config = BertConfig(
            vocab_size=V,
            block_size=self._max_tokens,
            n_type=1,
            n_layer=self.layers,
            n_head=self.heads,
            n_embd=self.dim,
            n_hidden=4 * self.dim,
            dropout=self.dropout,
            attention_dropout=0.0,
            activation="gelu_tanh",
        )
        return Bert(config, np.random.default_rng(self.seed))

    def _settings(self) -> dict[str, Any]:
        return {
            "dim": self.dim,
            "layers": self.layers,
            "heads": self.heads,
            "max_tokens": self._max_tokens,
            "min_count": self.min_count,
            "dropout": self.dropout,
            "words": self.words,
            "seed": self.seed,
        }


class _Clipped(AdamW):
    """AdamW that clips, steps, and forgets the gradients."""

    def __init__(self, model: Bert, lr: float) -> None:
        super().__init__(decay_groups(model), lr)
        self._model = model

    def step(self, lr: float | None = None, grad_scale: float = 1.0) -> None:
        clip_grad_norm(self._model.parameters(), 1.0)
        super().step(lr, grad_scale)
        self.zero_grad()


def _rectangle(numbers: Numbers) -> tuple[Array, Array]:
    """Return ids and mask (N, T), T being the longest."""
    lengths = np.array([len(each) for each in numbers])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.zeros(mask.shape, np.int64)
    ids[mask] = np.concatenate(numbers)
    return ids, mask

r"""Speculative decoding: a small model guesses some tokens, a large one checks them all at once.

The large model takes nearly as long for one token as for a few: it has to read its weights once either way. So a draft
model writes k tokens, drawn from its own q, and the target says in one pass what it thinks at each of them, p:

accept x with probability min(1, p(x) / q(x)), one token after another
at the first that is refused: draw from max(0, p - q), shared out to 1, and forget the rest
where all were accepted: the same pass has told p of one token more, so draw that as well

What comes out is distributed exactly as if the target had written alone: a token x comes from q and is accepted with
min(q, p)(x), or takes the place of a refused one with (p - min(q, p))(x), and these two add up to p(x). A bad draft
costs time, never truth. It holds for any p and q, so for those that are left after temperature, top-p and the like.

Source: Leviathan et al. 2023, "Fast Inference from Transformers via Speculative Decoding"; Chen et al. 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, RangeError
from .decode import Decoder, shared
from .sample import sample
from .setting import Sampling

Array = np.ndarray[Any, Any]
Read = Callable[[list[int], int], Array]


def acceptance(p: Array, q: Array, token: int) -> float:
    """Return the probability at which a token drawn from q (V,) may stand where p (V,) is wanted.

    Example:
        >>> acceptance(np.array([0.2, 0.8]), np.array([0.5, 0.5]), 0), acceptance(np.ones(1), np.ones(1), 0)
        (0.4, 1.0)
    """
    return 1.0 if p[token] >= q[token] else float(p[token] / q[token])


def residual(p: Array, q: Array) -> Array:
    """Return what is drawn from where a token of q was refused: p's excess over q (V,), shared out to 1.

    Example:
        >>> residual(np.array([0.2, 0.5, 0.3]), np.array([0.6, 0.3, 0.1]))
        array([0. , 0.5, 0.5])
    """
    excess = np.maximum(p - q, 0)
    total = excess.sum()
    # p and q that differ by rounding alone leave nothing: then p itself is as good
    return excess / total if total > 0 else p


class Speculation:
    r"""A large model that is helped by a small one.

    Args:
        target: reads a text and returns the logits (n, V) after each of its last n tokens: ``Trailing``, or a function.
        draft: the same of the small model, with the same tokens.
        setting: how tokens are chosen, for both models; None draws as the target says.
        ahead: k, how many tokens the draft writes before they are checked.

    Attributes:
        drafted, accepted: tokens that the draft has written, and those of them that stayed.
        passes: how often the target was asked. It alone would have needed one for each token.

    Raises:
        ConfigError: ``ahead`` is below 1.

    Example:
        >>> table = np.log([[0.5, 0.5], [0.9, 0.1]])
        >>> def read(ids, n): return table[ids[-n:]]
        >>> speculation = Speculation(read, read, ahead=3)  # a draft that is never wrong
        >>> len(list(speculation.tokens([0], 8, np.random.default_rng(0)))), speculation.passes
        (8, 2)
    """

    def __init__(self, target: Read, draft: Read, setting: Sampling | None = None, ahead: int = 4) -> None:
        if ahead < 1:
            raise ConfigError(f"Speculation: ahead is {ahead}", hint="1 or more tokens")
        self.target, self.draft, self.ahead = target, draft, ahead
        self.setting = Sampling() if setting is None else setting
        self.drafted = self.accepted = self.passes = 0

    def tokens(
        self,
        ids: Sequence[int],
        max_tokens: int,
        rng: np.random.Generator | None = None,
        ends: Collection[int] = (),
    ) -> Iterator[int]:
        """Yield the tokens that continue a text, several at a time in quick succession.

        Args:
            ids: the text, at least one token.
            max_tokens: how many to add at most.
            rng: what draws; needed unless the setting's temperature is 0.
            ends: tokens after which there is no other.

        Raises:
            ConfigError: a parameter is out of range, or ``rng`` is missing, or the models' vocabularies differ in size.
            DataError: there is nothing to continue.
            NaNError, RangeError: as for ``Sampling.logits`` and ``Trailing``.
        """
        if max_tokens < 0:
            raise ConfigError(f"Speculation: max_tokens is {max_tokens}", hint="0 or more")
        if self.setting.temperature > 0 and rng is None:
            raise ConfigError("Speculation: drawing needs a random generator", hint="rng=np.random.default_rng(0)")
        if not len(ids):
            raise DataError("Speculation: there is no text to continue", hint="one token or more")
        return self._tokens(list(ids), max_tokens, rng, ends)

    def _tokens(
        self, text: list[int], left: int, rng: np.random.Generator | None, ends: Collection[int]
    ) -> Iterator[int]:
        while left:
            for token in self._round(text, min(self.ahead, left - 1), rng):  # one more comes from the target itself
                text.append(token)
                left -= 1
                yield token
                if token in ends:
                    return

    def _round(self, text: list[int], k: int, rng: np.random.Generator | None) -> list[int]:
        """Return the next tokens, from 1 to k + 1 of them: one pass of the target, and k of the draft."""
        guesses: list[int] = []
        qs: list[Array] = []
        for _ in range(k):
            so_far = text + guesses
            qs.append(self.setting.probabilities(self.draft(so_far, 1)[0], so_far))
            guesses.append(_drawn(qs[-1], rng))
        logits = self.target(text + guesses, k + 1)  # (k + 1, V)
        self.passes += 1
        self.drafted += k
        for i, guess in enumerate(guesses):
            p = self._wanted(logits[i], text + guesses[:i])
            if len(p) != len(qs[i]):
                raise ConfigError(
                    f"Speculation: the draft has {len(qs[i])} tokens, the target {len(p)}",
                    hint="two models with one tokenizer",
                )
            chance = acceptance(p, qs[i], guess)
            # A chance of 0 or 1 needs no generator: without a temperature there are no others.
            if chance < 1 and (chance == 0 or rng is None or rng.random() >= chance):
                return [*guesses[:i], _drawn(residual(p, qs[i]), rng)]
            self.accepted += 1
        return [*guesses, _drawn(self._wanted(logits[k], text + guesses), rng)]

    def _wanted(self, logits: Array, ids: list[int]) -> Array:
        return self.setting.probabilities(logits, ids)


class Trailing(Decoder):
    r"""A Decoder that tells what it thinks after each of the last tokens, and goes back where a text has changed.

    Shapes    ids, a list of T token ids, and n -> logits (n, V) after each of the last n of them

    Of each text it reads what does not begin as the one before, and the last n tokens.

    Args:
        model: a GPT of any preset, or a Llama of any family.
        weights: "float32", "int8", "int4", "int4x8"; None for the model's own dtype.

    Raises:
        RangeError: the text is longer than the model's context. It cannot be cut: the same pass would then show some of
            its tokens less than they are to see.

    Example:
        >>> from tinyllm.models import GPT, GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8)
        >>> trailing = Trailing(GPT(config, np.random.default_rng(0)))
        >>> trailing([1, 2, 3, 4], 3).shape, trailing([1, 2, 5], 1).shape
        ((3, 11), (1, 11))
    """

    def __init__(self, model: Any, weights: str | None = None) -> None:
        super().__init__(model, weights)
        self.ids: list[int] = []

    def __call__(self, ids: list[int], n: int) -> Array:
        """Return the logits (n, V) after each of the last n tokens of a text, 1 <= n <= T."""
        if not 1 <= n <= len(ids):
            raise RangeError(f"Trailing: the last {n} of {len(ids)} tokens", hint="1 to the number of tokens")
        if len(ids) > self.config.block_size:
            raise RangeError(
                f"Trailing: the text has {len(ids)} tokens, the model reads {self.config.block_size}",
                hint="a shorter prompt, or fewer max_tokens",
            )
        new = self._checked(np.array([ids]), self.cache.rows(), axes=2)
        known = min(shared(self.ids, ids), len(ids) - n)
        self.cache.truncate(known)
        x = self._read(new[:, known:])  # (1, T - known, C)
        self.ids = list(ids)
        logits: Array = self._logits(x[0, -n:])
        return logits

    def forget(self, rows: Any = None) -> None:
        """Forget the text."""
        super().forget(rows)
        self.ids = []


def _drawn(p: Array, rng: np.random.Generator | None) -> int:
    """Draw a token from p (V,); without a generator p is 1 at a single one."""
    return int(p.argmax()) if rng is None else sample(rng, p)

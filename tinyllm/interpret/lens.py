r"""The logit lens: what each layer of a model would say, if it were the last.

Every block of a transformer adds to one and the same vector, the residual stream. The head, which turns the last
block's vector into logits, can therefore read the vectors between the blocks as well, and even what enters the first:

    x_0 = embedding;  x_l = block_l(x_{l-1});  said_l = softmax(norm(x_l) head^T),  l = 0 ... L

said_L is what the model really says. The earlier ones show when it came to it, but with care: the norm and the head
were trained to read the last layer only, and what they cannot read in an early layer may be there all the same.

Source: nostalgebraist 2020, "interpreting GPT: the logit lens"; Belrose et al. 2023 on what it misses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import kernels
from ..autograd import linear, no_grad
from ..errors import ConfigError, RangeError, ShapeError
from ..models import GPT
from .still import one_text, refuse_nan, still

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Lens:
    """What each layer would say after each token of a text; row 0 is the embedding, row l what block l has left.

    Attributes:
        ids: (L + 1, T, k) the likeliest next tokens, the likeliest first.
        probabilities: (L + 1, T, k) theirs.
        answers: (T,) the tokens that are followed: the model's own answers, unless others were asked for.
        answer_probabilities: (L + 1, T) what each layer gives the answer.
        ranks: (L + 1, T) how many tokens a layer holds for likelier than the answer; 0 when it is the first.
        divergence: (L + 1, T) the Kullback-Leibler divergence of a layer's distribution from the model's, in nats.
    """

    ids: Array
    probabilities: Array
    answers: Array
    answer_probabilities: Array
    ranks: Array
    divergence: Array

    def decided(self) -> Array:
        """Return (T,) the first layer from which on the answer stays the likeliest; L + 1 where it never does.

        Example:
            >>> ranks = np.array([[0, 3], [2, 1], [0, 0], [0, 0]])
            >>> Lens(*[np.zeros(0)] * 4, ranks=ranks, divergence=np.zeros(0)).decided()
            array([2, 2])
        """
        later = np.logical_and.accumulate((self.ranks == 0)[::-1])  # from the last layer backwards
        return len(self.ranks) - later.sum(axis=0)


def logit_lens(model: GPT, ids: Any, k: int = 5, answers: Any = None) -> Lens:
    """Read every layer of a model with its own norm and head.

    Args:
        model: a GPT or a Llama.
        ids: (T,) the tokens of one text.
        k: how many tokens to keep of each distribution.
        answers: (T,) tokens to follow through the layers, for example those that really came next; by default those
            that the model itself holds for the likeliest.

    Raises:
        ConfigError: k is not between 1 and V, or the model is of another kind.
        ShapeError: ids or answers are not (T,).
        RangeError: an answer is no token.
        NaNError: a layer's logits hold NaN.

    Example:
        >>> from tinyllm.interpret import induction_gpt
        >>> model = induction_gpt(V=5, T=6)  # made by hand: it says what came after the same token before
        >>> lens = logit_lens(model, [3, 1, 4, 3, 1], k=1)
        >>> lens.ids[:, -1, 0], lens.probabilities[:, -1, 0].round(1)  # only its second layer knows that 1 leads to 4
        (array([1, 1, 4]), array([0.8, 0.8, 0.9]))
    """
    ids = one_text(ids, "logit_lens")
    with still(model), no_grad():
        V = model.config.vocab_size
        if not 1 <= k <= V:
            raise ConfigError(f"logit_lens: k is {k}, and there are {V} tokens", hint=f"1 to {V}")
        states = [model.embed(ids[None])]  # (1, T, C)
        for block in model.blocks:
            states.append(block(states[-1]))
        said = kernels.log_softmax(_read(model, states[-1]))  # (T, V)
        followed = said.argmax(axis=-1) if answers is None else _checked(answers, len(ids), V)
        rows = [_row(_read(model, x), k, followed, said) for x in states]
    top, p, answered, ranks, apart = (np.stack(parts) for parts in zip(*rows, strict=True))
    return Lens(top, p, followed, answered, ranks, apart)


def _read(model: GPT, x: Any) -> Array:
    """The logits (T, V) of a residual stream (1, T, C)."""
    logits = linear(model.norm(x), model.head_weight, None).data[0]
    refuse_nan(logits, "logit_lens", "the logits")
    return logits


def _row(logits: Array, k: int, answers: Array, said: Array) -> tuple[Array, Array, Array, Array, Array]:
    """What one layer says, (T, ...): k tokens, their probabilities; the answer's, its rank; how far it is off."""
    logp = kernels.log_softmax(logits)  # (T, V)
    some = np.sort(np.argpartition(-logits, k - 1, axis=-1)[:, :k])  # by id, so that ties have an order
    order = np.argsort(-np.take_along_axis(logits, some, -1), axis=-1, kind="stable")
    top = np.take_along_axis(some, order, -1)  # (T, k)
    own = np.take_along_axis(logits, answers[:, None], -1)  # (T, 1)
    answered = np.exp(np.take_along_axis(logp, answers[:, None], -1))[:, 0]
    with np.errstate(invalid="ignore"):  # 0 (-inf - -inf) where neither can be
        apart = np.nansum(np.exp(said) * (said - logp), axis=-1)
    return top, np.exp(np.take_along_axis(logp, top, -1)), answered, (logits > own).sum(axis=-1), np.maximum(apart, 0)


def _checked(answers: Any, T: int, V: int) -> Array:
    array = np.asarray(answers)
    if array.shape != (T,) or array.dtype.kind not in "iu":
        raise ShapeError(
            f"logit_lens: answers {array.shape} {array.dtype}, not a token for each of T={T}",
            hint="np.append(ids[1:], last)",
        )
    if array.min() < 0 or array.max() >= V:
        raise RangeError(f"logit_lens: answers from {array.min()} to {array.max()}", hint=f"ids from 0 to {V - 1}")
    return array

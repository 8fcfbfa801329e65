r"""Streaming: a prompt becomes a text, piece by piece (``stream``) or all of it at once (``generate``).

prompt -> ids -> the model's logits after them -> a token -> its piece of text;  again, until the text is over
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any, overload

import numpy as np

from ..errors import ConfigError, DataError, RangeError
from ..tokenizer import Tokenizer
from .completion import Clock, Completion
from .constraint import Constraint
from .order import Order
from .reading import can_remember, reader
from .setting import Sampling
from .speculate import Speculation, Trailing
from .together import together
from .writer import Writer

Array = np.ndarray[Any, Any]
Prompt = str | Sequence[int] | Array


class Stream(Iterator[str]):
    """The pieces of one text, each as soon as it is certain.

    Attributes:
        completion: the whole of it, once the last piece is out; None until then.
        prompt_ids: the prompt, as the model's tokens.
        seed: what writes the same text again; None where nothing is drawn, and where a generator was handed in.
    """

    def __init__(self, order: Order, prompt: Prompt, place: int | None = None) -> None:
        self.completion: Completion | None = None
        self._order, self._clock = order, Clock()
        with self._clock:
            self._writer = order.writer(prompt, place)
            begin = _one_by_one if order.draft is None else _speculated
            self._tokens, self._memory = begin(order, self._writer)
        self.prompt_ids, self.seed = self._writer.prompt, self._writer.seed
        self._pieces = self._written()

    def __next__(self) -> str:
        try:
            with self._clock:
                return next(self._pieces)
        except StopIteration:
            if self.completion is None and self._writer.finish is not None:
                self.completion = self._order.complete(self._writer, self._clock, self._memory)
            raise

    def rest(self) -> Completion:
        """Write what is left of the text, and return the whole of it.

        Raises:
            DataError: an error has ended it before.
        """
        for _ in self:
            pass
        if self.completion is None:
            raise DataError("stream: an error has ended this text", hint="a new stream")
        return self.completion

    def _written(self) -> Iterator[str]:
        while self._writer.finish is None:
            token = next(self._tokens)
            self._clock.tick()
            if piece := self._writer.add(token):
                yield piece


def stream(
    model: Any,
    prompt: Prompt,
    tokenizer: Tokenizer | None = None,
    max_tokens: int = 200,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    typical_p: float | None = None,
    repetition_penalty: float = 1.0,
    logit_bias: Mapping[int, float] | None = None,
    stop: str | Sequence[str] | None = (),
    seed: int | None = None,
    weights: str | None = None,
    rng: np.random.Generator | None = None,
    constraint: Constraint | None = None,
    draft: Any = None,
) -> Stream:
    """Yield the continuation of one prompt piece by piece, as soon as its characters are complete.

    A piece never ends inside a character: bytes that may be the beginning of one wait for the rest. Bytes that turn out
    to be no UTF-8 become U+FFFD. Text that may be the beginning of a stop sequence waits as well. The pieces joined are
    the ``text`` of ``generate``, whose parameters and errors these are; the ``completion`` of what is returned here
    holds the rest of it after the last piece. The time in which nobody asks for a piece is not counted.

    Raises:
        ConfigError: there is no tokenizer, so there are no pieces; or there are several prompts.

    Example:
        >>> from tinyllm.models import GPT, GPTConfig
        >>> from tinyllm.tokenizer import ByteTokenizer
        >>> config = GPTConfig.preset("gpt2", vocab_size=256, block_size=8, n_layer=1, n_head=2, n_embd=8)
        >>> pieces = stream(GPT(config, np.random.default_rng(0)), "to be", ByteTokenizer(), max_tokens=9, seed=1)
        >>> text = "".join(pieces)
        >>> pieces.completion.text == text, pieces.completion.finish
        (True, 'length')
    """
    setting = Sampling(
        temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, typical_p=typical_p,
        repetition_penalty=repetition_penalty, logit_bias=logit_bias or (),
    )  # fmt: skip
    order = Order(
        model=model, tokenizer=tokenizer, max_tokens=max_tokens, setting=setting, stop=stop, seed=seed,
        weights=weights, rng=rng, constraint=constraint, draft=draft,
    )  # fmt: skip
    if tokenizer is None:
        raise ConfigError("stream: without a tokenizer there is no text", hint="generate(...).ids")
    if _several(prompt):
        raise ConfigError("stream: there are several prompts", hint="generate, or a stream for each")
    return Stream(order, prompt)


@overload
def generate(
    model: Any, prompt: Prompt, tokenizer: Tokenizer | None = None, max_tokens: int = 200, temperature: float = 1.0,
    **settings: Any,
) -> Completion: ...  # fmt: skip
@overload
def generate(
    model: Any, prompt: list[str] | list[list[int]] | list[Array], tokenizer: Tokenizer | None = None,
    max_tokens: int = 200, temperature: float = 1.0, **settings: Any,
) -> list[Completion]: ...  # fmt: skip
def generate(  # type: ignore[misc]  # the settings are these
    model: Any,
    prompt: Any,
    tokenizer: Tokenizer | None = None,
    max_tokens: int = 200,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    typical_p: float | None = None,
    repetition_penalty: float = 1.0,
    logit_bias: Mapping[int, float] | None = None,
    stop: str | Sequence[str] | None = (),
    seed: int | None = None,
    weights: str | None = None,
    rng: np.random.Generator | None = None,
    constraint: Constraint | None = None,
    draft: Any = None,
) -> Completion | list[Completion]:
    """Write the continuation of a prompt, or of each of several.

    Of a text longer than the model's context the last ``block_size`` tokens are read, whether it is the prompt that is
    longer (``cut`` says by how much) or what has been written. Ids that stand for no token are never chosen. A text
    ends with the token that the tokenizer, or the model's config, calls its end.

    Args:
        model: a GPT, a Llama, or another model with their methods and a ``config``; or a ``Session`` of one.
        prompt: what to continue: a string, in which special tokens are plain text, or token ids. An empty string is the
            token that texts begin with: the config's, or a newline. A list of prompts gives a list of completions; they
            are continued side by side, and none depends on the others.
        tokenizer: the one the model was trained with; None where the prompt is ids, and ids are enough.
        max_tokens: how many tokens to write at most; 0 writes none.
        temperature: 0 takes the likeliest token each time; 1 draws as the model says; above 1 more daring.
        top_k, top_p, min_p, typical_p, repetition_penalty, logit_bias: as for ``Sampling``.
        stop: strings that end the text, and are no part of it, however tokens cut them.
        seed: the same seed writes the same text. Prompt i of several has the seed ``seed + i``. Without a seed a new
            one is taken for each text; the completion says which.
        weights: "int8", "int4" or "int4x8" for speed and a little noise; "float32"; None for the model's own.
        rng: what draws, in place of a seed.
        constraint: what the text has to be (constraint.py).
        draft: a small GPT with the same tokenizer that writes ahead, for speed: the texts of a seed become others, each
            as likely as it was (speculate.py). Together prompt and text must fit into both contexts.

    Raises:
        ConfigError: a parameter is out of range, or does not go with another; or the tokenizer is of another model.
        DataError: the prompt has no tokens, or a character that the tokenizer does not know; or the constraint leaves
            no token.
        DTypeError, RangeError: the prompt is no string and no ids, or holds an id that is no token; or does not fit.
        NaNError: the model's logits hold NaN.

    Example:
        >>> from tinyllm.models import GPT, GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8)
        >>> model = GPT(config, np.random.default_rng(0))
        >>> done = generate(model, [1, 2, 3], max_tokens=5, seed=0)
        >>> len(done.ids), done.finish, done.seed, done.ids == generate(model, [1, 2, 3], max_tokens=5, seed=0).ids
        (5, 'length', 0, True)
    """
    setting = Sampling(
        temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, typical_p=typical_p,
        repetition_penalty=repetition_penalty, logit_bias=logit_bias or (),
    )  # fmt: skip
    order = Order(
        model=model, tokenizer=tokenizer, max_tokens=max_tokens, setting=setting, stop=stop, seed=seed,
        weights=weights, rng=rng, constraint=constraint, draft=draft,
    )  # fmt: skip
    if _several(prompt):
        if draft is None and can_remember(model):
            return together(order, prompt)
        return [Stream(order, one, place).rest() for place, one in enumerate(prompt)]
    return Stream(order, prompt).rest()


def _several(prompt: Any) -> bool:
    """Tell whether this is several prompts; a list with nothing in it is neither one nor several."""
    if isinstance(prompt, np.ndarray):
        return prompt.ndim == 2
    return isinstance(prompt, (list, tuple)) and bool(prompt) and not isinstance(prompt[0], (Integral, float))


def _one_by_one(order: Order, writer: Writer) -> tuple[Iterator[int], int]:
    """Return the tokens, each chosen when it is asked for, and the bytes that are held for it."""
    longest = order.model.config.block_size
    read, memory = reader(order.model, order.weights, len(writer.prompt) + order.max_tokens - 1)

    def tokens() -> Iterator[int]:
        while True:  # positions beyond the last block are unknown to the model
            yield writer.choose(read(writer.text[-longest:]))

    return tokens(), memory


def _speculated(order: Order, writer: Writer) -> tuple[Iterator[int], int]:
    """Return the tokens that a draft has written and the model has found right, and the bytes that both hold."""
    target, draft = Trailing(order.model, order.weights), Trailing(order.draft)
    longest, wanted = min(target.config.block_size, draft.config.block_size), len(writer.prompt) + order.max_tokens
    if wanted > longest:
        raise RangeError(
            f"generate: prompt and text have {wanted} tokens, a context {longest}", hint="draft=None, or less text"
        )
    speculation = Speculation(
        lambda ids, n: writer.possible(target(ids, n)),
        lambda ids, n: writer.possible(draft(ids, n)),
        order.setting,
    )
    return speculation.tokens(writer.prompt, order.max_tokens, writer.rng, writer.ends), target.nbytes + draft.nbytes

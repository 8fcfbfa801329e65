r"""Reading: how a model is asked what comes next, with a memory where that is the same model, and in full where not.

A Decoder does what the ``forward`` of a GPT or a Llama says, in other words. A model that says something else must not
be read by it: one of a class of your own, or one whose ``forward`` was replaced (by hand, or by ``--mine``). Such a
model is asked itself, about the whole text at every token: slower, and what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..errors import ConfigError, ShapeError
from .decode import Decoder, Reading, decodable

Array = np.ndarray[Any, Any]
Read = Callable[[list[int]], Array]


def can_remember(model: Any) -> bool:
    """Tell whether a Decoder computes what this model does: its kind is known, and no part of it was replaced.

    Example:
        >>> from tinyllm.models import GPT, GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8)
        >>> model = GPT(config, np.random.default_rng(0))
        >>> can_remember(model)
        True
        >>> model.forward = lambda idx: None
        >>> can_remember(model)
        False
    """
    return decodable(model) and not any(_replaced(module) for module in model.modules())


class Session:
    r"""A model for one text after another: its weights are laid out once, and the last text is remembered.

    What a prompt has in common with the beginning of the last text is not read again: in a conversation, all but what
    was said since. ``generate`` and ``stream`` take a session in place of its model. After training on, make a new one.

    Args:
        model: a GPT or a Llama.
        weights: a format of decode.py; None for the model's own dtype.

    Raises:
        ConfigError: there is no such format, or a Decoder cannot read the model.

    Example:
        >>> from tinyllm.generate import generate
        >>> from tinyllm.models import GPT, GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8)
        >>> session = Session(GPT(config, np.random.default_rng(0)))
        >>> one = generate(session, [1, 2, 3], max_tokens=2, seed=0)
        >>> two = generate(session, [1, 2, 3, *one.ids, 4], max_tokens=2, seed=0)  # reads two tokens of the prompt
        >>> session.read.decoder.cache.lengths
        array([7])
    """

    def __init__(self, model: Any, weights: str | None = None) -> None:
        if not can_remember(model):
            raise ConfigError(
                f"Session: {type(model).__name__} cannot be remembered", hint="a GPT or a Llama as it comes"
            )
        self.model, self.config = model, model.config
        self.read = Reading(Decoder(model, weights))


def reader(model: Any, weights: str | None = None, length: int | None = None) -> tuple[Read, int]:
    """Return what gives the logits (V,) after a text, and the bytes that it keeps.

    Args:
        model: a GPT, a Llama, another model with their methods, or a session.
        weights: a format of decode.py; None for the model's own dtype.
        length: how many tokens the text will have; None for as many as the model can read.

    Raises:
        ConfigError: there is no such format, or it is for models that a Decoder can read.

    Example:
        >>> from tinyllm.models import GPT, GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8)
        >>> read, memory = reader(GPT(config, np.random.default_rng(0)), length=3)
        >>> read([1, 2]).shape, memory > 4000
        ((11,), True)
    """
    if isinstance(model, Session):
        if weights is not None:
            raise ConfigError(
                f"generate: weights={weights!r}, and the session has its own", hint="Session(model, weights)"
            )
        return model.read, model.read.decoder.nbytes
    if can_remember(model):
        longest = model.config.block_size
        decoder = Decoder(model, weights, max_length=max(1, min(length or longest, longest)))
        return Reading(decoder), decoder.nbytes
    refuse(weights, model)
    memory = sum(p.data.nbytes for p in model.parameters()) if hasattr(model, "parameters") else 0
    return lambda ids: last_logits(model, [ids])[0], memory


def last_logits(model: Any, texts: list[list[int]]) -> Array:
    """Run a model on N texts of one length, without dropout and without a graph; return the logits (N, V) after each.

    Raises:
        ShapeError: what it says is not (N, T, V).

    Example:
        >>> from tinyllm.models import GPT, GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8)
        >>> last_logits(GPT(config, np.random.default_rng(0)), [[1, 2, 3], [4, 5, 6]]).shape
        (2, 11)
    """
    was_training = model.training
    model.eval()
    try:
        with no_grad():  # entered anew for each token: a block left open across a yield would reach into the caller
            said = model(np.array(texts))
    finally:
        model.train(was_training)
    logits: Array = said.data
    if logits.shape != (len(texts), len(texts[0]), model.config.vocab_size):
        raise ShapeError(
            f"generate: what {type(model).__name__} says has shape {logits.shape}, not (B, T, V)",
            hint="a model that writes texts",
        )
    return logits[:, -1]


def refuse(weights: str | None, model: Any) -> None:
    """Refuse a format of weights for a model that is read in full, where it would be ignored.

    Raises:
        ConfigError: there is one.
    """
    if weights is not None:
        raise ConfigError(
            f"generate: weights={weights!r} is for a GPT or a Llama as it comes, not for {type(model).__name__}",
            hint="weights=None",
        )


def _replaced(module: Any) -> bool:
    """A ``forward`` of the object itself, or one that ``functools.wraps`` put around the class's."""
    return "forward" in vars(module) or hasattr(type(module).forward, "__wrapped__")

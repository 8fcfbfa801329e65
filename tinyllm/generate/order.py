"""Order: all that is asked for when a text is, apart from its prompt; checked before anything is read."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..tokenizer import Tokenizer
from . import choices
from .completion import Clock, Completion
from .constraint import Constraint
from .prompts import end_ids, first_ids, unused_ids
from .reading import can_remember
from .setting import Sampling
from .stops import Stops
from .writer import Writer

_SEEDS = 2**32  # new ones are drawn below this: short enough to be typed again


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to write with, and how; the fields are the parameters of ``generate``.

    Raises:
        ConfigError: something is out of its range, or does not go with something else.
        RangeError: the bias is for an id that is no token.

    Example:
        >>> from tinyllm.models import GPT, GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8)
        >>> Order(model=GPT(config, np.random.default_rng(0)), max_tokens=-1)
        Traceback (most recent call last):
            ...
        tinyllm.errors.ConfigError: E-CONFIG generate: max_tokens is -1. Try: a whole number, 0 or more
    """

    model: Any
    tokenizer: Tokenizer | None = None
    max_tokens: int = 200
    setting: Sampling = field(default_factory=Sampling)
    stop: str | Sequence[str] | None = ()
    seed: int | None = None
    weights: str | None = None
    rng: np.random.Generator | None = None
    constraint: Constraint | None = None
    draft: Any = None

    def __post_init__(self) -> None:
        if not hasattr(getattr(self.model, "config", None), "vocab_size"):
            raise ConfigError(
                f"generate: a {type(self.model).__name__} is no model", hint="model, tokenizer = tl.load(...)"
            )
        for name, value in (("max_tokens", self.max_tokens), ("seed", self.seed)):
            if value is not None and (not isinstance(value, Integral) or isinstance(value, bool) or value < 0):
                raise ConfigError(f"generate: {name} is {value!r}", hint="a whole number, 0 or more")
        if self.seed is not None and self.rng is not None:
            raise ConfigError("generate: there is a seed, and a generator as well", hint="seed=... or rng=...")
        if Stops(self.stop).stops and self.tokenizer is None:
            raise ConfigError("generate: stop is found in letters, and there is no tokenizer", hint="tokenizer=...")
        choices.logit_bias(np.zeros(self.model.config.vocab_size), self.setting.logit_bias)  # type: ignore[arg-type]
        if self.draft is not None:
            self._check_draft()

    def writer(self, prompt: Any, place: int | None = None) -> Writer:
        """Return what writes the text after a prompt; parameters of ``source``, errors of ``prompts.first_ids``."""
        ids = first_ids(prompt, self.tokenizer, self.model.config)
        seed, rng = self.source(place)
        return Writer(
            ids,
            self.max_tokens,
            self.setting,
            self.tokenizer,
            self.stop,
            ends=end_ids(self.tokenizer, self.model.config),
            unused=unused_ids(self.tokenizer, self.model.config.vocab_size).tolist(),
            constraint=self.constraint,
            rng=rng,
            seed=seed,
        )

    def complete(self, writer: Writer, clock: Clock, memory_bytes: int) -> Completion:
        """Return what has become of a text that is over."""
        return Completion(
            text=None if self.tokenizer is None else "".join(writer.pieces),
            ids=writer.ids,
            prompt_ids=writer.prompt,
            finish=writer.finish or "length",
            timing=clock.timing(memory_bytes),
            seed=writer.seed,
            cut=max(0, len(writer.prompt) - self.model.config.block_size),
        )

    def source(self, place: int | None = None) -> tuple[int | None, np.random.Generator | None]:
        """Return the seed of a text and what draws it; of several texts each has its own, whatever becomes of others.

        Args:
            place: of the text among several; None where it is alone.
        """
        if self.seed is not None:
            seed = int(self.seed) + (place or 0)
        elif self.setting.temperature == 0:
            return None, None
        elif self.rng is None:
            seed = secrets.randbelow(_SEEDS)
        elif place is None:
            return None, self.rng
        else:
            seed = int(self.rng.integers(_SEEDS))
        return seed, np.random.default_rng(seed)

    def _check_draft(self) -> None:
        if self.constraint is not None:
            raise ConfigError("generate: a draft cannot keep to a constraint", hint="draft=None")
        for model in (self.model, self.draft):
            if not can_remember(model):
                raise ConfigError(f"generate: {type(model).__name__} cannot speculate", hint="draft=None")
        V, theirs = self.model.config.vocab_size, self.draft.config.vocab_size
        if theirs != V:
            raise ConfigError(f"generate: the draft has {theirs} tokens, the model {V}", hint="two with one tokenizer")

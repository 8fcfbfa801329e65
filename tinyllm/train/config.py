"""TrainConfig: every knob of a training run, checked when it is made; and the presets."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import nn
from ..errors import ConfigError, nearest
from ..models import GPTConfig
from . import tokenizers

DERIVED: Any = None  # the default of a number that follows from others
SCHEDULES = ("cosine", "linear", "wsd", "constant")
OPTIMIZERS: dict[str, Any] = {"adamw": nn.optim.AdamW, "lion": nn.optim.Lion}


@dataclass(frozen=True)
class TrainConfig:
    """What to learn from, what to train, how, and for how long.

    Attributes:
        data: "python-manual", "shakespeare", a file, a folder, "-" for standard input, or a token file (.npy, as
            ``write_token_file`` leaves it) with the tokenizer it was written with.
        tokenizer: "bytes", "chars", "bpe:1024" (learned from the training part of the text, as many tokens as it says),
            a named encoding such as "gpt2", or the path of a vocabulary file.
        validation: fraction of the text, at its end, that is only evaluated on. It is cut off in characters, before
            anything is turned into ids, so that runs with different tokenizers are evaluated on the same text.
        model: a preset of GPTConfig ("gpt2", "modern"), or a dictionary of its fields, with "preset" to start from one.
            The vocabulary size comes from the tokenizer, the block size from here.
        block_size: T, how many tokens the model sees at once.
        batch_size: B, how many blocks go through at once.
        accumulate: how many batches share one step; the gradient is their mean.
        steps: how many updates of the parameters the schedule spans.
        optimizer: "adamw" or "lion" (which wants a learning rate 3 to 10 times smaller).
        lr, min_lr, warmup, schedule: the learning rate climbs for ``warmup`` steps (None: a twentieth of them all) to
            ``lr`` and falls to ``min_lr`` (None: a tenth of ``lr``) along a "cosine", a "linear" line, or in the last
            fifth only ("wsd"); "constant" stays at ``lr``.
        weight_decay: for matrices only, never for biases and norms.
        betas: of the optimizer's moving averages.
        clip: largest norm of the gradient; math.inf to only measure it.
        eval_every, eval_batches: after how many steps the losses are evaluated, and on how many batches of each part.
        sample_every, sample_tokens, sample_prompt, temperature: after how many steps a text is written (0: never), and
            how long, continuing what ("": from nowhere), and how boldly.
        checkpoint_every: after how many steps everything is saved.
        patience: stop after this many evaluations without a better one; None never does.
        max_seconds, max_tokens: stop when this much time or text is used up, over all resumed parts; None for no limit.
        seed: of the initial weights, the batches, dropout and the samples.

    Raises:
        ConfigError: a value is out of range, of another type, or at odds with another one.

    Example:
        >>> TrainConfig.preset("shakespeare-cpu").warmup, TrainConfig.preset("shakespeare-cpu", steps=200).warmup
        (100, 10)
    """

    data: str = "python-manual"
    tokenizer: str = "bytes"
    validation: float = 0.1

    model: str | dict[str, Any] = field(
        default_factory=lambda: {"preset": "gpt2", "n_layer": 4, "n_head": 4, "n_embd": 128}
    )
    block_size: int = 64

    batch_size: int = 12
    accumulate: int = 1
    steps: int = 2000
    optimizer: str = "adamw"
    lr: float = 1e-3
    min_lr: float = DERIVED
    warmup: int = DERIVED
    schedule: str = "cosine"
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.99)
    clip: float = 1.0

    eval_every: int = 250
    eval_batches: int = 20
    sample_every: int = 0
    sample_tokens: int = 200
    sample_prompt: str = ""
    temperature: float = 0.8
    checkpoint_every: int = 250

    patience: int | None = None
    max_seconds: float | None = None
    max_tokens: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.betas, list):  # as JSON has it
            object.__setattr__(self, "betas", tuple(self.betas))
        for name in (
            "block_size",
            "batch_size",
            "accumulate",
            "steps",
            "eval_every",
            "eval_batches",
            "checkpoint_every",
        ):
            self._check_number(name, whole=True, low=1)
        for name in ("sample_every", "sample_tokens", "seed"):
            self._check_number(name, whole=True)
        self._check_number("lr", above=0)
        for name in ("weight_decay", "temperature"):
            self._check_number(name)
        if self.warmup is None:
            object.__setattr__(self, "warmup", self.steps // 20)
        if self.min_lr is None:
            object.__setattr__(self, "min_lr", self.lr / 10)
        self._check_number("warmup", whole=True)
        self._check_number("min_lr")
        self._check_number("clip", above=0, infinite=True)
        self._check_number("validation", above=0, below=1)
        for name in ("patience", "max_tokens"):
            if getattr(self, name) is not None:
                self._check_number(name, whole=True, low=1)
        if self.max_seconds is not None:
            self._check_number("max_seconds", above=0)
        tokenizers.check(self.tokenizer)
        self._check_choice("schedule", SCHEDULES)
        self._check_choice("optimizer", OPTIMIZERS)
        for name in ("data", "sample_prompt"):
            if not isinstance(getattr(self, name), str):
                raise ConfigError(f"{name} is {getattr(self, name)!r}, not a text")
        if (
            not isinstance(self.betas, tuple)
            or len(self.betas) != 2
            or not all(_is_number(b) and 0 <= b < 1 for b in self.betas)
        ):
            raise ConfigError(f"betas is {self.betas!r}", hint="two numbers from 0 to below 1, such as (0.9, 0.99)")
        if not isinstance(self.model, (str, dict)):
            raise ConfigError(
                f"model is {self.model!r}", hint="the name of a preset, or a dictionary of GPTConfig's fields"
            )
        if self.warmup > self.steps:
            raise ConfigError(
                f"warmup={self.warmup} is longer than the whole run of steps={self.steps}",
                hint=f"warmup={self.steps // 10}",
            )
        if self.min_lr > self.lr:
            raise ConfigError(f"min_lr={self.min_lr} is above lr={self.lr}", hint=f"min_lr={self.lr / 10:g}")
        if isinstance(self.model, dict):
            for name, source in (("vocab_size", "the tokenizer"), ("block_size", "block_size of the TrainConfig")):
                if name in self.model:
                    raise ConfigError(f"model: {name} comes from {source}", hint="leave it out of model")

    def _check_number(
        self,
        name: str,
        whole: bool = False,
        low: float = 0,
        above: float = -math.inf,
        below: float = math.inf,
        infinite: bool = False,
    ) -> None:
        value = getattr(self, name)
        kind = "a whole number" if whole else "a number"
        if not _is_number(value) or (whole and not isinstance(value, int)):
            raise ConfigError(f"{name} is {value!r}, not {kind}")
        if not (low <= value and above < value and (value < below or infinite)) or (math.isinf(value) and not infinite):
            limits = f"above {above:g}" if above > -math.inf else f"of at least {low:g}"
            if below < math.inf:
                limits += f" and below {below:g}"
            raise ConfigError(f"{name} is {value}", hint=f"{kind} {limits}")

    def _check_choice(self, name: str, choices: Iterable[str]) -> None:
        value = getattr(self, name)
        if value not in choices:
            close = nearest(str(value), choices)
            raise ConfigError(f"{name}: there is no {value!r}", hint=close or "one of " + ", ".join(choices))

    def gpt_config(self, vocab_size: int) -> GPTConfig:
        """Return the model's config for a tokenizer of ``vocab_size`` ids.

        Raises:
            ConfigError: a field of ``model`` is misspelled or out of range.
        """
        fields = {"preset": self.model} if isinstance(self.model, str) else dict(self.model)
        preset = fields.pop("preset", "gpt2")
        return GPTConfig.preset(preset, **{**fields, "vocab_size": vocab_size, "block_size": self.block_size})

    @property
    def tokens_per_step(self) -> int:
        """How many tokens one step learns from."""
        return self.batch_size * self.block_size * self.accumulate

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, as JSON can hold them (an infinite ``clip`` becomes the word "inf")."""
        fields = dataclasses.asdict(self)
        fields["betas"] = list(self.betas)
        if math.isinf(self.clip):
            fields["clip"] = "inf"
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> TrainConfig:
        """Make a config from a dictionary; fields that are left out keep their defaults.

        Raises:
            ConfigError: a field does not exist (the nearest is named), or its value is wrong.
        """
        fields = dict(fields)
        _refuse_unknown(fields)
        if fields.get("clip") == "inf":
            fields["clip"] = math.inf
        return cls(**fields)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> TrainConfig:
        """Return a preset with some fields changed; ``PRESETS`` lists them all.

        Raises:
            ConfigError: there is no such preset or field (the nearest is named), or a value is wrong.
        """
        if name not in PRESETS:
            close = nearest(name, PRESETS)
            raise ConfigError(f"there is no preset {name!r}", hint=close or "one of " + ", ".join(PRESETS))
        return cls.from_dict({**PRESETS[name], **changes})

    def but(self, **changes: Any) -> TrainConfig:
        """Return the same config with some fields changed.

        Raises:
            ConfigError: there is no such field (the nearest is named), or a value is wrong.

        Example:
            >>> TrainConfig().but(lr=3e-4).lr
            0.0003
        """
        _refuse_unknown(changes)
        return dataclasses.replace(self, **changes)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)


def _refuse_unknown(fields: Mapping[str, Any]) -> None:
    known = [f.name for f in dataclasses.fields(TrainConfig)]
    for name in fields:
        if name not in known:
            inner = [f.name for f in dataclasses.fields(GPTConfig)]
            close = name if name in inner else nearest(name, [*inner, *known])
            if close and close in inner and close not in known:
                close = f"put it into model: {{'{close}': ...}}"
            hint = close or "one of " + ", ".join(known)
            raise ConfigError(f"the config has no field {name!r}", hint=hint)


PRESETS: dict[str, dict[str, Any]] = {
    # nanoGPT's configuration for a CPU (config/train_shakespeare_char.py with the flags of its README), at twice its
    # learning rate: 100 steps of warm-up, then a cosine from 2e-3 to 2e-4. From 1e-3, as there, it ends at 1.91 over
    # the whole validation part, in PyTorch from the same weights and batches as well; nanoGPT's 1.88 is an estimate
    # from 20 random batches.
    "shakespeare-cpu": {
        "data": "shakespeare",
        "tokenizer": "chars",
        "model": {"preset": "gpt2", "n_layer": 4, "n_head": 4, "n_embd": 128, "dropout": 0.0, "bias": False},
        "block_size": 64,
        "batch_size": 12,
        "steps": 2000,
        "lr": 2e-3,
        "weight_decay": 0.1,
        "betas": (0.9, 0.99),
        "clip": 1.0,
        "eval_every": 500,
        "eval_batches": 146,  # the whole of the validation part, so that the figure is no matter of luck
        "checkpoint_every": 250,
        "sample_every": 500,
    },
    # the same budget for a model of today: rotary positions, RMSNorm, SwiGLU, grouped heads
    "modern-cpu": {
        "data": "shakespeare",
        "tokenizer": "chars",
        "model": {"preset": "modern", "n_layer": 4, "n_head": 4, "n_kv_head": 2, "n_embd": 128, "dropout": 0.0},
        "block_size": 64,
        "batch_size": 12,
        "steps": 2000,
        "lr": 2e-3,
        "eval_every": 500,
        "eval_batches": 146,
        "checkpoint_every": 250,
        "sample_every": 500,
    },
    # a live demonstration: at most two minutes on two cores, and the text before and after differ
    "tour": {
        "data": "python-manual",
        "tokenizer": "chars",
        "model": {"preset": "gpt2", "n_layer": 4, "n_head": 4, "n_embd": 128, "dropout": 0.0, "bias": False},
        "block_size": 64,
        "batch_size": 12,
        "steps": 1000,
        "lr": 2e-3,
        "eval_every": 100,
        "eval_batches": 10,
        "checkpoint_every": 100,
        "sample_every": 200,
        "sample_tokens": 120,
        "max_seconds": 120.0,  # about a minute on two free cores; a busy machine stops early rather than late
    },
    # seconds, to see that everything works; it learns little
    "smoke": {
        "data": "python-manual",
        "tokenizer": "chars",
        "model": {"preset": "gpt2", "n_layer": 2, "n_head": 2, "n_embd": 16, "dropout": 0.0},
        "block_size": 16,
        "batch_size": 4,
        "steps": 20,
        "lr": 1e-2,
        "eval_every": 10,
        "eval_batches": 4,
        "checkpoint_every": 10,
        "sample_every": 10,
        "sample_tokens": 40,
    },
}

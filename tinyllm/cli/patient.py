"""What ``tinyllm debug`` looks at: a model from a run, a preset or elsewhere, how it is trained, and a batch."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    from ..models import GPT
    from ..nn.optim import Optimizer
    from ..train import TrainConfig


@dataclass(frozen=True)
class Patient:
    """A model that is looked at.

    Attributes:
        model: as it is.
        untrained: as it was before the first step; None where nobody knows.
        config: how it is trained.
        lr: learning rate, the config's or another one, even 0.
        x, y: a batch (B, T).
        about: what all this is, in one line each.
    """

    model: GPT
    untrained: GPT | None
    config: TrainConfig
    lr: float
    x: Any
    y: Any
    about: tuple[str, ...]

    def make(self, model: GPT) -> Optimizer:
        """Make the optimizer of its training for a copy."""
        from ..train.state import optimizer_of

        optimizer = optimizer_of(self.config, model)
        optimizer.lr = self.lr
        return optimizer


@dataclass(frozen=True)
class _Opened:
    """A model, its tokenizer and its text.

    Attributes:
        model, untrained, config: as of a Patient.
        words: the tokenizer.
        state: how far it has been trained, in words.
        tokens: ids of its own text, and the name of that; None where --text stands in for it.
        text: name of that text.
    """

    model: Any
    untrained: Any
    config: TrainConfig
    words: Any
    state: str
    tokens: Any
    text: str


def patient_of(args: argparse.Namespace) -> Patient:
    """Open what is asked for, and take a batch from its text.

    Raises:
        ConfigError: it is neither a model nor a preset, or the blocks are longer than the model reads.
        CheckpointError, DataError: the model or the text cannot be read.
    """
    import numpy as np

    from ..train import PRESETS, corpus
    from ..train.stream import get_batch
    from ..train.tokenizers import ids_of

    path = Path(args.what).expanduser()
    if args.what in PRESETS and not path.is_dir():
        found = _preset(args)
    elif (path / "manifest.json").is_file():
        found = _run(args)
    else:
        found = _elsewhere(args)
    model, config = found.model, found.config
    lr = config.lr if args.lr is None else float(args.lr)
    tokens, name = found.tokens, found.text
    if args.text and tokens is None:
        text = corpus.load(args.text)
        tokens, name = ids_of(found.words, text.text, None), text.name
    longest = model.config.block_size
    T = args.block_size or min(config.block_size, longest)
    B = args.batch_size or config.batch_size
    if longest < T:
        raise ConfigError(f"--block-size {T}: the model reads {longest} tokens at most", hint=f"--block-size {longest}")
    if len(tokens) < T + 2:
        raise DataError(f"{name}: {len(tokens)} tokens are too few for blocks of {T}", hint="a longer text")
    x, y = get_batch(tokens, B, T, np.random.default_rng(args.seed))
    sizes = model.config
    about = (
        f"model   {type(model).__name__}, {found.state}: {sizes.n_layer} layers, {sizes.n_head} heads, "
        f"{sizes.n_embd} wide, {model.count_parameters():,} parameters",
        f"batch   {B} blocks of {T} tokens from {name}",
        f"steps   {config.optimizer} at a learning rate of {lr:g}",
    )
    return Patient(model, found.untrained, config, lr, x, y, about)


def _preset(args: argparse.Namespace) -> _Opened:
    """A preset of tinyllm train before its first step; its tokenizer is made from the text that is asked for."""
    import numpy as np

    from ..models import GPT
    from ..train import TrainConfig
    from ..train.material import gather

    config = TrainConfig.preset(args.what, **({"data": args.text} if args.text else {}))
    material = gather(config)
    model = GPT(config.gpt_config(material.words.n_vocab), np.random.default_rng([config.seed, 1]))
    tokens, name = np.asarray(material.tokens), str(material.data["name"])
    return _Opened(model, model, config, material.words, "before its first step", tokens, name)


def _run(args: argparse.Namespace) -> _Opened:
    """A run folder, with the text it learned from."""
    import numpy as np

    from ..models import GPT
    from ..train import load

    model, words, run = load(args.what, args.which)
    untrained = GPT(model.config, np.random.default_rng([run.config.seed, 1]))
    tokens = None if args.text else np.asarray(run.train_tokens)
    state = f"{args.which} weights, {run.state.step} steps"
    return _Opened(model, untrained, run.config, words, state, tokens, str(run.manifest["data"]["name"]))


def _elsewhere(args: argparse.Namespace) -> _Opened:
    """A model that other tools have made, which brings no text; without --text it reads Python's manual."""
    from ..models import GPT
    from ..pretrained import load
    from ..train import PRESETS, TrainConfig, corpus
    from ..train.tokenizers import ids_of

    path = Path(args.what).expanduser()
    if not path.exists():
        close = nearest(args.what, PRESETS)
        hint = close or "a run folder, a model's folder or file, or one of " + ", ".join(PRESETS)
        raise ConfigError(f"{args.what}: there is no such folder, file or preset", hint=hint)
    model, words = load(path)
    if not isinstance(model, GPT):
        raise ConfigError(f"{args.what}: a {type(model).__name__} does not write texts", hint="a GPT or a Llama")
    if words is None:
        raise DataError(f"{args.what}: brings no tokenizer, so no text can be read", hint="put its files beside it")
    text = corpus.load(args.text or "python-manual")
    config = TrainConfig(lr=1e-4, batch_size=4, block_size=64)  # how such a model is usually trained further
    return _Opened(model, None, config, words, f"from {path.name}", ids_of(words, text.text, None), text.name)

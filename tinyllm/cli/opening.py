"""Models that a command is given: a run folder of ours, or whatever else ``tl.load`` opens."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import assets
from ..errors import ConfigError
from .parser import Parser
from .waiting import busy

if TYPE_CHECKING:
    from ..tokenizer import Tokenizer

WHAT = "a run folder, a folder of transformers, a GGUF file, llama2.c's .bin, or the name of a model (tinyllm data)"

NAMES = tuple(assets.MODELS)  # what the shell may complete


def add_model(parser: Parser, name: str = "model") -> None:
    """Declare the model, and the options that say more about it."""
    parser.add_argument(name, metavar=name.upper(), help=WHAT)
    parser.add_argument("--tokenizer", metavar="FILE", help="another tokenizer than the one beside the weights")
    parser.add_argument(
        "--which", choices=["best", "latest"],
        help="of a run folder: the weights of the lowest validation loss (default), or the latest",
    )  # fmt: skip


def is_run(path: str | Path) -> bool:
    """Tell whether this is a run folder of ours."""
    return (Path(path).expanduser() / "manifest.json").is_file()


def opened(args: argparse.Namespace, words: bool = True, writes: bool = True) -> tuple[Any, Tokenizer]:
    """Open the model and its tokenizer, while the terminal says so.

    Args:
        args: with model, tokenizer and which.
        words: can nothing be done without a tokenizer?
        writes: does the model have to foretell tokens, as an encoder such as BERT does not?

    Raises:
        ConfigError: there is no tokenizer, the model does not write, or ``--which`` was said of what is no run.
        CheckpointError, DataError: as for ``tl.load``.
    """
    if args.which is not None and not is_run(args.model):
        raise ConfigError(f"{args.model}: --which is for run folders", hint="leave it out")
    with busy(f"loading {args.model}"):
        model, found = _loaded(args)
    if writes:
        from ..models import GPT

        if not isinstance(model, GPT):
            raise ConfigError(
                f"{args.model}: a {type(model).__name__} does not write texts", hint="a GPT-2, Llama, Mistral or Qwen"
            )
    if found is None and words:
        raise ConfigError(f"{args.model}: there is no tokenizer beside the weights", hint="--tokenizer FILE")
    return model, found


def _loaded(args: argparse.Namespace) -> tuple[Any, Any]:
    if not is_run(args.model):
        from ..pretrained import load

        return load(args.model, tokenizer=args.tokenizer)
    from ..tokenizer import files
    from ..train import load as load_run

    model, tokenizer, _ = load_run(Path(args.model).expanduser(), args.which or "best")
    return model, tokenizer if args.tokenizer is None else files.load(args.tokenizer)


@contextmanager
def noted() -> Iterator[list[str]]:
    """Collect what the library warns of in a block, so that a command can say it in its own place."""
    notes: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            notes.append(record.getMessage())

    keep, logger = Keep(logging.WARNING), logging.getLogger("tinyllm")
    logger.addHandler(keep)
    try:
        yield notes
    finally:
        logger.removeHandler(keep)

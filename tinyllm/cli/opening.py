"""Models that a command is given: a run folder of ours, or whatever else ``tl.load`` opens."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .parser import Parser
from .screen import Screen

if TYPE_CHECKING:
    from ..tokenizer import Tokenizer

WHAT = "a run folder, a folder of transformers, a GGUF file, llama2.c's .bin, or the name of a model (tinyllm data)"


def add_model(parser: Parser, name: str = "model") -> None:
    """Declare the model, and the options that say more about it."""
    parser.add_argument(name, metavar=name.upper(), help=WHAT)
    parser.add_argument("--tokenizer", metavar="FILE", help="another tokenizer than the one beside the weights")
    parser.add_argument(
        "--which", choices=["best", "latest"],
        help="of a run folder: the weights of the lowest validation loss (default), or the latest",
    )  # fmt: skip


def opened(args: argparse.Namespace, words: bool = True) -> tuple[Any, Tokenizer]:
    """Open the model and its tokenizer, while the terminal says so.

    Args:
        args: with model, tokenizer and which.
        words: can nothing be done without a tokenizer?

    Raises:
        ConfigError: there is no tokenizer, the model writes no texts, or ``--which`` was said of what is no run.
        CheckpointError, DataError: as for ``tl.load``.
    """
    path = Path(args.model).expanduser()
    with busy(f"loading {args.model}"):
        if (path / "manifest.json").is_file() and args.tokenizer is None:
            from ..train import load as load_run

            model, tokenizer, _ = load_run(path, args.which or "best")
            return model, tokenizer
        if args.which is not None:
            raise ConfigError(f"{args.model}: --which is for run folders", hint="leave it out")
        from ..pretrained import load

        model, found = load(args.model, tokenizer=args.tokenizer)
    from ..models import GPT

    if not isinstance(model, GPT):
        what = f"{args.model}: a {type(model).__name__} does not write texts"
        raise ConfigError(what, hint="a GPT-2, Llama, Mistral or Qwen")
    if found is None and words:
        raise ConfigError(f"{args.model}: there is no tokenizer beside the weights", hint="--tokenizer FILE")
    return model, found  # type: ignore[return-value]


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show on a terminal that something takes its time; a screen without moving lines is left alone."""
    import sys

    screen = Screen.of(sys.stderr)
    if screen.plain:
        yield
        return
    with screen.console.status(screen.fit(what)):
        yield

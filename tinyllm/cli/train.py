"""``tinyllm train``: train a GPT on any text."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .mine import add_mine, swapped
from .parser import Parser, number
from .screen import Screen
from .settings import config_of

if TYPE_CHECKING:
    from ..train import TrainConfig

EXAMPLES = """\
  tinyllm train                                   Python's own manual; needs no download
  tinyllm train notes.txt --steps 500             a text file
  tinyllm train src/ --tokenizer bytes            every text file in a folder
  tinyllm train notes.txt --tokenizer bpe:1024    on 1,024 tokens, learned from the text itself
  cat *.md | tinyllm train -                      standard input
  tinyllm train --preset shakespeare-cpu          nanoGPT's CPU model, at twice its learning rate
  tinyllm train --resume runs/notes-1             go on where a run stopped
  tinyllm train --mine=10                         on the attention that you wrote in lesson 10
"""


def add_arguments(parser: Parser) -> None:
    """Declare the options; those that are not given keep the preset's values."""
    parser.add_argument("text", metavar="TEXT", nargs="?", help="the same as --data TEXT")
    text = parser.add_argument_group("What to learn from")
    text.add_argument(
        "--data", metavar="TEXT", help="a file, a folder, - for standard input, python-manual, shakespeare, or a token "
        "file (.npy) with the --tokenizer that made it",
    )  # fmt: skip
    text.add_argument(
        "--tokenizer", metavar="KIND", help="bytes, chars, bpe:N (N tokens, learned from the text), gpt2 or another "
        "published encoding, or the path of a vocabulary file",
    )  # fmt: skip
    text.add_argument("--validation", type=number(0, above=True), metavar="SHARE", help="of the text, at its end (0.1)")

    model = parser.add_argument_group("The model")
    model.add_argument("--model", metavar="KIND", help="gpt2, or modern (RoPE, RMSNorm, SwiGLU, grouped heads)")
    model.add_argument("--layers", type=number(1, whole=True), metavar="L", help="number of blocks")
    model.add_argument(
        "--heads", type=number(1, whole=True), metavar="H", help="attention heads; they divide the width"
    )
    model.add_argument(
        "--kv-heads", type=number(1, whole=True), metavar="K", help="key/value heads; they divide the heads"
    )
    model.add_argument("--width", type=number(1, whole=True), metavar="C", help="numbers per token")
    model.add_argument("--dropout", type=number(0), metavar="P", help="share of activations dropped while training")
    model.add_argument("--block-size", type=number(1, whole=True), metavar="T", help="tokens the model sees at once")

    course = parser.add_argument_group("The training")
    course.add_argument("--preset", metavar="NAME", help="start from shakespeare-cpu, modern-cpu, tour or smoke")
    course.add_argument("--steps", type=number(1, whole=True), metavar="N", help="updates of the parameters")
    course.add_argument("--batch-size", type=number(1, whole=True), metavar="B", help="blocks per batch")
    course.add_argument("--accumulate", type=number(1, whole=True), metavar="N", help="batches per update")
    course.add_argument("--optimizer", metavar="NAME", help="adamw, lion, muon or sgd")
    course.add_argument("--lr", type=number(0), metavar="RATE", help="highest learning rate")
    course.add_argument("--min-lr", type=number(0), metavar="RATE", help="lowest learning rate, at the end (lr / 10)")
    course.add_argument(
        "--warmup", type=number(0, whole=True), metavar="N", help="steps until the highest learning rate"
    )
    course.add_argument("--schedule", metavar="NAME", help="cosine, linear, wsd or constant")
    course.add_argument("--weight-decay", type=number(0), metavar="RATE", help="of matrices")
    course.add_argument("--clip", type=number(0, above=True), metavar="NORM", help="largest norm of the gradient")
    course.add_argument("--seed", type=number(0, whole=True), metavar="N", help="of everything random")

    when = parser.add_argument_group("When to look, save and stop")
    when.add_argument("--eval-every", type=number(1, whole=True), metavar="N", help="steps between evaluations")
    when.add_argument("--sample-every", type=number(0, whole=True), metavar="N", help="steps between texts; 0 for none")
    when.add_argument("--checkpoint-every", type=number(1, whole=True), metavar="N", help="steps between checkpoints")
    when.add_argument(
        "--patience", type=number(1, whole=True), metavar="N", help="stop after N evaluations without a better one"
    )
    when.add_argument("--max-seconds", type=number(0, above=True), metavar="S", help="stop after so many seconds")
    when.add_argument("--max-tokens", type=number(1, whole=True), metavar="N", help="stop after so many tokens")

    where = parser.add_argument_group("The run")
    where.add_argument("--out", metavar="FOLDER", help="where it is kept (runs/NAME-1, runs/NAME-2, ...)")
    where.add_argument("--resume", metavar="FOLDER", help="go on with a run, with its own settings")
    where.add_argument("--config", metavar="FILE", help="settings as JSON, as config.json of a run folder")
    where.add_argument(
        "--set", action="append", metavar="NAME=VALUE", help="any other setting, such as model.window=32"
    )
    where.add_argument("--json", action="store_true", help="print one JSON object per event")
    add_mine(parser)


def run(args: argparse.Namespace) -> int:
    """Train; return 0, or 130 after Ctrl-C, with everything saved."""
    if args.text and args.data:
        raise ConfigError(
            f"two texts are given, {args.text} and {args.data}", hint="one of them, or a folder with both"
        )
    args.data, args.text = args.text or args.data, None
    given = [
        name
        for name, value in vars(args).items()
        if value is not None and name not in ("json", "debug", "resume", "mine")
    ]
    if args.resume and given:
        option = "--" + given[0].replace("_", "-")
        raise ConfigError(
            f"--resume goes on with the run's own settings; {option} would change them", hint=f"leave out {option}"
        )

    from .. import kernels
    from ..train import Run
    from .compiling import compile_kernels
    from .pictures import draw_loss_of
    from .progress import Json, Preparing, summary, view

    screen = Screen.of()
    if args.resume:
        training = Run.open(args.resume)
    else:
        config = config_of(args)
        folder = args.out or free_folder(name_of(args, config))
        training = Run.create(folder, config, Preparing(screen, silent=args.json))
    compile_kernels(screen, silent=args.json, names=kernels.TRAINING)
    with swapped(args.mine, None) as receipt, view(screen, args.json) as watching:
        result = training.train([watching])
    picture = draw_loss_of(training)
    if isinstance(watching, Json):
        bits = training.bits_per_byte(result.val_loss)
        watching.write(
            "result", **vars(result), val_bits_per_byte=bits, folder=str(training.folder), picture=str(picture),
            **({"mine": receipt.calls} if receipt else {}),
        )  # fmt: skip
    else:
        if screen.plain:
            screen.line(summary(training, result))
        else:
            screen.paragraph(summary(training, result), style="bold")
        for line in receipt.text().splitlines() if receipt else []:
            screen.line(line)
        screen.line(f"picture: {picture}")
        again = "--resume " if result.stopped == "interrupt" else ""
        command = f"tinyllm train {again}{training.folder}" if again else f'tinyllm generate {training.folder} "Once"'
        screen.line(f"next: {command}")
    return 130 if result.stopped == "interrupt" else 0


def name_of(args: argparse.Namespace, config: TrainConfig) -> str:
    """Name a run after its preset or its text, in letters that every file system takes."""
    name = args.preset if args.preset and not args.data else Path(config.data).stem if config.data != "-" else "stdin"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name or Path(config.data).resolve().name).strip("-.") or "run"


def free_folder(name: str, parent: str | Path = "runs") -> Path:
    """Return the first of runs/NAME-1, runs/NAME-2, ... that is not there yet."""
    number = 1
    while (folder := Path(parent) / f"{name}-{number}").exists():
        number += 1
    return folder

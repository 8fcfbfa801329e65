"""``tinyllm convert``: write a model in the format of other tools."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ConfigError
from .opening import NAMES, add_model, noted, opened
from .parser import Parser
from .screen import Screen, say
from .waiting import busy
from .written import megabytes

DTYPES = ("float32", "bfloat16", "float16", "Q8_0", "Q4_0")
OPTIONS = {"overwrite=True": "--overwrite", "max_shard_size": "--shards", 'format="hf"': "--to hf"}
WORDS = NAMES
EXAMPLES = """\
  tinyllm convert runs/tour-1 out/tour                  a folder that transformers opens
  tinyllm convert runs/tour-1 tour.gguf                 a file that llama.cpp opens
  tinyllm convert qwen/ qwen.gguf --dtype Q8_0
  tinyllm convert gpt2/ gpt2-half --dtype bfloat16 --shards 200MB
"""


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument("out", metavar="OUT", help="a folder (for transformers), or a file that ends in .gguf")
    parser.add_argument("--to", choices=["hf", "gguf"], help="the format; by default what the name of OUT says")
    parser.add_argument(
        "--dtype", choices=DTYPES, default="float32", help="of the stored numbers; Q8_0 and Q4_0 for .gguf (float32)"
    )
    parser.add_argument("--shards", metavar="SIZE", help="largest file of a folder, such as 500MB")
    parser.add_argument("--overwrite", action="store_true", help="replace a model that is there")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Open, write, and say what was written."""
    from ..pretrained import save

    model, tokenizer = opened(args, words=False, writes=False)
    out = Path(args.out).expanduser()
    form = args.to or ("gguf" if out.suffix == ".gguf" else "hf")
    began = time.perf_counter()
    with busy(f"writing {out}"), noted() as notes, options_named():
        path = save(model, tokenizer, out, form, dtype=args.dtype, max_shard_size=args.shards, overwrite=args.overwrite)
    seconds = time.perf_counter() - began
    if tokenizer is None:
        notes.append("there was no tokenizer to write")
    files = sorted(file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
    size = sum(file.stat().st_size for file in files)
    if args.json:
        result = {
            "out": str(path), "format": form, "dtype": args.dtype, "parameters": model.count_parameters(),
            "bytes": size, "files": [str(file) for file in files], "seconds": round(seconds, 3),
            "tokenizer": tokenizer is not None, "notes": notes,
        }  # fmt: skip
        say(json.dumps(result))
        return 0
    screen = Screen.of()
    screen.line(f"{path}: {megabytes(size)} in {len(files)} file{'s' * (len(files) != 1)}", style="bold")
    screen.line(f"{model.count_parameters():,} parameters as {args.dtype}, written in {seconds:.1f} s")
    for note in notes:
        screen.paragraph(f"note: {note}")
    if form == "gguf" or tokenizer is not None:
        screen.line(f"next: tinyllm generate {path}", style="dim")
    return 0


@contextmanager
def options_named() -> Iterator[None]:
    """Let what the library says of its parameters name the options of the command line instead."""
    try:
        yield
    except ConfigError as error:
        message, hint = error.message, error.hint or ""
        for parameter, option in OPTIONS.items():
            message, hint = message.replace(parameter, option), hint.replace(parameter, option)
        raise ConfigError(message, hint=hint) from error

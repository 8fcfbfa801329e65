"""``tinyllm warm``: compile the kernels now, so that no later command has to, and measure who multiplies faster."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from .compiling import compile_kernels
from .doctor import writable
from .info import numba_cache, size_of
from .parser import Parser
from .screen import Screen, say

EXAMPLES = """\
  tinyllm warm
  tinyllm warm --all
  tinyllm warm --dtype float64 --json
"""
DTYPES = ("float32", "float64")
_AS_MUCH = 5.0  # seconds: what comes from the cache comes faster


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    beyond = " and ".join(f"the kernels that {room.about}" for room in ROOMS.values() if not room.always)
    parser.add_argument("--all", action="store_true", help=f"both number types, and {beyond}")
    parser.add_argument(
        "--dtype", choices=DTYPES, help="float32 to train and generate (the default), float64 to check gradients"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Compile; return 1 if nothing of it can be kept."""
    from .. import kernels
    from ..kernels import choice

    screen = Screen.of()
    chosen = [args.dtype] if args.dtype else list(DTYPES if args.all else DTYPES[:1])
    folder = numba_cache(Path(kernels.__file__).parent)
    kept = writable(folder)
    seconds: dict[str, float] = {}
    if kernels.backend() == "numba":
        for dtype in chosen:
            seconds[dtype] = compile_kernels(screen, silent=args.json, dtype=dtype)
            choice.settle(dtype)
        for name, room in ROOMS.items():
            if room.always or args.all:
                seconds[name] = compile_room(screen, room, silent=args.json)
    files = size_of(folder, ("*.nbc",))
    if args.json:
        facts = {
            "backend": kernels.backend(),
            "seconds": seconds,
            "cache": {"path": str(folder), "kept": kept, **files},
        }
        say(json.dumps(facts))
    else:
        tell(screen, kernels.backend(), seconds, {"path": folder, "kept": kept, **files})
    return 0 if kept or not seconds else 1


def tell(screen: Screen, backend: str, seconds: dict[str, float], cache: dict[str, Any]) -> None:
    """Say what is ready, how long it took, and where it is."""
    if not seconds:
        screen.line(f"kernels run on {backend}: there is nothing to compile")
        return
    for what, took in seconds.items():
        how = "compiled" if took > _AS_MUCH else "ready"
        screen.line(f"{what:<10} {how} in {took:.1f} s")
    if cache["kept"]:
        size = cache["bytes"] / 2**20
        screen.line(f"kept in {cache['path']}: {cache['files']} files, {size:.1f} MiB")
    else:
        screen.line(
            f"{cache['path']} cannot be written: every process compiles anew. "
            "Try: NUMBA_CACHE_DIR=a folder you may write to"
        )


def compile_room(screen: Screen, room: Room, silent: bool) -> float:
    """Compile what is in no table of kernels, by using it once; return the seconds it took."""
    began = time.perf_counter()
    if not silent:
        screen.line(f"the kernels that {room.about}: compiling (first run only)")
    room.use()
    return time.perf_counter() - began


def use_tokenizer() -> None:
    """Train a vocabulary and encode with it."""
    from ..tokenizer import train_bpe

    text = " ".join(f"{n} word{n}" for n in range(1 << 13))
    encoding = train_bpe(iter([text]), 300)  # of texts that come one by one, nobody knows how few they are
    encoding.load_kernels()
    encoding.encode_ordinary_batch([text, text])


def use_search() -> None:
    """Search in words and in vectors."""
    from ..kernels import warm_search

    warm_search()


class Room(NamedTuple):
    """Kernels beyond the table: what they do, how to come through all of them, and whether to without --all."""

    about: str
    use: Callable[[], None]
    always: bool


ROOMS = {
    "search": Room("search in words and vectors", use_search, always=True),
    "tokenizer": Room("learn vocabularies and encode", use_tokenizer, always=False),
}

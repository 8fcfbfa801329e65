"""``tinyllm tokens train``: learn a vocabulary from texts of one's own."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, DataError, TinyLLMError
from ..parser import Parser, number
from ..progress import Preparing
from ..screen import Screen, say

if TYPE_CHECKING:
    from ...tokenizer import Encoding

EXAMPLES = """\
  tinyllm tokens train notes.txt --vocab-size 1024 --out notes.json
  tinyllm tokens train python-manual --vocab-size 4096 --pattern cl100k --special "<|endoftext|>" --out manual.json
  tinyllm tokens train src/ README.md --vocab-size 8000 --tie huggingface --out tokenizer --format huggingface
"""
_SAMPLE = 1 << 20  # bytes of the texts that the vocabulary is measured on
_FIRST = 12  # merges in the report
_DOING = {"count": "counting words, in bytes", "merge": "learning merges"}


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    parser.add_argument(
        "texts", metavar="TEXT", nargs="+",
        help="files, folders (every text file in them), python-manual, shakespeare, or - for standard input",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE", required=True, help="where to: .json or .tiktoken, or see --format")
    parser.add_argument(
        "--format", metavar="NAME", help="tinyllm, tiktoken, gpt2 or huggingface; the last two are folders"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a vocabulary that is there already")

    what = parser.add_argument_group("What to learn")
    what.add_argument(
        "--vocab-size", type=number(256, whole=True), default=1024, metavar="V",
        help="how many tokens, 256 single bytes and the special ones among them (1024)",
    )  # fmt: skip
    what.add_argument(
        "--pattern", default="gpt2", metavar="NAME",
        help="how words are told apart: gpt2, cl100k, llama3, nanochat, qwen2, o200k or none (gpt2)",
    )  # fmt: skip
    what.add_argument(
        "--special", action="append", default=[], metavar="TOKEN", help='a special token, such as "<|endoftext|>"'
    )
    what.add_argument(
        "--tie", default="bytes", metavar="RULE",
        help="which of equally frequent pairs comes first, as other tools have it: bytes, bytes_min (gigatoken), ids "
        "(rustbpe), huggingface, first (minbpe) (bytes)",
    )  # fmt: skip
    what.add_argument(
        "--min-frequency", type=number(1, whole=True), default=1, metavar="N", help="leave rarer pairs apart (1)"
    )
    what.add_argument("--max-token-length", type=number(1, whole=True), metavar="N", help="of a token, in bytes")
    what.add_argument("--threads", type=number(1, whole=True), metavar="N", help="that count words (one per core)")
    parser.add_argument("--name", metavar="NAME", help="of the encoding (the name of the file)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Learn, report, save."""
    from ...tokenizer.files import save
    from ...tokenizer.train import train_bpe

    named, skipped = sources(args.texts)
    texts = [text for _, text in named]
    if not args.overwrite and Path(args.out).is_file():  # told before the work, not after it
        raise ConfigError(f"{args.out}: is there already", hint="another name, or --overwrite")
    screen = Screen.of()
    clock = Clock(Preparing(screen, silent=args.json))
    encoding = train_bpe(
        texts, args.vocab_size, pattern=None if args.pattern == "none" else args.pattern, special_tokens=args.special,
        tie=args.tie, min_frequency=args.min_frequency, max_token_length=args.max_token_length, threads=args.threads,
        progress=clock, name=args.name or Path(args.out).name.partition(".")[0] or "own",
    )  # fmt: skip
    clock.stop()
    try:
        path = save(encoding, args.out, args.format, overwrite=args.overwrite)
    except TinyLLMError as error:
        raise _kept(encoding, args.out, error) from None
    facts = report(encoding, texts, clock, args.vocab_size, path)
    facts["skipped"] = skipped
    if args.json:
        say(json.dumps(facts))
    else:
        _print(screen, facts)
    return 0


def _kept(encoding: Encoding, out: str, error: TinyLLMError) -> TinyLLMError:
    """Keep what was learned, although its file cannot be as it was asked for, and say where."""
    from ...tokenizer.files import save

    kept = Path(out).with_name(f"{Path(out).name}.kept.json")
    try:
        save(encoding, kept, "tinyllm", overwrite=True)
    except (TinyLLMError, OSError):
        return error
    return type(error)(f"{error.message}; what was learned is kept in {kept}", hint=error.hint)


@dataclass
class Clock:
    """Measures what training tells of its progress, and passes it on."""

    told: Preparing
    stage: str = ""
    began: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Take note of how far it is."""
        if stage != self.stage:
            self.stop()
            self.stage = stage
        self.done[stage] = done
        self.told(_DOING.get(stage, stage), done, total)

    def stop(self) -> None:
        """End the stage that is going on; the next begins now."""
        now = time.perf_counter()
        if self.stage:
            self.seconds[self.stage] = now - self.began
        self.stage, self.began = "", now


def sources(words: list[str]) -> tuple[list[tuple[str, str | Path]], list[str]]:
    """Return (name, text or file) of all that is meant, and the files of folders that are left out for being binary.

    Raises:
        DataError: there is no such file or text, or nothing in a folder.
    """
    from ...train.corpus import NAMED

    found: list[tuple[str, str | Path]] = []
    skipped: list[str] = []
    for word in words:
        path = Path(word).expanduser()
        if word == "-":
            found.append(("standard input", _standard_input()))
        elif word in NAMED:
            found.append((word, NAMED[word]()))
        elif path.is_dir():
            files = [Path(at, name) for at, _, names in _walk(path) for name in sorted(names) if name[0] != "."]
            texts = [file for file in files if is_text(file)]
            if not texts:
                raise DataError(f"{word}: no text is in this folder", hint="a folder with UTF-8 text files")
            found += [(str(file), file) for file in texts]
            skipped += [str(file) for file in sorted({*files} - {*texts})]
        elif path.is_file():
            found.append((word, path))
        else:
            raise DataError(f"{word}: there is no such file, folder or named text", hint="one of " + ", ".join(NAMED))
    return found, skipped


def _walk(folder: Path) -> Any:
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield at, folders, names


def is_text(path: Path) -> bool:
    """Tell by its beginning whether a file is UTF-8 text."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 13)
    except OSError:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3 and b"\0" not in head  # the end may lie inside a character
    return b"\0" not in head


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise DataError(f"standard input is no UTF-8 text: byte {error.start:,}") from None


def report(encoding: Encoding, texts: list[str | Path], clock: Clock, asked: int, path: Path) -> dict[str, Any]:
    """Collect what was learned, how fast, and how much shorter it makes the text."""
    sample = _sample(texts)
    merges = encoding.merges or []
    seconds = clock.seconds.get("merge", 0.0)
    tokens = encoding.count(sample, disallowed_special=())
    return {
        "path": str(path),
        "name": encoding.name,
        "vocab_size": encoding.n_vocab,
        "asked": asked,
        "bytes_read": clock.done.get("count", 0),
        "merges": len(merges),
        "seconds_counting": round(clock.seconds.get("count", 0.0), 3),
        "seconds_merging": round(seconds, 3),
        "merges_per_second": round(len(merges) / seconds) if seconds else None,
        "sample_bytes": len(sample.encode()),
        "bytes_per_token": round(len(sample.encode()) / tokens, 4) if tokens else None,
        "first": [
            {"left": _text(left), "right": _text(right), "times": times}
            for (left, right), times in list(zip(merges, encoding.counts or [], strict=False))[:_FIRST]
        ],
    }


def _sample(texts: list[str | Path]) -> str:
    """The beginnings of all texts, up to a megabyte."""
    parts = []
    for text in texts:
        share = max(_SAMPLE // len(texts), 256)
        if isinstance(text, str):
            parts.append(text[:share])
        else:
            with text.open("rb") as file:
                parts.append(file.read(share).decode("utf-8", "ignore"))
    return "".join(parts)[:_SAMPLE]


def _text(token: bytes) -> str:
    from ...viz.cells import escaped

    return escaped([token])[0]


def _print(screen: Screen, facts: dict[str, Any]) -> None:
    first = facts["first"]
    if first:
        screen.line()
        screen.line("the first merges, and how often the two stood side by side", style="bold")
        sizes = [max(len(row[part]) for row in first) + 2 for part in ("left", "right")]
        for place, row in enumerate(first):
            left, right = (
                f"{'|' + row[part] + '|':>{size}}" for part, size in zip(("left", "right"), sizes, strict=True)
            )
            screen.line(f"{place + 1:>4}  {left} + {right:<{sizes[1]}}  {row['times']:,}")
    screen.line()
    wanted = f" ({facts['asked']:,} were asked for: no pair is left)" if facts["vocab_size"] < facts["asked"] else ""
    speed = f", {facts['merges_per_second']:,} a second" if facts["merges_per_second"] else ""
    after = facts["bytes_per_token"]
    lines = [
        ("vocabulary", f"{facts['vocab_size']:,} tokens{wanted}"),
        ("merges", f"{facts['merges']:,} in {facts['seconds_merging']:.2f} s{speed}"),
        ("counting", f"{facts['bytes_read']:,} bytes in {facts['seconds_counting']:.2f} s"),
        ("per token", "-" if after is None else f"1 byte before, {after:.2f} bytes after"),
        ("file", facts["path"]),
    ]
    if facts["skipped"]:
        lines.append(("left out", f"{len(facts['skipped'])} files that are no text, {facts['skipped'][0]} for one"))
    for name, value in lines:
        screen.line(f"{name:<12}{value}")
    screen.line(f'next: tinyllm tokens "a text" --encoding {facts["path"]}', style="dim")

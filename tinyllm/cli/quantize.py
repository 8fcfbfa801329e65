"""``tinyllm quantize``: what a model loses, and gains, when its weights have fewer bits."""

from __future__ import annotations

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError
from .opening import NAMES, add_model, is_run, noted, opened
from .parser import Parser, number
from .screen import Screen, say
from .waiting import busy
from .written import megabytes

KINDS = {8: "Q8_0", 4: "Q4_0"}
MEANING = (
    "Perplexity: as if so many tokens were equally likely at each place; lower is better. int8 and int4 keep a number "
    "in 8 or 4 bits, with a scale for every 32; int4x8 rounds what comes in to 8 bits as well. "
    "Fewer bits are faster where weights are too many for the processor's cache; a small model gains memory only."
)
WORDS = NAMES
EXAMPLES = """\
  tinyllm quantize runs/tour-1 --text notes.txt            the price in perplexity, the gain in speed
  tinyllm quantize gpt2/ gpt2-q8.gguf --text notes.txt     and write it, with 8 bits a weight
  tinyllm quantize gpt2/ gpt2-q4.gguf --bits 4
"""


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument("out", metavar="OUT", nargs="?", help="where to write it, a file that ends in .gguf")
    parser.add_argument("--bits", type=int, choices=[8, 4], help="of a weight in OUT (8)")
    parser.add_argument("--text", metavar="FILE", help="a text to measure perplexity on; a run has one of its own")
    parser.add_argument(
        "--tokens", type=number(2, whole=True), default=1000, metavar="N", help="how many tokens of it (1000)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a model that is there")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Measure every format of weights on the same tokens, and write the one that was asked for."""
    from ..generate.weights import FORMATS
    from ..pretrained import save

    out, bits = _goal(args)
    model, tokenizer = opened(args, words=args.text is not None)
    ids = _ids(args, model, tokenizer)
    rows = []
    for name in FORMATS if len(ids) else ():
        with busy(f"reading {len(ids):,} tokens with weights in {name}", kernels=True):
            rows.append(measured(model, name, ids))
    notes: list[str] = []
    if out is not None:
        with busy(f"writing {out}"), noted() as notes:
            save(model, tokenizer, out, "gguf", dtype=KINDS[bits], overwrite=args.overwrite)
    if not rows:
        notes.append("there was no text to measure the price on: --text FILE")
    if args.json:
        written = {"out": str(out), "bits": bits, "bytes": out.stat().st_size} if out is not None else {"out": None}
        say(json.dumps({"tokens": len(ids), "rows": rows, **written, "notes": notes}))
        return 0
    screen = Screen.of()
    if rows:
        _show(screen, args, rows)
    if out is not None:
        screen.line(f"{out}: {megabytes(out.stat().st_size)}, {bits} bits a weight", style="bold")
        for note in notes:
            screen.paragraph(f"note: {note}")
    return 0


def _show(screen: Screen, args: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    """Print the table, and what its columns mean."""
    screen.line(
        f"{rows[0]['tokens']:,} tokens of {args.text or 'the text it was validated on'}, read one by one", style="bold"
    )
    screen.line(f"{'weights':<9}{'memory':>9}{'perplexity':>12}{'more by':>10}{'tokens/s':>10}")
    for row in rows:
        more = round(100 * (row["perplexity"] / rows[0]["perplexity"] - 1), 2) + 0.0  # no minus before a zero
        screen.line(
            f"{row['weights']:<9}{megabytes(row['bytes']):>9}{row['perplexity']:>12.4g}"
            f"{more:>8.2f} %{row['tokens_per_second']:>10,.0f}"
        )
    screen.paragraph(MEANING, style="dim")


def _goal(args: argparse.Namespace) -> tuple[Path | None, int]:
    """Return where to write, and in how many bits; refuse what cannot be before anything takes time."""
    if args.out is None:
        if args.bits is not None:
            raise ConfigError("quantize: --bits is for what is written", hint="OUT, a file that ends in .gguf")
        return None, 8
    out, bits = Path(args.out).expanduser(), args.bits or 8
    if out.suffix != ".gguf":
        raise ConfigError(f"{args.out}: weights of {bits} bits are written to a .gguf file", hint=f"{out.name}.gguf")
    if out.exists() and not (args.overwrite and out.is_file()):
        raise ConfigError(f"{args.out}: is there already", hint="another name, or --overwrite for a file")
    return out, bits


def measured(model: Any, weights: str, ids: Any) -> dict[str, Any]:
    """Read tokens one by one with weights in some format; return perplexity, speed and memory.

    The text is read in pieces as long as the model's context, and forgotten after each: what
    ``generate.token_log_probabilities`` says of windows that do not overlap.
    """
    import numpy as np

    from ..generate import Decoder

    decoder = Decoder(model, weights, max_length=min(len(ids), model.config.block_size))
    decoder.step(np.array([ids[0]]))  # what is to be loaded or compiled is so now, and does not count
    nats = seconds = 0.0
    for i, (token, after) in enumerate(pairwise(ids)):
        if i % model.config.block_size == 0:
            decoder.reset()
        began = time.perf_counter()
        logits = decoder.step(np.array([token]))
        seconds += time.perf_counter() - began
        scores = logits[0].astype(np.float64)  # (V,)
        scores -= scores.max()
        nats += float(np.log(np.exp(scores).sum()) - scores[after])
    count = len(ids) - 1
    return {
        "weights": weights, "tokens": len(ids),
        "perplexity": float(np.exp(nats / count)), "nats_per_token": nats / count,
        "tokens_per_second": round(count / seconds, 1), "bytes": sum(m.nbytes for m in decoder.matrices),
    }  # fmt: skip


def _ids(args: argparse.Namespace, model: Any, tokenizer: Any) -> Any:
    import numpy as np

    if args.text is not None:
        from ..generate.prompts import prompt_ids

        text = Path(args.text).expanduser().read_text(encoding="utf-8", errors="replace")
        ids = np.array(prompt_ids(tokenizer, text[: 20 * args.tokens]))
    elif is_run(args.model):
        from ..train import Run

        ids = np.asarray(Run.open(args.model).val_tokens)
    elif args.out is None:
        raise ConfigError(f"{args.model}: there is no text to measure on", hint="--text FILE")
    else:
        return np.array([], np.int64)
    if len(ids) < 2:
        raise DataError(f"{args.text or args.model}: has fewer than two tokens", hint="a longer text")
    return ids[: args.tokens]

"""``tinyllm quantize``: what a model loses, and gains, when its weights have fewer bits."""

from __future__ import annotations

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError
from .opening import add_model, busy, opened
from .parser import Parser, number
from .screen import Screen, say
from .written import megabytes

KINDS = {"int8": "Q8_0", "int4": "Q4_0"}
EXAMPLES = """\
  tinyllm quantize runs/tour-1 --text notes.txt            the price in perplexity, the gain in speed
  tinyllm quantize gpt2/ gpt2-q8.gguf --text notes.txt     and write it, with 8 bits a weight
  tinyllm quantize gpt2/ gpt2-q4.gguf --bits 4
"""


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument("out", metavar="OUT", nargs="?", help="where to write it, a file that ends in .gguf")
    parser.add_argument("--bits", type=int, choices=[8, 4], default=8, help="of a weight in OUT (8)")
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

    out = Path(args.out).expanduser() if args.out else None
    if out is not None and out.suffix != ".gguf":
        raise ConfigError(
            f"{args.out}: weights of {args.bits} bits are written to a .gguf file", hint=f"{out.name}.gguf"
        )
    model, tokenizer = opened(args, words=args.text is not None)
    ids = _ids(args, model, tokenizer)
    rows = []
    for name in FORMATS:
        with busy(f"reading {len(ids):,} tokens with weights in {name}"):
            rows.append(measured(model, name, ids))
    if out is not None:
        with busy(f"writing {out}"):
            save(model, tokenizer, out, "gguf", dtype=KINDS[f"int{args.bits}"], overwrite=args.overwrite)
    if args.json:
        say(
            json.dumps({"tokens": len(ids), "rows": rows, "out": out and str(out), "bytes": out and out.stat().st_size})
        )
        return 0
    screen = Screen.of()
    screen.line(f"{len(ids):,} tokens, read one by one", style="bold")
    screen.line(f"{'weights':<9}{'memory':>9}{'perplexity':>12}{'more by':>10}{'tokens/s':>10}")
    for row in rows:
        more = row["perplexity"] / rows[0]["perplexity"] - 1
        screen.line(
            f"{row['weights']:<9}{megabytes(row['bytes']):>9}{row['perplexity']:>12.4g}"
            f"{100 * more:>8.2f} %{row['tokens_per_second']:>10,.0f}"
        )
    if out is not None:
        screen.line(f"{out}: {megabytes(out.stat().st_size)}, {args.bits} bits a weight")
    return 0


def measured(model: Any, weights: str, ids: Any) -> dict[str, Any]:
    """Read tokens one by one with weights in some format; return perplexity, speed and memory."""
    import numpy as np

    from ..generate import Decoder
    from ..kernels import log_softmax

    decoder = Decoder(model, weights, max_length=min(len(ids), model.config.block_size))
    nats, began = 0.0, time.perf_counter()
    for i, (token, after) in enumerate(pairwise(ids)):
        if i % model.config.block_size == 0:
            decoder.reset()
        logits = decoder.step(np.array([token]))
        nats -= float(log_softmax(logits.astype(np.float64))[0, after])
    seconds = time.perf_counter() - began
    return {
        "weights": weights, "perplexity": float(np.exp(nats / (len(ids) - 1))), "nats_per_token": nats / (len(ids) - 1),
        "tokens_per_second": round((len(ids) - 1) / seconds, 1), "bytes": sum(m.nbytes for m in decoder.matrices),
    }  # fmt: skip


def _ids(args: argparse.Namespace, model: Any, tokenizer: Any) -> Any:
    import numpy as np

    manifest = Path(args.model).expanduser() / "manifest.json"
    if args.text is not None:
        from ..generate.prompts import prompt_ids

        text = Path(args.text).expanduser().read_text(encoding="utf-8", errors="replace")
        ids = np.array(prompt_ids(tokenizer, text[: 20 * args.tokens]))
    elif manifest.is_file():
        from ..train import Run

        ids = np.asarray(Run.open(args.model).val_tokens)
    else:
        raise ConfigError(f"{args.model}: there is no text to measure on", hint="--text FILE")
    if len(ids) < 2:
        raise DataError(f"{args.text or args.model}: has fewer than two tokens", hint="a longer text")
    return ids[: args.tokens]

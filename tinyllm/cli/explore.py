"""``tinyllm explore``: one HTML page that shows a model at work on a text, and lets its settings be turned."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from .opening import NAMES, add_model, is_run, opened
from .parser import Parser
from .screen import Screen, say
from .waiting import busy
from .written import megabytes

WORDS = NAMES
EXAMPLES = """\
  tinyllm explore runs/tour-1
  tinyllm explore gpt2/ "The cat sat on the" --out gpt2.html
  tinyllm explore runs/tour-1 "def main" --no-open
"""
LONGEST = 64  # tokens
_TIMED = 16  # tokens that are written to measure the cache


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument("text", metavar="TEXT", nargs="?", help="what the model reads; a run has a text of its own")
    parser.add_argument("--out", metavar="FILE", help="where the page goes (explore.html, in a run's own folder)")
    parser.add_argument("--no-open", action="store_true", help="write the page, and leave the browser alone")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Write the page; open it where somebody sits at a terminal."""
    from ..atomic import write_atomically

    model, tokenizer = opened(args)
    where = Path(args.model).expanduser() if is_run(args.model) else Path()
    out = Path(args.out).expanduser() if args.out else where / "explore.html"
    ids = _ids(args, model, tokenizer)
    with busy("asking the model", kernels=True):
        html = page_of(model, tokenizer, ids, str(args.model)).encode()
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, lambda file: file.write(html))
    if args.json:
        say(json.dumps({"out": str(out), "bytes": len(html), "tokens": len(ids)}))
        return 0
    Screen.of().line(f"{out}: {megabytes(len(html))}, {len(ids)} tokens; opens by double-click")
    if sys.stdout.isatty() and not args.no_open and _has_windows():
        import webbrowser

        webbrowser.open(out.resolve().as_uri())
    return 0


def _has_windows() -> bool:
    """Is there a screen for a browser? A terminal far away has none, and a browser in it would take its place."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def page_of(model: Any, tokenizer: Any, ids: np.ndarray[Any, Any], title: str) -> str:
    """Return the page for a model that reads some tokens (T,)."""
    from ..autograd import no_grad
    from ..generate.prompts import unused_ids
    from ..viz import AttentionMaps, NextTokens, attention_panel, cache_panel, panels_page, sampling_panel
    from ..viz.lens_page import lens_panel
    from ..viz.scatter_page import map_panel
    from .looking import lens_of, map_of

    model.eval()
    V, config = model.config.vocab_size, model.config
    maps = [array[0] for array in model.attention_maps(ids[None])]
    with no_grad():
        logits = model(ids[None]).data[0].astype(np.float64)  # (T, V)
    unused = set(unused_ids(tokenizer, V).tolist())
    names = ["" if i in unused else tokenizer.decode([i]) or "?" for i in range(V)]
    tokens = [tokenizer.decode([int(i)]) for i in ids]
    panels = [
        attention_panel(AttentionMaps(maps, tokens)),
        lens_panel(lens_of(model, tokenizer, ids)),
        sampling_panel(NextTokens(logits, tokens, names)),
        cache_panel(cost_of(model, measured(model, ids))),
    ]
    if (points := map_of(model, tokenizer, ids)) is not None:
        panels.append(map_panel(points))
    family = getattr(config, "family", type(model).__name__)
    about = (
        f"{family}: {config.n_layer} layers, {config.n_head} heads, {config.n_embd} wide, "
        f"{model.count_parameters():,} parameters"
    )
    return panels_page(title, panels, about)


def cost_of(model: Any, measured: str = "") -> Any:
    """Return what a token costs a model, for the panel of the cache."""
    from ..viz import CacheCost

    config = model.config
    head = config.vocab_size * config.n_embd
    tables = {"wte.weight", "wpe.weight", "head.weight"}
    inner = sum(p.data.size for name, p in model.named_parameters() if name not in tables and p.ndim == 2)
    return CacheCost(
        config.n_layer, config.n_head, config.n_kv_head, config.head_size, inner + head, head, config.block_size,
        itemsize=model.wte.weight.dtype.itemsize, measured=measured,
    )  # fmt: skip


def measured(model: Any, ids: np.ndarray[Any, Any]) -> str:
    """Write some tokens with the cache and without, and say how fast each was; "" where there is no room for them."""
    from ..autograd import no_grad
    from ..generate import Decoder

    start = ids[: max(1, min(len(ids), model.config.block_size - _TIMED))]
    if len(start) + _TIMED > model.config.block_size:
        return ""

    def cached() -> None:
        decoder = Decoder(model, max_length=len(start) + _TIMED)
        logits = decoder.prefill(start[None])
        for _ in range(_TIMED - 1):
            logits = decoder.step(logits.argmax(axis=-1))

    def whole() -> None:
        text = start.tolist()
        with no_grad():
            for _ in range(_TIMED):
                text.append(int(model(np.array([text])).data[0, -1].argmax()))

    rates = []
    for write in (cached, whole):
        write()  # what is to be compiled is compiled now
        began = time.perf_counter()
        write()
        rates.append(_TIMED / (time.perf_counter() - began))
    return f"after {len(start)} tokens {rates[0]:,.0f} tokens/s with the cache, {rates[1]:,.0f} without"


def _ids(args: argparse.Namespace, model: Any, tokenizer: Any) -> np.ndarray[Any, Any]:
    from ..errors import ConfigError
    from ..generate.prompts import first_ids

    most = min(LONGEST, model.config.block_size)
    if args.text is None:
        if not is_run(args.model):
            raise ConfigError(
                f"{args.model}: there is no text to read", hint=f'tinyllm explore {args.model} "Some text"'
            )
        from ..train import Run
        from .pictures import varied

        return varied(np.asarray(Run.open(args.model).val_tokens), most).astype(np.int64)
    return np.array(first_ids(args.text, tokenizer, model.config)[-most:])

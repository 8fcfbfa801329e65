"""From a run folder to its pictures: loss.png and attention.png."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..train import Run
    from ..viz.loss import LossCurve

_TEXT = 48  # tokens of the attention picture


def draw_loss_of(run: Run) -> Path:
    """Draw the losses of a run into its folder; return the path of the picture."""
    from ..train import metrics
    from ..viz import draw_loss, save

    return save(draw_loss(curve_of(run, metrics.read(run.metrics_path))), run.folder / "loss.png")


def curve_of(run: Run, rows: list[dict[str, Any]]) -> LossCurve:
    """Turn the rows of metrics.jsonl into what the loss picture draws."""
    from ..viz import LossCurve

    steps = [row for row in rows if row["kind"] == "step"]
    evals = [row for row in rows if row["kind"] == "eval"]
    model = run.model.config
    about = f"{model.n_layer} layers, {model.n_head} heads, {model.n_embd} wide, block {model.block_size}"
    tokens = run.config.tokens_per_step * len(steps)
    return LossCurve(
        steps=[row["step"] for row in steps],
        train=[row["loss"] for row in steps],
        val_steps=[row["step"] for row in evals],
        val=[row["val_loss"] for row in evals],
        lr=[row["lr"] for row in steps],
        bytes_per_token=run.bytes_per_token,
        title=f"A GPT learns {run.manifest['data']['name']}",
        subtitle=f"{about}; {run.model.count_parameters():,} parameters, {tokens:,} tokens seen",
    )


def varied(tokens: np.ndarray[Any, Any], count: int, tries: int = 200) -> np.ndarray[Any, Any]:
    """Return ``count`` tokens in a row in which many different ones occur: not a table, not an empty page."""
    starts = np.linspace(0, max(len(tokens) - count, 0), tries).astype(int)
    best = max(starts, key=lambda start: len(np.unique(tokens[start : start + count])))
    return tokens[best : best + count]


def draw_attention_of(run: Run, text: str | None = None) -> Path:
    """Draw how a run's model looks at a text into its folder; return the path of the picture.

    Args:
        run: its model is used as it is.
        text: what it reads; by default a piece of its validation text.
    """
    from ..viz import AttentionMaps, draw_attention, save

    if text is None:
        ids = varied(np.asarray(run.val_tokens), min(_TEXT, run.config.block_size))
    else:
        ids = run.tokenizer.encode_to_numpy(text)[-run.config.block_size :]
    maps = [array[0] for array in run.model.attention_maps(ids[None].astype(np.int64))]
    tokens = [run.tokenizer.decode([int(i)]) for i in ids]
    title = f"Attention of the GPT that learned {run.manifest['data']['name']}"
    return save(draw_attention(AttentionMaps(maps, tokens, title)), run.folder / "attention.png")

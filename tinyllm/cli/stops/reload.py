"""The eighth stop: the model goes to files that other tools open, and comes back the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import CheckpointError
from ..opening import noted
from ..written import megabytes
from .stop import Stop, Tour

WAYS = (
    ("model", "hf", "float32", "a folder for transformers"),
    ("model.gguf", "gguf", "float32", "a file for llama.cpp"),
    ("model-q8.gguf", "gguf", "Q8_0", "the same in 8 bits a weight"),
)


def visit(tour: Tour) -> None:
    """Save the run's model in three ways, load each, and compare what they say of the same text."""
    import tinyllm as tl

    run = tour.need_run()
    ids = np.asarray(run.val_tokens[: run.config.block_size], dtype=np.int64)[None]  # (1, T)
    before = logits_of(run.model.eval(), ids)
    tour.screen.line(f"    {'':<16}{'size':>8}{'logits differ by':>19}", style="bold")
    with noted():  # that nobody else reads a vocabulary of characters is no news here
        for name, form, dtype, what in WAYS:
            path = tl.save(run.model, run.tokenizer, tour.folder / name, form, dtype=dtype, overwrite=True)
            model, words = tl.load(path)
            if words is None or words.decode(ids[0].tolist()) != run.tokenizer.decode(ids[0].tolist()):
                raise CheckpointError(f"{path}: the tokenizer is not the one that was saved")
            error = float(np.abs(logits_of(model, ids) - before).max())
            tour.screen.line(f"    {name:<16}{megabytes(size_of(path)):>8}{error:>19.2g}   {what}")
    tour.screen.line()
    tour.screen.paragraph(
        f"tl.save wrote them into {tour.folder}, and tl.load read each of them back, model and tokenizer. Numbers of "
        "32 bits come back as they were, up to the order in which they are added; 8 bits a weight cost a little. "
        "tinyllm convert does the same for any model, tinyllm quantize measures the price."
    )


def logits_of(model: Any, ids: Any) -> Any:
    """Return what a model says after each token of a text, (T, V)."""
    from ...autograd import no_grad

    with no_grad():
        return model(ids).data[0]


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


STOP = Stop(
    "reload",
    "Saved, and the same again",
    "A model is its numbers, its config and its vocabulary: here they go into the files that the world's tools open.",
    visit,
    needs=("learn",),
)

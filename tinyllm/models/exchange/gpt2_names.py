"""The names of GPT-2's tensors: ours, those of transformers, of the files of 2019, and of nanoGPT.

    transformers   transformer.h.0.attn.c_attn.weight (C, 3 C)   on its side: y = x W + b (Conv1D)
    2019           h.0.attn.c_attn.weight (C, 3 C)               and buffers h.0.attn.bias, h.0.attn.masked_bias
    nanoGPT        transformer.h.0.attn.c_attn.weight (3 C, C)   upright, with lm_head, and with or without biases

The thirds of c_attn are q, k and v, as the rows of our ``attn.qkv`` are. Which way the matrices lie is no guess: a
matrix of C by 3 C tells, and all others lie as it does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ...errors import CheckpointError
from ..config import GPTConfig
from .names import Renamed, Shape

PREFIX = "transformer."
COMPILED = "_orig_mod."  # what torch.compile puts before every name
EMBEDDING, POSITIONS, HEAD = "transformer.wte.weight", "transformer.wpe.weight", "lm_head.weight"
_BUFFER = re.compile(r"transformer\.h\.\d+\.attn\.(bias|masked_bias)")
# our layer -> theirs, in the order of their files
_LAYER = {
    "norm1": "ln_1",
    "attn.qkv": "attn.c_attn",
    "attn.out": "attn.c_proj",
    "norm2": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}


def gpt2_names(config: GPTConfig, conv1d: bool = True) -> list[Renamed]:
    """List every tensor of a GPT-2 under our name, theirs, and the shape that it has here.

    Args:
        config: sizes, biases, tied or not.
        conv1d: do files hold matrices on their side, as transformers writes them?

    Example:
        >>> for entry in gpt2_names(GPTConfig(n_layer=1))[4:6]:
        ...     print(entry.ours, *entry.theirs, *entry.shapes, entry.turned)
        blocks.0.attn.qkv.weight transformer.h.0.attn.c_attn.weight (2304, 768) True
        blocks.0.attn.qkv.bias transformer.h.0.attn.c_attn.bias (2304,) False
    """
    V, T, C, F = config.vocab_size, config.block_size, config.n_embd, config.n_hidden
    sizes = {"attn.qkv": (3 * C, C), "attn.out": (C, C), "mlp.up": (F, C), "mlp.down": (C, F)}

    def layer(ours: str, theirs: str, shape: Shape) -> list[Renamed]:
        kind = "gain" if len(shape) == 1 else "weight"
        weight = Renamed(f"{ours}.{kind}", (f"{theirs}.weight",), (shape,), conv1d and len(shape) == 2)
        bias = Renamed(f"{ours}.bias", (f"{theirs}.bias",), (shape[:1],))
        return [weight, bias] if config.bias else [weight]

    entries = [Renamed("wte.weight", (EMBEDDING,), ((V, C),)), Renamed("wpe.weight", (POSITIONS,), ((T, C),))]
    for i in range(config.n_layer):
        for ours, theirs in _LAYER.items():
            entries += layer(f"blocks.{i}.{ours}", f"{PREFIX}h.{i}.{theirs}", sizes.get(ours, (C,)))
    entries += layer("norm", f"{PREFIX}ln_f", (C,))
    return entries if config.tied else [*entries, Renamed("head.weight", (HEAD,), ((V, C),))]


def todays_names(given: Iterable[str]) -> dict[str, str]:
    """Return today's name -> the given one: with the prefix, without torch.compile's, and without buffers.

    Raises:
        CheckpointError: two names are one tensor.

    Example:
        >>> todays_names(["wte.weight", "h.0.attn.bias", "lm_head.weight"])
        {'transformer.wte.weight': 'wte.weight', 'lm_head.weight': 'lm_head.weight'}
    """
    found: dict[str, str] = {}
    for name in given:
        today = name.removeprefix(COMPILED)
        if today != HEAD and not today.startswith(PREFIX):
            today = PREFIX + today
        if _BUFFER.fullmatch(today):
            continue
        if today in found:
            raise CheckpointError(f"GPT-2: {found[today]} and {name} are one tensor, named twice")
        found[today] = name
    return found


def lies_on_its_side(config: GPTConfig, arrays: Mapping[str, Any]) -> bool:
    """Tell from the first c_attn whether matrices are [in, out]; so it is taken where the tensor is not there."""
    C, first = config.n_embd, f"{PREFIX}h.0.attn.c_attn.weight"
    if first not in arrays:
        return True
    about = getattr(arrays, "about", None)  # of a mapping that knows shapes without reading
    return bool((about(first)[0] if about else np.shape(arrays[first])) != (3 * C, C))

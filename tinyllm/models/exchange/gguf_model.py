"""Whole models in GGUF files: GPT-2, Llama, Mistral, Qwen2 and Qwen3, as llama.cpp and all that builds on it read them.

Names are in ``gguf_names``, sizes and choices in ``gguf_config``, Llama-3's angles in ``gguf_rope``, the file itself in
``formats.gguf``. Here a model is filled, or written, some rows at a time: what is stored in 8 or 4 bits is never in
memory as a whole beside the model, and of the file no more than these rows.

A window is written, and of these architectures llama.cpp uses none: its results differ from where a text is longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import CheckpointError, ConfigError, TinyLLMError, nearest
from ..config import GPTConfig
from ..formats.ggml import READABLE, Blocks
from ..formats.gguf import FILE_TYPES, GGUF, parse_gguf, write_gguf
from ..formats.mapped import forget, map_file
from ..gpt import GPT
from ..llama import Llama
from ..llama_config import LlamaConfig
from ..memory import refuse_unloadable
from .gguf_config import read_config, write_config
from .gguf_names import EMBEDDING, HEAD, ROPE, gguf_names, refuse_other_tensors, turned_heads
from .gguf_rope import NUMBERS, rope_table, scaling_of
from .gpt2_config import GPT2Config
from .names import Shape, blank, listed
from .on_demand import OnDemand
from .permute import half_to_pairs, pairs_to_half

Array = np.ndarray[Any, np.dtype[Any]]

PIECE = 1 << 20  # values that are converted at a time
_TOKENS, _KINDS, _SCORES = (f"tokenizer.ggml.{name}" for name in ("tokens", "token_type", "scores"))
_UNUSED = 5  # the type of a token that fills a hole


def load_gguf(path: str | Path, dtype: Any = np.float32) -> tuple[GPT, dict[str, Any]]:
    """Make a model of a GGUF file: a GPT of GPT-2's, a Llama of the others.

    Args:
        path: of the file.
        dtype: floating-point dtype of the model.

    Returns:
        The model, and all metadata of the file by key; what describes its tokenizer is under "tokenizer.ggml.".

    Raises:
        CheckpointError: the file cannot be read, is damaged, holds an architecture or values that are not known here,
            or its tensors are not those of the model that it describes.
        MemoryShortError: the model is larger than the memory that is free.

    Example:
        >>> import tempfile
        >>> config = LlamaConfig("qwen3", 11, 8, n_layer=1, n_head=2, n_embd=8, n_hidden=16, qk_norm=True, tied=True)
        >>> model = Llama(config, np.random.default_rng(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_gguf(model, f"{folder}/toy.gguf", {"general.name": "toy"})
        ...     again, metadata = load_gguf(f"{folder}/toy.gguf")
        >>> metadata["general.name"], again.config == config
        ('toy', True)
        >>> np.array_equal(again(np.array([[1, 2]])).data, model(np.array([[1, 2]])).data)
        True
    """
    path = Path(path).expanduser()
    data = map_file(path)
    file = parse_gguf(data, path.name)
    try:
        config = config_of(file)
        refuse_unloadable(config, dtype)
        model: GPT = blank(Llama if isinstance(config, LlamaConfig) else GPT, config, dtype)
        own = {name: p.data for name, p in model.named_parameters()}
        for entry in gguf_names(config):
            for name, part in entry.parts(own[entry.ours]):
                _fill(part, file.tensors[name], turned_heads(name, config), data)
    except TinyLLMError as error:
        kind = CheckpointError if isinstance(error, ConfigError) else type(error)
        raise kind(f"{path.name}: {error.message}", hint=error.hint) from None
    return model, file.metadata


def save_gguf(model: GPT, path: str | Path, fields: Mapping[str, Any] | None = None, kind: str = "F32") -> None:
    """Write a model as a GGUF file, which takes its name when it is complete.

    Norms, biases and positions are written in float32, whatever the kind. GPT-2 is written with its head, as a copy of
    the embedding if it is that, and with biases, zeros if it has none.

    Args:
        model: a Llama, or a GPT of either preset.
        path: of the file; its folder must exist.
        fields: further metadata by key, such as "general.name" and all that describes the tokenizer. If it has fewer
            tokens than the model, unused ones are added, as readers demand.
        kind: how matrices are stored: "F32", "F16", "BF16", "Q8_0" or "Q4_0".

    Raises:
        ConfigError: the model has something that readers of its architecture do not look for, a field is one that is
            made here, there are more tokens than the model knows, or weights are too large for the kind.
        NaNError: NaN or inf in a matrix to be quantized.
        CheckpointError: the file cannot be written.

    Example:
        >>> model = GPT(GPTConfig(11, 8, n_layer=1, n_head=2, n_embd=32), np.random.default_rng(0))
        >>> save_gguf(model, "toy.gguf", kind="Q8")
        Traceback (most recent call last):
            ...
        tinyllm.errors.ConfigError: E-CONFIG save_gguf: there is no kind 'Q8'. Try: Q8_0
    """
    if kind not in FILE_TYPES:
        raise ConfigError(
            f"save_gguf: there is no kind {kind!r}", hint=nearest(str(kind), FILE_TYPES) or ", ".join(FILE_TYPES)
        )
    config = _sayable(model)
    metadata = write_config(config)
    metadata["general.file_type"] = FILE_TYPES[kind]
    if kind.startswith("Q"):
        metadata["general.quantization_version"] = 2
    given = _as_many_tokens(dict(fields or {}), config.vocab_size)
    if ours := [key for key in given if key in metadata and not key.startswith(("general.name", "tokenizer."))]:
        raise ConfigError(f"save_gguf: {ours[0]} says what the model is, and is written of itself", hint="leave it out")
    write_gguf(path, metadata | given, _tensors(model, config), kind)


def config_of(file: GGUF) -> GPTConfig | LlamaConfig:
    """Return the config of the model in a file, when its tensors are all there, fit, and can be read.

    Raises:
        CheckpointError: see ``load_gguf``.
    """
    shapes = {name: blocks.shape for name, blocks in file.tensors.items()}
    config = read_config(file.metadata, shapes)
    if isinstance(config, LlamaConfig):
        wanted: dict[str, Shape] = {}
        if ROPE in shapes and config.family in ("llama", "mistral"):
            wanted[ROPE] = (config.head_size // 2,)
    else:
        wanted = {HEAD: (config.vocab_size, config.n_embd)} if HEAD in shapes else {}
    wanted |= {name: shape for e in gguf_names(config) for name, shape in zip(e.theirs, e.shapes, strict=True)}
    refuse_other_tensors(wanted, shapes)
    others = [f"{name} ({b.type.name})" for name, b in file.tensors.items() if b.type.name not in READABLE]
    if others:
        raise CheckpointError(
            f"{len(others)} tensors are of types that are not read: {listed(others)}",
            hint=f"a file with {', '.join(READABLE)} only",
        )
    changes: dict[str, Any] = {}
    if isinstance(config, LlamaConfig) and ROPE in wanted:
        scaling = scaling_of(file.array(ROPE), config.rope_theta, file.metadata.get(NUMBERS))
        if scaling is not None and config.rope_scaling is not None:
            raise CheckpointError(f"{ROPE} and rope.scaling.type both slow the angles down", hint="convert it again")
        changes = {"rope_scaling": scaling or config.rope_scaling}
    elif HEAD in wanted and not isinstance(config, LlamaConfig):
        changes = {"tied": _equal(file.tensors[HEAD], file.tensors[EMBEDDING])}
    return replace(config, **changes)


def _sayable(model: GPT) -> GPTConfig | LlamaConfig:
    """Return the config by which a model is written.

    Raises:
        ConfigError: it is a GPT between the presets, which no architecture of GGUF describes.
    """
    config = model.config
    if isinstance(config, LlamaConfig):
        return config
    if config.mlp == "gelu_exact":
        raise ConfigError("save_gguf: GGUF's gpt2 has the tanh form of GELU, and this model the exact one", hint="hf")
    return LlamaConfig.from_gpt(config) if config.position == "rope" else GPT2Config.from_gpt(config)


def _tensors(model: GPT, config: GPTConfig | LlamaConfig) -> OnDemand:
    """Return what is written, by GGUF's names, in the order of the model."""
    own: dict[str, Array] = {name: p.data for name, p in model.named_parameters()}
    found: dict[str, Any] = {}

    def rows(part: Array, heads: int) -> Array:
        return half_to_pairs(part, heads) if heads else part

    for entry in gguf_names(config):
        # a GPT may do without biases; a reader of gpt2 will not
        ours = own[entry.ours] if entry.ours in own else np.zeros(entry.shapes[0], np.float32)
        for name, part in entry.parts(ours):
            found[name] = partial(rows, part, turned_heads(name, config))
    if isinstance(config, LlamaConfig):
        if config.rope_scaling is not None and config.rope_scaling.kind == "llama3":
            found[ROPE] = partial(rope_table, config.rope_scaling, config.head_size, config.rope_theta)
    elif HEAD not in found:
        found[HEAD] = found[EMBEDDING]
    return OnDemand(found)


def _fill(part: Array, blocks: Blocks, heads: int, data: memoryview) -> None:
    """Copy a tensor, some rows at a time, and let go of what was read of the file."""
    if part.ndim < 2:
        array = blocks.array()
        part[...] = pairs_to_half(array, heads) if heads else array
        return
    N, C = part.shape
    D = N // heads if heads else 1
    step = max(1, PIECE // (C * D)) * D
    for start in range(0, N, step):
        stop = min(start + step, N)
        rows = blocks.rows(start, stop).array()
        part[start:stop] = pairs_to_half(rows, (stop - start) // D) if heads else rows
        forget(data)


def _equal(a: Blocks, b: Blocks) -> bool:
    """Are two tensors stored in the same bytes?"""
    same = a.type == b.type and a.shape == b.shape
    return same and all(np.array_equal(a.raw[i : i + PIECE], b.raw[i : i + PIECE]) for i in range(0, a.raw.size, PIECE))


def _as_many_tokens(fields: dict[str, Any], V: int) -> dict[str, Any]:
    """Add unused tokens up to V of them, where there are tokens at all."""
    if _TOKENS not in fields:
        return fields
    tokens = list(fields[_TOKENS])
    if len(tokens) > V:
        raise ConfigError(
            f"save_gguf: there are {len(tokens):,} tokens, and the model knows {V:,}", hint="its own tokenizer"
        )
    more = range(len(tokens), V)
    added: dict[str, list[Any]] = {
        _TOKENS: [f"[PAD{i}]" for i in more],
        _KINDS: [_UNUSED] * len(more),
        _SCORES: [0.0] * len(more),
    }
    return fields | {
        key: [*np.asarray(fields[key], object).tolist(), *values]
        for key, values in added.items()
        if key in fields and values
    }

"""The names that transformers gives BERT's weights, and ours: one table, read in both directions.

Theirs may carry a prefix ``bert.``, old files write gamma and beta for a norm's weight and bias, and some hold buffers
that are no weights. Where they keep query, key and value apart we have one matrix, its rows in that order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import CheckpointError, nearest
from ..bert_config import BertConfig

Array = np.ndarray[Any, np.dtype[Any]]
PREFIX = "bert."
BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
OLD = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
POOLER = "pooler.dense."


def names(config: BertConfig, pooler: bool) -> dict[str, tuple[str, ...]]:
    """Return our name -> theirs, one or the three whose rows make ours.

    Example:
        >>> table = names(BertConfig(n_layer=1), pooler=False)
        >>> table["norm.gain"], table["layers.0.mlp.up.bias"]
        (('embeddings.LayerNorm.weight',), ('encoder.layer.0.intermediate.dense.bias',))
    """
    table: dict[str, tuple[str, ...]] = {}
    for own, their in (("word", "word"), ("position", "position"), ("type", "token_type")):
        table[f"{own}.weight"] = (f"embeddings.{their}_embeddings.weight",)
    table |= _norm("norm", "embeddings.LayerNorm")
    for i in range(config.n_layer):
        ours, theirs = f"layers.{i}", f"encoder.layer.{i}"
        parts = [f"{theirs}.attention.self.{part}" for part in ("query", "key", "value")]
        table |= _linear(f"{ours}.attn.qkv", *parts)
        table |= _linear(f"{ours}.attn.out", f"{theirs}.attention.output.dense")
        table |= _norm(f"{ours}.norm1", f"{theirs}.attention.output.LayerNorm")
        table |= _linear(f"{ours}.mlp.up", f"{theirs}.intermediate.dense")
        table |= _linear(f"{ours}.mlp.down", f"{theirs}.output.dense")
        table |= _norm(f"{ours}.norm2", f"{theirs}.output.LayerNorm")
    return table | _linear("pooler", POOLER.removesuffix(".")) if pooler else table


def shapes(config: BertConfig, pooler: bool) -> dict[str, tuple[int, ...]]:
    """Return their name -> the shape that the config asks for.

    Example:
        >>> shapes(BertConfig(n_layer=1), pooler=False)["encoder.layer.0.intermediate.dense.weight"]
        (3072, 768)
    """
    C, F = config.n_embd, config.n_hidden
    rows = {"word": config.vocab_size, "position": config.block_size, "token_type": config.n_type}
    found: dict[str, tuple[int, ...]] = {}
    for name in (name for theirs in names(config, pooler).values() for name in theirs):
        where, _, kind = name.rpartition(".")
        outputs = F if where.endswith("intermediate.dense") else C
        inputs = F if where.endswith(".output.dense") and "attention" not in where else C
        if where.startswith("embeddings.") and where.endswith("_embeddings"):
            outputs = rows[where.removeprefix("embeddings.").removesuffix("_embeddings")]
        vector = kind == "bias" or where.endswith("LayerNorm")
        found[name] = (outputs,) if vector else (outputs, inputs)
    return found


def from_theirs(config: BertConfig, arrays: Mapping[str, Array], skip: Sequence[str] = ()) -> dict[str, Array]:
    """Return our name -> array of transformers' weights; with a pooler's if they have one.

    Args:
        config: says what must be there.
        arrays: their name -> array.
        skip: beginnings of names to leave out.

    Raises:
        CheckpointError: a tensor is missing, unexpected, misshapen, no floating-point numbers, or named twice.
    """
    given = _given(arrays, skip)
    pooler = any(name.startswith(POOLER) for name in given)
    wanted = shapes(config, pooler)
    faults = _faults(wanted, given)
    if faults:
        heads = any(name.startswith("cls.") for name in given)
        hint = 'skip=("cls.",) to leave the head out' if heads else "the config.json that belongs to these weights"
        raise CheckpointError(f"Bert: the weights do not fit: {'; '.join(faults)}", hint=hint)
    return {
        ours: given[theirs[0]] if len(theirs) == 1 else np.concatenate([given[name] for name in theirs])
        for ours, theirs in names(config, pooler).items()
    }


def to_theirs(config: BertConfig, state: Mapping[str, Array]) -> dict[str, Array]:
    """Undo ``from_theirs``: their name -> array, without the prefix."""
    arrays: dict[str, Array] = {}
    for ours, theirs in names(config, "pooler.weight" in state).items():
        parts = np.split(state[ours], len(theirs))
        arrays |= dict(zip(theirs, parts, strict=True))
    return arrays


def _linear(ours: str, *theirs: str) -> dict[str, tuple[str, ...]]:
    return {f"{ours}.{kind}": tuple(f"{name}.{kind}" for name in theirs) for kind in ("weight", "bias")}


def _norm(ours: str, theirs: str) -> dict[str, tuple[str, ...]]:
    return {f"{ours}.gain": (f"{theirs}.weight",), f"{ours}.bias": (f"{theirs}.bias",)}


def _given(arrays: Mapping[str, Array], skip: Sequence[str]) -> dict[str, Array]:
    """Bring all names into today's spelling, without prefix and buffers."""
    given: dict[str, Array] = {}
    spelled: dict[str, str] = {}
    for full, array in arrays.items():
        if full.startswith(tuple(skip)):
            continue
        name = full.removeprefix(PREFIX)
        for old, new in OLD.items():
            name = name.removesuffix(old) + new if name.endswith(old) else name
        if name in BUFFERS:
            continue
        if name in given:
            raise CheckpointError(f"Bert: {spelled[name]} and {full} are one tensor, named twice")
        given[name], spelled[name] = np.asarray(array), full
    return given


def _faults(wanted: Mapping[str, tuple[int, ...]], given: Mapping[str, Array]) -> list[str]:
    """Say what is missing, what is unexpected and what it resembles, and what has another shape or kind."""
    missing = [name for name in wanted if name not in given]
    extra = [name for name in given if name not in wanted]
    unfit = [
        f"{name} {given[name].shape} {given[name].dtype}, not {shape} of floating point"
        for name, shape in wanted.items()
        if name in given and (given[name].shape != shape or given[name].dtype.kind != "f")
    ]
    kinds: tuple[tuple[str, list[str], list[str]], ...] = (
        ("missing", [f"{name} {wanted[name]}" for name in missing], extra),
        ("unexpected", [f"{name} {given[name].shape}" for name in extra], missing or list(wanted)),
        ("misshapen", unfit, []),
    )
    return [f"{len(found)} {what}: {_listed(found, others)}" for what, found, others in kinds if found]


def _listed(found: Sequence[str], others: Sequence[str], most: int = 4) -> str:
    """Write down the first few, each with the name that it resembles most, and how many more there are."""
    shown = []
    for text in found[:most]:
        close = nearest(text.partition(" ")[0], others)
        shown.append(f"{text} (nearest: {close})" if close else text)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(shown) + more

"""GPT-2 from tensors and back: a GPT of the preset "gpt2", in and out of the files of transformers and nanoGPT."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..config import GPTConfig
from ..gpt import GPT
from ..memory import refuse_unloadable
from .gpt2_names import EMBEDDING, HEAD, gpt2_names, lies_on_its_side, todays_names
from .names import Array, Shape, blank, give, refuse_another_head, refuse_other_names, refuse_other_shapes, take


def from_arrays(config: GPTConfig, arrays: Mapping[str, Any], dtype: Any = np.float32) -> GPT:
    """Make a GPT of tensors under the names of transformers (of today or of 2019) or of nanoGPT.

    Every tensor of the model must be there, and no other: but a head that is stored although it is tied must equal the
    embedding, and buffers are passed over. Numbers are copied, one tensor at a time, so ``arrays`` may be a mapping
    that reads them from a file only when they are asked for; where it has ``private``, see names.take.

    Args:
        config: what the tensors were saved with; nanoGPT's has mlp="gelu_exact".
        arrays: name -> array.
        dtype: floating-point dtype of the model.

    Raises:
        CheckpointError: tensors are missing, extra, of another shape or of whole numbers; the message lists them.
        MemoryShortError: the model does not fit into the memory that is free.

    Example:
        >>> config = GPTConfig(11, 8, n_layer=2, n_head=2, n_embd=6)
        >>> model = GPT(config, np.random.default_rng(0))
        >>> again = from_arrays(config, to_arrays(model))
        >>> np.array_equal(again(np.array([[1, 2]])).data, model(np.array([[1, 2]])).data)
        True
    """
    today = _Respelled(arrays, todays_names(arrays))
    entries = gpt2_names(config, lies_on_its_side(config, today))
    hints = {HEAD: "tie_word_embeddings, if the head is the embedding's matrix; else a file that holds the head"}
    refuse_other_names(entries, today, "GPT-2", lambda name: config.tied and name == HEAD, hints)
    refuse_other_shapes(entries, today, "GPT-2")
    refuse_unloadable(config, dtype)
    model = blank(GPT, config, dtype)
    take(model, entries, today)
    if config.tied:
        refuse_another_head(today, HEAD, EMBEDDING, "GPT-2")
    return model


def to_arrays(model: GPT, conv1d: bool = True) -> dict[str, Array]:
    """Return the tensors of a GPT under GPT-2's names; views, so copy what should stay. A tied head is not among them.

    Args:
        model: of the preset "gpt2".
        conv1d: as transformers has them: matrices on their side, and zeros where the model has no biases. Without it
            as nanoGPT has them, but for its head.

    Example:
        >>> arrays = to_arrays(GPT(GPTConfig(11, 8, n_layer=1, n_head=2, n_embd=6), np.random.default_rng(0)))
        >>> len(arrays), arrays["transformer.h.0.attn.c_attn.weight"].shape
        (16, (6, 18))
    """
    config = model.config
    arrays = give(model, gpt2_names(config, conv1d))
    if config.bias or not conv1d:
        return arrays
    whole = gpt2_names(dataclasses.replace(config, bias=True))
    zeros = {e.theirs[0]: np.zeros(e.shapes[0], model.wte.weight.dtype) for e in whole if e.theirs[0] not in arrays}
    return arrays | zeros


class _Respelled(Mapping[str, Any]):
    """A mapping whose values are found under other names."""

    def __init__(self, arrays: Mapping[str, Any], names: Mapping[str, str]) -> None:
        self.arrays, self.names = arrays, names

    def __getitem__(self, name: str) -> Any:
        return self.arrays[self.names[name]]

    def private(self, name: str) -> Any:
        """Return a tensor that a model may keep, where the mapping has such."""
        private = getattr(self.arrays, "private", None)
        return private(self.names[name]) if private else None

    def about(self, name: str) -> tuple[Shape, str]:
        """Return the shape and the type of a tensor, without reading it where that is possible."""
        given = self.names[name]
        told: Callable[[str], tuple[Shape, str]] | None = getattr(self.arrays, "about", None)
        if told:
            return told(given)
        array = np.asarray(self.arrays[given])
        return array.shape, array.dtype.name

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

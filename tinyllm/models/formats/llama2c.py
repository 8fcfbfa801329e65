"""llama2.c's ``.bin``, version 0: seven numbers, and all weights of a Llama in float32.

    int32    dim  hidden_dim  n_layers  n_heads  n_kv_heads  vocab_size  max_seq_len
    float32  tok_embeddings (V, C)
             attention_norm (L, C)   wq (L, C, C)   wk, wv (L, K*D, C)   wo (L, C, C)
             ffn_norm (L, C)         w1 (L, F, C)   w2 (L, C, F)         w3 (L, F, C)
             norm (C,)
             cos, sin (T, D/2) each: tables that no reader needs, and none reads
             output (V, C), if it is not the embedding; then vocab_size is written as a negative number

Matrices are (out, in). Neighbors are turned together (``rope_pairs``), theta is 10000, and the norms' eps is 1e-5: the
file does not say so, its readers know. There is no magic either, so the size tells: it must be what the seven numbers
make of it, to the byte. Names are Meta's.

Source: Karpathy 2023 (llama2.c, export.py version 0).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ...atomic import write_atomically
from ...errors import CheckpointError, ConfigError, DTypeError, ShapeError, nearest
from .ggml import encode
from .mapped import map_file

Array = np.ndarray[Any, Any]

ROPE_THETA, NORM_EPS = 10_000.0, 1e-5
_HEADER = struct.Struct("<7i")
_LATER = b"24ka"  # "ak42" as a number: versions 1 and 2
_PICKLES = b"PK\x03\x04", b"\x80\x02"  # how files of torch.save begin
_MOST_LAYERS = 4096
_F32 = np.dtype("<f4")


@dataclass(frozen=True)
class Llama2cConfig:
    """The header's numbers, under the names they have in llama2.c.

    Attributes:
        dim: C, the width.
        hidden_dim: F, the width inside of the feed-forward block.
        n_layers, n_heads, n_kv_heads: L, H, K.
        vocab_size: V.
        max_seq_len: T, the longest sequence.
        tied: whether the head is the embedding, and not stored.

    Raises:
        ConfigError: sizes that are not positive or do not fit together.

    Example:
        >>> Llama2cConfig(dim=64, hidden_dim=172, n_layers=5, n_heads=8, n_kv_heads=4, vocab_size=512, max_seq_len=512)
        Llama2cConfig(dim=64, hidden_dim=172, n_layers=5, n_heads=8, n_kv_heads=4, vocab_size=512, max_seq_len=512, ...
    """

    dim: int
    hidden_dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    vocab_size: int
    max_seq_len: int
    tied: bool = True

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "tied" and not 0 < value < 1 << 31:
                raise ConfigError(f"{name} is {value:,}", hint="a positive int32")
        if self.n_layers > _MOST_LAYERS:
            raise ConfigError(f"n_layers is {self.n_layers:,}, expected at most {_MOST_LAYERS:,}")
        if self.dim % self.n_heads or self.dim // self.n_heads % 2:
            raise ConfigError(f"dim {self.dim:,} does not make {self.n_heads:,} heads of an even size")
        if self.n_heads % self.n_kv_heads:
            raise ConfigError(f"n_heads {self.n_heads:,} is no multiple of n_kv_heads {self.n_kv_heads:,}")

    @property
    def head_size(self) -> int:
        """D, the width of a head."""
        return self.dim // self.n_heads

    def stacks(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield (name, shape) of each array in the file's order; "{i}" in a name stands for the layer, the first axis.

        The tables of cosines and sines have no name.
        """
        L, C, F, D = self.n_layers, self.dim, self.hidden_dim, self.head_size
        keys = self.n_kv_heads * D
        yield "tok_embeddings.weight", (self.vocab_size, C)
        yield "layers.{i}.attention_norm.weight", (L, C)
        yield "layers.{i}.attention.wq.weight", (L, C, C)
        yield "layers.{i}.attention.wk.weight", (L, keys, C)
        yield "layers.{i}.attention.wv.weight", (L, keys, C)
        yield "layers.{i}.attention.wo.weight", (L, C, C)
        yield "layers.{i}.ffn_norm.weight", (L, C)
        yield "layers.{i}.feed_forward.w1.weight", (L, F, C)
        yield "layers.{i}.feed_forward.w2.weight", (L, C, F)
        yield "layers.{i}.feed_forward.w3.weight", (L, F, C)
        yield "norm.weight", (C,)
        yield "", (2, self.max_seq_len, D // 2)
        if not self.tied:
            yield "output.weight", (self.vocab_size, C)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each tensor by its name.

        Example:
            >>> shapes = Llama2cConfig(4, 7, 1, 2, 1, 11, 5).shapes()
            >>> len(shapes), shapes["layers.0.attention.wk.weight"]
            (11, (2, 4))
        """
        found: dict[str, tuple[int, ...]] = {}
        for name, shape in self.stacks():
            if "{i}" in name:
                found |= {name.format(i=i): shape[1:] for i in range(self.n_layers)}
            elif name:
                found[name] = shape
        return found

    def nbytes(self) -> int:
        """Return the size of the file.

        Example:
            >>> Llama2cConfig(64, 172, 5, 8, 4, 512, 512).nbytes()
            1056540
        """
        return _HEADER.size + _F32.itemsize * sum(math.prod(shape) for _, shape in self.stacks())


def read_llama2c(path: str | Path) -> tuple[Llama2cConfig, dict[str, Array]]:
    """Open a ``.bin`` of version 0: the config, and each tensor by name, float32, a read-only view of the file.

    Args:
        path: of the file, which must not change as long as a tensor is in use.

    Raises:
        CheckpointError: the file cannot be read, is something else, or its size is not what its header makes of it.

    Example:
        >>> import tempfile
        >>> config = Llama2cConfig(4, 7, 1, 2, 1, vocab_size=11, max_seq_len=5)
        >>> tensors = {name: np.ones(shape, np.float32) for name, shape in config.shapes().items()}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_llama2c(f"{folder}/toy.bin", config, tensors)
        ...     again, weights = read_llama2c(f"{folder}/toy.bin")
        ...     again == config, weights["layers.0.feed_forward.w2.weight"].shape
        (True, (4, 7))
    """
    path = Path(path).expanduser()
    data = map_file(path)
    config = _config(path.name, bytes(data[: _HEADER.size]), len(data))
    tensors: dict[str, Array] = {}
    at = _HEADER.size
    for name, shape in config.stacks():
        stack = np.frombuffer(data, _F32, math.prod(shape), at).reshape(shape)
        at += stack.nbytes
        if "{i}" in name:
            tensors |= {name.format(i=i): stack[i] for i in range(config.n_layers)}
        elif name:
            tensors[name] = stack
    return config, {name: tensors[name] for name in config.shapes()}


def write_llama2c(path: str | Path, config: Llama2cConfig, tensors: Mapping[str, Array]) -> None:
    """Write a ``.bin`` of version 0, which takes its name when it is complete.

    Args:
        path: of the file; its folder must exist.
        config: the header.
        tensors: name -> floats, as ``config.shapes()`` lists them, all of them and no other.

    Raises:
        ConfigError: a tensor is missing or not known, or holds a value beyond float32.
        DTypeError: one holds no floats.
        ShapeError: one has another shape.
        CheckpointError: the file cannot be written.
    """
    shapes = config.shapes()
    if missing := [name for name in shapes if name not in tensors]:
        name = missing[0]
        close = nearest(name, tensors.keys() - shapes.keys())
        raise ConfigError(f"{name}: this tensor is missing", hint=close and f"is it {close!r}?")
    if extra := sorted(tensors.keys() - shapes.keys()):
        raise ConfigError(f"{extra[0]}: a file of this config has no such tensor")
    for name, shape in shapes.items():
        if tensors[name].shape != shape:
            raise ShapeError(f"{name}: has shape {tensors[name].shape}, expected {shape}")
        if tensors[name].dtype.kind != "f":
            raise DTypeError(f"{name}: is {tensors[name].dtype}", hint="an array of floats")

    def write(file: IO[bytes]) -> None:
        file.write(_header(config))
        for name, shape in config.stacks():
            if not name:
                file.write(_tables(config).tobytes())
                continue
            for i in range(shape[0]) if "{i}" in name else range(1):
                file.write(encode(tensors[name.format(i=i)], "F32").raw.data)

    write_atomically(Path(path).expanduser(), write)


def _config(name: str, head: bytes, size: int) -> Llama2cConfig:
    """Return the config that a header stands for, if the file is as large as that makes it."""
    if head.startswith(_LATER):
        raise CheckpointError(f"{name}: is of a later version than 0", hint="export.py with --version 0")
    if head.startswith(_PICKLES):
        raise CheckpointError(
            f"{name}: was made by torch.save, and reading a pickle can run any code",
            hint="export it where it was made: export.py --version 0, or safetensors",
        )
    if len(head) < _HEADER.size:
        raise CheckpointError(f"{name}: has {size:,} bytes, too few for a header", hint="a .bin of llama2.c, version 0")
    dim, hidden, layers, heads, kv_heads, vocab, longest = _HEADER.unpack(head)
    try:
        config = Llama2cConfig(dim, hidden, layers, heads, kv_heads, abs(vocab), longest, tied=vocab > 0)
    except ConfigError as error:
        raise CheckpointError(
            f"{name}: is no .bin of llama2.c, or damaged: {error.message}",
            hint="a file of version 0",
        ) from None
    if config.nbytes() != size:
        raise CheckpointError(
            f"{name}: has {size:,} bytes, and its header makes it {config.nbytes():,}",
            hint="get the file again, whole and unchanged",
        )
    return config


def _header(config: Llama2cConfig) -> bytes:
    sizes = config.dim, config.hidden_dim, config.n_layers, config.n_heads, config.n_kv_heads
    return _HEADER.pack(*sizes, config.vocab_size if config.tied else -config.vocab_size, config.max_seq_len)


def _tables(config: Llama2cConfig) -> Array:
    """Return the cosines and the sines by position, (2, T, D/2)."""
    D = config.head_size
    angles = np.outer(np.arange(config.max_seq_len), ROPE_THETA ** (-np.arange(0, D, 2) / D))  # (T, D/2)
    return np.stack([np.cos(angles), np.sin(angles)]).astype(_F32)

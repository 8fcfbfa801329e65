"""Compiling every kernel ahead of its first use, on the smallest of inputs.

Numba compiles a kernel when it is first called and keeps the machine code in its cache on disk. ``warm`` makes those
first calls, so that a command line can say what it waits for instead of seeming to hang.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from .attention import attention
from .dot_topk import dot_topk
from .graph import Graph, insert, remove, search
from .postings import search_counts, search_weights, weigh
from .sparse import sparse_dot
from .table import DOORS, reference, use
from .topk import top_k

# What a GPT of any preset comes through while it learns and writes.
TRAINING = (
    "adamw_all", "add", "add_to", "attention", "attention_backward", "attention_decode", "cross_entropy",
    "cross_entropy_backward", "cross_entropy_chunk", "dropout", "gelu_tanh", "gelu_tanh_backward", "layer_norm",
    "layer_norm_backward", "linear", "matmul", "matmul_into", "rms_norm", "rms_norm_backward", "rope_half",
    "scatter_add", "softmax", "sum_of_squares_of", "swiglu", "swiglu_backward",
)  # fmt: skip
FEW, MANY = 2, 4096  # rows: few take the serial rung, many (32768 entries and more, some 2^20) the parallel one
_COMPILING = 0.1  # seconds: no kernel takes so long to load from the cache


def sample_inputs(rows: int, dtype: Any = np.float32) -> dict[str, tuple[Any, ...]]:
    """Return arguments for every kernel in the table, with that many rows, all arrays of numbers in ``dtype``.

    Example:
        >>> sorted(sample_inputs(2)) == sorted(DOORS)
        True
    """
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> Any:
        return rng.standard_normal(shape).astype(dtype)

    x, dy, one, number = draw(rows, 33), draw(rows, 33), draw(33), draw(rows)
    T = min(rows, 99)
    q, k, v, dout = (draw(1, 2, T, 16) for _ in range(4))  # (B, H, T, D)
    out, lse = reference(attention)(q, k, v, True, None, 0.25)
    cache, lengths = draw(2, 1, 8 * rows, 16), np.array([8 * rows, rows])  # (B, K, S, D), (B,)
    turned, angles = draw(1, 2, rows, 16), (draw(rows, 8), draw(rows, 8))  # (B, H, T, D), (T, D/2)
    moments = draw(rows, 33), draw(rows, 33) ** 2
    line, flat_moments = draw(33 * rows), (draw(34 * rows), draw(34 * rows) ** 2)
    adam = 0.1, 0.9, 0.99, 1e-8, 1, 0.5
    targets = rng.integers(0, 33, rows)
    wide, bytes_wide, scales_wide = draw(min(rows, 3), 128), rng.integers(0, 256, (rows, 64), np.uint8), draw(rows, 4)
    bytes_8, bytes_4 = rng.integers(-127, 128, (rows, 64), np.int8), rng.integers(0, 256, (rows, 32), np.uint8)
    three, scales = draw(min(rows, 3), 64), draw(rows, 2)
    return {
        "softmax": (x,),
        "softmax_backward": (x, dy),
        "log_softmax": (x,),
        "log_softmax_backward": (x, dy),
        "logsumexp": (x,),
        "cross_entropy": (x, targets, -100),
        "cross_entropy_backward": (x, targets, 4 + number, number, -100),
        "cross_entropy_chunk": (x.copy(), targets, -100, 0.5),
        "layer_norm": (x, one, one, 1e-5),
        "layer_norm_backward": (x, one, number, number, dy, draw(rows, 33)),
        "add_layer_norm": (x, dy, one, one, 1e-5),
        "rms_norm": (x, one, 1e-5),
        "rms_norm_backward": (x, one, number, dy, draw(rows, 33)),
        "add_rms_norm": (x, dy, one, 1e-5),
        "erf": (x,),
        "sigmoid": (x,),
        "silu": (x,),
        "silu_backward": (x, dy),
        "swiglu": (x, dy),
        "swiglu_backward": (x, dy, dy),
        "gelu": (x,),
        "gelu_backward": (x, dy),
        "gelu_tanh": (x,),
        "gelu_tanh_backward": (x, dy),
        "attention": (q, k, v, True, None, 0.25),
        "attention_backward": (q, k, v, out, lse, dout, True, None, 0.25),
        "attention_decode": (draw(2, 4, 1, 16), cache, cache[:, :, ::-1], lengths, None, 0.25),
        "rope_half": (turned, *angles),
        "rope_pairs": (turned, *angles),
        "dequantize_8": (bytes_8, scales),
        "dequantize_4": (bytes_4, scales),
        "linear_8": (three, bytes_8, scales, number),
        "linear_4_by_8": (wide, bytes_wide, scales_wide, number),
        "linear_4": (three, bytes_4, scales, number),
        "matmul": (x, draw(33, 65)),
        "matmul_into": (x, draw(33, 65), draw(rows, 65)),
        "linear": (x, draw(65, 33), draw(65), draw(rows, 65), "gelu_tanh"),
        "scatter_add": (targets, x, 33),
        "add": (draw(rows, 256), draw(rows, 256)),
        "add_to": (draw(rows, 256), draw(rows, 256)),
        "dropout": (x, 0.5, 1),
        "adamw": (x.copy(), dy, *moments, 0.1, 0.9, 0.99, 1e-8, 0.1, 1),
        "adamw_all": ([line, number.copy()], [line, number], *flat_moments, [0, line.size], [0.1, 0.0], *adam),
        "sum_of_squares": (x,),
        "sum_of_squares_of": (draw(rows, 256), number),
    }


def warm(
    callback: Callable[[str, int, int], object] | None = None,
    dtype: Any = np.float32,
    names: Iterable[str] | None = None,
    processes: int = 1,
) -> None:
    """Compile every Numba kernel for one dtype, or load it from the cache of an earlier run.

    Args:
        callback: told (name, done, total) after each kernel.
        dtype: np.float32, or np.float64.
        names: of the kernels, where not all are needed.
        processes: 2 for another process that begins at the other end, if there is something to compile: when the two
            meet, this one finds the rest in the cache.

    Raises:
        KernelError: numba is not installed.
    """
    few, many = sample_inputs(FEW, dtype), sample_inputs(MANY, dtype)
    with use("numba"), ExitStack() as stack:
        chosen = list(few if names is None else names)
        alone = processes < 2
        for done, name in enumerate(chosen, start=1):
            began = time.perf_counter()
            DOORS[name](*many[name])  # the parallel rung, and with it most of the serial ones
            DOORS[name](*few[name])
            if callback:
                callback(name, done, len(chosen))
            # The first one of all loads Numba itself, which takes its time also where all is compiled.
            if not alone and done > 1 and time.perf_counter() - began > _COMPILING and len(chosen) - done > 1:
                stack.enter_context(_helper(dtype, chosen[:done:-1]))
                alone = True


def warm_search() -> None:
    """Compile what searches in words and in vectors: kernels/postings, nearest and sparse, which are in no table.

    Raises:
        KernelError: numba is not installed.
    """
    with use("numba"):
        docs, counts, starts, lengths = np.zeros(1, np.uint32), np.ones(1, np.int32), np.zeros(1, int), np.ones(1, int)
        one, asked = np.ones(1), (np.zeros(1, int), np.arange(2))
        weights = weigh((docs, counts, starts, lengths), one, one, 1.0, 0.0)
        search_weights((docs, weights, starts, lengths), asked, 1, 1)
        search_counts((docs, counts, starts, lengths), asked, one, one, 1.0, 0.0, 1)
        x = np.eye(3, dtype=np.float32)
        for dtype in (np.float64, np.float32):  # LSA learns in the first and embeds in the second
            sparse_dot((np.arange(2), np.zeros(1, np.int32), np.ones(1, dtype)), x.astype(dtype))
        dot_topk(x, x, 1)
        dot_topk(x, x[0], 1)
        top_k(x, 1)
        g = Graph(
            x=x,
            half=np.zeros(3, np.float32),
            level=np.zeros(3, np.int8),
            base=np.full((3, 4), -1, np.int32),
            first=np.zeros(3, np.int32),
            upper=np.full((0, 2), -1, np.int32),
            linked=np.zeros(3, np.bool_),
            rows=np.arange(3, dtype=np.int32),
            seen=np.zeros(3, np.int32),
            state=np.array([-1, -1, 0]),
        )
        insert(g, np.arange(3), 4)
        remove(g, np.arange(3) == 1)
        for many in (1, 30):  # on one thread, and on all
            search(g, np.tile(x[:1], (many, 1)), 2, np.zeros(0, np.bool_))


@contextmanager
def _helper(dtype: Any, names: list[str]) -> Iterator[None]:
    """Compile kernels in another process for as long as a block takes."""
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        f"from tinyllm.kernels import warm; warm(None, {np.dtype(dtype).name!r}, {names!r})"
    )
    silent = subprocess.DEVNULL
    with subprocess.Popen([sys.executable, "-c", code], stdin=silent, stdout=silent, stderr=silent) as process:
        try:
            yield
        finally:
            process.terminate()

"""How fast are matrix products, rung by rung, beside BLAS, PyTorch and JAX?

    python benchmarks/matmul.py                                  every case below
    python benchmarks/matmul.py --only "2048x384 @" --json out.json --plot matmul.svg

Cases: squares, to see how cost grows; products of GPT's training step, among them transposed and batched ones, which
only the library's door takes; and the few-row products of decoding, which are bound by memory. A rung that would take
too long on a case is left out there and named.
"""

from __future__ import annotations

import argparse
from typing import Any

from command import Benchmark, arguments, run
from turns import Case, LeftOut, Timed

# name -> (M, K, N), stored as; "t" a transposed operand that is not copied
SHAPES: dict[str, tuple[tuple[int, int, int], str]] = {
    "768x128 @ 128x512, cpu's MLP": ((768, 128, 512), "nn"),
    "2048x384 @ 384x1536, 10M's MLP": ((2048, 384, 1536), "nn"),
    "2048x384 @ (1536x384)^T, a linear layer": ((2048, 384, 1536), "nt"),
    "(2048x1536)^T @ 2048x384, a weight's gradient": ((1536, 2048, 384), "tn"),
    "768x128 @ 128x50304, the wide vocabulary": ((768, 128, 50304), "nn"),
    "1x768 @ 768x3072, decoding": ((1, 768, 3072), "nn"),
    "1x768 @ (50257x768)^T, decoding's head": ((1, 768, 50257), "nt"),
    "8x768 @ 768x3072, decoding eight": ((8, 768, 3072), "nn"),
}
FEW = 8  # rows: what decoding has
SQUARES = (64, 128, 256, 512, 1024, 2048)


def cases(args: argparse.Namespace) -> list[Case]:
    """List the cases."""
    squares = SQUARES[:2] if args.tiny else SQUARES[:5] if args.quick else SQUARES
    found = [_case(f"{n}x{n} @ {n}x{n}", n, n, n) | {"sweep": [["square", "n", n]]} for n in squares]
    if args.tiny:
        return [*found, _case("7x9 @ (5x9)^T", 7, 9, 5, layout="nt")]
    small = list(SHAPES.items())[:1] + list(SHAPES.items())[-3:] if args.quick else list(SHAPES.items())
    found += [_case(name, *shape, layout=layout) for name, (shape, layout) in small]
    if not args.quick:
        found.append(_case("512x512 @ 512x512, float64", 512, 512, 512, dtype="float64"))
        found.append(_case("48 times 64x32 @ 32x64, batched", 64, 32, 64, batch=48))
    return found


def _case(name: str, M: int, K: int, N: int, layout: str = "nn", dtype: str = "float32", batch: int = 1) -> Case:
    size = 8 if dtype == "float64" else 4
    flop = 2 * batch * M * K * N
    return {
        "name": name, "M": M, "K": K, "N": N, "layout": layout, "dtype": dtype, "batch": batch, "flop": flop,
        "bytes": batch * size * (M * K + K * N + M * N), "work": flop,
        "probe": {"M": 96, "K": 96, "N": 96, "layout": "nn", "batch": 1, "work": 2 * 96**3},
    }  # fmt: skip


def operands(case: Case) -> tuple[Any, Any]:
    """Return a (M, K) and b (K, N), laid out in memory as the case says."""
    import numpy as np

    rng = np.random.default_rng(0)
    M, K, N, lead = case["M"], case["K"], case["N"], (case["batch"],) if case["batch"] > 1 else ()

    def draw(rows: int, columns: int, stored: str) -> Any:
        x = rng.standard_normal((*lead, rows, columns), dtype=np.float32).astype(case["dtype"])
        return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2) if stored == "t" else x

    return draw(M, K, case["layout"][0]), draw(K, N, case["layout"][1])


def prepare(candidate: str, case: Case) -> Any:
    """Return what this candidate does with a case."""
    a, b = operands(case)
    if candidate == "tinyllm":
        return _ours(a, b, case)
    if candidate == "numpy":
        import numpy as np

        return {"numpy": Timed(lambda: np.matmul(a, b))}
    if candidate.startswith("torch"):
        import torch

        x, y = torch.from_numpy(a), torch.from_numpy(b)
        product = torch.compile(torch.matmul) if candidate == "torch.compile" else torch.matmul
        return {candidate: Timed(lambda: product(x, y))}
    if candidate == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
        left, right, multiply = jax.numpy.asarray(a), jax.numpy.asarray(b), jax.jit(jax.numpy.matmul)
        return {"jax": Timed(lambda: multiply(left, right).block_until_ready())}
    raise LeftOut("unknown here")


def _ours(a: Any, b: Any, case: Case) -> Any:
    import numpy as np
    from rungs import solid, timed_rungs

    from tinyllm import kernels

    door = {"tinyllm": Timed(lambda: kernels.matmul(a, b))}
    plain = case["layout"] == "nn" and case["batch"] == 1
    c = np.empty((*a.shape[:-1], b.shape[-1]), case["dtype"])
    stacks = {name: x if x.ndim == 3 else x[None] for name, x in (("a", a), ("b", b), ("c", c))}
    nothing = {"bias": np.empty(0, c.dtype), "residual": np.empty((0, 0, 0), c.dtype), "activation": 0, "add": False}

    def values(names: set[str]) -> dict[str, Any]:
        """The rungs with an epilogue take stacks of matrices in any layout, those before them two plain ones."""
        if "bias" in names:
            return stacks | nothing
        return {"a": solid(a), "b": solid(b), "c": c} if plain else {}

    rungs, skipped = timed_rungs("matmul", values, "c")
    if case["batch"] == 1 and case["M"] <= FEW:  # decoding has ladders of its own, for weights in rows and in columns
        name, given = (
            ("gemv", {"x": a, "w": b.T, "c": c}) if case["layout"] == "nt" else ("gevm", {"x": a, "w": b, "c": c})
        )
        few, _ = timed_rungs(name, {key: solid(x) if key != "c" else x for key, x in given.items()}, "c")
        rungs |= few
    return door | rungs, skipped if plain else {}


BENCHMARK = Benchmark(
    "matmul", __doc__ or "", ("tinyllm", "numpy", "torch eager", "torch.compile", "jax"), "numpy", cases
)

if __name__ == "__main__":
    run(BENCHMARK, arguments(BENCHMARK.about).parse_args())

"""How fast is everything around the matrix products, rung by rung, beside PyTorch, torch.compile, NumPy and JAX?

    python benchmarks/elementwise.py
    python benchmarks/elementwise.py --only layer_norm --json out.json --plot elementwise.svg

Each kernel at two sizes, one that stays in the caches and one that does not, and two of them over a range of sizes.
They are bound by memory: what counts is GB/s, of the bytes that must be read and written once. NumPy's is our
reference.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from command import Benchmark, arguments, run
from turns import Case, LeftOut, Timed

SMALL, LARGE, VOCABULARY = (768, 512), (4096, 2048), (768, 50304)  # rows, columns


@dataclass(frozen=True)
class Kernel:
    """How to call one kernel everywhere.

    Attributes:
        inputs: names of its arrays, in the door's order; "g", "b" are (C,), "mean", "rstd", ... (N,), others (N, C).
        outputs: what a rung writes to, by name; the first is the result.
        passes: how many (N, C) arrays are read or written.
        flop: arithmetic operations to an entry, roughly; an exp counts as one.
        flat: do rungs take flat arrays?
        static: further arguments by name, in the door's order after the arrays.
        torch, jax: the peers' expression, from their module and the arrays.
    """

    inputs: str
    outputs: str
    passes: int
    flop: int
    flat: bool = False
    static: tuple[tuple[str, Any], ...] = ()
    torch: Callable[..., Any] | None = None
    jax: Callable[..., Any] | None = None
    in_place: bool = False


def _layer_norm_jax(jax: Any, x: Any, g: Any, b: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / jax.numpy.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-5) * g + b


def _rms_norm_jax(jax: Any, x: Any, g: Any) -> Any:
    return x / jax.numpy.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * g


def _cross_entropy_jax(jax: Any, logits: Any, targets: Any) -> Any:
    picked = jax.numpy.take_along_axis(logits, targets[:, None], 1)[:, 0]
    return jax.nn.logsumexp(logits, -1) - picked


def _through(function: Callable[..., Any], count: int = 1) -> Callable[..., Any]:
    """Return JAX's backward pass of a function: from its inputs and the cotangent to its first ``count`` gradients."""

    def backward(jax: Any, *args: Any) -> Any:
        *inputs, dy = args
        return jax.vjp(lambda *x: function(jax, *x), *inputs)[1](dy)[:count]

    return backward


EPS = (("eps", 1e-5),)
KERNELS: dict[str, Kernel] = {
    "gelu": Kernel(
        "x", "y", 2, 5, flat=True,
        torch=lambda t, x: t.nn.functional.gelu(x), jax=lambda j, x: j.nn.gelu(x, approximate=False),
    ),
    "gelu_backward": Kernel(
        "x dy", "dx", 3, 9, flat=True,
        torch=lambda t, x, dy: t.ops.aten.gelu_backward(dy, x),
        jax=_through(lambda j, x: j.nn.gelu(x, approximate=False)),
    ),
    "gelu_tanh": Kernel(
        "x", "y", 2, 9, flat=True,
        torch=lambda t, x: t.nn.functional.gelu(x, approximate="tanh"), jax=lambda j, x: j.nn.gelu(x),
    ),
    "gelu_tanh_backward": Kernel(
        "x dy", "dx", 3, 16, flat=True,
        torch=lambda t, x, dy: t.ops.aten.gelu_backward(dy, x, approximate="tanh"),
        jax=_through(lambda j, x: j.nn.gelu(x)),
    ),
    "add": Kernel("x y", "s", 3, 1, flat=True, torch=lambda t, x, y: x + y, jax=lambda j, x, y: x + y),
    "silu": Kernel(
        "x", "y", 2, 4, flat=True,
        torch=lambda t, x: t.nn.functional.silu(x), jax=lambda j, x: j.nn.silu(x),
    ),
    "swiglu": Kernel(
        "gate up", "y", 3, 5, flat=True,
        torch=lambda t, gate, up: t.nn.functional.silu(gate) * up, jax=lambda j, gate, up: j.nn.silu(gate) * up,
    ),
    "swiglu_backward": Kernel(
        "gate up dy", "dgate dup", 5, 10, flat=True,
        jax=_through(lambda j, gate, up: j.nn.silu(gate) * up, 2),
    ),
    "layer_norm": Kernel(
        "x g b", "y mean rstd", 2, 8, static=EPS,
        torch=lambda t, x, g, b: t.nn.functional.layer_norm(x, g.shape, g, b, 1e-5), jax=_layer_norm_jax,
    ),
    "layer_norm_backward": Kernel(
        "x g mean rstd dy", "dx dg db", 3, 14,
        torch=lambda t, x, g, mean, rstd, dy: t.ops.aten.native_layer_norm_backward(
            dy, x, g.shape, mean[:, None], rstd[:, None], g, g, [True, True, True]
        ),
    ),
    "add_layer_norm": Kernel(
        "x r g b", "s y mean rstd", 4, 9, static=EPS,
        torch=lambda t, x, r, g, b: (s := x + r, t.nn.functional.layer_norm(s, g.shape, g, b, 1e-5)),
        jax=lambda j, x, r, g, b: (x + r, _layer_norm_jax(j, x + r, g, b)),
    ),
    "rms_norm": Kernel(
        "x g", "y rstd", 2, 4, static=EPS,
        torch=lambda t, x, g: t.nn.functional.rms_norm(x, g.shape, g, 1e-5), jax=_rms_norm_jax,
    ),
    "rms_norm_backward": Kernel("x g rstd dy", "dx dg", 3, 10),
    "softmax": Kernel("x", "p", 2, 5, torch=lambda t, x: t.softmax(x, -1), jax=lambda j, x: j.nn.softmax(x)),
    "softmax_backward": Kernel(
        "p dp", "dx", 3, 4,
        torch=lambda t, p, dp: t.ops.aten._softmax_backward_data(dp, p, -1, t.float32),
    ),
    "cross_entropy": Kernel(
        "logits targets", "losses lse", 1, 3, static=(("ignore_index", -100),),
        torch=lambda t, logits, targets: t.nn.functional.cross_entropy(logits, targets, reduction="none"),
        jax=_cross_entropy_jax,
    ),
    "cross_entropy_backward": Kernel(
        "logits targets lse dlosses", "dlogits", 2, 3, static=(("ignore_index", -100),),
        jax=lambda j, logits, targets, lse, dlosses: j.vjp(lambda x: _cross_entropy_jax(j, x, targets), logits)[1](
            dlosses
        )[0],
    ),
    "dropout": Kernel("x", "y", 2, 12, flat=True, static=(("p", 0.1), ("seed", 1)),
        torch=lambda t, x: t.nn.functional.dropout(x, 0.1)),
    "rope_half": Kernel("x cos sin", "y", 2, 3),
    "scatter_add": Kernel(
        "index src", "table", 3, 1,
        torch=lambda t, index, src: t.zeros(src.shape[0], src.shape[1]).index_add_(0, index, src),
        jax=lambda j, index, src: j.numpy.zeros(src.shape).at[index].add(src),
    ),
    "sum_of_squares": Kernel("x", "", 1, 2, flat=True,
        torch=lambda t, x: t.linalg.vector_norm(x), jax=lambda j, x: (x * x).sum()),
    "adamw": Kernel("p g m v", "", 7, 14, flat=True, in_place=True),
}  # fmt: skip
QUICK = ("gelu", "gelu_tanh_backward", "layer_norm", "softmax", "adamw")
IN_ANOTHER_FORM = {"dropout", "sum_of_squares"}  # peers draw another mask, or take the root


def cases(args: argparse.Namespace) -> list[Case]:
    """List the cases."""
    if args.tiny:
        return [_case(name, 5, 16) for name in KERNELS] + [_case("gelu", 3, C, sweep="C") for C in (8, 16)]
    found = []
    for name in QUICK if args.quick else KERNELS:
        large = VOCABULARY if name.startswith("cross_entropy") else LARGE
        found += [_case(name, *size) for size in ((SMALL,) if args.quick else (SMALL, large))]
    for name in ("gelu", "layer_norm"):
        found += [_case(name, 1024, C, sweep="C") for C in (128, 256, 512, 1024, 2048, 4096)[: 3 if args.quick else 6]]
    return found


def _case(name: str, N: int, C: int, sweep: str = "") -> Case:
    kernel = KERNELS[name]
    entries = N * C
    return {
        "name": f"{name} {N}x{C}" + (", C sweep" if sweep else ""), "kernel": name, "N": N, "C": C,
        "work": entries, "group": name, "flop": kernel.flop * entries, "bytes": 4 * kernel.passes * entries,
        "sweep": [[name, sweep, C]] if sweep else [], "compare": name not in IN_ANOTHER_FORM,
        "probe": {"N": 32, "C": 64, "work": 32 * 64},
    }  # fmt: skip


def draw(kernel: Kernel, N: int, C: int) -> dict[str, Any]:
    """Return the arrays that a kernel takes, by name."""
    import numpy as np

    rng = np.random.default_rng(0)
    shapes = {"g": (C,), "b": (C,), "mean": (N,), "rstd": (N,), "lse": (N,), "dlosses": (N,)}
    if kernel.in_place:
        shapes = {}
    found: dict[str, Any] = {}
    for name in kernel.inputs.split():
        if name in ("index", "targets"):
            found[name] = rng.integers(0, N if name == "index" else C, N)
        elif name in ("cos", "sin"):
            found[name] = rng.standard_normal((N, 32), dtype=np.float32)
        else:
            found[name] = rng.standard_normal(shapes.get(name, (N, C)), dtype=np.float32)
    if "cos" in found:
        found["x"] = found["x"].reshape(N, -1, 64).swapaxes(0, 1)[None].copy() if C % 64 == 0 else _heads(rng, N)
    for name in ("v", "p"):
        if name in found:
            found[name] = np.abs(found[name]) + np.float32(0.1)
    if "rstd" in found:  # what the forward pass would have kept
        found["rstd"] = (1 / np.sqrt((found["x"] ** 2).mean(-1) + 1e-5)).astype(np.float32)
    if "lse" in found:
        found["lse"] = np.log(np.exp(found["logits"].astype(np.float64)).sum(-1)).astype(np.float32)
    return found


def _heads(rng: Any, N: int) -> Any:
    import numpy as np

    return rng.standard_normal((1, 1, N, 64), dtype=np.float32)


def prepare(candidate: str, case: Case) -> Any:
    """Return what this candidate does with a case."""
    name = case["kernel"]
    kernel = KERNELS[name]
    arrays = draw(kernel, case["N"], case["C"])
    static = [value for _, value in kernel.static]
    if name == "scatter_add":
        static = [case["N"]]
    if candidate == "tinyllm":
        return _ours(name, kernel, arrays, static)
    if candidate == "numpy":
        from tinyllm import kernels

        reference = kernels.TABLE[name]["numpy"]
        more = ADAMW if name == "adamw" else static
        return {"numpy": Timed(lambda: reference(*arrays.values(), *more), slow=True)}
    if candidate.startswith("torch"):
        return {candidate: Timed(_torch(name, kernel, arrays, compiled=candidate == "torch.compile"))}
    if candidate == "jax":
        return {"jax": Timed(_jax(name, kernel, arrays))}
    raise LeftOut("unknown here")


ADAMW = (1e-3, 0.9, 0.99, 1e-8, 0.1, 10)  # lr, beta1, beta2, eps, weight_decay, step


def _ours(name: str, kernel: Kernel, arrays: dict[str, Any], static: list[Any]) -> Any:
    import numpy as np
    from rungs import solid, timed_rungs

    from tinyllm import kernels
    from tinyllm.kernels.dropout import scale_of, start_of, threshold_of

    door = getattr(kernels, name)
    if name == "adamw":
        copies = {key: x.copy() for key, x in arrays.items()}
        timed = {"tinyllm": Timed(lambda: door(*copies.values(), *ADAMW))}
        lr, beta1, beta2, eps, decay, step = ADAMW
        values = {key: x.copy().reshape(-1) for key, x in arrays.items()} | {
            "decay": 1 - lr * decay, "beta1": beta1, "beta2": beta2, "rate": lr / (1 - beta1**step),
            "root": (1 - beta2**step) ** -0.5, "eps": eps, "scale": 1.0,
        }  # fmt: skip
        values["g"] = solid(values["g"])
        rungs, skipped = timed_rungs(name, values, "p")
        return timed | rungs, skipped
    timed = {"tinyllm": Timed(lambda: door(*arrays.values(), *static))}

    def laid_out(x: Any) -> Any:
        if kernel.flat and x.ndim > 1:
            return x.reshape(-1)
        return x.reshape(-1, *x.shape[2:]) if x.ndim == 4 else x

    first = laid_out(next(x for x in arrays.values() if x.dtype.kind == "f"))
    rows, columns = first.shape[:1], first.shape[-1:]
    vectors = {"mean": rows, "rstd": rows, "losses": rows, "lse": rows, "dg": columns, "db": columns}
    values = {key: solid(laid_out(x)) for key, x in arrays.items()}
    values |= dict(kernel.static)
    values["ds"] = solid(np.empty((0, *columns), np.float32))  # nothing comes along the residual stream
    values |= {key: np.zeros(vectors.get(key, first.shape), np.float32) for key in kernel.outputs.split()}
    if name == "dropout":
        p, seed = static
        values |= {"start": start_of(seed), "first": 0, "threshold": threshold_of(p), "scale": float(scale_of(p))}
    rungs, skipped = timed_rungs(name, values, (kernel.outputs.split() or [""])[0])
    if name == "scatter_add":  # a rung adds to a table that is there already, the door makes one
        for rung in rungs.values():
            rung.before = lambda: values["table"].fill(0)
            rung.once = True
    return timed | rungs, skipped


def _torch(name: str, kernel: Kernel, arrays: dict[str, Any], compiled: bool) -> Callable[[], Any]:
    import torch

    tensors = [torch.from_numpy(x) for x in arrays.values()]
    if name == "adamw":
        return _torch_adamw(torch, tensors, compiled)
    if kernel.torch is None:
        return _torch_backward(torch, name, arrays, compiled)
    expression = kernel.torch

    def evaluate(*tensors: Any) -> Any:
        return expression(torch, *tensors)

    evaluate = torch.compile(evaluate) if compiled else evaluate

    def run() -> Any:
        with torch.no_grad():
            return evaluate(*tensors)

    return run


def _torch_adamw(torch: Any, tensors: list[Any], compiled: bool) -> Callable[[], Any]:
    if compiled:
        raise LeftOut("its AdamW is one fused kernel already")
    parameter = torch.nn.Parameter(tensors[0].clone())
    parameter.grad = tensors[1]
    optimizer = torch.optim.AdamW([parameter], lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    return lambda: optimizer.step()


def _torch_backward(torch: Any, name: str, arrays: dict[str, Any], compiled: bool) -> Callable[[], Any]:
    """Time autograd's backward pass alone, where PyTorch has no kernel of its own to call."""
    functional = torch.nn.functional
    forward = {
        "swiglu_backward": lambda gate, up: functional.silu(gate) * up,
        "rms_norm_backward": lambda x, g: functional.rms_norm(x, g.shape, g, 1e-5),
        "cross_entropy_backward": lambda logits, targets: functional.cross_entropy(logits, targets, reduction="none"),
    }.get(name)
    if forward is None:
        raise LeftOut(f"it has nothing like {name}")
    inputs = [torch.from_numpy(x) for x in list(arrays.values())[:2]]
    leaves = [x.requires_grad_() for x in inputs if x.is_floating_point()]
    torch._functorch.config.donated_buffer = False  # torch.compile's graph, too, is walked again in every round
    y = (torch.compile(forward) if compiled else forward)(*inputs)
    dy = torch.from_numpy(list(arrays.values())[-1])
    return lambda: torch.autograd.grad(y, leaves, dy, retain_graph=True)


def _jax(name: str, kernel: Kernel, arrays: dict[str, Any]) -> Callable[[], Any]:
    import jax

    if kernel.jax is None:
        raise LeftOut(f"no expression for {name} here")
    expression = kernel.jax
    inputs = [jax.numpy.asarray(x) for x in arrays.values()]
    evaluate = jax.jit(lambda *x: expression(jax, *x))
    return lambda: jax.block_until_ready(evaluate(*inputs))


def without_case() -> list[str]:
    """List the kernels of the library that neither this file nor matmul.py nor attention.py measures."""
    from tinyllm import kernels

    return sorted(set(kernels.TABLE) - set(KERNELS) - {"matmul", "attention", "attention_backward"})


BENCHMARK = Benchmark(
    "elementwise", __doc__ or "", ("tinyllm", "numpy", "torch eager", "torch.compile", "jax"), "torch eager", cases,
    without_case=without_case,
)  # fmt: skip

if __name__ == "__main__":
    run(BENCHMARK, arguments(BENCHMARK.about).parse_args())

"""How fast is attention, forward and backward, beside PyTorch's and JAX's, and how does it grow with T?

    python benchmarks/attention.py
    python benchmarks/attention.py --only "T 1024" --json out.json --plot attention.svg

Causal unless a case says otherwise. Counted are the pairs of query and key that are seen, 4 D operations each forward
and 10 D backward: what is calculated beyond that is waste. PyTorch's is ``scaled_dot_product_attention``, JAX's
``dot_product_attention``, both as their users would call them; NumPy's is our reference, which holds all the scores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from command import Benchmark, arguments, run
from turns import Case, LeftOut, Timed

SHAPES = {"cpu": (12, 4, 64, 32), "10M": (8, 6, 256, 64), "long": (2, 12, 1024, 64)}  # B, H, T, D
SWEEP = (64, 128, 256, 512, 1024, 2048, 4096)  # T, with B 1, H 4, D 64
BOTH = ("forward", "forward and backward")


def cases(args: argparse.Namespace) -> list[Case]:
    """List the cases."""
    if args.tiny:
        found = [_case("T sweep", 1, 1, T, 8, kind, sweep=True) for kind in BOTH for T in (8, 16)]
        return [*found, _case("cpu", 1, 2, 16, 8, "backward")]
    sweep = SWEEP[1:5:2] if args.quick else SWEEP
    shapes = {"cpu": SHAPES["cpu"]} if args.quick else SHAPES
    kinds = ("backward",) if args.quick else (*BOTH, "backward")
    found = [_case(name, *shape, kind) for name, shape in shapes.items() for kind in kinds]
    if not args.quick:
        found.append(_case("grouped heads, window 256", 2, 12, 1024, 64, BOTH[1], K=4, window=256))
        found.append(_case("decoding, one query", 1, 12, 1, 64, "forward", S=1024))
    found += [_case("T sweep", 1, 4, T, 64, kind, sweep=True) for kind in BOTH for T in sweep]
    return found


def _case(
    about: str,
    B: int,
    H: int,
    T: int,
    D: int,
    kind: str,
    K: int | None = None,
    S: int | None = None,
    window: int | None = None,
    sweep: bool = False,
) -> Case:
    K, S = K or H, S or T
    pairs = B * H * sum(min(position + 1, window or S) for position in range(S - T, S))
    products = {"forward": 2, "backward": 5, "forward and backward": 7}[kind]
    flop = 2 * products * D * pairs
    heads = f"H {H}" if K == H else f"H {H} K {K}"
    length = f"T {T}" if S == T else f"T {T} S {S}"
    entries = {"forward": (2, 2), "backward": (4, 4), "forward and backward": (4, 4)}[kind]  # arrays like q, like k
    return {
        "name": f"{about}: B {B} {heads} {length} D {D}, {kind}", "B": B, "H": H, "K": K, "T": T, "S": S, "D": D,
        "window": window, "kind": kind, "flop": flop, "work": flop, "group": kind,
        "bytes": 4 * B * D * (entries[0] * H * T + entries[1] * K * S),
        "sweep": [[kind, "T", T]] if sweep else [],
        "probe": {"B": 1, "H": 1, "K": 1, "T": 32, "S": 32, "window": None, "work": products * D * 32 * 33},
    }  # fmt: skip


def draw(case: Case) -> list[Any]:
    """Return q, k, v and dout in float32: (B, H, T, D), (B, K, S, D) twice, (B, H, T, D)."""
    import numpy as np

    rng = np.random.default_rng(0)
    q_shape = case["B"], case["H"], case["T"], case["D"]
    k_shape = case["B"], case["K"], case["S"], case["D"]
    return [rng.standard_normal(shape, dtype=np.float32) for shape in (q_shape, k_shape, k_shape, q_shape)]


def prepare(candidate: str, case: Case) -> Any:
    """Return what this candidate does with a case."""
    if candidate == "tinyllm":
        return _ours(case)
    if candidate == "numpy":
        return {"numpy": Timed(_by_kernels(case, "numpy"), slow=True)}
    if candidate.startswith("torch"):
        return {candidate: Timed(_torch(case, compiled=candidate == "torch.compile"))}
    if candidate == "jax":
        return {"jax": Timed(_jax(case))}
    raise LeftOut("unknown here")


def _by_kernels(case: Case, backend: str) -> Callable[[], Any]:
    from tinyllm import kernels

    q, k, v, dout = draw(case)
    how = True, case["window"], case["D"] ** -0.5

    def call(name: str, *args: Any) -> Any:
        return kernels.TABLE[name]["numpy"](*args) if backend == "numpy" else getattr(kernels, name)(*args)

    if case["kind"] == "forward":
        return lambda: call("attention", q, k, v, *how)
    if case["kind"] == "backward":
        out, lse = kernels.attention(q, k, v, *how)
        return lambda: call("attention_backward", q, k, v, out, lse, dout, *how)

    def both() -> Any:
        out, lse = call("attention", q, k, v, *how)
        return call("attention_backward", q, k, v, out, lse, dout, *how)

    return both


def _ours(case: Case) -> Any:
    import numpy as np
    from rungs import ladder, solid, timed_rungs

    from tinyllm import kernels
    from tinyllm.kernels.dropout import scale_of, start_of, threshold_of

    door = {"tinyllm": Timed(_by_kernels(case, "numba"))}
    if case["kind"] == BOTH[1]:  # rungs do one or the other
        return door
    q, k, v, dout = (solid(x) for x in draw(case))
    scale, everything = case["D"] ** -0.5, case["T"] + case["S"]
    out, lse = kernels.attention(q, k, v, True, case["window"], scale)
    values = {
        "q": q, "k": k, "v": v, "dout": dout, "scale": float(scale), "ahead": 0,
        "back": everything if case["window"] is None else case["window"] - 1,
        "start": start_of(0), "threshold": threshold_of(0.0), "factor": float(scale_of(0.0)),  # no dropout
        "lengths": np.full(case["B"], case["S"]),
    }  # fmt: skip
    if case["kind"] == "forward":
        few = case["T"] < case["S"] and bool(ladder("attention_decode"))
        outputs = {"out": np.empty_like(q), "lse": np.empty(q.shape[:3], q.dtype)}
        rungs, skipped = timed_rungs("attention_decode" if few else "attention", values | outputs, "out")
    else:
        values |= {"out": solid(out), "lse": solid(lse)}
        outputs = {"dq": np.empty_like(q), "dk": np.empty_like(k), "dv": np.empty_like(v)}
        rungs, skipped = timed_rungs("attention_backward", values | outputs, "dq")
    return door | rungs, skipped


def _torch(case: Case, compiled: bool) -> Callable[[], Any]:
    import torch
    from torch.nn import functional

    tensors = [torch.from_numpy(x) for x in draw(case)]
    q, k, v, dout = tensors
    mask = None
    if case["window"] is not None or case["T"] != case["S"]:  # is_causal aligns the mask to the first key
        distance = torch.arange(case["S"] - case["T"], case["S"])[:, None] - torch.arange(case["S"])
        mask = (distance >= 0) & (distance < (case["window"] or case["S"]))

    def attend(q: Any, k: Any, v: Any) -> Any:
        return functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=case["H"] != case["K"]
        )

    attend = torch.compile(attend) if compiled else attend
    if case["kind"] == "forward":

        def forward() -> Any:
            with torch.no_grad():
                return attend(q, k, v)

        return forward
    for x in (q, k, v):
        x.requires_grad_()
    if case["kind"] == "backward":
        torch._functorch.config.donated_buffer = False  # torch.compile's graph, too, is walked again in every round
        out = attend(q, k, v)
        return lambda: torch.autograd.grad(out, (q, k, v), dout, retain_graph=True)
    return lambda: torch.autograd.grad(attend(q, k, v), (q, k, v), dout)


def _jax(case: Case) -> Callable[[], Any]:
    import jax

    if case["T"] != case["S"] or case["window"] is not None:
        raise LeftOut("its dot_product_attention has no such causal mask")
    q, k, v, dout = (jax.numpy.asarray(x.swapaxes(1, 2)) for x in draw(case))  # (B, T, H, D)

    def attend(q: Any, k: Any, v: Any) -> Any:
        return jax.nn.dot_product_attention(q, k, v, is_causal=True)

    if case["kind"] == "forward":
        forward = jax.jit(lambda q, k, v: attend(q, k, v).swapaxes(1, 2))
        return lambda: forward(q, k, v).block_until_ready()
    if case["kind"] == "backward":
        _, pull_back = jax.jit(lambda q, k, v: jax.vjp(attend, q, k, v))(q, k, v)
        apply = jax.jit(lambda pull_back, dout: [x.swapaxes(1, 2) for x in pull_back(dout)])
        return lambda: jax.block_until_ready(apply(pull_back, dout))
    both = jax.jit(lambda q, k, v, dout: [x.swapaxes(1, 2) for x in jax.vjp(attend, q, k, v)[1](dout)])
    return lambda: jax.block_until_ready(both(q, k, v, dout))


BENCHMARK = Benchmark(
    "attention",
    __doc__ or "",
    ("tinyllm", "numpy", "torch eager", "torch.compile", "jax"),
    "torch eager",
    cases,
    limit=1.0,
)

if __name__ == "__main__":
    run(BENCHMARK, arguments(BENCHMARK.about).parse_args())

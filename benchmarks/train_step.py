"""How long is a training step, beside PyTorch, and how does it grow with T, C and L?

    python benchmarks/train_step.py                     the three configurations below
    python benchmarks/train_step.py --only cpu --rounds 9 --json step.json
    python benchmarks/train_step.py --slopes --plot step.svg

A step is what training does: zero the gradients, forward, backward, clip to norm 1, AdamW with decay, float32. The
model is GPT-2's architecture without biases, as nanoGPT trains it. The PyTorch peer is written for speed in the usual
way (``scaled_dot_product_attention``, one query-key-value product); it runs eagerly and under ``torch.compile``. NumPy
is our engine on its references. How much memory a step takes: memory.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from command import Benchmark, arguments, run
from turns import Case, LeftOut, Timed

CONFIGURATIONS: dict[str, dict[str, int]] = {
    "cpu": {"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64, "batch": 12, "vocab_size": 65},
    "10M": {"n_layer": 6, "n_head": 6, "n_embd": 384, "block_size": 256, "batch": 8, "vocab_size": 65},
    "wide vocabulary": {"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64, "batch": 12, "vocab_size": 50304},
}
TINY = {"n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 8, "batch": 2, "vocab_size": 11}
SWEPT = {"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64, "batch": 4, "vocab_size": 65}
SWEEPS = {
    "T": ("block_size", (64, 128, 256, 512, 1024)),
    "C": ("n_embd", (64, 128, 256, 512)),
    "L": ("n_layer", (1, 2, 4, 8)),
}


def cases(args: argparse.Namespace) -> list[Case]:
    """List the cases."""
    sweeps, configurations = [], CONFIGURATIONS
    if args.slopes or args.plot:
        start, shorten = (TINY, 2) if args.tiny else (SWEPT, 3 if args.quick else 9)
        sweeps = [
            _case(f"{axis} {size}", {**start, field: size}, [["a training step", axis, size]])
            for axis, (field, sizes) in SWEEPS.items()
            for size in sizes[:shorten]
        ]
    if args.tiny or args.quick:
        configurations = {"tiny": TINY} if args.tiny else {"cpu": CONFIGURATIONS["cpu"]}
    return [_case(name, c) for name, c in configurations.items() if not args.slopes] + sweeps


def _case(name: str, c: dict[str, int], sweep: list[Any] | None = None) -> Case:
    tokens = c["batch"] * c["block_size"]
    matrices = 12 * c["n_layer"] * c["n_embd"] ** 2 + c["vocab_size"] * c["n_embd"]
    pairs = c["n_layer"] * c["batch"] * c["block_size"] * (c["block_size"] + 1) // 2  # of query and key
    sizes = ", ".join(f"{key} {value}" for key, value in c.items())
    return {
        "name": f"{name}: {sizes}", "configuration": c, "tokens": tokens, "sweep": sweep or [],
        # 2 operations a weight and token forward and 4 backward; attention: 2 products forward, 5 backward
        "flop": 6 * tokens * matrices + 14 * c["n_embd"] * pairs,
        # AdamW alone reads 4 arrays as large as the parameters and writes 3; activations may stay in the caches
        "bytes": 28 * matrices, "compare": False,
    }  # fmt: skip


def batches(c: dict[str, int]) -> Iterator[Any]:
    """Random tokens: how long a step takes does not depend on what they say."""
    import numpy as np

    rng = np.random.default_rng(0)
    while True:
        ids = rng.integers(0, c["vocab_size"], (c["batch"], c["block_size"] + 1))
        yield ids[:, :-1], ids[:, 1:]


def prepare(candidate: str, case: Case) -> dict[str, Timed]:
    """Return what this candidate does with a case."""
    c = case["configuration"]
    if candidate in ("tinyllm", "numpy"):
        return {candidate: Timed(tinyllm_step(c, "numpy" if candidate == "numpy" else None))}
    if candidate.startswith("torch"):
        return {candidate: Timed(torch_step(c, compiled=candidate == "torch.compile"))}
    raise LeftOut("unknown here")


def tinyllm_step(c: dict[str, int], backend: str | None = None) -> Callable[[], float]:
    """Our step."""
    import contextlib

    import numpy as np

    import tinyllm as tl
    from tinyllm import nn

    sizes = {name: value for name, value in c.items() if name != "batch"}
    config = tl.GPTConfig.preset("gpt2", **sizes, bias=False, dropout=0.0)
    model = tl.GPT(config, np.random.default_rng(0))
    optimizer = nn.optim.AdamW(nn.optim.decay_groups(model), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)
    parameters = list(model.parameters())
    data = batches(c)

    def step() -> float:
        with tl.kernels.use(backend) if backend else contextlib.nullcontext():
            idx, targets = next(data)
            optimizer.zero_grad()
            loss = model.loss(idx, targets)
            loss.backward()
            scale = nn.clip_scale(nn.grad_norm(parameters), 1.0)
            optimizer.step(grad_scale=scale)
            return float(loss.item())

    return step


def torch_step(c: dict[str, int], compiled: bool) -> Callable[[], float]:
    """PyTorch's step, eager or compiled."""
    import torch
    from torch_gpt import TorchGPT

    torch.manual_seed(0)
    model: Any = TorchGPT(**{name: value for name, value in c.items() if name != "batch"})
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    run = torch.compile(model) if compiled else model
    data = batches(c)

    def step() -> float:
        idx, targets = (torch.from_numpy(a) for a in next(data))
        optimizer.zero_grad(set_to_none=True)
        loss = run(idx, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return float(loss.item())

    return step


BENCHMARK = Benchmark(
    "train_step", __doc__ or "", ("tinyllm", "numpy", "torch eager", "torch.compile"), "torch eager", cases
)
MORE = ("--slopes", {"action": "store_true", "help": "only how a step grows with T, C and L, as --plot draws it"})

if __name__ == "__main__":
    run(BENCHMARK, arguments(BENCHMARK.about, MORE).parse_args())

"""How long is a training step, and how much memory does it take, beside PyTorch?

    python benchmarks/train_step.py                     the three configurations below, 2 threads
    python benchmarks/train_step.py --only cpu --rounds 21 --json step.json

A step is what training does: zero the gradients, forward, backward, clip to norm 1, AdamW with decay, float32. The
model is GPT-2's architecture without biases, as nanoGPT trains it. The PyTorch peer is written for speed in the usual
way (``scaled_dot_product_attention``, one query-key-value product); it runs eagerly and under ``torch.compile``.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np
from turns import Candidate, machine, serve, start, take_turns

CONFIGURATIONS: dict[str, dict[str, int]] = {
    "cpu": {"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64, "batch": 12, "vocab_size": 65},
    "10M": {"n_layer": 6, "n_head": 6, "n_embd": 384, "block_size": 256, "batch": 8, "vocab_size": 65},
    "wide vocabulary": {"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64, "batch": 12, "vocab_size": 50304},
}
CANDIDATES = ["tinyllm", "torch eager", "torch.compile"]


def batches(c: dict[str, int]) -> Any:
    """Random tokens: how long a step takes does not depend on what they say."""
    rng = np.random.default_rng(0)
    while True:
        ids = rng.integers(0, c["vocab_size"], (c["batch"], c["block_size"] + 1))
        yield ids[:, :-1], ids[:, 1:]


def tinyllm_worker(c: dict[str, int]) -> None:
    """Our step."""
    import tinyllm as tl
    from tinyllm import nn

    sizes = {name: value for name, value in c.items() if name != "batch"}
    config = tl.GPTConfig.preset("gpt2", **sizes, bias=False, dropout=0.0)
    model = tl.GPT(config, np.random.default_rng(0))
    optimizer = nn.optim.AdamW(nn.optim.decay_groups(model), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)
    parameters = list(model.parameters())
    data = batches(c)

    def step() -> float:
        idx, targets = next(data)
        optimizer.zero_grad()
        loss = model.loss(idx, targets)
        loss.backward()
        nn.clip_grad_norm(parameters, 1.0)
        optimizer.step()
        return float(loss.item())

    serve(
        step,
        {"version": tl.__version__, "kernels": tl.kernels.backend(), "parameters": sum(p.size for p in parameters)},
    )


def torch_worker(c: dict[str, int], compiled: bool) -> None:
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

    serve(step, {"version": torch.__version__, "parameters": sum(p.numel() for p in parameters)})


def table(name: str, c: dict[str, int], candidates: list[Candidate]) -> list[dict[str, Any]]:
    """Print one configuration and return its rows."""
    tokens = c["batch"] * c["block_size"]
    ours = candidates[0]
    sizes = ", ".join(f"{key} {value}" for key, value in c.items())
    print(f"\n{name}: {sizes}; {ours.facts['parameters']:,} parameters")
    print(f"{'':<15}{'ms a step':>10}{'tokens/s':>12}{'peak MB':>10}{'time, ours/theirs':>19}{'memory':>8}")
    rows = []
    for peer in candidates:
        row = {
            "configuration": name,
            "candidate": peer.name,
            "version": peer.facts["version"],
            "milliseconds": peer.median * 1e3,
            "tokens_per_second": tokens / peer.median,
            "peak_megabytes": peer.facts["peak_megabytes"],
            "time_ratio": ours.median / peer.median,
            "memory_ratio": ours.facts["peak_megabytes"] / peer.facts["peak_megabytes"],
            "loss": peer.facts["last"],
            "all_milliseconds": [s * 1e3 for s in peer.seconds],
        }
        rows.append(row)
        print(
            f"{peer.name:<15}{row['milliseconds']:>10.1f}{row['tokens_per_second']:>12,.0f}{row['peak_megabytes']:>10.0f}"
            f"{row['time_ratio']:>19.2f}{row['memory_ratio']:>8.2f}"
        )
    return rows


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CONFIGURATIONS, help="one configuration")
    parser.add_argument("--rounds", type=int, default=11, help="timed steps of each candidate (default 11)")
    parser.add_argument("--warmup", type=int, default=3, help="steps before that (default 3)")
    parser.add_argument("--threads", type=int, default=2, help="threads of each candidate (default 2)")
    parser.add_argument("--json", metavar="FILE", help="write the figures, with the facts of the machine")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        name, settings = args.worker[0], json.loads(args.worker[1])
        if name == "tinyllm":
            tinyllm_worker(settings)
        else:
            torch_worker(settings, compiled=name == "torch.compile")
        return
    rows: list[dict[str, Any]] = []
    for name, c in CONFIGURATIONS.items():
        if args.only in (None, name):
            started = [start(__file__, candidate, c, args.threads) for candidate in CANDIDATES]
            candidates = [candidate for candidate in started if candidate]
            if not candidates or candidates[0].name != "tinyllm":
                sys.exit("tinyllm itself did not start")
            take_turns(candidates, args.warmup, max(5, args.rounds))
            rows += table(name, c, candidates)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine(), "threads": args.threads, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()

"""How many tokens a second does a GPT-2 write, in float32 and with 8- and 4-bit weights, beside PyTorch and the memory?

    python benchmarks/decode.py
    python benchmarks/decode.py --only "124M, batch 1" --json out.json --plot decode.svg

The model has GPT-2's shape (124M parameters) and random weights. A step reads one token and gives the logits of the
next. It cannot be faster than memory delivers every weight once, and the keys and values so far: that is the roofline.
PyTorch is a loop over tensors with a cache allocated once (torch_decode.py); transformers is ``GPT2LMHeadModel`` with
its own cache. Both calculate in float32, and are what 8 and 4 bits are compared with, too.

Up to 16 texts are written side by side; they share the reading of the weights. And what is the memory of keys and
values worth? A text of T tokens is written by a smaller model with it, which costs T times the reading of the weights,
and without it: then each token makes all others anew, and the cost grows with T squared.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Callable
from typing import Any

from command import Benchmark, arguments, run
from turns import Case, LeftOut, Timed

GPT2 = {"n_layer": 12, "n_head": 12, "n_embd": 768, "block_size": 1024, "vocab_size": 50257}
SMALLER = {"n_layer": 4, "n_head": 8, "n_embd": 512, "block_size": 512, "vocab_size": 50257}
WRITER = {"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 512, "vocab_size": 256}
TINY = {"n_layer": 1, "n_head": 2, "n_embd": 64, "block_size": 32, "vocab_size": 40}
BYTES = {"float32": 4.0, "int8": 1.0, "int4": 0.5, "int4x8": 0.5}  # of a weight; scales are not counted
FORMATS = tuple(BYTES)
BATCHES = (1, 2, 4, 8, 16)
PEERS = ("torch eager", "transformers")


def cases(args: argparse.Namespace) -> list[Case]:
    """List the cases."""
    if args.tiny:
        return (
            [_case("tiny", TINY, 1, 4, weights) for weights in FORMATS]
            + [_case("tiny", {**TINY, "n_layer": L}, 1, 4, "float32", [["a token", "L", L]]) for L in (1, 2)]
            + _texts(TINY, (4, 8))
        )
    if args.quick:
        return [_case("29M", SMALLER, 1, 16, weights) for weights in FORMATS] + _texts(WRITER, (16, 64, 256))
    found = []
    for batch in BATCHES:
        for weights in FORMATS:
            case = _case("124M", GPT2, batch, 64, weights)
            if weights != "float32" and batch not in (1, 8):
                case["without"] = PEERS  # they have just been timed with so many texts
            found.append(case)
    found += _texts(WRITER, (16, 32, 64, 128, 256, 512))
    for T in (16, 256, 512, 960):
        found.append(_case("T sweep", GPT2, 1, T, "int8", [["a token, int8, after T", "T", T]]))
    for C in (256, 512, 768, 1024):
        found.append(
            _case("C sweep", {**GPT2, "n_embd": C, "n_head": C // 64}, 1, 16, "float32", [["a token", "C", C]])
        )
    for L in (3, 6, 12, 24):
        found.append(_case("L sweep", {**GPT2, "n_layer": L}, 1, 16, "float32", [["a token", "L", L]]))
    return found


def _texts(configuration: dict[str, int], lengths: tuple[int, ...]) -> list[Case]:
    """List the writing of whole texts, with and without a memory; ours alone."""
    return [
        {
            "name": f"a text, {cache} cache, {T} tokens", "configuration": configuration, "kind": cache, "tokens": T,
            "T": T, "batch": 1, "compare": False, "without": PEERS, "sweep": [[f"a text, {cache} cache", "T", T]],
        }
        for cache in ("with the", "without a") for T in lengths
    ]  # fmt: skip


def _case(name: str, c: dict[str, int], batch: int, T: int, weights: str, sweep: list[Any] | None = None) -> Case:
    matrices = 12 * c["n_layer"] * c["n_embd"] ** 2 + c["vocab_size"] * c["n_embd"]
    cache = 2 * 4 * c["n_layer"] * batch * T * c["n_embd"]
    sizes = f"L {c['n_layer']} C {c['n_embd']}" if sweep else weights
    return {
        "name": f"{name}, batch {batch}, {sizes}, {T} tokens before", "configuration": c, "batch": batch, "T": T,
        "weights": weights, "tokens": batch, "flop": 2 * batch * matrices,
        "bytes": int(BYTES[weights] * matrices) + cache, "compare": False, "sweep": sweep or [],
    }  # fmt: skip


def prepare(candidate: str, case: Case) -> dict[str, Timed]:
    """Return what this candidate does with a case."""
    if candidate == "tinyllm" and "kind" in case:
        return {candidate: Timed(_writing(case), once=True)}
    if candidate == "tinyllm":
        return {candidate: Timed(*_ours(case), once=True)}
    if candidate == "torch eager":
        return {candidate: Timed(*_torch(case), once=True)}
    if candidate == "transformers":
        return {candidate: Timed(*_transformers(case), once=True)}
    raise LeftOut("unknown here")


def _ids(case: Case, length: int) -> Any:
    import numpy as np

    return np.random.default_rng(0).integers(0, case["configuration"]["vocab_size"], (case["batch"], length))


def _ours(case: Case) -> tuple[Callable[[], Any], Callable[[], Any]]:
    try:
        from tinyllm.generate.decode import Decoder
    except ImportError:
        raise LeftOut("tinyllm.generate.decode is not there yet") from None

    decoder = Decoder(model_of(json.dumps(case["configuration"])), weights=case["weights"], batch=case["batch"])
    ids, token, left = _ids(case, case["T"]), _ids(case, 1)[:, 0], [0]

    def again() -> None:
        """Begin anew after a few tokens, so that every step reads about as many keys."""
        if left[0] == 0:
            decoder.reset()
            decoder.prefill(ids)
            left[0] = room(case)
        left[0] -= 1

    return lambda: decoder.step(token), again


def _writing(case: Case) -> Callable[[], Any]:
    """Return what writes a text of T tokens, the likeliest each time, after a first one."""
    import numpy as np

    from tinyllm.generate.decode import Decoder

    decoder = Decoder(model_of(json.dumps(case["configuration"])))
    kept = case["kind"] == "with the"

    def write() -> Any:
        decoder.reset()
        ids = [0]
        while len(ids) <= case["T"]:
            if kept:
                logits = decoder.step(np.array(ids[-1:]))
            else:
                decoder.reset()
                logits = decoder.prefill(np.array([ids]))
            ids.append(int(logits[0].argmax()))
        return np.array(ids)

    return write


@functools.lru_cache(1)
def model_of(configuration: str) -> Any:
    """Make our model; it serves all cases of its shape."""
    import numpy as np

    import tinyllm as tl

    return tl.GPT(tl.GPTConfig.preset("gpt2", **json.loads(configuration), dropout=0.0), np.random.default_rng(0))


def room(case: Case) -> int:
    """Return how many steps may follow before the cache is emptied: few enough that they all cost the same."""
    return max(1, min(32, case["configuration"]["block_size"] - case["T"] - 1))


def _torch(case: Case) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import torch
    from torch_decode import TorchDecoder

    decoder = TorchDecoder(**case["configuration"], batch=case["batch"])
    token = torch.from_numpy(_ids(case, 1)[:, 0])

    def again() -> None:
        if not case["T"] <= decoder.length < case["T"] + room(case):
            decoder.length = case["T"]  # the keys before are zeros: as costly as any others

    return lambda: decoder.step(token), again


def _transformers(case: Case) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import torch
    import transformers  # noqa: F401  (says that it is not installed before anything is built)
    from torch_decode import huggingface

    model: Any = huggingface(case["configuration"])
    prompt, token = torch.from_numpy(_ids(case, case["T"])), torch.from_numpy(_ids(case, 1))
    state: dict[str, Any] = {"left": 0, "cache": None}

    def again() -> None:
        if state["left"] == 0:
            with torch.inference_mode():
                state["cache"] = model(prompt, use_cache=True).past_key_values
            state["left"] = room(case)
        state["left"] -= 1

    def step() -> Any:
        with torch.inference_mode():
            found = model(token, past_key_values=state["cache"], use_cache=True)
        state["cache"] = found.past_key_values
        return found.logits

    return step, again


BENCHMARK = Benchmark("decode", __doc__ or "", ("tinyllm", "torch eager", "transformers"), "torch eager", cases)

if __name__ == "__main__":
    run(BENCHMARK, arguments(BENCHMARK.about).parse_args())

"""What does a memory save, and what do texts side by side? Measured on a small real model, stories260K.

    python benchmarks/stories.py
    python benchmarks/stories.py --only "a token" --plot stories.svg

A token after T others costs the same whatever T is, nearly, if their keys and values are kept, and T times as much if
all is read again; a whole text then grows with T, or with its square. Beside us stands a Llama in plain NumPy
(numpy_llama.py), with and without a memory. Side by side, texts of unequal length share the weights: as soon as one is
done, the next takes its place (generate/continuous.py).

The weights are those of the data folders (TINYLLM_DATA), or random ones of the same shape: that takes as long.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from command import Benchmark, arguments, run
from turns import Case, LeftOut, Timed

FILE = "models/stories260K/stories260K.bin"
SHAPE: dict[str, Any] = {
    "vocab_size": 512, "block_size": 512, "n_layer": 5, "n_head": 8, "n_kv_head": 4, "n_embd": 64, "n_hidden": 172,
    "tied": True, "norm_eps": 1e-5,
}  # fmt: skip
TEXT = 200  # tokens of a whole text


def cases(args: argparse.Namespace) -> list[Case]:
    """List the cases."""
    lengths = (8, 16) if args.tiny else (64, 256) if args.quick else (32, 64, 128, 256, 480)
    batches = (1, 2) if args.tiny else (1, 8) if args.quick else (1, 2, 4, 8, 16)
    found = []
    for memory in ("with a memory", "all read again"):
        found += [_token(memory, T) for T in lengths]
    whole = {"kind": "text", "tokens": 4 if args.tiny else TEXT}
    found.append({"name": f"a text of {whole['tokens']} tokens", "compare": True, **whole})
    for B in batches:
        alone = {"without": ("numpy",)}  # it writes one text at a time
        found.append({"name": f"{B} texts side by side", "kind": "batch", "batch": B, "tokens": B, **alone})
    return found


def _token(memory: str, T: int) -> Case:
    line = f"a token, {memory}"
    return {
        "name": f"{line}, after {T}", "kind": memory, "T": T, "tokens": 1, "compare": True, "sweep": [[line, "T", T]],
    }  # fmt: skip


def prepare(candidate: str, case: Case) -> dict[str, Timed]:
    """Return what this candidate does with a case."""
    if candidate not in ("tinyllm", "numpy"):
        raise LeftOut("unknown here")
    makers = {"text": _text, "batch": _batch, "with a memory": _step, "all read again": _again}
    return {candidate: makers[case["kind"]](candidate, case)}


def _model() -> Any:
    """Load the model, or make one of its shape."""
    import numpy as np

    from tinyllm.models import Llama, LlamaConfig
    from tinyllm.models.exchange.llama2c_model import load_llama2c

    for folder in os.environ.get("TINYLLM_DATA", "").split(os.pathsep):
        if folder and (Path(folder) / FILE).is_file():
            return load_llama2c(Path(folder) / FILE)
    return Llama(LlamaConfig(**SHAPE), np.random.default_rng(0))


def _reader(candidate: str) -> tuple[Any, Any, Any]:
    """Return what reads more tokens of a text, ids (T,) -> logits (V,), what reads one anew, and what forgets it."""
    model = _model()
    if candidate == "numpy":
        from numpy_llama import NumpyLlama

        from tinyllm.models.llama import to_arrays

        llama = NumpyLlama(model.config, to_arrays(model))
        return llama.more, llama.whole, llama.reset
    from tinyllm.autograd import no_grad
    from tinyllm.generate import Decoder

    decoder = Decoder(model)

    def more(ids: Any) -> Any:
        return (decoder.step(ids) if len(ids) == 1 else decoder.prefill(ids[None]))[0]

    def whole(ids: Any) -> Any:
        with no_grad():
            return model(ids[None]).data[0, -1]

    return more, whole, decoder.reset


def _ids(T: int) -> Any:
    import numpy as np

    return np.random.default_rng(0).integers(3, SHAPE["vocab_size"], T)


def _step(candidate: str, case: Case) -> Timed:
    more, _, reset = _reader(candidate)
    ids, read = _ids(case["T"] + 1), [0]

    def before() -> None:
        """Begin anew after a few tokens, so that every step looks back at about as many."""
        if read[0] % 16 == 0:
            reset()
            more(ids[:-1])
        read[0] += 1

    return Timed(lambda: more(ids[-1:]), before, once=True)


def _again(candidate: str, case: Case) -> Timed:
    _, whole, _ = _reader(candidate)
    ids = _ids(case["T"] + 1)
    return Timed(lambda: whole(ids))


def _text(candidate: str, case: Case) -> Timed:
    import numpy as np

    more, _, reset = _reader(candidate)

    def write() -> Any:
        reset()
        ids = [1]
        for _ in range(case["tokens"]):
            ids.append(int(more(np.array(ids[-1:])).argmax()))
        return np.array(ids)

    return Timed(write)


def _batch(candidate: str, case: Case) -> Timed:
    from tinyllm.generate import Batch, Decoder

    batch = Batch(Decoder(_model(), batch=case["batch"], max_length=TEXT))
    ids, texts = _ids(TEXT).tolist(), [0]

    def fill() -> None:
        """Keep the queue from running dry, with texts of unequal length."""
        while len(batch) < 2 * case["batch"]:
            texts[0] += 1
            batch.add(ids[: texts[0] % 16 + 1], lambda logits, _: int(logits.argmax()), 100 + texts[0] * 7 % 80)

    return Timed(batch.step, fill, once=True)


BENCHMARK = Benchmark("stories", __doc__ or "", ("tinyllm", "numpy"), "numpy", cases, roofline=False)

if __name__ == "__main__":
    run(BENCHMARK, arguments(BENCHMARK.about).parse_args())

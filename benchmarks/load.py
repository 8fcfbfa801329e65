"""How fast do weights come into memory, and how much of it do they take, beside safetensors and transformers?

    python benchmarks/load.py
    python benchmarks/load.py --only "one tensor" --json out.json

Questions: every tensor of a file of 100 MB as arrays of one's own, beside safetensors' NumPy loader; a Llama of that
size beside ``from_pretrained`` of transformers, alone and with the first forward pass, of 64 tokens, as some of the
reading may be put off until then; one tensor of 1 MB out of a file of 1 GB (sparse: on
the disk it takes a few kilobytes); and the peak of memory, in new processes, above what the imports take. The system
has the file in its memory already: a disk is not what is measured. In rows about memory ``ours`` and ``peer_seconds``
are multiples of the file's size.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from command import Benchmark, arguments, run
from turns import Case, Timed

os.environ.setdefault("HF_HUB_OFFLINE", "1")
SIZES = {"vocab_size": 4096, "n_embd": 512, "n_hidden": 1376, "n_layer": 7, "n_head": 8, "block_size": 512}
TINY = {"vocab_size": 40, "n_embd": 32, "n_hidden": 48, "n_layer": 1, "n_head": 2, "block_size": 64}
PEERS = {"file": "safetensors", "model": "transformers", "used": "transformers", "one": "safetensors"}
LARGE = 1 << 30
TOKENS = 64  # of the first forward pass
IMPORTS = {
    "tinyllm": "tinyllm.models.pretrained",
    "safetensors": "safetensors.numpy",
    "transformers": "transformers.models.llama.modeling_llama",
}
CANDIDATES = ("tinyllm", "safetensors", "transformers")


def cases(args: argparse.Namespace, folder: Path) -> list[Case]:
    """List the cases."""
    size = (folder / "model.safetensors").stat().st_size
    names = {
        "file": f"every tensor of {size / 1e6:.0f} MB",
        "model": f"from_pretrained, a Llama of {size / 1e6:.0f} MB",
        "used": f"from_pretrained + first forward pass, a Llama of {size / 1e6:.0f} MB",
        "one": "one tensor of 1 MB out of 1 GB",
    }
    found = [_case(kind, name, folder, size if kind != "one" else 1 << 20) for kind, name in names.items()]
    for kind in ("file", "model", "used"):
        found.append({**_case(kind, f"{names[kind]}, peak memory over its bytes", folder, 0), "peak": size})
    return found


def _case(kind: str, name: str, folder: Path, moved: int) -> Case:
    without = sorted({*CANDIDATES} - {"tinyllm", PEERS[kind]})
    case = {"name": name, "kind": kind, "folder": str(folder), "bytes": moved, "without": without}
    return {**case, "compare": kind == "used"}


def prepare(candidate: str, case: Case) -> dict[str, Timed]:
    """Return what this candidate does with a case."""
    kind = case["kind"]
    load = loader(candidate, kind, Path(case["folder"]))

    def step() -> Any:
        found = load()
        return found if kind == "used" else None  # numbers to compare; weights would have to be looked at

    return {candidate: Timed(step, once=True)}


def loader(candidate: str, kind: str, folder: Path) -> Callable[[], Any]:
    """Return what loads and returns what it loaded."""
    path = folder / ("large.safetensors" if kind == "one" else "model.safetensors")
    if kind in ("model", "used"):
        return _model_loader(candidate, folder, use=kind == "used")
    if candidate == "tinyllm":
        from tinyllm.models.formats.safetensors import SafeTensors

        def load() -> Any:
            with SafeTensors(path) as file:
                return file.read("wanted") if kind == "one" else {name: file.read(name) for name in file}

        return load
    from safetensors import safe_open
    from safetensors.numpy import load_file

    def theirs() -> Any:
        if kind == "file":
            return load_file(path)
        with safe_open(path, framework="np") as file:
            return file.get_tensor("wanted")

    return theirs


def _model_loader(candidate: str, folder: Path, use: bool) -> Callable[[], Any]:
    import numpy as np

    ids = np.arange(TOKENS)[None] % TINY["vocab_size"]
    if candidate == "tinyllm":
        import tinyllm as tl
        from tinyllm.models.pretrained import load_model

        def ours() -> Any:
            model = load_model(folder)
            with tl.no_grad():
                return model(ids).data if use else model

        return ours
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()

    def theirs() -> Any:
        model = transformers.LlamaForCausalLM.from_pretrained(folder).eval()
        with torch.inference_mode():
            return model(torch.from_numpy(ids)).logits if use else model

    return theirs


def prepare_files(folder: Path, sizes: dict[str, int]) -> None:
    """Write a Llama of random weights as transformers saves it, and a large file that is nearly all hole."""
    import numpy as np

    from tinyllm.models import Llama, LlamaConfig
    from tinyllm.models.pretrained import save_model

    for where, wanted_sizes in ((folder, sizes), (folder / "tiny", TINY)):
        save_model(Llama(LlamaConfig(**wanted_sizes), np.random.default_rng(0)), where, overwrite=True)  # type: ignore[arg-type]
    wanted = 1 << 20
    header = {
        "hole": {"dtype": "U8", "shape": [LARGE], "data_offsets": [0, LARGE]},
        "wanted": {"dtype": "F32", "shape": [wanted // 4], "data_offsets": [LARGE, LARGE + wanted]},
    }
    text = json.dumps(header).encode()
    with open(folder / "large.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + LARGE + wanted)


def peak(candidate: str, kind: str, folder: Path) -> int:
    """Return by how many bytes loading, in a new process, raises the peak above what it had after its imports.

    Before a forward pass a tiny model has had one, so that kernels are loaded and no part of it.
    """
    code = (
        f"import sys, {IMPORTS[candidate]}; sys.path.insert(0, sys.argv[1]); import load, memory;"
        "from pathlib import Path;"
        "f = load.loader(*sys.argv[2:4], Path(sys.argv[4], 'tiny')); f() if sys.argv[3] == 'used' else None;"
        "f = load.loader(*sys.argv[2:4], Path(sys.argv[4])); before = memory.resident(); memory.forget_peak(); x = f();"
        "print(memory.peak() - before)"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), candidate, kind, str(folder)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def measure_peaks(cases: list[Case], args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for each case about memory."""
    rows = []
    for case in cases:
        peer = PEERS[case["kind"]]
        wanted = ["tinyllm"] + [peer] * (not args.peers or peer in args.peers.split(","))
        found = {}
        for name in wanted:
            tries = [peak(name, case["kind"], Path(case["folder"])) for _ in range(1 if args.tiny else 3)]
            found[name] = statistics.median(tries) / case["peak"]
        theirs = found.get(PEERS[case["kind"]])
        rows.append({
            "case": case["name"], "ours": found["tinyllm"], "peer": PEERS[case["kind"]] if theirs else None,
            "peer_seconds": theirs, "ratio": found["tinyllm"] / theirs if theirs else None, "roofline": None,
            "unit": "of the file's bytes",
        })  # fmt: skip
    return rows


def main() -> None:
    """Measure what was asked for."""
    args = arguments(__doc__ or "").parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare_files(folder, TINY if args.tiny or args.quick else SIZES)
        benchmark = Benchmark(
            "load", __doc__ or "", CANDIDATES, "safetensors",
            lambda args: [case for case in cases(args, folder) if "peak" not in case], roofline=False,
            more_rows=lambda args: measure_peaks([case for case in cases(args, folder) if "peak" in case], args),
        )  # fmt: skip
        run(benchmark, args)


if __name__ == "__main__":
    main()

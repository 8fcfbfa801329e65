"""How fast are encoding and training, beside the tokenizers that people use?

    python benchmarks/tokenizer.py                              every question below, one thread
    python benchmarks/tokenizer.py --only encode --json out.json
    python benchmarks/tokenizer.py --text corpus.txt            another text than tinyshakespeare

Questions: ``encode`` a text in GPT-2's, cl100k's and o200k's vocabulary, warm (what was met before is remembered) and
cold (nothing is); ``short`` calls of 42 characters, 5000 to a step; ``train`` a vocabulary of 10,000; ``worst``, a
megabyte of one letter; ``start``, a new process that imports, loads cl100k and encodes its first words. Everybody gets
the same bytes and gives the same number of tokens, or is marked. Vocabularies are looked for in TINYLLM_DATA, in the
cache and on the network.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from command import Benchmark, arguments, run
from tiktoken_peer import ENCODINGS, tiktoken_encoding
from turns import Case, Timed

SHORT = "The quick brown fox jumps over lazy dogs.\n"
CALLS = 5000  # of the short text in one step
VOCABULARY = 10_000
CANDIDATES = ("tinyllm", "tiktoken", "tokenizers", "tokie", "rustbpe", "gigatoken")
PEERS = {
    "encode": {"tiktoken", "tokenizers", "tokie", "gigatoken"},
    "encode cold": {"tiktoken", "gigatoken"},
    "short": {"tiktoken", "tokenizers", "gigatoken"},
    "train": {"tokenizers", "rustbpe", "gigatoken"},
    "worst": {"tiktoken"},
    "start": {"tiktoken"},
}
GPT2_REGEX = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def cases(args: argparse.Namespace, folder: Path) -> list[Case]:
    """List the cases; what they read lies in the folder."""
    encodings = list(ENCODINGS)[: 1 if args.quick or args.tiny else None]
    asked = [("encode", e) for e in encodings] + [("encode cold", e) for e in encodings]
    asked += [(task, "gpt2") for task in ("short", "train", "worst", "start")]
    text = folder / "text.txt"
    if args.tiny:
        asked = [("encode", "gpt2"), ("short", "gpt2"), ("train", "gpt2")]
    size = text.stat().st_size
    return [
        {
            "name": f"{task}, {encoding}" if task.startswith("encode") else task, "task": task, "encoding": encoding,
            "text": str(text), "folder": str(folder), "bytes": size if task.split()[0] in ("encode", "train") else 0,
            "without": sorted(set(CANDIDATES) - PEERS[task] - {"tinyllm"}), "exact": True,
        }
        for task, encoding in asked
    ]  # fmt: skip


# the candidates: what each can do, as functions of no arguments


def encoder(name: str, encoding: str, folder: str) -> Callable[[str], Any]:
    """Return a function that turns a text into ids, as the candidate's users would call it."""
    if name.startswith("tinyllm"):
        from tinyllm.tokenizer import get_encoding

        ours = get_encoding(encoding)
        ours.load_kernels()
        return ours.encode_to_numpy
    if name == "tiktoken":
        return tiktoken_encoding(encoding, folder).encode_ordinary
    if name == "gigatoken":
        import gigatoken

        path = Path(folder, f"{ENCODINGS[encoding]}.tiktoken")
        return gigatoken.Tokenizer.from_tiktoken(path).encode  # type: ignore[no-any-return]
    path = Path(folder, encoding, "tokenizer.json")
    if name == "tokie":
        import tokie

        return tokie.Tokenizer.from_json(str(path)).encode  # type: ignore[no-any-return]
    import tokenizers

    return tokenizers.Tokenizer.from_file(str(path)).encode  # type: ignore[no-any-return]


def length(found: Any) -> int:
    """How many tokens an answer holds, whatever the candidate calls it."""
    return len(getattr(found, "ids", found))


def prepare(candidate: str, case: Case) -> dict[str, Timed]:
    """Return what this candidate does for one question."""
    task, folder, encoding = case["task"], case["folder"], case["encoding"]
    text = Path(case["text"]).read_bytes().decode()
    if task == "train":
        return {candidate: Timed(trainer(candidate, text), once=True)}
    if task == "start":
        return {candidate: Timed(fresh_process(candidate, folder), once=True)}
    if task == "encode cold":
        return {candidate: cold(candidate, encoding, folder, text)}
    encode = encoder(candidate, encoding, folder)
    if task == "short":
        if candidate == "tinyllm":
            from tinyllm.tokenizer import get_encoding

            encode = get_encoding(encoding).encode_ordinary

        def step() -> int:
            for _ in range(CALLS):
                encode(SHORT)
            return length(encode(SHORT))

        return {candidate: Timed(step, once=True)}
    data = "a" * 1_000_000 if task == "worst" else text
    return {candidate: Timed(lambda: length(encode(data)), once=True)}


def cold(candidate: str, encoding: str, folder: str, text: str) -> Timed:
    """Encode with nothing remembered: ours forgets, others are made anew; tiktoken never remembers anything."""
    made: dict[str, Any] = {}
    if candidate == "tinyllm":
        from tinyllm.tokenizer import get_encoding

        ours = get_encoding(encoding)
        return Timed(lambda: len(ours.encode_to_numpy(text)), before=ours.load_kernels, once=True)
    if candidate == "tiktoken":
        encode = encoder(candidate, encoding, folder)
        return Timed(lambda: length(encode(text)), once=True)

    def anew() -> None:
        made["encode"] = encoder(candidate, encoding, folder)

    return Timed(lambda: length(made["encode"](text)), before=anew, once=True)


def trainer(name: str, text: str) -> Callable[[], int]:
    """Return a function that learns a vocabulary and gives its size."""
    if name == "tinyllm":
        from tinyllm.tokenizer import train_bpe

        return lambda: train_bpe(text, VOCABULARY, pattern="gpt2", tie="ids", threads=1).n_vocab
    if name == "rustbpe":
        import rustbpe

        def step() -> int:
            made = rustbpe.Tokenizer()
            made.train_from_iterator([text], VOCABULARY, pattern=GPT2_REGEX)
            return int(made.vocab_size)

        return step
    if name == "gigatoken":
        import gigatoken

        return lambda: 256 + len(gigatoken.train_bpe(text.encode(), VOCABULARY, [])[1])
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    def with_tokenizers() -> int:
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        made.train_from_iterator(
            [text], trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False)
        )
        return int(made.get_vocab_size())

    return with_tokenizers


def fresh_process(name: str, folder: str) -> Callable[[], int]:
    """Return a function that starts a Python which imports, loads cl100k and encodes a few words."""
    code = {
        "tinyllm": "from tinyllm.tokenizer import get_encoding; "
        "print(len(get_encoding('cl100k_base').encode('hello world')))",
        "tiktoken": "import sys; sys.path.insert(0, sys.argv[1]); from tiktoken_peer import tiktoken_encoding as t; "
        "print(len(t('cl100k_base', sys.argv[2]).encode('hello world')))",
    }[name]
    command = [sys.executable, "-c", code, str(Path(__file__).parent), folder]
    return lambda: int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def prepare_files(folder: Path) -> None:
    """Put the vocabularies where every candidate can read its own format."""
    from tinyllm import assets
    from tinyllm.tokenizer import get_encoding

    for encoding, file in ENCODINGS.items():
        (folder / f"{file}.tiktoken").write_bytes(assets.read(file))
        (folder / encoding).mkdir()
        get_encoding(encoding).save(folder / encoding / "tokenizer.json", format="huggingface")


def main() -> None:
    """Measure what was asked for."""
    parser = arguments(__doc__ or "", ("--text", {"type": Path, "help": "a UTF-8 text; by default tinyshakespeare"}))
    parser.set_defaults(threads=1)
    args = parser.parse_args()
    from tinyllm import assets

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare_files(folder)
        data = args.text.read_bytes() if args.text else assets.read("shakespeare")
        (folder / "text.txt").write_bytes(data[:3000] if args.tiny else data)
        benchmark = Benchmark(
            "tokenizer", __doc__ or "", CANDIDATES, "tiktoken", lambda args: cases(args, folder), fresh=True,
            roofline=False,
        )  # fmt: skip
        run(benchmark, args)


if __name__ == "__main__":
    main()

"""How fast are encoding and training, beside the tokenizers that people use?

    python benchmarks/tokenizer.py                              every question below, one thread
    python benchmarks/tokenizer.py --only encode --json out.json
    python benchmarks/tokenizer.py --text corpus.txt            another text than tinyshakespeare

Questions: ``encode`` a text in GPT-2's, cl100k's and o200k's vocabulary, warm (what was met before is remembered) and
cold (nothing is); ``short`` calls of 42 characters; ``train`` a vocabulary of 10,000; ``worst``, a megabyte of one
letter; ``start``, a new process that imports, loads cl100k and encodes its first words. Everybody gets the same bytes
and gives the same number of tokens, or is marked. Vocabularies are looked for in TINYLLM_DATA, in the cache and on the
network.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from turns import Candidate, machine, serve, start, take_turns

ENCODINGS = {"gpt2": "r50k_base", "cl100k_base": "cl100k_base", "o200k_base": "o200k_base"}
SHORT = "The quick brown fox jumps over lazy dogs.\n"
CALLS = 5000  # of the short text in one step
VOCABULARY = 10_000
PEERS = {
    "encode": ["tinyllm", "tinyllm cold", "tiktoken", "tokenizers", "tokie", "gigatoken", "gigatoken cold"],
    "short": ["tinyllm", "tiktoken", "tokenizers", "gigatoken"],
    "train": ["tinyllm", "tokenizers", "rustbpe", "gigatoken"],
    "worst": ["tinyllm", "tiktoken"],
    "start": ["tinyllm", "tiktoken"],
}
GPT2_REGEX = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


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


def tiktoken_encoding(encoding: str, folder: str) -> Any:
    """Make tiktoken's encoding from its own declaration and a vocabulary at hand."""
    import tiktoken
    from tiktoken import load
    from tiktoken_ext import openai_public

    def ranks(url: str = "", expected_hash: str | None = None, **_: Any) -> dict[bytes, int]:
        return load.load_tiktoken_bpe(str(Path(folder, f"{ENCODINGS[encoding]}.tiktoken")))

    openai_public.load_tiktoken_bpe = ranks
    openai_public.data_gym_to_mergeable_bpe_ranks = ranks
    return tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[encoding]())


def length(found: Any) -> int:
    """How many tokens an answer holds, whatever the candidate calls it."""
    return len(getattr(found, "ids", found))


def worker(name: str, settings: dict[str, Any]) -> None:
    """Be one candidate for one question."""
    task, folder = settings["task"], settings["folder"]
    text = Path(settings["text"]).read_bytes().decode()
    prepare: Callable[[], Any] | None = None
    step: Callable[[], Any]
    if task == "train":
        step = trainer(name, text)
    elif task == "start":
        step = fresh_process(name, folder)
    elif name.endswith(" cold"):
        made: dict[str, Any] = {}
        if name.startswith("tinyllm"):
            from tinyllm.tokenizer import get_encoding

            ours = get_encoding(settings["encoding"])

            def prepare() -> None:
                ours.load_kernels()

            def step() -> int:
                return len(ours.encode_to_numpy(text))
        else:

            def prepare() -> None:
                made["encode"] = encoder(name.removesuffix(" cold"), settings["encoding"], folder)

            def step() -> int:
                return length(made["encode"](text))
    else:
        encode = encoder(name, settings["encoding"], folder)
        if task == "short":
            if name == "tinyllm":
                from tinyllm.tokenizer import get_encoding

                encode = get_encoding(settings["encoding"]).encode_ordinary

            def step() -> int:
                for _ in range(CALLS):
                    encode(SHORT)
                return length(encode(SHORT))
        else:
            data = "a" * 1_000_000 if task == "worst" else text

            def step() -> int:
                return length(encode(data))

    serve(step, prepare=prepare)


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
        "tiktoken": "import sys; sys.path.insert(0, sys.argv[1]); from tokenizer import tiktoken_encoding as t; "
        "print(len(t('cl100k_base', sys.argv[2]).encode('hello world')))",
    }[name]
    command = [sys.executable, "-c", code, str(Path(__file__).parent), folder]
    return lambda: int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


# the table


def measure(task: str, encoding: str, arguments: argparse.Namespace, folder: str, size: int) -> list[dict[str, Any]]:
    """Let the candidates for one question take turns, and print and return what came out."""
    settings = {"task": task, "encoding": encoding, "text": str(arguments.text), "folder": folder}
    started = [start(__file__, name, settings, 1) for name in PEERS[task]]
    candidates: list[Candidate] = [candidate for candidate in started if candidate]
    take_turns(candidates, warmup=2, rounds=arguments.rounds)
    base = next((c for c in candidates if c.name == BASE[task]), candidates[0])
    rows = []
    for candidate in candidates:
        seconds = candidate.median
        row = {
            "question": task, "encoding": encoding, "candidate": candidate.name, "seconds": seconds,
            f"times {base.name}": base.median / seconds, "tokens": candidate.facts["last"],
            "MB/s": size / seconds / 1e6 if size else None,
        }  # fmt: skip
        rows.append(row)
        shown = f"{seconds / CALLS * 1e6:8.2f} us/call" if task == "short" else f"{seconds * 1e3:9.1f} ms"
        speed = f"{size / seconds / 1e6:8.1f} MB/s" if size else " " * 13
        mark = "" if candidate.facts["last"] == base.facts["last"] else f"   ({candidate.facts['last']:,} tokens!)"
        print(f"  {candidate.name:<16}{shown} {speed}  {base.median / seconds:7.2f} x {base.name}{mark}")
    return rows


BASE = {"encode": "tiktoken", "short": "tiktoken", "train": "tokenizers", "worst": "tiktoken", "start": "tiktoken"}


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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=list(PEERS), action="append", help="one question; may be repeated")
    parser.add_argument("--rounds", type=int, default=9, help="timed steps of each candidate (at least 5)")
    parser.add_argument("--text", type=Path, help="a UTF-8 text; by default tinyshakespeare")
    parser.add_argument("--json", metavar="FILE", help="write the figures and the machine's facts here")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        worker(arguments.worker[0], json.loads(arguments.worker[1]))
        return
    os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or every process would compile our sources again
    from tinyllm import assets

    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare_files(folder)
        if arguments.text is None:
            arguments.text = folder / "tinyshakespeare.txt"
            arguments.text.write_bytes(assets.read("shakespeare"))
        size = arguments.text.stat().st_size
        for task in arguments.only or PEERS:
            for encoding in ENCODINGS if task == "encode" else ["gpt2"]:
                print(f"\n{task}, {encoding}" if task == "encode" else f"\n{task}")
                rows += measure(task, encoding, arguments, name, size if task in ("encode", "train") else 0)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()

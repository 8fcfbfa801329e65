"""MiniLM: texts in, vectors out, such that texts of like meaning point the same way.

The recipe of all-MiniLM-L6-v2: ids with [CLS] and [SEP] around them, 256 at most; the encoder; the mean over all
tokens; length 1.

    minilm = MiniLM(folder)
    vectors = minilm.embed(["a text", "another"])  # (2, 384)
    likeness = vectors @ vectors.T

Here alone a model reaches for a tokenizer: texts are what it is for, and its folder holds the words it was trained on.

Source: Wang et al. 2020, MiniLM, arXiv:2002.10957; Reimers & Gurevych 2019, Sentence-BERT, arXiv:1908.10084.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..errors import ConfigError, DataError
from ..kernels import without_loading
from .bert import Bert

Array = np.ndarray[Any, np.dtype[Any]]
STEPS = ("Transformer", "Pooling", "Normalize")
TOKENS_AT_ONCE = 4096  # of one batch: its largest array, inside of an MLP of 1536, takes 25 MB
FEW = 1000  # tokens: NumPy has read them by the time that Numba is loaded


class MiniLM:
    """An encoder of texts.

    Args:
        model: the encoder, or the folder of one as sentence-transformers saves it.
        encode: text -> ids, its frame of [CLS] and [SEP] included, and nothing cut off; by default what the folder's
            own vocabulary gives. The letters "[SEP]" in a text are letters.
        longest: the most ids of a text, frame included; of a longer text the last pieces are left out. Unless told
            otherwise what the folder says, or 256.

    Attributes:
        cut: how many pieces were left out of each text of the last ``embed``.

    Raises:
        ConfigError: ``longest`` leaves no room for a piece, or is more than the model has positions; the folder asks
            for another recipe, such as the vector of [CLS], or its vocabulary is not this model's; or a model comes
            without ``encode``.
        CheckpointError: the folder's weights are missing, damaged, or do not fit.
        DataError: the folder has no vocabulary, or a damaged one.

    Example:
        >>> from tinyllm.models.bert_config import BertConfig
        >>> config = BertConfig(vocab_size=128, block_size=8, n_layer=1, n_head=2, n_embd=6, n_hidden=12)
        >>> model = Bert(config, np.random.default_rng(0))
        >>> minilm = MiniLM(model, lambda text: [1, *text.encode("ascii"), 2], longest=8)
        >>> minilm.embed(["to be", "or not to be"]).shape, minilm.cut
        ((2, 6), [0, 6])
    """

    def __init__(
        self,
        model: Bert | str | os.PathLike[str],
        encode: Callable[[str], Sequence[int]] | None = None,
        longest: int | None = None,
    ) -> None:
        if not isinstance(model, Bert):
            folder = Path(model)
            asked = asked_length(folder)
            longest = asked if longest is None else longest
            model = Bert.from_folder(folder, copy=False)
            encode = encoder_of(folder, model.config.vocab_size) if encode is None else encode
        if encode is None:
            raise ConfigError("MiniLM: nothing turns texts into ids", hint="encode=..., or the folder of the model")
        longest = min(256, model.config.block_size) if longest is None else longest
        if not 3 <= longest <= model.config.block_size:
            raise ConfigError(
                f"MiniLM: longest={longest}", hint=f"3 to {model.config.block_size}, the model's positions"
            )
        self.model = model.eval()
        self.encode = encode
        self.longest = longest
        self.cut: list[int] = []
        self._read = 0  # tokens so far

    def embed(self, texts: Sequence[str]) -> Array:
        """Return a vector of length 1 for each text, (N, C) of float32; an empty text has one, too.

        The first 1000 tokens or so are left to NumPy, unless Numba is loaded or asked for: see kernels.without_loading.
        From then on a text's vector may differ in its last digit.

        Raises:
            DataError: one string instead of several, or something that is no string.
        """
        if isinstance(texts, str):
            raise DataError("embed: got one string where it takes several", hint="put it into a list: [text]")
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                raise DataError(f"embed: text {i} is {type(text).__name__}, not a string")
        rows = [self.encode(text) for text in texts]
        self.cut = [max(0, len(row) - self.longest) for row in rows]
        rows = [row if len(row) <= self.longest else [*row[: self.longest - 1], row[-1]] for row in rows]
        vectors = np.empty((len(rows), self.model.config.n_embd), np.float32)
        self._read += sum(map(len, rows))
        with no_grad(), without_loading() if self._read <= FEW else nullcontext():
            for chosen in batches([len(row) for row in rows], TOKENS_AT_ONCE):
                vectors[chosen] = self.model.embed(*rectangle([rows[i] for i in chosen])).data
        return vectors


def encoder_of(folder: Path, most: int) -> Callable[[str], Sequence[int]]:
    """Return what turns a text into ids by the vocabulary in a folder: vocab.txt, or else tokenizer.json.

    Args:
        folder: of the model.
        most: how many ids the model knows.

    Raises:
        DataError: there is no vocabulary, or a damaged one.
        ConfigError: it is none of BERT's kind, or it has ids that the model lacks.
    """
    from ..tokenizer.files import load
    from ..tokenizer.wordpiece import WordPiece

    tokenizer = load(folder)
    if not isinstance(tokenizer, WordPiece):
        raise ConfigError(f"MiniLM: the tokenizer in {folder} is no WordPiece", hint="encode=..., its own encode")
    if tokenizer.n_vocab > most:
        raise ConfigError(
            f"MiniLM: {folder} has a vocabulary of {tokenizer.n_vocab} and a model that knows {most}",
            hint="the vocabulary that was saved with the model",
        )
    if _read(folder / "sentence_bert_config.json", dict).get("do_lower_case") is True and not tokenizer.lowercase:
        raise ConfigError(f"MiniLM: {folder} has a cased vocabulary and lowers texts", hint="encode=..., which does so")
    return tokenizer.encode


def asked_length(folder: Path) -> int | None:
    """Return the most ids that a folder's settings allow, None if it says nothing; refuse another recipe than ours.

    Raises:
        ConfigError: its settings cannot be read, or they ask for another pooling, for further layers, or for words
            before every text.
    """
    for step in _read(folder / "modules.json", list):
        kind = str(step.get("type", "")).rpartition(".")[2]
        if kind not in STEPS:
            raise ConfigError(f"MiniLM: {folder} asks for a step {kind!r}, and only {', '.join(STEPS)} are built here")
    pooling = _read(folder / "1_Pooling" / "config.json", dict)
    modes = [mode for mode, on in pooling.items() if mode.startswith("pooling_mode_") and on is True]
    if "pooling_mode" in pooling:  # as sentence-transformers writes it from version 6 on
        named = pooling["pooling_mode"]
        modes += [f"pooling_mode_{mode}_tokens" for mode in (named if isinstance(named, list) else [named])]
    if modes not in ([], ["pooling_mode_mean_tokens"]):
        raise ConfigError(f"MiniLM: {folder} asks for {' and '.join(modes)}, and only the mean of tokens is built here")
    about = _read(folder / "config_sentence_transformers.json", dict)
    prompts, name = about.get("prompts"), about.get("default_prompt_name")
    if name is not None and not (isinstance(prompts, dict) and prompts.get(name) == ""):
        raise ConfigError(f"MiniLM: {folder} puts its prompt {name!r} before every text, which is not built here")
    longest = _read(folder / "sentence_bert_config.json", dict).get("max_seq_length")
    if longest is not None and (isinstance(longest, bool) or not isinstance(longest, int)):
        raise ConfigError(f"MiniLM: max_seq_length is {longest!r}", hint="a whole number in sentence_bert_config.json")
    if longest is None:  # version 6 leaves it to the tokenizer, which may say 10^30 where it means: no limit
        asked = _read(folder / "tokenizer_config.json", dict).get("model_max_length")
        positions = _read(folder / "config.json", dict).get("max_position_embeddings")
        longest = min(asked, positions) if isinstance(asked, int) and isinstance(positions, int) else None
    return longest


def _read(path: Path, kind: type) -> Any:
    """Return the object, or the list of objects, that a JSON file holds; an empty one where there is no file."""
    try:
        found = json.loads(path.read_bytes()) if path.exists() else kind()
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"MiniLM: cannot read {path}: {error}") from None
    items = found if isinstance(found, list) else []
    if not isinstance(found, kind) or not all(isinstance(item, dict) for item in items):
        raise ConfigError(f"MiniLM: {path} holds no {'object' if kind is dict else 'list of objects'}")
    return found


def batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Put sequences of like length together: yield their indices, for at most so many tokens at once, or one sequence.

    Example:
        >>> list(batches([3, 9, 2, 4], most=10))
        [[2, 0, 3], [1]]
    """
    batch: list[int] = []
    tokens = 0
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and tokens + lengths[i] > most:
            yield batch
            batch, tokens = [], 0
        batch.append(i)
        tokens += lengths[i]
    if batch:
        yield batch


def rectangle(rows: Sequence[Sequence[int]]) -> tuple[Array, Array]:
    """Return ids (B, T), filled up with 0, and the mask (B, T) of the real ones.

    Example:
        >>> rectangle([[1, 5, 2], [1, 2]])[0].tolist()
        [[1, 5, 2], [1, 2, 0]]
    """
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]  # (B, T)
    ids = np.zeros(mask.shape, np.int64)
    ids[mask] = np.concatenate([np.asarray(row) for row in rows])
    return ids, mask

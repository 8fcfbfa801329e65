"""What a run learns from: its text, cut in two and turned into ids, or a token file; and the tokenizer for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError
from ..tokenizer import Tokenizer
from . import corpus, manifest, stream, tokenizers
from .config import TrainConfig

_CHUNK = 1 << 22  # ids of a token file that are looked at together


@dataclass(frozen=True)
class Material:
    """Ids to learn from, and what is needed to have them again.

    Attributes:
        config: with absolute paths.
        words: the tokenizer.
        tokens: all ids; those from ``data["cut"]`` on are for validation.
        data: what the manifest says about them.
    """

    config: TrainConfig
    words: Tokenizer
    tokens: stream.Array
    data: dict[str, Any]


def gather(
    config: TrainConfig, told: tokenizers.Told | None = None, words: Tokenizer | None = None, sha256: str | None = None
) -> Material:
    """Read what a config names and turn it into ids.

    Args:
        config: what to read, and with which tokenizer.
        told: is told what takes long.
        words: the tokenizer, where it has been made before.
        sha256: of the text or token file, where it must be a certain one.

    Raises:
        ConfigError: there is no such tokenizer, or it is not for a token file.
        DataError: the text or the tokenizer cannot be had, or the text is another one or too short.
    """
    path = Path(config.data).expanduser()
    if path.suffix == ".npy" and path.is_file():
        return _token_file(config, path, words, sha256)
    text = corpus.load(config.data)
    _must_be(text.sha256, sha256, config.data)
    cut = stream.place_of_cut(len(text.text), config.validation, config.block_size)
    words = words or tokenizers.make(config.tokenizer, text.text, cut, told)
    parts = [tokenizers.ids_of(words, part, told) for part in (text.text[:cut], text.text[cut:])]
    data = {
        "source": text.source,
        "name": text.name,
        "sha256": text.sha256,
        "files": text.files,
        "skipped": len(text.skipped),
        "cut": len(parts[0]),
    }
    config = config.but(data=text.source, tokenizer=tokenizers.absolute(config.tokenizer))
    return Material(config, words, np.concatenate(parts), data)


def _token_file(config: TrainConfig, path: Path, words: Tokenizer | None, sha256: str | None) -> Material:
    """Take the ids as they are; they stay on the disk."""
    tokens = stream.open_tokens(path)
    if words is None and (config.tokenizer == "chars" or tokenizers.size(config.tokenizer)):
        raise ConfigError(
            f"tokenizer: {config.tokenizer} is learned from a text, and {path} holds ids",
            hint="the tokenizer that the file was written with, such as gpt2 or the path of its vocabulary",
        )
    words = words or tokenizers.load(config.tokenizer)
    largest = max((int(tokens[i : i + _CHUNK].max()) for i in range(0, len(tokens), _CHUNK)), default=0)
    if largest >= words.n_vocab:
        raise DataError(
            f"{path}: holds the id {largest}, and the tokenizer {config.tokenizer} has {words.n_vocab} of them",
            hint="the tokenizer that the file was written with",
        )
    found = manifest.sha256_of_file(path)
    _must_be(found, sha256, config.data)
    cut = len(stream.split(tokens, config.validation, config.block_size)[0])
    data = {"source": str(path.resolve()), "name": path.stem, "sha256": found, "files": 1, "skipped": 0, "cut": cut}
    config = config.but(data=data["source"], tokenizer=tokenizers.absolute(config.tokenizer))
    return Material(config, words, tokens, data)


def _must_be(found: str, wanted: str | None, name: str) -> None:
    if wanted is not None and found != wanted:
        raise DataError(
            f"{name}: is no longer the text of this run (sha256 {found[:12]}, then {wanted[:12]})",
            hint="put the run's tokens.npy beside its manifest, or the old text in its place",
        )

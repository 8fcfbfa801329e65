"""What the encoders that are trained here share: words and their numbers, an id, files, and how training meets them.

An encoder knows the words that it met in training. A text becomes the numbers of its words, these become a vector; how,
is what tells BagEncoder and TransformerEncoder apart. A text of which no word is known has a vector of zeros.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from ...autograd import Tensor
from ...errors import ConfigError
from ..index.file import pack_ids, read, unpack_ids, write
from ..lexical.words import chosen
from ..types import Kind
from .door import checked_texts

Array = np.ndarray[Any, np.dtype[Any]]
Numbers = Sequence[Array]  # for each text the numbers of its words


class Steps(Protocol):
    """What moves an encoder's weights."""

    def step(self, lr: float | None = None) -> Any:
        """Move them along the gradient of the last backward pass, and forget it."""


class Encoder(ABC):
    """The contract between an encoder and ``train_encoder``; after that, an Embedder.

    Args:
        dim: how many numbers a vector has.
        words: a preset of ``rag.words``.
        seed: of the first weights.

    Raises:
        ConfigError: a dim below 1, or another preset.
    """

    lr: float  # what training takes unless told otherwise
    warmup: ClassVar[int]  # steps until the learning rate is reached

    def __init__(self, dim: int, words: str = "default", seed: int = 0) -> None:
        if not isinstance(dim, int) or dim < 1:
            raise ConfigError(f"{type(self).__name__}: dim is {dim!r}", hint="a whole number, such as 192")
        self._split = chosen(words)
        self._dim, self.words, self.seed = dim, words, seed
        self.vocabulary: dict[str, int] = {}
        self._id: str | None = None

    # an Embedder

    @property
    def id(self) -> str:
        """What it is: its kind and a digest of its settings, words and weights.

        Raises:
            ConfigError: it is not trained yet.
        """
        self._refuse_untrained()
        if self._id is None:
            digest = hashlib.sha256(json.dumps(self._settings(), sort_keys=True).encode())
            for name, array in self._arrays().items():
                digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
            self._id = f"{type(self).__name__}-{self.dim}-{digest.hexdigest()[:16]}"
        return self._id

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return self._dim

    @property
    def max_tokens(self) -> int | None:
        """The most tokens it reads of a text; None if all are read."""
        return None

    def embed(self, texts: Sequence[str], kind: Kind = "document") -> Array:
        """Return a vector of length 1 for each text, float32 (N, dim); zeros where no word is known.

        Raises:
            ConfigError: it is not trained yet; or kind is neither "document" nor "query".
            DataError: one string instead of several, or something that is no string.
        """
        taken = checked_texts(texts, kind)
        self._refuse_untrained()
        return self.encode(self.numbers(taken))

    def count(self, text: str) -> int:
        """Return how many words a text has for it."""
        return len(self._split(text))

    def fit(self, pairs: Any, dev: Any = None, **settings: Any) -> Self:
        """Train it, see ``train_encoder``; what it returns is kept as ``history``."""
        from .trained import train_encoder

        self.history = train_encoder(self, pairs, dev, **settings)
        return self

    # what training asks of it

    def meet(self, texts: Iterable[str], min_count: int = 1) -> None:
        """Learn the words of these texts, in the order of their first coming, and draw weights; done only once."""
        if not self.vocabulary:
            counts = Counter(word for text in texts for word in self._split(text))
            self._start({word: n for n, word in enumerate(w for w, c in counts.items() if c >= min_count)})

    @abstractmethod
    def numbers(self, texts: Sequence[str]) -> list[Array]:
        """Return the numbers of each text's words, which ``vectors`` and ``encode`` take."""

    @abstractmethod
    def vectors(self, numbers: Numbers) -> Tensor:
        """Return vectors (N, dim) of any length, as nodes of a graph; none of the texts is empty."""

    @abstractmethod
    def encode(self, numbers: Numbers) -> Array:
        """Return vectors of length 1, float32 (N, dim), without a graph."""

    @abstractmethod
    def steps(self, lr: float) -> Steps:
        """Return what moves the weights after a backward pass from ``vectors``."""

    @abstractmethod
    def weights(self) -> dict[str, Array]:
        """Return the weights themselves, by their names."""

    def restore(self, weights: Mapping[str, Array]) -> None:
        """Take weights back, in place."""
        for name, array in self.weights().items():
            array[...] = weights[name]
        self._id = None

    # files

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to one file, with a checksum.

        Raises:
            ConfigError: it is not trained yet.
            CheckpointError: the file system refuses.
        """
        self._refuse_untrained()
        write(path, type(self).__name__, self._settings(), self._arrays(), what="encoder")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read an encoder that ``save`` wrote: the same id, the same vectors.

        Raises:
            CheckpointError: the file is missing, damaged, or holds another kind of encoder.
        """
        settings, arrays = read(path, cls.__name__, what="encoder")
        encoder = cls(**settings)
        encoder._start({word: n for n, word in enumerate(unpack_ids(arrays.pop("vocabulary")))})
        encoder.restore(arrays)
        return encoder

    @abstractmethod
    def _start(self, vocabulary: dict[str, int]) -> None:
        """Take a vocabulary and draw weights for it."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Return what __init__ was given."""

    def _arrays(self) -> dict[str, Array]:
        return {"vocabulary": pack_ids(list(self.vocabulary)), **self.weights()}

    def _refuse_untrained(self) -> None:
        if not self.vocabulary:
            raise ConfigError(f"{type(self).__name__}: it is not trained yet", hint="encoder.fit(pairs)")

"""A cross-encoder: query and text go through a transformer together, and out comes one score.

An embedder has to say all about a text before it knows the question. Here each word of the text sees each word of the
query, which is the most that can be had, and the most expensive: nothing can be calculated ahead.

This one begins from random weights. It learns from the judged queries alone, in seconds on a small collection, and what
it can learn from so few is little: do not expect it to beat a linear ranker over good features. Measure it.

Source: Nogueira & Cho 2019, Passage Re-ranking with BERT, arXiv:1901.04085.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...autograd import Tensor, no_grad
from ...errors import ConfigError, DataError
from ...models.bert import Bert
from ...models.bert_config import BertConfig
from ...models.minilm import TOKENS_AT_ONCE, batches, rectangle
from ...nn import Linear, Module
from ...nn.optim import Adam
from ..lexical.bm25 import BM25
from ..types import Chunk
from .listnet import listnet, padded
from .pairs import KINDS, UNKNOWN, Pairs

Array = np.ndarray[Any, np.dtype[Any]]
LOSSES = ("listwise", "pointwise")


class Scorer(Module):
    """An encoder, the mean over its tokens, and one number of that: ids, mask, kinds (B, T) -> (B,)."""

    def __init__(self, config: BertConfig, rng: np.random.Generator) -> None:
        self.encoder = Bert(config, rng)
        self.head = Linear(config.n_embd, 1, rng=rng)

    def forward(self, ids: Array, mask: Array, kinds: Array) -> Tensor:
        """Return the score of each sequence (B,)."""
        x, packing = self.encoder.packed(ids, mask, kinds)
        return self.head(packing.mean(x)).reshape(-1)


class CrossEncoder:
    """A reranker trained from nothing.

    Args:
        n_layer, n_head, n_embd: of the transformer.
        longest: the most tokens (stems of words) of query and text together.
        loss: "listwise" (ListNet over a query's list) or "pointwise" (is it relevant: yes or no, each by itself).
        n_list: how many chunks a query is trained with: relevant ones, BM25's best others, and some drawn at random.
        n_query: queries of a step.
        steps: how many.
        lr: Adam's.
        dropout: of the transformer, while it learns.

    Attributes:
        losses: of every step of ``fit``.

    Raises:
        ConfigError: a setting that does not exist, or is out of its range.

    Example:
        >>> from tinyllm.rag import Document
        >>> chunks = [Chunk.cut(Document(t, t), 0, len(t)) for t in ("ducks swim", "cats nap", "birds fly")]
        >>> cross = CrossEncoder(n_layer=1, n_embd=8, steps=5)
        >>> cross.add(chunks)
        >>> cross.fit({"q": "swim"}, {"q": {"ducks swim": 1}}).score("nap", chunks).shape
        (3,)
    """

    name = "cross"

    def __init__(
        self,
        *,
        n_layer: int = 1,
        n_head: int = 2,
        n_embd: int = 32,
        longest: int = 128,
        loss: str = "listwise",
        n_list: int = 8,
        n_query: int = 8,
        steps: int = 100,
        lr: float = 3e-3,
        dropout: float = 0.1,
    ) -> None:
        if loss not in LOSSES:
            raise ConfigError(f"CrossEncoder: loss={loss!r}", hint=" or ".join(LOSSES))
        if min(n_query, steps) < 1 or n_list < 2 or longest < 8 or not 0 < lr < np.inf:
            raise ConfigError(
                f"CrossEncoder: n_list={n_list}, n_query={n_query}, steps={steps}, longest={longest}, lr={lr}",
                hint="n_list=8, n_query=8, steps=100, longest=128, lr=3e-3",
            )
        self.loss, self.n_list, self.n_query, self.steps, self.lr = loss, n_list, n_query, steps, lr
        self._config = BertConfig(
            UNKNOWN + 1, longest, KINDS, n_layer, n_head, n_embd, 2 * n_embd, dropout, attention_dropout=0.0
        )
        self._chunks: dict[str, Chunk] = {}
        self._pairs = Pairs([])
        self._model: Scorer | None = None
        self.losses: list[float] = []

    def add(self, chunks: Sequence[Chunk]) -> None:
        """Add chunks to learn from; one whose id is there already is replaced. Any chunk can be scored."""
        self._chunks |= {chunk.id: chunk for chunk in chunks}

    def remove(self, ids: Iterable[str]) -> None:
        """Forget chunks; what was learned from them stays learned.

        Raises:
            DataError: an id is not there; nothing was forgotten then.
        """
        names = list(ids)
        missing = [name for name in names if name not in self._chunks]
        if missing:
            raise DataError(f"CrossEncoder: the id {missing[0]!r} is not there", hint="ids that were added")
        for name in names:
            self._chunks.pop(name, None)

    def fit(
        self,
        queries: Mapping[str, str],
        qrels: Mapping[str, Mapping[str, int]],
        documents: Container[str] | None = None,
        seed: int = 0,
    ) -> CrossEncoder:
        """Learn from judged queries, from the beginning.

        Args:
            queries: id -> text.
            qrels: query -> document -> grade, 1 and above being relevant.
            documents: the only ones that may be learned from, such as those of a purged collection; all unless told.
            seed: of the weights, of what is drawn and of what is dropped.

        Raises:
            DataError: no query has a relevant chunk.
        """
        chunks = [c for c in self._chunks.values() if documents is None or c.doc_id in documents]
        rng = np.random.default_rng(seed)
        self._pairs = Pairs((chunk.full for chunk in chunks), longest=self._config.block_size)
        bm25 = BM25()
        bm25.add([str(place) for place in range(len(chunks))], [chunk.full for chunk in chunks])
        lists = []  # (query's text, grade of each chunk, BM25's best)
        for query, text in queries.items():
            judged = qrels.get(query, {})
            grades = np.array([max(0, judged.get(chunk.doc_id, 0)) for chunk in chunks])
            if grades.any():
                best = [int(place) for place in bm25.search(text, 4 * self.n_list)[0]]
                lists.append((text, grades, [place for place in best if not grades[place]]))
        if not lists:
            raise DataError("CrossEncoder: no query has a relevant chunk", hint="judged queries, after add(chunks)")
        model = Scorer(replace(self._config, vocab_size=len(self._pairs)), rng)
        optimizer = Adam(model.parameters(), lr=self.lr)
        self.losses = []
        for _ in range(self.steps):
            texts, wanted = [], []
            for i in rng.permutation(len(lists))[: self.n_query].tolist():
                text, grades, hard = lists[i]
                places = self._draw(grades, hard, rng)
                texts.append((text, [chunks[place] for place in places]))
                wanted.append(grades[places].astype(np.float64))
            optimizer.zero_grad()
            loss = self._loss(model, texts, wanted)
            loss.backward()
            optimizer.step()
            self.losses.append(loss.item())
        self._model = model.eval()
        return self

    def score(self, query: str, chunks: Sequence[Chunk]) -> Array:
        """Return the score of each chunk, float32 (N,): a logit, to be compared within a query.

        Raises:
            ConfigError: it was not fitted.
        """
        if self._model is None:
            raise ConfigError("CrossEncoder: it was not fitted", hint="add(chunks), fit(queries, qrels)")
        rows = [self._pairs(query, chunk.full) for chunk in chunks]
        scores = np.zeros(len(rows), np.float32)
        with no_grad():
            for chosen in batches([len(ids) for ids, _ in rows], TOKENS_AT_ONCE):
                scores[chosen] = _forward(self._model, [rows[place] for place in chosen]).data
        return scores

    def _draw(self, grades: Array, hard: list[int], rng: np.random.Generator) -> list[int]:
        """Draw a query's list: up to half relevant, BM25's best of the others, and the rest at random."""
        half = self.n_list // 2
        places = rng.permutation(np.flatnonzero(grades))[:half].tolist()
        places += rng.permutation(np.array(hard, np.int64))[: (self.n_list - len(places)) // 2].tolist()
        others = rng.permutation(np.flatnonzero(grades == 0))[: 2 * self.n_list].tolist()
        places += [place for place in others if place not in places][: self.n_list - len(places)]
        return places

    def _loss(self, model: Scorer, texts: list[tuple[str, list[Chunk]]], grades: list[Array]) -> Tensor:
        flat = _forward(model, [self._pairs(query, chunk.full) for query, chunks in texts for chunk in chunks])
        if self.loss == "pointwise":
            return binary(flat, (np.concatenate(grades) > 0).astype(np.float32))
        wanted, real = padded(grades)
        places = np.cumsum(real).reshape(real.shape) - 1  # where in the flat list each one stands
        return listnet(flat.take(np.where(real, places, 0)), wanted, real)


def binary(logits: Tensor, relevant: Array) -> Tensor:
    """Return the mean surprise of yes and no at logits (N,): log(1 + e^s) - y s, without overflow.

    Example:
        >>> round(binary(Tensor(np.array([0.0, 800.0])), np.array([1.0, 1.0])).item(), 4)  # (ln 2 + 0) / 2
        0.3466
    """
    return (logits.relu() - logits * relevant + (1 + (-logits.abs()).exp()).log()).mean()


def _forward(model: Scorer, rows: list[tuple[Array, Array]]) -> Tensor:
    ids, mask = rectangle([row.tolist() for row, _ in rows])
    kinds, _ = rectangle([row.tolist() for _, row in rows])
    return model(ids, mask, kinds)

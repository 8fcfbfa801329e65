"""Training an encoder: each query should find its document among those of the batch, and training ends in time.

    pairs = Pairs.titles(documents)                      # or Pairs.judged(train)
    history = train_encoder(encoder, pairs, dev)         # or encoder.fit(pairs, dev)

A batch is a number of queries with one answer each. For every query the answers of the others are the negatives, except
for those that answer it as well, which are masked; hard negatives may be added. The loss is InfoNCE, ``tl.info_nce``.

A bag of 10,000 vectors learns some hundreds of titles by heart within minutes, and gets worse at everything else while
its loss still falls. So after each epoch the encoder is measured on dev; the best weights are kept, those from before
the first epoch included, and training ends when ``patience`` epochs have not been better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...autograd import info_nce
from ...errors import ConfigError, DataError
from ..evaluate.collections import Collection
from ..types import with_header
from .encoder import Encoder, Numbers
from .hard import bm25_negatives, nearest_wrong
from .pairs import Pairs

Array = np.ndarray[Any, np.dtype[Any]]
Dev = Collection | Pairs | Callable[[Encoder], float] | None
NEGATIVES = ("bm25", "own")
_DEEP = 100  # documents of a ranking on dev: nDCG@10 looks at ten, but some collections take a few out
DEPTH = 20  # hard negatives are drawn from so many of the best wrong documents


@dataclass(frozen=True, slots=True)
class History:
    """How a training went.

    Attributes:
        losses: mean of each epoch.
        scores: on dev, before the first epoch and after each; higher is better.
        best: after how many epochs the weights were that are kept; 0 is before the first.
        measure: what the scores are.

    Example:
        >>> print(History((1.2, 0.7), (0.1, 0.5, 0.4), 1, "mrr"))
        mrr 0.100 before training, 0.500 after 1 of 2 epochs
    """

    losses: tuple[float, ...]
    scores: tuple[float, ...]
    best: int
    measure: str

    def __str__(self) -> str:
        first = f"{self.measure} {self.scores[0]:.3f} before training"
        return f"{first}, {self.scores[self.best]:.3f} after {self.best} of {len(self.losses)} epochs"


def train_encoder(
    encoder: Encoder,
    pairs: Pairs,
    dev: Dev = None,
    *,
    epochs: int = 30,
    patience: int | None = 3,
    batch: int = 128,
    lr: float | None = None,
    temperature: float = 0.05,
    hard: int = 0,
    negatives: str = "bm25",
    seed: int = 0,
    progress: Callable[[int, float, float], Any] | None = None,
) -> History:
    """Train an encoder, and leave it with the weights that were best on dev.

    Args:
        encoder: a BagEncoder or a TransformerEncoder; one that knows words already goes on from its weights.
        pairs: what to learn from.
        dev: what to measure on after each epoch: a collection (nDCG@10), pairs (reciprocal rank among all of their
            documents), or a function of the encoder, higher being better. None holds out a tenth of the pairs.
        epochs: the most.
        patience: ends after so many epochs that were not better than the best; None for never.
        batch: queries at a time, each of which has all answers of the others for negatives.
        lr: learning rate; the encoder's own unless told.
        temperature: what the cosines are divided by.
        hard: hard negatives for each query, drawn from its 20 best wrong documents.
        negatives: "bm25" mines them once, "own" asks the encoder itself before every epoch.
        seed: of the order of the pairs and of the draws.
        progress: called with the epoch, its loss and the score on dev.

    Raises:
        ConfigError: a setting out of its range.
        DataError: nothing is left to train on, because no pair has a known word on either side.
    """
    _check(epochs, patience, batch, hard, negatives, temperature)
    if dev is None:
        pairs, dev = pairs.parted(seed=seed)
    encoder.meet((*pairs.queries, *pairs.documents))
    queries, documents = encoder.numbers(pairs.queries), encoder.numbers(pairs.documents)
    examples = np.array(
        [
            (n, place)
            for n, right in enumerate(pairs.relevant)
            for place in right
            if len(queries[n]) and len(documents[place])
        ],
        np.int64,
    ).reshape(-1, 2)
    if not len(examples):
        raise DataError("train_encoder: no pair has known words on both sides", hint="more pairs")
    measure, score = _measured(dev, encoder)
    mined = bm25_negatives(pairs, DEPTH, encoder.words) if hard and negatives == "bm25" else []
    rng = np.random.default_rng(seed)
    optimizer = encoder.steps(encoder.lr if lr is None else lr)
    rate, taken = encoder.lr if lr is None else lr, 0
    losses: list[float] = []
    scores, best, kept = [score()], 0, _copied(encoder)
    while len(losses) < epochs and (patience is None or len(losses) - best < patience):
        if hard and negatives == "own":
            mined = nearest_wrong(encoder.encode(queries), encoder.encode(documents), pairs.relevant, DEPTH)
        order, total = rng.permutation(len(examples)), 0.0
        for start in range(0, len(order), batch):
            some = examples[order[start : start + batch]]
            places = _places(some, mined, hard, documents, rng)
            asked, which = np.unique(some[:, 0], return_inverse=True)
            x = encoder.vectors([*(queries[n] for n in asked), *(documents[n] for n in places)])
            q, d = x[which], x[len(asked) :]  # (B, C), (M, C)
            targets, masked = _sides(some, places, pairs.relevant)
            loss = info_nce(q, d, targets, masked, temperature=temperature)
            loss.backward()
            taken += 1
            optimizer.step(lr=rate * min(1.0, taken / (encoder.warmup + 1)))
            total += loss.item() * len(some)
        losses.append(total / len(examples))
        scores.append(score())
        if scores[-1] > scores[best]:
            best, kept = len(losses), _copied(encoder)
        if progress is not None:
            progress(len(losses), losses[-1], scores[-1])
    encoder.restore(kept)
    return History(tuple(losses), tuple(scores), best, measure)


def _places(some: Array, mined: list[Array], hard: int, documents: Numbers, rng: np.random.Generator) -> Array:
    """Return the documents of a batch, each once: the answers, and hard negatives of each query."""
    drawn = [some[:, 1]]
    for n in some[:, 0].tolist() if hard else ():
        drawn.append(rng.permutation([place for place in mined[n].tolist() if len(documents[place])])[:hard])
    return np.unique(np.concatenate(drawn).astype(np.int64))


def _sides(some: Array, places: Array, relevant: Sequence[tuple[int, ...]]) -> tuple[Array, Array]:
    """Return the column of each query's own answer (B,), and where others stand that answer it as well (B, M)."""
    column = {place: m for m, place in enumerate(places.tolist())}
    targets = np.array([column[place] for place in some[:, 1].tolist()])
    masked = np.zeros((len(some), len(places)), bool)
    for n, query in enumerate(some[:, 0].tolist()):
        masked[n, [column[place] for place in relevant[query] if place in column]] = True
    masked[np.arange(len(some)), targets] = False
    return targets, masked


def _measured(dev: Dev, encoder: Encoder) -> tuple[str, Callable[[], float]]:
    """Return what dev measures, and what measures it; its words are looked up once and not after every epoch."""
    if isinstance(dev, Pairs):
        asked, among = encoder.numbers(dev.queries), encoder.numbers(dev.documents)
        return "mrr", lambda: _reciprocal_rank(encoder.encode(asked), encoder.encode(among), dev.relevant)
    if isinstance(dev, Collection):
        texts = [with_header(document.title, document.text) for document in dev.documents.values()]
        asked, among = encoder.numbers(list(dev.queries.values())), encoder.numbers(texts)
        return "ndcg@10", lambda: _ndcg(encoder.encode(asked), encoder.encode(among), dev)
    if not callable(dev):
        raise ConfigError(f"train_encoder: dev is a {type(dev).__name__}", hint="a Collection, Pairs or a function")
    return "score", lambda: float(dev(encoder))


def _reciprocal_rank(q: Array, d: Array, relevant: Sequence[tuple[int, ...]]) -> float:
    """Return the mean of one over the rank of the best answer; what is as near as it stands before it."""
    total = 0.0
    for vector, right in zip(q, relevant, strict=True):
        scores = d @ vector
        top = scores[list(right)].max()
        total += 1 / max(1, int((scores >= top).sum()) - int((scores[list(right)] >= top).sum()) + 1)
    return total / len(q)


def _ndcg(q: Array, d: Array, collection: Collection) -> float:
    names = np.array(list(collection.documents))
    run = {}
    for query, vector in zip(collection.queries, q, strict=True):
        scores = d @ vector
        best = np.argpartition(-scores, min(_DEEP, len(scores)) - 1)[:_DEEP]
        run[query] = list(zip(names[best].tolist(), scores[best].tolist(), strict=True))
    values = collection.evaluate(run, ["ndcg@10"])["ndcg@10"].values()
    return float(np.mean(list(values)))


def _copied(encoder: Encoder) -> dict[str, Array]:
    return {name: array.copy() for name, array in encoder.weights().items()}


def _check(epochs: int, patience: int | None, batch: int, hard: int, negatives: str, temperature: float) -> None:
    if epochs < 1 or batch < 2 or hard < 0 or (patience is not None and patience < 1):
        raise ConfigError(
            f"train_encoder: epochs {epochs}, patience {patience}, batch {batch}, hard {hard}",
            hint="epochs and patience of 1 or more, batches of 2 or more, hard of 0 or more",
        )
    if negatives not in NEGATIVES:
        raise ConfigError(f"train_encoder: negatives={negatives!r}", hint=" or ".join(NEGATIVES))
    if not temperature > 0:
        raise ConfigError(f"train_encoder: temperature={temperature}", hint="above 0, such as 0.05")

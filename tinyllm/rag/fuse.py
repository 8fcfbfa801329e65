r"""Fusion: several lists of hits for one query become one.

    RRF       sum of weight / (60 + rank)                    ranks only, so scores of any scale; nothing to fit
    Convex    alpha * first + (1 - alpha) * second           scores, each list scaled to 0..1; alpha fitted on train
    Only      one of the lists                               what the others have to beat
    hybrid    fits and compares all of them, and says which was best

A hit that a list lacks gains nothing from it. Hits of equal scores go by their rank in the first list, then in the
second. Fusing does not always help: with a partner that is much weaker, RRF loses to the better list alone.

Source: Cormack, Clarke & Buettcher 2009 (RRF); Bruch, Gai & Ingber 2023 (convex combination).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import ConfigError, DataError
from .evaluate.collections import Collection
from .evaluate.metrics import Qrels, evaluate
from .retrieve import checked_k
from .types import Array, Chunk, Hit, Retriever

Lists = Sequence[Sequence[Hit]]  # of one query, one list for each retriever
DEPTH = 100


class Fuse(Protocol):
    """Makes one list of several."""

    def __call__(self, lists: Lists, k: int) -> list[Hit]:
        """Return the k best hits of all lists, ranks from 1."""


@dataclass(frozen=True, slots=True)
class RRF:
    """Reciprocal rank fusion.

    Args:
        k: how little the first places stand out; 60 in most uses.
        weights: one for each list; 1 unless told.
        depth: how far down a list counts.

    Raises:
        ConfigError: a k or depth below 1, or weights that are not finite and above 0.

    Example:
        >>> from tinyllm.rag.types import Chunk
        >>> duck, cat = (Hit(Chunk(f"{name}:0-1", name, "", 0, 0), 1.0, 1) for name in ("duck", "cat"))
        >>> [(hit.chunk.doc_id, round(hit.score, 4)) for hit in RRF()([[duck, cat], [cat]], k=5)]
        [('cat', 0.0325), ('duck', 0.0164)]
    """

    k: float = 60
    weights: tuple[float, ...] | None = None
    depth: int = DEPTH

    def __post_init__(self) -> None:
        if self.weights is not None:
            object.__setattr__(self, "weights", tuple(self.weights))
        if self.depth < 1 or not 1 <= self.k < math.inf or any(not 0 < w < math.inf for w in self.weights or ()):
            raise ConfigError(f"RRF: {self}", hint="k and depth from 1, weights above 0")

    @property
    def name(self) -> str:
        """What its score is called in ``Hit.parts``."""
        return "rrf"

    def __call__(self, lists: Lists, k: int) -> list[Hit]:
        """Return the k best hits of all lists.

        Raises:
            ConfigError: not one weight for each list, or a k below 1.
            DataError: a list that holds a chunk twice.
        """
        weights = self.weights or (1.0,) * len(lists)
        if len(weights) != len(lists):
            raise ConfigError(f"RRF: {len(weights)} weights for {len(lists)} lists", hint="one for each retriever")
        places = _places(lists, self.depth)
        # fsum: the same sum, whatever the order of the lists, so that true ties stay ties
        scores = {
            name: math.fsum(w / (self.k + rank) for w, rank in zip(weights, ranks, strict=True) if rank < math.inf)
            for name, ranks in places.items()
        }
        return _fused(lists, places, scores, self.name, k)


@dataclass(frozen=True, slots=True)
class Convex:
    """A weighted mean of two lists' scores, each list scaled so that its worst hit has 0 and its best has 1.

    A list whose hits all have one score says nothing about their order: it scales to 0.

    Args:
        alpha: the first list's share, from 0 to 1; ``Convex.fit`` finds one.
        depth: how far down a list counts.

    Raises:
        ConfigError: an alpha outside of 0 to 1, or a depth below 1.

    Example:
        >>> from tinyllm.rag.types import Chunk
        >>> duck, cat = (Chunk(f"{name}:0-1", name, "", 0, 0) for name in ("duck", "cat"))
        >>> first, second = [Hit(duck, 9.0, 1), Hit(cat, 7.0, 2)], [Hit(cat, 0.5, 1), Hit(duck, 0.4, 2)]
        >>> [(hit.chunk.doc_id, hit.score) for hit in Convex(0.75)([first, second], k=5)]
        [('duck', 0.75), ('cat', 0.25)]
    """

    alpha: float = 0.5
    depth: int = DEPTH

    def __post_init__(self) -> None:
        if self.depth < 1 or not 0 <= self.alpha <= 1:
            raise ConfigError(f"Convex: {self}", hint="alpha from 0 to 1, depth from 1")

    @property
    def name(self) -> str:
        """What its score is called in ``Hit.parts``."""
        return "convex"

    def __call__(self, lists: Lists, k: int) -> list[Hit]:
        """Return the k best hits of both lists.

        Raises:
            ConfigError: not two lists, or a k below 1.
            DataError: a list that holds a chunk twice, or a score that is not finite.
        """
        places, scaled = _both(lists, self.depth)
        mixed = self.alpha * scaled[0] + (1 - self.alpha) * scaled[1]
        return _fused(lists, places, dict(zip(places, mixed.tolist(), strict=True)), self.name, k)

    @classmethod
    def fit(
        cls,
        lists: Mapping[str, Lists],
        qrels: Qrels,
        metric: str = "ndcg@10",
        grid: int = 20,
        depth: int = DEPTH,
    ) -> Convex:
        """Find the alpha that is best on training queries; of equal ones the one nearest to 1/2.

        Args:
            lists: training query -> its two lists.
            qrels: their judgments.
            metric: what is best.
            grid: into how many steps 0 to 1 is divided.
            depth: how far down a list counts.

        Raises:
            DataError: no queries, or one without judgments.
            ConfigError: a grid below 1, or what ``Convex`` and the metric refuse.
        """
        if grid < 1:
            raise ConfigError(f"Convex.fit: grid={grid}", hint="1 or more")
        judged = _judged(lists, qrels)
        tables = {}
        for query, pair in lists.items():
            places, scaled = _both(pair, depth)
            documents = {hit.chunk.id: hit.chunk.doc_id for hits in pair for hit in hits}
            order = np.array(_in_order(places), np.int64)  # the order of ties; a stable sort keeps it
            names = list(places)
            tables[query] = [documents[names[place]] for place in order.tolist()], scaled[:, order]
        means = {}
        for alpha in sorted((step / grid for step in range(grid + 1)), key=lambda alpha: abs(alpha - 0.5)):
            run = {}
            for query, (ordered, scaled) in tables.items():
                best = np.argsort(-(alpha * scaled[0] + (1 - alpha) * scaled[1]), kind="stable")
                run[query] = list(dict.fromkeys(ordered[place] for place in best.tolist()))
            means[alpha] = evaluate(run, judged, [metric])[metric]
        return cls(max(means, key=lambda alpha: means[alpha]), depth)


@dataclass(frozen=True, slots=True)
class Only:
    """One of the lists, as it is: what a fusion has to beat.

    Args:
        place: which list, from 0.

    Example:
        >>> Only(1)([[], []], k=5)
        []
    """

    place: int = 0

    @property
    def name(self) -> str:
        """What its score is called in ``Hit.parts``."""
        return f"only {self.place}"

    def __call__(self, lists: Lists, k: int) -> list[Hit]:
        """Return the k best hits of the one list.

        Raises:
            ConfigError: there is no such list, or a k below 1.
        """
        if not 0 <= self.place < len(lists):
            raise ConfigError(f"Only({self.place}) of {len(lists)} lists", hint="a place from 0")
        places = _places([lists[self.place]], len(lists[self.place]))
        scores = {hit.chunk.id: hit.score for hit in lists[self.place]}
        return _fused([lists[self.place]], places, scores, self.name, k)


@dataclass(frozen=True, slots=True)
class Hybrid:
    """The fusion that was best on dev; calling it fuses.

    Attributes:
        fuse: the one that was chosen.
        scores: what each candidate had on dev.
        why: one sentence that says so.
    """

    fuse: RRF | Convex | Only
    scores: Mapping[str, float]
    why: str

    @property
    def name(self) -> str:
        """What its score is called in ``Hit.parts``."""
        return self.fuse.name

    def __call__(self, lists: Lists, k: int) -> list[Hit]:
        """Return what the chosen fusion returns."""
        return self.fuse(lists, k)


def lists_for(retrievers: Sequence[Retriever], collection: Collection, depth: int = DEPTH) -> dict[str, Lists]:
    """Return what each retriever finds for each query of a collection: what a fusion is fitted to.

    Hits of documents that the collection lacks are left out: a purged one is no example of a miss.

    Args:
        retrievers: filled, such as ``pipeline.retrievers``.
        collection: train, or dev.
        depth: how many hits of each.

    Example:
        >>> from tinyllm.rag import Lexical, Naive, Whole, evaluate
        >>> toy = evaluate.load("toy")
        >>> retrievers = [Lexical(), Lexical(Naive())]
        >>> for retriever in retrievers:
        ...     retriever.add([chunk for document in toy.documents.values() for chunk in Whole().split(document)])
        >>> 0 <= Convex.fit(lists_for(retrievers, toy), toy.qrels).alpha <= 1
        True
    """
    return {
        query: [
            [hit for hit in retriever.search(text, depth) if hit.chunk.doc_id in collection.documents]
            for retriever in retrievers
        ]
        for query, text in collection.queries.items()
    }


def hybrid(
    train: Mapping[str, Lists], dev: Mapping[str, Lists], qrels: Qrels, metric: str = "ndcg@10", depth: int = DEPTH
) -> Hybrid:
    """Choose between RRF, a convex mean fitted on train, and each list alone, by what is best on dev.

    Of equal ones the simpler is chosen: a list alone before RRF, RRF before the mean.

    Args:
        train: training query -> its two lists, for the mean's alpha.
        dev: other queries -> their two lists, for the choice.
        qrels: judgments of both.
        metric: what is best.
        depth: how far down a list counts.

    Raises:
        DataError: a query on both sides, no queries, or one without judgments.
    """
    both = sorted(train.keys() & dev.keys())
    if both:
        raise DataError(
            f"hybrid: query {both[0]!r} is in train and in dev", hint="choose on queries nothing was fitted to"
        )
    judged = _judged(dev, qrels)
    mean = Convex.fit(train, qrels, metric, depth=depth)
    candidates: dict[str, RRF | Convex | Only] = {
        "first alone": Only(0),
        "second alone": Only(1),
        "RRF": RRF(depth=depth),
        f"convex, alpha {mean.alpha:.2f}": mean,
    }
    scores = {}
    for name, fuse in candidates.items():
        run = {}
        for query, lists in dev.items():
            longest = max(1, sum(map(len, lists)))
            run[query] = list(dict.fromkeys(hit.chunk.doc_id for hit in fuse(lists, longest)))
        scores[name] = evaluate(run, judged, [metric])[metric]
    best = max(scores, key=lambda name: scores[name])
    others = ", ".join(f"{name} {score:.3f}" for name, score in scores.items() if name != best)
    why = f"{best}: {metric} {scores[best]:.3f} on {len(dev)} dev queries; {others}"
    return Hybrid(candidates[best], scores, why)


def _judged(lists: Mapping[str, Lists], qrels: Qrels) -> Qrels:
    lost = next((query for query in lists if query not in qrels), None)
    if lost is not None or not lists:
        what = "no queries" if lost is None else f"query {lost!r} has no judgments"
        raise DataError(f"fusion: {what}", hint="lists={query: [hits, hits]}, each query judged")
    return {query: qrels[query] for query in lists}


def _places(lists: Lists, depth: int) -> dict[str, list[float]]:
    """Return chunk id -> its rank in each list, infinite where it is absent."""
    places: dict[str, list[float]] = {}
    for number, hits in enumerate(lists):
        for rank, hit in enumerate(hits[:depth], start=1):
            ranks = places.setdefault(hit.chunk.id, [math.inf] * len(lists))
            if ranks[number] < math.inf:
                raise DataError(f"fusion: list {number + 1} has chunk {hit.chunk.id!r} twice", hint="each chunk once")
            ranks[number] = rank
    return places


def _both(lists: Lists, depth: int) -> tuple[dict[str, list[float]], Array]:
    """Return the places of two lists' chunks, and their scaled scores, (2, N) in the same order."""
    if len(lists) != 2:
        raise ConfigError(f"Convex: {len(lists)} lists", hint="two, or RRF for more")
    places = _places(lists, depth)
    row = {name: number for number, name in enumerate(places)}
    scaled = np.zeros((2, len(places)))
    for number, hits in enumerate(lists):
        scores = min_max([hit.score for hit in hits[:depth]])
        scaled[number, [row[hit.chunk.id] for hit in hits[:depth]]] = scores
    return places, scaled


def min_max(scores: Sequence[float] | Array) -> Array:
    """Scale scores so that the lowest becomes 0 and the highest 1; equal ones all become 0.

    Raises:
        DataError: a score that is not finite.

    Example:
        >>> min_max([2.0, 4.0, 3.0]).tolist(), min_max([5.0, 5.0]).tolist()
        ([0.0, 1.0, 0.5], [0.0, 0.0])
    """
    values = np.asarray(scores, np.float64)
    if not np.isfinite(values).all():
        raise DataError("fusion: a score is not finite", hint="look at the retriever that gave it")
    if not values.size or values.max() == values.min():
        return np.zeros(values.shape)
    largest = np.abs(values).max()  # divided by it, no difference is beyond what a float holds
    values = values / largest
    return (values - values.min()) / (values.max() - values.min())


def _in_order(places: Mapping[str, Sequence[float]]) -> list[int]:
    """Return positions of the chunks by their rank in the first list, then in the second, and so on."""
    ranks = [tuple(each) for each in places.values()]
    return sorted(range(len(ranks)), key=lambda place: ranks[place])


def _fused(
    lists: Lists, places: Mapping[str, Sequence[float]], scores: Mapping[str, float], name: str, k: int
) -> list[Hit]:
    """Return the k best hits, each with the parts that any list knows of it, and the new score."""
    parts: dict[str, dict[str, float]] = {}
    chunks: dict[str, Chunk] = {}
    for hits in lists:
        for hit in hits:
            chunks.setdefault(hit.chunk.id, hit.chunk)
            parts.setdefault(hit.chunk.id, {}).update(hit.parts)
    best = sorted(places, key=lambda chunk_id: (-scores[chunk_id], places[chunk_id]))[: checked_k(k)]
    return [
        Hit(chunks[chunk_id], scores[chunk_id], rank, {**parts[chunk_id], name: scores[chunk_id]})
        for rank, chunk_id in enumerate(best, start=1)
    ]

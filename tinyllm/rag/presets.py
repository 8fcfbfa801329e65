"""Two pipelines: the one that everybody builds, and the one that earned its stages on the user's own data.

    classic     vector search, top 50 -> reranker -> MMR .7 -> 10
    measured    of a ladder, the steps that were better than the best before them

The second is always shown beside the first: what a stage is worth depends on the documents and on the questions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..errors import ConfigError, DataError
from .calibrate import Sigmoid
from .chunk import SentencePack
from .diversify import MMR
from .evaluate.collections import Collection
from .evaluate.ladder import Report, compare
from .evaluate.significance import sign_flips
from .evaluate.steps import Rung, Scores, Steps, as_rungs, chosen, mean, run
from .pipeline import Pipeline
from .retrieve import Dense
from .types import Chunker, Embedder, Index, Reranker, Retriever


def classic(
    embedder: Embedder,
    rerank: Reranker | None = None,
    *,
    chunker: Chunker | None = None,
    index: Index | None = None,
    sigmoid: Sigmoid | None = None,
) -> Pipeline:
    """Return the usual pipeline: the 50 nearest chunks, reranked, diversified by MMR at .7, ten of them.

    Args:
        embedder: of chunks and queries.
        rerank: usually a cross-encoder; without one the pipeline's name says so.
        chunker: sentences packed to what the embedder reads, unless told.
        index: of the vectors; Flat unless told.
        sigmoid: turns the reranker's logits into shares for MMR.
    """
    name = "classic" if rerank is not None else "classic, no reranker"
    retrievers = [Dense(embedder, index)]
    cut = SentencePack(embedder=embedder) if chunker is None else chunker
    return Pipeline(cut, retrievers, rerank=rerank, diversify=MMR(0.7, sigmoid), depth=50, k=10, name=name)


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a step: held against the best before it, and kept only when it is better.

    Attributes:
        name: of the step.
        against: the best step before it; None for the first.
        delta: mean difference to it.
        p: of the sign flips, multiplied by the number of decisions.
        kept: whether it is the best from here on.
    """

    name: str
    against: str | None
    delta: float
    p: float
    kept: bool

    def __str__(self) -> str:
        if self.against is None:
            return f"{self.name}: the first"
        verdict = "kept" if self.kept else "left out"
        return f"{self.name}: {self.delta:+.3f} over {self.against} (p = {self.p:.4f}), {verdict}"


@dataclass(frozen=True, slots=True)
class Measured:
    """The pipeline that was best on the user's data.

    Attributes:
        name: of its step.
        retriever: itself, with the documents in it.
        decisions: one for each step of the ladder.
        beside: its report beside the classic pipeline.
    """

    name: str
    retriever: Retriever
    decisions: tuple[Decision, ...]
    beside: Report

    def __str__(self) -> str:
        return "\n".join([*map(str, self.decisions), "", str(self.beside)])


def measured(
    collection: Collection | Mapping[str, Collection],
    steps: Steps,
    classic: Pipeline | Rung,
    split: str = "dev",
    metric: str = "ndcg@10",
    *,
    folds: int | None = None,
    alpha: float = 0.05,
    samples: int = 10_000,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Measured:
    """Walk up a ladder and keep a step only where it is better than the best before it.

    A step that does not help is passed over, and the next one has to beat the step before that. Since what a step is
    held against depends on the decisions before, p-values are multiplied by the number of decisions (Bonferroni). The
    winner's mean on dev is a winner's: a look at test, by ``ladder``, tells what it is worth.

    Args:
        collection: or its parts, as for ``ladder``.
        steps: as for ``ladder``, each a whole pipeline.
        classic: what the result is shown beside.
        split: dev, or all; never test, which is not for choosing.
        metric: what better means.
        folds: with "all", as for ``ladder``; the chosen one then learns once more, from all queries.
        alpha: below which a corrected p-value counts.
        samples: of the sign flips.
        seed: of the parts and of the sign flips.
        progress: as for ``ladder``.

    Raises:
        ConfigError: split is test, or what ``ladder`` refuses.
        DataError: no steps, or what ``ladder`` refuses.
    """
    if split == "test":
        raise ConfigError("measured: test is not for choosing", hint='split="dev"')
    rungs = as_rungs([*steps, classic])
    if len(rungs) < 2:
        raise DataError("measured: no steps to choose from", hint="at least one")
    part, lessons = chosen(collection, split, rungs, folds, seed)
    decisions: list[Decision] = []
    best: tuple[Rung, Retriever, Scores] | None = None
    usual: Scores = {}
    for rung, retriever, scores in run(part, rungs, metric, lessons, progress):
        if rung is rungs[-1]:
            usual = scores
        elif best is None:
            best = rung, retriever, scores
            decisions.append(Decision(rung.name, None, 0.0, 1.0, True))
        else:
            moves = [scores[query] - best[2][query] for query in scores]
            delta = mean(scores) - mean(best[2])
            p = min(1.0, sign_flips(moves, samples, seed) * max(1, len(rungs) - 2))
            kept = delta > 0 and p < alpha
            decisions.append(Decision(rung.name, best[0].name, delta, p, kept))
            best = (rung, retriever, scores) if kept else best
    if best is None:
        raise DataError("measured: no steps to choose from", hint="at least one")
    title = f"{part.name}, {metric}: measured beside classic"
    beside = compare({rungs[-1].name: usual, best[0].name: best[2]}, title, alpha, samples, seed)
    retriever = best[0].build(part.documents, part) if best[0].learns and folds is not None else best[1]
    return Measured(best[0].name, retriever, tuple(decisions), beside)

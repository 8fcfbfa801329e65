"""How good the retrieval is, and whether the last step helped.

from tinyllm.rag import evaluate as ev

toy = ev.load("toy")
before, after = (toy.evaluate(run, ["ndcg@10"])["ndcg@10"] for run in (naive, bm25))
report = ev.compare({"naive": before, "bm25": after}, "toy, ndcg@10")
assert ev.each_step_improves_metrics(report)
"""

from __future__ import annotations

from .collections import Collection, load
from .folds import cross_fit, folds, parts
from .ladder import Change, Gate, Report, Step, compare, each_step_improves_metrics
from .looks import Looks
from .metrics import average_precision, evaluate, mrr, ndcg, per_query, precision, rank, recall, success
from .significance import holm, least_detectable, sign_flips
from .splits import LeakReport, grouped_split, groups, leak_report, near_duplicates, purge
from .steps import Rung, ladder

__all__ = [
    "Change",
    "Collection",
    "Gate",
    "LeakReport",
    "Looks",
    "Report",
    "Rung",
    "Step",
    "average_precision",
    "compare",
    "cross_fit",
    "each_step_improves_metrics",
    "evaluate",
    "folds",
    "grouped_split",
    "groups",
    "holm",
    "ladder",
    "leak_report",
    "least_detectable",
    "load",
    "mrr",
    "ndcg",
    "near_duplicates",
    "parts",
    "per_query",
    "precision",
    "purge",
    "rank",
    "recall",
    "sign_flips",
    "success",
]

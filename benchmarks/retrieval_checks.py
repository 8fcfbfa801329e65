"""The targets of tinyllm.rag that are no speed: the same scores and words as others', citations, ladders.

Each function answers with rows of the table in retrieval.py, or raises Missing with what is not here. What it compares
with is imported when it is needed; made-up texts and the toy collection stand in for TINYLLM_DATA's only in tests.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from report import Row

VARIANTS = ("lucene", "robertson", "atire", "bm25l", "bm25+")
TOP, QUOTES, VERBATIM = 100, 200, 1000
LADDER, HYBRID = ("substring", "bm25", "lsa", "ltr"), ("bm25", "minilm", "convex", "ltr")


class Missing(Exception):
    """What a check needs and is not here."""


def target(
    case: str, bar: str, ours: float | None, unit: str, reached: bool | None, peer: str | None = None,
    theirs: float | None = None, note: str = "",
) -> Row:  # fmt: skip
    """Return a row of the table; ``ours`` and ``theirs`` are in ``unit``."""
    return {
        "case": case, "bar": bar, "ours": ours, "peer": peer, "peer_seconds": theirs, "unit": unit, "reached": reached,
        "ratio": ours / theirs if ours is not None and theirs else None, "roofline": None, "note": note,
    }  # fmt: skip


def collection(name: str, data: Path | None, **options: Any) -> Any:
    """Read a collection of TINYLLM_DATA."""
    from tinyllm.rag.evaluate import load

    if data is None or not (data / name).is_dir():
        raise Missing(f"collections/{name} is in no folder of TINYLLM_DATA")
    return load(name, data / name, **options)


def bm25_equality(scifact: Any, queries: int = 300) -> list[Row]:
    """Hold the best 100 of five variants against bm25s', and an index that changed against a new one."""
    import bm25s
    import numpy as np

    from tinyllm.rag.lexical.bm25 import BM25
    from tinyllm.rag.lexical.words import words

    texts = [words(f"{one.title} {one.text}", "bm25s") for one in scifact.documents.values()]
    asked = [words(text, "bm25s") for text in list(scifact.queries.values())[:queries]]
    names, worst = [str(n) for n in range(len(texts))], 0.0
    for method in VARIANTS:
        theirs = bm25s.BM25(method=method, k1=1.5, b=0.75, delta=0.5)
        theirs.index(texts, show_progress=False)
        ours = BM25(1.5, 0.75, method, delta=0.5)
        ours.add(names, texts)
        for query, (ids, scores) in zip(asked, ours.search_many(asked, TOP), strict=True):
            all_theirs = theirs.get_scores([word for word in query if word in theirs.vocab_dict])
            best = -np.sort(-all_theirs)[: len(ids)]
            same = all_theirs[[int(name) for name in ids]]
            apart = np.maximum(np.abs(scores - best), np.abs(scores - same)) / np.maximum(1, best)
            worst = max(worst, float(apart.max(initial=0)))
    row = target(f"BM25, best {TOP} of bm25s, {len(VARIANTS)} variants", "<= 1e-5 apart, of the score", worst, "",
                 worst <= 1e-5, "bm25s", 0.0)  # fmt: skip
    live, took = BM25(mode="live"), []
    live.add(names, texts)
    live.search(asked[0])
    changed = random.Random(0).sample(range(len(texts)), min(len(texts) // 2, 500))
    for n in changed:
        live.remove([names[n]])
        began = time.perf_counter()
        live.add([names[n]], [texts[n]])
        took.append(time.perf_counter() - began)
    anew = BM25(mode="live")
    moved = {*changed}
    rest = [*(n for n in range(len(texts)) if n not in moved), *changed]  # the order of insertion decides ties
    anew.add([names[n] for n in rest], [texts[n] for n in rest])
    equal = all(
        a[0] == b[0] and (a[1] == b[1]).all()
        for a, b in zip(live.search_many(asked, TOP), anew.search_many(asked, TOP), strict=True)
    )
    ms = 1e3 * float(np.median(took))
    about = "equal to a rebuild" if equal else "NOT equal to a rebuild"
    return [row, target(f"BM25 live, a document added to {len(texts):,}", "< 1 ms, equal to a rebuild", ms, "ms",
                        equal and ms < 1, note=about)]  # fmt: skip


def metrics_equality() -> list[Row]:
    """Hold metrics of 300 rankings against trec_eval's."""
    import pytrec_eval
    from retrieval_index import METRICS, rankings

    from tinyllm.rag.evaluate import per_query

    qrels, run = rankings()
    names = dict(zip(METRICS, ("ndcg_cut_10", "recall_100", "map"), strict=True))
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recall.100", "map"}).evaluate(run)
    found = per_query(run, qrels, METRICS)
    worst = max(abs(found[name][query] - theirs[query][other]) for name, other in names.items() for query in qrels)
    return [target("metrics, 300 rankings of 100", "<= 1e-12 apart", worst, "", worst <= 1e-12, "pytrec_eval", 0.0)]


def found_after_changes(N: int) -> list[Row]:
    """Delete half of an HNSW's vectors, give 30 % of the rest others, and search for each that is left."""
    import numpy as np
    from retrieval_index import vectors

    from tinyllm.rag.index import HNSW

    x, others = vectors(N, 32, N)
    index, drawn = HNSW(ef=64), random.Random(0)
    names = [f"v{n}" for n in range(N)]
    index.add(names, x)
    gone = set(drawn.sample(names, N // 2))
    for some in np.array_split(sorted(gone), 10):
        index.remove(some.tolist())
    left = [name for name in names if name not in gone]
    changed = drawn.sample(left, 3 * len(left) // 10)
    for some in np.array_split(changed, 10):
        index.add(some.tolist(), others[[int(name[1:]) for name in some]])
    now = {name: others[int(name[1:])] if name in set(changed) else x[int(name[1:])] for name in left}
    found, _ = index.search(np.stack([*now.values()]), 1)
    lost = sum(name not in names for name, names in zip(now, found, strict=True))
    what = f"HNSW, vectors lost of {len(left):,} after 50 % deletes, 30 % upserts"
    return [target(what, "none", lost, "vectors", lost == 0)]


def stems(texts: Sequence[str]) -> list[Row]:
    """Hold the stem of every word against PyStemmer's."""
    import Stemmer

    from tinyllm.rag.lexical.porter2 import stem

    if int(Stemmer.version().split(".")[0]) < 3:
        raise Missing("PyStemmer 3: version 2 has other stems")
    found = sorted({word for text in texts for word in re.findall(r"\w+(?:'\w+)*", text.lower())})
    same = sum(map(str.__eq__, map(stem, found), Stemmer.Stemmer("english").stemWords(found)))
    return [target(f"stems of {len(found):,} words", "all", same / len(found), "share", same == len(found),
                   "PyStemmer")]  # fmt: skip


def token_ids(model: Path, step: int = 1) -> list[Row]:
    """Hold the ids of every code point (or one in ``step``), and of 100,000 random strings, against tokenizers'."""
    from tokenizers import Tokenizer

    from tinyllm.tokenizer.wordpiece import WordPiece

    theirs, ours = Tokenizer.from_file(str(model / "tokenizer.json")), WordPiece.from_file(model / "vocab.txt")
    theirs.no_padding()
    theirs.no_truncation()
    drawn = random.Random(0)
    signs = [chr(code) for code in range(0, 0x110000, step) if not 0xD800 <= code < 0xE000]
    common = [chr(code) for code in range(1, 0x3000)]
    made = ["".join(drawn.choices(common, k=drawn.randrange(1, 20))) for _ in range(100_000 // step)]
    rows = []
    for what, several in ((f"{len(signs):,} code points", signs), (f"{len(made):,} random strings", made)):
        same = 0
        for first in range(0, len(several), 8192):
            some = several[first : first + 8192]
            found = theirs.encode_batch(some, add_special_tokens=True)
            same += sum(ours.encode(text) == one.ids for text, one in zip(some, found, strict=True))
        rows.append(target(f"token ids of {what}", "all", same / len(several), "share", same == len(several),
                           "tokenizers"))  # fmt: skip
    return rows


def citations(documents: Mapping[str, Any], count: int = QUOTES) -> list[Row]:
    """Plant quotes that are not in their source, and quotes that are, and count what the verifier says of each."""
    from tinyllm.rag.answer import verify
    from tinyllm.rag.answer.cite import Claim
    from tinyllm.rag.types import Chunk

    chunks = [Chunk.cut(one, 0, len(one.text)) for one in documents.values() if len(one.text.split()) > 24]
    drawn = random.Random(0)
    planted: list[Any] = []
    while len(planted) < count:
        quote, n = PLANTS[len(planted) % len(PLANTS)](chunks, drawn)
        if quote.casefold() not in chunks[n].text.casefold():
            planted.append(Claim("a statement", n + 1, quote))
    caught = sum(one.verdict not in ("supported", "missing") for one in verify(planted, chunks))
    many = VERBATIM * count // QUOTES
    places = [drawn.randrange(len(chunks)) for _ in range(many)]
    true = [Claim("a statement", n + 1, stretch(chunks[n].text, drawn)) for n in places]
    alarms = sum(one.verdict != "supported" for one in verify(true, chunks))
    return [
        target(f"bad quotes caught, of {count} planted", "all", caught, "quotes", caught == count),
        target(f"false alarms, of {many:,} verbatim quotes", "none", alarms, "quotes", alarms == 0),
    ]


def stretch(text: str, drawn: random.Random, least: int = 6, most: int = 20) -> str:
    """Return some words of a text as they stand there."""
    spans = [found.span() for found in re.finditer(r"\S+", text)]
    size = drawn.randint(least, min(most, len(spans)))
    first = drawn.randint(0, len(spans) - size)
    return text[spans[first][0] : spans[first + size - 1][1]]


def _altered(chunks: Sequence[Any], drawn: random.Random) -> tuple[str, int]:
    n = drawn.randrange(len(chunks))
    words = stretch(chunks[n].text, drawn).split()
    words[drawn.randrange(1, len(words) - 1)] = drawn.choice(re.findall(r"\w{5,}", drawn.choice(chunks).text))
    return " ".join(words), n


def _dropped(chunks: Sequence[Any], drawn: random.Random) -> tuple[str, int]:
    n = drawn.randrange(len(chunks))
    words = stretch(chunks[n].text, drawn).split()
    del words[drawn.randrange(1, len(words) - 1)]
    return " ".join(words), n


def _stitched(chunks: Sequence[Any], drawn: random.Random) -> tuple[str, int]:
    n = drawn.randrange(len(chunks))
    return f"{stretch(chunks[n].text, drawn)} {stretch(drawn.choice(chunks).text, drawn)}", n


def _moved(chunks: Sequence[Any], drawn: random.Random) -> tuple[str, int]:
    n = drawn.randrange(len(chunks))
    return stretch(chunks[(n + 1) % len(chunks)].text, drawn, 8), n


PLANTS = (_altered, _dropped, _stitched, _moved)


def climbed(found: Any, names: Sequence[str], embedder: Any = None, dim: int = 200) -> Iterator[tuple[str, Any, float]]:
    """Yield each rung's name, its scores (query -> nDCG@10) and its seconds; what learns does so in five folds."""
    from tinyllm.rag.evaluate.steps import chosen, run
    from tinyllm.rag.rungs import named_rungs

    rungs = named_rungs(names, embedder, dim)
    began = time.perf_counter()
    measured, lessons = chosen(found, "all", rungs, 5)
    for rung, _, scores in run(measured, rungs, "ndcg@10", lessons):
        yield rung.name, scores, time.perf_counter() - began
        began = time.perf_counter()


def cranfield_ladder(found: Any, embedder: Any) -> list[Row]:
    """Climb without downloaded weights, and with MiniLM's vectors where they are.

    The bars were set with binary judgments; what grades give stands beside them.
    """
    from tinyllm.rag.evaluate import compare

    graded = {name: sum(scores.values()) / len(scores) for name, scores, _ in climbed(found, LADDER)}
    found = binary(found)
    climb = list(climbed(found, LADDER))
    report = compare({name: scores for name, scores, _ in climb}, found.name)
    seconds = sum(took for *_, took in climb)
    rows = []
    for step, bar in zip(report.steps, (0.27, 0.52, 0.55, 0.58), strict=True):
        p = step.change.p_holm if step.change else 0.0
        note = (f"p = {p:.4f} (Holm); " if step.change else "") + f"graded {graded[step.name]:.3f}"
        reached = round(step.mean.value, 2) >= bar and p < 0.01 if step.change else None  # the bottom is no aim
        rows.append(target(f"{found.name}: {step.name}", f"{bar:.2f}", step.mean.value, "nDCG@10", reached, note=note))
    rows.append(target(f"{found.name}: the ladder", "< 15 s", seconds, "s", seconds < 15))
    if embedder is not None:
        (_, scores, _), *_ = climbed(found, ["ltr"], embedder)
        best = sum(scores.values()) / len(scores)
        rows.append(target(f"{found.name}: ltr + MiniLM", ">= .60", best, "nDCG@10", best >= 0.6))
    return rows


def binary(found: Any) -> Any:
    """Return a collection in which every grade above 0 is 1."""
    grades = {query: {name: int(g > 0) for name, g in judged.items()} for query, judged in found.qrels.items()}
    return replace(found, name=f"{found.name.split(',')[0]}, binary", qrels=grades)


def scifact_ladder(found: Any, clean: Sequence[str], embedder: Any) -> list[Row]:
    """Climb with MiniLM's vectors; the clean claims beside all of them."""
    means, clean_means = {}, {}
    for name, scores, _ in climbed(found, HYBRID, embedder, 300):
        means[name] = sum(scores.values()) / len(scores)
        clean_means[name] = sum(scores[query] for query in clean) / len(clean)
    bars = {
        "minilm": (".645 +- .002", abs(means["minilm"] - 0.645) <= 0.002),
        "convex": (">= .715", means["convex"] >= 0.715),
    }
    rows = [
        target(f"SciFact: {name}", *(bars.get(name, ("", None))[:1]), means[name], "nDCG@10",
               bars.get(name, ("", None))[1], note=f"clean {len(clean)}: {clean_means[name]:.3f}")
        for name in means
    ]  # fmt: skip
    best = max(means, key=means.__getitem__)
    note = f"{best}; clean {clean_means[best]:.3f}"
    return [*rows, target("SciFact: the best", ">= .735", means[best], "nDCG@10", means[best] >= 0.735, note=note)]

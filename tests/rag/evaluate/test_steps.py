"""The ladder over retrievers: what it measures, what it refuses, and who has looked at test."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import CheckpointError, ConfigError, DataError
from tinyllm.rag import BM25, Document, Lexical, Naive, Pipeline, Whole, each_step_improves_metrics
from tinyllm.rag.evaluate import Collection, Looks, Rung, ladder, leak_report, load, parts
from tinyllm.rag.presets import classic, measured

TOY = load("toy")


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


def words(index=None, name=None):
    return Pipeline(Whole(), [Lexical(index)], name=name)


class Guess:
    """A retriever that always says the same."""

    def __init__(self, documents, name="guess"):
        self.name = name
        self.rank = lambda query, k: [(document, -place) for place, document in enumerate(documents[:k])]
        self.search = None


def made_up(queries=40, near=0):
    """Each query has one document of its own; some queries are another in nearly the same words."""
    documents = {f"d{n}": Document(f"d{n}", f"word{n} thing{n}") for n in range(queries)}
    texts = {f"q{n}": f"word{n} what is thing{n}" for n in range(queries)}
    texts |= {f"n{n}": f"word{n} what was thing{n}" for n in range(near)}
    return Collection("made up", documents, texts, {query: {f"d{query[1:]}": 1} for query in texts})


def test_the_ladder_measures_what_evaluate_does():
    report = ladder(TOY, [words(Naive()), words(BM25())], split="all", samples=200)
    assert [step.name for step in report.steps] == ["naive", "bm25"] and report.title == "toy, ndcg@10"
    index = BM25()
    index.add(list(TOY.documents), [" \n".join((d.title, d.text)) for d in TOY.documents.values()])
    run = {query: index.search(text, 30)[0] for query, text in TOY.queries.items()}
    expected = TOY.evaluate(run, ["ndcg@10"])["ndcg@10"]
    assert report.steps[1].mean.value == pytest.approx(np.mean(list(expected.values())), abs=1e-12)


def test_a_rankings_order_counts_and_not_its_ids():
    """Equal scores stay in the retriever's order; trec_eval would sort them by id."""
    one = Collection("one", {n: Document(n, n) for n in "abc"}, {"q": "a"}, {"q": {"a": 1}})
    tied = Guess([])
    tied.rank = lambda query, k: [("a", 0.5), ("b", 0.5), ("c", 0.5)]
    assert ladder(one, [tied], split="all", metric="mrr").steps[0].mean.value == 1


def test_how_many_documents_are_asked_for():
    asked = []
    spy = Guess([])
    spy.rank = lambda query, k: asked.append(k) or []
    for metric in ("ndcg@10", "recall@50", "map"):
        ladder(TOY, [spy], split="all", metric=metric, samples=10)
    one = replace(TOY, removed={next(iter(TOY.queries)): frozenset(["bread-starter", "tea-jp"])})
    ladder(one, [spy], split="all", samples=10)
    assert sorted(set(asked)) == [10, 12, 50, 100]


def test_any_retriever_with_a_search():
    plain = Lexical()
    with pytest.raises(ConfigError, match="'bm25' is empty"):
        ladder(TOY, [plain], split="all")
    plain.add([chunk for document in TOY.documents.values() for chunk in Whole().split(document)])
    other = words(name="in a pipeline")
    report = ladder(TOY, [plain, other], split="all", samples=10)
    assert report.steps[0].mean == report.steps[1].mean
    with pytest.raises(DataError, match="holds other documents"):
        ladder(made_up(), [other])
    assert (
        ladder(TOY, [other], split="all", samples=10).steps[0].mean == report.steps[1].mean
    )  # filled already: used as it is


def test_learning_is_handed_train_and_measured_elsewhere():
    collection, handed = made_up(), []

    def build(documents, train):
        handed.append((documents, train))
        return Guess(list(documents))

    steps = [Rung("plain", build), Rung("trained", build, learns=True, prediction="no better")]
    report = ladder(collection, steps, split="dev", samples=10)
    (documents, nothing), (_, train) = handed
    split = parts(collection)
    assert nothing is None and documents == collection.documents and train.queries == split["train"].queries
    assert report.queries == len(split["dev"].queries) and report.title == "made up dev, ndcg@10"
    assert report.steps[1].prediction == "no better" and "predicted: no better" in str(report)
    for how in ("all", "train"):
        with pytest.raises(DataError, match="'trained' learns"):
            ladder(collection, steps, split=how)


def test_a_split_that_leaks_is_refused():
    collection = made_up(near=20)
    queries = list(collection.queries)
    torn = {"train": collection.take(queries[:20]), "dev": collection.take(queries[20:])}
    trained = [Rung("trained", lambda documents, train: Guess([]), learns=True)]
    with pytest.raises(DataError, match="train gives away 20 of 40 queries"):
        ladder(torn, trained)
    assert ladder(torn, [Guess(["d0"])], samples=10).queries == 40  # nothing learns: nothing leaks
    assert ladder(parts(collection), trained, samples=10).steps[0].mean.value == 0
    with pytest.raises(ConfigError, match=r"split='test'\. Try: train or dev"):
        ladder(torn, [Guess([])], split="test", record="unused.json")


def test_folds_of_a_ladder_hold_each_query_out_once():
    collection, handed = made_up(), []

    def build(documents, train):
        handed.append(train)
        return Cheat(train)

    class Cheat:
        """Knows by heart what it was trained on, and nothing else."""

        def __init__(self, train):
            by_text = {text: list(train.qrels[query]) for query, text in train.queries.items()}
            self.rank = lambda text, k: [(name, 1.0) for name in by_text.get(text, ())]

    report = ladder(collection, [Guess(["d0"]), Rung("cheat", build, learns=True)], split="all", folds=4, samples=10)
    assert report.queries == 40 and report.steps[1].mean.value == 0 and len(handed) == 4
    held = [collection.queries.keys() - train.queries.keys() for train in handed]
    assert sorted(query for some in held for query in some) == sorted(collection.queries)
    for train in handed:
        assert not leak_report(train, collection.take(collection.queries.keys() - train.queries.keys())).leaks
    for folds, split, words in ((1, "all", "n=1"), (5, "dev", "folds=5 of split='dev'")):
        with pytest.raises(ConfigError, match=words):
            ladder(collection, [Rung("cheat", build, learns=True)], split=split, folds=folds)


def test_looks_at_test_are_counted(tmp_path):
    path, collection = tmp_path / "looks.json", made_up()
    steps = [Guess(["d1"]), Rung("other", lambda documents, train: Guess(["d2"]), prediction="the same")]
    with pytest.raises(ConfigError, match="each look is recorded"):
        ladder(collection, steps, split="test")
    assert ladder(collection, steps, split="dev", record=path, samples=10).title == "made up dev, ndcg@10"
    assert ladder(collection, steps, split="test", record=path, samples=10).title.endswith("look 1 at test")
    assert ladder(collection, steps, split="test", record=path, samples=10).title.endswith("look 2 at test")
    mixed = ladder(collection, steps, split="test", record=path, samples=10, seed=1)
    assert mixed.title.endswith("look 4 at test")  # parted anew, it shares queries with all three runs before
    runs = json.loads(path.read_text())["runs"]
    assert [(run["split"], run["look"]) for run in runs] == [("dev", 1), ("test", 1), ("test", 2), ("test", 4)]
    assert runs[0]["predictions"] == {"other": "the same"} and set(runs[0]["means"]) == {"guess", "other"}


def test_predictions_are_written_before_the_run_and_a_broken_one_is_no_look(tmp_path):
    path, collection = tmp_path / "looks.json", made_up()

    def broken(documents, train):
        assert json.loads(path.read_text())["runs"][-1]["predictions"] == {"broken": "up"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ladder(collection, [Rung("broken", broken, "up")], split="test", record=path)
    report = ladder(collection, [Guess(["d1"])], split="test", record=path, samples=10)
    assert report.title.endswith("look 1 at test")


def test_a_damaged_record_is_left_alone(tmp_path):
    path = tmp_path / "looks.json"
    for text in ("{", "[]", '{"format": "other"}', '{"format": "tinyllm looks 1", "runs": [{}]}'):
        path.write_text(text)
        with pytest.raises(DataError, match=r"looks\.json is no record of looks"):
            Looks(path)
        assert path.read_text() == text
    with pytest.raises(CheckpointError):
        ladder(TOY, [Guess([])], split="all", record=tmp_path / "nowhere" / "looks.json")
    path.unlink()
    with pytest.raises(DataError, match="no run has begun"):
        Looks(path).end({})


def test_what_is_no_ladder():
    with pytest.raises(ConfigError, match="two steps of one name"):
        ladder(TOY, [words(), words()], split="all")
    with pytest.raises(ConfigError, match="is no step"):
        ladder(TOY, [BM25()], split="all")
    with pytest.raises(ConfigError, match="Rung"):
        Rung("", lambda documents, train: Guess([]))
    with pytest.raises(ConfigError, match="no metric"):
        ladder(TOY, [words()], split="all", metric="ncdg")
    with pytest.raises(ConfigError, match="split='val'"):
        ladder(TOY, [words()], split="val")
    with pytest.raises(DataError, match="no scores"):
        ladder(TOY, [], split="all")


def test_progress():
    told = []
    ladder(TOY, [Guess([]), Guess([], "other")], split="all", samples=10, progress=lambda *at: told.append(at))
    assert told == [("guess", 0, 2), ("other", 1, 2)]


# presets


class Letters:
    id, dim, max_tokens = "letters", 26, None

    def embed(self, texts, kind="document"):
        return np.array([[1 + text.lower().count(chr(97 + n)) for n in range(26)] for text in texts], np.float32)

    def count(self, text):
        return len(text.split())


def test_classic_has_its_stages():
    rag = classic(Letters())
    rag.add(TOY.documents.values())
    hits = rag.search("how often should I feed a sourdough starter")
    assert len(hits) == 10 and set(hits[0].parts) == {"dense", "mmr"} and rag.depth == 50
    assert rag.name == "classic, no reranker" and rag.diversify.weight == 0.7
    ranked = classic(Letters(), type("Flat", (), {"score": lambda self, query, chunks: np.zeros(len(chunks))})())
    assert ranked.name == "classic"


def test_measured_keeps_what_helps_beside_classic():
    collection = made_up(60)
    right = [Rung("bm25", lambda documents, train: filled(words(), documents))]
    lucky = Guess([], "lucky")  # right about six more of sixty: p = 2/64, not enough for one of four decisions
    lucky.rank = lambda text, k: [(f"d{n}", 1.0) for n in range(1, 8) if f"thing{n}" == text.split()[-1]]
    guesses = [Guess(["d1"], "guess"), Guess(["d2"], "another guess"), lucky]
    steps = [*guesses, *right, Guess(["d3"], "a fancy stage")]
    chosen = measured(collection, steps, classic(Letters(), chunker=Whole()), split="all", samples=500)
    assert chosen.name == "bm25" and [one.kept for one in chosen.decisions] == [True, False, False, True, False]
    assert [one.against for one in chosen.decisions] == [None, "guess", "guess", "guess", "bm25"]
    assert chosen.retriever.rank("word7", 1)[0][0] == "d7"
    assert [step.name for step in chosen.beside.steps] == ["classic, no reranker", "bm25"]
    assert each_step_improves_metrics(chosen.beside)
    lines = str(chosen).splitlines()
    assert lines[0] == "guess: the first" and "another guess: +0.000 over guess (p = 1.0000), left out" in lines
    assert any("measured beside classic" in line for line in lines)
    taught = []

    def learned(documents, train):
        taught.append(set(train.queries))
        return right[0].build(documents, None)

    steps = [Guess(["d1"]), Rung("learned", learned, learns=True)]
    again = measured(collection, steps, words(name="usual"), split="all", folds=3, samples=500)
    assert again.name == "learned" and len(taught) == 4 and taught[3] == set(collection.queries)
    with pytest.raises(ConfigError, match="not for choosing"):
        measured(collection, steps, words(name="usual"), split="test")
    with pytest.raises(DataError, match="no steps"):
        measured(collection, [], words(name="usual"), split="all")


def filled(rag, documents):
    rag.add(documents.values())
    return rag

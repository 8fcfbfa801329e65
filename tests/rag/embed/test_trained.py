"""Encoders trained here: they learn, end in time, are the same twice, and come back from a file as they were."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import CheckpointError, ConfigError, DataError, ShapeError, TinyLLMError
from tinyllm.rag.embed import trained
from tinyllm.rag.embed.bag import BagEncoder
from tinyllm.rag.embed.hard import bm25_negatives, own_negatives
from tinyllm.rag.embed.pairs import Pairs
from tinyllm.rag.embed.trained import train_encoder
from tinyllm.rag.embed.transformer import TransformerEncoder
from tinyllm.rag.evaluate.collections import Collection, load
from tinyllm.rag.types import Document, Embedder

MAKERS = {
    "bag": lambda **more: BagEncoder(**{"dim": 16, **more}),
    "transformer": lambda **more: TransformerEncoder(
        **{"dim": 8, "layers": 1, "heads": 2, "min_count": 1, "max_tokens": 12, "dropout": 0.2, **more}
    ),
}
every_encoder = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


@pytest.fixture(scope="module")
def pairs():
    """A world of 40 words in which names only co-occur with their own trait: nothing is shared, all must be learned."""
    names = [f"name{n}" for n in range(20)]
    return Pairs(
        [f"who is {name}" for name in names],
        [f"trait{n} and trait{n} with everyone {'again ' * (n % 3)}" for n in range(20)],
        [(n,) for n in range(20)],
    )


# training


@every_encoder
def test_it_learns(make, pairs):
    encoder = make()
    history = train_encoder(encoder, pairs, pairs, epochs=25, patience=None, batch=10)
    assert history.measure == "mrr" and len(history.losses) == 25 and len(history.scores) == 26
    assert history.scores[0] < 0.45 < 0.7 < history.scores[history.best] and history.losses[-1] < history.losses[0]
    q, d = encoder.embed(pairs.queries, "query"), encoder.embed(pairs.documents)
    assert isinstance(encoder, Embedder) and q.dtype == np.float32 and q.shape == (20, encoder.dim)
    np.testing.assert_allclose((d * d).sum(axis=1), 1, atol=1e-5)
    assert history.scores[history.best] == pytest.approx(trained._reciprocal_rank(q, d, pairs.relevant))


@every_encoder
def test_training_is_the_same_twice_and_the_seed_matters(make, pairs):
    ids = [
        make(seed=seed).fit(pairs, pairs, epochs=2, seed=order).id for seed, order in ((0, 0), (0, 0), (1, 0), (0, 1))
    ]
    assert ids[0] == ids[1] and len(set(ids)) == 3


@every_encoder
def test_early_stopping_keeps_the_best(make, pairs):
    """Scores are dictated: the best is the second, and three worse ones end it."""
    dictated, seen = iter([0.1, 0.2, 0.5, 0.4, 0.5, 0.3, 0.9]), []
    encoder = make()

    def dev(given):
        seen.append({name: array.copy() for name, array in given.weights().items()})
        return next(dictated)

    history = train_encoder(encoder, pairs, dev, epochs=50, patience=3)
    assert history.scores == (0.1, 0.2, 0.5, 0.4, 0.5, 0.3) and history.best == 2 and history.measure == "score"
    for name, array in encoder.weights().items():
        np.testing.assert_array_equal(array, seen[2][name])
        assert name in seen[5] and (name.endswith(("bias", "gain")) or not np.array_equal(array, seen[5][name]))
    assert encoder.id == encoder.id and len(str(history)) < 100


@every_encoder
def test_every_epoch_has_an_id_of_its_own(make, pairs):
    """A cache that asks in the middle must not be told the id of other weights."""
    ids, dictated = [], iter([0.0, 1.0, 3.0, 2.0])

    def dev(given):
        ids.append(given.id)
        return next(dictated)

    encoder = make()
    train_encoder(encoder, pairs, dev, epochs=3, patience=None)
    assert len(set(ids)) == 4 and encoder.id == ids[2]


@every_encoder
def test_the_seed_draws_the_weights(make, pairs):
    first, again, other = (make(seed=seed) for seed in (0, 0, 1))
    for encoder in (first, again, other):
        encoder.meet(pairs.documents)
    assert not any((a != b).any() for a, b in zip(first.weights().values(), again.weights().values(), strict=True))
    assert any((a != b).any() for a, b in zip(first.weights().values(), other.weights().values(), strict=True))


def test_the_learning_rate_climbs_first(pairs, monkeypatch):
    encoder, rates = MAKERS["transformer"](), []
    right = encoder.steps

    def steps(lr):
        optimizer = right(lr)
        step = optimizer.step
        optimizer.step = lambda lr: (rates.append(lr), step(lr=lr))
        return optimizer

    monkeypatch.setattr(encoder, "steps", steps)
    monkeypatch.setattr(encoder, "warmup", 3)
    train_encoder(encoder, pairs, Rising(), epochs=1, batch=4, lr=0.4)
    np.testing.assert_allclose(rates, [0.1, 0.2, 0.3, 0.4, 0.4])


def test_a_start_that_is_never_beaten_is_kept(pairs):
    encoder = BagEncoder.of(["name1", "trait1"], np.eye(2))
    before = encoder.id
    history = train_encoder(encoder, pairs, lambda e: 1.0 if e.id == before else 0.0, epochs=9, patience=2)
    assert history.best == 0 and len(history.losses) == 2 and encoder.id == before


def test_a_tenth_is_held_out_where_no_dev_is_given(pairs):
    encoder = BagEncoder(dim=4).fit(pairs, epochs=1)
    rest, held = pairs.parted(seed=0)
    assert (len(rest), len(held)) == (18, 2) and not set(rest.queries) & set(held.queries)
    unheard = {f"name{n}" for n in range(20)} - set(encoder.vocabulary)
    assert {query.removeprefix("who is ") for query in held.queries} == unheard
    assert encoder.history.measure == "mrr"


def test_dev_may_be_a_collection():
    toy = load("toy")
    encoder = BagEncoder(dim=32)
    history = train_encoder(encoder, Pairs.titles(toy.documents.values()), toy, epochs=3)
    q, d = (
        encoder.embed(list(toy.queries.values())),
        encoder.embed([f"{x.title}\n{x.text}" for x in toy.documents.values()]),
    )
    run = {
        query: dict(zip(toy.documents, scores.tolist(), strict=True))
        for query, scores in zip(toy.queries, q @ d.T, strict=True)
    }
    values = toy.evaluate(run, ["ndcg@10"])["ndcg@10"]
    assert history.measure == "ndcg@10"
    assert history.scores[history.best] == pytest.approx(np.mean(list(values.values())), abs=1e-6)


def test_cranfield_is_as_good_as_it_was(data_file):
    """Titles alone, no judgment: nDCG@10 from .362 to .474 in two epochs."""
    cranfield = load("cranfield", data_file("collections/cranfield/cran.qry").parent)
    history = BagEncoder().fit(Pairs.titles(cranfield.documents.values()), cranfield, epochs=2).history
    assert history.scores[0] == pytest.approx(0.362, abs=0.002)
    assert history.scores[history.best] == pytest.approx(0.474, abs=0.005)


def test_a_step_moves_the_rows_of_its_batch_only(pairs):
    encoder = BagEncoder(dim=4)
    encoder.meet((*pairs.queries, *pairs.documents))
    before = encoder.table.copy()
    train_encoder(encoder, pairs.take([0, 1]), Rising(), epochs=1)
    moved = {word for word, n in encoder.vocabulary.items() if (encoder.table[n] != before[n]).any()}
    assert moved == {"name0", "name1", "trait0", "trait1", "everyon"} | ({"again"} & moved)


class Rising:
    """A dev that likes every epoch more than the one before."""

    def __init__(self):
        self.calls = 0

    def __call__(self, encoder):
        self.calls += 1
        return self.calls


def test_a_bags_gradient_is_that_of_the_whole_table(pairs, rng):
    """What reaches the rows is what would reach a full table through take, repeated stems included."""
    encoder = BagEncoder(dim=4)
    encoder.meet((*pairs.queries, *pairs.documents))
    numbers = encoder.numbers([pairs.documents[2], pairs.documents[5], pairs.queries[2]])
    y = encoder.vectors(numbers)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    stems, rows = encoder._used
    y.backward(dy)
    for text, pieces in enumerate(numbers):
        np.testing.assert_allclose(
            y.data[text], (encoder.table[pieces["stem"]] * pieces["weight"][:, None]).sum(0), rtol=1e-5
        )
    for stem, gradient in zip(stems, rows.grad, strict=True):
        wanted = sum(
            (dy[text] * p["weight"][p["stem"] == stem].sum() for text, p in enumerate(numbers)), np.zeros(4, np.float32)
        )
        np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("negatives", ["bm25", "own"])
def test_hard_negatives_join_the_batch(negatives, pairs, monkeypatch):
    seen = []
    right = trained._sides

    def sides(some, places, relevant):
        targets, masked = right(some, places, relevant)
        seen.append((len(some), len(places)))
        assert [int(places[t]) for t in targets] == some[:, 1].tolist() and not masked[
            np.arange(len(some)), targets
        ].any()
        return targets, masked

    monkeypatch.setattr(trained, "_sides", sides)
    queries = [f"{query} everyone" for query in pairs.queries]  # so that BM25 finds something
    train_encoder(
        BagEncoder(dim=4),
        Pairs(queries, pairs.documents, pairs.relevant),
        Rising(),
        epochs=1,
        batch=4,
        hard=2,
        negatives=negatives,
    )
    assert len(seen) == 5 and all(4 < m <= 12 for _, m in seen)


def test_other_positives_are_masked_and_others_are_not():
    relevant = [(0, 3), (1,), (2, 1)]
    some, places = np.array([[0, 0], [1, 1], [2, 2]]), np.array([0, 1, 2, 3])
    targets, masked = trained._sides(some, places, relevant)
    assert targets.tolist() == [0, 1, 2]
    assert masked.tolist() == [[False, False, False, True], [False] * 4, [False, True, False, False]]


def test_mined_negatives_are_wrong_and_near():
    pairs = Pairs(["wing lift"], ["wing lift wing", "a wing", "lift lift wing", "cats"], [(0,)])
    assert [each.tolist() for each in bm25_negatives(pairs)] == [[2, 1]]
    encoder = BagEncoder.of(["wing", "lift", "cat"], np.eye(3))
    assert [each.tolist() for each in own_negatives(pairs, encoder, depth=2)] == [[2, 1]]


def test_ties_do_not_flatter():
    """An encoder that puts everything into one place finds nothing first."""
    same = np.ones((4, 2), np.float32)
    assert trained._reciprocal_rank(same[:1], same, [(0,)]) == 0.25
    assert trained._reciprocal_rank(np.eye(2), np.eye(2), [(0,), (0, 1)]) == 1.0


# pairs


def test_titles_merge_what_is_equal():
    documents = [
        Document("1", "one", title="A"),
        Document("2", "two", title="A"),
        Document("3", "one", title="B"),
        Document("4", "untitled"),
        Document("5", " ", title="empty"),
    ]
    pairs = Pairs.titles(documents)
    assert (pairs.queries, pairs.documents, pairs.relevant) == (("A", "B"), ("one", "two"), ((0, 1), (0,)))


def test_judged_pairs_of_the_toy_collection():
    toy = load("toy")
    pairs = Pairs.judged(toy)
    assert len(pairs) == 12 and len(pairs.documents) == 30
    for query, text, places in zip(toy.queries, pairs.queries, pairs.relevant, strict=True):
        names = [list(toy.documents)[place] for place in places]
        assert text == toy.queries[query] and set(names) == {n for n, g in toy.qrels[query].items() if g > 0}


def test_what_was_judged_to_be_wrong_is_no_pair():
    documents = {name: Document(name, f"text {name}", title="T" if name == "a" else "") for name in "abc"}
    some = Collection("c", documents, {"q": "x", "r": "y"}, {"q": {"a": 0, "b": 2, "c": -1}, "r": {"a": 0}})
    pairs = Pairs.judged(some)
    assert (pairs.queries, pairs.relevant, pairs.documents[0]) == (("x",), ((1,),), "T\ntext a")
    with pytest.raises(DataError, match="no query has a relevant document"):
        Pairs.judged(some.take(["r"]))


def test_pairs_refuse():
    for queries, relevant in ((["a"], [()]), (["a"], [(1,)]), (["a"], [(-1,)]), (["a"], [])):
        with pytest.raises(DataError):
            Pairs(queries, ["text"], relevant)
    with pytest.raises(DataError, match="title"):
        Pairs.titles([Document("1", "text")])
    with pytest.raises(DataError, match="cannot be parted"):
        Pairs(["a"], ["b"], [(0,)]).parted()


# as embedders


@every_encoder
def test_saved_and_loaded(make, pairs, tmp_path):
    encoder = make().fit(pairs, pairs, epochs=1)
    encoder.save(tmp_path / "encoder")
    again = type(encoder).load(tmp_path / "encoder")
    texts = [*pairs.queries, "unheard of", ""]
    assert again.id == encoder.id and again.max_tokens == encoder.max_tokens and again.vocabulary == encoder.vocabulary
    np.testing.assert_array_equal(again.embed(texts), encoder.embed(texts))
    train_encoder(again, pairs, Rising(), epochs=1)
    assert again.id != encoder.id
    damaged = bytearray((tmp_path / "encoder").read_bytes())
    damaged[-5] ^= 1
    (tmp_path / "encoder").write_bytes(damaged)
    with pytest.raises(CheckpointError, match="checksum"):
        type(encoder).load(tmp_path / "encoder")


def test_kinds_of_encoders_are_not_mixed(pairs, tmp_path):
    BagEncoder(dim=4).fit(pairs, pairs, epochs=1).save(tmp_path / "bag")
    with pytest.raises(CheckpointError, match="kind BagEncoder"):
        TransformerEncoder.load(tmp_path / "bag")


def test_a_stem_counts_less_each_time():
    x = BagEncoder.of(["a1", "b1"], np.eye(2)).embed(["a1 a1 unheard a1 b1"])[0]
    assert x[0] / x[1] == pytest.approx(1 + np.log(3), rel=1e-6)


def test_the_id_knows_every_word_and_number():
    first = BagEncoder.of(["a", "b"], np.eye(2))
    others = [
        BagEncoder.of(["a", "c"], np.eye(2)),
        BagEncoder.of(["b", "a"], np.eye(2)),
        BagEncoder.of(["a", "b"], np.eye(2) + 1e-6),
        BagEncoder.of(["a", "b"], np.eye(2), words="bm25s"),
    ]
    assert first.id == BagEncoder.of(["a", "b"], np.eye(2)).id and len({first.id, *(each.id for each in others)}) == 5


@every_encoder
def test_a_vector_depends_on_its_text_alone(make, pairs):
    encoder = make().fit(pairs, pairs, epochs=1)
    together = encoder.embed([*pairs.documents, "name3", "", "unheard of"])
    alone = np.concatenate([encoder.embed([text]) for text in (*pairs.documents, "name3", "", "unheard of")])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert not together[-2:].any() and encoder.embed([]).shape == (0, encoder.dim)
    assert encoder.count("Who is name3, again?") == 2


def test_a_transformer_reads_so_far_and_hears_the_order(pairs):
    encoder = MAKERS["transformer"](max_tokens=3).fit(pairs, pairs, epochs=1)
    a, b, c, d = encoder.embed(
        ["name1 name2 trait1", "name1 name2 trait1 name5", "name2 name1 trait1", "name1 odd trait1"]
    )
    np.testing.assert_allclose(a, b, atol=1e-6)
    assert np.abs(a - c).max() > 1e-5 < np.abs(a - d).max() and encoder.max_tokens == 3


@every_encoder
def test_refusals(make, pairs):
    encoder = make()
    for use in (lambda: encoder.id, lambda: encoder.embed(["a"]), lambda: encoder.save("nowhere")):
        with pytest.raises(ConfigError, match="not trained yet"):
            use()
    for wrong in (
        {"epochs": 0},
        {"batch": 1},
        {"patience": 0},
        {"hard": -1},
        {"negatives": "all"},
        {"temperature": 0.0},
    ):
        with pytest.raises(ConfigError):
            encoder.fit(pairs, **wrong)
    with pytest.raises(ConfigError, match="dev"):
        encoder.fit(pairs, dev=3)
    with pytest.raises(DataError, match="no pair"):
        make().fit(Pairs(["the", "of"], ["and", "but"], [(0,), (1,)]), pairs)
    trained_one = make().fit(pairs, pairs, epochs=1)
    with pytest.raises(TinyLLMError):
        trained_one.embed("a single text")
    for wrong in ({"dim": 0}, {"words": "porter"}, {"dim": 2.5}):
        with pytest.raises(ConfigError):
            make(**wrong)


def test_refusals_of_a_given_table():
    with pytest.raises(ShapeError):
        BagEncoder.of(["a"], np.eye(2))
    for words in (["a", "a"], []):
        with pytest.raises(ConfigError):
            BagEncoder.of(words, np.zeros((len(words), 2)))
    with pytest.raises(ConfigError):
        TransformerEncoder(max_tokens=2)

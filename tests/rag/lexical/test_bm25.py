"""BM25: by hand, against its published formulas, and through any history of add and remove."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm import kernels
from tinyllm.errors import CheckpointError, ConfigError, DataError, DTypeError
from tinyllm.rag.index import Flat
from tinyllm.rag.lexical.bm25 import BM25, IDF, MODES

K1, B, DELTA = 1.2, 0.6, 0.7
DOCS = [["a", "b", "a", "c"], ["b"], ["c", "c", "c", "d", "b", "e"], [], ["a", "e"]]
NAMES = ["m", "n", "o", "p", "q"]


def published(method, query, docs):
    """Scores as the formulas in the head of bm25.py are written, absent words included."""
    N, mean = len(docs), sum(map(len, docs)) / len(docs)
    scores = []
    for doc in docs:
        K, total = K1 * (1 - B + B * len(doc) / mean), 0.0
        for word in query:
            df, tf = sum(word in other for other in docs), doc.count(word)
            if df:
                c = K1 * tf / K
                total += {
                    "lucene": math.log(1 + (N - df + 0.5) / (df + 0.5)) * tf / (K + tf),
                    "robertson": math.log(max(1, (N - df + 0.5) / (df + 0.5))) * tf / (K + tf),
                    "atire": math.log(N / df) * (K1 + 1) * tf / (K + tf),
                    "bm25l": math.log((N + 1) / (df + 0.5)) * (K1 + 1) * (c + DELTA) / (K1 + c + DELTA),
                    "bm25+": math.log((N + 1) / df) * ((K1 + 1) * tf / (K + tf) + DELTA),
                }[method]
        scores.append(total)
    return scores


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", IDF)
def test_scores_are_the_published_formula(method, mode):
    query = ["a", "e", "a", "nowhere", "b"]
    index = BM25(K1, B, method, delta=DELTA, mode=mode)
    index.add(NAMES, DOCS)
    expected = dict(zip(NAMES, published(method, query, DOCS), strict=True))
    for backend in kernels.BACKENDS:
        with kernels.use(backend):
            ids, scores = index.search(query, 10)
        assert sorted(ids) == ["m", "n", "o", "q"]
        np.testing.assert_allclose(scores, [expected[name] for name in ids], rtol=1e-6, atol=1e-6)
        assert list(scores) == sorted(scores, reverse=True)


def test_settings_at_their_ends():
    for k1, b, delta in ((0, 0.5, 0), (1.5, 0, 0), (1.5, 1, 0)):
        for method in IDF:
            index = BM25(k1, b, method, delta=delta)
            index.add(NAMES, DOCS)
            ids, scores = index.search(["d"], 10)
            assert ids == ["o"] and np.isfinite(scores).all() and scores[0] > 0


def test_a_word_of_half_the_documents_weighs_nothing_in_robertson_and_still_finds():
    index = BM25(method="robertson")
    index.add(["a", "b"], [["x"], ["y", "x"]])
    ids, scores = index.search(["x"])
    assert ids == ["a", "b"] and scores.max() < 1e-30


def test_equal_scores_come_in_the_order_of_insertion():
    for backend in kernels.BACKENDS:
        with kernels.use(backend):
            index = BM25()
            index.add([f"{n}" for n in range(200)], [["x"]] * 200)
            index.remove(["1"])
            index.add(["1"], [["x"]])
            assert index.search(["x"], 3)[0] == ["0", "2", "3"]
            assert index.search(["x"], 500)[0][-1] == "1"


STEPS = st.lists(
    st.one_of(
        st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=9), min_size=1, max_size=30),  # added
        st.floats(0, 1),  # the share that is removed
    ),
    max_size=8,
)


@settings(max_examples=40)
@given(steps=STEPS, seed=st.integers(0, 99), method=st.sampled_from(sorted(IDF)), mode=st.sampled_from(MODES))
def test_any_history_scores_as_a_rebuild(steps, seed, method, mode):
    """The same bits, the same ids, for the documents that are left, in the order in which they came."""
    rng, live, number = np.random.default_rng(seed), {}, 0
    index = BM25(method=method, mode=mode)
    with kernels.use("numpy"):
        for step in steps:
            if isinstance(step, float):
                gone = [name for name in live if rng.random() < step]
                index.remove(gone)
                for name in gone:
                    del live[name]
            else:
                names = [f"{number + i}" for i in range(len(step))]
                number += len(names)
                for some in (slice(0, 1), slice(1, 3), slice(3, None)):
                    index.add(names[some], step[some])
                live |= dict(zip(names, step, strict=True))
            anew = BM25(method=method, mode=mode)
            anew.add(list(live), list(live.values()))
            for query in ("a", "hgfa", "bbbc", "z"):
                (ids, scores), (ids_anew, scores_anew) = index.search(list(query), 50), anew.search(list(query), 50)
                assert ids == ids_anew
                np.testing.assert_array_equal(scores, scores_anew)
            assert len(index) == len(live)


def test_numba_scores_a_history_as_a_rebuild_and_both_modes_agree(rng):
    texts = [[f"w{t}" for t in rng.zipf(1.3, 40) % 300] for _ in range(400)]
    with kernels.use("numba"):
        found = []
        for mode in MODES:
            index, anew = BM25(mode=mode), BM25(mode=mode)
            for n in range(0, 400, 50):
                index.add([f"{i}" for i in range(n, n + 50)], texts[n : n + 50])
                index.remove([f"{i}" for i in range(n, n + 50, 3)])
            index.add(["last"], [texts[7]])
            left = [n for n in range(400) if n % 50 % 3]
            anew.add([*map(str, left), "last"], [*(texts[n] for n in left), texts[7]])
            queries = texts[:20]
            found += [index.search_many(queries, 25), anew.search_many(queries, 25)]
    for other in found[1:]:
        for (ids, scores), (same_ids, same_scores) in zip(found[0], other, strict=True):
            assert ids == same_ids
            np.testing.assert_array_equal(scores, same_scores)


def test_many_queries_give_what_each_gives():
    index = BM25(method="bm25+")
    index.add(NAMES, DOCS)
    queries = [["a", "c"], [], ["z"], ["e", "e", "b"]]
    for many, query in zip(index.search_many(queries, 3), queries, strict=True):
        one = index.search(query, 3)
        assert many[0] == one[0]
        np.testing.assert_array_equal(many[1], one[1])


@pytest.mark.parametrize("mode", MODES)
def test_nothing_to_find(mode):
    index = BM25(mode=mode)
    assert index.search("anything")[0] == []
    index.add(["empty"], [""])
    assert index.search("anything")[0] == [] and "empty" in index
    index.add(["a"], ["anything"])
    index.remove(["a", "empty"])
    assert index.search("anything")[0] == [] and len(index) == 0


def test_a_refused_change_changes_nothing():
    index = BM25()
    index.add(["a"], ["cat"])
    before = index.search("cat")[1]
    for ids, texts, error in (
        (["b", "b"], ["cat", "cat"], DataError),
        (["b", "a"], ["cat", "cat"], DataError),
        (["b"], ["cat", "cat"], DataError),
        (["b", ""], ["cat", "cat"], DataError),
        (["b", 3], ["cat", "cat"], DTypeError),
    ):
        with pytest.raises(error):
            index.add(ids, texts)
    for ids in (["b"], ["a", "b"], ["a", "a"]):
        with pytest.raises(DataError):
            index.remove(ids)
    np.testing.assert_array_equal(index.search("cat")[1], before)


def test_settings_that_do_not_exist_are_named():
    for wrong, match in (
        ({"method": "lucen"}, "'lucene'"),
        ({"mode": "lazy"}, "eager or live"),
        ({"k1": -1}, "k1"),
        ({"b": 1.1}, "from 0 to 1"),
        ({"k1": float("nan")}, "k1"),
        ({"words": "nltk"}, "default, bm25s"),
    ):
        with pytest.raises(ConfigError, match=match):
            BM25(**wrong)
    with pytest.raises(ConfigError, match="k is 0"):
        BM25().search("x", 0)


def test_a_word_of_the_title_counts_as_often_as_its_weight_says():
    texts, titles = [["a", "b"], ["b", "b", "c"], ["c"]], [["b"], [], ["c", "d"]]
    queries = [["a"], ["b"], ["d", "c"], ["b", "c"]]
    for weight in (0, 1, 3):
        index, plain = BM25(title_weight=weight), BM25()
        index.add(["x", "y", "z"], texts, titles)
        plain.add(["x", "y", "z"], [weight * title + text for title, text in zip(titles, texts, strict=True)])
        for (ids, scores), (same, same_scores) in zip(
            index.search_many(queries), plain.search_many(queries), strict=True
        ):
            assert ids == same
            np.testing.assert_array_equal(scores, same_scores)
    index = BM25(title_weight=2)
    index.add(["x", "y"], ["the wing", "a wing of steel"], titles=["Nothing", "Wings"])
    assert index.search("wing")[0] == ["y", "x"]
    with pytest.raises(DataError, match="1 titles for 2 texts"):
        index.add(["v", "w"], ["a", "b"], ["c"])
    for wrong in (-1, 1.5, True):
        with pytest.raises(ConfigError, match="title_weight"):
            BM25(title_weight=wrong)


@pytest.mark.parametrize("mode", MODES)
def test_save_and_load(tmp_path, mode):
    index = BM25(K1, B, "bm25+", delta=DELTA, mode=mode, title_weight=2)
    index.add(
        ["a", "ü", "gone", "empty"], ["Flow over a wing", "Wing flutter: naïve theory", "wing", ""], ["x", "", "y", ""]
    )
    index.remove(["gone"])
    before = index.search("a wing in the flow")
    index.save(tmp_path / "index")
    assert index.search("a wing in the flow")[0] == before[0]
    np.testing.assert_array_equal(index.search("a wing in the flow")[1], before[1])
    again = BM25.load(tmp_path / "index")
    for one in (index, again):  # both go on in the same way
        one.add(["new"], ["a theory of flow"], ["Flow"])
        one.remove(["a"])
    assert len(again) == 3 and "gone" not in again and "empty" in again
    for query in ("flow", "the theory of wings", "naïve", "y"):
        (ids, scores), (same, same_scores) = index.search(query), again.search(query)
        assert ids == same
        np.testing.assert_array_equal(scores, same_scores)
    BM25().save(tmp_path / "nothing")
    assert BM25.load(tmp_path / "nothing").search("x")[0] == []


def test_saving_a_list_that_had_moved_changes_no_answer(tmp_path):
    index = BM25()
    index.add([str(n) for n in range(200)], [["x", f"y{n % 7}", f"z{n}"] for n in range(200)])
    for n in range(200, 210):  # too few to write all anew: the lists of x and y move to the end
        index.add([str(n)], [["x", f"y{n % 7}"]])
    before = index.search(["x", "y3", "z5"], 99)
    index.save(tmp_path / "index")
    for one in (index, BM25.load(tmp_path / "index")):
        assert one.search(["x", "y3", "z5"], 99)[0] == before[0]
        np.testing.assert_array_equal(one.search(["x", "y3", "z5"], 99)[1], before[1])


def test_words_of_ones_own_are_kept_and_their_function_is_asked_for(tmp_path):
    index = BM25(words=lambda text: text.split("|"))
    index.add(["a"], ["x\0y||z\ud800"])
    index.save(tmp_path / "index")
    with pytest.raises(ConfigError, match="made by a function"):
        BM25.load(tmp_path / "index")
    again = BM25.load(tmp_path / "index", words=lambda text: text.split("|"))
    assert all(again.search(query)[0] == ["a"] for query in ("x\0y", "|", "z\ud800"))
    BM25().save(tmp_path / "preset")
    with pytest.raises(ConfigError, match="the preset 'default'"):
        BM25.load(tmp_path / "preset", words=str.split)


def test_a_damaged_file_is_refused(tmp_path):
    index, path = BM25(), tmp_path / "index"
    index.add(["a", "b"], ["cat", "dog"])
    index.save(path)
    whole = path.read_bytes()
    for place in (20, 90, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match="damaged"):
            BM25.load(path)
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match="holds an index of the kind BM25"):
        Flat.load(path)
    with pytest.raises(CheckpointError, match="no such file"):
        BM25.load(tmp_path / "nowhere")

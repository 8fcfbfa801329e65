"""One contract for all indexes: what any of them answers after any history, beside a list that is searched by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm import kernels
from tinyllm.errors import CheckpointError, ConfigError, DataError, ShapeError
from tinyllm.rag.index import HNSW, IVF, Flat

MAKERS = {
    "flat": Flat,
    "flat16": lambda: Flat(storage="float16"),
    "flat8": lambda: Flat(storage="int8"),
    "ivf": lambda: IVF(lists=4, probes=4),
    "hnsw": lambda: HNSW(M=3, ef_construction=8, ef=12),
}
every_index = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


def unit(x):
    x = np.asarray(x, np.float32)
    length = np.sqrt((x * x).sum(-1, keepdims=True))
    return x / np.where(length > 0, length, 1)


def by_hand(held, q, k):
    """Ids of the k best of a dict of vectors, and their scores; the earlier first where scores are equal."""
    scores = np.array([unit(v) @ unit(q) for v in held.values()], np.float32)
    order = np.argsort(-scores, kind="stable")[:k]
    return [list(held)[i] for i in order], scores[order]


def vectors(seed, n, dim=8):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def finds_itself(index, held):
    """Every live vector is the first hit of its own search, or an equal one is."""
    for name, v in held.items():
        (first, *_), (score, *_) = index.search(v, 1)
        closest = unit(held[first]) @ unit(v)
        assert first == name or closest > 0.999, name
        assert abs(score - closest) < 0.02


@every_index
def test_empty(make):
    index = make()
    assert len(index) == 0 and index.dim is None and index.ids == []
    ids, scores = index.search(np.ones(3), 5)
    assert ids == [] and scores.shape == (0,)
    ids, scores = index.search(np.ones((2, 3)), 5)
    assert ids == [[], []] and scores.shape == (2, 0)
    index.add([], np.zeros((0, 3)))
    index.add(["a"], np.ones((1, 3)))
    index.remove(["a"])
    assert index.search(np.ones(3), 5)[0] == [] and "a" not in index


@every_index
def test_fewer_than_k_is_a_short_answer(make):
    index = make()
    index.add(["a", "ü", "三"], vectors(1, 3))
    ids, scores = index.search(vectors(2, 1)[0], 10)
    assert sorted(ids) == ["a", "ü", "三"] and scores.shape == (3,)
    assert all(a >= b for a, b in pairwise(scores))
    assert index.search(vectors(2, 1)[0], 0)[0] == []


@every_index
def test_scores_are_those_of_the_vectors(make):
    index, x, q = make(), vectors(3, 60), vectors(4, 5)
    index.add([str(i) for i in range(60)], x)
    names, scores = index.search(q, 4)
    for one, line, found in zip(q, names, scores, strict=True):
        np.testing.assert_allclose(found, unit(x)[[int(name) for name in line]] @ unit(one), atol=0.02)
        alone, alone_scores = index.search(one, 4)
        assert alone == line
        np.testing.assert_allclose(alone_scores, found, atol=1e-6)


@every_index
def test_equal_scores_go_by_insertion(make):
    index = make()
    index.add(["z", "m", "a"], np.ones((3, 4)))
    index.add(["b"], -np.ones((1, 4)))
    index.add(["m"], np.ones((1, 4)))  # again: it keeps its place
    assert index.search(np.ones(4), 4)[0] == ["z", "m", "a", "b"]
    index.remove(["z"])
    index.add(["z"], np.ones((1, 4)))  # removed and added: it is the last one now
    assert index.search(np.ones(4), 4)[0] == ["m", "a", "z", "b"]
    assert index.ids == ["m", "a", "b", "z"]


@every_index
def test_allow(make):
    index, x = make(), vectors(5, 40)
    index.add([str(i) for i in range(40)], x)
    index.remove(["0", "7"])
    wanted = ["3", "11", "38"]
    assert sorted(index.search(x[11], 10, allow=["nobody", *wanted])[0]) == sorted(wanted)
    assert index.search(x[11], 1, allow=wanted)[0] == ["11"]
    bitmap = np.array([name in wanted for name in index.ids])
    assert sorted(index.search(x[11], 10, allow=bitmap)[0]) == sorted(wanted)
    assert index.search(x[11], 10, allow=[])[0] == []
    assert "0" not in index.search(x[0], 10, allow=["0", "1"])[0]
    with pytest.raises(ShapeError, match=r"allow \(40,\)"):
        index.search(x[0], 1, allow=np.ones(40, bool))
    with pytest.raises(DataError, match="allow is the text"):
        index.search(x[0], 1, allow="3")


@every_index
@pytest.mark.parametrize(
    ("ids", "x", "error", "words"),
    [
        (["a"], [[np.nan, 1.0]], DataError, "NaN"),
        (["a"], [[np.inf, 1.0]], DataError, "inf"),
        (["a"], [[1e20, 1.0]], DataError, "beyond"),
        (["a"], [[1.0, 2.0, 3.0]], ShapeError, "width 3"),
        (["a", "b"], [[1.0, 2.0]], ShapeError, "2 ids"),
        (["a", "a"], [[1.0, 2.0], [1.0, 2.0]], DataError, "twice"),
        ([""], [[1.0, 2.0]], DataError, "the id ''"),
        (["a\0"], [[1.0, 2.0]], DataError, "NUL"),
        ([3], [[1.0, 2.0]], DataError, "the id 3"),
        ("a", [[1.0, 2.0]], DataError, "a list"),
    ],
)
def test_bad_vectors_change_nothing(make, ids, x, error, words):
    index = make()
    index.add(["held"], [[1.0, 2.0]])
    with pytest.raises(error, match=words):
        index.add(ids, x)
    assert index.ids == ["held"] and index.search([1.0, 2.0], 3)[0] == ["held"]


@every_index
def test_bad_questions(make):
    index = make()
    index.add(["a", "b"], [[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(DataError, match="NaN"):
        index.search([np.nan, 0.0], 1)
    with pytest.raises(ShapeError, match="width 3"):
        index.search([1.0, 0.0, 0.0], 1)
    for k in (-1, 1.5, True):
        with pytest.raises(ConfigError, match="k is"):
            index.search([1.0, 0.0], k)
    with pytest.raises(DataError, match="no id 'c'"):
        index.remove(["a", "c"])
    assert index.ids == ["a", "b"]


@every_index
def test_a_vector_of_zeros(make):
    index = make()
    index.add(["nothing", "x", "y"], [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    ids, scores = index.search([0.0, 0.0], 3)
    assert sorted(ids) == ["nothing", "x", "y"] and scores.tolist() == [0.0, 0.0, 0.0]


@every_index
def test_save_and_load(make, tmp_path):
    index, x, q = make(), vectors(6, 50), vectors(7, 5)
    index.add([f"é{i}" for i in range(50)], x)
    index.remove([f"é{i}" for i in range(0, 50, 7)])
    index.save(tmp_path / "index")
    again = type(index).load(tmp_path / "index")
    for one in (index, again):  # both go on in the same way
        one.add(["new", "é1"], vectors(8, 2))
        one.remove(["é2"])
    assert again.ids == index.ids and again.dim == 8
    ids, scores = index.search(q, 6)
    assert again.search(q, 6)[0] == ids
    assert (again.search(q, 6)[1] == scores).all()
    type(index)().save(tmp_path / "empty")
    assert type(index).load(tmp_path / "empty").search(q[0], 3)[0] == []


@every_index
def test_a_damaged_file_is_refused(make, tmp_path):
    index, path = make(), tmp_path / "index"
    index.add(["a", "b"], vectors(9, 2))
    index.save(path)
    whole = path.read_bytes()
    for place in (20, 90, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match="damaged"):
            type(index).load(path)
    path.write_bytes(whole[:-5])
    with pytest.raises(CheckpointError, match="damaged"):
        type(index).load(path)
    path.write_bytes(b"something else")
    with pytest.raises(CheckpointError, match="not an index"):
        type(index).load(path)
    with pytest.raises(CheckpointError, match="no such file"):
        type(index).load(tmp_path / "nowhere")
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match="holds an index of the kind"):
        type("Other", (type(index),), {}).load(path)


names = st.sampled_from("abcdefghijkl")
small = st.lists(st.integers(-2, 2), min_size=3, max_size=3)
steps = st.one_of(
    st.tuples(st.just("add"), st.dictionaries(names, small, min_size=1, max_size=6)),
    st.tuples(st.just("remove"), st.sets(names, min_size=1, max_size=6)),
)


def play(index, history):
    """Run a history on an index and on a dict of vectors."""
    held = {}
    for what, of in history:
        if what == "add":
            index.add(list(of), list(of.values()))
            held.update(of)
        else:
            gone = [name for name in held if name in of]
            index.remove(gone)
            for name in gone:
                del held[name]
    return held


@every_index
@settings(max_examples=25)
@given(history=st.lists(steps, max_size=12), q=small)
def test_any_history_answers_like_a_list(make, history, q):
    index = make()
    held = play(index, history)
    assert index.ids == list(held) and len(index) == len(held)
    ids, scores = index.search(q, 5)
    expected, expected_scores = by_hand(held, q, 5)
    assert len(ids) == len(set(ids)) == len(expected)
    np.testing.assert_allclose(scores, expected_scores, atol=0.02)  # at so few vectors no index misses any
    if len(held) and any(any(v) for v in held.values()):
        finds_itself(index, {name: v for name, v in held.items() if any(v)})

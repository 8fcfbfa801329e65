"""MMR: what it must leave as it is, what it must not repeat, and how its work is judged."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, DataError, ShapeError
from tinyllm.rag import MMR, Sigmoid, distinct_documents, intra_list_similarity
from tinyllm.rag.types import Chunk, Hit


def hits(scores):
    return [Hit(Chunk(f"{n}:0-1", str(n), "", 0, 0), float(s), n + 1, {"bm25": float(s)}) for n, s in enumerate(scores)]


def order(found):
    return [int(hit.chunk.doc_id) for hit in found]


numbers = st.lists(st.integers(-30, 30), min_size=1, max_size=8).map(lambda found: sorted(found, reverse=True))
cases = numbers.flatmap(
    lambda found: st.tuples(
        st.just(found),
        st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=len(found), max_size=len(found)),
    )
)
weights = st.floats(0, 1)


@given(cases, weights, st.integers(1, 9))
def test_what_holds_for_all(case, weight, k):
    scores, vectors = case
    found = MMR(weight)(hits(scores), vectors, k)
    assert order(found)[0] == 0 and len(set(order(found))) == len(found) == min(k, len(scores))
    assert [hit.rank for hit in found] == list(range(1, len(found) + 1))
    assert all(one.score >= other.score - 1e-12 for one, other in pairwise(found))
    assert all(hit.parts == {"bm25": scores[int(hit.chunk.doc_id)], "mmr": hit.score} for hit in found)
    assert order(MMR(weight)(hits(scores), vectors, 9))[:k] == order(found)


@given(cases)
def test_a_weight_of_one_changes_nothing(case):
    scores, vectors = case
    assert order(MMR(1)(hits(scores), vectors, 9)) == list(range(len(scores)))
    assert order(MMR(1, Sigmoid(3, -2))(hits(scores), vectors, 9)) == list(range(len(scores)))


@given(cases, weights, st.floats(0.5, 50), st.floats(-50, 50))
def test_scale_and_shift_of_the_scores_do_not_matter(case, weight, scale, shift):
    scores, vectors = case
    one = MMR(weight)(hits(scores), vectors, 9)
    other = MMR(weight)(hits([score * scale + shift for score in scores]), vectors, 9)
    np.testing.assert_allclose([hit.score for hit in one], [hit.score for hit in other], atol=1e-9)


@given(cases, weights)
def test_each_pick_is_the_best_there_is(case, weight):
    """The rule, written out with loops."""
    scores, vectors = case
    units = [np.array(v) / (np.linalg.norm(v) or 1) for v in vectors]
    low, high = min(scores), max(scores)
    relevance = [(s - low) / (high - low) if high > low else 0.0 for s in scores]
    taken = order(MMR(weight)(hits(scores), vectors, 9))

    def value(place, before):
        return weight * relevance[place] - (1 - weight) * max(units[place] @ units[b] for b in before)

    for done in range(1, len(taken)):
        best = max(value(place, taken[:done]) for place in taken[done:])
        assert value(taken[done], taken[:done]) == pytest.approx(best, abs=1e-9)


def test_a_copy_waits():
    vectors = [[1, 0], [1, 0], [0, 1], [0, 1]]
    assert order(MMR(0.7)(hits([1.0, 0.9, 0.8, 0.0]), vectors, 2)) == [0, 2]
    assert order(MMR(0.95)(hits([1.0, 0.9, 0.8, 0.0]), vectors, 2)) == [0, 1]


def test_logits_without_a_sigmoid_press_the_others_together():
    """One logit of 9 hides that the others are between a half and a tenth."""
    logits, vectors = [9.0, 0.0, -2.2, -9.0], [[1, 0, 0], [0, 1, 0], [0, 0.6, 0.8], [0, 0, 1]]
    assert order(MMR(0.7)(hits(logits), vectors, 3)) == [0, 1, 2]
    shares = MMR(0.7, Sigmoid())(hits(logits), vectors, 3)
    assert shares[1].score == pytest.approx(0.7 * (0.5 - Sigmoid()([-9.0])[0]) / np.ptp(Sigmoid()(logits)))


def test_sigmoid_is_fitted(rng):
    truth = Sigmoid(0.4, -1.5)
    scores = rng.normal(3, 4, 4000)
    fitted = Sigmoid.fit(scores, rng.random(4000) < truth(scores))
    assert fitted.slope == pytest.approx(0.4, abs=0.04) and fitted.offset == pytest.approx(-1.5, abs=0.15)
    split = Sigmoid.fit([-3.0, -2.0, 2.0, 3.0], [False, False, True, True])  # parted: the softened targets hold it
    assert 0.5 < split([3.0])[0] < 0.9
    huge = Sigmoid()([1e308, -1e308])
    assert huge.tolist() == [1, 0]


def test_judges():
    same, apart = [[1.0, 2.0], [2.0, 4.0]], [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]
    assert intra_list_similarity(same) == pytest.approx(1) and intra_list_similarity(apart) == pytest.approx(-1 / 3)
    assert intra_list_similarity([]) == intra_list_similarity([[1.0, 2.0]]) == 0.0
    assert distinct_documents([*hits([3, 2]), *hits([1])]) == 2
    vectors = [[1, 0], [1, 0.1], [0, 1], [0.1, 1]]
    plain, diverse = hits([4, 3, 2, 1])[:2], MMR(0.5)(hits([4, 3, 2, 1]), vectors, 2)
    similar = [intra_list_similarity([vectors[n] for n in order(found)]) for found in (plain, diverse)]
    assert similar[1] < similar[0]


def test_bad_input():
    for weight in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigError, match="weight"):
            MMR(weight)
    with pytest.raises(ShapeError, match=r"vectors \(1, 2\) for 2 hits"):
        MMR()(hits([1, 0]), [[1, 0]], 2)
    with pytest.raises(DataError, match="a vector holds NaN"):
        MMR()(hits([1, 0]), [[1, np.nan], [0, 1]], 2)
    with pytest.raises(DataError, match="not finite"):
        MMR()(hits([1, np.nan]), [[1, 0], [0, 1]], 2)
    with pytest.raises(ConfigError, match="k is 0"):
        MMR()(hits([1]), [[1, 0]], 0)
    assert MMR()([], np.zeros((0, 2)), 3) == MMR()([], [], 3) == []
    for scores, relevant in (([1.0], [True]), ([1.0, 2.0], [True, True]), ([1.0, np.inf], [True, False])):
        with pytest.raises(DataError, match=r"Sigmoid\.fit"):
            Sigmoid.fit(scores, relevant)
    with pytest.raises(DataError, match="do not score higher"):
        Sigmoid.fit([3.0, 2.0, 1.0, 0.0], [False, False, True, True])
    with pytest.raises(ConfigError, match="slope"):
        Sigmoid(0)

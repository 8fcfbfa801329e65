"""Remote: what a service may get wrong, and that none of it goes unseen."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import ConfigError, DataError, DTypeError, ShapeError
from tinyllm.rag.embed import Remote
from tinyllm.rag.embed.remote import PROBE


def letters(texts):
    return [[text.count(letter) + 0.5 for letter in "abcdefgh"] for text in texts]


TEXTS = ["a dead cab", "ab", "fed", "a bed had a head", "cab", "egg", "deaf"]


class Service:
    """A function that notes what it was sent, and answers through another."""

    def __init__(self, answer=letters):
        self.answer, self.sent = answer, []

    def __call__(self, texts):
        self.sent.append(list(texts))
        return self.answer(texts)


def test_batches_and_blank_texts():
    service = Service()
    remote = Remote(service, "letters", 8, batch=6)
    vectors = remote.embed([*TEXTS, " \n", "", "he"])
    assert service.sent == [list(PROBE), TEXTS[:6], [TEXTS[6], "he"]]
    expected = np.array(letters([*TEXTS, "he"]))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors[[*range(7), 9]], expected, atol=1e-6)
    assert not vectors[7:9].any()
    remote.embed(TEXTS[:2])
    assert service.sent[3:] == [TEXTS[:2]]  # it is probed once
    assert Remote(service, "letters", 8).embed(["", " "]).tolist() == [[0.0] * 8] * 2
    assert len(service.sent) == 4


def test_one_text_at_a_time_cannot_lose_its_order():
    service = Service()
    assert Remote(service, "letters", 8, batch=1).embed(TEXTS[:2]).shape == (2, 8)
    assert service.sent == [TEXTS[:1], TEXTS[1:2]]


def test_queries_have_a_function_of_their_own():
    documents, queries = Service(), Service(lambda texts: -np.array(letters(texts)))
    remote = Remote(documents, "letters", 8, queries=queries)
    np.testing.assert_array_equal(remote.embed(TEXTS, "query"), -remote.embed(TEXTS))
    assert documents.sent == queries.sent == [list(PROBE), TEXTS]


@pytest.mark.parametrize("batch", [2, 3, 4, 6, 64])
@pytest.mark.parametrize(
    "order", [sorted, lambda t: sorted(t, key=len), lambda t: sorted(t, key=len, reverse=True), lambda t: t[::-1]]
)
def test_another_order_is_noticed(order, batch):
    with pytest.raises(DataError, match="another order"):
        Remote(lambda texts: letters(order(texts)), "letters", 8, batch=batch).embed(["ab"])


def test_vectors_that_differ_in_their_last_digits_are_alike():
    rng = np.random.default_rng(0)
    remote = Remote(lambda texts: np.array(letters(texts)) + 1e-3 * rng.random((len(texts), 8)), "letters", 8)
    assert remote.embed(TEXTS).shape == (7, 8)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (lambda texts: letters(texts)[1:], ShapeError, "6 texts were sent"),
        (lambda texts: letters(dict.fromkeys(texts)), ShapeError, r"the shape \(4, 8\)"),  # what is double, once
        (lambda texts: [row[1:] for row in letters(texts)], ShapeError, "width 7"),
        (lambda texts: [row[: 1 + i] for i, row in enumerate(letters(texts))], ShapeError, "no array of numbers"),
        (lambda texts: [None] * len(texts), ShapeError, "shape"),
        (lambda texts: {"data": letters(texts)}, ShapeError, "no array of numbers"),
        (lambda texts: np.where(np.eye(len(texts), 8), np.nan, letters(texts)), DataError, "'ducks and geese' holds"),
        (lambda texts: np.where(np.eye(len(texts), 8, -3), np.inf, letters(texts)), DataError, "iron in 1848' holds"),
    ],
)
def test_what_a_service_gets_wrong(answer, error, words):
    with pytest.raises(error, match=words):
        Remote(answer, "letters", 8).embed(TEXTS)


def test_a_wrong_answer_later_is_noticed_as_well():
    service = Service()
    remote = Remote(service, "letters", 8)
    remote.embed(TEXTS)
    service.answer = lambda texts: letters(texts)[:-1]
    with pytest.raises(ShapeError, match="2 texts were sent"):
        remote.embed(TEXTS[:2])


def test_an_error_of_the_service_is_its_own():
    def call(texts):
        raise TimeoutError("nobody answers")

    with pytest.raises(TimeoutError, match="nobody answers"):
        Remote(call, "letters", 8).embed(["a"])


def test_settings_that_make_no_sense():
    for bad in ({"dim": 0}, {"dim": 2.0}, {"batch": 0}, {"max_tokens": 0, "count": len}, {"max_tokens": True}):
        with pytest.raises(ConfigError, match="Remote: "):
            Remote(letters, **{"id": "letters", "dim": 8, **bad})
    with pytest.raises(ConfigError, match="nothing that counts"):
        Remote(letters, "letters", 8, max_tokens=512)
    with pytest.raises(DataError, match="id"):
        Remote(letters, "", 8)
    with pytest.raises(DTypeError, match="id"):
        Remote(letters, 3, 8)
    assert Remote(letters, "letters", 8, max_tokens=512, count=len).count("four") == 4
    assert Remote(letters, "letters", 8).count("three words, here") == 4

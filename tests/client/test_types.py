"""What travels: secrets stay secret, vectors are views, unknown numbers stay unknown."""

from __future__ import annotations

import copy
import pickle
from array import array

import numpy as np
import pytest

from tinyllm.client import errors
from tinyllm.client.types import Completion, Embeddings, HttpRequest, Secret, Spec, ToolCall, Usage, messages_of
from tinyllm.errors import TinyLLMError


def test_a_planted_key_appears_nowhere():
    key = Secret("sk-planted")
    spec = Spec("x", "openai_chat", key=key)
    request = HttpRequest(
        "POST", "https://x/v1?key=sk-planted", {"Authorization": "Bearer sk-planted", "A": "b"}, b"{}"
    )
    for shown in (repr(key), str(key), f"{key}", repr(spec), repr(request)):
        assert "sk-planted" not in shown
    assert "'A': 'b'" in repr(request) and key == Secret("sk-planted") != Secret("other") and not Secret("")
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        copy.copy(key)


def test_unknown_tokens_stay_unknown():
    assert Usage().total is None and Usage(input=3).total is None
    assert Usage(1, 2, 3, 4, 5).total == 15


def test_embeddings_are_not_copied():
    data = array("f", range(6))
    found = Embeddings(data, (2, 3), "m", "p")
    x = np.asarray(found.view)
    data[0] = 7.0
    assert x.shape == (2, 3) and x.dtype == np.float32 and x[0, 0] == 7.0
    assert len(found) == 2 and found[-1] == [3.0, 4.0, 5.0]
    with pytest.raises(IndexError):
        found[2]


def test_completions():
    assert Completion("x").incomplete and not Completion("x", finish="stop").incomplete
    assert Completion("x", finish="stop", partial=(ToolCall("a", "b", "{"),)).incomplete
    assert str(Completion("x")) == "x"
    with pytest.raises(ValueError):
        ToolCall("a", "b", "{").parsed()
    assert ToolCall("a", "b", "").parsed() == {}
    assert [m.role for m in messages_of([{"role": "user", "content": "a"}, *messages_of("b")])] == ["user", "user"]


def test_every_error_is_ours_and_carries_its_facts():
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ProviderError)
    ]
    codes = [kind.code for kind in kinds]
    assert len(kinds) > 20 and len(set(codes)) == len(codes)
    for kind in kinds:
        error = kind("asked", "try", provider="p", status=500, reason="r", request_id="i", body="b" * 9999)
        assert isinstance(error, TinyLLMError) and str(error) == f"{kind.code} asked. Try: try"
        assert (error.provider, error.status, error.reason, error.request_id) == ("p", 500, "r", "i")
        assert len(error.body) == errors.LONGEST_BODY
    assert issubclass(errors.TotalTimeout, TimeoutError) and issubclass(errors.ConnectionFailedError, ConnectionError)

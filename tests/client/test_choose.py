"""A model for a purpose: from dated rows, among what is at hand, with the reason."""

from __future__ import annotations

import datetime

import pytest

from tinyllm.client.choose import choose_model, use_cases
from tinyllm.client.registry import find, providers
from tinyllm.client.tables import table
from tinyllm.errors import ConfigError

KEYS = {name: "k" for row in providers() for name in row.env_key} | {"OLLAMA_HOST": "127.0.0.1"}


def free(usage, provider, model):
    return 0 if provider == "local" else None


def test_rows_are_dated_and_sourced():
    for row in table("models")["models"]:
        assert find(row["provider"]) and row["source"] and set(row["uses"]) <= set(use_cases())
        assert row["checked_on"] is None or datetime.date.fromisoformat(row["checked_on"])
    for use in use_cases():
        assert any(use in row["uses"] for row in table("models")["models"])


def test_only_what_is_at_hand():
    for use in ("chat", "summarization", "speed", "embeddings"):
        for name in ("OPENAI_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY"):
            assert name in find(choose_model(use, environ={name: "k"}, cost=free).provider).auto
    assert choose_model("chat", environ={}, cost=free).provider == "local"
    with pytest.raises(
        ConfigError, match=r"nothing at hand for embeddings: openai/text-embedding-3-small: OPENAI_API_KEY"
    ):
        choose_model("embeddings", environ={}, cost=free)


def test_local_only_means_this_machine():
    assert choose_model("embeddings", local_only=True, environ=KEYS, cost=free).provider == "ollama"
    assert choose_model("reasoning", local_only=True, environ=KEYS, cost=free).provider == "local"
    with pytest.raises(ConfigError, match=r"not on this machine.*MiniLM"):
        choose_model("embeddings", local_only=True, environ={"OLLAMA_HOST": "http://far.example"}, cost=free)


def test_rank_then_price_then_order():
    prices = {"claude-haiku-5-5": 200, "gpt-6-luna": 150}
    environ = {"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}
    found = choose_model("speed", environ=environ, cost=lambda usage, provider, model: prices.get(model))
    assert (found.model, found.cost) == ("gpt-6-luna", 150)
    assert ("anthropic/claude-haiku-5-5", "as good, at 200 micro-dollars") in found.passed
    same = choose_model("speed", environ=environ, cost=lambda usage, provider, model: 150)
    assert (
        same.model == "claude-haiku-5-5" and ("openai/gpt-6-luna", "as good, and further down the file") in same.passed
    )
    unknown = choose_model(
        "speed", environ=environ, cost=lambda usage, provider, model: {"gpt-6-luna": 9999}.get(model)
    )
    assert unknown.model == "gpt-6-luna", "a known price counts before an unknown one"
    assert "rank 1 for speed" in unknown.why and "500 tokens read and 200 written: 9,999 micro-dollars" in str(unknown)


def test_a_budget_is_never_passed_and_unknown_is_not_nothing():
    environ = {"ANTHROPIC_API_KEY": "k"}
    cost = {"claude-opus-5-5": 24_000, "claude-sonnet-5-5": 7_000, "local": 0}
    found = choose_model("reasoning", 10_000, environ=environ, cost=lambda usage, provider, model: cost.get(model))
    assert found.model == "claude-sonnet-5-5"
    assert ("anthropic/claude-opus-5-5", "24,000 micro-dollars a call, and the budget is 10,000") in found.passed
    assert (
        choose_model("reasoning", 0, environ=environ, cost=lambda usage, provider, model: cost.get(model)).model
        == "local"
    )
    unpriced = choose_model("chat", 10**9, environ={"MISTRAL_API_KEY": "k"}, cost=free)
    assert unpriced.provider == "local"
    assert ("mistral/mistral-small-latest", "its price is unknown, and there is a budget") in unpriced.passed


def test_the_shipped_prices_are_asked(recwarn):
    found = choose_model("speed", environ={"OPENAI_API_KEY": "k"})
    assert found.model == "gpt-6-luna" and found.cost == 150
    assert choose_model("chat", environ={}).cost == 0


def test_a_broken_key_is_said_not_shown():
    found = choose_model("chat", environ={"OPENAI_API_KEY": "sk-pl anted"}, cost=free)
    assert found.provider == "local" and "a space" in str(found)
    assert "sk-pl" not in f"{found}{found!r}"


@pytest.mark.parametrize(
    ("use", "budget", "words"),
    [
        ("chats", None, '"chat"'),
        ("xyz", None, "one of"),
        ("chat", -1, "whole number"),
        ("chat", 0.5, "whole number"),
        ("chat", True, "whole number"),
    ],
)
def test_what_cannot_be_meant(use, budget, words):
    with pytest.raises(ConfigError, match=words):
        choose_model(use, budget, environ={})

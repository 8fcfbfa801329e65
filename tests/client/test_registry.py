"""Which provider is meant, where a call goes, and that no report shows a key."""

from __future__ import annotations

import datetime

import pytest

from tinyllm.client.errors import AuthError
from tinyllm.client.registry import Row, address_of, explain, find, is_here, providers, report, resolve
from tinyllm.client.types import Secret
from tinyllm.errors import ConfigError

KEY = "sk-planted-0123456789"


def test_rows_are_dated_sourced_and_distinct():
    rows = providers()
    names = [row.name for row in rows]
    assert len(set(names)) == len(names) and names[-1] == "local"
    assert {row.wire for row in rows} == {"openai_chat", "openai_responses", "anthropic", "gemini", "ollama", "local"}
    wanted = "openai anthropic gemini groq mistral openrouter xai deepseek together cohere perplexity vllm ollama"
    assert set(wanted.split()) <= set(names)
    for row in rows:
        assert row.source and (row.checked_on is None or datetime.date.fromisoformat(row.checked_on))
        assert row.auth in {"bearer", "x-api-key", "x-goog-api-key", "none"}
        assert row.wire == "local" or address_of(row.base_url) == row.base_url
        assert row.base_url.startswith("https://") or is_here(row.base_url)
        assert set(row.auto) <= {*row.env_key, *row.env_base} and isinstance(row, Row)


def test_order_of_auto():
    everything = {name: "k" for row in providers() for name in row.env_key} | {"OLLAMA_HOST": "host"}
    assert explain("groq", everything).name == "groq"
    assert explain("auto", {**everything, "TINYLLM_PROVIDER": "mistral"}).name == "mistral"
    assert explain("groq", {"TINYLLM_PROVIDER": "mistral"}).name == "groq"
    expected = [row.name for row in providers() if row.auto]
    found = []
    left = dict(everything)
    while (choice := explain("auto", left)).name != "local":
        found.append(choice.name)
        assert [name for name, _ in choice.passed] == found[:-1]
        for name in find(choice.name).auto:
            del left[name]
    assert found == expected
    assert explain("auto", {"TINYLLM_PROVIDER": " auto ", "OPENAI_API_KEY": "k"}).name == "openai"


@pytest.mark.parametrize("name", ["LM_STUDIO_API_KEY", "OLLAMA_API_KEY"])
def test_no_network_service_is_chosen_by_itself(name):
    assert explain("auto", {name: "k", "OPENAI_API_KEY": "  "}).name == "local"
    assert "no key is set" in str(explain("auto", {}))


def test_ollama_when_its_host_is_set():
    spec = resolve(environ={"OLLAMA_HOST": "0.0.0.0"})
    assert (spec.name, spec.base_url, spec.auth, spec.key) == ("ollama", "http://127.0.0.1:11434", "none", None)
    assert resolve("ollama", environ={"OLLAMA_API_KEY": "k"}).auth == "bearer"


def test_nearest_name_is_offered():
    with pytest.raises(ConfigError, match='Try: "anthropic"'):
        find("antropic")
    with pytest.raises(ConfigError, match='TINYLLM_PROVIDER: there is no provider "opnai". Try: "openai"'):
        resolve(environ={"TINYLLM_PROVIDER": "opnai"})
    with pytest.raises(ConfigError, match="one of anthropic"):
        find("zzz")


def test_versions_of_anthropic():
    now = resolve("anthropic", environ={"ANTHROPIC_API_KEY": "k"})
    old = resolve("anthropic", environ={"ANTHROPIC_API_KEY": "k"}, api_version="2023-06-01")
    assert (now.api_version, now.auth, now.capabilities["temperature"]) == ("2026-10-21", "bearer", False)
    assert (old.api_version, old.auth, old.capabilities["temperature"]) == ("2023-06-01", "x-api-key", True)
    token = {"ANTHROPIC_AUTH_TOKEN": "t"}
    assert resolve("anthropic", environ=token, api_version="2023-06-01").auth == "bearer"
    assert resolve("anthropic", environ={**token, "ANTHROPIC_API_KEY": "k"}).key == Secret("k")
    with pytest.raises(ConfigError, match="no API version"):
        resolve("anthropic", environ={"ANTHROPIC_API_KEY": "k"}, api_version="2024-01-01")


def test_what_the_environment_adds_and_what_is_asked_for_counts_most():
    environ = {
        "OPENAI_API_KEY": f" {KEY}\n",
        "OPENAI_BASE_URL": "https://proxy.example/v1/",
        "OPENAI_ORG_ID": "org-1",
        "GEMINI_API_KEY": "second",
        "GOOGLE_API_KEY": "first",
        "GOOGLE_GENAI_API_VERSION": "beta",
    }
    spec = resolve("openai", "gpt-6-sol", environ=environ)
    assert spec.base_url == "https://proxy.example/v1" and spec.headers == {"OpenAI-Organization": "org-1"}
    assert spec.key == Secret(KEY) and KEY not in repr(spec)
    assert spec.capabilities["temperature"] == "effort none" and spec.capabilities["schema"] is True
    assert "temperature" not in resolve("openai", "gpt-4.1", environ=environ).capabilities
    asked = resolve("openai", base_url="http://127.0.0.1:9/x", api_key="mine", environ=environ)
    assert (asked.base_url, asked.key) == ("http://127.0.0.1:9/x", Secret("mine"))
    gemini = resolve("gemini", environ=environ)
    assert (gemini.key, gemini.api_version) == (Secret("first"), "v1beta")
    assert resolve("local", environ={}).base_url == ""


def test_keys_that_are_none():
    with pytest.raises(AuthError, match="openai: no key. Try: set OPENAI_API_KEY") as caught:
        resolve("openai", environ={})
    assert caught.value.status is None
    for bad in ("sk-pl anted", "sk-plänted", "sk-pl\nanted"):
        with pytest.raises(AuthError) as caught:
            resolve("openai", environ={"OPENAI_API_KEY": bad})
        assert "OPENAI_API_KEY" in str(caught.value) and bad not in str(caught.value)


@pytest.mark.parametrize(
    "bad",
    ["", "ftp://h", "https://", "https://me:hunter2@h/v1", "https://h/v1?key=hunter2", "http://h:99999", "http://h:x",
     "https://h/\nX: y", "api.openai.com/v1", "http://[::1", "https://h\u00e4.example"],
)  # fmt: skip
def test_addresses_that_are_none(bad):
    with pytest.raises(ConfigError) as caught:
        address_of(bad)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [(":56789", "http://127.0.0.1:56789"), ("1.2.3.4", "http://1.2.3.4:11434"), ("example.com/path/", "http://example.com:11434/path"),
     ("https://example.com", "https://example.com"), ("[::1]:80", "http://[::1]:80"), ("http://h", "http://h")],
)  # fmt: skip
def test_hosts_of_ollama(text, address):
    assert address_of(text, 11434) == address


def test_a_planted_key_appears_in_no_report():
    environ = {name: KEY for row in providers() for name in row.env_key}
    environ |= {
        "OPENAI_BASE_URL": f"https://me:{KEY}@h/v1",
        "OLLAMA_HOST": "http://far.example:1",
        "MISTRAL_API_KEY": KEY + " x",
    }
    rows = report(environ)
    assert KEY not in repr(rows)
    by_name = {row["name"]: row for row in rows}
    assert by_name["anthropic"]["chosen"] and not by_name["openai"]["ready"] and not by_name["mistral"]["ready"]
    assert "clear text" in by_name["ollama"]["problem"] and by_name["groq"]["key"] == "GROQ_API_KEY"
    wrong = report({"TINYLLM_PROVIDER": "opnai"})
    assert all(not row["chosen"] for row in wrong) and "opnai" in wrong[-1]["problem"]

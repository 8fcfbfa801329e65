"""Retry-After in all its forms, rate limits as values, and texts without keys."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client.limits import LONGEST, RateLimit, rate_limits, retry_after, seconds_of
from tinyllm.client.scrub import scrub
from tinyllm.client.types import Secret

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"
NOW = 1795341600.0  # the same moment


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"RETRY-AFTER": " 1.5 "}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT"}, 31.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT", "date": "Sun, 22 Nov 2026 10:00:20 GMT"}, 11.0),
        ({"retry-after": "4233600"}, 4233600.0),
        ({"retry-after": "9" * 400}, LONGEST),
        *[({"retry-after": text}, None) for text in ("0", "-3", "", "soon", "nan", "inf", "1e3", DATE,
          "Sun, 99 Nov 2026 10:00:30 GMT", "Sun, 22 Nov 1999 10:00:30 GMT")],
        ({}, None),
    ],
)  # fmt: skip
def test_forms_of_retry_after(headers, seconds):
    assert retry_after(headers, NOW) == seconds


def test_a_date_without_any_clock_means_nothing():
    assert retry_after({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT"}) is None


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_any_header_is_seconds_or_nothing(one, two, three):
    found = retry_after({"retry-after": one, "retry-after-ms": two, "date": three}, NOW)
    assert found is None or 0 < found <= LONGEST + 1
    rate_limits({"x-ratelimit-reset-tokens": one, "anthropic-ratelimit-tokens-reset": two, "date": three}, NOW)


def test_durations_of_go():
    assert [seconds_of(text) for text in ("12ms", "6m0s", "1h2m3.5s", "17us", "5", "1d", "", "m", "1s 2s")] == [
        0.012, 360.0, 3723.5, 17e-6, 5.0, None, None, None, None,
    ]  # fmt: skip


def test_rate_limits_of_both_kinds():
    openai = {"X-RateLimit-Limit-Requests": "60", "x-ratelimit-remaining-requests": "59",
              "x-ratelimit-reset-requests": "1s", "x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": "6m0s"}  # fmt: skip
    assert rate_limits(openai) == (RateLimit("requests", 60, 59, 1.0), RateLimit("tokens", None, 149984, 360.0))
    anthropic = {"anthropic-ratelimit-input-tokens-limit": "1000", "anthropic-ratelimit-input-tokens-remaining": "0",
                 "anthropic-ratelimit-input-tokens-reset": "2026-11-22T10:00:05Z", "x-ratelimit-limit-": "1", "other": "2"}  # fmt: skip
    assert rate_limits(anthropic, NOW) == (RateLimit("input-tokens", 1000, 0, 5.0),)
    assert rate_limits(anthropic) == (RateLimit("input-tokens", 1000, 0, None),)
    assert rate_limits({"x-ratelimit-limit-tokens": "many", "x-ratelimit-remaining-tokens": "-1"}) == (
        RateLimit("tokens"),
    )


def test_texts_without_keys():
    key = 'odd"key/1+'
    for text in (key, 'odd\\"key/1+', "odd%22key%2F1%2B"):
        assert scrub(f"a {text} b", [Secret(key), None]) == "a *** b"
    assert scrub("https://me:pw@host/v1?key=abcdefgh12&x=1") == "https://***@host/v1?key=***&x=1"
    assert scrub("authorization: Bearer abc.def, x-api-key: 12345678") == "authorization: Bearer ***, x-api-key: ***"
    assert scrub("Incorrect API key provided: sk-proj*****************wxyz.") == "Incorrect API key provided: sk-***"
    harmless = "unknown key: temperature; max_tokens=16384000; a token: overlapping; task-oriented"
    assert scrub(harmless, [Secret("a")]) == harmless

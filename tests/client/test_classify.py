"""Every row of the fault matrix that has a status is exactly one typed error; keys and pages of HTML stay out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client import errors as e
from tinyllm.client.classify import classify, classify_delta, read_body
from tinyllm.client.types import ErrorDelta, Secret, Spec

KEY = "planted-key/0123456789+="
WIRES = ("openai_chat", "openai_responses", "anthropic", "gemini", "ollama")
PLAIN = {
    "openai_chat": {"error": {"message": "m", "type": "t", "param": None, "code": None}},
    "openai_responses": {"error": {"message": "m", "type": "t", "param": None, "code": None}},
    "anthropic": {"type": "error", "error": {"type": "t", "message": "m"}, "request_id": "req_1"},
    "gemini": {"error": {"code": 0, "message": "m", "status": "T", "details": []}},
    "ollama": {"error": "m"},
}
STATUSES = {
    400: (e.BadRequestError, False),
    401: (e.AuthError, False),
    402: (e.QuotaExhaustedError, False),
    403: (e.PermissionRefusedError, False),
    404: (e.NotFoundError, False),
    405: (e.BadRequestError, False),
    408: (e.ServerError, True),
    409: (e.BadRequestError, False),
    413: (e.BadRequestError, False),
    422: (e.BadRequestError, False),
    425: (e.OverloadedError, True),
    429: (e.RateLimitedError, True),
    500: (e.ServerError, True),
    501: (e.ServerError, False),
    502: (e.ServerError, True),
    503: (e.OverloadedError, True),
    504: (e.ServerError, True),
    529: (e.OverloadedError, True),
}


def spec(wire: str = "openai_chat") -> Spec:
    return Spec("who", wire, key=Secret(KEY))


def of(status: int | None, body: object, wire: str = "openai_chat", **headers: str) -> e.ProviderError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify(status, {k.replace("_", "-"): v for k, v in headers.items()}, data, spec(wire), model="m")


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("status", STATUSES)
def test_every_status_of_the_matrix(wire, status):
    kind, retryable = STATUSES[status]
    for body in (
        PLAIN[wire],
        b"",
        b"not json",
        b"\xff\xfe{",
        b"<html><title>Bad gateway</title>",
        b"[]",
        b'"m"',
        b"[[[[",
    ):
        found = of(status, body, wire, request_id="req_1")
        assert type(found) is kind and found.retryable is retryable
        assert (found.provider, found.status, found.request_id) == ("who", status, "req_1")
        assert f"who (m) answered {status}" in str(found)


@pytest.mark.parametrize("status", STATUSES)
def test_x_should_retry(status):
    assert of(status, {}, x_should_retry="false").retryable is False
    assert of(status, {}, x_should_retry="true").retryable is (STATUSES[status][1] or status == 409)


SPENT = [
    ("openai_chat", {"error": {"type": "insufficient_quota", "code": "credit_balance_exhausted", "message": "m"}}),
    ("openai_chat", {"error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "m"}}),
    ("openai_responses", {"error": {"type": "x", "code": "project_spend_limit_exceeded", "message": "m"}}),
    (
        "anthropic",
        {
            "type": "error",
            "error": {
                "type": "rate_limit_error",
                "message": "m",
                "details": {"error_code": "enforced_spend_limit_reached"},
            },
        },
    ),
    (
        "gemini",
        {
            "error": {
                "code": 429,
                "status": "RESOURCE_EXHAUSTED",
                "message": "m",
                "details": [
                    {
                        "@type": "x/QuotaFailure",
                        "violations": [{"quotaId": "PerMinute"}, {"quotaId": "GenerateRequestsPerDayPerProject"}],
                    },
                    {"@type": "x/RetryInfo", "retryDelay": "7200s"},
                ],
            }
        },
    ),
    (
        "gemini",
        {
            "error": {
                "code": 429,
                "status": "RESOURCE_EXHAUSTED",
                "message": "m",
                "details": [{"violations": [{"quotaId": "GenerateRequestsPerMinute", "quotaValue": "0"}]}],
            }
        },
    ),
]


@pytest.mark.parametrize(("wire", "body"), SPENT)
def test_two_kinds_of_429_that_no_wait_mends(wire, body):
    found = of(429, body, wire, retry_after="1")
    assert type(found) is e.QuotaExhaustedError and found.retryable is False


def test_the_third_kind_of_429_is_not_decided_by_words():
    for words in ("You exceeded your current quota, check your billing", "daily limit, spend limit", "tokens per day"):
        found = of(429, {"error": {"message": words, "type": "tokens", "code": "rate_limit_exceeded"}}, retry_after="7")
        assert type(found) is e.RateLimitedError and found.retryable and found.retry_after == 7
    minute = {
        "error": {
            "code": 429,
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProject", "quotaValue": "10"}]},
                {"retryDelay": "45.5s"},
            ],
        }
    }
    found = of(429, minute, "gemini")
    assert type(found) is e.RateLimitedError and found.retry_after == 45.5


WINDOW = "This model's maximum context length is {} tokens. "
TOO_LARGE = "Prompt contains 40000 tokens, too large for model with 32768 maximum context length"
TOO_LONG = "prompt is too long: 208310 tokens > 200000 maximum"
LONG = [
    ("openai_chat", 400, {"error": {"message": "long", "code": "context_length_exceeded"}}, ""),
    ("openai_responses", 400, {"error": {"message": "long", "code": "context_length_exceeded"}}, ""),
    (
        "openai_chat",
        400,
        {
            "error": {
                "code": "context_length_exceeded",
                "message": WINDOW.format("8192") + "However, your messages resulted in 8,977 tokens.",
            }
        },
        "785",
    ),
    (
        "openai_chat",
        400,
        {
            "object": "error",
            "type": "BadRequestError",
            "code": 400,
            "message": WINDOW.format("16384") + "However, you requested 122946 tokens (112946 in",
        },
        "106,562",
    ),
    (
        "openai_chat",
        500,
        {
            "error": {
                "code": 500,
                "message": "m",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 1407,
                "n_ctx": 256,
            }
        },
        "1,151",
    ),
    (
        "openai_chat",
        400,
        {"message": TOO_LARGE},
        "7,232",
    ),
    (
        "anthropic",
        400,
        {"error": {"type": "invalid_request_error", "message": TOO_LONG}},
        "8,310",
    ),
    (
        "anthropic",
        400,
        {
            "error": {
                "type": "invalid_request_error",
                "message": "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease",
            }
        },
        "42,959",
    ),
    (
        "gemini",
        400,
        {
            "error": {
                "code": 400,
                "status": "INVALID_ARGUMENT",
                "message": "The input token count (317740) exceeds the maximum number of tokens allowed (131072).",
            }
        },
        "186,668",
    ),
    ("ollama", 400, {"error": "the input length exceeds the context length"}, ""),
]


@pytest.mark.parametrize(("wire", "status", "body", "over"), LONG)
def test_too_long_says_by_how_much(wire, status, body, over):
    found = of(status, body, wire)
    assert type(found) is e.ContextLengthError and found.retryable is False
    assert f"({over} tokens too many" in str(found) if over else "too many" not in str(found)
    assert not over or f"{found.needed - found.allowed:,}" == over


def test_words_of_another_wire_do_not_count():
    body = {"error": {"type": "x", "message": "prompt is too long: 9 tokens > 8 maximum"}}
    assert type(of(400, body, "openai_chat")) is e.BadRequestError
    assert type(of(429, body, "anthropic")) is e.RateLimitedError


def test_codes_that_mean_more_than_their_status():
    wrong = {
        "error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "m", "details": [{"reason": "API_KEY_INVALID"}]}
    }
    assert type(of(400, wrong, "gemini")) is e.AuthError
    body = {"error": {"code": "unsupported_parameter", "param": "temperature", "message": "m", "type": "x"}}
    assert type(of(400, body)) is e.UnsupportedParamError and "leave temperature out" in str(of(400, body))
    assert type(of(400, {"error": {"code": "content_filter", "message": "m"}})) is e.ContentFilteredError
    assert type(of(422, {"detail": [{"loc": ["body"], "msg": "missing"}]})) is e.BadRequestError


def test_errors_under_http_200():
    cases = [
        ({"error": {"code": 429, "message": "m"}}, e.RateLimitedError, 429),
        ({"error": {"code": "502", "message": "m"}}, e.ServerError, 502),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, e.OverloadedError, 529),
        ({"error": {"code": "invalid_api_key", "message": "m"}}, e.AuthError, 401),
        (
            {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "m"}}},
            e.ServerError,
            500,
        ),
        ({"error": "model crashed"}, e.ServerError, None),
    ]
    for body, kind, status in cases:
        found = of(200, body)
        assert type(found) is kind and found.status == status and found.retryable is (status in (429, 502, 529, 500))
    found = of(200, b"<!doctype html><title>Sign in</title>")
    assert type(found) is e.ProtocolError and "HTML instead of JSON: Sign in" in str(found)


def test_html_under_502_is_named_and_not_shown_whole():
    found = of(502, b"<html><head><title>502 Bad\n Gateway</title></head>" + b"<p>x</p>" * 9999)
    assert "a page of HTML instead of JSON: 502 Bad Gateway" in str(found) and "<p>" not in str(found)
    assert len(found.body) == e.LONGEST_BODY


def test_a_redirect_names_its_target_and_no_more():
    for place in (
        f"https://elsewhere.example:8/v1?key={KEY}",
        f"https://me:{KEY}@elsewhere.example:8/v1",
        "http://[::1",
    ):
        found = of(307, b"", location=place)
        assert type(found) is e.ProtocolError and "planted" not in str(found) and "key=" not in str(found)
    assert "to elsewhere.example:8," in str(of(307, b"", location="https://elsewhere.example:8/v1?key=0"))


def test_deltas():
    def delta(**facts) -> e.ProviderError:
        return classify_delta(ErrorDelta("m", **facts), spec("anthropic"), model="m")

    assert type(delta(type="overloaded_error")) is e.OverloadedError and delta(type="overloaded_error").retryable
    assert type(delta(code="context_length_exceeded")) is e.ServerError  # not a word of this wire
    assert type(delta(status=429)) is e.RateLimitedError
    assert type(delta(body={"type": "error", "error": {"type": "authentication_error", "message": "m"}})) is e.AuthError
    assert type(delta(type="api_error", body={"message": "m"})) is e.ServerError
    assert type(delta()) is e.ServerError and not delta().retryable


def test_a_planted_key_appears_nowhere():
    escaped = json.dumps(KEY)[1:-1].replace("/", "\\/")
    texts = [
        KEY,
        f"Incorrect API key: {KEY}",
        f"sk-{'a' * 40}",
        f"?key={KEY}",
        f"Bearer {KEY}",
        "AIza" + "b" * 35,
        escaped,
    ]
    for text in texts:
        body = {"error": {"message": text, "type": text, "code": text, "param": text}, "request_id": text}
        for status in (200, 400, 401, 429, 500):
            found = of(status, body)
            shown = f"{found}{found!r}{found.args}{vars(found)}"
            assert KEY not in shown and "a" * 30 not in shown and "b" * 30 not in shown
    long = ("x" * (e.LONGEST_BODY - 5) + KEY).encode()  # at the border it would be cut in two, and half of it stay
    assert KEY[:5] not in of(400, long).body


def test_nothing_that_drives_a_terminal():
    found = of(400, b'{"error": {"message": "a\\u001b[31mred\\u0007 \\ud800 b", "code": "\\u001b]0;x"}}')
    assert "\x1b" not in f"{found}{found.body}{found.reason}"
    str(found).encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "status", "details", "response", "violations"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(json_values, st.sampled_from([None, 200, *STATUSES]), st.sampled_from(WIRES))
def test_any_body_is_one_error_of_ours(value, status, wire):
    found = of(status, value, wire)
    assert isinstance(found, e.ProviderError) and str(found).count("\n") == 0
    assert isinstance(read_body(json.dumps(value).encode()).message, str)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(st.binary(max_size=200))
def test_any_bytes_are_one_error_of_ours(body):
    assert isinstance(of(500, body), e.ServerError)
    assert isinstance(of(500, b"[" * 30_000 + body), e.ServerError)


def test_errors_have_room_for_what_a_reply_says():
    plain = e.ServerError("m")
    assert plain.retryable is True and plain.retry_after is None and plain.partial is None
    assert e.ServerError("m", retryable=False, retry_after=3.0).retry_after == 3.0
    assert e.ServerError.retryable is True

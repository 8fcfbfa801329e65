"""The line: every fault ends in its typed error, after the bytes that came; a whole answer is its bytes."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client import dial as lines
from tinyllm.client import errors
from tinyllm.client.deadline import Deadline, Timeout
from tinyllm.client.transport import HttpTransport, Response, head_of
from tinyllm.client.types import HttpRequest

from . import faultserver as fs

KEY = "sk-planted"
MINUTE = Timeout(60, 60, 60, 60)


def ask(url, deadline=None, *, body=b'{"a":1}', method="POST", headers=None, **settings):
    request = HttpRequest(method, url, {"Authorization": f"Bearer {KEY}", **(headers or {})}, body)
    return HttpTransport(**{"proxies": {}, **settings}).send(request, deadline or Deadline(MINUTE))


def outcome(*steps, url="{url}/v1/chat", deadline=None, **given):
    """Return the bytes that came, and the error behind them or None; there may be no other error than ours."""
    got = []
    with fs.FaultServer(steps) as server:
        try:
            for chunk in ask(url.format(url=server.url, port=server.port), deadline, **given).chunks:
                got.append(chunk)
        except errors.ProviderError as error:
            assert KEY not in f"{error!r}{error}{error.body}{error.__cause__!r}"
            return b"".join(got), error
    return b"".join(got), None


def failure(*steps, **given):
    return outcome(*steps, **given)[1]


# whole answers

WHOLE = {
    "length": fs.answer(b"hello"),
    "chunked": fs.chunked(b"he", b"llo"),
    "chunked, with extensions and trailers": fs.head(Transfer_Encoding="Chunked")
    + b"2;a=b\r\nhe\r\n03 \r\nllo\r\n0\r\nX: y\r\nZ: 1\r\n\r\n",
    "until it closes": fs.head() + b"hello",
    "the same length twice": fs.head(Content_Length="5, 5") + b"hello",
    "behind interim answers": fs.head(100) + fs.head(103, "Early Hints", Link="</a>") + fs.answer(b"hello"),
    "bare line feeds": fs.answer(b"").replace(b"\r\n", b"\n").replace(b": 0", b": 5") + b"hello",
}


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_whole_answers(data):
    assert outcome(fs.read, fs.send(data), fs.finish) == (b"hello", None)
    assert outcome(fs.read, fs.drip(data, fs.HandClock(), 0.0), fs.finish) == (b"hello", None)


def test_an_answer_without_a_body():
    for data, method in ((fs.head(204), "POST"), (fs.head(Content_Length=5), "HEAD"), (fs.answer(b""), "GET")):
        assert outcome(fs.read, fs.send(data), fs.until_closed, method=method, body=b"") == (b"", None)


def test_what_is_sent_and_what_an_answer_says():
    with fs.FaultServer([fs.read, fs.send(fs.answer(b"no", 400, X_A=1, x_a=2)), fs.until_closed]) as server:
        given = {"Host": "elsewhere", "Content-Length": "9", "Connection": "keep-alive", "X-Own": " a b"}
        deadline = Deadline(MINUTE)
        with ask(f"{server.url}/v1/a b?q=1&k=\u00e9#part", deadline, headers=given) as response:
            assert response.status == 400 and response.headers["x-a"] == "1, 2" and response.read() == b"no"
        (seen,) = server.requests
    assert seen.line == "POST /v1/a%20b?q=1&k=%C3%A9 HTTP/1.1" and seen.body == b'{"a":1}'
    assert seen.headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept-encoding": "identity",
        "user-agent": "tinyllm",
        "authorization": f"Bearer {KEY}",
        "x-own": "a b",
        "content-length": "7",
        "connection": "close",
    }
    assert list(deadline.marks) == ["dns", "connect", "sent", "headers", "first_byte"]


def test_a_header_of_the_users_takes_the_place_of_ours():
    request = HttpRequest("GET", "http://a/", {"user-agent": "mine", "ACCEPT-ENCODING": "gzip"})
    head = head_of(request, lines.Target("http", "a", 80), "/")
    assert (
        head == b"GET / HTTP/1.1\r\nHost: a\r\nuser-agent: mine\r\nACCEPT-ENCODING: gzip\r\nConnection: close\r\n\r\n"
    )


def test_a_body_of_some_size_arrives_whole():
    body = bytes(range(256)) * 4000
    with fs.FaultServer([fs.read, fs.send(fs.answer(b"ok"))]) as server:
        assert ask(server.url, body=body).read() == b"ok"
    assert server.requests[0].body == body


def test_reading_no_more_than_wanted():
    with fs.FaultServer([fs.read, fs.send(fs.head() + b"x" * 5000), fs.until_closed]) as server:
        assert ask(server.url).read(at_most=4096) == b"x" * 4096
        assert server.closed.wait(fs.PATIENCE)


# ends that come too early


@pytest.mark.parametrize("name", ["length", "chunked", "chunked, with extensions and trailers"])
def test_every_cut_of_an_answer_is_an_error_after_the_bytes_that_came(name):
    data = WHOLE[name]
    for cut in range(len(data)):
        got, error = outcome(fs.read, fs.send(data[:cut]), fs.finish)
        assert b"hello".startswith(got)
        assert type(error) is (errors.TruncatedError if got else errors.ConnectionFailedError), cut
        assert error.retryable == (not got)


def test_cut_in_the_head_of_an_answer_that_lasts_until_it_closes():
    data = fs.head(Server="x")
    for cut in range(len(data)):
        assert type(failure(fs.read, fs.send(data[:cut]), fs.finish)) is errors.ConnectionFailedError
    assert outcome(fs.read, fs.send(data), fs.finish) == (b"", None)


@pytest.mark.parametrize(
    "data", [fs.head(), fs.head(Content_Length=99), fs.head(Transfer_Encoding="chunked") + b"99\r\n"]
)
def test_a_reset_is_an_error_after_the_bytes_that_came(data):
    got_it = threading.Event()
    with fs.FaultServer([fs.read, fs.send(data + b"data: {"), fs.wait(got_it), fs.reset]) as server:
        chunks = ask(server.url).chunks
        assert next(chunks) == b"data: {"
        got_it.set()
        with pytest.raises(errors.StreamInterruptedError) as caught:
            next(chunks)
    assert type(caught.value) is errors.StreamInterruptedError


def test_a_reset_before_anything():
    error = failure(fs.read, fs.reset)
    assert type(error) is errors.ConnectionFailedError and error.retryable
    error = failure(fs.read, fs.send(fs.head()[:9]), fs.reset)
    assert type(error) is errors.ConnectionFailedError and error.retryable


def test_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(errors.ConnectionFailedError, match="refused") as caught:
            ask(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert caught.value.retryable and isinstance(caught.value, ConnectionError)


# what is no answer

NO_ANSWER = {
    "no HTTP": b"SSH-2.0-server\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\n",
    "a status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "a line without a colon": b"HTTP/1.1 200 OK\r\nwhat is this\r\nContent-Length: 0\r\n\r\n",
    "an endless header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70000,
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n",
    "headers of more than a MiB": b"HTTP/1.1 200 OK\r\n" + (b"X: " + b"a" * 60000 + b"\r\n") * 20,
    "interim answers for ever": fs.head(103) * 200,
    "continue for ever": fs.head(100) * 60000,
    "a length that is none": fs.head(Content_Length="-5") + b"hello",
    "two lengths": fs.head(Content_Length="5, 6") + b"hello",
    "an unknown framing": fs.head(Transfer_Encoding="gzip, chunked") + b"5\r\nhello\r\n0\r\n\r\n",
    "an unknown packing": fs.answer(b"hello", Content_Encoding="br"),
    "a size that is no number": fs.head(Transfer_Encoding="chunked") + b"xyz\r\n",
    "a size below zero": fs.head(Transfer_Encoding="chunked") + b"-5\r\nhello\r\n",
    "a chunk that is too long": fs.head(Transfer_Encoding="chunked") + b"3\r\nhello\r\n0\r\n\r\n",
    "an endless size": fs.head(Transfer_Encoding="chunked") + b"0" * 70000,
    "trailers for ever": fs.head(Transfer_Encoding="chunked") + b"0\r\n" + b"X: y\r\n" * 200,
}


@pytest.mark.parametrize("data", NO_ANSWER.values(), ids=NO_ANSWER)
def test_what_is_no_answer(data):
    error = failure(fs.read, fs.send(data), fs.until_closed)
    assert type(error) is errors.ProtocolError and not error.retryable


def test_an_answer_may_not_be_larger_than_allowed():
    got, error = outcome(fs.read, fs.send(fs.head() + b"x" * 3000), fs.until_closed, largest=2000)
    assert type(error) is errors.ProtocolError and len(got) <= 2000


@settings(max_examples=60, derandomize=True)
@given(st.sampled_from(sorted(WHOLE)), st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=4)), max_size=3))
def test_whatever_comes_ends_in_bytes_or_an_error_of_ours(name, changes):
    data = WHOLE[name]
    for place, new in changes:
        place %= len(data)
        data = data[:place] + new + data[place + 1 :]
    outcome(fs.read, fs.send(data), fs.finish)


@settings(max_examples=30, derandomize=True)
@given(st.binary(max_size=300))
def test_noise_ends_in_bytes_or_an_error_of_ours(data):
    assert failure(fs.read, fs.send(data), fs.finish) is not None
    outcome(fs.read, fs.send(fs.head(Transfer_Encoding="chunked") + data), fs.finish)
    outcome(fs.read, fs.send(fs.head(Content_Encoding="gzip") + data), fs.finish)


# redirects and proxies


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_not_followed_and_no_key_leaves(status):
    with fs.FaultServer([fs.read]) as other:
        place = f"http://user:secret@127.0.0.1:{other.port}/take?token=secret"
        error = failure(fs.read, fs.send(fs.answer(b"", status, Location=place)), fs.until_closed)
        assert other.opened == 0
    assert type(error) is errors.ProtocolError and error.status == status
    assert f"http://127.0.0.1:{other.port}/take" in str(error) and "secret" not in str(error)


def test_a_redirect_to_nowhere():
    for place in ({}, {"Location": "http://[broken"}):
        error = failure(fs.read, fs.send(fs.answer(b"", 302, **place)), fs.until_closed)
        assert type(error) is errors.ProtocolError and "an unknown place" in str(error)


CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def through(server, url="https://api.example/v1", user="", **more):
    proxy = f"http://{user}127.0.0.1:{server.port}"
    return ask(url, proxies={"https": proxy, "http": proxy}, ca_file=str(fs.CERT), **more)


def test_a_tunnel_shows_the_proxy_no_key():
    script = [fs.read, fs.send(CONNECTED), fs.tls, fs.read, fs.send(fs.answer(b"hello")), fs.until_closed]
    with fs.FaultServer(script) as server:
        deadline = Deadline(MINUTE)
        assert through(server, user="me:p%40ss@", deadline=deadline).read() == b"hello"
        asked, told = server.requests
    assert asked.line == "CONNECT api.example:443 HTTP/1.1"
    assert asked.headers == {"host": "api.example:443", "proxy-authorization": "Basic bWU6cEBzcw=="}
    assert told.line == "POST /v1 HTTP/1.1" and told.headers["host"] == "api.example"
    assert told.headers["authorization"] == f"Bearer {KEY}" and "proxy-authorization" not in told.headers
    assert list(deadline.marks)[:4] == ["dns", "connect", "proxy", "tls"]


def test_a_plain_request_goes_to_the_proxy_whole():
    with fs.FaultServer([fs.read, fs.send(fs.answer(b"hello")), fs.until_closed]) as server:
        assert through(server, "http://api.example:8000/v1?a=b", user="me:pw@").read() == b"hello"
    assert server.requests[0].line == "POST http://api.example:8000/v1?a=b HTTP/1.1"
    assert server.requests[0].headers["host"] == "api.example:8000"
    assert server.requests[0].headers["proxy-authorization"] == "Basic bWU6cHc="


@pytest.mark.parametrize(
    ("steps", "kind", "says"),
    [
        ([fs.send(b"HTTP/1.1 407 Who?\r\n\r\n"), fs.until_closed], errors.ConnectionFailedError, "407 Who?"),
        ([fs.send(b"HTTP/1.1 502 Bad\r\n\r\n"), fs.until_closed], errors.ConnectionFailedError, "502"),
        ([fs.send(b"what?\r\n\r\n"), fs.until_closed], errors.ProtocolError, "no answer in HTTP"),
        ([fs.send(b"HTTP/1.1 2"), fs.finish], errors.ConnectionFailedError, "in the middle"),
        ([fs.send(CONNECTED[:-2]), fs.finish], errors.ConnectionFailedError, "in the middle"),
        ([fs.finish], errors.ConnectionFailedError, "without an answer"),
        ([fs.reset], errors.ConnectionFailedError, "broken off"),
        ([fs.send(CONNECTED), fs.finish], errors.ConnectionFailedError, "no TLS"),
        ([fs.send(CONNECTED), fs.some, fs.reset], errors.ConnectionFailedError, "no TLS"),
    ],
)
def test_what_a_proxy_can_do_wrong(steps, kind, says):
    with fs.FaultServer([fs.read, *steps]) as server, pytest.raises(kind, match=says) as caught:
        through(server)
    assert type(caught.value) is kind and KEY not in str(caught.value)


def test_proxies_of_the_environment(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert lines.proxy_for("https", "api.example", None) is None
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inner.example")
    found = lines.proxy_for("https", "api.example", None)
    assert (found.hostname, found.port) == ("proxy.example", 3128)
    assert lines.proxy_for("http", "api.example", None) is None
    for host in ("inner.example", "a.inner.example", "localhost", "127.0.0.1", "::1"):
        assert lines.proxy_for("https", host, None) is None
    for wrong in ("socks5://proxy:1", "http://", "http://a:99999", "http://[a"):
        with pytest.raises(errors.ConnectionFailedError, match="proxy for https") as caught:
            lines.proxy_for("https", "api.example", {"https": wrong})
        assert not caught.value.retryable


# TLS


def secure(server, host="api.example", **more):
    settings = {"resolver": server.resolver, "ca_file": str(fs.CERT), **more}
    return ask(f"https://{host}:{server.port}", **settings)


def test_a_certificate_that_fits():
    for data in (fs.answer(b"hello"), fs.chunked(b"hello")):
        with fs.FaultServer([fs.tls, fs.read, fs.send(data), fs.until_closed]) as server:
            assert secure(server).read() == b"hello"
    with fs.FaultServer([fs.tls, fs.read, fs.send(fs.head() + b"hello"), fs.farewell]) as server:
        assert secure(server).read() == b"hello"


@pytest.mark.parametrize(("host", "ca_file"), [("api.example", None), ("other.example", str(fs.CERT))])
def test_a_certificate_that_does_not_fit(host, ca_file):
    with (
        fs.FaultServer([fs.tls, fs.read]) as server,
        pytest.raises(errors.ConnectionFailedError, match="not trusted") as caught,
    ):
        secure(server, host, ca_file=ca_file)
    assert not server.requests and not caught.value.retryable


def test_tls_without_a_farewell_is_broken_off():
    with fs.FaultServer([fs.tls, fs.read, fs.send(fs.head() + b"hello"), fs.finish]) as server:
        chunks = secure(server).chunks
        assert next(chunks) == b"hello"
        with pytest.raises(errors.StreamInterruptedError):
            next(chunks)


def test_plain_http_behind_https():
    with (
        fs.FaultServer([fs.send(b"HTTP/1.1 400 Bad\r\n\r\n"), fs.until_closed]) as server,
        pytest.raises(errors.ConnectionFailedError, match="no TLS") as caught,
    ):
        secure(server)
    assert not caught.value.retryable


def test_certificates_that_are_none(tmp_path):
    (tmp_path / "none.pem").write_text("nothing")
    for name in ("none.pem", "missing.pem"):
        with pytest.raises(errors.ConnectionFailedError, match="no certificates"):
            lines.trust(str(tmp_path / name))


# names and addresses


@pytest.mark.parametrize(
    ("raised", "retryable"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), False),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), True),
        (UnicodeError("label too long"), False),
        (OSError("whatever"), False),
        (None, False),
    ],
)
def test_no_such_host(raised, retryable):
    def resolver(host, port):
        if raised:
            raise raised
        return []

    with pytest.raises(errors.ConnectionFailedError, match=r"nowhere\.example: no such host") as caught:
        ask("http://nowhere.example", resolver=resolver)
    assert caught.value.retryable == retryable


def test_a_name_server_that_never_answers():
    over = threading.Event()
    with pytest.raises(errors.ConnectTimeout, match=r"slow\.example"):
        ask("http://slow.example", Deadline(Timeout(connect=0.02)), resolver=lambda *_: over.wait(fs.PATIENCE) and [])
    over.set()


def test_the_next_address_is_tried():
    with socket.socket() as taken, fs.FaultServer([fs.read, fs.send(fs.answer(b"hello"))]) as server:
        taken.bind(("127.0.0.1", 0))
        found = [(socket.AF_INET, taken.getsockname()), *server.resolver("", 0)]
        assert ask("http://api.example", resolver=lambda *_: found).read() == b"hello"


def test_addresses_share_the_time_that_is_left(monkeypatch):
    clock, shares = fs.HandClock(), []

    class Silent(socket.socket):
        def settimeout(self, seconds):
            shares.append(seconds)

        def connect(self, address):
            clock.sleep(shares[-1])
            raise TimeoutError

    monkeypatch.setattr(lines.socket, "socket", Silent)
    deadline = Deadline(Timeout(connect=6), clock)
    with pytest.raises(errors.ConnectTimeout):
        ask("http://api.example", deadline, resolver=lambda *_: [(socket.AF_INET, ("192.0.2.1", 80))] * 3)
    assert shares == pytest.approx([2, 2, 2])


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "/v1", "http://", "http://a:99999/", "http://a..b/", "http://u:p@a/", "http://[a"]
)
def test_a_url_that_is_none(url):
    with pytest.raises(errors.BadRequestError):
        ask(url)


@pytest.mark.parametrize("headers", [{"X-Key": f"{KEY}\n"}, {"X-Key": f"{KEY}\u20ac"}, {"X: a": KEY}, {"": KEY}])
def test_a_header_that_http_does_not_carry(headers):
    with pytest.raises(errors.BadRequestError) as caught:
        ask("http://api.example", headers=headers, resolver=None)
    assert KEY not in str(caught.value)


def test_a_method_that_is_none():
    with pytest.raises(errors.BadRequestError, match="method"):
        ask("http://api.example", method="GET / HTTP/1.1\r\nX:", resolver=None)


# waits

SOON = 0.02


@pytest.mark.parametrize(
    ("before", "limits", "kind"),
    [
        ([fs.read], {"first_token": SOON}, errors.FirstTokenTimeout),
        ([fs.read, fs.send(fs.head()[:20])], {"first_token": SOON}, errors.FirstTokenTimeout),
        ([fs.read, fs.send(fs.head())], {"first_token": SOON}, errors.FirstTokenTimeout),
        ([fs.read, fs.send(fs.head() + b"data")], {"idle": SOON}, errors.IdleTimeout),
        (
            [fs.read, fs.send(fs.head(Transfer_Encoding="chunked") + b"4\r\ndata\r\n")],
            {"idle": SOON},
            errors.IdleTimeout,
        ),
        ([fs.read, fs.send(fs.head() + b"data")], {"total": SOON}, errors.TotalTimeout),
        ([fs.read], {"total": SOON}, errors.TotalTimeout),
    ],
)
def test_silence(before, limits, kind):
    deadline = Deadline(Timeout(**limits))
    error = failure(*before, fs.until_closed, deadline=deadline)
    assert type(error) is kind and deadline.granted_until <= deadline.end


def test_silence_of_a_server_that_does_not_read():
    error = failure(
        lambda c: c.server.stopped.wait(fs.PATIENCE), body=bytes(16 << 20), deadline=Deadline(Timeout(idle=SOON))
    )
    assert type(error) is errors.IdleTimeout


def test_silence_in_the_handshake_and_of_a_proxy():
    with fs.FaultServer([fs.until_closed]) as server, pytest.raises(errors.ConnectTimeout):
        secure(server, deadline=Deadline(Timeout(connect=SOON)))
    with fs.FaultServer([fs.read, fs.until_closed]) as server, pytest.raises(errors.ConnectTimeout):
        through(server, deadline=Deadline(Timeout(connect=SOON)))


def test_comments_do_not_end_the_wait_for_content():
    clock, began = fs.HandClock(), threading.Event()
    deadline = Deadline(Timeout(first_token=5, idle=3, total=None), clock, content=True)
    steps = [fs.read, fs.send(fs.head() + b":\n\n"), fs.wait(began), fs.drip(b": wait\n\n" * 3, clock, 1.0)]
    with fs.FaultServer([*steps, fs.until_closed]) as server:
        chunks = ask(server.url, deadline).chunks
        assert next(chunks) == b":\n\n"
        began.set()
        with pytest.raises(errors.FirstTokenTimeout):
            list(chunks)


TRICKLES = {
    "headers": (b"", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 90),
    "interim answers": (b"", fs.head(103) * 3),
    "bytes": (fs.head(), b"a" * 90),
    "chunks": (fs.head(Transfer_Encoding="chunked"), fs.chunk(b"a") * 20),
    "the size of a chunk": (fs.head(Transfer_Encoding="chunked"), b"0" * 90),
    "comments": (fs.head(), b":\n\n" * 30),
    "packed bytes": (fs.head(Content_Encoding="gzip"), b"\x1f\x8b\x08\x08" + b"a" * 90),
}


@pytest.mark.parametrize("name", TRICKLES)
def test_a_trickle_meets_the_total_deadline(name):
    """A byte each 0.1 s never meets a socket's timeout; the deadline of 1 s it does."""
    before, slowly = TRICKLES[name]
    clock = fs.HandClock()
    deadline = Deadline(Timeout(total=1), clock)
    error = failure(fs.read, fs.send(before), fs.drip(slowly, clock, 0.1), fs.until_closed, deadline=deadline)
    assert type(error) is errors.TotalTimeout and "within 1 s" in str(error)
    assert deadline.granted_until <= deadline.end


def test_a_trickle_on_a_real_clock():
    """No wait was granted beyond the end: that is the deadline's own account, whatever else the machine had to do."""
    deadline = Deadline(Timeout(total=0.15))
    error = failure(fs.read, fs.send(fs.head()), fs.trickle(b"a", 0.01), deadline=deadline)
    assert type(error) is errors.TotalTimeout
    assert deadline.began < deadline.granted_until <= deadline.end == deadline.began + 0.15


# who does not want to wait anymore


def test_a_consumer_that_closes_early_frees_the_socket():
    script = [fs.read, fs.send(fs.head() + b"hello"), fs.until_closed]
    with fs.FaultServer(script) as server:
        with ask(server.url) as response:
            assert next(response.chunks) == b"hello"
        assert server.closed.wait(fs.PATIENCE)
        response.close()
        with pytest.raises(errors.CanceledError):
            next(response.chunks)
    with fs.FaultServer(script) as server:
        for _ in ask(server.url).chunks:
            break  # and nobody holds it anymore
        assert server.closed.wait(fs.PATIENCE)
    with fs.FaultServer(script) as server:
        ask(server.url)
        assert server.closed.wait(fs.PATIENCE)


@pytest.mark.parametrize("how", ["response", "deadline"])
def test_closing_from_another_thread_wakes_the_reader(how):
    deadline = Deadline(MINUTE)
    with fs.FaultServer([fs.read, fs.send(fs.head() + b"hello"), fs.until_closed]) as server:
        response = ask(server.url, deadline)
        assert next(response.chunks) == b"hello"
        end = response.close if how == "response" else deadline.cancel
        other = threading.Timer(0.01, end)
        other.start()
        with pytest.raises(errors.CanceledError):
            next(response.chunks)
        other.join()
        assert server.closed.wait(fs.PATIENCE)


@pytest.mark.parametrize("steps", [[fs.read], [fs.read, fs.send(CONNECTED)]])
def test_canceled_while_the_line_is_made(steps):
    deadline, reached = Deadline(MINUTE), threading.Event()
    with fs.FaultServer([*steps, fs.tell(reached), fs.until_closed]) as server:
        other = threading.Thread(target=lambda: reached.wait(fs.PATIENCE) and deadline.cancel())
        other.start()
        with pytest.raises(errors.CanceledError):
            through(server, deadline=deadline)
        other.join()


def test_canceled_while_a_name_is_looked_up():
    deadline = Deadline(MINUTE)
    over = threading.Event()

    def resolver(host, port):
        deadline.cancel()
        over.wait(fs.PATIENCE)
        return []

    with pytest.raises(errors.CanceledError):
        ask("http://api.example", deadline, resolver=resolver)
    over.set()


# much


def test_a_large_answer_takes_no_memory():
    piece, count = b"x" * 65536, 800
    script = [fs.read, fs.send(fs.head(Content_Length=len(piece) * count)), *[fs.send(piece)] * count]
    with fs.FaultServer(script) as server:
        response = ask(server.url)
        tracemalloc.start()
        try:
            size = sum(len(chunk) for chunk in response.chunks)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert size == 50 << 20 and peak <= 2 << 20


def test_a_line_of_ten_megabytes_comes_whole():
    line = b"data: " + b"a" * 10_000_000 + b"\n"
    got, error = outcome(fs.read, fs.send(fs.answer(line)), fs.until_closed)
    assert error is None and got == line


# modules


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = """
import sys
import tinyllm.client
assert "socket" not in sys.modules
import tinyllm.client.transport
print(sorted({"http.client", "ssl", "urllib.request", "email", "numpy"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_response_of_ones_own():
    freed = []
    with Response(200, {"a": "b"}, [b"x", b"yz"], lambda: freed.append(1)) as response:
        assert response.read(at_most=2) == b"xy"
    assert freed == [1, 1]

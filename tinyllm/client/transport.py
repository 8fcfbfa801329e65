"""One HTTP request out, one answer in, as a stream of bytes; every way this can fail is an error of ``errors.py``.

It never follows a redirect, so a key goes nowhere but where it was sent. It never takes half an answer for a whole
one. It waits for nothing longer than the deadline allows. Certificates are always checked. ``http.client`` reads the
head of an answer; the lines beneath it and the body behind it are ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from .body import Body
from .deadline import Deadline
from .dial import (
    LONGEST_HEAD,
    Line,
    Resolver,
    Target,
    credentials,
    dial,
    in_our_words,
    port_of,
    proxy_for,
    read_head,
    system_resolver,
    trust,
)
from .errors import BadRequestError, ConnectionFailedError, ProtocolError
from .types import HttpRequest

LARGEST_BODY = 256 << 20  # bytes of an answer
INTERIM = 32  # answers of the kind 1xx before the answer
OURS = {"host", "connection", "content-length", "transfer-encoding", "proxy-authorization"}  # headers nobody else sets


class Response:
    """An answer: its status and headers are here, its body comes as it is read. Close it, or read it to its end.

    Args:
        status: of HTTP.
        headers: names in lower case; what came twice is joined by commas.
        chunks: of the body, each at most 64 KiB.
        free: gives back what it holds.

    Example:
        >>> with Response(200, {"content-type": "text/plain"}, [b"Hel", b"lo"]) as response:
        ...     response.read()
        b'Hello'
    """

    def __init__(
        self, status: int, headers: Mapping[str, str], chunks: Iterable[bytes], free: Callable[[], None] = lambda: None
    ) -> None:
        self.status, self.headers, self.chunks = status, dict(headers), iter(chunks)
        self._free = free

    def read(self, at_most: int | None = None) -> bytes:
        """Return the rest of the body; with ``at_most``, no more than so many bytes, and close it.

        Raises:
            ProviderError: as iterating over ``chunks`` does.
        """
        taken, size = [], 0
        for chunk in self.chunks:
            taken.append(chunk)
            size += len(chunk)
            if at_most is not None and size >= at_most:
                self.close()
                break
        return b"".join(taken)[:at_most]

    def close(self) -> None:
        """Give the connection back, from any thread; who is reading gets a ``CanceledError``. Twice is no error."""
        self._free()

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Transport(Protocol):
    """What carries requests: ``HttpTransport``, or whatever a test puts in its place."""

    def send(self, request: HttpRequest, deadline: Deadline) -> Response:
        """Return the answer as soon as its head is here, whatever its status says."""
        ...


class HttpTransport:
    """Requests over the network, each on a connection of its own.

    Args:
        proxies: URL by scheme; None takes those of the environment and the system, ``{}`` none.
        ca_file: certificate authorities to trust besides the system's. Checking cannot be switched off.
        resolver: looks names up.
        largest: bytes that an answer may have.
    """

    def __init__(
        self,
        *,
        proxies: Mapping[str, str] | None = None,
        ca_file: str | None = None,
        resolver: Resolver = system_resolver,
        largest: int = LARGEST_BODY,
    ) -> None:
        self.proxies, self.ca_file, self.resolver, self.largest = proxies, ca_file, resolver, largest

    def send(self, request: HttpRequest, deadline: Deadline) -> Response:
        """Return the answer as soon as its head is here.

        Args:
            request: what to send.
            deadline: that all waits ask; ``deadline.cancel()`` ends them.

        Raises:
            BadRequestError: a URL or a header that HTTP cannot carry.
            ConnectionFailedError: no line, or it broke before an answer.
            ProtocolError: an answer that is no HTTP, or a redirect: it is not followed.
            DeadlineError: not in time.
            CanceledError: nobody wants it anymore.
        """
        target, path = self._target(request.url)
        head = head_of(request, target, path)
        deadline.connecting(target.name)
        line = dial(target, deadline, self.resolver, lambda: trust(self.ca_file))
        try:
            with in_our_words(target.name, line):
                status, headers = exchange(line, request, head, target.name)
            deadline.mark("headers")
            if 300 <= status < 400:
                raise moved(target, request.url, status, headers.get("location", ""))
            empty = request.method == "HEAD" or status == 204
            body = Body(line, target.name, headers, empty=empty, largest=self.largest)
            return Response(status, headers, _Chunks(body, line), line.free)
        except BaseException:
            line.free()
            raise

    def _target(self, url: str) -> tuple[Target, str]:
        """Return where a URL leads, and what to ask for there."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").encode("idna").decode("ascii"), parts.port
        except ValueError:
            host = ""
        if not host or parts.scheme not in ("http", "https"):
            raise BadRequestError("the URL of the request is no http://host or https://host", "look at base_url")
        if parts.username is not None:
            raise BadRequestError("the URL of the request holds a user or a password", "pass a key as api_key")
        proxy = proxy_for(parts.scheme, host, self.proxies)
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~") + ("?" if parts.query else "")
        path += quote(parts.query, safe="/%:@!$&'()*+,;=~?")
        return Target(parts.scheme, host, port or port_of(parts.scheme), proxy), path


def head_of(request: HttpRequest, target: Target, path: str) -> bytes:
    """Return the request line and the headers.

    Raises:
        BadRequestError: a method or a header with characters that would end it early.
    """
    direct = target.proxy is None or target.tunneled
    headers = {"Host": target.name, "Accept-Encoding": "identity", "User-Agent": "tinyllm"}
    given = {name.lower() for name in request.headers}
    headers = {name: value for name, value in headers.items() if name == "Host" or name.lower() not in given}
    headers |= {name: value for name, value in request.headers.items() if name.lower() not in OURS}
    if request.body or request.method not in ("GET", "HEAD"):
        headers["Content-Length"] = str(len(request.body))
    headers["Connection"] = "close"
    if not direct and target.proxy:
        headers |= credentials(target.proxy)
    for name, value in headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise BadRequestError(f"{name[:40]!r} is no name of a header")
        if not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", value):
            said = f"the header {name} holds a line break or another character that HTTP does not carry"
            raise BadRequestError(said, "is there something behind the end of the key?")
    if not re.fullmatch("[A-Z]+", request.method):
        raise BadRequestError(f"{request.method[:40]!r} is no method of HTTP")
    first = f"{request.method} {path if direct else f'{target.scheme}://{target.name}{path}'} HTTP/1.1"
    lines = [first, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def exchange(line: Line, request: HttpRequest, head: bytes, host: str) -> tuple[int, dict[str, str]]:
    """Send a request and return the status and the headers of its answer; interim answers are skipped."""
    line.deadline.sending()
    try:
        line.send(head + request.body if len(request.body) < 1 << 16 else head)
        if len(request.body) >= 1 << 16:
            line.send(request.body)
    except ConnectionError as error:
        if isinstance(error, ConnectionFailedError):
            raise
        # a server may refuse a request before it has read all of it: then its answer says why
    line.deadline.waiting()
    line.allowance = LONGEST_HEAD
    for _ in range(INTERIM):
        answer = read_head(line, request.method, host)
        if answer.status >= 200:
            break
    else:
        raise ProtocolError(f"{host}: {INTERIM} interim answers and no answer")
    line.allowance = None
    headers: dict[str, str] = {}
    for name, value in answer.msg.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else str(value)
    return answer.status, headers


def moved(target: Target, url: str, status: int, location: str) -> ProtocolError:
    """Return the error for a redirect, which names where it leads to, without what may be secret in it."""
    try:
        parts = urlsplit(urljoin(url, location))
        place = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))[:200]
    except ValueError:
        location = ""
    said = f"{target.name} answers {status}: moved to {place if location else 'an unknown place'}"
    hint = "redirects are not followed, so that no key goes elsewhere: if you trust the new place, set base_url to it"
    return ProtocolError(said, hint, status=status)


class _Chunks(Iterator[bytes]):
    """The pieces of a body; the line is freed behind the last one, at an error, or when nobody holds this anymore."""

    def __init__(self, body: Body, line: Line) -> None:
        self._pieces, self._line = iter(body), line

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:
            self._line.free()
            raise

    def __del__(self) -> None:
        self._line.free()

"""A line to a host: its name looked up, a connection, through a proxy where one is set, TLS; and reading it in time.

``socket.create_connection`` spends its timeout on every address anew and looks names up without any. Here all steps
share what is left of the deadline, and the look-up runs in a thread that is left behind when its time is over.
"""

from __future__ import annotations

import io
import queue
import socket
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from .deadline import LONGEST_WAIT, Deadline
from .errors import CanceledError, ConnectionFailedError, ProtocolError, ProviderError

if TYPE_CHECKING:
    from http.client import HTTPResponse

Resolver = Callable[[str, int], Sequence[tuple[int, Any]]]  # (host, port) -> (family, address) of each
PIECE = 65536  # bytes that are read or written at a time
LONGEST_HEAD = 1 << 20  # bytes of status lines and headers, interim answers included


def system_resolver(host: str, port: int) -> list[tuple[int, Any]]:
    """Look a name up as this computer does."""
    return [(family, address) for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes, and by which proxy."""

    scheme: str
    host: str
    port: int
    proxy: SplitResult | None = None

    @property
    def name(self) -> str:
        """The host as users know it: with its port only where that is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == port_of(self.scheme) else f"{host}:{self.port}"

    @property
    def tunneled(self) -> bool:
        """Whether the proxy passes bytes on unread, which it does for TLS."""
        return self.proxy is not None and self.scheme == "https"


def port_of(scheme: str) -> int:
    """Return the port that needs no saying."""
    return 443 if scheme == "https" else 80


def proxy_for(scheme: str, host: str, proxies: Mapping[str, str] | None) -> SplitResult | None:
    """Return the proxy on the way to a host, if there is one.

    Args:
        scheme: "http" or "https".
        host: which is to be reached; this computer itself is reached without a proxy.
        proxies: URL by scheme; None looks at the environment (HTTPS_PROXY, NO_PROXY) and the system's settings.

    Raises:
        ConnectionFailedError: a proxy that does not speak HTTP.
    """
    if host == "localhost" or host.startswith("127.") or host == "::1":
        return None
    if proxies is None:
        from urllib.request import getproxies, proxy_bypass

        if proxy_bypass(host):
            return None
        proxies = getproxies()
    url = proxies.get(scheme) or proxies.get("all")
    if not url:
        return None
    try:
        proxy = urlsplit(url if "://" in url else f"http://{url}")
        if proxy.scheme == "http" and proxy.hostname and proxy.port != 0:
            return proxy
    except ValueError:
        pass
    said = f"the proxy for {scheme} is no http://host:port"
    raise final(ConnectionFailedError(said, f"set {scheme.upper()}_PROXY, or NO_PROXY={host}"))


def credentials(proxy: SplitResult) -> dict[str, str]:
    """Return the header for a proxy that has a user in its URL."""
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
    return {"Proxy-Authorization": "Basic " + b64encode(pair).decode("ascii")}


class Line(io.RawIOBase):
    """An open connection that never reads or writes beyond its deadline.

    It has a socket's ``makefile``, which ``http.client`` asks for; there is one reader only, so nothing that was read
    ahead is lost between an interim answer and the answer.

    Attributes:
        ended: whether the other side has said that nothing more comes.
        received: bytes so far.
        allowance: bytes that may still come; None for any number.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.sock, self.deadline = sock, deadline
        self.ended, self.received = False, 0
        self.allowance: int | None = None
        self.reader = _Kept(self, PIECE)
        self._busy = threading.Lock()  # held by whoever waits: a socket is not closed under a reader's hands
        self._freed = False
        self._forget = deadline.watch(lambda: hang_up(self.sock))

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def makefile(self, mode: str = "rb") -> io.BufferedReader:
        """Return the one reader."""
        return self.reader

    def readinto(self, buffer: Any) -> int:
        """Wait for bytes, as long as the deadline allows."""
        with self._busy:
            count = self._patiently(self.sock.recv_into, buffer)
        self.received += count
        self.ended = count == 0
        if self.allowance is not None:
            self.allowance -= count
            if self.allowance < 0:
                raise ProtocolError(f"a head of more than {LONGEST_HEAD} bytes", "is this an HTTP server?")
        if count:
            self.deadline.moved()
        return count

    def send(self, data: bytes) -> None:
        """Write all of it; each piece that is taken begins the idle limit anew."""
        view = memoryview(data)
        while len(view):
            with self._busy:
                count = self._patiently(self.sock.send, view[:PIECE])
            view = view[count:]
            self.deadline.moved()

    def let_go(self) -> None:
        """Leave the socket open, to somebody else."""
        self._forget()

    def free(self) -> None:
        """Give the socket back; a thread that waits for it hears that it is canceled."""
        self._forget()
        if not self._freed:
            self._freed = True
            hang_up(self.sock)
            with self._busy:
                self.sock.close()

    def _patiently(self, step: Callable[[Any], int], data: Any) -> int:
        while True:
            seconds = self.deadline.grant()
            try:
                if not self._freed:
                    self.sock.settimeout(seconds)
                    count = step(data)
                    if count or not (self._freed or self.deadline.canceled):
                        return count
            except TimeoutError:
                if seconds < LONGEST_WAIT:
                    raise self.deadline.expired() from None
                continue
            except OSError:
                if not (self._freed or self.deadline.canceled):
                    raise
            raise CanceledError("the response was closed while it was read")


def hang_up(sock: socket.socket) -> None:
    """End a connection from any thread: whoever waits for it wakes up; the socket is still theirs to close."""
    with suppress(OSError):  # it is no longer connected, so nobody waits for it
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # without TLS' farewell, which could block


class _Kept(io.BufferedReader):
    """A reader that whoever borrows it cannot close."""

    def close(self) -> None:
        """Do nothing: the line is freed by whoever opened it."""


def dial(target: Target, deadline: Deadline, resolver: Resolver, context: Callable[[], Any]) -> Line:
    """Return a line to a host on which a request can be sent.

    Args:
        target: where to.
        deadline: ``connecting`` is over, ``sending`` comes next.
        resolver: looks names up.
        context: gives the ``ssl.SSLContext``, if one is needed.

    Raises:
        ConnectionFailedError: no such host, nobody listens, a proxy that refuses, a certificate that does not fit.
        DeadlineError: not in time.
    """
    to = (target.proxy.hostname or "", target.proxy.port or 80) if target.proxy else (target.host, target.port)
    addresses = look_up(*to, deadline, resolver)
    deadline.mark("dns")
    sock = connect(addresses, f"{to[0]}:{to[1]}", deadline)
    deadline.mark("connect")
    try:
        if target.tunneled and target.proxy:
            tunnel(sock, target, target.proxy, deadline)
            deadline.mark("proxy")
        if target.scheme == "https":
            sock = secure(sock, target.host, context(), deadline)
            deadline.mark("tls")
        return Line(sock, deadline)
    except BaseException:
        sock.close()
        raise


def look_up(host: str, port: int, deadline: Deadline, resolver: Resolver) -> Sequence[tuple[int, Any]]:
    """Return a host's addresses, or raise when the time is over: the look-up itself cannot be stopped."""
    box: queue.SimpleQueue[Sequence[tuple[int, Any]] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            box.put(resolver(host, port))
        except Exception as error:
            box.put(error)

    forget = deadline.watch(lambda: box.put(CanceledError(f"{host}: the request was canceled")))
    try:
        seconds = deadline.grant()
        threading.Thread(target=ask, name=f"look up {host}", daemon=True).start()
        found = box.get(timeout=seconds)
    except queue.Empty:
        raise deadline.expired() from None
    finally:
        forget()
    if isinstance(found, CanceledError):
        raise found
    if isinstance(found, Exception) or not found:
        why = getattr(found, "strerror", None) or found or "no address"
        error = ConnectionFailedError(f"{host}: no such host ({why})", "is the address spelled right?", reason="dns")
        raise error if getattr(found, "errno", None) == socket.EAI_AGAIN else final(error)
    return found


def connect(addresses: Sequence[tuple[int, Any]], name: str, deadline: Deadline) -> socket.socket:
    """Return a connection to the first address that answers; those that are left share the time that is left."""
    failed: OSError | None = None
    for place, (family, address) in enumerate(addresses):
        share = deadline.grant() / (len(addresses) - place)
        sock = socket.socket(family, socket.SOCK_STREAM)
        forget = deadline.watch(partial(hang_up, sock))
        try:
            sock.settimeout(share)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            failed = error
            sock.close()
        except BaseException:
            sock.close()
            raise
        finally:
            forget()
    deadline.grant()  # if the time is over, or nobody wants the answer, that is why
    if isinstance(failed, TimeoutError):
        raise deadline.expired()
    why = failed.strerror if failed and failed.strerror else "no address"
    raise ConnectionFailedError(f"{name}: {why}", "is the server running there?", reason="connect") from failed


def tunnel(sock: socket.socket, target: Target, proxy: SplitResult, deadline: Deadline) -> None:
    """Have a proxy pass on what comes, to where the request goes."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    there = f"{host}:{target.port}"
    head = {"Host": there, **credentials(proxy)}
    line = Line(sock, deadline)
    line.allowance = LONGEST_HEAD
    with in_our_words(proxy.hostname or "the proxy", line):
        try:
            lines = [f"CONNECT {there} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
            line.send("\r\n".join(lines).encode("ascii"))
            answer = read_head(line, "CONNECT", proxy.hostname or "the proxy")
        finally:
            line.let_go()
    if answer.status // 100 != 2:
        said = f"the proxy {proxy.hostname} does not connect to {there}: {answer.status} {answer.reason[:200]}"
        hint = "a user and a password in the proxy's URL" if answer.status == 407 else f"NO_PROXY={target.host}"
        raise final(ConnectionFailedError(said, hint, status=answer.status))


def secure(sock: socket.socket, host: str, context: Any, deadline: Deadline) -> socket.socket:
    """Return the same connection under TLS, the host's certificate checked."""
    import ssl

    seconds = deadline.grant()
    try:
        sock.getpeername()  # where nobody is there anymore, wrap_socket raises and leaves its socket open
        safe = context.wrap_socket(
            sock, server_hostname=host, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        forget = deadline.watch(partial(hang_up, safe))
        try:
            safe.settimeout(seconds)  # for the whole handshake
            safe.do_handshake()
            return safe
        except BaseException:
            safe.close()
            raise
        finally:
            forget()
    except TimeoutError:
        raise deadline.expired() from None
    except ssl.SSLCertVerificationError as error:
        said = f"{host}: its certificate is not trusted ({error.verify_message.rstrip('.')})"
        raise final(ConnectionFailedError(said, "a private authority's goes into SSL_CERT_FILE")) from None
    except (OSError, ValueError) as error:
        deadline.grant()
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        ask = "does this port speak TLS, or is it http:// there?"
        failed = ConnectionFailedError(f"{host}: no TLS ({why})", ask, reason="tls")
        foreign = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError)
        raise (final(failed) if foreign else failed) from None


@lru_cache(maxsize=4)
def trust(ca_file: str | None = None) -> Any:
    """Return the context that checks certificates, made once: reading all authorities takes milliseconds.

    Args:
        ca_file: further authorities, as PEM.

    Raises:
        ConnectionFailedError: a file that holds none.
    """
    import ssl

    context = ssl.create_default_context()
    try:
        if ca_file is not None:
            context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise final(ConnectionFailedError(f"{ca_file}: no certificates in it ({error.strerror})")) from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def read_head(line: Line, method: str, host: str) -> HTTPResponse:
    """Return the next answer on a line, its status and headers read, its body not.

    ``http.client`` takes a head that is cut off between two of its lines for a whole one; here it is an error.
    """
    from http.client import HTTPResponse

    answer = HTTPResponse(line, method=method)  # type: ignore[arg-type]
    answer.begin()
    if line.ended:
        raise ConnectionFailedError(f"{host}: the connection ended in the middle of its answer's head")
    if answer.msg.defects:
        raise ProtocolError(f"{host}: a header without a colon, or another line that is none")
    return answer


@contextmanager
def in_our_words(host: str, line: Line) -> Iterator[None]:
    """Turn everything that a line and ``http.client`` can raise while a head is read into errors of ours."""
    from http.client import HTTPException

    try:
        yield
    except ProviderError:
        raise
    except HTTPException as error:
        line.deadline.grant()
        if line.ended:
            said = "ended in the middle of its answer's head" if line.received else "ended without an answer"
            raise ConnectionFailedError(f"{host}: the connection {said}") from None
        raise ProtocolError(f"{host}: no answer in HTTP ({type(error).__name__})", "is this its address?") from None
    except OSError as error:
        line.deadline.grant()
        why = error.strerror or type(error).__name__
        raise ConnectionFailedError(f"{host}: broken off before an answer came ({why})") from None


def final(error: ConnectionFailedError) -> ConnectionFailedError:
    """Mark an error that the same request would only meet again, and that came before it was sent."""
    error.retryable, error.reason = False, error.reason or "connect"
    return error

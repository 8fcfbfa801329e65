"""A server that does what a script says, byte for byte: the faults of the line, at will and in order.

A script is a list of steps, one script to a connection; the last one serves all further connections. A step is a
function of the connection. Nothing sleeps: steps wait for events and for what the client does. Time passes only where
a step moves a clock. ``with FaultServer(...) as server`` joins all threads at its end and raises what went wrong in
one of them.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CERT = Path(__file__).parent / "tls" / "cert.pem"  # for api.example, localhost and 127.0.0.1, until 2120
KEY = Path(__file__).parent / "tls" / "key.pem"
PATIENCE = 10.0  # seconds after which a step that waits gives up: a test fails then, and does not hang


class HandClock:
    """A clock that moves when it is told to, by any thread."""

    def __init__(self, time: float = 100.0) -> None:
        self.time = time

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Seen:
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Connection:
    """One client, and what a script needs to serve it."""

    sock: socket.socket
    server: FaultServer
    seen: list[Seen] = field(default_factory=list)


Step = Callable[[Connection], None]


class FaultServer:
    """A listener on a free port of the loopback.

    Args:
        scripts: one to a connection, in order; the last one for all that come later.

    Attributes:
        requests: all that were read, in order.
        closed: set as soon as a script has seen the client's end of a connection.
        opened: how many connections there were.
    """

    def __init__(self, *scripts: Sequence[Step]) -> None:
        self.scripts = list(scripts)
        self.requests: list[Seen] = []
        self.closed = threading.Event()
        self.stopped = threading.Event()
        self.opened = 0
        self._failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def resolver(self, host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
        """Say that this server is every host."""
        return [(socket.AF_INET, (self.host, self.port))]

    def __enter__(self) -> FaultServer:
        self._start(self._accept)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._socks:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for sock in self._socks:
            sock.close()
        if self._failures and kind is None:
            raise self._failures[0]

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.settimeout(PATIENCE)
                self._socks.append(sock)
                script = self.scripts[min(self.opened, len(self.scripts) - 1)]
                self.opened += 1
                self._start(self._serve, sock, script)

    def _serve(self, sock: socket.socket, script: Sequence[Step]) -> None:
        connection = Connection(sock, self)
        try:
            for step in script:
                step(connection)
        except (ConnectionError, ssl.SSLError):
            self.closed.set()  # the client went away, which most of its errors make it do
        except BaseException as error:
            if not self.stopped.is_set():
                self._failures.append(error)
        finally:
            connection.sock.close()


# steps


def read(connection: Connection) -> None:
    """Read one request with its body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _more(connection, 1)
    first, *rest = head.decode("latin-1").split("\r\n")[:-2]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    body, length = b"", int(headers.get("content-length", 0))
    while len(body) < length:
        body += _more(connection, min(length - len(body), 65536))
    seen = Seen(first, headers, body)
    connection.seen.append(seen)
    connection.server.requests.append(seen)


def some(connection: Connection) -> None:
    """Read whatever comes first."""
    _more(connection, 1)


def _more(connection: Connection, count: int) -> bytes:
    data = connection.sock.recv(count)
    if not data:
        raise ConnectionError("the client went away")
    return data


def send(data: bytes) -> Step:
    """Send bytes."""
    return lambda connection: connection.sock.sendall(data)


def drip(data: bytes, clock: HandClock, seconds: float) -> Step:
    """Send bytes one by one, each so many seconds of a clock after the one before."""

    def step(connection: Connection) -> None:
        for place in range(len(data)):
            clock.sleep(seconds)
            connection.sock.sendall(data[place : place + 1])

    return step


def trickle(data: bytes, seconds: float) -> Step:
    """Send bytes one by one, over and over, so many real seconds apart, until the client or the test has enough."""

    def step(connection: Connection) -> None:
        place = 0
        while not connection.server.stopped.wait(seconds):
            connection.sock.sendall(data[place % len(data) :][:1])
            place += 1

    return step


def passing(clock: HandClock, seconds: float) -> Step:
    """Let a clock move."""
    return lambda connection: clock.sleep(seconds)


def wait(event: threading.Event) -> Step:
    """Wait until something has happened."""

    def step(connection: Connection) -> None:
        if not event.wait(PATIENCE):
            raise AssertionError("what a step waits for never happened")

    return step


def tell(event: threading.Event) -> Step:
    """Say that this step is reached."""
    return lambda connection: event.set()


def until_closed(connection: Connection) -> None:
    """Wait until the client closes its end."""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while connection.sock.recv(65536):
            pass
    connection.server.closed.set()


def reset(connection: Connection) -> None:
    """Break the connection off: the other side gets a reset, not an end."""
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.sock.close()


def finish(connection: Connection) -> None:
    """Say that nothing more comes, and wait for the client's end."""
    socket.socket.shutdown(connection.sock, socket.SHUT_WR)
    until_closed(connection)


def tls(connection: Connection) -> None:
    """Speak TLS from here on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERT, KEY)
    connection.sock = context.wrap_socket(connection.sock, server_side=True)
    connection.server._socks.append(connection.sock)


def farewell(connection: Connection) -> None:
    """End TLS in good order."""
    with contextlib.suppress(OSError):
        connection.sock = connection.sock.unwrap()  # type: ignore[attr-defined]


# what is sent


def head(status: int = 200, reason: str = "OK", **headers: object) -> bytes:
    """Return a status line and headers; an underscore in a name is a hyphen."""
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name.replace('_', '-')}: {v}" for name, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def answer(body: bytes, status: int = 200, **headers: object) -> bytes:
    """Return a whole answer of a known length."""
    return head(status, **{"Content_Length": len(body), **headers}) + body


def chunk(data: bytes) -> bytes:
    """Return one chunk; without data, the last one."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def chunked(*pieces: bytes, **headers: object) -> bytes:
    """Return a whole chunked answer."""
    return head(**{"Transfer_Encoding": "chunked", **headers}) + b"".join(map(chunk, [*pieces, b""]))

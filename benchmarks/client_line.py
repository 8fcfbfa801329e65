"""When does a request end whose server trickles, how long until a silent one is given up, and what does 50 MB cost?

    python benchmarks/client_line.py
    python benchmarks/client_line.py --total 0.5 --megabytes 200

Servers of our own on the loopback. A trickle is a byte each 50 ms for three times the total. The peer is plain
http.client with the same number as its timeout, which limits every read and not all of them: it waits to the end.
"over" is how long after its limit a request ended. The bar: 1.1 s at 1 s, and 2 MB of memory for 50 MB.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from report import machine

sys.path.append(str(Path(__file__).parents[1]))  # in a checkout that is not installed, tinyllm is beside this folder
PAUSE = 0.05  # seconds between two bytes
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TRICKLES = {
    "headers": (b"HTTP/1.1 200 OK\r\nX: ", b"a", b"\r\nContent-Length: 0\r\n\r\n"),
    "chunks": (CHUNKED, b"1\r\na\r\n", b"0\r\n\r\n"),
    "the size of a chunk": (CHUNKED, b"0", b"1\r\na\r\n0\r\n\r\n"),
    "comments": (CHUNKED, b"2\r\n:\n\r\n", b"0\r\n\r\n"),
    "bytes": (b"HTTP/1.1 200 OK\r\n\r\n", b"a", b""),
}


@contextmanager
def serving(script: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve every connection with a script; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(sock: socket.socket) -> None:
            with sock:
                try:
                    sock.recv(65536)
                    script(sock)
                except OSError:
                    pass

        def accept() -> None:
            try:
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
            except OSError:
                pass

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def dripping(before: bytes, drop: bytes, after: bytes, seconds: float) -> Callable[[socket.socket], None]:
    """Send a drop, byte for byte, over and over for so many seconds."""

    def script(sock: socket.socket) -> None:
        sock.sendall(before)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for place in range(len(drop)):
                sock.sendall(drop[place : place + 1])
                time.sleep(PAUSE)
        sock.sendall(after)

    return script


def by_tinyllm(port: int, total: float) -> str:
    """Ask, read all of it, and return the error's name."""
    from tinyllm.client.deadline import Deadline, Timeout
    from tinyllm.client.errors import ProviderError
    from tinyllm.client.transport import HttpTransport
    from tinyllm.client.types import HttpRequest

    try:
        deadline = Deadline(Timeout(total=total))
        for _ in HttpTransport().send(HttpRequest("POST", f"http://127.0.0.1:{port}/", {}, b"{}"), deadline).chunks:
            pass
    except ProviderError as error:
        return type(error).__name__
    return "an answer"


def by_http_client(port: int, total: float) -> str:
    """Do the same with the standard library, its timeout set to the total."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=total)
    try:
        connection.request("POST", "/", b"{}")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()
    return "an answer"


def trickles(total: float) -> list[dict[str, Any]]:
    """Return a row for each trickle and each of the two."""
    rows = []
    cases = {name: dripping(*parts, 3 * total) for name, parts in TRICKLES.items()}
    cases["silence"] = lambda sock: time.sleep(3 * total)
    for name, script in cases.items():
        with serving(script) as port:
            for who, ask in (("tinyllm", by_tinyllm), ("http.client", by_http_client)):
                began = time.perf_counter()
                ended = ask(port, total)
                seconds = time.perf_counter() - began
                rows.append({"case": name, "who": who, "seconds": seconds, "over": seconds - total, "ended": ended})
    return rows


def large(megabytes: int) -> dict[str, Any]:
    """Return how fast a large answer comes, and how much memory it takes while it does."""
    from tinyllm.client.deadline import Deadline
    from tinyllm.client.transport import HttpTransport
    from tinyllm.client.types import HttpRequest

    piece, found = b"x" * 65536, {}

    def script(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(megabytes * 16):
            sock.sendall(b"10000\r\n" + piece + b"\r\n")
        sock.sendall(b"0\r\n\r\n")

    with serving(script) as port:
        request = HttpRequest("POST", f"http://127.0.0.1:{port}/", {}, b"{}")
        for traced in (False, True):
            response = HttpTransport(largest=1 << 40).send(request, Deadline())
            if traced:
                tracemalloc.start()
            began = time.perf_counter()
            size = sum(len(chunk) for chunk in response.chunks)
            if traced:
                found["peak"] = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
            else:
                found["seconds"] = time.perf_counter() - began
    return {"case": f"{size >> 20} MB", "who": "tinyllm", **found}


def imported() -> dict[str, Any]:
    """Return how long importing the transport takes in a fresh process, and a first request to nobody."""
    code = """
import time
began = time.perf_counter()
from tinyllm.client.transport import HttpTransport
from tinyllm.client.deadline import Deadline
from tinyllm.client.types import HttpRequest
light = time.perf_counter() - began
try:
    HttpTransport().send(HttpRequest("POST", "http://127.0.0.1:9/", {}), Deadline())
except ConnectionError:
    pass
print(light, time.perf_counter() - began)
"""
    runs = []
    for _ in range(5):
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        runs.append(tuple(map(float, run.stdout.split())))
    return {"case": "import", "who": "tinyllm", "seconds": min(a for a, _ in runs), "first": min(b for _, b in runs)}


def main() -> None:
    """Measure, print tables, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--total", type=float, default=1.0, help="seconds that a request may take (1)")
    parser.add_argument("--megabytes", type=int, default=50, help="of a large answer (50)")
    parser.add_argument("--json", type=Path, help="where to write rows and the machine's facts")
    args = parser.parse_args()
    rows = trickles(args.total)
    print(f"{'trickled':24}{'who':14}{'seconds':>9}{'over':>9}  ended in")
    for row in rows:
        print(f"{row['case']:24}{row['who']:14}{row['seconds']:9.3f}{row['over']:+9.3f}  {row['ended']}")
    much, start = large(args.megabytes), imported()
    print(f"\n{much['case']} in {much['seconds']:.3f} s, {much['peak'] / 1e6:.2f} MB of memory at most")
    print(
        f"imported in {start['seconds'] * 1e3:.0f} ms, a first request has failed after {start['first'] * 1e3:.0f} ms"
    )
    if args.json:
        facts = {"machine": machine(), "rows": [*rows, much, start]}
        args.json.write_text(json.dumps(facts, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

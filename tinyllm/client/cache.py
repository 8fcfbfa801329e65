"""An answer that was paid for once: found again by the sha256 of exactly what would be sent.

The key is made of the whole request: method, address, headers that can change the answer, the body with all its
parameters; and of the versions of the adapter and of this format. Left out are secrets, and whether the answer comes as
a stream, for that changes how it travels and not what it says.

Only whole answers are kept (finish "stop" or "tool_calls"), as the bytes that they are on the shelf, and these count
against the limit. Beyond it those go first that were not used for longest. A cache never fails a call: what is damaged,
locked or lost is a miss.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ..errors import ConfigError
from .types import SECRET_HEADERS, Completion, HttpRequest, ToolCall, Usage

VERSION = 1  # of the key and of the rows: another one finds nothing of this one
ROW = 160  # bytes that an entry takes beside its data: key, checksum, times, its place in an index
KEPT = ("stop", "tool_calls")
_SECRET = re.compile(r"(^|[-_])(key|token|secret|sig)s?$|auth|cookie|credential|signature|password", re.IGNORECASE)
# headers of the journey, which say nothing of the answer
_TRAVEL = frozenset(("connection", "date", "expect", "host", "traceparent", "tracestate", "user-agent"))
_TRAVEL_LIKE = re.compile(r"^(accept|content|transfer)-|^accept$|-request-id$|^idempotency-")
_STREAMING = ("stream", "stream_options")


def key_of(request: HttpRequest, adapter: str, adapter_version: int = 1, api_version: str | None = None) -> str:
    """Return the key of a request, 64 hexadecimal digits; no secret goes into it.

    Args:
        request: as it would be sent.
        adapter: which one built it, and will read the answer.
        adapter_version: of the adapter; a new one does not read old answers.
        api_version: of the wire, where that is not in a header or in the address.

    Example:
        >>> one = HttpRequest("POST", "https://x/v1", {"Authorization": "Bearer 1"}, b'{"model": "m", "stream": true}')
        >>> two = HttpRequest("POST", "https://x/v1", {"Authorization": "Bearer 2"}, b'{"model": "m"}')
        >>> three = HttpRequest("POST", "https://x/v1", {}, b'{"model": "another"}')
        >>> key_of(one, "openai_chat") == key_of(two, "openai_chat") == key_of(three, "openai_chat")
        False
        >>> key_of(one, "openai_chat") == key_of(two, "openai_chat")
        True
    """
    headers = {name.lower(): value for name, value in request.headers.items()}
    shown = {name: value for name, value in headers.items() if not _is_of_the_journey(name) and not _is_secret(name)}
    parts = [VERSION, adapter, adapter_version, api_version, request.method, _address(request.url), shown]
    text = json.dumps([*parts, _content(request.body)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def sampled(body: bytes) -> bool:
    """Tell whether the same request may get another answer: no temperature of 0, and no seed.

    Example:
        >>> sampled(b'{"temperature": 0}'), sampled(b'{"options": {"seed": 7}}'), sampled(b'{"temperature": 1}')
        (False, False, True)
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return True
    if not isinstance(content, dict):
        return True
    places = [content, *(content.get(name) for name in ("options", "generationConfig"))]
    found = [place for place in places if isinstance(place, dict)]
    return not any(place.get("temperature") == 0 or place.get("seed") is not None for place in found)


class Cache(Protocol):
    """What a cache of answers can do."""

    def get(self, key: str) -> Completion | None:
        """Return the answer, with ``attempts`` and ``cost`` 0, or None."""

    def put(self, key: str, completion: Completion) -> bool:
        """Keep an answer, and tell whether that was done."""

    def clear(self) -> None:
        """Forget everything."""


class MemoryCache:
    """A cache that lives as long as the process; threads may share it.

    Args:
        max_bytes: how much room the answers may take.
        ttl: seconds after which an answer is forgotten, None for never.
        clock: seconds, from whenever.

    Attributes:
        hits, misses, evicted: since it was made.
        nbytes: room taken.

    Raises:
        ConfigError: a limit that makes no sense.

    Example:
        >>> cache = MemoryCache()
        >>> cache.put("k", Completion("Hi", finish="stop")), cache.put("l", Completion("H", finish="length"))
        (True, False)
        >>> cache.get("k").text, cache.get("l")
        ('Hi', None)
    """

    def __init__(
        self, max_bytes: int = 1 << 26, ttl: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        _check(max_bytes, ttl)
        self.max_bytes, self.ttl, self._clock = max_bytes, ttl, clock
        self.hits = self.misses = self.evicted = self.nbytes = 0
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Completion | None:
        """Return the answer, with ``attempts`` and ``cost`` 0, or None."""
        with self._lock:
            data, since = self._kept.get(key, (b"", 0.0))
            if data and self.ttl is not None and self._clock() - since >= self.ttl:
                self._drop(key)
                data = b""
            found = _read(data) if data else None
            if found is None:
                self.misses += 1
                return None
            self._kept.move_to_end(key)
            self.hits += 1
            return found

    def put(self, key: str, completion: Completion) -> bool:
        """Keep an answer; False if it is not whole, or larger than the cache."""
        data = _written(completion)
        if data is None or len(data) + ROW > self.max_bytes:
            return False
        with self._lock:
            if key in self._kept:
                self._drop(key)
            while self.nbytes + len(data) + ROW > self.max_bytes:
                self._drop(next(iter(self._kept)))
                self.evicted += 1
            self._kept[key] = (data, self._clock())
            self.nbytes += len(data) + ROW
        return True

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self.nbytes = 0

    def _drop(self, key: str) -> None:
        self.nbytes -= len(self._kept.pop(key)[0]) + ROW


class FileCache:
    """A cache in one SQLite file, which several processes may use at once.

    The file is in WAL mode, so readers do not wait, and a process that is killed leaves it whole. It never shrinks; its
    room is used again. Answers are as private as the file is: it is made for its owner alone.

    Args:
        path: the file; its folder has to be there.
        max_bytes: how much room the answers may take.
        ttl: seconds after which an answer is forgotten, None for never.
        clock: seconds since 1970, for all processes the same.
        patience: seconds that one process waits for another's writing.

    Attributes:
        hits, misses, damaged, evicted: by this object.

    Raises:
        ConfigError: a limit that makes no sense, or a file that is no SQLite file or cannot be opened.

    Example:
        >>> with FileCache(":memory:") as cache:
        ...     cache.put("k", Completion("Hi", finish="stop")), cache.get("k").text, cache.nbytes > 0
        (True, 'Hi', True)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        max_bytes: int = 1 << 30,
        ttl: float | None = None,
        clock: Callable[[], float] = time.time,
        patience: float = 10.0,
    ) -> None:
        _check(max_bytes, ttl)
        self.max_bytes, self.ttl, self._clock = max_bytes, ttl, clock
        self.hits = self.misses = self.damaged = self.evicted = 0
        self._lock = threading.RLock()
        try:
            if os.fspath(path) != ":memory:":
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._file = sqlite3.connect(path, patience, isolation_level=None, check_same_thread=False)
            try:
                self._file.execute("PRAGMA journal_mode=WAL")
                self._file.execute("PRAGMA synchronous=NORMAL")
                self._file.execute(
                    "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, data BLOB, crc INTEGER, since REAL,"
                    " used INTEGER, size INTEGER) WITHOUT ROWID"
                )
                self._file.execute("CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used, size)")
            except BaseException:
                self._file.close()
                raise
        except (sqlite3.Error, OSError) as problem:
            raise ConfigError(f"cache {path}: {problem}", hint="another file, or delete this one") from problem

    @property
    def nbytes(self) -> int:
        """Room taken by all answers; 0 if the file cannot be read."""
        try:
            with self._lock:
                return int(self._file.execute("SELECT COALESCE(SUM(size), 0) FROM answers").fetchone()[0])
        except sqlite3.Error:
            return 0

    def get(self, key: str) -> Completion | None:
        """Return the answer, with ``attempts`` and ``cost`` 0, or None."""
        found = None
        with self._lock:
            with suppress(sqlite3.Error):  # locked for too long, or broken: what was read up to there counts
                row = self._file.execute("SELECT data, crc, since FROM answers WHERE key=?", (key,)).fetchone()
                if row is not None:
                    data, crc, since = row
                    old = self.ttl is not None and not 0 <= self._clock() - since < self.ttl
                    sound = isinstance(data, bytes) and crc == _checksum(key, data)
                    found = _read(data) if sound and not old else None
                    if found is None:
                        self.damaged += not old
                        self._file.execute("DELETE FROM answers WHERE key=?", (key,))
                    else:
                        self._file.execute(f"UPDATE answers SET used={_NEXT} WHERE key=?", (key,))
            self.hits += found is not None
            self.misses += found is None
        return found

    def put(self, key: str, completion: Completion) -> bool:
        """Keep an answer; False if it is not whole, larger than the cache, or the file could not be written."""
        data = _written(completion)
        if data is None or len(data) + ROW > self.max_bytes:
            return False
        row = (key, data, _checksum(key, data), self._clock(), len(data) + ROW)
        with self._lock:
            try:
                self._file.execute("BEGIN IMMEDIATE")
                try:
                    self._file.execute(f"INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, {_NEXT}, ?)", row)
                    self._make_room()
                    self._file.execute("COMMIT")
                except BaseException:
                    self._file.execute("ROLLBACK")
                    raise
            except sqlite3.Error:
                return False
        return True

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._file.execute("DELETE FROM answers")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()

    def __enter__(self) -> FileCache:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _make_room(self) -> None:
        over = self.nbytes - self.max_bytes
        gone = []
        for key, size in self._file.execute("SELECT key, size FROM answers ORDER BY used") if over > 0 else ():
            if over <= 0:
                break
            gone.append((key,))
            over -= size
        self._file.executemany("DELETE FROM answers WHERE key=?", gone)
        self.evicted += len(gone)


_NEXT = "(SELECT COALESCE(MAX(used), 0) + 1 FROM answers)"


def _check(max_bytes: int, ttl: float | None) -> None:
    if type(max_bytes) is not int or max_bytes <= 0:
        raise ConfigError(f"cache: max_bytes={max_bytes!r}", hint="a number of bytes above 0")
    if ttl is not None and not ttl > 0:
        raise ConfigError(f"cache: ttl={ttl!r}", hint="seconds above 0, or None")


def _is_of_the_journey(name: str) -> bool:
    return name in _TRAVEL or bool(_TRAVEL_LIKE.search(name))


def _is_secret(name: str) -> bool:
    return name.lower() in SECRET_HEADERS or bool(_SECRET.search(name))


def _address(url: str) -> str:
    """Return an address without secrets, and without what asks for a stream."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    asked = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _is_secret(name)]
    path = parts.path
    if path.endswith(":streamGenerateContent"):
        path = path.removesuffix(":streamGenerateContent") + ":generateContent"
        asked = [(name, value) for name, value in asked if name != "alt"]
    return urlunsplit((parts.scheme, host, path, urlencode(sorted(asked)), ""))


def _content(body: bytes) -> Any:
    """Return a body for the key: JSON without what asks for a stream, other bytes as they are."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return ["bytes", body.hex()]
    if isinstance(content, dict):
        content = {name: value for name, value in content.items() if name not in _STREAMING}
    return ["json", content]


def _checksum(key: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(key.encode()))


def _written(completion: Completion) -> bytes | None:
    """Return an answer as bytes; None if it is not whole, or holds what JSON cannot."""
    if completion.finish not in KEPT or completion.incomplete:
        return None
    plain = {field.name: getattr(completion, field.name) for field in fields(Completion) if field.name != "trace"}
    plain["tool_calls"] = [asdict(call) for call in completion.tool_calls]
    plain["usage"] = asdict(completion.usage)
    try:
        data = json.dumps(plain, separators=(",", ":"), default=_plain).encode()
    except (TypeError, ValueError, RecursionError):
        return None
    return data


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not kept")


def _read(data: bytes) -> Completion | None:
    """Return the answer that these bytes hold; None if they hold none."""
    try:
        plain = json.loads(data)
        plain["tool_calls"] = tuple(ToolCall(**call) for call in plain["tool_calls"])
        plain["usage"] = Usage(**plain["usage"])
        plain["partial"] = ()
        return Completion(**{**plain, "attempts": 0, "cost": 0})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None

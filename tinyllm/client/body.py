"""The body of an HTTP answer: where it ends, whether it came whole, and what it is when it was packed.

Three framings, three ways to end too early. A body of a known length that stops short and a chunked one without its
last chunk are errors, raised after the bytes that came. One that lasts until the connection closes cannot tell: only
the format inside can say that it is whole.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping

from .dial import PIECE, Line
from .errors import ConnectionFailedError, ProtocolError, ProviderError, StreamInterruptedError, TruncatedError

LONGEST_LINE = 8192  # bytes of a chunk's size with its extensions, or of a trailer
TRAILERS = 100
RATIO = 100  # bytes out of one that came: text packs to a tenth, a bomb to a thousandth
FREE = 1 << 20  # bytes before that is looked at
SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?", re.DOTALL)


class Body:
    """The pieces of a body as they come, at most 64 KiB each.

    Args:
        line: from where; its head has been read.
        host: whose, for errors.
        headers: of the answer, names in lower case.
        empty: whether there is none, whatever the headers say.
        largest: bytes that it may have, unpacked.

    Raises:
        ProtocolError: framing or packing that is wrong or unknown, too many bytes.
    """

    def __init__(self, line: Line, host: str, headers: Mapping[str, str], *, empty: bool, largest: int) -> None:
        self.line, self.host, self.largest = line, host, largest
        self.came = 0
        coding = headers.get("transfer-encoding", "").strip().lower()
        length = headers.get("content-length")
        self.packing = headers.get("content-encoding", "").strip().lower().removeprefix("x-")
        if self.packing not in ("", "identity", "gzip", "deflate"):
            raise ProtocolError(f"{host}: a body packed as {self.packing[:40]!r}, though plain text was asked for")
        self._framed: Iterator[bytes]
        if empty:
            self._framed = iter(())
        elif coding not in ("", "identity"):
            if coding != "chunked":
                raise ProtocolError(f"{host}: a body sent as {coding[:40]!r}, which HTTP/1.1 clients do not read")
            self._framed = self._chunked()
        elif length is not None:
            size, *others = {one.strip() for one in length.split(",")}
            if others or not re.fullmatch("[0-9]{1,15}", size):
                raise ProtocolError(f"{host}: Content-Length is {length[:40]!r}")
            self._framed = self._sized(int(size))
        else:
            self._framed = self._closing()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces.

        Raises:
            TruncatedError: it ended too early, after some of its bytes.
            StreamInterruptedError: the connection broke after some of its bytes.
            ConnectionFailedError: either of these, before any of them.
            ProtocolError: wrong framing, damaged packing, too many bytes.
            DeadlineError: not in time.
        """
        packed = self.packing in ("gzip", "deflate")
        size = 0
        try:
            for piece in self._inflated() if packed else self._framed:
                size += len(piece)
                if size > self.largest:
                    raise ProtocolError(f"{self.host}: an answer of more than {self.largest} bytes")
                yield piece
        except ProviderError:
            raise
        except OSError as error:
            self.line.deadline.grant()
            why = error.strerror or type(error).__name__
            raise self._broken(StreamInterruptedError, f"broken off ({why})") from None

    def _sized(self, left: int) -> Iterator[bytes]:
        whole = left
        while left:
            piece = self._read(left)
            if not piece:
                raise self._broken(TruncatedError, f"ended after {whole - left} of {whole} bytes")
            left -= len(piece)
            yield piece

    def _chunked(self) -> Iterator[bytes]:
        while True:
            size = SIZE.fullmatch(self._line())
            if size is None:
                raise ProtocolError(f"{self.host}: the size of a chunk is no number")
            left = int(size[1], 16)
            if not left:
                break
            while left:
                piece = self._read(left)
                if not piece:
                    raise self._broken(TruncatedError, f"ended in a chunk, {left} bytes before its end")
                left -= len(piece)
                yield piece
            if self._line():
                raise ProtocolError(f"{self.host}: a chunk is longer than its size")
        for _ in range(TRAILERS):
            if not self._line():
                return
        raise ProtocolError(f"{self.host}: more than {TRAILERS} lines after the last chunk")

    def _closing(self) -> Iterator[bytes]:
        while piece := self._read(PIECE):
            yield piece

    def _read(self, most: int) -> bytes:
        piece = self.line.reader.read1(min(most, PIECE))
        if piece and not self.came:
            self.line.deadline.body()
        self.came += len(piece)
        return piece

    def _line(self) -> bytes:
        line = self.line.reader.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            if len(line) == LONGEST_LINE:
                raise ProtocolError(f"{self.host}: between two chunks, a line of more than {LONGEST_LINE} bytes")
            raise self._broken(TruncatedError, "ended without its last chunk")
        return line.rstrip(b"\r\n")

    def _inflated(self) -> Iterator[bytes]:
        """Unpack, never more than a piece at a time: a bomb costs time to no one and memory neither."""
        unpack, made, start = None, 0, b""
        for piece in self._framed:
            start += piece
            if len(start) < 2 and unpack is None:
                continue  # the first two bytes say which kind of deflate it is
            piece, start = start, b""
            unpack = unpack or zlib.decompressobj(self._window(piece))
            while True:
                if unpack.eof and piece.strip(b"\0"):  # gzip may have several members, and zeros behind them
                    unpack = zlib.decompressobj(self._window(piece))
                elif unpack.eof:
                    break
                try:
                    out = unpack.decompress(piece, PIECE)
                except zlib.error as error:
                    raise ProtocolError(f"{self.host}: damaged {self.packing} ({error})") from None
                made += len(out)
                if made > FREE + RATIO * self.came:
                    raise ProtocolError(f"{self.host}: {self.came} bytes of {self.packing} that unpack to {made}")
                if out:
                    yield out
                piece = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
                if not piece and len(out) < PIECE:
                    break
        if start or (unpack and not unpack.eof):
            raise self._broken(TruncatedError, f"ended before its {self.packing} did")

    def _window(self, piece: bytes) -> int:
        if self.packing == "gzip":
            return 31
        headed = piece[0] & 15 == 8 and int.from_bytes(piece[:2], "big") % 31 == 0
        return 15 if headed else -15  # "deflate" should have zlib's header; some servers send it bare

    def _broken(self, kind: type[StreamInterruptedError], said: str) -> ProviderError:
        if not self.came:
            return ConnectionFailedError(f"{self.host}: the answer {said}, before its first byte")
        return kind(f"{self.host}: the answer {said}")

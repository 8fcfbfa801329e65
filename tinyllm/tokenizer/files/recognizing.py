"""What is this file? Told by what is in it, and by its name where that is not enough."""

from __future__ import annotations

import struct

from ...errors import DataError
from . import minbpe, tiktoken
from .bert import is_bert
from .gpt2 import both
from .reading import Source

# how files begin that are no tokenizers, or none that is opened here: what it is, what to do
_FOREIGN = (
    (b"GGUF", "a GGUF file", "the file of a tokenizer; models reads GGUF"),
    (b"PK\x03\x04", "a zip archive", "unpack it first; pickled models are never opened"),
    (b"\x1f\x8b", "packed by gzip", "unpack it first"),
    (b"version https://git-lfs", "a pointer of Git LFS and not the file itself", "git lfs pull"),
    (b"<!", "a web page and not the file itself", "download the file itself"),
    (b"<html", "a web page and not the file itself", "download the file itself"),
)
_PICKLE = tuple(b"\x80" + bytes((protocol,)) for protocol in range(2, 6))


def recognize(source: Source) -> str:
    """Return the name of a file's format.

    Raises:
        DataError: it is of none that is read; where it can be told what it is, that is said.
    """
    path, data = source.path, source.data
    for head, what, instead in _FOREIGN:
        if data.startswith(head):
            raise DataError(f"{path}: is {what}", hint=instead)
    if data.startswith(_PICKLE):
        raise DataError(f"{path}: is a pickle, which could run any program and is never opened", hint="another format")
    if data.lstrip().startswith((b"{", b"\xef\xbb\xbf{")):
        return _of_json(source)
    if data.startswith(minbpe.HEAD.split()[0].encode()):
        return "minbpe"
    if data.startswith(b"#version") or (both(path) and path.suffix != ".json"):
        return "gpt2"
    if tiktoken.looks_so(data) or path.suffix == ".tiktoken":
        return "tiktoken"
    if data.startswith(b"\n") and b"<unk>" in data[:64]:
        raise DataError(
            f"{path}: is a SentencePiece model, which is not supported", hint="the tokenizer.bin of llama2.c, if any"
        )
    if path.suffix == ".bin" or _looks_scored(data):
        return "llama2c"
    if path.name.endswith("vocab.txt") or b"\n[UNK]" in data[: 1 << 20] or data.startswith(b"[UNK]"):
        return "wordpiece"
    raise DataError(f"{path}: is no tokenizer that is known", hint="a file of one of the formats in files.FORMATS")


def _of_json(source: Source) -> str:
    saved = source.json
    if saved and all(type(i) is int for i in saved.values()):  # first, for these keys may be any word
        return "gpt2"
    if "kind" in saved:
        return "tinyllm"
    if "model" in saved:
        return "bert" if is_bert(saved) else "huggingface"
    if "tokenizer_class" in saved:
        raise DataError(f"{source.path}: holds settings, not the tokenizer", hint="the tokenizer.json beside it")
    if both(source.path):
        return "gpt2"  # which says what is wrong with it
    raise DataError(f"{source.path}: is JSON, but no tokenizer that is known")


def _looks_scored(data: bytes) -> bool:
    """The longest length, then a score, a length and a token: is the first token not longer than the longest?"""
    if len(data) < 13:
        return False
    longest, _, length = struct.unpack_from("<ifi", data)
    return bool(0 < length <= longest < 1024)

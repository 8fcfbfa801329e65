"""Train a tokenizer of one's own: texts in, an Encoding out.

    from pathlib import Path
    from tinyllm.tokenizer import train_bpe

    encoding = train_bpe(Path("corpus.txt"), 10_000, special_tokens=["<|endoftext|>"])

Pieces of text are counted first, then merges are learned from the distinct pieces alone: ``bytepair.train`` says how,
``kernels/bpe`` does it fast. The merges are the same on any number of threads.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable

import numpy as np

from ..errors import ConfigError, DataError, nearest
from . import bytepair
from .counting import BLOCK, Progress, Reader, Source, count_fast, count_plain
from .encoding import Encoding
from .split import Pattern, find_pattern

_LOG = logging.getLogger(__name__)
LITTLE_WORK = 1 << 29  # characters times merges that plain Python has done before kernels would be compiled
_SHORTER = {"hf": "huggingface"}

Learned = tuple[list[tuple[bytes, bytes]], list[int]]  # merges, and how often each pair occurred when it was merged


def train_bpe(
    texts: Source | Iterable[Source],
    vocab_size: int,
    *,
    pattern: Pattern | re.Pattern[str] | str | None = "cl100k",
    special_tokens: Iterable[str] = (),
    tie: str = "bytes",
    min_frequency: int = 1,
    max_token_length: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    name: str = "own",
) -> Encoding:
    """Learn a byte-level BPE vocabulary from texts.

    Args:
        texts: a str is one text, a ``pathlib.Path`` one file (UTF-8, of any size); or any number of either. Each is a
            document of its own: nothing merges across.
        vocab_size: how many tokens to end with: 256 single bytes, the merges, and the special tokens.
        pattern: how text is cut into pieces: a name of ``split.PATTERNS``, its published regex, a compiled
            ``re.Pattern`` of your own, or None for no cutting.
        special_tokens: strings that are cut out of the text first and have the last ids, in this order.
        tie: which of several equally frequent pairs is merged first, and so which tool the merges agree with:

            ============= ============================================= =========================
            bytes         the greatest (left bytes, right bytes)
            bytes_min     the least                                     gigatoken, by bytes
            ids           the least (left id, right id)                 rustbpe, nanochat
            huggingface   the same with bytes numbered as GPT-2 does    tokenizers ("hf" for short)
            first         the pair that comes first in the text         minbpe, tiktoken's lesson
            ============= ============================================= =========================
        min_frequency: pairs that occur less often are not merged.
        max_token_length: of a token, in bytes. (tokenizers' own max_token_length is one more than its longest token.)
        threads: that count pieces; by default one per core. The result does not depend on it.
        progress: is called with ("count", bytes read, of how many or None) and ("merge", merges, of how many).
        name: of the encoding.

    Returns:
        An Encoding that knows its merges, how often each pair occurred when it was merged (``counts``), its tie rule
        and its pattern. If no pair is left before ``vocab_size`` is reached it is smaller, and a warning is logged.

    Raises:
        ConfigError: an argument is out of range, or its name is not known.
        DataError: there is no text; a file cannot be read, or is no UTF-8; a pattern does not cover a text.
        DTypeError: a document is neither str nor Path.

    Source: Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units" (2016).

    Example:
        >>> encoding = train_bpe("low low lower newest newest", 260, special_tokens=["<|end|>"])
        >>> encoding.merges, encoding.counts
        ([(b'w', b'e'), (b'l', b'o'), (b'we', b's')], [3, 3, 2])
        >>> encoding.encode("lowest<|end|>", allowed_special="all")
        [257, 258, 116, 259]
    """
    cut = find_pattern(pattern)
    specials = _checked_specials(special_tokens)
    tie = _checked_tie(tie)
    n_merges = vocab_size - 256 - len(specials)
    if n_merges < 0:
        raise ConfigError(
            f"train_bpe: vocab_size {vocab_size} is too small",
            hint=f"{256 + len(specials)} or more: 256 single bytes and {len(specials)} special tokens are tokens too",
        )
    for argument, value, least in (
        ("min_frequency", min_frequency, 0),
        ("max_token_length", 1 if max_token_length is None else max_token_length, 1),
        ("threads", 1 if threads is None else threads, 1),
    ):
        if value < least:
            raise ConfigError(f"train_bpe: {argument} is {value}", hint=f"{argument}={least} or more")
    reader = Reader(texts, specials, cut, progress, BLOCK)
    merges, counts = _learn(reader, n_merges, tie, min_frequency, max_token_length, threads, progress)
    if len(merges) < n_merges:
        _LOG.warning(
            "train_bpe: after %s merges no pair is left that occurs %s: the vocabulary has %s tokens, not %s",
            f"{len(merges):,}",
            f"{min_frequency} times or more" if min_frequency > 1 else "at all",
            f"{256 + len(merges) + len(specials):,}",
            f"{vocab_size:,}",
        )
    tokens = _single_bytes(tie) + [left + right for left, right in merges]
    return Encoding(
        name,
        pat_str=cut,
        mergeable_ranks={token: i for i, token in enumerate(tokens)},
        special_tokens={special: len(tokens) + i for i, special in enumerate(specials)},
        merges=merges,
        counts=counts,
        tie=tie,
    )


def _checked_specials(special_tokens: Iterable[str]) -> list[str]:
    if isinstance(special_tokens, str):
        raise ConfigError("train_bpe: special_tokens is one string", hint=f"[{special_tokens!r}]")
    specials = list(special_tokens)
    for i, special in enumerate(specials):
        if not isinstance(special, str) or not special or special in specials[:i]:
            raise ConfigError(f"train_bpe: the special token {special!r} is empty, no string, or there twice")
    return specials


def _checked_tie(tie: str) -> str:
    tie = _SHORTER.get(tie, tie)
    if tie not in bytepair.TIES:
        close = nearest(str(tie), bytepair.TIES)
        names = ", ".join(bytepair.TIES)
        raise ConfigError(f"train_bpe: there is no tie rule {tie!r}", hint=close or f"one of {names}")
    return tie


def _single_bytes(tie: str) -> list[bytes]:
    """Return the single bytes in the order of their ids."""
    return [bytes((byte,)) for byte in (bytepair.ALPHABET if tie == "huggingface" else range(256))]


def _learn(
    reader: Reader,
    n_merges: int,
    tie: str,
    min_frequency: int,
    max_token_length: int | None,
    threads: int | None,
    progress: Progress | None,
) -> Learned:
    """Count words and learn merges, with the kernels where they are."""
    from .. import kernels

    def merging(done: int) -> None:
        if progress:
            progress("merge", done, n_merges)

    waiting = "tinyllm.kernels.bpe.train" not in sys.modules and reader.is_small(LITTLE_WORK // max(n_merges, 1))
    if waiting or kernels.backend() == "numpy":
        plain = count_plain(reader)
        _refuse_nothing(len(plain))
        merging(0)
        learned = bytepair.train(plain, 256 + n_merges, tie, min_frequency, max_token_length)
        merges, counts = [(merge.left, merge.right) for merge in learned], [merge.times for merge in learned]
    else:
        from ..kernels.bpe.count import words_of
        from ..kernels.bpe.train import train

        custom = reader.pattern.family == "custom"
        words = words_of(count_plain(reader)) if custom else count_fast(reader, threads or kernels.threads())
        _refuse_nothing(words.counts.size)
        merging(0)
        tokens = _single_bytes(tie)
        byte_ids = np.empty(256, np.int32)
        byte_ids[[token[0] for token in tokens]] = np.arange(256)
        pairs, times = train(words, byte_ids, n_merges, tie, min_frequency, max_token_length, merging)
        merges, counts = [], times.tolist()
        for left, right in pairs.tolist():
            merges.append((tokens[left], tokens[right]))
            tokens.append(tokens[left] + tokens[right])
    merging(len(merges))
    return merges, counts


def _refuse_nothing(words: int) -> None:
    if not words:
        raise DataError("train_bpe: there is no text", hint="texts or files that are not empty")

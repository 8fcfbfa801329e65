"""Token files on disk, their split into training and validation, and the batches that are drawn from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import write_atomically
from ..errors import CheckpointError, DataError

Array = np.ndarray[Any, Any]


def token_dtype(vocab_size: int) -> Any:
    """Return the smallest dtype that holds every id of a vocabulary: uint16 up to 65,536 of them, else uint32."""
    return np.uint16 if vocab_size <= 2**16 else np.uint32


def write_tokens(path: Path, tokens: Array) -> None:
    """Save token ids as a .npy file, which NumPy can map into memory.

    Raises:
        CheckpointError: the file cannot be written.
    """
    write_atomically(path, lambda file: np.lib.format.write_array(file, tokens, allow_pickle=False))


def open_tokens(path: Path) -> Array:
    """Map a token file into memory: reading a batch reads only the pages it lies on.

    Raises:
        DataError: the file is missing, cut short, or holds no token ids.
    """
    try:
        tokens: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{path}: the token file is missing", hint="create the run again from its text") from None
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path}: is cut short or no token file ({_first_line(error)})") from None
    if not isinstance(tokens, np.ndarray) or tokens.dtype not in (np.uint16, np.uint32) or tokens.ndim != 1:
        raise DataError(f"{path}: holds no row of uint16 or uint32 token ids")
    return tokens


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def split(tokens: Array, validation: float, block_size: int, cut: int | None = None) -> tuple[Array, Array]:
    """Cut off the last part for validation, at least one block of it.

    Args:
        tokens: ids (N,).
        validation: the fraction to hold out, 0.1 as in nanoGPT.
        block_size: T; each part must hold one block and the token after it.
        cut: where the last part begins, if that is settled: a text is cut before it is turned into ids.

    Raises:
        DataError: the text or one of its parts is too short, or the text repeats a single token.

    Example:
        >>> train, held_out = split(np.arange(100), 0.1, block_size=8)
        >>> len(train), len(held_out)
        (90, 10)
    """
    count = len(tokens)
    needed = block_size + 1
    if count < 2 * needed:
        raise DataError(
            f"the text has {count} tokens, and blocks of {block_size} need {2 * needed}: one block and a token more "
            "to learn from, as much to validate on",
            hint=f"a longer text, or block_size={count // 2 - 1}" if count >= 4 else "a longer text",
        )
    if (tokens == tokens[0]).all():
        raise DataError(
            f"the text repeats one symbol {count} times: there is nothing to learn",
            hint="a text with at least two symbols",
        )
    if cut is None:
        cut = place_of_cut(count, validation, block_size)
    if min(cut, count - cut) < needed:
        short, what = min((cut, "to learn from"), (count - cut, "to validate on"))
        raise DataError(
            f"the part of the text {what} has {short} tokens, and a block of {block_size} needs {needed}",
            hint=f"a longer text, another share for validation, or block_size={max(short - 1, 1)}",
        )
    return tokens[:cut], tokens[cut:]


def place_of_cut(count: int, validation: float, block_size: int) -> int:
    """Return where the last part begins that is only validated on, so that both parts hold a block if they can.

    Example:
        >>> place_of_cut(1000, 0.1, block_size=8), place_of_cut(1000, 0.001, block_size=8)
        (900, 991)
    """
    needed = min(block_size + 1, count // 2)
    return max(min(int(count * (1 - validation)), count - needed), needed)


def get_batch(tokens: Array, batch_size: int, block_size: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw blocks from random places, each with the same block one token later: what is to be predicted.

    Args:
        tokens: ids (N,).
        batch_size: B, how many blocks.
        block_size: T, how long each is.
        rng: where to draw them.

    Returns:
        x and y, both int64 (B, T), with y[b, t] the token that follows x[b, t] in the text.

    Example:
        >>> x, y = get_batch(np.arange(50), 2, 4, np.random.default_rng(0))
        >>> bool((y == x + 1).all()), x.shape
        (True, (2, 4))
    """
    starts = rng.integers(0, len(tokens) - block_size, size=batch_size)
    return blocks_at(tokens, starts, block_size)


def blocks_at(tokens: Array, starts: Array, block_size: int) -> tuple[Array, Array]:
    """Return the blocks that begin at ``starts`` and the same blocks one token later: x and y, int64 (B, T)."""
    places = starts[:, None] + np.arange(block_size + 1)  # (B, T+1)
    both = tokens[places].astype(np.int64)
    return both[:, :-1].copy(), both[:, 1:].copy()


def evenly(tokens: Array, batch_size: int, block_size: int, batches: int) -> list[Array]:
    """Choose the blocks to evaluate on: spread evenly over the tokens, without overlap, the same at every call.

    Where ``batches`` batches would cover more than there is, all of it is taken, and the last batch is smaller.

    Returns:
        starts of blocks, one array of at most ``batch_size`` per batch.

    Example:
        >>> evenly(np.arange(50), batch_size=2, block_size=7, batches=2)
        [array([0, 7]), array([21, 35])]
    """
    available = (len(tokens) - 1) // block_size
    wanted = min(batches * batch_size, available)
    starts = np.arange(wanted) * available // wanted * block_size
    return [starts[i : i + batch_size] for i in range(0, wanted, batch_size)]


class Stream:
    """An endless stream of random batches that knows where it is, so that it can go on there.

    Args:
        tokens: ids (N,).
        batch_size, block_size: B and T.
        rng: the stream's own Generator; nothing else may draw from it.

    Attributes:
        cursor: how many batches have been drawn.

    Example:
        >>> one = Stream(np.arange(50), 2, 4, np.random.default_rng(0))
        >>> _ = one.next()
        >>> two = Stream(np.arange(50), 2, 4, np.random.default_rng(7))
        >>> two.load_state(one.state())
        >>> bool((one.next()[0] == two.next()[0]).all())
        True
    """

    def __init__(self, tokens: Array, batch_size: int, block_size: int, rng: np.random.Generator) -> None:
        self.tokens = tokens
        self.batch_size = batch_size
        self.block_size = block_size
        self.rng = rng
        self.cursor = 0

    def next(self) -> tuple[Array, Array]:
        """Draw the next batch: x and y, both int64 (B, T)."""
        self.cursor += 1
        return get_batch(self.tokens, self.batch_size, self.block_size, self.rng)

    def state(self) -> dict[str, Any]:
        """Return where the stream is, as JSON can hold it."""
        return {"cursor": self.cursor, "tokens": len(self.tokens), "rng": self.rng.bit_generator.state}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken: the next batch is the one that would have come then.

        Raises:
            CheckpointError: the state is of a stream over another text, or of another kind of Generator.
        """
        try:
            if state["tokens"] != len(self.tokens):
                raise CheckpointError(
                    f"the checkpoint was training on {state['tokens']:,} tokens, and here are {len(self.tokens):,}",
                    hint="resume in the run folder that holds both",
                )
            self.rng.bit_generator.state = state["rng"]
            self.cursor = int(state["cursor"])
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(f"the checkpoint's place in the text cannot be read ({_first_line(error)})") from None

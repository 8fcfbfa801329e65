"""The fifth stop: the same model on the same text, cut into tokens instead of characters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...train import Run, bits, estimate_loss, metrics
from ..progress import view
from ..tokens.painted import show_tokens
from .stop import Stop, Tour

_SIZE = 1024
_MOST_SECONDS = 30.0
_LINE = 70  # characters of the text that is shown in tokens


def visit(tour: Tour) -> None:
    """Learn tokens, show them, train on them until as much text has been read, and compare."""
    chars = tour.need_run()
    tokens = _run_with_tokens(tour, chars)
    _show_tokens(tour, chars, tokens)
    with view(tour.screen) as watching:
        result = tokens.train([watching])
    if result.stopped == "interrupt":
        tour.interrupted = tokens.folder
        return
    tour.screen.line()
    tour.screen.line("It writes:", style="bold")
    tour.screen.paragraph(tokens.write().strip("\n"), indent="    ")
    tour.screen.line()
    _compare(tour, Figures.of(chars), Figures.of(tokens))
    if result.stopped == "time":
        tour.screen.paragraph(
            f"This machine was too slow or too busy for the tokens to have as much text within {_MOST_SECONDS:.0f} s: "
            "they are at a disadvantage here."
        )


def _run_with_tokens(tour: Tour, chars: Run) -> Run:
    """Begin a run that differs in its tokens only, as long as it takes to read as much text as the first one did."""
    folder = tour.folder / "tokens"
    Run.create(folder, chars.config.but(tokenizer=f"bpe:{_SIZE}", sample_every=0, max_seconds=_MOST_SECONDS))
    tokens = Run.open(folder)
    longer = _bytes_per_token(tokens) / _bytes_per_token(chars)
    steps = max(1, round(chars.state.step / longer))
    return Run.open(
        folder, steps=steps, warmup=steps // 20, eval_every=max(1, steps // 4), checkpoint_every=steps,
        sample_tokens=max(1, round(chars.config.sample_tokens / longer)),
    )  # fmt: skip


def _show_tokens(tour: Tour, chars: Run, tokens: Run) -> None:
    """Print what was learned first, the longest words, and a line of the text cut into tokens."""
    words: Any = tokens.tokenizer
    learned = [(left + right).decode("utf-8", "replace") for left, right in words.merges]
    first = ", ".join(f"'{token}' {count:,}" for token, count in zip(learned[:6], words.counts, strict=False))
    longest = ", ".join(f"'{token}'" for token in sorted(filter(_is_word, learned), key=len, reverse=True)[:4])
    tour.screen.paragraph(f"The first to be joined, and how often they met: {first}. The longest words: {longest}.")
    tour.screen.line()
    text = chars.tokenizer.decode(np.asarray(chars.val_tokens[:4000]).tolist())
    lines = [line.strip() for line in text.split("\n") if len(line.strip()) <= _LINE]
    line = max(lines, key=lambda line: sum(map(str.isalpha, line)), default=text[:_LINE])
    pieces = words.decode_tokens_bytes(words.encode_ordinary(line))
    tour.screen.line(f"{len(line)} characters are {len(pieces)} tokens:")
    show_tokens(tour.screen, pieces)
    tour.screen.line()


def _is_word(token: str) -> bool:
    return token.strip().isalpha()


@dataclass(frozen=True)
class Figures:
    """What a run has done, measured on the whole validation text.

    Attributes:
        vocabulary: V.
        parameters: of the model.
        bytes_per_token: of the text it learned from.
        steps: how many.
        read: bytes of text seen.
        seconds: that the steps took, without evaluations.
        loss: nats per token.
        bits: per byte.
        blind: bits per byte of somebody who holds all tokens for equally likely.
    """

    vocabulary: int
    parameters: int
    bytes_per_token: float
    steps: int
    read: float
    seconds: float
    loss: float
    bits: float
    blind: float

    @classmethod
    def of(cls, run: Run) -> Figures:
        """Measure a run."""
        config, length = run.config, _bytes_per_token(run)
        everything = config.batch_size, config.block_size, len(run.val_tokens)
        loss = estimate_loss(run.model, run.val_tokens, *everything)
        validated = bits.bytes_per_token(run.val_tokens, bits.lengths(run.tokenizer), *everything)
        rows = metrics.read(run.metrics_path)
        seconds = sum(config.tokens_per_step / row["tokens_per_second"] for row in rows if row["kind"] == "step")
        return cls(
            run.tokenizer.n_vocab, run.model.count_parameters(), length, run.state.step, run.state.tokens * length,
            seconds, loss, bits.bits_per_byte(loss, validated),
            bits.bits_per_byte(math.log(run.tokenizer.n_vocab), validated),
        )  # fmt: skip


def _compare(tour: Tour, chars: Figures, tokens: Figures) -> None:
    """Print both columns, and what they say."""
    longer = tokens.bytes_per_token / chars.bytes_per_token
    rows = [
        ("", "characters", "tokens"),
        ("vocabulary", f"{chars.vocabulary:,}", f"{tokens.vocabulary:,}"),
        ("parameters", f"{chars.parameters:,}", f"{tokens.parameters:,}"),
        ("bytes per token", f"{chars.bytes_per_token:.2f}", f"{tokens.bytes_per_token:.2f}"),
        ("steps", f"{chars.steps:,}", f"{tokens.steps:,}"),
        ("text read, kB", f"{chars.read / 1e3:,.1f}", f"{tokens.read / 1e3:,.1f}"),
        ("seconds of training", f"{chars.seconds:.1f}", f"{tokens.seconds:.1f}"),
        ("nats per token", f"{chars.loss:.3f}", f"{tokens.loss:.3f}"),
        ("bits per byte", f"{chars.bits:.3f}", f"{tokens.bits:.3f}"),
        ("guessing blindly", f"{chars.blind:.3f}", f"{tokens.blind:.3f}"),
    ]
    for i, (what, one, two) in enumerate(rows):
        tour.screen.line(f"    {what:<20}{one:>12}{two:>12}", style="bold" if i in (0, 8) else "")
    tour.screen.line()
    share = tokens.read / chars.read
    as_much = "as much" if abs(share - 1) < 0.05 else f"{share:.0%} as much"
    difference = f"{abs(tokens.bits / chars.bits - 1):.0%} {'fewer' if tokens.bits < chars.bits else 'more'}"
    tour.screen.paragraph(
        f"Having read {as_much} text in {tokens.seconds / chars.seconds:.0%} of the time, the model of tokens needs "
        f"{difference} bits for each byte of text that neither has seen. Its tokens are {longer:.1f} times as long: it "
        "reads in larger steps, and a block reaches further back. Nats per token do not compare: longer tokens are "
        "fewer, and each of them is harder to guess."
    )


def _bytes_per_token(run: Run) -> float:
    """How long a token of the training text is."""
    return float(bits.lengths(run.tokenizer)[run.train_tokens].mean())


STOP = Stop(
    "tokens",
    "Tokens instead of characters",
    f"Byte-pair encoding joins the two neighbors that meet most often, again and again, up to {_SIZE:,} tokens. Then "
    "the same model learns the same text from these. Bits per byte say which of the two knows it better.",
    visit,
    needs=("learn",),
)

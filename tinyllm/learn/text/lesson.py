"""What a lesson is written with: ``say``, ``claim``, ``fig``, ``predict`` and ``build``.

A lesson is an ordinary Python script (lessons/FORMAT.md). It runs as ``python lessons/10_attention.py``, through
``tinyllm learn run 10``, in a notebook, and while its page is made; where its words and pictures go is the business of
a ``Sink``, chosen here unless ``into`` names one.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import ClaimError, LearnError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..exercise import Exercise

__all__ = ["Claim", "Question", "Sink", "build", "claim", "current", "fig", "into", "predict", "quick", "say"]


@dataclass(frozen=True)
class Claim:
    """A result that a lesson relies on, and that held.

    Attributes:
        name: what was measured: "reversal accuracy".
        value: as it is shown: "0.9985"; "" for a plain yes, and for a value that comes from a clock.
        bound: what was asked of it: "above 0.99"; "" for a plain yes.
    """

    name: str
    value: str
    bound: str

    @property
    def text(self) -> str:
        """The claim as one line.

        Example:
            >>> Claim("reversal accuracy", "0.9985", "above 0.99").text, Claim("it writes", "", "").text
            ('reversal accuracy: 0.9985 (above 0.99)', 'it writes')
        """
        if not self.value:
            return f"{self.name}: {self.bound}" if self.bound else self.name
        return f"{self.name}: {self.value} ({self.bound})"


@dataclass(frozen=True)
class Question:
    """A question to answer before the lesson does.

    Attributes:
        text: the question.
        choices: the possible answers.
        answer: the index of the right one.
        because: why it is right.
    """

    text: str
    choices: tuple[str, ...]
    answer: int
    because: str


class Sink(Protocol):
    """Where a lesson's words and pictures go: a terminal, a notebook, a page."""

    def say(self, text: str) -> None:
        """Show Markdown."""

    def claim(self, claim: Claim) -> None:
        """Show a claim that held."""

    def fig(self, picture: Figure | Path, alt: str) -> None:
        """Show a picture; ``alt`` says it in words."""

    def predict(self, question: Question) -> None:
        """Ask, or show question and answer."""

    def build(self, exercise: Exercise) -> None:
        """Say what is to be written now, and how it is checked."""


_CHOSEN: ContextVar[Sink | None] = ContextVar("tinyllm_lesson_sink", default=None)


@contextmanager
def into(sink: Sink) -> Iterator[Sink]:
    """Send what a lesson shows to ``sink`` while the block runs."""
    token = _CHOSEN.set(sink)
    try:
        yield sink
    finally:
        _CHOSEN.reset(token)


def current() -> Sink:
    """Return the sink that ``into`` set; otherwise the notebook's, where there is one, or the terminal's."""
    chosen = _CHOSEN.get()
    if chosen is not None:
        return chosen
    from .in_notebook import NotebookSink, in_notebook
    from .in_terminal import TerminalSink

    return NotebookSink() if in_notebook() else TerminalSink.of()


def quick() -> bool:
    """Is this the short run, for tests (TINYLLM_QUICK=1)? Its claims ask for less; pages are made by the full run."""
    return os.environ.get("TINYLLM_QUICK", "").strip().lower() not in ("", "0", "no", "false")


def say(text: str) -> None:
    """Show a paragraph of Markdown that quotes results, so that text and number cannot part.

    Example:
        >>> say(f"A uniform guess over 256 bytes costs {math.log2(256):.0f} bits.")
        A uniform guess over 256 bytes costs 8 bits.
    """
    current().say(_dedent(text))


def claim(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    below: float | None = None,
    near: float | None = None,
    within: float | None = None,
    clock: bool = False,
) -> None:
    """State a result, and stop the lesson when it does not hold.

    Args:
        name: what was measured, in a few words.
        value: one number; or a bool, with no bounds: the claim is then that it is true.
        above: it must be greater than this.
        below: it must be less than this.
        near: it must lie around this ...
        within: ... at most this far away; whole numbers need none, they must be equal.
        clock: the value comes from a clock. Only the bound is shown, so that pages stay the same on every machine.

    Raises:
        ClaimError: it does not hold.
        LearnError: the claim asks for nothing.

    Example:
        >>> claim("bits of a uniform guess", math.log2(256), near=8.0, within=1e-12)
          claim  bits of a uniform guess: 8 (8 to within 1e-12)
        >>> claim("bits of a uniform guess", 7.5, above=7.9)
        Traceback (most recent call last):
            ...
        tinyllm.errors.ClaimError: E-CLAIM "bits of a uniform guess" is 7.5, not above 7.9
    """
    given = {"above": above, "below": below, "near": near}
    bounds = [(word, limit) for word, limit in given.items() if limit is not None]
    number = _number(name, value)
    if isinstance(number, bool):
        if bounds:
            raise LearnError(f'claim "{name}": true or false has no bounds', hint="leave above, below and near out")
        if not number:
            raise ClaimError(f'"{name}" does not hold')
        current().claim(Claim(name, "", ""))
        return
    if not bounds:
        raise LearnError(f'claim "{name}" asks for nothing', hint="give above=, below=, or near= with within=")
    if near is not None and within is None:
        if not (isinstance(number, int) and isinstance(near, int)):
            raise LearnError(f'claim "{name}": near {near} is not a whole number', hint="give within= as well")
        within = 0
    held = (
        (above is None or number > above)
        and (below is None or number < below)
        and (near is None or abs(number - near) <= (within or 0))
    )
    bound = " and ".join(_bound(word, limit, within) for word, limit in bounds)
    if not held:
        raise ClaimError(f'"{name}" is {written(number)}, not {bound}')
    current().claim(Claim(name, "" if clock else written(number), bound))


def fig(picture: Figure | str | os.PathLike[str], alt: str = "") -> None:
    """Show a picture.

    Args:
        picture: a figure of ``viz``, or the path of an SVG or PNG file.
        alt: the picture in words, for those who cannot see it; by default what the figure was made with.

    Raises:
        LearnError: there are no words for it, or the file is not there or no picture.
    """
    if isinstance(picture, (str, os.PathLike)):
        path = Path(picture)
        if path.suffix.lower() not in (".svg", ".png") or not path.is_file():
            raise LearnError(f"fig: {path} is not an SVG or PNG file that is there")
        shown: Figure | Path = path
    else:
        shown = picture
        alt = alt or str(picture.get_label())
    if not alt.strip():
        raise LearnError("fig: the picture has no words", hint='fig(picture, alt="what it shows, in a sentence")')
    current().fig(shown, " ".join(alt.split()))


def predict(question: str, choices: Sequence[str], *, answer: int, because: str) -> None:
    """Ask the reader what will happen, before it does.

    At a terminal the reader answers by number; in tests, in pages and where nobody can type, the recorded answer is
    used. A wrong guess is welcome: it is never counted.

    Args:
        question: one sentence.
        choices: two to five answers.
        answer: the index of the right one.
        because: why it is right; shown after the guess.

    Raises:
        LearnError: the question has no right answer, or nothing to choose from.
    """
    if not 2 <= len(choices) <= 5 or not 0 <= answer < len(choices):
        raise LearnError(f"predict: {len(choices)} choices, of which number {answer} is right", hint="two to five")
    current().predict(Question(_dedent(question), tuple(choices), answer, _dedent(because)))


def build(wanted: str) -> None:
    """Show what an exercise asks for ("10.3"): its stub, its hints, and the command that checks it."""
    from ..exercises import exercise

    current().build(exercise(wanted))


def written(number: float) -> str:
    """Write a number as a claim shows it: whole numbers in full, others to four figures.

    Example:
        >>> [written(x) for x in (124439808, 0.99853, 8.0, 1.5e-10, float("nan"))]
        ['124,439,808', '0.9985', '8', '1.5e-10', 'nan']
    """
    if isinstance(number, int) or (math.isfinite(number) and number == int(number) and abs(number) < 1e15):
        return f"{int(number):,}"
    return f"{number:.4g}"


def _bound(word: str, limit: float, within: float | None) -> str:
    if word != "near":
        return f"{word} {written(limit)}"
    return f"{written(limit)} to within {written(within)}" if within else f"exactly {written(limit)}"


def _number(name: str, value: Any) -> float:
    """A Python number, of a NumPy scalar, a 0-d array or a Tensor of one element."""
    try:
        item = value.item() if hasattr(value, "item") else value
    except ValueError:
        item = None
    if not isinstance(item, (int, float)):
        raise LearnError(f'claim "{name}": {type(value).__name__} is not one number')
    return item


def _dedent(text: str) -> str:
    """Text without the indentation of a triple-quoted string."""
    lines = text.strip("\n").rstrip().split("\n")
    rest = [len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()]
    indent = min(rest, default=0)
    return "\n".join([lines[0].lstrip(), *(line[indent:] for line in lines[1:])])

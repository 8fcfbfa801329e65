"""What a lesson shows, as Markdown that any git host and any notebook draws: claims, questions, exercises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .lesson import Claim, Question

if TYPE_CHECKING:
    from ..exercise import Exercise


def claims_box(claims: Sequence[Claim]) -> str:
    """Write claims that held as a quotation, one line each.

    Example:
        >>> print(claims_box([Claim("accuracy", "0.998", "above 0.99")]))
        > **Holds** accuracy: 0.998 (above 0.99)
    """
    return "\n".join(f"> **Holds** {claim.text}" + "  " * (i + 1 < len(claims)) for i, claim in enumerate(claims))


def question_box(question: Question) -> str:
    """Write a question with numbered choices, and the answer folded below.

    Example:
        >>> print(question_box(Question("Which?", ("this", "that"), 1, "It is.")))
        Which?
        <BLANKLINE>
        1. this
        2. that
        <BLANKLINE>
        <details>
        <summary>Answer</summary>
        <BLANKLINE>
        **2. that.** It is.
        <BLANKLINE>
        </details>
    """
    choices = "\n".join(f"{number}. {choice}" for number, choice in enumerate(question.choices, 1))
    right = f"{question.answer + 1}. {question.choices[question.answer].rstrip('.')}."
    return f"{question.text}\n\n{choices}\n\n{folded('Answer', f'**{right}** {question.because}')}"


def folded(title: str, text: str) -> str:
    """Write a text that a click unfolds."""
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"


def fenced(code: str, language: str = "python") -> str:
    """Write code between fences that are longer than any within it."""
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"


def exercise_box(exercise: Exercise, notebook: bool = False) -> str:
    """Write an exercise: what is to be written, its hints folded, and how it is checked."""
    from ..exercises import lesson_of
    from ..slots.slot import Slot
    from ..slots.stub import stub

    lesson = lesson_of(exercise)
    name = Slot.of(exercise.slot).name
    if notebook:
        how = f'Write it in a cell below `@solve("{exercise.id}")`, or in `my/{lesson.file}`.'
    else:
        how = (
            f"`tinyllm learn start {lesson.number}` puts this into `my/{lesson.file}`; "
            f"`tinyllm learn check {exercise.id}` says what works and what does not yet."
        )
    hints = [folded(f"Hint {level}", hint) for level, hint in enumerate(exercise.hints[:2], 1)]
    hints.append(folded("Hint 3", fenced(exercise.hints[2])))
    head = f"**Exercise {exercise.id}: `{name}`** ({exercise.minutes} minutes). {how}"
    return "\n\n".join([head, fenced(stub(exercise)), *hints])

"""What a check found, as plain data: made in a worker process, sent as JSON, drawn by whoever shows it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Line:
    """One line of a verdict.

    Attributes:
        mark: "ok", "FAIL", or "--" for what was not looked at because of what came before.
        name: what was looked at: "shapes", "dv", "property: rows sum to 1".
        text: the figures: "rel err 2.3   worst at b=0 h=2 t=3 d=5: yours -1.410, numeric -0.425".
        because: for a FAIL, sentences that say which mistake it looks like, most certain first.
        code: the smallest counter-example found, as Python that can be pasted, or "".
    """

    mark: str
    name: str
    text: str = ""
    because: list[str] = field(default_factory=list)
    code: str = ""


@dataclass
class Verdict:
    """The verdict on one function.

    Attributes:
        exercise: its id.
        state: "passed", "failed", or "stub" while it is still the stub.
        lines: in the order they were found.
        where: file and line of the function: "my/l10_attention.py:41".
        seconds: how long the checks took.
        mutant: the index of the mutant it behaves exactly like, or None.
        picture: "yours beside the reference" for ``plot``: {"yours": nested lists, "reference": nested lists,
            "name": str}, or None.
    """

    exercise: str
    state: str
    lines: list[Line] = field(default_factory=list)
    where: str = ""
    seconds: float = 0.0
    mutant: int | None = None
    picture: dict[str, Any] | None = None

    @property
    def passed(self) -> bool:
        """Did every check pass?"""
        return self.state == "passed"

    @property
    def because(self) -> str:
        """The first sentence that says what is wrong; "" when nothing is."""
        return next((sentence for line in self.lines for sentence in line.because), "")

    def as_json(self) -> dict[str, Any]:
        """Return it as what ``json.dumps`` takes.

        Example:
            >>> verdict = Verdict("10.3", "failed", [Line("FAIL", "dq", because=["The sign is wrong."])])
            >>> Verdict.of_json(verdict.as_json()) == verdict
            True
        """
        return asdict(self)

    @classmethod
    def of_json(cls, data: dict[str, Any]) -> Verdict:
        """Make it again from what ``as_json`` returned."""
        return cls(**{**data, "lines": [Line(**line) for line in data["lines"]]})

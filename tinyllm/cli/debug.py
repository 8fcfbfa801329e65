"""``tinyllm debug``: why does this model not learn? A checklist, run on a trained model or on a preset."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .parser import Parser, number
from .patient import Patient, patient_of
from .screen import Screen, say

if TYPE_CHECKING:
    from ..debug import Checklist, Finding, Looked

EXAMPLES = """\
  tinyllm debug runs/notes-1                      the weights of a run, on its own text
  tinyllm debug tour                              a preset of tinyllm train, before its first step
  tinyllm debug tour --lr 0.5                     the same with another learning rate
  tinyllm debug runs/notes-1 --text other.txt     on another text
  tinyllm debug runs/notes-1 --pictures out       also as pictures
  tinyllm debug gpt2/ --text notes.txt            a model from elsewhere, before it is trained further
"""
_STYLES = {"note": "yellow", "fix": "bold red"}
_LONG = 50  # steps that are worth a line of progress


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    parser.add_argument(
        "what", metavar="FOLDER|PRESET", help="a run folder as tinyllm train leaves it, any other model (a folder of "
        "transformers, a GGUF file), or a preset: shakespeare-cpu, modern-cpu, tour, smoke",
    )  # fmt: skip
    parser.add_argument("--text", metavar="FILE", help="take the batch from this text and not from the run's own")
    parser.add_argument("--batch-size", type=number(1, whole=True), metavar="B", help="blocks in the batch")
    parser.add_argument("--block-size", type=number(2, whole=True), metavar="T", help="tokens in a block")
    parser.add_argument("--lr", type=number(0), metavar="RATE", help="learning rate to look at (the run's own; 1e-4)")
    parser.add_argument(
        "--steps", type=number(1, whole=True), default=20, metavar="N", help="steps to watch the updates for (20)"
    )
    parser.add_argument(
        "--overfit-steps", type=number(1, whole=True), default=300, metavar="N",
        help="steps in which one batch must be learned by heart (300)",
    )  # fmt: skip
    parser.add_argument("--seed", type=number(0, whole=True), default=0, metavar="N", help="of the batch (0)")
    parser.add_argument(
        "--which", choices=["best", "latest"], default="best", help="the weights of the lowest validation loss, or the "
        "latest",
    )  # fmt: skip
    parser.add_argument("--pictures", metavar="OUT", help="draw what was measured into this folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object per finding, and one at the end")


def run(args: argparse.Namespace) -> int:
    """Run the checklist; return 1 if something has to be mended."""
    from .. import kernels
    from ..debug import Checklist, checks
    from .compiling import compile_kernels

    screen = Screen.of()
    patient = patient_of(args)
    compile_kernels(screen, silent=args.json, names=kernels.TRAINING)
    if not args.json:
        for about in patient.about:
            for i, line in enumerate(_wrapped(about[8:], screen.width - 8)):
                screen.line((" " * 8 if i else about[:8]) + line)
        screen.line()
    looked: list[Looked] = []
    with Watching(screen, silent=args.json) as watching:
        settings = {"untrained": patient.untrained, "steps": args.steps, "overfit_steps": args.overfit_steps}
        for one in checks(patient.model, patient.x, patient.y, make=patient.make, told=watching.told, **settings):
            looked.append(one)
            for finding in one.findings:
                watching.show(finding)
    done = Checklist(tuple(looked))
    pictures = draw(done, patient, Path(args.pictures)) if args.pictures else []
    counts = {state: sum(f.state == state for f in done.findings) for state in ("ok", "note", "fix")}
    if args.json:
        say(
            json.dumps(
                {"result": done.worst, **counts, "measured": measured(done), "pictures": list(map(str, pictures))}
            )
        )
    else:
        for path in pictures:
            screen.line(f"picture: {path}")
        screen.line(verdict(counts), style="bold")
    return int(done.worst == "fix")


def lines_of(finding: Finding, width: int) -> list[tuple[str, str]]:
    """Write a finding in lines with their styles: what was seen, and where that helps what is usual and what to try.

    Example:
        >>> from tinyllm.debug import Finding
        >>> for line, _ in lines_of(Finding("start", "fix", "the loss is 18", "ln V = 3.4", "smaller weights"), 80):
        ...     print(line)
        FIX  start     the loss is 18
                       usual: ln V = 3.4
                       try:   smaller weights
    """
    lead = f"{finding.state.upper():<5}{finding.check:<10}"
    pad = " " * len(lead)
    first, *others = _wrapped(finding.seen, width - len(lead))
    strong = _STYLES.get(finding.state, "")
    lines = [(lead + first, strong), *((pad + line, strong) for line in others)]
    if finding.state != "ok":
        for word, said, style in (("usual: ", finding.usual, "dim"), ("try:   ", finding.advice, "")):
            for i, line in enumerate(_wrapped(said, width - len(lead) - len(word))):
                lines.append((pad + (" " * len(word) if i else word) + line, style))
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, max(width - 1, 20), break_long_words=False, break_on_hyphens=False) or [""]


def verdict(counts: dict[str, int]) -> str:
    """Say in one line how it stands.

    Example:
        >>> verdict({"ok": 8, "note": 0, "fix": 1})
        '1 to fix, 0 worth a look, 8 fine'
    """
    if counts["fix"]:
        return f"{counts['fix']} to fix, {counts['note']} worth a look, {counts['ok']} fine"
    return f"nothing that keeps it from learning: {counts['ok']} fine, {counts['note']} worth a look"


def measured(done: Checklist) -> dict[str, Any]:
    """Collect what all checks measured as JSON can hold it; what is no number becomes null."""
    from dataclasses import asdict

    return {one.name: _plain(asdict(one.data)) for one in done.looked if one.data is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def draw(done: Checklist, patient: Patient, folder: Path) -> list[Path]:
    """Draw what was measured; return the paths of the pictures."""
    from .. import viz

    made: list[tuple[str, Any]] = []
    about = patient.about[0].removeprefix("model   ")
    if (flow := done.data("flow")) is not None:
        sizes = {p.name: p.rms for p in flow.parameters}
        made.append(("flow", viz.draw_flow(viz.FlowMap(flow.layers, flow.activations, sizes, subtitle=about))))
    if (updates := done.data("updates")) is not None and updates.losses:
        made.append(("updates", viz.draw_updates(viz.UpdateMap(updates.names, updates.log10()))))
    if (units := done.data("units")) is not None and units.layers:
        rows = [(one.layer, one.units, len(one.dead), len(one.saturated)) for one in units.layers]
        layers, counts, dead, bent = zip(*rows, strict=True)
        subtitle = f"watched on {units.positions:,} tokens"
        made.append(("units", viz.draw_units(viz.UnitMap(layers, counts, dead, bent, subtitle=subtitle))))
    if (one := done.data("overfit")) is not None:
        chance = math.log(patient.model.config.vocab_size)
        subtitle = f"{about}; learning rate {one.lr:.1g}"
        curve = viz.OverfitCurve(one.losses, one.floor, chance, one.learned, subtitle=subtitle)
        made.append(("overfit", viz.draw_overfit(curve)))
    return [viz.save(figure, folder / f"{name}.png") for name, figure in made]


class Watching:
    """Prints findings as they come and what goes on in between: a line that is redrawn, or one for each quarter."""

    def __init__(self, screen: Screen, silent: bool) -> None:
        self.screen = screen
        self.console = None if silent or screen.plain else screen.console
        self.silent = silent
        self.said: dict[str, int] = {}
        self.status: Any = None

    def __enter__(self) -> Watching:
        if self.console:  # findings go through the same console, which keeps the redrawn line below them
            self.status = self.console.status("")
            self.status.__enter__()
        return self

    def __exit__(self, *trouble: Any) -> None:
        if self.status:
            self.status.__exit__(*trouble)

    def told(self, what: str, done: int, total: int) -> None:
        """Take note of how far it is."""
        quarter = 4 * done // total
        if self.status:
            self.status.update(f"{what}: {done} of {total}")
        elif not self.silent and total >= _LONG and self.said.get(what, 0) < quarter < 4:
            self.said[what] = quarter
            self.screen.line(f"{what}: {done} of {total}")

    def show(self, finding: Finding) -> None:
        """Print a finding."""
        if self.silent:
            say(json.dumps(vars(finding)))
            return
        for line, style in lines_of(finding, self.screen.width):
            if self.console:
                self.console.print(self.screen.fit(line), style=style or None, soft_wrap=True)
            else:
                self.screen.line(line)

"""The stack map: every stage of a language model as a box, gray where it is the library's, green where it is yours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from .page import attribute, text
from .style import BLACK, GRAY, GREEN, PALE, figure, styled

YOURS = "#A6E3C9"  # behind black letters


@dataclass(frozen=True)
class Stage:
    """One box.

    Attributes:
        name: of the stage: "attention".
        about: what it does, in three or four words.
        lesson: number of the lesson that builds it.
        yours: how many of its functions are the learner's own.
        of: how many there are to write; 0 where the lesson is still to come.
        calls: how often the learner's functions ran in this run.
        link: what a click opens; "" for nothing.
    """

    name: str
    about: str
    lesson: str
    yours: int = 0
    of: int = 0
    calls: int = 0
    link: str = ""

    @property
    def state(self) -> str:
        """What the box says below its name.

        Example:
            >>> Stage("attention", "", "10", yours=2, of=5).state, Stage("sampling", "", "14").state
            ('yours: 2 of 5', 'lesson 14')
        """
        if not self.yours:
            return f"lesson {self.lesson}" + (f", {self.of} to write" if self.of else "")
        calls = f", {self.calls:,} calls" if self.calls else ""
        return ("yours" if self.yours >= self.of else f"yours: {self.yours} of {self.of}") + calls


@dataclass(frozen=True)
class StackMap:
    """The stack, from what a user sees down to what a processor does.

    Attributes:
        layers: (name, stages) of each layer, top first.
        title: of the picture.
        subtitle: one line below the title.
    """

    layers: Sequence[tuple[str, Sequence[Stage]]]
    title: str = "The stack"
    subtitle: str = ""

    @property
    def stages(self) -> list[Stage]:
        """All stages, top first."""
        return [stage for _, stages in self.layers for stage in stages]

    @property
    def words(self) -> str:
        """The map in words."""
        own = [f"{stage.name} ({stage.state})" for stage in self.stages if stage.yours]
        whose = f"Yours: {', '.join(own)}; the rest is the library's." if own else "All of it is the library's."
        layers = "; ".join(f"{name}: {', '.join(stage.name for stage in stages)}" for name, stages in self.layers)
        return f"The stages of a language model as boxes in {len(self.layers)} layers. {layers}. {whose}"


@styled
def draw_stack(stack: StackMap) -> Figure:
    """Draw the map.

    Example:
        >>> fig = draw_stack(StackMap([("model", [Stage("attention", "who reads whom", "10", yours=5, of=5)])]))
        >>> [words.get_text() for words in fig.axes[0].texts]
        ['model', 'attention', 'who reads whom', 'yours']
    """
    rows = max(len(stack.layers), 1)
    fig = figure(0.8 + 0.83 * rows, stack.title, stack.subtitle, alt=stack.words)
    ax = fig.subplots()
    ax.set_axis_off()
    ax.set_xlim(0, 8)
    ax.set_ylim(-0.83 * rows, 0)
    for row, (name, stages) in enumerate(stack.layers):
        top = -0.83 * row
        ax.text(0.0, top - 0.36, name, fontsize=10, fontweight="bold", color=GRAY, va="center")
        width = 6.9 / max(len(stages), 1)
        for column, stage in enumerate(stages):
            _box(ax, stage, 1.08 + column * width, top - 0.70, width - 0.1, 0.66)
    return fig


def _box(ax: Axes, stage: Stage, left: float, bottom: float, width: float, height: float) -> None:
    own = stage.yours > 0
    shape = "round,pad=0,rounding_size=0.06"
    box = FancyBboxPatch((left, bottom), width, height, boxstyle=shape, facecolor=PALE, edgecolor="none")
    ax.add_patch(box)
    if own:
        share = min(stage.yours / max(stage.of, 1), 1.0)
        part = Rectangle((left, bottom), width * share, height, facecolor=YOURS, edgecolor="none")
        ax.add_patch(part)
        part.set_clip_path(box)
        edge = FancyBboxPatch((left, bottom), width, height, boxstyle=shape, fill=False, edgecolor=GREEN, linewidth=2)
        ax.add_patch(edge)
    middle = left + width / 2
    ink = BLACK if own else GRAY
    ax.text(middle, bottom + 0.50, stage.name, fontsize=9, fontweight="bold", ha="center", va="center", color=BLACK)
    ax.text(middle, bottom + 0.31, stage.about, fontsize=7.4, ha="center", va="center", color=ink)
    ax.text(middle, bottom + 0.13, stage.state, fontsize=7.4, ha="center", va="center", color=ink,
            fontweight="bold" if own else "normal")  # fmt: skip


def stack_lines(stack: StackMap, width: int = 80, unicode: bool = True) -> list[str]:
    """Write the map for a terminal, a stage a line, with a bar for what is yours.

    Example:
        >>> stage = Stage("attention", "who reads whom", "10", yours=2, of=5)
        >>> print(*stack_lines(StackMap([("model", [stage])])), sep="\\n")
        model
          ██░░░  attention          yours: 2 of 5
    """
    full, empty, none = ("█", "░", "·") if unicode else ("#", "-", ".")
    lines = []
    for name, stages in stack.layers:
        lines.append(name)
        for stage in stages:
            most = min(stage.of, 5)
            done = most * stage.yours // stage.of if stage.of else 0
            bar = (full * done + empty * (most - done)) or none
            lines.append(f"  {bar:<5}  {stage.name:<18} {stage.state}"[:width].rstrip())
    return lines


_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.4 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:1.5rem}
h1{font-size:1.5rem;margin:0}p{opacity:.8;margin:.2rem 0 1rem}
section{display:flex;flex-wrap:wrap;gap:.5rem;align-items:stretch;margin:.5rem 0}
h2{font-size:.95rem;width:6.5rem;margin:0;align-self:center;opacity:.8}
a,span.box{flex:1 1 8rem;border-radius:.5rem;padding:.45rem .5rem;text-align:center;color:inherit;text-decoration:none;
background:#8883;border:2px solid transparent}
a:hover,a:focus-visible{border-color:currentColor}
.own{background:#A6E3C9;color:#000;border-color:#009E73}
b{display:block}small{display:block}
"""


def stack_page(stack: StackMap) -> str:
    """Write the map as one HTML file; a stage with a link opens it."""
    rows = []
    for name, stages in stack.layers:
        boxes = "".join(_html_box(stage) for stage in stages)
        rows.append(f"<section><h2>{text(name)}</h2>{boxes}</section>")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text(stack.title)}</title>
<style>{_STYLE}</style></head>
<body>
<h1>{text(stack.title)}</h1>
<p>{text(stack.subtitle)}</p>
{chr(10).join(rows)}
</body></html>
"""


def _html_box(stage: Stage) -> str:
    inner = f"<b>{text(stage.name)}</b><small>{text(stage.about)}</small><small>{text(stage.state)}</small>"
    kind = "box own" if stage.yours else "box"
    if stage.link:
        return f'<a class="{kind}" href="{attribute(stage.link)}">{inner}</a>'
    return f'<span class="{kind}">{inner}</span>'

"""The look of every picture: colors that color-blind readers can tell apart, font sizes, and files that never vary.

Lines and marks use the palette of Okabe and Ito; amounts use cividis. Whatever color says, a shape, a label or a line
style says as well. A picture is 8 inches wide at 100 dots per inch: 800 pixels.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from ..errors import ConfigError

P = ParamSpec("P")

# Okabe and Ito, "Color Universal Design" (2008)
BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
GRAY = "#5F5F5F"
PALE = "#E8E8E8"

AMOUNTS = "cividis"
WIDTH = 8.0
FORMATS = ("png", "svg", "pdf")

_LOOK: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "grid.color": PALE,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.parse_math": False,  # a token may hold a dollar sign
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "svg.hashsalt": "tinyllm",  # element names in an SVG do not change from run to run
    "path.simplify": True,
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a drawing function under the look of this file, whatever the user's own settings are."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_LOOK, "backend": matplotlib.rcParams["backend"]}):
            return draw(*args, **kwargs)

    return drawn


def figure(height: float, title: str, subtitle: str = "", alt: str = "") -> Figure:
    """Make an empty figure with its title at the top left.

    Args:
        height: in inches; the width is always 8.
        title: what the picture shows.
        subtitle: one gray line below the title.
        alt: the picture in words, for those who cannot see it; ``save`` writes it into the file.
    """
    fig = Figure(figsize=(WIDTH, height), layout="constrained")
    top = 1 - (0.58 if subtitle else 0.36) / height  # inches kept free for the two lines of text
    fig.get_layout_engine().set(rect=(0, 0, 1, top), w_pad=0.06, h_pad=0.06)  # type: ignore[union-attr,call-arg]
    fig.text(0.012, 1 - 0.10 / height, title, fontsize=13, fontweight="bold", va="top")
    if subtitle:
        fig.text(0.012, 1 - 0.36 / height, subtitle, fontsize=9.5, color=GRAY, va="top")
    fig.set_label(alt or title)
    return fig


def note(ax: Axes, text: str) -> None:
    """Write a gray line in the middle of axes that have nothing to show."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=GRAY)


def ink_on(share: float) -> str:
    """Return the ink that can be read on the color of an amount, a share of the scale from 0 to 1.

    Example:
        >>> ink_on(0.1), ink_on(0.9)
        ('white', 'black')
    """
    red, green, blue, _ = matplotlib.colormaps[AMOUNTS](min(max(share, 0.0), 1.0))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.45 else "white"


def save(fig: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure to a file, the same bytes every time; the ending of the name chooses the format.

    The file is complete or not there: it is written beside its place and then moved.

    Args:
        fig: what a drawing function returned.
        path: a name that ends in .png, .svg or .pdf; missing folders are made.

    Returns:
        The path.

    Raises:
        ConfigError: the name ends in something else.
        OSError: the file cannot be written.
    """
    target = Path(path)
    kind = target.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ConfigError(f"save: {target.name} does not end in the name of a format", hint=" or ".join(FORMATS))
    alt = fig.get_label()
    metadata: dict[str, Any] = {
        "png": {"Software": None, "Description": alt},
        "svg": {"Date": None, "Creator": None, "Description": alt},
        "pdf": {"CreationDate": None, "Producer": None, "Creator": None, "Subject": alt},
    }[kind]
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with matplotlib.rc_context(_LOOK):
            fig.savefig(partial, format=kind, metadata=metadata)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def visible(token: str, longest: int = 10) -> str:
    r"""Write a token so that it can be seen and drawn: blanks and line ends as signs, what the font lacks by number.

    Example:
        >>> visible(" the"), visible("\n"), visible("\x07"), visible("")
        ('·the', '⏎', '\\x07', '∅')
    """
    if not token:
        return "∅"
    shown = "".join(_sign(letter) for letter in token)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def _sign(letter: str) -> str:
    if letter in _SIGNS:
        return _SIGNS[letter]
    code = ord(letter)
    if letter.isprintable() and _in_font(code):
        return letter
    return f"\\x{code:02x}" if code < 256 else f"U+{code:04X}"


_SIGNS = {" ": "·", "\n": "⏎", "\t": "→", "\r": "␍"}


@functools.cache
def _in_font(code: int) -> bool:
    return bool(get_font(findfont(FontProperties(family=_LOOK["font.family"]))).get_char_index(code))

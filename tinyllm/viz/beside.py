"""The side-by-side picture: two arrays that should be equal, and where they are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..errors import ShapeError
from .style import AMOUNTS, VERMILION, figure, note, styled

WINDOW = 40  # rows and columns beyond this cannot be told apart in a third of 800 pixels
_WRITTEN = 8  # up to so many rows and columns the numbers stand in the cells


@dataclass(frozen=True)
class Beside:
    """Two arrays.

    Attributes:
        yours: what a function returned; of any shape.
        reference: what it should have returned.
        name: of the value: "dq".
        title: of the picture.
    """

    yours: np.ndarray[Any, Any]
    reference: np.ndarray[Any, Any]
    name: str = ""
    title: str = "Yours beside the reference"

    def slices(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], str]:
        """Return both as matrices, and which slice of a larger array they are: the one with the worst entry.

        Example:
            >>> ones = np.ones((2, 3, 4))
            >>> worst = ones.copy(); worst[1, 2, 0] = 5.0
            >>> yours, reference, where = Beside(worst, ones).slices()
            >>> yours.shape, where
            ((3, 4), '[1]')
        """
        a, b = np.asarray(self.yours, dtype=float), np.asarray(self.reference, dtype=float)
        if a.shape != b.shape or a.ndim <= 2:
            return _matrix(a), _matrix(b), ""
        wrong = np.where(np.isfinite(a - b), np.abs(a - b), np.inf)
        place = np.unravel_index(int(np.argmax(wrong)), wrong.shape)[:-2]
        return a[place], b[place], f"[{', '.join(map(str, place))}]"


@styled
def draw_beside(data: Beside) -> Figure:
    """Draw both on one scale of color, and their difference where the shapes agree; entries that differ are framed.

    Raises:
        ShapeError: there is nothing to draw.
    """
    if not np.size(data.yours) and not np.size(data.reference):
        raise ShapeError("draw_beside: both arrays are empty")
    yours, reference, where = data.slices()
    same = yours.shape == reference.shape
    wrong = ~np.isclose(yours, reference, rtol=1e-6, atol=1e-9) if same else None
    text = _in_words(data, wrong, where)
    rows = min(max(len(yours), len(reference)), WINDOW)
    fig = figure(1.6 + min(max(rows, 3) * 0.28, 4.2), data.title, f"{data.name}{where}: {text}".strip(": "), alt=text)
    axes = fig.subplots(1, 3 if same else 2, squeeze=False)[0]
    finite = np.concatenate([part[np.isfinite(part)].ravel() for part in (yours, reference)])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    for ax, part, name in zip(axes, (yours, reference), ("yours", "reference"), strict=False):
        _cells(ax, part, f"{name} {part.shape}", low, high, wrong if name == "yours" else None)
    if same:
        _cells(axes[2], yours - reference, "yours - reference", None, None, None)
    return fig


def _cells(ax: Any, part: np.ndarray[Any, Any], title: str, low: Any, high: Any, wrong: Any) -> None:
    ax.set_title(title, loc="left")
    ax.grid(False)
    ax.set_xticks([])
    ax.set_yticks([])
    part = part[:WINDOW, :WINDOW]
    if not part.size:
        note(ax, "empty")
        return
    image = ax.imshow(np.ma.masked_invalid(part), cmap=AMOUNTS, vmin=low, vmax=high, aspect="auto")
    middle = (image.norm.vmin + image.norm.vmax) / 2
    if part.shape[0] <= _WRITTEN * 2 and part.shape[1] <= _WRITTEN:
        for (i, j), value in np.ndenumerate(part):
            color = "white" if np.isfinite(value) and value < middle else "black"
            ax.text(j, i, f"{value:.2g}", ha="center", va="center", fontsize=7, color=color)
    if wrong is not None:
        for i, j in zip(*np.nonzero(wrong[:WINDOW, :WINDOW]), strict=True):
            ax.plot([j - 0.5, j + 0.5, j + 0.5, j - 0.5, j - 0.5], [i - 0.5, i - 0.5, i + 0.5, i + 0.5, i - 0.5],
                    color=VERMILION, linewidth=1.2)  # fmt: skip


def _matrix(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array.reshape(-1, array.shape[-1]) if array.ndim >= 2 else np.atleast_2d(array)


def _in_words(data: Beside, wrong: Any, where: str) -> str:
    if wrong is None:
        return f"yours has shape {np.shape(data.yours)}, the reference {np.shape(data.reference)}"
    if not wrong.any():
        return "every entry agrees"
    return f"{int(wrong.sum())} of {wrong.size} entries differ" + (" in this slice" if where else "")

"""The map panel: tokens as points, laid out in one way or another, each with those whose vectors are most like its."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import NaNError, ShapeError
from .panel import Panel
from .style import visible

Array = np.ndarray[Any, Any]

_STYLE = """
.points{position:relative;width:min(100%,44rem);aspect-ratio:4/3;border:1px solid var(--line)}
.points button{position:absolute;transform:translate(-50%,-50%);border:0;background:none;padding:0 .15em;cursor:pointer;
font:12px/1.2 ui-monospace,"DejaVu Sans Mono",monospace;border-radius:.2rem}
.points .near{background:rgba(0,114,178,.25)}
.points .on{background:var(--hot);color:#fff;z-index:1}
"""

_SCRIPT = """
(data, part, find) => {
  const box = find("points"), layout = find("layout");
  Object.keys(data.layouts).forEach((name) => layout.append(new Option(name, name)));
  const buttons = data.labels.map((label) => {
    const made = make("button", label);
    made.type = "button";
    return made;
  });
  box.append(...buttons);
  const place = () => data.layouts[layout.value].forEach(([x, y], i) => {
    buttons[i].style.left = `${4 + 92 * x}%`;
    buttons[i].style.top = `${96 - 92 * y}%`;
  });
  const choose = row(buttons, (chosen) => {
    const near = data.near[chosen];
    buttons.forEach((button, i) => {
      button.classList.toggle("on", i === chosen);
      button.classList.toggle("near", near.some(([j]) => j === i));
      button.tabIndex = i === chosen ? 0 : -1;
    });
    find("said").textContent = `Most like ${data.labels[chosen]}: ` +
      near.map(([j, cosine]) => `${data.labels[j]} (${cosine.toFixed(2)})`).join(", ") + ".";
  });
  buttons.forEach((button, i) => button.addEventListener("mouseenter", () => choose(i)));
  layout.addEventListener("change", place);
  place();
  choose(0);
}
"""


@dataclass(frozen=True)
class TokenMap:
    """Tokens as points.

    Attributes:
        labels: the N tokens as text.
        layouts: name of a layout -> (N, 2) where each point lies.
        near: (N, k) the points whose vectors are most like each one's, the most like first.
        likeness: (N, k) the cosines.
    """

    labels: Sequence[str]
    layouts: Mapping[str, Array]
    near: Array
    likeness: Array

    def __post_init__(self) -> None:
        N = len(self.labels)
        for name, points in self.layouts.items():
            if np.shape(points) != (N, 2):
                raise ShapeError(f"TokenMap: the layout {name} is {np.shape(points)}, not (N={N}, 2)")
            if not np.isfinite(points).all():
                raise NaNError(f"TokenMap: a point of {name} is NaN or infinite", hint="leave that layout out")
        if not self.layouts or np.shape(self.near) != np.shape(self.likeness) or len(self.near) != N:
            raise ShapeError(f"TokenMap: near {np.shape(self.near)}, likeness {np.shape(self.likeness)} for N={N}")


def map_panel(data: TokenMap) -> Panel:
    """Return the panel; it opens with the first layout.

    Example:
        >>> near, likeness = np.array([[1], [0]]), np.array([[0.5], [0.5]])
        >>> map_panel(TokenMap(["a", "b"], {"PCA": np.array([[0, 2], [4, 1]])}, near, likeness)).data["layouts"]
        {'PCA': [[0.0, 1.0], [1.0, 0.0]]}
    """
    body = """
<p>Each token is a vector; here they are laid out in two dimensions. Point at one, or move with the arrow keys: blue are
those whose vectors point the same way in all dimensions.</p>
<form><label>layout <select data-is="layout"></select></label></form>
<p class="said" data-is="said" aria-live="polite"></p>
<div class="points" data-is="points" role="group" aria-label="tokens"></div>
"""
    near = [
        [[int(j), round(float(c), 3)] for j, c in zip(js, cs, strict=True)]
        for js, cs in zip(data.near, data.likeness, strict=True)
    ]
    held = {
        "labels": [visible(label) for label in data.labels],
        "layouts": {name: _fitted(np.asarray(points, np.float64)) for name, points in data.layouts.items()},
        "near": near,
    }
    return Panel("map", "Embedding", body, _SCRIPT, _STYLE, held)


def _fitted(points: Array) -> list[list[float]]:
    """Stretch points to the square from 0 to 1."""
    low, high = points.min(axis=0), points.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    fitted: list[list[float]] = np.round((points - low) / span, 4).tolist()
    return fitted

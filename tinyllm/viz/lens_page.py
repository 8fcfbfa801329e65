"""The lens panel: what each layer would say after each token, and behind every cell its likeliest words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ShapeError
from .panel import Panel
from .style import visible

WINDOW = 24  # columns

_STYLE = """
.lens{border-collapse:separate;border-spacing:1px;font:13px/1.3 ui-monospace,"DejaVu Sans Mono",monospace}
.lens th{font-weight:400;text-align:right;padding:.1rem .5rem;white-space:nowrap;opacity:.8}
.lens thead th{text-align:center;font-weight:700;opacity:1}
.lens button{border:0;width:100%;min-width:3.2em;padding:.25rem .2rem;font:inherit;cursor:pointer;background:#8881}
.lens button.on{outline:3px solid var(--hot);outline-offset:-2px}
.wide-table{overflow-x:auto}
"""

_SCRIPT = """
(data, part, find) => {
  const last = data.words.length - 1, cells = [];
  const show = (layer, place) => {
    cells.flat().forEach((cell) => cell.classList.remove("on"));
    cells[layer][place].classList.add("on");
    const name = layer ? `layer ${layer - 1}` : "the embedding";
    find("said").textContent = `After ${data.tokens[place]} ${name} would say ` + data.words[layer][place]
      .map((word, i) => `${word} (${(100 * data.probabilities[layer][place][i]).toFixed(1)} %)`).join(", ") + ".";
  };
  data.tokens.forEach((token) => find("head").append(make("th", token)));
  for (let layer = last; layer >= 0; layer -= 1) {
    const line = make("tr");
    line.append(make("th", layer ? `layer ${layer - 1}` : "embedding"));
    cells[layer] = data.tokens.map((_, place) => {
      const cell = make("td"), button = make("button", data.words[layer][place][0]);
      const p = data.probabilities[layer][place][0];
      button.type = "button";
      button.style.background = `rgba(0,114,178,${p.toFixed(3)})`;
      button.style.color = p > 0.6 ? "#fff" : "";
      button.style.fontWeight = data.words[layer][place][0] === data.words[last][place][0] ? "700" : "";
      button.setAttribute("aria-label", `${button.textContent}, ${(100 * p).toFixed(0)} percent`);
      ["focus", "mouseenter", "click"].forEach((name) => button.addEventListener(name, () => show(layer, place)));
      button.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] }[event.key];
        const to = step && cells[layer + step[0]] && cells[layer + step[0]][place + step[1]];
        if (!to) return;
        event.preventDefault();
        to.focus();
      });
      cell.append(button);
      line.append(cell);
      return button;
    });
    find("body").append(line);
  }
  show(last, data.tokens.length - 1);
}
"""


@dataclass(frozen=True)
class LensWords:
    """What each layer would say.

    Attributes:
        tokens: the T tokens of the text.
        words: for each layer, first the embedding, and each token the k likeliest next tokens, the likeliest first.
        probabilities: (layers, T, k) theirs.
    """

    tokens: Sequence[str]
    words: Sequence[Sequence[Sequence[str]]]
    probabilities: np.ndarray[Any, Any]

    def __post_init__(self) -> None:
        shape = np.shape(self.probabilities)
        rows = {(len(row), len(words)) for row in self.words for words in row}
        if len(shape) != 3 or 0 in shape or rows != {shape[1:]} or (len(self.words), len(self.tokens)) != shape[:2]:
            raise ShapeError(
                f"LensWords: probabilities {shape}, not (layers, T, k) for {len(self.words)} rows and "
                f"T={len(self.tokens)} tokens"
            )


def lens_panel(data: LensWords) -> Panel:
    """Return the panel; past 24 tokens the last 24 are in it.

    Example:
        >>> lens_panel(LensWords(["a"], [[["x"]], [["b"]]], np.array([[[0.2]], [[0.9]]]))).data["words"]
        [[['x']], [['b']]]
    """
    held = {
        "tokens": [visible(token) for token in data.tokens[-WINDOW:]],
        "words": [[[visible(word) for word in words] for words in row[-WINDOW:]] for row in data.words],
        "probabilities": np.round(data.probabilities[:, -WINDOW:], 4).tolist(),
    }
    body = """
<p>Every layer adds to one vector, which the head can read at any height. Each cell says what the model would, if that
layer were its last; bold is what it says in the end. Point at a cell, or move with the arrow keys.</p>
<p class="said" data-is="said" aria-live="polite"></p>
<div class="wide-table"><table class="lens"><thead><tr data-is="head"><th></th></tr></thead><tbody data-is="body">
</tbody></table></div>
"""
    return Panel("lens", "Logit lens", body, _SCRIPT, _STYLE, held)

"""The dependency picture as one HTML file: point at an entry and see what it feeds, or at a result and see its sources.

Nothing is loaded from anywhere (``page`` sees to that), and every cell is a button: the Tab key reaches all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ShapeError
from .dependency import Feeds
from .page import page, text

_STYLE = """
:root{color-scheme:light dark;--line:#8884}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1.2rem}
h1{font-size:1.3rem;margin:0 0 .2rem}h2{font:600 1rem ui-monospace,"DejaVu Sans Mono",monospace;margin:1.2rem 0 .3rem}
p{margin:.1rem 0 .8rem;opacity:.85;font-size:.9rem}
.pair{display:flex;flex-wrap:wrap;gap:3rem;align-items:center}
figure{margin:0}figcaption{font-size:.8rem;opacity:.8}
.grid{display:grid;gap:3px;justify-content:start}
.grid button{font:15px/1 ui-monospace,"DejaVu Sans Mono",monospace;color:inherit;width:2.4rem;height:2.4rem;
border:1px solid var(--line);border-radius:.2rem;background:#8882;padding:0;cursor:pointer}
.grid .asked{outline:3px solid #D55E00;font-weight:700}
.grid .fed{background:#0072B2;color:#fff;outline:2px dashed #D55E00}
.said{min-height:1.5rem}
"""

_SCRIPT = """
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const make = (name, kind, text) => {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
};
const place = (i, shape) => {
  const found = [];
  for (const n of [...shape].reverse()) { found.unshift(i % n); i = Math.floor(i / n); }
  return `[${found.join(", ")}]`;
};
for (const one of data.rows) {
  const columns = one.feeds[0].length;
  const uses = one.feeds.map((row) => row.reduce((a, b) => a + b, 0));
  const sources = Array.from({ length: columns }, (_, j) => one.feeds.reduce((a, row) => a + row[j], 0));
  const said = make("p", "said"), pair = make("div", "pair"), cells = [];
  said.setAttribute("aria-live", "polite");
  const ask = (side, i) => {
    const other = 1 - side;
    const linked = (j) => (side ? one.feeds[j][i] : one.feeds[i][j]) === 1;
    cells[side].forEach((cell, j) => { cell.className = j === i ? "asked" : ""; });
    cells[other].forEach((cell, j) => { cell.className = linked(j) ? "fed" : ""; });
    const tied = cells[other].map((_, j) => j).filter(linked);
    const names = tied.map((j) => one.names[other] + place(j, one.shapes[other]));
    const verb = side ? "is made of" : "feeds";
    said.textContent = `${one.names[side]}${place(i, one.shapes[side])} ${verb} ${names.join(", ") || "nothing"}.`;
  };
  [uses, sources].forEach((counts, side) => {
    const figure = make("figure"), grid = make("div", "grid"), shape = one.shapes[side];
    grid.style.gridTemplateColumns = `repeat(${shape[shape.length - 1] || 1}, auto)`;
    cells[side] = counts.map((count, i) => {
      const cell = make("button", "", count);
      cell.type = "button";
      cell.setAttribute("aria-label", `${one.names[side]}${place(i, shape)}, ${count}`);
      ["mouseenter", "focus", "click"].forEach((name) => cell.addEventListener(name, () => ask(side, i)));
      return cell;
    });
    grid.append(...cells[side]);
    figure.append(grid, make("figcaption", "", `${one.names[side]} (${shape.join(", ")})`));
    pair.append(figure);
  });
  document.querySelector("main").append(make("h2", "", one.label), pair, said);
  ask(0, one.chosen);
}
"""


def dependency_page(data: Sequence[Feeds], title: str = "How often every number is used") -> str:
    """Return the picture as one HTML page.

    Raises:
        ShapeError: there is nothing to draw.

    Example:
        >>> html = dependency_page([Feeds("y = x + x", "x", "y", np.eye(3, dtype=bool), (3,), (1,))])
        >>> "y = x + x" in html, "https://" in html
        (True, False)
    """
    if not data:
        raise ShapeError("dependency_page: there is nothing to draw", hint="at least one Feeds")
    rows = []
    for one in data:
        table = one.feeds.reshape(one.uses().size, -1).astype(int)
        chosen = int(np.ravel_multi_index(one.chosen, one.shape)) if one.shape else 0
        rows.append(
            {
                "label": one.label,
                "names": [one.source, one.target],
                "shapes": [list(one.shape), list(one.result)],
                "feeds": table.tolist(),
                "chosen": chosen,
            }
        )
    body = f"""<main>
<h1>{text(title)}</h1>
<p>In each cell: how many cells of the other side it is tied to. Point at one, on either side, or go there with the Tab
key. On the way back the gradient takes the same ties in the other direction, and adds up where several meet.</p>
</main>"""
    return page(title, body, {"rows": rows}, _STYLE, _SCRIPT)

"""The attention explorer: one HTML file with every layer and head, where a token shows what it looks at.

Nothing is loaded from anywhere (``page`` sees to that). It works with a mouse, with a finger, and with keys alone: the
tokens are buttons, and the arrow keys go from one query to the next. Past 64 tokens the last 64 are in it.
"""

from __future__ import annotations

import numpy as np

from .attention import AttentionMaps
from .page import page, text
from .style import visible

_STYLE = """
:root{color-scheme:light dark;--line:#8884}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1.2rem}
h1{font-size:1.3rem;margin:0 0 .2rem}p{margin:.1rem 0 .8rem;opacity:.85;font-size:.9rem}
form{display:flex;flex-wrap:wrap;gap:1.2rem;align-items:center;margin-bottom:.8rem}
button,select{font:inherit;color:inherit}
select{background:Canvas;border:1px solid var(--line);border-radius:.2rem;padding:.1rem .3rem}
#tokens{display:flex;flex-wrap:wrap;gap:3px;font:15px/1.4 ui-monospace,"DejaVu Sans Mono",monospace}
#tokens button{border:1px solid var(--line);border-radius:.2rem;background:none;padding:.2rem .4rem;cursor:pointer;
min-width:2em;display:grid;justify-items:center}
#tokens small{font-size:.65rem;opacity:.8}
#tokens .hidden{opacity:.35}
button.query{outline:3px solid #D55E00;outline-offset:-1px;font-weight:700}
#said{min-height:3rem;margin:.8rem 0}
#map{display:grid;gap:1px;max-width:min(100%,40rem);cursor:crosshair;touch-action:none}
#map span{aspect-ratio:1;background:#8881}
#map .row{outline:1px solid #D55E00}
"""

_SCRIPT = """
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const make = (name, text) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return made;
};
const layer = find("layer"), head = find("head"), count = data.tokens.length;
const blue = (share) => `rgba(0,114,178,${Math.min(1, share).toFixed(3)})`;
let query = count - 1;
const weights = () => data.maps[layer.value][head.value];
data.maps.forEach((heads, i) => layer.append(new Option(i, i)));
const heads = () => {
  const kept = Math.min(head.value || 0, data.maps[layer.value].length - 1);
  head.replaceChildren(...data.maps[layer.value].map((_, i) => new Option(i, i)));
  head.value = kept;
};
const buttons = data.tokens.map((token, i) => {
  const made = make("button", token);
  made.type = "button";
  made.append(make("small", ""));
  ["mouseenter", "focus", "click"].forEach((name) => made.addEventListener(name, () => show(i)));
  return made;
});
find("tokens").append(...buttons);
const grid = find("map");
grid.style.gridTemplateColumns = `repeat(${count}, 1fr)`;
const cells = Array.from({ length: count * count }, () => make("span"));
grid.append(...cells);
const paint = () => {
  const w = weights();
  cells.forEach((cell, i) => {
    const share = w[Math.floor(i / count)][i % count];
    cell.style.background = share < 0.005 ? "" : blue(share);
  });
  show(query);
};
const show = (chosen) => {
  query = chosen;
  const row = weights()[query];
  buttons.forEach((button, i) => {
    button.style.background = row[i] < 0.005 ? "" : blue(row[i]);
    button.style.color = row[i] > 0.6 ? "#fff" : "";
    button.lastChild.textContent = row[i] >= 0.005 ? row[i].toFixed(2) : "";
    button.classList.toggle("query", i === query);
    button.classList.toggle("hidden", data.causal && i > query);
    button.setAttribute("aria-label", `${data.tokens[i]}, position ${i}, weight ${row[i].toFixed(2)}`);
  });
  cells.forEach((cell, i) => cell.classList.toggle("row", Math.floor(i / count) === query));
  const most = row.map((share, i) => [share, i]).filter(([share]) => share >= 0.005);
  most.sort((a, b) => b[0] - a[0]);
  find("said").textContent = `${data.tokens[query]} at position ${query} takes ` +
    most.slice(0, 3).map(([share, i]) => `${share.toFixed(2)} from ${data.tokens[i]} at ${i}`).join(", ") + ".";
};
grid.addEventListener("pointermove", (event) => {
  const place = cells.indexOf(event.target);
  if (place >= 0) show(Math.floor(place / count));
});
find("tokens").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1, Home: -count, End: count }[event.key];
  if (!step) return;
  event.preventDefault();
  buttons[Math.max(0, Math.min(count - 1, query + step))].focus();
});
layer.addEventListener("change", () => { heads(); paint(); });
head.addEventListener("change", paint);
layer.value = data.chosen[0];
heads();
head.value = data.chosen[1];
paint();
"""


def attention_page(data: AttentionMaps) -> str:
    """Return the explorer as one HTML page: choose a layer and a head, point at a token.

    It opens at the head that looks at few tokens at a time, and at the last token.

    Example:
        >>> html = attention_page(AttentionMaps([np.eye(3)[None]], ["a", "b", "c"]))
        >>> "https://" in html, "<select" in html
        (False, True)
    """
    total = len(data.tokens)
    data = data.last()
    tokens = [visible(token) for token in data.tokens]
    shown = f"the last {len(tokens)} of {total} tokens" if len(tokens) < total else f"{total} tokens"
    maps = [np.round(array, 3).tolist() for array in data.maps]
    causal = not any(np.triu(array, 1).any() for array in data.maps)
    body = f"""<main>
<h1>{text(data.title)}</h1>
<p>{shown}. Point at a token, or move with the arrow keys: the bluer another token, the more it takes from there.
Below, one row for every token that looks and one column for every token looked at.</p>
<form><label>layer <select id="layer"></select></label><label>head <select id="head"></select></label></form>
<div id="tokens" role="group" aria-label="tokens"></div>
<p id="said" aria-live="polite"></p>
<div id="map" aria-hidden="true"></div>
</main>"""
    held = {"tokens": tokens, "maps": maps, "causal": causal, "chosen": list(data.sharpest())}
    return page(data.title, body, held, _STYLE, _SCRIPT)

"""The attention explorer: one HTML file with every layer and head, where a token shows what it looks at.

Nothing is loaded from anywhere (``page`` sees to that). It works with a mouse, with a finger, and with keys alone: the
tokens are buttons, and the arrow keys go from one query to the next. Past 64 tokens the last 64 are in it.
"""

from __future__ import annotations

import numpy as np

from .attention import AttentionMaps
from .panel import Panel, panels_page
from .style import visible

_STYLE = """
.tokens small{font-size:.65rem;opacity:.8}
.tokens .hidden{opacity:.35}
button.query{outline:3px solid var(--hot);outline-offset:-1px;font-weight:700}
.map{display:grid;gap:1px;max-width:min(100%,40rem);cursor:crosshair;touch-action:none}
.map span{aspect-ratio:1;background:#8881}
.map .row{outline:1px solid var(--hot)}
"""

_SCRIPT = """
(data, part, find) => {
  const layer = find("layer"), head = find("head"), count = data.tokens.length, grid = find("map");
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
    made.addEventListener("mouseenter", () => choose(i));
    return made;
  });
  find("tokens").append(...buttons);
  grid.style.gridTemplateColumns = `repeat(${count}, 1fr)`;
  const cells = Array.from({ length: count * count }, () => make("span"));
  grid.append(...cells);
  const show = (chosen) => {
    query = chosen;
    const shares = weights()[query];
    buttons.forEach((button, i) => {
      button.style.background = shares[i] < 0.005 ? "" : blue(shares[i]);
      button.style.color = shares[i] > 0.6 ? "#fff" : "";
      button.lastChild.textContent = shares[i] >= 0.005 ? shares[i].toFixed(2) : "";
      button.classList.toggle("query", i === query);
      button.classList.toggle("hidden", data.causal && i > query);
      button.setAttribute("aria-label", `${data.tokens[i]}, position ${i}, weight ${shares[i].toFixed(2)}`);
    });
    cells.forEach((cell, i) => cell.classList.toggle("row", Math.floor(i / count) === query));
    const most = shares.map((share, i) => [share, i]).filter(([share]) => share >= 0.005);
    most.sort((a, b) => b[0] - a[0]);
    find("said").textContent = `${data.tokens[query]} at position ${query} takes ` +
      most.slice(0, 3).map(([share, i]) => `${share.toFixed(2)} from ${data.tokens[i]} at ${i}`).join(", ") + ".";
  };
  const choose = row(buttons, show);
  const paint = () => {
    const w = weights();
    cells.forEach((cell, i) => {
      const share = w[Math.floor(i / count)][i % count];
      cell.style.backgroundImage = share < 0.005 ? "" : `linear-gradient(${blue(share)},${blue(share)})`;
    });
    show(query);
  };
  grid.addEventListener("pointermove", (event) => {
    const place = cells.indexOf(event.target);
    if (place >= 0) choose(Math.floor(place / count));
  });
  layer.addEventListener("change", () => { heads(); paint(); });
  head.addEventListener("change", paint);
  layer.value = data.chosen[0];
  heads();
  head.value = data.chosen[1];
  choose(query);
  paint();
}
"""


def attention_page(data: AttentionMaps) -> str:
    """Return the explorer as one HTML page: choose a layer and a head, point at a token.

    It opens at the head that looks at few tokens at a time, and at the last token.

    Example:
        >>> html = attention_page(AttentionMaps([np.eye(3)[None]], ["a", "b", "c"]))
        >>> "https://" in html, "<select" in html
        (False, True)
    """
    return panels_page(data.title, [attention_panel(data)])


def attention_panel(data: AttentionMaps) -> Panel:
    """Return the explorer as a part of a page."""
    total = len(data.tokens)
    data = data.last()
    tokens = [visible(token) for token in data.tokens]
    shown = f"the last {len(tokens)} of {total} tokens" if len(tokens) < total else f"{total} tokens"
    maps = [np.round(array, 3).tolist() for array in data.maps]
    causal = not any(np.triu(array, 1).any() for array in data.maps)
    body = f"""
<p>{shown}. Point at a token, or move with the arrow keys: the bluer another token, the more it takes from there.
Below, one row for every token that looks and one column for every token looked at.</p>
<form><label>layer <select data-is="layer"></select></label><label>head <select data-is="head"></select></label></form>
<div class="tokens" data-is="tokens" role="group" aria-label="tokens"></div>
<p class="said" data-is="said" aria-live="polite"></p>
<div class="map" data-is="map" aria-hidden="true"></div>
"""
    held = {"tokens": tokens, "maps": maps, "causal": causal, "chosen": list(data.sharpest())}
    return Panel("attention", "Attention", body, _SCRIPT, _STYLE, held)

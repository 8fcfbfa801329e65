"""The sampling panel: turn temperature, top-k and top-p, and watch what may come next change, bar by bar.

The browser does what generate/choices.py does, in the same order: temperature, then the k largest, then the fewest that
have a share p together. Of a large vocabulary the likeliest tokens are in the page one by one, the others as a
histogram of their logits, which says what they weigh together at any temperature. Where a share p reaches into them,
they stay whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import NaNError, ShapeError
from .panel import Panel
from .style import visible

Array = np.ndarray[Any, Any]
MOST = 256  # tokens of a position that are kept one by one
POSITIONS = 32  # of a text, its last ones
_BINS = 64  # for all others
_SHOWN = 16  # bars

_STYLE = """
.bars{display:grid;grid-template-columns:max-content 1fr max-content;gap:3px .7rem;align-items:center;
font:15px/1.3 ui-monospace,"DejaVu Sans Mono",monospace}
.bars .bar{position:relative;height:1.1em;background:#8881}
.bars .bar i{position:absolute;inset:0 auto 0 0;background:var(--ink)}
.bars .bar b{position:absolute;inset:0 auto 0 0;border-right:2px solid var(--hot)}
.bars .out{opacity:.4;text-decoration:line-through}
.sliders{display:grid;grid-template-columns:max-content minmax(8rem,24rem) max-content;gap:.4rem .8rem;
align-items:center;margin:1rem 0}
.bars+form{margin-top:1rem}
.tokens .on{outline:3px solid var(--hot);outline-offset:-1px;font-weight:700}
"""

_SCRIPT = """
(data, part, find) => {
  const sliders = ["temperature", "k", "p"].map(find), outputs = ["temperature-is", "k-is", "p-is"].map(find);
  let position = data.positions.length - 1, drawn = 0;
  const settings = () => {
    const k = Number(sliders[1].value) >= Number(sliders[1].max) ? Infinity : Math.round(Math.exp(sliders[1].value));
    return { t: Number(sliders[0].value), k, p: Number(sliders[2].value) };
  };
  // the share of each token, and of all that are not listed together
  const kept = (at, { t, k, p }) => {
    const top = at.logits[0], weigh = (x) => Math.exp((x - top) / t);
    let own = at.logits.map((x, i) => t ? weigh(x) : Number(i === 0));  // of equal ones the first
    let others = t ? at.tail.reduce((sum, [x, n]) => sum + n * weigh(x), 0) : 0;
    if (k < Infinity) {
      own = own.map((w, i) => i < k ? w : 0);
      others = 0;
    }
    const total = own.reduce((a, b) => a + b, 0) + others;
    let sum = 0;
    own = own.map((w) => {
      const keep = p === 1 || sum < p * total;
      sum += w;
      return keep ? w : 0;
    });
    if (p < 1 && sum >= p * total) others = 0;
    const left = own.reduce((a, b) => a + b, 0) + others;
    return { own: own.map((w) => w / left), others: others / left };
  };
  const buttons = data.positions.map((at) => make("button", at.token));
  buttons.forEach((button) => { button.type = "button"; });
  find("tokens").append(...buttons);
  const bars = Array.from({ length: data.shown }, () => {
    const bar = make("div"), full = make("i"), before = make("b");
    bar.className = "bar";
    bar.append(full, before);
    const all = [make("span"), bar, make("span")];
    find("bars").append(...all);
    return { name: all[0], full, before, figure: all[2], all };
  });
  const show = () => {
    const at = data.positions[position], chosen = settings(), now = kept(at, chosen);
    const plain = kept(at, { t: 1, k: Infinity, p: 1 });
    outputs[0].textContent = chosen.t.toFixed(2);
    outputs[1].textContent = chosen.k === Infinity ? "all" : chosen.k;
    outputs[2].textContent = chosen.p.toFixed(2);
    const widest = Math.max(now.own[0], plain.own[0], 1e-9);
    bars.forEach((bar, i) => {
      bar.all.forEach((part) => { part.hidden = i >= at.tokens.length; });
      if (i >= at.tokens.length) return;
      bar.name.textContent = at.tokens[i];
      bar.name.className = now.own[i] ? "" : "out";
      bar.full.style.width = `${100 * now.own[i] / widest}%`;
      bar.before.style.width = `${100 * plain.own[i] / widest}%`;
      bar.figure.textContent = `${(100 * now.own[i]).toFixed(1)} %`;
    });
    const count = now.own.filter((w) => w > 0).length, many = now.others > 0;
    const bits = -now.own.filter((w) => w > 0).reduce((sum, w) => sum + w * Math.log2(w), 0);
    const rest = now.own.slice(bars.length).reduce((a, b) => a + b, 0) + now.others;
    find("said").textContent = (many ? "Every token may come" : count === 1 ? "One token may come" :
      `${count} tokens may come`) + `; those below the bars have ${(100 * rest).toFixed(1)} % together. ` +
      (many ? "" : `Entropy ${bits.toFixed(2)} bits, as if ${(2 ** bits).toFixed(1)} tokens were equally likely. `) +
      "The orange line is the model's own share, at temperature 1.";
  };
  const draw = () => {
    const at = data.positions[position], now = kept(at, settings());
    let mark = Math.random(), i = 0;
    while (i < now.own.length && (mark -= now.own[i]) >= 0) i += 1;
    drawn += 1;
    const got = make("span", i < at.tokens.length ? at.tokens[i] : "(one of the others)");
    find("drawn").append(drawn === 1 ? "" : " ", got);
    while (find("drawn").childNodes.length > 80) find("drawn").firstChild.remove();
  };
  sliders.forEach((slider) => slider.addEventListener("input", show));
  find("draw").addEventListener("click", draw);
  const choose = row(buttons, (chosen) => {
    position = chosen;
    drawn = 0;
    find("drawn").replaceChildren();
    buttons.forEach((button, i) => button.classList.toggle("on", i === chosen));
    show();
  });
  choose(position);
}
"""


@dataclass(frozen=True)
class NextTokens:
    """What a model says comes next, after each token of a text.

    Attributes:
        logits: (T, V), after each token.
        tokens: the T tokens as text.
        names: the V tokens of the vocabulary as text; "" for an id that stands for none.
    """

    logits: Array
    tokens: Sequence[str]
    names: Sequence[str]

    def __post_init__(self) -> None:
        if self.logits.shape != (len(self.tokens), len(self.names)) or not self.logits.size:
            raise ShapeError(
                f"NextTokens: logits {self.logits.shape} for T={len(self.tokens)} tokens and V={len(self.names)} names"
            )
        if np.isnan(self.logits).any():
            raise NaNError("NextTokens: the logits hold NaN", hint="another checkpoint; this one diverged")


def sampling_panel(data: NextTokens) -> Panel:
    """Return the panel; it opens after the last token.

    Example:
        >>> panel = sampling_panel(NextTokens(np.zeros((1, 2)), ["a"], ["a", "b"]))
        >>> panel.data["positions"][0]["tokens"]
        ['a', 'b']
    """
    named = np.array([bool(name) for name in data.names])
    rows = list(zip(data.tokens, data.logits, strict=True))[-POSITIONS:]
    positions = [_position(visible(token), np.where(named, row, -np.inf), data.names) for token, row in rows]
    most = np.log(min(MOST, int(named.sum())))
    total = len(data.tokens)
    last = f" (the last {len(rows)} of its {total} tokens)" if total > len(rows) else ""
    body = f"""
<p>Choose a place in the text{last}: the bars say what the model thinks comes after it. Then turn the three
settings.</p>
<div class="tokens" data-is="tokens" role="group" aria-label="places in the text"></div>
<div class="sliders">
<label for="temperature">temperature</label><input id="temperature" data-is="temperature" type="range" min="0" max="2"
 step="0.05" value="1"><output data-is="temperature-is"></output>
<label for="k">top-k</label><input id="k" data-is="k" type="range" min="0" max="{most:.4f}" step="any"
 value="{most:.4f}"><output data-is="k-is"></output>
<label for="p">top-p</label><input id="p" data-is="p" type="range" min="0.05" max="1" step="0.01" value="1"><output
 data-is="p-is"></output>
</div>
<p class="said" data-is="said" aria-live="polite"></p>
<div class="bars" data-is="bars"></div>
<form><button type="button" data-is="draw">draw a token</button> <span data-is="drawn" aria-live="polite"></span></form>
"""
    return Panel("sampling", "Sampling", body, _SCRIPT, _STYLE, {"positions": positions, "shown": _SHOWN})


def _position(token: str, logits: Array, names: Sequence[str]) -> dict[str, Any]:
    """Return one place's likeliest tokens with their logits, and a histogram of the others'."""
    order = np.argsort(-logits, kind="stable")
    order = order[np.isfinite(logits[order])]
    rest = logits[order[MOST:]]
    tail: list[list[float]] = []
    if len(rest):
        edges = np.linspace(rest[-1], rest[0], _BINS + 1)
        place = np.minimum(np.searchsorted(edges, rest, side="right") - 1, _BINS - 1)
        counts = np.bincount(place, minlength=_BINS)
        weights = np.bincount(place, np.exp(rest - rest[0]), _BINS)  # at temperature 1 they are exact
        used = np.flatnonzero(counts)
        levels = rest[0] + np.log(weights[used] / counts[used])
        tail = [[round(float(x), 4), int(n)] for x, n in zip(levels, counts[used], strict=True)]
    return {
        "token": token,
        "tokens": [visible(names[i]) for i in order[:MOST]],
        "logits": [round(float(x), 4) for x in logits[order[:MOST]]],
        "tail": tail,
    }

"""The cache panel: what a model makes again for every token when it remembers nothing, and what a KV cache leaves.

One column for each place of the text, one row for each token that was written: a cell is lit where the model makes keys
and values of that place at that step. Without a cache all places up to the last are made anew, with one the last only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..errors import ConfigError
from .panel import Panel

LONGEST = 48  # steps that can be told apart

_STYLE = """
.steps{display:flex;flex-wrap:wrap;gap:2rem}
.steps figure{margin:0;flex:1 1 18rem}
.steps .work{display:grid;gap:1px;margin-top:.4rem}
.steps .work span{aspect-ratio:1;background:#8881}
.steps .work .past{background:rgba(0,114,178,.35)}
.steps .work .now{background:var(--hot)}
.steps .work .kept{background:rgba(0,158,115,.35)}
.wide{width:min(100%,30rem)}
"""

_SCRIPT = """
(data, part, find) => {
  const slider = find("step"), n = data.steps;
  const grids = ["without", "with"].map((name) => {
    const grid = find(name);
    grid.style.gridTemplateColumns = `repeat(${n}, 1fr)`;
    const cells = Array.from({ length: n * n }, () => make("span"));
    grid.append(...cells);
    return cells;
  });
  const large = (x) => x < 1e4 ? Math.round(x).toLocaleString("en") : x < 1e6 ? `${(x / 1e3).toFixed(1)} thousand` :
    x < 1e9 ? `${(x / 1e6).toFixed(1)} million` : x < 1e12 ? `${(x / 1e9).toFixed(1)} billion` :
    `${(x / 1e12).toFixed(1)} trillion`;
  const bytes = (x) => x < 1e6 ? `${(x / 1e3).toFixed(1)} kB` : x < 1e9 ? `${(x / 1e6).toFixed(1)} MB` :
    `${(x / 1e9).toFixed(2)} GB`;
  // multiplications and additions of one place, by the matrices and by attention to so many places
  const place = (seen) => 2 * data.weights + 4 * data.layers * data.heads * data.head_size * seen;
  const sum = (from, to, f) => { let s = 0; for (let t = from; t <= to; t += 1) s += f(t); return s; };
  const show = () => {
    const step = Number(slider.value);
    grids.forEach((cells, cached) => cells.forEach((cell, i) => {
      const t = Math.floor(i / n) + 1, s = i % n + 1;
      const made = t <= step && (cached ? s === t : s <= t);
      cell.className = !made ? (cached && t === step && s < t ? "kept" : "") : t === step ? "now" : "past";
    }));
    const whole = (t) => sum(1, t, (s) => place(s) - 2 * data.head) + 2 * data.head;
    const without = sum(1, step, whole), with_ = sum(1, step, place);
    const width = data.kv_heads * data.head_size * 2 * data.layers;
    find("step-is").textContent = `${step} of ${n}`;
    const told = (places, operations) => `${large(places)} places worked out, ${large(operations)} operations`;
    find("made-without").textContent = told(step * (step + 1) / 2, without);
    find("made-with").textContent = told(step, with_);
    find("said").textContent = `After ${step} tokens the cache holds ${large(width * step)} numbers ` +
      `(${bytes(width * step * data.itemsize)}) and has saved ` +
      `${(100 * (1 - with_ / without)).toFixed(1)} % of the work. ` +
      `A full context of ${data.context} tokens would take ${bytes(width * data.context * data.itemsize)}.` +
      (data.measured ? ` Measured here: ${data.measured}.` : "");
  };
  slider.addEventListener("input", show);
  show();
}
"""


@dataclass(frozen=True)
class CacheCost:
    """What a token costs a model.

    Attributes:
        layers, heads, kv_heads, head_size: L, H, K and D.
        weights: numbers in the matrices that every token goes through, the head's among them.
        head: numbers in the head's matrix, which only the last place goes through.
        context: the longest text.
        itemsize: bytes of a number in the cache.
        measured: a sentence with times, such as "512 tokens/s with the cache, 31 without"; "" for none.
        steps: how many tokens the picture shows.
    """

    layers: int
    heads: int
    kv_heads: int
    head_size: int
    weights: int
    head: int
    context: int
    itemsize: int = 4
    measured: str = ""
    steps: int = 24

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= LONGEST:
            raise ConfigError(f"CacheCost: steps is {self.steps}", hint=f"1 to {LONGEST}")


def cache_panel(data: CacheCost) -> Panel:
    """Return the panel; a slider goes from step to step.

    Example:
        >>> cache_panel(CacheCost(2, 4, 2, 8, weights=10_000, head=500, context=64)).name
        'KV cache'
    """
    body = f"""
<p>A text is written token by token. Move the slider: one row for each step, one column for each place of the text.
Orange is worked out at this step, blue was worked out before, green is remembered.</p>
<form><label for="step">tokens written</label>
<input class="wide" id="step" data-is="step" type="range" min="1" max="{data.steps}" value="{min(8, data.steps)}">
<output data-is="step-is"></output></form>
<div class="steps">
<figure><figcaption><b>without a cache</b><br><span data-is="made-without"></span></figcaption>
<div class="work" data-is="without" aria-hidden="true"></div></figure>
<figure><figcaption><b>with a cache</b><br><span data-is="made-with"></span></figcaption>
<div class="work" data-is="with" aria-hidden="true"></div></figure>
</div>
<p class="said" data-is="said" aria-live="polite"></p>
"""
    return Panel("cache", "KV cache", body, _SCRIPT, _STYLE, asdict(data))

"""One HTML file that needs nothing else: style, script and data in it, and a rule that keeps everything else out.

What others have written comes in as text only: ``text`` and ``attribute`` escape it, ``page`` escapes its data, and the
page's own policy lets the browser run this one script, known by its hash, and load nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from typing import Any

from .cells import BACKGROUNDS, FAINT, INK, SPECIAL, SPECIAL_INK

_COLORS = "".join(f".t{i}{{background:{color}}}" for i, color in enumerate(BACKGROUNDS))
_STYLE = (
    """
:root{color-scheme:light dark;--line:#8884}
body{font:16px/1.5 system-ui,sans-serif;max-width:90rem;margin:0 auto;padding:1.2rem}
h1{font-size:1.3rem;margin:0 0 .2rem}h2{font-size:1rem;margin:0}
p{margin:.1rem 0 .6rem;opacity:.8;font-size:.9rem}
main{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(22rem,100%),1fr));gap:1.5rem;padding-bottom:1rem}
main.one{grid-template-columns:1fr}
.text{font:15px/1.75 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;white-space:pre-wrap;
overflow-wrap:anywhere;tab-size:4;unicode-bidi:plaintext}
.t{color:INK;padding:.12em 0;cursor:pointer}.t:hover,.t:focus,.t.on{outline:2px solid currentColor;outline-offset:-1px}
.t i{font-style:normal;color:FAINT}.t i.sign{user-select:none}
.special{background:SPECIAL;color:SPECIAL_INK}.special i{color:SPECIAL_INK}
#about{position:sticky;bottom:0;max-height:50vh;overflow:auto;background:Canvas;border-top:1px solid var(--line);
padding:.7rem 0;font-size:.9rem}
#about b{font-weight:600}
.stairs{display:grid;gap:2px;justify-content:start;font:14px/1 ui-monospace,"DejaVu Sans Mono",monospace;
margin-top:.7rem;overflow-x:auto;padding-bottom:.2rem}
.stairs span{padding:.3em .35em;white-space:pre}
.stairs .part{border:1px solid var(--line);text-align:center}
.stairs .last{background:#A6E3C9;color:INK}
.stairs .made{border-color:#0072B2;background:#AFDCF5;color:INK;font-weight:600}
.later{visibility:hidden}
label{display:flex;gap:.6rem;align-items:center;margin-top:.6rem}input{flex:0 1 22rem}
""".replace("SPECIAL_INK", SPECIAL_INK)
    .replace("SPECIAL", SPECIAL)
    .replace("FAINT", FAINT)
    .replace("INK", INK)
    + _COLORS
)
_SCRIPT = """
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const make = (name, kind, text) => {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
};
// bytes at the bottom, a row above for every merge; the slider hides the rows that have not happened yet
const stairs = (trace) => {
  const box = make("div");
  box.append(make("p", "", trace.about));
  const grid = make("div", "stairs"), rows = [];
  const put = (row, columns, kind, name) => {
    const cell = make("span", kind, name);
    cell.style.gridColumn = columns;
    cell.style.gridRow = trace.levels.length - row;
    grid.append(cell);
    return cell;
  };
  grid.style.gridTemplateColumns = `repeat(${trace.size}, auto) max-content`;
  trace.levels.forEach((level, i) => {
    const row = level.map(([begin, end, name], place) =>
      put(i, `${begin + 1} / ${end + 1}`, i && place === trace.places[i - 1] ? "part made" : "part", name));
    rows.push([...row, put(i, trace.size + 1, "", i ? trace.told[i - 1] : "bytes")]);
  });
  const label = make("label"), slider = make("input"), said = make("span");
  slider.type = "range";
  slider.min = 0;
  slider.max = slider.value = rows.length - 1;
  slider.setAttribute("aria-label", "merges");
  const show = () => {
    rows.forEach((row, i) => row.forEach((cell) => {
      cell.classList.toggle("later", i > slider.value);
      cell.classList.toggle("last", i == slider.value && cell.classList.contains("part"));
    }));
    said.textContent = `${slider.value} of ${slider.max} merges`;
  };
  slider.addEventListener("input", show);
  label.append(slider, said);
  if (rows.length > 1) box.append(label);
  box.append(grid);
  show();
  return box;
};
const about = document.getElementById("about");
const choose = (panel, token) => {
  document.querySelectorAll(".on").forEach((other) => other.classList.remove("on"));
  token.classList.add("on");
  const facts = token.title.split("\\n"), line = make("div");
  line.append(make("b", "", facts.shift()), ` \\u00b7 ${facts.join(" \\u00b7 ")}`);
  about.replaceChildren(line);
  const trace = data.panels[panel].traces[token.dataset.trace];
  if (trace) about.append(stairs(trace));
};
document.querySelectorAll("section").forEach((section, panel) => {
  const find = (event) => {
    const token = event.target.closest(".t");
    if (token) choose(panel, token);
  };
  ["mouseover", "focusin", "click"].forEach((name) => section.addEventListener(name, find));
});
(data.stairs || []).forEach((trace) => document.querySelector("main").append(stairs(trace)));
"""


def text(value: str) -> str:
    """Escape a text for the space between two tags.

    Example:
        >>> text("<script>")
        '&lt;script&gt;'
    """
    return html.escape(value, quote=False)


def attribute(value: str) -> str:
    """Escape a text for the inside of double quotes.

    Example:
        >>> attribute('" onclick="')
        '&quot; onclick=&quot;'
    """
    return html.escape(value, quote=True).replace("\n", "&#10;")


def page(title: str, body: str, data: Any, style: str = _STYLE, script: str = _SCRIPT) -> str:
    """Put a page together.

    Args:
        title: a text.
        body: HTML in which every text is escaped.
        data: what the script reads, as JSON can hold it; the script of this file takes {"panels": ...} or
            {"stairs": ...}.
        style, script: of a page of another kind.
    """
    held = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026")
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text(title)}</title>
<style>{style}</style></head>
<body>
{body}
<script type="application/json" id="data">{held}</script>
<script>{script}</script>
</body></html>
"""


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()

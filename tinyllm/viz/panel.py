"""Panels: parts of one HTML page, each with a form, a script and data of its own, behind tabs where there are several.

A panel's script is a function of its data and of its own part of the page, so no panel can reach into another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .page import attribute, page, text

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--ink:#0072B2;--hot:#D55E00}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1.2rem}
h1{font-size:1.3rem;margin:0 0 .2rem}p{margin:.1rem 0 .8rem;opacity:.85;font-size:.9rem}
form{display:flex;flex-wrap:wrap;gap:1.2rem;align-items:center;margin-bottom:.8rem}
button,select,input{font:inherit;color:inherit}
select{background:Canvas;border:1px solid var(--line);border-radius:.2rem;padding:.1rem .3rem}
button:focus-visible,select:focus-visible,input:focus-visible{outline:2px solid var(--hot);outline-offset:2px}
[role=tablist]{display:flex;flex-wrap:wrap;gap:.3rem;border-bottom:1px solid var(--line);margin:.6rem 0 1rem}
[role=tab]{border:1px solid var(--line);border-bottom:0;border-radius:.3rem .3rem 0 0;background:none;
padding:.3rem .9rem;cursor:pointer}
[role=tab][aria-selected=true]{font-weight:700;box-shadow:inset 0 3px var(--ink)}
.tokens{display:flex;flex-wrap:wrap;gap:3px;font:15px/1.4 ui-monospace,"DejaVu Sans Mono",monospace}
.tokens button{border:1px solid var(--line);border-radius:.2rem;background:none;padding:.2rem .4rem;cursor:pointer;
min-width:2em;display:grid;justify-items:center}
.said{min-height:3rem;margin:.8rem 0}
"""

_SCRIPT = """
"use strict";
const all = JSON.parse(document.getElementById("data").textContent);
const make = (name, text) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return made;
};
// a row of buttons, one of which is chosen; the arrow keys go from one to the next
const row = (buttons, choose) => {
  let now = 0;
  const go = (to) => { now = Math.max(0, Math.min(buttons.length - 1, to)); return now; };
  buttons.forEach((button, i) => {
    ["focus", "click"].forEach((name) => button.addEventListener(name, () => choose(go(i))));
    button.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: buttons.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      buttons[go(to)].focus();
    });
  });
  return (to) => choose(go(to));
};
const kinds = {KINDS};
const parts = [...document.querySelectorAll("section")];
parts.forEach((part, i) => kinds[all[i].kind](all[i].data, part, (name) => part.querySelector(`[data-is="${name}"]`)));
const tabs = [...document.querySelectorAll("[role=tab]")];
row(tabs, (chosen) => {
  tabs.forEach((tab, i) => {
    tab.setAttribute("aria-selected", i === chosen);
    tab.tabIndex = i === chosen ? 0 : -1;
    parts[i].hidden = i !== chosen;
  });
})(0);
"""


@dataclass(frozen=True)
class Panel:
    """One part of a page.

    Attributes:
        kind: a word that its script is known by; panels of one kind have one script.
        name: what its tab says.
        body: HTML in which every text is escaped; what the script needs has a ``data-is``.
        script: a JavaScript function of (data, part, find), with ``find(name)`` for the element of that ``data-is``.
        style: CSS of its own.
        data: as JSON can hold it.
    """

    kind: str
    name: str
    body: str
    script: str
    style: str
    data: Any


def panels_page(title: str, panels: Sequence[Panel], about: str = "") -> str:
    """Return one HTML page with some panels; with several of them, there are tabs.

    Args:
        title: of the page.
        panels: from left to right.
        about: a sentence below the title.

    Example:
        >>> panel = Panel("one", "One", "<p>Here.</p>", "(data, part, find) => {}", "", None)
        >>> html = panels_page("A title", [panel, panel])
        >>> html.count('role="tab"'), html.count("<section")
        (2, 2)
    """
    tabs = "".join(
        f'<button role="tab" type="button" id="tab{i}" aria-controls="part{i}">{text(panel.name)}</button>'
        for i, panel in enumerate(panels)
    )
    parts = "\n".join(
        f'<section id="part{i}" aria-label="{attribute(panel.name)}">{panel.body}</section>'
        for i, panel in enumerate(panels)
    )
    row = f'<div role="tablist" aria-label="views">{tabs}</div>' if len(panels) > 1 else ""
    said = f"<p>{text(about)}</p>" if about else ""
    kinds = {panel.kind: panel for panel in panels}
    scripts = ",\n".join(f'"{kind}": {panel.script.strip()}' for kind, panel in kinds.items())
    return page(
        title,
        f"<main>\n<h1>{text(title)}</h1>\n{said}{row}\n{parts}\n</main>",
        [{"kind": panel.kind, "data": panel.data} for panel in panels],
        _STYLE + "".join(panel.style for panel in kinds.values()),
        _SCRIPT.replace("{KINDS}", "{\n" + scripts + "\n}"),
    )

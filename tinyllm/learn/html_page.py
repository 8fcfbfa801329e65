"""A lesson as one HTML file that needs nothing else: text, pictures and the words it uses in it, light and dark.

Made from the lesson's page by markdown-it-py and Pygments, which come with rich: nothing to install. The file's own
policy lets the browser load nothing, and run the one small script that moves from section to section by key.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from .cells import lessons_folder
from .exercise import Lesson
from .glossary import anchor, terms
from .show import body, page_text

_STYLE = """
:root{color-scheme:light dark;--ink:#22211f;--paper:#fdfcf9;--faint:#6a675f;--line:#dedad0;--well:#f4f1ea;
--link:#0b5c94;--key:#7d3c98;--string:#2f6b2f;--number:#a24a00;--name:#0b5c94}
@media (prefers-color-scheme:dark){:root{--ink:#e3e0d8;--paper:#17181a;--faint:#a09b90;--line:#38393c;--well:#202225;
--link:#7cc0f2;--key:#d0a3ea;--string:#9ecb8f;--number:#eeb077;--name:#7cc0f2}}
*{box-sizing:border-box}
html{scroll-behavior:smooth}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0 auto;max-width:46rem;padding:3rem 1.3rem 5rem;background:var(--paper);color:var(--ink);
font:1.09rem/1.62 Charter,"Bitstream Charter","Iowan Old Style","Palatino Linotype",Georgia,"DejaVu Serif",serif}
h1,h2,h3,summary,th,footer,nav{font-family:system-ui,"Segoe UI","Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
h1{font-size:2rem;line-height:1.2;margin:0 0 1rem}
h2{font-size:1.3rem;line-height:1.3;margin:3rem 0 .8rem;padding-top:1.1rem;border-top:1px solid var(--line)}
h3{font-size:1.05rem;margin:2rem 0 .5rem}
h1+p strong{font-weight:600;font-size:1.2rem}
a{color:var(--link);text-underline-offset:.15em}
code,pre{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{font-size:.86em;background:var(--well);padding:.1em .28em;border-radius:4px;overflow-wrap:anywhere}
pre{background:var(--well);padding:.9rem 1.1rem;border-radius:8px;overflow-x:auto;font-size:.77rem;line-height:1.5}
@media (max-width:66rem){pre{white-space:pre-wrap;overflow-wrap:anywhere}}
@media (min-width:66rem){main>pre{width:fit-content;min-width:100%;max-width:calc(100% + 9rem)}}
pre code{background:none;padding:0;font-size:inherit;overflow-wrap:normal}
pre.text{background:none;border-left:3px solid var(--line);border-radius:0}
img{display:block;max-width:100%;height:auto;margin:1.6rem auto;background:#fff;padding:.5rem;border-radius:8px}
blockquote{margin:1.2rem 0;padding:.5rem 1rem;
border-left:4px solid var(--line);background:var(--well);border-radius:0 8px 8px 0}
blockquote.holds{border-left-color:#009e73}
blockquote p{margin:0}
details{margin:.7rem 0;padding:.1rem 1rem;border:1px solid var(--line);border-radius:8px}
details+details{margin-top:-.75rem;border-top-left-radius:0;border-top-right-radius:0}
details:has(+details){border-bottom-left-radius:0;border-bottom-right-radius:0}
details[open]{padding-bottom:.5rem}
summary{cursor:pointer;padding:.45rem 0;font-size:.95rem}
summary:focus-visible,a:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{border-collapse:collapse;display:block;overflow-x:auto;font-size:.95rem}
th,td{padding:.35rem .8rem .35rem 0;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
hr{border:0;border-top:1px solid var(--line);margin:3rem 0}
dt{font-weight:600;margin-top:.8rem}dd{margin:0}
footer{margin-top:3rem;color:var(--faint);font-size:.85rem}
kbd{font:inherit;border:1px solid var(--line);border-radius:4px;padding:0 .35em}
.k{color:var(--key)}.s{color:var(--string)}.m{color:var(--number)}.n{color:var(--name)}.c{color:var(--faint);font-style:italic}
@media print{details{border:0}body{max-width:none}}
"""
_SCRIPT = """
"use strict";
const sections = [...document.querySelectorAll("h1, h2")];
const go = (step) => {
  const here = sections.filter((section) => section.getBoundingClientRect().top < 60).length - 1;
  const top = sections[Math.max(here, 0)].getBoundingClientRect().top;
  const next = step < 0 && top < -10 ? here : here + step;
  sections[Math.min(Math.max(next, 0), sections.length - 1)].scrollIntoView();
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "j") go(1);
  if (event.key === "k") go(-1);
  if (event.key === "o") {
    const folds = [...document.querySelectorAll("details")], open = folds.some((fold) => !fold.open);
    folds.forEach((fold) => { fold.open = open; });
  }
});
"""
_KEYS = "<kbd>j</kbd> <kbd>k</kbd> next and previous section &middot; <kbd>o</kbd> open or close all that is folded"
_KINDS = (  # Pygments' kinds of token -> our classes
    ("Token.Keyword", "k"), ("Token.Operator.Word", "k"), ("Token.Literal.String", "s"), ("Token.Literal.Number", "m"),
    ("Token.Comment", "c"), ("Token.Name.Function", "n"), ("Token.Name.Class", "n"), ("Token.Name.Decorator", "n"),
)  # fmt: skip


def html_page(lesson: Lesson) -> str:
    """Return a lesson's page as one HTML file.

    Raises:
        LearnError: the lesson has no page.
    """
    return one_file(f"{lesson.number} {lesson.title}", page_text(lesson), lessons_folder() / "pages")


def one_file(title: str, page: str, folder: Path) -> str:
    """Turn a page of Markdown into one HTML file.

    Args:
        title: of the window.
        page: its Markdown.
        folder: where its pictures are.
    """
    text, used = _own_words(body(page))
    rendered = _markdown().render(text)
    rendered = re.sub(r'src="(figures/[^"]+\.svg)"', lambda found: f'src="{_data(folder / found[1])}"', rendered)
    rendered = re.sub(r"<h2>(.*?)</h2>", _with_id, rendered)
    rendered = re.sub(r"<blockquote>(?=\s*<p><strong>Holds</strong>)", '<blockquote class="holds">', rendered)
    allowed = f"style-src '{_hash(_STYLE)}'; script-src '{_hash(_SCRIPT)}'"
    policy = f"default-src 'none'; img-src data:; {allowed}; base-uri 'none'"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{_STYLE}</style></head>
<body>
<main>
{rendered}{_words(used)}</main>
<footer>{_KEYS}</footer>
<script>{_SCRIPT}</script>
</body></html>
"""


def _own_words(text: str) -> tuple[str, list[str]]:
    """Point links to the glossary into this file, and take links to other files away."""
    used: list[str] = []

    def link(found: re.Match[str]) -> str:
        words, target = found["words"], found["target"]
        page, _, name = target.partition("#")
        if page == "glossary.md" and name:
            used.append(name)
            return f"[{words}](#word-{name})"
        return found[0] if page == "" else words

    return re.sub(r"(?<!!)\[(?P<words>[^\]]*)\]\((?P<target>[^)\s]*)\)", link, text), used


def _words(used: list[str]) -> str:
    """The entries of the glossary that a lesson uses, as a list at its end."""
    chosen = [term for term in terms() if anchor(term.name) in used]
    if not chosen:
        return ""
    rows = []
    for term in chosen:
        shape = f" Shape <code>{html.escape(term.shape)}</code>." if term.shape else ""
        rows.append(f'<dt id="word-{anchor(term.name)}">{html.escape(term.name)}</dt>')
        rows.append(f"<dd>{_markdown().renderInline(term.sentence)}{shape}</dd>")
    return '<h2 id="words">Words</h2>\n<dl>\n' + "\n".join(rows) + "\n</dl>\n"


def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True, "highlight": _colored}).enable("table")


def _colored(code: str, language: str, _: str) -> str:
    if language != "python":
        return f'<pre class="text"><code>{html.escape(code, quote=False)}</code></pre>\n'
    lexer: Any = import_module("pygments.lexers").PythonLexer(stripnl=False)
    return f"<pre><code>{''.join(_span(str(kind), piece) for kind, piece in lexer.get_tokens(code))}</code></pre>\n"


def _span(kind: str, piece: str) -> str:
    text = html.escape(piece, quote=False)
    for begins, name in _KINDS:
        if kind.startswith(begins):
            return f'<span class="{name}">{text}</span>'
    return text


def _with_id(found: re.Match[str]) -> str:
    words = html.unescape(re.sub(r"<[^>]+>", "", found[1]))
    return f'<h2 id="{anchor(words)}">{found[1]}</h2>'


def _data(path: Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()

"""Readers of each format: headings as the chunker finds them, and what is left out."""

from __future__ import annotations

import pytest

from tinyllm.rag.chunk.headings import markdown_headings, stretches
from tinyllm.rag.read import html, manual, markdown, plain, rest
from tinyllm.rag.read.markdown import front_matter
from tinyllm.rag.read.marks import fenced, heading, unmarked
from tinyllm.rag.read.rest import with_headings
from tinyllm.rag.read.tags import tokens, unescaped


def test_plain_text_stays_as_it_is():
    text = "Chapter 1\n\nDucks # swim.\n\nFood\n----\n~~~\nx\n~~~\n"
    document = plain("a.txt", text.encode(), "a")
    assert (document.text, document.title, document.meta) == (text, "a", {"encoding": "utf-8"})


def test_markdown():
    page = b'---\ntitle: "The ducks: a story"\ntags:\n  - x\n  - y\n# a comment\nyear: 1958\n---\n\nText\n\n# First\n'
    document = markdown("a.md", page)
    assert (document.title, document.text) == ("The ducks: a story", "\nText\n\n# First\n")
    assert document.meta == {"year": "1958", "encoding": "utf-8"}
    assert markdown("a.md", b"Text\n\n```\n# no\n```\n\nYes\n===\n# Second").title == "Yes"
    assert markdown("a.md", b"Text.", "a").title == "a"
    assert markdown("a.md", b"---\ntitle: Alone\n---\n").title == "Alone"
    assert "doc_id" not in markdown("a.md", b"---\ndoc_id: other\n---\nText").meta
    for text in ("---\nno end", "---\nA text.\n---\nMore.", "a\n---\nb: c\n---\n", "---\n"):
        assert front_matter(text) == ({}, text)


PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8"><title> The
  ducks &amp; I </title><style>p {color: red}</style><script>if (a < b) document.write("<p>no</p>")</script></head>
<body><nav><ul><li><a href="/">Home</a></li></ul><nav>inner</nav>still</nav>
<h1>Ducks</h1><p>They <b>sw</b>im&nbsp;&mdash; <a href="x>y">well</a>.<br>Often.</p>
<!-- a <p>comment</p> --><h2 class='a'>What they
 eat</h2><ul><li>bread</li><li><p>weed</p><ul><li>water weed</li></ul></li></ul>
<pre><code>
def duck():
    # no heading
    return a &lt; b
</code></pre>
<table><tr><th>Name</th><th>Age</th></tr><tr><td><p>Ada</p></td><td>3</td></tr><tr><td></td></tr></table>
<h3>Sources #1</h3><p># not a heading</p><p>---</p>a < b<noscript>no</noscript><p>end</body></html>"""


def test_html():
    document = html("a.html", PAGE.encode())
    assert document.title == "The ducks & I"
    assert document.text.split("\n\n") == [
        "# Ducks",
        "They swim — well.\nOften.",
        "## What they eat",
        "- bread\n- weed\n- water weed",
        "```\ndef duck():\n    # no heading\n    return a < b\n```",
        "Name | Age\nAda | 3",
        "### Sources #1",
        "\\# not a heading",
        "\\---",
        "a < b",
        "end",
    ]
    assert [part.path for part in stretches(document.text)] == [
        ("Ducks",),
        ("Ducks", "What they eat"),
        ("Ducks", "What they eat", "Sources #1"),
    ]


@pytest.mark.parametrize(
    "page, title, text",
    [
        ("<h2>One</h2>two", "One", "## One\n\ntwo"),
        ("no tags at all", "file", "no tags at all"),
        ("<title>Alone</title>", "Alone", ""),
        ("<title>never closed", "never closed", ""),
        ("<p>a<script>b", "file", "a"),
        ("<p>a<!-- b", "file", "a<!-- b"),
        ("<p>a<!-- b <p> c", "file", "a"),
        ("<script src='x'/><p>a", "file", "a"),
        ("<p title='never closed>a</p><p>b</p>", "file", "a\n\nb"),
        ("a <nav/>b", "file", "a"),
        ("<h1><div>One</div></h1><p>two", "One", "# One\n\ntwo"),
        ("<h1>One<p>two", "One", "# One\n\ntwo"),
        ("<pre>a<br>b<p>c", "file", "```\na\nbc\n```"),
        ("<pre>```\nx\n```</pre>", "file", "````\n```\nx\n```\n````"),
        ("<table><tr><td><h2>A</h2><p>b</p>c</td></tr></table>d", "A", "## A\n\nb\n\nc\n\nd"),
        ("<td>a</td>b", "file", "a\n\nb"),
        ("<tr><td>a<td>b<tr><td>c<table><tr><td>d</table>e", "file", "a | b\nc\nd\n\ne"),
        ("<textarea><p>no</p></textarea>a&shy;b 1 &lt 2", "file", "ab 1 < 2"),
        ("<DIV>A</DIV><Script>no</SCRIPT >b", "file", "A\n\nb"),
        ("<a<b>c", "file", "c"),
        ("<h2>Keys</h2><p>a<main><h1>One</h1>two</main><p>b<main>c</main>", "One", "# One\n\ntwo"),
        ("a<main>b<p>c", "file", "b\n\nc"),
        ("a<main></main>b</main>", "file", "a\n\nb"),
        ("<table><tr><td>a</tr><tr><td>---</tr><tr><td># b", "file", "a\n\\---\n\\# b"),
        ("x</>y</ z>w<?php no ?>v", "file", "xywv"),
        ("<xmp><b></xmp>a", "file", "```\n<b>\n```\n\na"),
    ],
)
def test_html_as_it_comes(page, title, text):
    document = html("a.html", page.encode(), "file")
    assert (document.title, document.text) == (title, text)


def test_the_encoding_that_a_page_declares():
    for head in ("<meta charset=koi8-r>", '<meta http-equiv="Content-Type" content="text/html; charset=KOI8-R">'):
        document = html("a.html", head.encode() + "<p>утка".encode("koi8-r"))
        assert document.text == "утка" and document.meta == {"encoding": "koi8-r"}
    page = html("a.xhtml", b'<?xml version="1.0" encoding="iso-8859-2"?><p>' + "ł".encode("iso8859-2"))
    assert page.text == "ł"


N = 20_000
HOSTILE = {
    "div": "<div>" * N + "deep",
    "comment": "deep" + "<!--" * N + ">",
    "quote": "deep" + "<a x='" * N + ">",
    "open": "deep" + "<a" * N + ">",
    "decl": "deep" + "<![CDATA[" * N + ">",
    "rows": "<table><tr><td>" * N + "deep",
    "items": "<ul><li>" * N + "deep",
    "number": "deep&#" + "9" * N + ";",
    "raw": "deep" + "<script></script " * N,
}


@pytest.mark.parametrize("page", HOSTILE.values(), ids=HOSTILE)
def test_hostile_pages_neither_recurse_nor_take_minutes(page):
    assert "deep" in html("a.html", page.encode()).text


def test_no_text_is_lost_between_tokens():
    assert "".join(token.text for token in tokens("a < b <i>c</i> <- d <1> & e<")) == "a < b c <- d <1> & e<"
    assert [token.name for token in tokens("<A x=1><b\n/><c a='>' b=\">\"></D >")] == ["a", "b", "c", "d"]
    assert unescaped("&amp;amp; &euro;") == "&amp; €"


REST = """:orphan:

.. _top:

########
The book
########

.. toctree::
   :maxdepth: 2

   one

Ducks
*****

They swim, see :ref:`their food <food>` and :func:`~a.swim`, ``like this``::

   # no heading
   swim()

.. a comment
   of two lines

Food
====

.. code-block:: python
   :caption: x

   eat("bread")

.. note::

   They like it.

Swans
*****
# not one

==========  ====
a table     row
==========  ====
"""


def test_rest():
    document = rest("a.rst", REST.encode())
    assert document.title == "The book"
    assert [part.path for part in stretches(document.text)][1:] == [
        ("The book",),
        ("The book", "Ducks"),
        ("The book", "Ducks", "Food"),
        ("The book", "Swans"),
    ]
    assert "They swim, see their food and a.swim, ``like this``:\n\n```\n# no heading\nswim()\n```" in document.text
    assert '```\neat("bread")\n```' in document.text and "They like it." in document.text
    assert "\\# not one" in document.text and "a table     row" in document.text
    for left_out in ("toctree", "maxdepth", "comment", "_top", "caption", "*****"):
        assert left_out not in document.text


def test_which_lines_are_titles():
    for text in ("two lines\nof text\n****\n", "a\n\n***\n\nb", " indented\n*****\n", "Longer\n***\n", "***\n***\n"):
        assert "# " not in with_headings(text)[0], text
    for text in ("~~~\nx\n~~~\n", "```\nx\n```\n", "```\nx\n***\n```\n", "x\n===\n"):
        assert with_headings(text, all_marks=False) == (text, "")
    assert with_headings("Duck\n****\n") == ("# Duck\n", "Duck")
    assert with_headings("===\n a\n===\nb\n===\nc\n---\n")[1] == "a"
    assert with_headings("```\na\n***\n```")[0] == "```\na\n***\n```"


def test_marks():
    assert heading(9, "a\n b") == "###### a b"
    for line in ("# a", "###", "```", "~~~x", "===", "--- ", "   # a", "  ====="):
        changed = unmarked(line)
        assert changed != line and markdown_headings(f"text\n{changed}\n") == ([], [])
    for line in ("a", "", "#a", "-- ", "- a", "    # a", "======= ===", "`a`"):
        assert unmarked(line) == line
    assert markdown_headings(fenced("```\n# a\n````"))[0] == []


def test_the_manual_has_headings_the_chunker_finds():
    pages = {page.id: page for page in manual()}
    assert list(pages) == sorted(pages) and len(pages) >= 70
    assert all(page.title and page.text.startswith("# ") for page in pages.values())
    page = pages["python/compound"]
    assert page.title == "Compound statements"
    paths = [part.path for part in stretches(page.text)]
    assert all(path[0] == page.title for path in paths) and len(set(paths)) >= 20 and max(map(len, paths)) == 4
    assert "*****" not in page.text and "\n=====" not in page.text
    assert sum(len(page.text) for page in pages.values()) > 300_000

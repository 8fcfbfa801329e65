"""Tokens as a page and as a picture: whatever the text is, it is shown and never obeyed, and nothing is missing."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ShapeError
from tinyllm.viz import Merge, MergeTrace, TokenText, draw_tokens, tokens_page
from tinyllm.viz.cells import BACKGROUNDS, SPECIAL

HOSTILE = "</span></div><script>alert(1)</script><img src=x onerror=alert(1)>\" ' &lt; <!-- ]]> \u202e \x1b[31m"


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.tags, self.tokens, self.scripts, self.style = [], [], [], ""
        self.stack, self.policy, self.title = [], "", ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if tag == "meta":
            self.policy = self.policy or attrs.get("content", "") if "http-equiv" in attrs else self.policy
            return
        self.stack.append((tag, attrs))
        if tag == "span" and "t" in attrs.get("class", "").split():
            self.tokens.append({"class": attrs["class"], "title": attrs["title"], "text": "", "signs": ""} | attrs)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        assert self.stack.pop()[0] == tag

    def handle_data(self, data):
        tags = [tag for tag, _ in self.stack]
        if "script" in tags:
            self.scripts[-1] += data
        elif "style" in tags:
            self.style += data
        elif tags[-1:] == ["title"]:
            self.title += data
        elif tags and tags[-1] == "i" and self.stack[-1][1]["class"] == "sign":
            self.tokens[-1]["signs"] += data
        elif "span" in tags:
            self.tokens[-1]["text"] += data


def one_token_each(text, **more):
    parts = [char.encode() for char in text]
    return TokenText("toy", list(range(len(parts))), parts, **more)


def test_a_hostile_text_is_text():
    page = Page(tokens_page(one_token_each(HOSTILE), title=HOSTILE))
    assert "".join(token["text"] for token in page.tokens) == re.sub("[\u202e\x1b]", "", HOSTILE)
    assert {tag for tag, _ in page.tags} <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "main", "section", "div", "span", "i",
        "script",
    }  # fmt: skip
    assert page.title == HOSTILE
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") or name == "src" for name in attrs)]
    assert len(page.scripts) == 2


@given(st.text(max_size=30), st.text(max_size=10))
def test_any_text_in_any_place_leaves_the_page_in_order(text, name):
    trace = MergeTrace(text.encode("utf-8", "replace")[:9], [], range(len(text.encode("utf-8", "replace")[:9])), name)
    parts = [char.encode("utf-8", "replace") for char in text]
    data = TokenText(name, list(range(len(parts))), parts, traces={0: trace} if parts else {}, notes=[name])
    page = Page(tokens_page(data))
    assert page.stack == []
    assert len(page.tokens) == len(parts)
    assert set(json.loads(page.scripts[0])) == {"panels"}
    assert "<" not in page.scripts[0]


def test_the_policy_allows_this_script_and_this_style_and_nothing_else():
    page = Page(tokens_page(one_token_each("abc")))

    def known(source):
        return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()

    assert f"script-src '{known(page.scripts[1])}'" in page.policy
    assert f"style-src '{known(page.style)}'" in page.policy
    assert page.policy.startswith("default-src 'none';")
    assert "://" not in tokens_page(one_token_each("abc"))
    assert not [attrs for _, attrs in page.tags if "style" in attrs]  # the policy would not let them have an effect


def test_a_token_tells_its_id_its_bytes_and_its_place():
    data = TokenText("toy", [5, 700, 9, 8], [b"a", b"\xc3", b"\xa9!", b"<|end|>"], special=[3])
    page = Page(tokens_page(data))
    assert [token["title"].split("\n") for token in page.tokens] == [
        ["token 5", "a", "1 byte: 61", "at byte 0, character 0"],
        ["token 700", "\\xc3", "1 byte: c3", "at byte 1, character 1"],
        ["token 9", "\\xa9!", "2 bytes: a9 21", "at byte 2, character 1"],
        ["token 8", "<\\|end\\|>", "7 bytes: 3c 7c 65 6e 64 7c 3e", "at byte 4, character 3"],
    ]
    assert [token["class"] for token in page.tokens] == ["t t0", "t t1", "t t2", "t special"]
    assert "".join(token["text"] for token in page.tokens) == "aé!<|end|>"


def test_pieces_that_occur_twice_have_their_merges_once():
    trace = MergeTrace(b"ab", [Merge(0, 256)], [256], "toy")
    data = TokenText("toy", [256, 32, 256], [b"ab", b" ", b"ab"], traces={0: trace, 2: trace})
    page = Page(tokens_page([data, data]))
    assert [token.get("data-trace") for token in page.tokens] == ["0", None, "0"] * 2
    panels = json.loads(page.scripts[0])["panels"]
    assert [len(panel["traces"]) for panel in panels] == [1, 1]
    assert panels[0]["traces"][0]["levels"] == [[[0, 1, "a"], [1, 2, "b"]], [[0, 2, "ab"]]]


def test_line_ends_are_kept_and_signs_are_beside_them():
    page = Page(tokens_page(one_token_each("a\n\tb\r")))
    assert [token["text"] for token in page.tokens] == ["a", "\n", "\t", "b", ""]
    assert [token["signs"] for token in page.tokens] == ["", "⏎", "→", "", "\\r"]


def test_facts_speak_of_the_whole_text_where_only_its_beginning_is_there():
    data = one_token_each("ab", total=2000, characters=3000, size=5000, notes=["12.00 at 3"])
    assert data.facts() == ["2,000 tokens", "3,000 characters", "5,000 bytes", "2.50 bytes per token", "12.00 at 3"]
    assert "... and 1,998 more tokens" in tokens_page(data)
    assert TokenText("toy", [], []).facts() == ["0 tokens", "0 characters", "0 bytes"]


def test_ids_and_tokens_go_together():
    with pytest.raises(ShapeError, match="1 ids for 2 tokens"):
        TokenText("toy", [1], [b"a", b"b"])


# the picture


def boxes(fig):
    return [(p.get_x(), p.get_y(), p.get_width(), p.get_facecolor()) for p in fig.axes[0].patches]


def test_every_token_has_its_box_and_neighbors_differ_in_color():
    fig = draw_tokens(one_token_each("to be or not to be", special=[2]))
    found = boxes(fig)
    assert len(found) == 18
    assert all(a[3] != b[3] for a, b in itertools.pairwise(found))
    assert len({color for *_, color in found}) == len(BACKGROUNDS) + 1
    import matplotlib.colors

    assert found[2][3] == matplotlib.colors.to_rgba(SPECIAL)


def test_the_picture_stays_in_its_frame_and_lines_end_where_the_text_does():
    data = TokenText("toy", [1, 2, 3], [b"x" * 100, b"\n", b"end"])
    fig = draw_tokens(data, ids=True)
    rows = sorted({round(y, 3) for _, y, _, _ in boxes(fig)}, reverse=True)
    assert len(rows) == 3  # a long token goes on in the next line
    assert all(x + width <= 7.8 + 1e-9 for x, _, width, _ in boxes(fig))
    assert [text.get_text() for text in fig.axes[0].texts if text.get_text().isdigit()] == ["1", "2", "3"]


def test_ids_never_touch():
    fig = draw_tokens(TokenText("toy", [123456] * 9, [b"a"] * 9), ids=True)
    fig.draw_without_rendering()
    ids = [text.get_window_extent().extents for text in fig.axes[0].texts if text.get_text() == "123456"]
    assert len(ids) == 9
    assert all(a[2] < b[0] for a, b in itertools.pairwise(ids))


def test_what_the_font_lacks_is_spelled_and_nothing_warns():
    fig = draw_tokens(TokenText("toy", [1, 2], ["日".encode(), "\u0301\U0001f600".encode()]))
    fig.draw_without_rendering()
    assert [text.get_text() for text in fig.axes[0].texts] == ["U+65E5", "◌U+0301", "U+1F600"]


def test_past_800_tokens_the_picture_says_how_many_it_shows():
    fig = draw_tokens(TokenText("toy", [1] * 1000, [b"ab "] * 1000))
    assert len(boxes(fig)) >= 800
    assert "the first 800 tokens" in fig.texts[1].get_text()
    assert [text.get_text() for text in draw_tokens(TokenText("toy", [], [])).axes[0].texts] == ["no token"]

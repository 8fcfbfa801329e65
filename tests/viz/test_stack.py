"""The stack map: what is yours is told by more than color, in three media."""

from __future__ import annotations

import pytest

from tinyllm.viz import StackMap, Stage, draw_stack, save, stack_lines, stack_page

MAP = StackMap(
    [
        ("model", [Stage("attention", "who reads whom", "10", 2, 5, 480, "10.md"), Stage("GPT", "blocks", "11")]),
        ("train", [Stage("loss", "the price", "04", 5, 5)]),
    ],
    subtitle="two stages",
)


def test_states_are_written_out():
    assert [stage.state for stage in MAP.stages] == ["yours: 2 of 5, 480 calls", "lesson 11", "yours"]
    assert Stage("x", "", "03", 0, 4).state == "lesson 03, 4 to write"


def test_the_figure_says_what_it_shows(tmp_path):
    fig = draw_stack(MAP)
    words = [text.get_text() for text in fig.axes[0].texts]
    assert {"model", "attention", "yours: 2 of 5, 480 calls", "lesson 11", "train", "yours"} <= set(words)
    assert "Yours: attention (yours: 2 of 5, 480 calls), loss (yours)" in fig.get_label()
    assert "All of it is the library's" in StackMap([("a", [Stage("b", "", "01")])]).words
    assert save(fig, tmp_path / "a.svg").read_bytes() == save(draw_stack(MAP), tmp_path / "b.svg").read_bytes()


def test_the_share_that_is_yours_is_drawn_to_scale():
    own = [patch.get_width() for patch in draw_stack(MAP).axes[0].patches if type(patch).__name__ == "Rectangle"]
    assert own[1] / own[0] == pytest.approx((6.9 - 0.1) / ((6.9 / 2 - 0.1) * 2 / 5))


def test_lines_for_a_terminal_in_ascii():
    assert stack_lines(MAP, unicode=False) == [
        "model",
        "  ##---  attention          yours: 2 of 5, 480 calls",
        "  .      GPT                lesson 11",
        "train",
        "  #####  loss               yours",
    ]
    assert all(len(line) <= 30 for line in stack_lines(MAP, width=30))


def test_a_click_opens_what_has_a_link_and_texts_are_escaped():
    page = stack_page(StackMap([("<i>", [Stage("<b>", "&", "01", 1, 1, 0, '10.md"onclick="')])], subtitle="s"))
    assert "&lt;i&gt;" in page and "&lt;b&gt;" in page and 'href="10.md&quot;onclick=&quot;"' in page
    assert 'href="10.md"' in stack_page(MAP) and stack_page(MAP).count("<a ") == 1
    assert "http" not in stack_page(MAP)


@pytest.mark.parametrize("layers", [[], [("empty", [])]])
def test_an_empty_map_is_drawn_all_the_same(layers, tmp_path):
    assert save(draw_stack(StackMap(layers)), tmp_path / "x.png").exists()

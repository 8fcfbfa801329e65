"""The lens picture: words where they belong, the answer framed, and ink that can be read on every color."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ShapeError
from tinyllm.interpret import induction_gpt, logit_lens
from tinyllm.viz import LensTable, draw_lens, lens_lines, save
from tinyllm.viz.style import ink_on


@pytest.fixture
def table():
    p = np.array([[0.1, 0.9, 0.5], [0.3, 0.2, 1.0]])
    ranks = np.array([[3, 0, 7], [0, 0, 0]])
    return LensTable([" the", "$a", "\n"], [[" cat", "b_c", ""], ["dog", "e", " f"]], p, ranks, subtitle="made up")


def test_words_and_probabilities_stand_in_their_cells(table):
    fig = draw_lens(table)
    ax = fig.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["embedding", "layer 0"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["·the", "$a", "⏎"]
    at = {(round(text.get_position()[0]), round(text.get_position()[1])): [] for text in ax.texts}
    for text in ax.texts:
        at[round(text.get_position()[0]), round(text.get_position()[1])].append(text.get_text())
    assert at[0, 0] == ["·cat", "0.10"] and at[2, 0] == ["∅", "0.50"] and at[2, 1] == ["·f", "1.00"]
    np.testing.assert_array_equal(ax.images[0].get_array(), table.probabilities)
    assert ax.images[0].get_clim() == (0, 1)
    assert ax.get_ylim()[0] < ax.get_ylim()[1]  # the last layer on top


def test_the_answer_is_framed_in_every_layer_that_gives_it(table):
    ax = draw_lens(table).axes[0]
    framed = {(round(p.get_x() + 0.46), round(p.get_y() + 0.45)) for p in ax.patches}
    assert framed == {(1, 0), (0, 1), (1, 1), (2, 1)}
    without = LensTable(table.tokens, table.said, table.probabilities)
    assert not draw_lens(without).axes[0].patches


def test_past_16_tokens_the_last_16_are_shown_and_it_is_said():
    words = [str(i) for i in range(20)]
    data = LensTable(words, [words] * 2, np.tile(np.linspace(0, 1, 20), (2, 1)))
    fig = draw_lens(data)
    assert [label.get_text() for label in fig.axes[0].get_xticklabels()] == words[4:]
    assert "the last 16 of 20 tokens" in [text.get_text() for text in fig.texts]
    assert fig.axes[0].images[0].get_array().shape == (2, 16)


def test_words_stay_in_their_cells():
    words = ["M" * 20] * 16
    fig = draw_lens(LensTable(words, [words] * 3, np.full((3, 16), 0.5)))
    fig.draw_without_rendering()
    ax = fig.axes[0]
    cell = ax.get_window_extent().width / 16
    assert all(text.get_window_extent().width <= cell for text in ax.texts)


def test_ink_has_contrast_everywhere():
    import matplotlib

    for share in np.linspace(0, 1, 21):
        rgb = np.array(matplotlib.colormaps["cividis"](share)[:3])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        light = linear @ [0.2126, 0.7152, 0.0722]
        contrast = 1.05 / (light + 0.05) if ink_on(share) == "white" else (light + 0.05) / 0.05
        assert contrast > 4.4, share


def test_lines_for_a_terminal(table):
    lines = lens_lines(table)
    assert [line.split()[0] for line in lines] == ["layer", "embedding", "read"]
    assert "[b_c    ]█" in lines[1] and " ·cat    ·" in lines[1]
    plain = lens_lines(table, unicode=False)
    assert all(line.isascii() for line in plain) and "[e      ]:" in plain[0]
    assert all(len(line) <= 40 for line in lens_lines(table, width=40))
    assert "·the" not in lens_lines(table, width=40)[-1]  # the last ones that fit


def test_the_words_of_the_picture_and_its_file(table, tmp_path):
    words = draw_lens(table).get_label()
    assert "After the last, ⏎: embedding says ∅ (0.50); layer 0 says ·f (1.00)." in words
    first = save(draw_lens(table), tmp_path / "a.svg").read_bytes()
    assert save(draw_lens(table), tmp_path / "b.svg").read_bytes() == first


def test_a_real_lens_fits():
    with kernels.use("numpy"):
        lens = logit_lens(induction_gpt(V=5, T=6), [3, 1, 4, 3, 1], k=1)
    table = LensTable(
        list("31431"), [[str(i) for i in row] for row in lens.ids[..., 0]], lens.probabilities[..., 0], lens.ranks
    )
    assert "layer 1 says 4" in draw_lens(table).get_label()


@pytest.mark.parametrize(
    ("tokens", "said", "shape"),
    [([], [[]], (1, 0)), (["a"], [], (0, 1)), (["a"], [["b"]], (1, 2)), (["a"], [["b", "c"]], (1, 1))],
)
def test_what_does_not_fit_is_refused(tokens, said, shape):
    with pytest.raises(ShapeError, match="LensTable"):
        LensTable(tokens, said, np.zeros(shape))

"""The distributions picture: bars on one scale, crosses for what cannot be drawn, and the rest."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ShapeError
from tinyllm.interpret import effect, tempered
from tinyllm.viz import Distributions, distribution_lines, draw_distributions


@pytest.fixture
def data(rng):
    with kernels.use("numpy"):
        found = effect(tempered(rng.normal(size=30), [0, 0.5, 1, 2]), k=6)
    tokens = [" a", "\n", "$b", "c", "d", "e"]
    return Distributions(found.names, tokens, found.probabilities, found.rest, found.kept, found.entropy)


def test_a_panel_for_each_setting_on_one_scale(data):
    fig = draw_distributions(data)
    panels = [ax for ax in fig.axes if ax.get_title(loc="left")]
    assert [ax.get_title(loc="left") for ax in panels] == ["T=0", "T=0.5", "T=1", "T=2"]
    assert len({ax.get_xlim() for ax in panels}) == 1
    for setting, ax in enumerate(panels):
        widths = [bar.get_width() for bar in ax.patches]
        np.testing.assert_allclose(widths, [*data.probabilities[setting], data.rest[setting]])
        assert data.facts(setting) in [text.get_text() for text in ax.texts]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["·a", "⏎", "$b", "c", "d", "e", "all others"]


def test_what_cannot_be_drawn_has_a_cross(data):
    crosses = [len(ax.lines) for ax in draw_distributions(data).axes[:4]]
    assert crosses == [6, 0, 0, 0]
    assert data.facts(0) == "1 can be drawn, entropy 0.00"


def test_many_tokens_are_shown_as_the_rest():
    p = np.full((1, 20), 0.04)
    ax = draw_distributions(Distributions(["x"], [str(i) for i in range(20)], p, [0.2], [25], [3.2])).axes[0]
    assert len(ax.patches) == 17 and ax.patches[-1].get_width() == pytest.approx(0.2 + 4 * 0.04)


def test_lines_and_words(data):
    lines = distribution_lines(data)
    assert len(lines) == 4 * 8 and lines[0] == "T=0: 1 can be drawn, entropy 0.00"
    assert lines[1].startswith("  ·a         1.00 █") and lines[2].endswith("✗")
    assert all(line.isascii() and len(line) <= 40 for line in distribution_lines(data, width=40, unicode=False))
    assert "T=0: ·a 1.00, 1 can be drawn" in draw_distributions(data).get_label()


def test_what_does_not_fit_is_refused():
    for names, tokens, shape, rest in (
        (["a"], ["b"], (1, 2), [0]),
        ([], ["b"], (0, 1), []),
        (["a"], ["b"], (1, 1), []),
    ):
        with pytest.raises(ShapeError, match="Distributions"):
            Distributions(names, tokens, np.zeros(shape), rest, [1] * len(names), [0.0] * len(names))

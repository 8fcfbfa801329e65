"""Files come out the same every time, carry their description, and never stay half-written."""

from __future__ import annotations

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from tinyllm.errors import ConfigError
from tinyllm.viz import (
    AttentionMaps,
    Edge,
    GradientErrors,
    Graph,
    LossCurve,
    Node,
    draw_attention,
    draw_gradient_check,
    draw_graph,
    draw_loss,
    save,
    style,
)


def attention() -> Figure:
    p = np.tril(np.ones((5, 5))) / np.arange(1, 6)[:, None]
    return draw_attention(AttentionMaps([np.stack([p, p])], list("abcde")))


PICTURES = {
    "loss": lambda: draw_loss(LossCurve([1, 2], [3.0, 2.0], [2], [2.5], [0.1, 0.2], bytes_per_token=1.0)),
    "attention": attention,
    "graph": lambda: draw_graph(
        Graph([Node("x", "x", kind="input"), Node("y", "exp", kind="result")], [Edge("x", "y")])
    ),
    "gradient": lambda: draw_gradient_check(GradientErrors(["w", "b"], [1e-9, 1e-2], 1e-6)),
}


@pytest.mark.parametrize("kind", style.FORMATS)
@pytest.mark.parametrize("name", list(PICTURES))
def test_a_picture_drawn_twice_is_the_same_file(name, kind, tmp_path):
    one = save(PICTURES[name](), tmp_path / f"one.{kind}")
    two = save(PICTURES[name](), tmp_path / f"two.{kind}")
    assert one.read_bytes() == two.read_bytes()
    assert one.stat().st_size > 1000


@pytest.mark.parametrize("name", list(PICTURES))
def test_pictures_are_800_pixels_wide_and_carry_their_description(name, tmp_path):
    fig = PICTURES[name]()
    data = save(fig, tmp_path / "a.png").read_bytes()
    assert int.from_bytes(data[16:20], "big") == 800  # the width in the PNG header
    assert len(fig.get_label()) > 20
    assert fig.get_label().encode("latin-1") in data
    assert fig.get_label().split(".")[0] in (save(fig, tmp_path / "a.svg")).read_text()


def test_the_users_settings_do_not_change_a_picture_and_are_left_alone(tmp_path):
    before = save(PICTURES["loss"](), tmp_path / "before.png").read_bytes()
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "lines.linewidth": 9, "savefig.dpi": 300}):
        kept = dict(matplotlib.rcParams)
        assert save(PICTURES["loss"](), tmp_path / "after.png").read_bytes() == before
        assert dict(matplotlib.rcParams) == kept


def test_a_wrong_ending_is_refused_and_says_which_are_right(tmp_path):
    with pytest.raises(ConfigError, match=r"loss\.jpg.*png or svg or pdf"):
        save(PICTURES["loss"](), tmp_path / "loss.jpg")


def test_a_failing_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = save(PICTURES["loss"](), tmp_path / "new" / "loss.png")
    old = target.read_bytes()

    def fail(self, path, **_):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="No space"):
        save(PICTURES["graph"](), target)
    assert target.read_bytes() == old
    assert [path.name for path in target.parent.iterdir()] == ["loss.png"]


def test_no_figure_is_left_in_pyplot():
    for draw in PICTURES.values():
        draw()
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (" a", "·a"),
        ("\t", "→"),
        ("$x_1$", "$x_1$"),
        ("\u4e2d", "U+4E2D"),
        ("\x1b", "\\x1b"),
        ("abcdefghijklm", "abcdefghi…"),
    ],
)
def test_tokens_are_made_visible(token, shown):
    assert style.visible(token) == shown


def test_the_palette_is_okabe_and_ito_and_the_amounts_are_even():
    colors = {style.BLACK, style.ORANGE, style.SKY, style.GREEN, style.BLUE, style.VERMILION, style.PURPLE}
    assert colors == {"#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"}
    shades = matplotlib.colormaps[style.AMOUNTS](np.linspace(0, 1, 16))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(shades) > 0).all()  # lighter means more, even in gray


def test_importing_the_room_loads_no_matplotlib():
    code = "import sys, tinyllm.viz, tinyllm.viz.terminal; print({'matplotlib', 'numpy', 'numba'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

"""A lesson in other forms: one HTML file, Markdown with its pictures, a notebook."""

from __future__ import annotations

import builtins
import json
import sys

import pytest

from tinyllm import viz
from tinyllm.errors import LearnError
from tinyllm.learn.exercises import lesson
from tinyllm.learn.text import convert
from tinyllm.learn.text.in_notebook import NotebookSink
from tinyllm.learn.text.lesson import Claim, Question


@pytest.mark.parametrize("form", ["html", "md"])
def test_an_export_is_the_same_bytes_every_time(form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = convert.export(lesson("10"), form)
    assert path.name == f"10_attention.{form}"
    first = path.read_bytes()
    assert convert.export(lesson("10"), form).read_bytes() == first and len(first) > 10_000
    figures = [figure.name for figure in (tmp_path / "figures").glob("*")] if form == "md" else []
    assert all(f"figures/{name}" in first.decode() for name in figures) and bool(figures) == (form == "md")


def test_a_form_that_there_is_not():
    with pytest.raises(LearnError, match="html or md or ipynb"):
        convert.export(lesson("10"), "pdf")


def test_a_notebook_is_valid_and_the_same_every_time():
    pytest.importorskip("jupytext", reason="jupytext is not installed (the extra 'lessons')")
    import nbformat

    made = convert.notebook(lesson("10"))
    nbformat.validate(nbformat.from_dict(made))
    assert made == convert.notebook(lesson("10"))
    text = json.dumps(made)
    assert "# 10 Attention" in text and "## Payoff" in text and "[[softmax" not in text
    assert len({cell["id"] for cell in made["cells"]}) == len(made["cells"])


@pytest.mark.slow
def test_a_notebook_runs(tmp_path, monkeypatch):
    pytest.importorskip("jupytext", reason="jupytext is not installed (the extra 'lessons')")
    pytest.importorskip("nbclient", reason="nbclient is not installed (the extra 'lessons')")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed (the extra 'lessons')")
    path = tmp_path / "10_attention.py"
    path.write_text(
        "# %% [markdown]\n# # Hello\n\n# %% payoff: it adds\nfrom tinyllm import viz\n"
        "from tinyllm.learn import build, claim, fig, predict, say\nclaim('one', 1, near=1)\nsay('**two**')\n"
        "fig(viz.draw_loss(viz.LossCurve([0, 1], [2.0, 1.0])), alt='A curve.')\n"
        "predict('Which?', ['a', 'b'], answer=1, because='So.')\nbuild('10.1')\n"
    )
    monkeypatch.setattr(convert, "lesson_path", lambda _: path)
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    made = convert.notebook(lesson("10"), run=True)
    outputs = [output["data"] for cell in made["cells"] for output in cell.get("outputs", []) if "data" in output]
    assert [next(iter(sorted(output))) for output in outputs] == [
        "text/markdown", "text/markdown", "text/html", "text/markdown", "text/markdown",
    ]  # fmt: skip
    assert 'alt="A curve."' in "".join(outputs[2]["text/html"])


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jupytext", None)
    with pytest.raises(LearnError, match=r"tinyllm\[lessons\]"):
        convert.notebook(lesson("10"))


def test_html_needs_neither_the_extra_nor_the_lesson_run(monkeypatch, tmp_path):
    real = builtins.__import__

    def guarded(name, *rest, **more):
        if name.split(".")[0] in {"jupytext", "nbformat", "nbclient", "nbconvert", "IPython"}:
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", guarded)
    assert convert.export(lesson("10"), "html", tmp_path / "x.html").is_file()


def test_a_notebook_displays_what_survives_conversion(monkeypatch):
    shown = []
    display = type("display", (), {"display": staticmethod(lambda bundle, raw: shown.append(bundle))})
    monkeypatch.setitem(
        sys.modules,
        "IPython",
        type("IPython", (), {"display": display, "get_ipython": lambda: None, "version_info": (9, 0, 0)}),
    )
    sink = NotebookSink()
    sink.say("The [[logits|scores]].")
    sink.claim(Claim("x", "1", "above 0"))
    sink.fig(viz.draw_loss(viz.LossCurve([0, 1], [2.0, 1.0])), 'A "curve".')
    sink.predict(Question("Which?", ("a", "b"), 1, "So."))
    assert shown[0]["text/markdown"] == "The scores."
    assert shown[1]["text/markdown"] == "*Claim:* x: 1 (above 0)"
    assert shown[2]["text/html"].startswith('<img alt="A &quot;curve&quot;." src="data:image/svg+xml;base64,')
    assert "<summary>Answer</summary>" in shown[3]["text/markdown"]

"""The retrieval ladder's picture: means, differences, verdicts, and what was predicted."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tinyllm.errors import ShapeError
from tinyllm.rag.evaluate import compare
from tinyllm.viz import RetrievalLadder, draw_retrieval_ladder, retrieval_ladder_lines, save

DATA = RetrievalLadder(
    names=["substring", "bm25", "a step with a long name indeed", "broken"],
    means=[(0.24, 0.21, 0.27), (0.53, 0.5, 0.56), (0.54, 0.5, 0.58), (0.2, 0.1, 0.3)],
    deltas=[None, (0.29, 0.25, 0.33), (0.01, -0.02, 0.04), (-0.34, -0.4, -0.28)],
    p_values=[None, 0.0002, 0.4, 0.0003],
    detectable=[None, 0.05, 0.03, 9.0],
    verdicts=["", "better", "not shown", "worse"],
    predictions=["", "above by .2", "", ""],
)


def test_rows_are_drawn_to_scale():
    left, right = draw_retrieval_ladder(DATA).axes
    spans = [tuple(line.get_xdata()) for line in left.lines if line.get_linewidth() == 2.5]
    assert spans == [mean[1:] for mean in DATA.means]
    spans = [tuple(line.get_xdata()) for line in right.lines if line.get_linewidth() == 2.5]
    assert spans == [delta[1:] for delta in DATA.deltas[1:]]
    assert left.get_ylim()[0] > left.get_ylim()[1]  # the first step is on top
    assert len({line.get_marker() for line in left.lines} - {"None"}) == 4  # never color alone
    low, high = right.get_xlim()
    assert low < -0.4 and high > 0.33
    widths = [bar.get_width() for bar in right.patches]
    assert widths[:2] == pytest.approx([0.1, 0.06]) and widths[2] < 2 * 9.0  # cut at the picture's edge


def test_what_is_written():
    left, right = draw_retrieval_ladder(DATA).axes
    said = [text.get_text() for text in right.texts]
    assert said == ["+0.290  better\n(p = 0.0002)", "+0.010  not shown\n(p = 0.4000)", "-0.340  worse\n(p = 0.0003)"]
    assert [text.get_text() for text in left.texts if "predicted" in text.get_text()] == ["predicted: above by .2"]
    words = draw_retrieval_ladder(DATA).get_label()
    assert "bm25: 0.530 [0.500, 0.560], +0.290  better (p = 0.0002)." in words and "substring: 0.240" in words


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("unicode", [True, False])
def test_lines_fit_and_are_to_scale(width, unicode):
    lines = retrieval_ladder_lines(DATA, width, unicode)
    assert len(lines) == 4 and all(len(line) <= width for line in lines)
    at = [line.index("┃" if unicode else "|") for line in lines]
    assert at[3] <= at[0] < at[1] <= at[2]
    assert lines[1].rstrip().endswith("better (p = 0.0002)") == (width >= 60)


def test_a_report_is_taken_as_it_is(tmp_path):
    scores = {f"q{n}": n / 40 for n in range(20)}
    steps = {"bm25": scores, "dense": {query: value + 0.1 for query, value in scores.items()}}
    report = compare(steps, "toy, ndcg@10", samples=200, predictions={"dense": "up"})
    data = RetrievalLadder.of(report, what="nDCG")
    assert data.names == ["bm25", "dense"] and data.verdicts == ["", "better"] and data.predictions == ["", "up"]
    assert data.deltas[1][0] == pytest.approx(0.1) and data.p_values[1] == report.steps[1].change.p_holm
    assert data.subtitle == "toy, ndcg@10, 20 queries" and data.what == "nDCG"
    save(draw_retrieval_ladder(data), tmp_path / "a.svg")
    save(draw_retrieval_ladder(data), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_odd_ladders_are_drawn():
    alone = RetrievalLadder(["bm25"], [(0.0, 0.0, 0.0)], [None], [None], [None], [""])
    same = RetrievalLadder(["a", "b"], [(0.5, 0.5, 0.5)] * 2, [None, (0, 0, 0)], [None, 1.0], [None, float("inf")],
                           ["", "not shown"])  # fmt: skip
    for data in (alone, same):
        assert draw_retrieval_ladder(data).axes and len(retrieval_ladder_lines(data)) == len(data.names)


def test_lengths_must_agree():
    with pytest.raises(ShapeError, match="for 2 names"):
        RetrievalLadder(["a", "b"], [(0, 0, 0)], [None], [None], [None], [""])
    with pytest.raises(ShapeError, match="nothing to draw"):
        RetrievalLadder.of(SimpleNamespace(title="", queries=0, steps=[]))

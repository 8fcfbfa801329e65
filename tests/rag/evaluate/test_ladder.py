from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import ConfigError, DataError
from tinyllm.rag.evaluate.ladder import compare, each_step_improves_metrics
from tinyllm.rag.evaluate.significance import sign_flips


def scores(values) -> dict[str, float]:
    return {f"q{place}": float(value) for place, value in enumerate(values)}


@pytest.fixture
def rungs(rng):
    base = rng.uniform(0.2, 0.5, 60)
    better = base + rng.normal(0.1, 0.1, 60)
    same = better + rng.normal(0, 0.1, 60)
    worse = same - 0.2
    return {"naive": scores(base), "bm25": scores(better), "dense": scores(same), "broken": scores(worse)}


def test_verdicts(rungs):
    report = compare(rungs, "made up", samples=2000)
    assert [step.change and step.change.verdict for step in report.steps] == [None, "better", "not shown", "worse"]
    naive, bm25 = report.steps[:2]
    moved = [b - a for a, b in zip(rungs["naive"].values(), rungs["bm25"].values(), strict=True)]
    assert bm25.change.delta.value == pytest.approx(bm25.mean.value - naive.mean.value)
    assert 0 < bm25.change.delta.low < bm25.change.delta.value < bm25.change.delta.high
    assert bm25.change.p == sign_flips(moved, 2000) <= bm25.change.p_holm
    assert bm25.change.wins == sum(m > 0 for m in moved) and bm25.change.wins + bm25.change.losses == 60
    assert report.steps[3].change.least == pytest.approx(0, abs=1e-12)  # a constant loss has no spread


def test_the_gate_explains_itself(rungs):
    good = each_step_improves_metrics(compare({"naive": rungs["naive"], "bm25": rungs["bm25"]}, "dev"))
    assert good and good.step is None and str(good) == "dev: each of 1 steps is better than the one before"
    bad = each_step_improves_metrics(compare(rungs, "dev", samples=500))
    assert not bad and bad.step == "dense"
    assert "dense does not improve on bm25: not shown" in str(bad) and "show a difference from about 0.0" in str(bad)
    worse = each_step_improves_metrics(compare({"bm25": rungs["dense"], "broken": rungs["broken"]}, "dev"))
    assert not worse and "broken does not improve on bm25: worse, -0.200" in str(worse)


def test_more_steps_ask_for_more():
    """What is significant alone no longer is beside other questions."""
    up = scores([0.1] * 6)
    assert compare({"a": scores([0] * 6), "b": up}).steps[1].change.verdict == "better"  # p = 2/64
    three = {"a": scores([0] * 6), "b": up, "c": up, "d": up}
    assert [step.change.p_holm for step in compare(three).steps[1:]] == [3 * 2 / 64, 1.0, 1.0]
    assert each_step_improves_metrics(compare(three)).step == "b"


def test_the_table_says_it_all(rungs):
    text = str(compare(rungs, "made up", samples=500, predictions={"dense": "better by .05"}))
    lines = text.splitlines()
    assert lines[0] == "made up: 60 queries" and len(lines) == 7
    assert lines[1].endswith("verdict") and lines[5].strip() == "predicted: better by .05"
    assert lines[2].split()[0] == "naive" and lines[6].endswith("worse")


def test_the_same_input_gives_the_same_report(rungs):
    assert compare(rungs, samples=300) == compare(rungs, samples=300)
    order = {name: dict(reversed(each.items())) if name == "bm25" else each for name, each in rungs.items()}
    assert compare(order, samples=300) == compare(rungs, samples=300)  # joined by query, not by place


def test_bad_input(rungs):
    with pytest.raises(DataError, match="no scores"):
        compare({})
    with pytest.raises(DataError, match="no scores"):
        compare({"a": {}})
    with pytest.raises(DataError, match="differ at query 'q59'"):
        compare({"naive": rungs["naive"], "short": dict(list(rungs["bm25"].items())[:-1])})
    with pytest.raises(DataError, match="'b' scores query 'q0' as nan"):
        compare({"a": scores([1]), "b": scores([np.nan])})
    with pytest.raises(ConfigError):
        compare(rungs, alpha=0)
    with pytest.raises(ConfigError, match="'lsa', which is no step"):
        compare(rungs, predictions={"lsa": "better"})
    with pytest.raises(DataError, match="one step"):
        each_step_improves_metrics(compare({"a": scores([0.5, 0.6])}))

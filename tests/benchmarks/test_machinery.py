"""What stands between a measured time and a sentence about it: slopes, ceilings, the guard's decision, pictures."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from tinyllm.kernels.jit import probe


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5, 2.0, 3.0])
def test_the_exponent_of_a_power_law_is_found(load, power):
    exponent = load("slopes").exponent
    sizes = [64, 128, 256, 512, 1024]
    assert exponent(sizes, [3e-7 * n**power for n in sizes]) == pytest.approx(power)


def test_the_exponent_with_noise_and_a_fixed_cost(load, rng):
    slopes = load("slopes")
    sizes = (64, 128, 256, 512, 1024, 2048)
    noisy = [1e-6 * n**2 * f for n, f in zip(sizes, rng.uniform(0.9, 1.1, len(sizes)), strict=True)]
    assert slopes.exponent(sizes, noisy) == pytest.approx(2, abs=0.1)
    fixed = slopes.Slope("a step", "tinyllm", "T", sizes, tuple(1e-2 + 1e-8 * n**2 for n in sizes))
    assert fixed.exponent < fixed.last < 2  # what is always paid hides the growth of small sizes


def test_points_become_lines_and_one_point_is_none(load):
    points = [("forward", "numpy", "T", 128, 4.0), ("forward", "numpy", "T", 64, 1.0), ("forward", "jax", "T", 64, 1.0)]
    (line,) = load("slopes").slopes(points)
    assert (line.sizes, line.exponent) == ((64, 128), pytest.approx(2))
    assert line.to_dict()["exponent"] == 2.0


def ceilings(load):
    found = load("roofline").Ceilings(2)
    found.arithmetic = {"float32": {"1": 1e11, "all": 2e11}}
    found.memory, found.cache = {"1": 2e10, "all": 4e10}, {"1": 5e10, "all": 1e11}
    return found


def test_the_roofline_is_the_lower_of_arithmetic_and_memory(load):
    found = ceilings(load)
    assert found.bound(2e11, 1e6) == pytest.approx(1.0)  # arithmetic
    assert found.bound(1.0, 4e10) == pytest.approx(1.0)  # memory
    assert found.bound(1.0, 1e7) == pytest.approx(1e-4)  # it fits into the caches
    assert found.share(1e11, 1e6, 1.0) == pytest.approx(0.5)
    assert found.share(1e11, 1e6, 1.0, "float64") == pytest.approx(1e-5)  # no peak is known: memory alone
    assert load("roofline").Ceilings(2).share(1e9, 1e6, 1.0) is None


def test_a_product_faster_than_the_probe_raises_the_peak(load):
    found = ceilings(load)
    found.seen("a product", 1e11, "float32")
    assert found.arithmetic["float32"]["all"] == 2e11
    found.seen("a product", 3e11, "float32")
    assert (found.arithmetic["float32"]["all"], found.source["float32"]) == (3e11, "a product")


@pytest.mark.parametrize("size", [1, 7, 127, 128, 129, 1000])
@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_the_probe_that_reads_reads_everything(size, tasks):
    totals = np.empty(tasks, np.float32)
    probe.read_sum(np.arange(size, dtype=np.float32), totals)
    assert totals.sum() == pytest.approx(size * (size - 1) / 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_probe_that_calculates_calculates(dtype):
    totals = np.empty(2, dtype)
    probe.multiply_add(np.array([0.5, 1.0], dtype), 200, totals)
    # s <- s / 2 + 1 ends at 2, in CHAINS arrays of LANES each; the factor is added once
    np.testing.assert_allclose(totals, probe.CHAINS * probe.LANES * 2 + 0.5, rtol=1e-6)


class Ladder:
    """A compiled function, as far as the finder of rungs looks at it."""

    def __init__(self, function):
        self.py_func = function
        self.calls = []

    def __call__(self, *args):
        self.calls.append(args)


def test_rungs_are_called_by_the_names_of_what_they_take(load, monkeypatch):
    rungs = load("rungs")

    def new_v1(b, a, out): ...
    def new_v2(a, mystery, out): ...

    found = {"new_v1": Ladder(new_v1), "new_v2": Ladder(new_v2)}
    monkeypatch.setattr(rungs, "ladder", lambda name: found)
    timed, skipped = rungs.timed_rungs("new", {"a": 1, "b": 2, "out": 3}, "out")
    assert timed["new_v1"].run() == 3
    assert found["new_v1"].calls == [(2, 1, 3)]
    assert skipped == {"new_v2": "it takes 'mystery', which this benchmark does not know"}


def test_ladders_are_found_in_order(load):
    names = list(load("rungs").ladder("matmul"))
    assert len(names) >= 4
    assert names == sorted(names, key=lambda name: int(name.rpartition("_v")[2]))
    assert load("rungs").ladder("attention").keys().isdisjoint(load("rungs").ladder("attention_backward"))


# candidates


def test_results_that_differ_are_seen(load):
    turns = load("turns")
    x = np.linspace(0, 1, 100)
    assert turns.agree(turns.fingerprint(x), turns.fingerprint(x + 1e-5))
    assert not turns.agree(turns.fingerprint(x), turns.fingerprint(x * 1.01))
    assert not turns.agree(turns.fingerprint(1_000_000), turns.fingerprint(1_000_001), exact=True)


@pytest.fixture
def server(load, monkeypatch):
    """The answering side of a candidate, with a benchmark that has one fast rung and one slow one."""
    turns = load("turns")

    class Benchmark:
        @staticmethod
        def prepare(candidate, case):
            if candidate == "absent":
                raise turns.LeftOut("it cannot do this")
            work = case["work"]
            return {
                "door": turns.Timed(lambda: work),
                "slow_v1": turns.Timed(lambda: sum(range(100 * work)), slow=True),
            }

    monkeypatch.setitem(sys.modules, "imagined", Benchmark)
    return turns.Server


def test_what_would_take_too_long_is_foreseen_and_named(server):
    case = {"name": "large", "work": 10_000_000, "probe": {"work": 100}}
    answer = server("tinyllm").prepare("imagined", case, limit=0.2, step=1e-4)
    assert list(answer["timed"]) == ["door"]
    assert "too slow here, about" in answer["skipped"]["slow_v1"]
    case["work"] = 200
    assert list(server("tinyllm").prepare("imagined", case, limit=0.2, step=1e-4)["timed"]) == ["door", "slow_v1"]


def test_short_things_are_repeated_within_a_step(server):
    one = server("tinyllm")
    one.prepare("imagined", {"name": "small", "work": 1}, limit=1.0, step=1e-4)
    assert one.repeats["door"] > 10
    answer = one.time("door", steps=3)
    assert len(answer["seconds"]) == 3 and 0 < min(answer["seconds"]) < 1e-4
    assert answer["facts"]["last"] == 1


def test_what_one_thing_returned_is_not_taken_for_anothers(load):
    turns = load("turns")

    class Told:
        """A candidate that says of each thing what it is called."""

        name, left_out = "tinyllm", ""

        def ask(self, do, **request):
            if do == "prepare":
                about = {"seconds": 1e-3, "result": []}
                return {"timed": {"a": about, "b": about}, "skipped": {}, "facts": {"version": 1}}
            return {"seconds": [1.0] * request["steps"], "facts": {"last": request["name"]}}

    series, _ = turns.take_turns([Told()], "imagined", {}, rounds=2, settle=0.0)
    assert [(one.name, one.facts["last"], one.facts["version"]) for one in series] == [("a", "a", 1), ("b", "b", 1)]


# the guard


def test_the_guard_fails_only_far_above_the_baseline(load):
    guard = load("guard")
    baseline = {"a": 0.5, "b": 2.0}
    assert guard.too_slow({"a": 0.5 * guard.MARGIN, "b": 0.1}, baseline) == []
    assert guard.too_slow({"a": 0.51 * guard.MARGIN, "b": 2.0}, baseline) == ["a"]
    assert guard.too_slow({"new": 99.0}, baseline) == []


def test_one_disturbed_turn_does_not_count(load):
    ratio = load("guard").ratio_of_turns
    quiet = [[1.0, 1.1, 1.2]] * 7
    disturbed = [[1.0, 1.1, 1.2]] * 4 + [[9.0, 9.0, 9.0]] * 3
    assert ratio(disturbed, quiet) == 1.0
    assert ratio(quiet, disturbed) == 1.0
    assert ratio([[2.0, 8.0]] * 7, quiet) == 2.0  # one slow step in each turn does not count either


def play(load, monkeypatch, tmp_path, ratios):
    """Let the guard run on ratios that are told to it, one dict for each time it measures."""
    guard = load("guard")
    told = iter(ratios)
    monkeypatch.setattr(guard, "measured", lambda cases, pool: (next(told), {"other": "torch is not installed"}))
    monkeypatch.setattr(guard, "processes", lambda names, threads: _Nobody())
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps({"ratios": {"a": 0.5}, "machine": {"processor": "of another world"}}))
    monkeypatch.setattr(sys, "argv", ["guard.py", "--baseline", str(path)])
    with pytest.raises(SystemExit) as stop:
        guard.main()
    return stop.value.code


class _Nobody:
    def __enter__(self):
        return []

    def __exit__(self, *error):
        return None


def test_the_guard_passes_what_is_as_before(load, monkeypatch, tmp_path, capsys):
    assert play(load, monkeypatch, tmp_path, [{"a": 0.55}]) == 0
    assert "other: left out; torch is not installed" in capsys.readouterr().out


def test_the_guard_asks_twice(load, monkeypatch, tmp_path, capsys):
    assert play(load, monkeypatch, tmp_path, [{"a": 5.0}, {"a": 0.6}]) == 0
    assert "measured a second time: a" in capsys.readouterr().out


def test_the_guard_fails_and_says_what_and_where(load, monkeypatch, tmp_path, capsys):
    assert play(load, monkeypatch, tmp_path, [{"a": 5.0}, {"a": 4.0}]) == 1
    out = capsys.readouterr().out
    assert "TOO SLOW" in out and "of another machine" in out


def test_the_baseline_knows_every_case(load):
    guard = load("guard")
    known = json.loads(guard.BASELINE.read_text())["ratios"]
    assert set(known) == {one.name for one in guard.guarded()}
    assert all(0 < found < 10 for found in known.values())


# pictures


def test_a_picture_of_everything(load):
    figures, slopes = load("figures"), load("slopes")
    rows = [
        {"flop": 1e9, "bytes": 1e7, "dtype": "float32", "rung": rung, "ours": 0.01, "peer": "jax", "peer_seconds": 0.02}
        for rung in (None, "matmul_v3")
    ]
    lines = slopes.slopes(
        [
            (line, who, "T", n, n**2 * 1e-6)
            for line in ("forward", "backward")
            for who in ("tinyllm", "x_v1")
            for n in (64, 128)
        ]
    )
    figure = figures.picture("attention", rows, ceilings(load), lines)
    words = [text.get_text() for ax in figure.axes if ax.get_legend() for text in ax.get_legend().get_texts()]
    assert {"tinyllm", "jax", "v3", "tinyllm: 2.00", "v1: 2.00"} <= set(words)
    labels = [ax.get_xlabel() for ax in figure.axes]
    assert "arithmetic intensity (operations per byte that must be moved)" in labels
    assert "T (tokens in a sequence)" in labels
    assert "T^2.00" in figure.get_label()


def test_a_picture_of_nothing(load):
    assert load("figures").picture("memory", [], load("roofline").Ceilings(1), []).axes

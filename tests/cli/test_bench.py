"""``tinyllm bench``: finds the benchmarks, hands its options on, and says where they are when they are not here."""

from __future__ import annotations

import json

import pytest

from tinyllm.cli import bench


def test_without_a_name_they_are_listed(tinyllm):
    done = tinyllm("bench")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in done.out.splitlines()] == list(bench.BENCHMARKS)


def test_each_has_its_file():
    folder = bench.beside_the_package()
    assert all((folder / f"{name.replace('-', '_')}.py").is_file() for name in bench.BENCHMARKS)


@pytest.mark.parametrize("name", ["matmull", "train_step"])
def test_an_unknown_one(tinyllm, name):
    done = tinyllm("bench", name)
    assert done.code == 2
    assert "train-step" in done.err


def test_where_there_is_no_source(tinyllm, monkeypatch):
    monkeypatch.setattr(bench, "beside_the_package", lambda: None)
    done = tinyllm("bench", "matmul")
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert "come with the source" in done.err


def test_options_are_handed_on(tinyllm, monkeypatch):
    called = {}

    class Done:
        returncode = 3

    def instead(command, env, check):
        called["command"] = command
        return Done

    monkeypatch.setattr(bench.subprocess, "run", instead)
    done = tinyllm("bench", "train-step", "--quick", "--json", "--only", "cpu", "--threads", 1, "--plot", "x.svg")
    assert done.code == 3
    assert called["command"][1].endswith("train_step.py")
    assert called["command"][2:] == ["--quick", "--json", "--only=cpu", "--threads=1", "--plot=x.svg"]


def test_json_is_all_that_is_on_stdout(shell, tmp_path):
    done = shell("bench", "matmul", "--quick", "--json", "--only", "64x64", env={"TINYLLM_KERNELS": "numba"})
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["benchmark"] == "matmul"
    (row,) = [row for row in found["rows"] if row["peer"] == "numpy" and not row["rung"]]
    assert row["ratio"] == pytest.approx(row["ours"] / row["peer_seconds"])
    assert row["roofline"] > 0
    assert "64x64 @ 64x64" in done.err


def test_a_case_that_is_not_there_is_told_by_the_benchmark(shell):
    done = shell("bench", "matmul", "--only", "nonsense")
    assert done.code == 2
    assert "no case has 'nonsense' in its name" in done.err

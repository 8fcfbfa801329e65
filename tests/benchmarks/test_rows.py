"""Every benchmark writes rows of one form, whatever it measures and whoever is installed."""

from __future__ import annotations

import argparse
import json
import math
import re

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.kernels import TABLE

NAMES = ("matmul", "attention", "elementwise", "train_step", "memory")
KEYS = {"case", "ours", "peer", "peer_seconds", "ratio", "roofline"}


@pytest.mark.parametrize("name", NAMES)
def test_rows_have_one_form(tiny, name):
    found = tiny(name, "--peers=numpy")
    assert set(found) >= {"machine", "rows", "left_out", "slopes"}
    assert found["machine"]["cores"] >= 1 and found["machine"]["versions"]["numpy"]
    assert found["rows"]
    for row in found["rows"]:
        assert set(row) >= KEYS
        assert row["ours"] >= 0 and row["peer"] == "numpy"
        if row["peer_seconds"]:
            assert row["ratio"] == pytest.approx(row["ours"] / row["peer_seconds"])
    pairs = [(row["case"], row["peer"]) for row in found["rows"]]
    assert len(pairs) == len(set(pairs)), "a case and a peer name one row"


@pytest.mark.parametrize("name", NAMES)
def test_peers_that_take_no_part_are_named(tiny, name):
    left_out = {one["name"]: one["why"] for one in tiny(name, "--peers=numpy")["left_out"]}
    assert left_out["torch eager"] == "not among --peers"


@pytest.mark.parametrize(
    ("name", "ladder"), [("matmul", "matmul"), ("attention", "attention"), ("elementwise", "gelu")]
)
def test_every_rung_is_timed_and_gives_what_the_door_gives(tiny, load, name, ladder):
    found = tiny(name, "--peers=numpy")
    timed = {row["rung"] for row in found["rows"] if row["rung"]}
    assert set(load("rungs").ladder(ladder)) <= timed
    assert not [row["case"] for row in found["rows"] if row.get("agrees") is False]
    assert not [one for one in found["left_out"] if "_v" in one["name"]], "a rung was not timed"


def test_every_kernel_of_the_table_is_measured_or_named(tiny, load):
    found = tiny("elementwise", "--peers=numpy")
    named = {one["name"] for one in found["left_out"] if one["why"] == "it has no case here"}
    measured = {row["case"].split()[0] for row in found["rows"]}
    assert named | measured | {"matmul", "attention", "attention_backward"} == set(TABLE)
    assert measured >= {"gelu", "layer_norm", "softmax", "adamw", "cross_entropy", "dropout", "scatter_add"}


def test_growth_is_fitted(tiny):
    for name, axis in (("matmul", "n"), ("attention", "T"), ("memory", "T")):
        for slope in tiny(name, "--peers=numpy")["slopes"]:
            assert slope["axis"] == axis
            assert math.isfinite(slope["exponent"])
        assert {slope["candidate"] for slope in tiny(name, "--peers=numpy")["slopes"]} >= {"tinyllm", "numpy"}


def test_a_training_step_grows_with_three_axes(tiny):
    found = tiny("train_step", "--peers=none", "--slopes")
    assert {slope["axis"] for slope in found["slopes"]} == {"T", "C", "L"}
    assert all(row["peer"] is None and row["ratio"] is None for row in found["rows"])


def test_memory_says_what_each_op_keeps(tiny):
    rows = [row for row in tiny("memory", "--peers=numpy")["rows"] if "training step" in row["case"]]
    assert rows[0]["saved_bytes_by_op"]["attention"] > 0
    assert {row["case"].rpartition(", ")[2] for row in rows} == {
        "above what is loaded",
        "above import",
        "whole process",
    }


def test_decoding_is_measured_or_says_why_not(tiny):
    found = tiny("decode", "--peers=none")
    if found["rows"]:
        assert {row["case"].split(", ")[2] for row in found["rows"]} >= {"float32", "int8", "int4"}
        assert all(row["tokens_per_second"] > 0 for row in found["rows"])
        lines = {slope["line"]: slope["sizes"] for slope in found["slopes"]}
        assert lines["a text, with the cache"] == lines["a text, without a cache"] == [4, 8]
    else:
        assert {one["why"] for one in found["left_out"] if one["name"] == "tinyllm"}


def test_a_text_is_the_same_with_and_without_a_cache(load):
    decode = load("decode")
    found = [case for case in decode.cases(argparse.Namespace(tiny=True, quick=False)) if case.get("kind")]
    with kernels.use("numpy"):
        texts = [decode.prepare("tinyllm", case)["tinyllm"].run() for case in found]
    assert [len(text) for text in texts] == [5, 9, 5, 9]
    for one, other in zip(texts[:2], texts[2:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_decoding_is_measured_with_one_to_sixteen_texts_in_every_format(load):
    decode = load("decode")
    found = decode.cases(argparse.Namespace(tiny=False, quick=False))
    steps = {(case["batch"], case["weights"]) for case in found if case["name"].startswith("124M")}
    assert steps == {(batch, weights) for batch in (1, 2, 4, 8, 16) for weights in decode.FORMATS}
    full = [case for case in found if case.get("weights") == "float32"]
    assert not any(case.get("without") for case in full)  # beside the peers
    assert [case["T"] for case in found if case.get("kind") == "without a"] == [16, 32, 64, 128, 256, 512]


def test_without_torch_it_is_left_out_and_named(script, tmp_path):
    (tmp_path / "torch").mkdir()
    hidden = "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"
    (tmp_path / "torch" / "__init__.py").write_text(hidden)
    peers = "--peers=numpy,torch eager"
    done = script("matmul", "--tiny", "--rounds=1", "--json", "--only=64x64", peers, path=tmp_path)
    found = json.loads(done.stdout)
    assert {"name": "torch eager", "why": "torch is not installed"} in found["left_out"]
    assert {row["peer"] for row in found["rows"]} == {"numpy"}
    assert "torch eager: torch is not installed" in done.stderr
    done = script("train_step", "--tiny", "--rounds=1", "--peers=torch eager", path=tmp_path)
    assert done.returncode == 0
    assert "torch eager: torch is not installed" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_case_that_is_not_there(script, tmp_path):
    done = script("matmul", "--tiny", "--only=no such shape")
    assert done.returncode == 2
    assert "no case has 'no such shape'" in done.stderr and "64x64" in done.stderr


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_picture(script, tmp_path, kind):
    path = tmp_path / f"growth.{kind}"
    done = script("train_step", "--tiny", "--slopes", "--rounds=1", "--peers=none", f"--plot={path}")
    assert done.returncode == 0, done.stderr
    assert path.stat().st_size > 5000
    if kind == "svg":
        text = path.read_text()
        assert not re.search(r"\bnan\b", text)


@pytest.mark.oracle
@pytest.mark.parametrize("name", NAMES[:4])
def test_peers_give_the_same_numbers(tiny, name):
    pytest.importorskip("torch")
    found = tiny(name, "--peers=numpy,torch eager")
    assert {row["peer"] for row in found["rows"]} == {"numpy", "torch eager"}
    assert not [(row["case"], row["peer"]) for row in found["rows"] if row.get("agrees") is False]

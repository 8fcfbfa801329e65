"""``tinyllm debug``: what it prints, what it draws, how it ends, and what it refuses."""

from __future__ import annotations

import io
import json

import pytest

from tinyllm import kernels
from tinyllm.cli.debug import Watching, lines_of
from tinyllm.cli.screen import Screen
from tinyllm.debug import Finding

QUICK = ["--steps", "3", "--overfit-steps", "80"]


@pytest.fixture(autouse=True)
def on_numpy():
    with kernels.use("numpy"):  # models this small are quicker without threads
        yield


def test_a_healthy_run_is_fine(tinyllm, trained):
    done = tinyllm("debug", trained, *QUICK)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("model   GPT, best weights, 4 steps: 2 layers")
    checks = [line.split()[1] for line in lines if line.startswith(("OK ", "NOTE ", "FIX "))]
    assert checks == ["batch", "start", "future", "rows", "flow", "units", "updates", "gradients", "overfit"]
    assert lines[-1].startswith("nothing that keeps it from learning")
    assert all(len(line) <= 80 for line in lines)


def test_a_preset_with_pictures_as_json(tinyllm, tmp_path):
    done = tinyllm("debug", "smoke", "--json", "--pictures", tmp_path / "out", *QUICK)
    *findings, result = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0 and result["result"] == "ok" and result["ok"] == len(findings) == 9
    assert set(findings[0]) == {"check", "state", "seen", "usual", "advice"}
    assert result["measured"]["overfit"]["learned"] and len(result["measured"]["updates"]["losses"]) == 3
    names = ["flow.png", "updates.png", "units.png", "overfit.png"]
    assert result["pictures"] == [str(tmp_path / "out" / name) for name in names]
    assert all((tmp_path / "out" / name).stat().st_size > 1000 for name in names)


def test_a_model_from_elsewhere(tinyllm, trained, tmp_path):
    from tinyllm import pretrained
    from tinyllm.train import load

    model, words, _ = load(trained)
    pretrained.save(model, words, tmp_path / "saved")
    done = tinyllm("debug", tmp_path / "saved", *QUICK)
    assert (done.code, done.err) == (0, "")
    assert "GPT, from saved: 2 layers" in done.out and "4 blocks of 16 tokens from python-manual" in done.out


def test_a_learning_rate_of_nothing_is_found_on_another_text(tinyllm, trained, tmp_path):
    (tmp_path / "other.txt").write_text("the cat sat on the mat, and the dog on the log. " * 9)
    done = tinyllm("debug", trained, "--text", tmp_path / "other.txt", "--lr", "0", "--batch-size", "2", *QUICK)
    assert done.code == 1 and "from other.txt" in done.out
    assert "FIX  updates   no parameter moves at all" in done.out
    assert "               try:   a learning rate above 0" in done.out
    assert done.out.splitlines()[-1].startswith("1 to fix, ")


def test_a_finding_is_broken_to_the_width_of_the_screen():
    finding = Finding("updates", "note", "a b " * 40, "usual " * 20, "try " * 30)
    for width in (60, 80, 120):
        lines = [line for line, _ in lines_of(finding, width)]
        assert max(map(len, lines)) <= width
        assert lines[0].startswith("NOTE updates   a b") and any("usual: usual" in line for line in lines)
    assert len(lines_of(Finding("rows", "ok", "fine", "usual"), 80)) == 1


def test_on_a_terminal_findings_stand_above_the_line_that_is_redrawn():
    stream = io.StringIO()
    with Watching(Screen(stream, plain=False, unicode=True, width=80), silent=False) as watching:
        watching.told("learning one batch", 3, 300)
        watching.show(Finding("rows", "ok", "as they were", "usual"))
    assert "OK   rows      as they were" in stream.getvalue()


def test_in_a_log_what_takes_long_has_a_line_for_each_quarter():
    stream = io.StringIO()
    with Watching(Screen(stream, plain=True, unicode=True, width=80), silent=False) as watching:
        for done in range(1, 101):
            watching.told("learning one batch", done, 100)
            watching.told("checking flow", 3, 8)
    lines = stream.getvalue().splitlines()
    assert lines == [f"learning one batch: {done} of 100" for done in (25, 50, 75)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "there is no such folder, file or preset. Try: a run folder"),
        (["smok"], "no such folder, file or preset. Try: smoke"),
        (["."], "neither model.safetensors nor"),
        (["smoke", "--text", "missing.txt"], "missing.txt: there is no such file"),
        (["smoke", "--block-size", "99"], "the model reads 16 tokens at most"),
        (["smoke", "--text", "short.txt"], "tokens"),
    ],
)
def test_bad_input_is_one_line(tinyllm, tmp_path, arguments, words):
    (tmp_path / "short.txt").write_text("abcabc")
    done = tinyllm("debug", *arguments)
    assert done.code == 1 and done.out == ""
    assert len(done.err.splitlines()) == 1 and words in done.err


@pytest.mark.parametrize("arguments", [[], ["smoke", "--batch-size", "0"], ["smoke", "--block-size", "1"]])
def test_a_command_line_that_is_not_understood(tinyllm, arguments):
    assert tinyllm("debug", *arguments).code == 2

"""``tinyllm train``: what it writes, what it prints, and how options become settings."""

from __future__ import annotations

import io
import json
import re
import signal
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tinyllm.cli.main import parser_of
from tinyllm.cli.progress import Preparing
from tinyllm.cli.screen import Screen
from tinyllm.cli.settings import config_of
from tinyllm.cli.train import free_folder, name_of
from tinyllm.train import Run, TrainConfig


def config(*options):
    return config_of(parser_of("train").parse_args(options))


def events(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_folder_is_left_behind(trained):
    names = {path.name for path in trained.iterdir()}
    assert {
        "manifest.json",
        "config.json",
        "metrics.jsonl",
        "tokenizer.json",
        "checkpoint.npz",
        "best.npz",
        "loss.png",
    } <= names


def test_json_is_one_object_per_line_in_order(tinyllm, tmp_path, smoke):
    done = tinyllm(*smoke, "--out", "run", "--json")
    assert (done.code, done.err) == (0, "")
    lines = events(done.out)
    kinds = [line["event"] for line in lines]
    assert kinds[0] == "config"
    assert kinds[-1] == "result"
    assert kinds.count("step") == 4
    assert kinds.count("eval") == 3
    assert kinds.count("sample") == 3
    first, last = lines[0], lines[-1]
    assert first["config"] == json.loads((tmp_path / "run" / "config.json").read_text())
    assert first["parameters"] == Run.open("run").model.count_parameters()
    assert (last["steps"], last["stopped"], last["folder"]) == (4, "steps", "run")
    assert last["val_loss"] == [line for line in lines if line["event"] == "eval"][-1]["val_loss"]
    steps = [line for line in lines if line["event"] == "step"]
    assert [line["step"] for line in steps] == [1, 2, 3, 4]
    assert {"loss", "lr", "grad_norm", "tokens_per_second", "seconds", "mfu"} <= steps[0].keys()


def test_plain_output_is_lines_without_escape_codes(tinyllm, smoke):
    done = tinyllm(*smoke, "--out", "run")
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    assert "\r" not in done.out
    for words in (
        "text    python-manual:",
        "model   2 layers, 2 heads, 16 wide, block 16:",
        "evaluation at step 0:",
        "step 4/4: loss ",
        "text at step 2: ",
        "done: 4 steps in ",
        "picture: run/loss.png",
        "next: tinyllm generate run",
    ):
        assert words in done.out


def test_learned_tokens_are_told_with_bits_per_byte(tinyllm, tmp_path, smoke):
    done = tinyllm(*smoke, "--tokenizer", "bpe:300", "--out", "run")
    assert (done.code, done.err) == (0, "")
    run = Run.open("run")
    assert f"tokens of {run.bytes_per_token:.2f} bytes (bpe:300), vocabulary of 300" in done.out
    evals = re.findall(r"validation ([\d.]+) nats per token, ([\d.]+) bits per byte", done.out)
    assert len(evals) == 3
    for nats, bits in evals:
        assert float(bits) == pytest.approx(run.bits_per_byte(float(nats)), abs=2e-3)
    assert re.search(r"done: .* nats per token, [\d.]+ bits per byte, ", done.out)
    lines = events(tinyllm(*smoke, "--tokenizer", "bpe:300", "--out", "again", "--json").out)
    last = [line for line in lines if line["event"] == "eval"][-1]
    assert lines[-1]["val_bits_per_byte"] == last["val_bits_per_byte"] == run.bits_per_byte(last["val_loss"])
    assert tinyllm("generate", "run", "The <|endoftext|>", "--tokens", "3", "--seed", "0").code == 0


def test_a_text_too_small_for_the_tokens_asked_for_says_so(tinyllm, tmp_path, smoke):
    (tmp_path / "text.txt").write_text("red green blue " * 100)
    done = tinyllm(*smoke, "text.txt", "--tokenizer", "bpe:1000")
    assert done.code == 0
    assert f"vocabulary of {Run.open('runs/text-1').tokenizer.n_vocab} and not 1,000: the text has no pair" in done.out


def test_what_takes_long_before_training_is_said_once_each_quarter(tinyllm):
    stream = io.StringIO()
    told = Preparing(Screen(stream, plain=True, unicode=True, width=80))
    told("reading", 0, None)
    for done in range(0, 1001):
        told("learning", done, 1000)
    assert stream.getvalue().splitlines() == [
        "reading ...",
        "learning ...",
        "learning: 250 of 1,000",
        "learning: 500 of 1,000",
        "learning: 750 of 1,000",
        "learning: 1,000 of 1,000",
    ]


def test_the_same_command_gives_the_same_losses(tinyllm, smoke):
    one = events(tinyllm(*smoke, "--out", "a", "--json").out)
    two = events(tinyllm(*smoke, "--out", "b", "--json").out)
    assert [e["loss"] for e in one if e["event"] == "step"] == [e["loss"] for e in two if e["event"] == "step"]


def test_a_file_a_folder_and_standard_input_are_the_same_text(tinyllm, tmp_path, monkeypatch, smoke):
    text = "The quick brown fox jumps over the lazy dog.\n" * 40
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text(text)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
    losses = []
    for source in (["folder/a.txt"], ["--data", "folder"], ["-"]):
        done = tinyllm(*smoke, *source, "--json")
        assert done.code == 0, done.err
        losses.append([e["loss"] for e in events(done.out) if e["event"] == "step"])
    assert losses[0] == losses[1] == losses[2]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a-1", "folder-1", "stdin-1"]


@pytest.mark.slow
def test_ctrl_c_saves_and_gives_130_and_the_run_goes_on(tmp_path, start):
    process = start("train", "--preset", "smoke", "--steps", "1000000", "--out", "run", "--json", cwd=tmp_path)
    seen = []
    for line in process.stdout:
        seen.append(json.loads(line))
        if seen[-1]["event"] == "step" and seen[-1]["step"] == 3:
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    result = events(out)[-1]
    assert (result["event"], result["stopped"]) == ("result", "interrupt")
    run = Run.open(tmp_path / "run")
    assert run.state.step == result["steps"] >= 3
    assert run.train(until=result["steps"] + 2).steps == result["steps"] + 2


def test_resume_goes_on_where_it_stopped(tinyllm, tmp_path):
    run = Run.create("run", TrainConfig.preset("smoke", steps=6, sample_every=0))
    run.train(until=3)
    done = tinyllm("train", "--resume", "run", "--json")
    assert [e["step"] for e in events(done.out) if e["event"] == "step"] == [4, 5, 6]
    again = tinyllm("train", "--resume", "run")
    assert again.code == 0
    assert "done: 6 steps" in again.out


@pytest.mark.slow
def test_no_color_and_plain_hold_in_a_terminal(start, tmp_path, smoke):
    for environ in ({"NO_COLOR": "1"}, {"TINYLLM_PLAIN": "1"}, {"TERM": "dumb"}):
        text = in_terminal(start, tmp_path, environ, *smoke)
        assert "\x1b" not in text
        assert "done: 4 steps" in text
        assert "step 1/4: loss" in text


def test_a_terminal_gets_a_block_that_is_redrawn(start, tmp_path, smoke):
    text = in_terminal(start, tmp_path, {"TERM": "xterm-256color"}, *smoke)
    assert "\x1b[" in text
    for words in ("step 4/4", "validation", "tokens/s", "text at step 2", "4 steps in"):
        assert words in text
    assert "Traceback" not in text


@pytest.mark.slow
@pytest.mark.parametrize("columns", ["20", "43"])
def test_a_narrow_terminal_is_no_trouble(start, tmp_path, columns, smoke):
    text = in_terminal(start, tmp_path, {"TERM": "xterm", "COLUMNS": columns}, *smoke)
    assert "Traceback" not in text
    assert "step 4/4" in text


def in_terminal(start, folder, environ, *arguments):
    """Run a command with a pseudo-terminal for its output."""
    import os
    import pty

    leader, follower = pty.openpty()
    process = start(
        *arguments,
        cwd=folder,
        stdout=follower,
        stderr=follower,
        text=False,
        env={"TINYLLM_KERNELS": "numpy", **environ},
    )
    os.close(follower)
    parts = []
    while True:
        try:
            data = os.read(leader, 65536)
        except OSError:  # how a pseudo-terminal ends on Linux
            break
        if not data:
            break
        parts.append(data)
    os.close(leader)
    assert process.wait(timeout=60) == 0
    return b"".join(parts).decode()


def test_a_legacy_encoding_gets_ascii(tmp_path, smoke, shell):
    environ = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = shell(*smoke, cwd=tmp_path, env=environ)
    assert (done.code, done.err) == (0, "")
    assert done.out.isascii()


# options


def test_options_become_settings():
    got = config(
        "--preset",
        "smoke",
        "--layers",
        "3",
        "--heads",
        "4",
        "--kv-heads",
        "2",
        "--width",
        "32",
        "--lr",
        "0.5",
        "--seed",
        "7",
    )
    assert got.model == {"preset": "gpt2", "n_layer": 3, "n_head": 4, "n_kv_head": 2, "n_embd": 32, "dropout": 0.0}
    assert (got.lr, got.seed, got.steps) == (0.5, 7, 20)


def test_later_sources_win(tmp_path):
    (tmp_path / "c.json").write_text('{"lr": 0.25, "steps": 11, "seed": 3}')
    got = config(
        "--preset",
        "smoke",
        "--config",
        str(tmp_path / "c.json"),
        "--steps",
        "12",
        "--set",
        "seed=4",
        "--set",
        "model.window=5",
    )
    assert (got.lr, got.steps, got.seed, got.model["window"]) == (0.25, 12, 4, 5)


def test_a_run_can_be_repeated_from_its_config_file(trained):
    assert config("--config", str(trained / "config.json")) == Run.open(trained).config


def test_what_was_not_asked_for_follows_what_was():
    short = config("--steps", "40")
    assert (short.warmup, short.eval_every, short.checkpoint_every) == (4, 10, 40)
    assert config("--lr", "1e-5").min_lr == pytest.approx(1e-6)
    assert config("--lr", "1e-5", "--min-lr", "0").min_lr == 0
    assert config("--steps", "40", "--warmup", "7").warmup == 7
    assert config("--preset", "smoke").warmup == TrainConfig.preset("smoke").warmup


def test_presets_are_taken_as_they_are():
    for name in ("shakespeare-cpu", "modern-cpu", "tour", "smoke"):
        assert config("--preset", name) == TrainConfig.preset(name)


def test_the_help_names_every_preset(tinyllm):
    from tinyllm.train import PRESETS

    text = " ".join(tinyllm("train", "--help").out.split())
    assert all(name in text for name in PRESETS)


def test_every_setting_has_an_option_or_set():
    options = {action.dest for action in parser_of("train")._actions}
    left = set(TrainConfig().to_dict()) - options
    assert left == {"eval_batches", "sample_tokens", "sample_prompt", "temperature", "betas"}
    got = config("--set", "betas=[0.8, 0.9]", "--set", "sample_prompt=Once upon", "--set", "eval-batches=3")
    assert (got.betas, got.sample_prompt, got.eval_batches) == ((0.8, 0.9), "Once upon", 3)


def test_folders_are_numbered_and_named_after_the_text(tmp_path):
    assert free_folder("a b").as_posix() == "runs/a b-1"
    (tmp_path / "runs" / "x-1").mkdir(parents=True)
    assert free_folder("x").as_posix() == "runs/x-2"
    for options, name in (
        (["--preset", "smoke"], "smoke"),
        (["--data", "my notes.txt"], "my-notes"),
        (["--data", "-"], "stdin"),
        ([], "python-manual"),
        (["--data", "/"], "run"),
    ):
        args = parser_of("train").parse_args(options)
        assert name_of(args, config_of(args)) == name


def test_the_picture_shows_the_metrics(trained):
    from tinyllm.cli.pictures import curve_of
    from tinyllm.train import metrics

    run = Run.open(trained)
    curve = curve_of(run, metrics.read(run.metrics_path))
    assert list(curve.steps) == [1, 2, 3, 4]
    assert list(curve.val_steps) == [0, 2, 4]
    assert np.isfinite(curve.train).all()
    assert len(curve.lr) == 4
    assert curve.bytes_per_token == run.bytes_per_token == pytest.approx(1, abs=0.1)

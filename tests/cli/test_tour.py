"""``tinyllm tour``: every stop, some of them, in any terminal, and the folder it leaves."""

from __future__ import annotations

import math
import re
import signal

import pytest

from tinyllm.cli import progress
from tinyllm.cli.stops import STOPS
from tinyllm.cli.tour import choose, config_for
from tinyllm.tokenizer import Encoding
from tinyllm.train import Run, TrainConfig, estimate_loss


def test_the_whole_tour(tinyllm, tmp_path):
    done = tinyllm("tour", "--quick", "--out", "visit")
    assert (done.code, done.err) == (0, "")
    for i, stop in enumerate(STOPS, start=1):
        assert f"== {i} of {len(STOPS)}: {stop.title}" in done.out
    for words in ("backward pass", "before:", "after:", "all agree", "Everything is in visit"):
        assert words in done.out
    assert "\x1b" not in done.out
    for name in ("graph.png", "gradients.png", "loss.png", "attention.png", "checkpoint.npz", "manifest.json"):
        assert (tmp_path / "visit" / name).stat().st_size > 1000, name
        assert name not in done.out or f"visit/{name}" in done.out


def test_the_model_is_saved_and_the_same_again(tinyllm, tmp_path):
    done = tinyllm("tour", "--quick", "--stop", "reload", "--out", "visit")
    assert (done.code, done.err) == (0, "")
    rows = re.findall(r"^    (model\S*) +(\d+) kB +(\S+)   ", done.out, re.MULTILINE)
    assert [row[0] for row in rows] == ["model", "model.gguf", "model-q8.gguf"]
    same, same_too, near = (float(row[2]) for row in rows)
    assert max(same, same_too) < 1e-5 < near < 0.1
    assert int(rows[2][1]) < int(rows[1][1])
    for name in ("model", "model.gguf"):
        assert tinyllm("generate", f"visit/{name}", "a", "--tokens", "3").code == 0


def test_tours_are_numbered(tinyllm, tmp_path):
    for _ in range(2):
        assert tinyllm("tour", "--quick", "--stop", "slope").code == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["tour-1", "tour-2"]


def test_the_list_of_stops(tinyllm, tmp_path):
    done = tinyllm("tour", "--stop", "list")
    assert [line.split()[:2] for line in done.out.splitlines()] == [
        [str(i), s.name] for i, s in enumerate(STOPS, start=1)
    ]
    assert not (tmp_path / "runs").exists()


def test_one_stop_brings_what_it_needs():
    def names(*asked):
        return [stop.name for stop in choose(list(asked), STOPS)]

    assert names("pictures") == ["learn", "pictures"]
    assert names("3") == ["check"]
    assert names("tokens") == ["learn", "tokens"]
    assert names("onward,slope") == ["slope", "onward"]
    assert names("1", "2") == ["slope", "learn"]
    assert names() == [stop.name for stop in STOPS]


def test_a_check_alone_needs_no_training(tinyllm):
    done = tinyllm("tour", "--quick", "--stop", "check")
    assert done.code == 0
    assert "all agree" in done.out
    assert "step 1/" not in done.out


def test_a_wrong_gradient_would_be_shown(tinyllm, monkeypatch):
    from tinyllm.autograd import OPS

    right = OPS["gelu_tanh"].backward
    monkeypatch.setattr(OPS["gelu_tanh"], "backward", lambda ctx, dy: right(ctx, dy) * 1.01)
    done = tinyllm("tour", "--quick", "--stop", "check")
    assert "DO NOT AGREE" in done.out


def test_tokens_and_characters_are_compared_on_as_much_text(tinyllm, tmp_path):
    done = tinyllm("tour", "--quick", "--stop", "tokens", "--out", "visit")
    assert (done.code, done.err) == (0, "")
    chars, tokens = Run.open("visit"), Run.open("visit/tokens")
    assert isinstance(tokens.tokenizer, Encoding) and tokens.tokenizer.n_vocab == 1024
    texts = [run.tokenizer.decode(run.val_tokens.tolist()) for run in (chars, tokens)]
    assert texts[0] == texts[1]
    read = [
        run.state.tokens * len(run.tokenizer.decode_bytes(run.train_tokens.tolist())) / len(run.train_tokens)
        for run in (chars, tokens)
    ]
    assert read[1] == pytest.approx(read[0], abs=tokens.config.tokens_per_step * 2)
    changed = {n for n, value in tokens.config.to_dict().items() if value != chars.config.to_dict()[n]}
    schedule = {"steps", "warmup", "eval_every", "checkpoint_every", "sample_every", "sample_tokens", "max_seconds"}
    assert changed == {"tokenizer", *schedule}
    rows = {line[:24].strip(): line[24:].split() for line in done.out.splitlines() if line.startswith("    ")}
    assert rows["vocabulary"] == [str(chars.tokenizer.n_vocab), "1,024"]
    assert rows["steps"] == [str(chars.state.step), str(tokens.state.step)]
    for i, run in enumerate((chars, tokens)):
        assert float(rows["bits per byte"][i]) == pytest.approx(whole(run), abs=6e-4)
    assert ("fewer" if whole(tokens) < whole(chars) else "more") in done.out.split("Having read as much")[1]


def whole(run):
    """Bits per byte over the whole validation part, from its definition."""
    everything = run.config.batch_size, run.config.block_size, len(run.val_tokens)
    loss = estimate_loss(run.model, run.val_tokens, *everything)
    blocks = (len(run.val_tokens) - 1) // run.config.block_size * run.config.block_size
    text = run.tokenizer.decode_bytes(run.val_tokens[1 : blocks + 1].tolist())
    return loss * blocks / math.log(2) / len(text)


def test_a_machine_too_slow_for_a_fair_comparison_is_told(tinyllm, monkeypatch):
    monkeypatch.setattr("tinyllm.cli.stops.tokens._MOST_SECONDS", 1e-6)
    done = tinyllm("tour", "--quick", "--stop", "tokens", "--out", "visit")
    assert done.code == 0 and "at a disadvantage here" in " ".join(done.out.split())
    assert "Having read 15% as much text" in " ".join(done.out.split())


def test_ctrl_c_in_the_second_run_goes_on_there(tinyllm, monkeypatch):
    real = progress.Plain.on_step

    def press(self, info):
        real(self, info)
        if info.step == 3 and self.pace.steps < 20:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(progress.Plain, "on_step", press)
    done = tinyllm("tour", "--quick", "--stop", "tokens", "--out", "visit")
    assert done.code == 130 and done.out.endswith("Go on with: tinyllm train --resume visit/tokens\n")


def test_ctrl_c_leaves_a_run_that_goes_on(tinyllm, monkeypatch):
    real = progress.Plain.on_step

    def press(self, info):
        real(self, info)
        if info.step == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(progress.Plain, "on_step", press)
    done = tinyllm("tour", "--quick", "--out", "visit")
    assert done.code == 130
    assert "interrupted; everything is saved" in done.out
    assert done.out.endswith("Go on with: tinyllm train --resume visit\n")
    monkeypatch.setattr(progress.Plain, "on_step", real)
    assert tinyllm("train", "--resume", "visit").code == 0


def test_three_temperatures_are_drawn_from_more_and_more(tinyllm):
    done = tinyllm("tour", "--quick", "--stop", "sampling", "--out", "visit")
    assert (done.code, done.err) == (0, "")
    choices = [float(n) for n in re.findall(r"temperature [\d.]+: as if among ([\d.]+) equally likely", done.out)]
    texts = re.findall(r"equally likely\n    (The .*)", done.out)
    assert len(texts) == 3 and len(set(texts)) > 1  # each begins with words, none is an empty line
    assert len(choices) == 3 and 1 <= choices[0] < choices[1] < choices[2] <= Run.open("visit").tokenizer.n_vocab


def test_the_cache_says_the_same_and_is_measured(tinyllm):
    done = tinyllm("tour", "--quick", "--stop", "cache", "--out", "visit")
    assert (done.code, done.err) == (0, "") and "step 1/" not in done.out
    rows = re.findall(r"^    (\d+) +([\d.]+) ms +([\d.]+) ms +([\d.]+)x$", done.out, re.MULTILINE)
    assert [int(row[0]) for row in rows] == [16, 32, 64, 127]
    assert all(float(number) >= 0 for row in rows for number in row)
    assert float(re.search(r"differ by (\S+) at most", " ".join(done.out.split()))[1]) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("environ", [{"COLUMNS": "20"}, {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}, {"TERM": ""}])
def test_odd_terminals(tmp_path, environ, shell):
    done = shell("tour", "--quick", "--stop", "slope,learn,pictures", cwd=tmp_path, env=environ)
    assert (done.code, done.err) == (0, "")
    assert environ.get("PYTHONIOENCODING") is None or done.out.isascii()


def test_settings_of_the_tour():
    assert config_for(True, None) == TrainConfig.preset("smoke")
    assert config_for(False, None) == TrainConfig.preset("tour")
    assert config_for(False, None).max_seconds <= 120  # on however slow a machine
    assert config_for(False, 30).steps == 30
    assert config_for(False, 30).max_seconds is None
    assert config_for(False, 30).warmup == 3


def test_stops_are_named_and_told():
    assert len({stop.name for stop in STOPS}) == len(STOPS)
    for stop in STOPS:
        assert stop.sentence.endswith(".")
        assert set(stop.needs) <= {s.name for s in STOPS}

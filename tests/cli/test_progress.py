"""What is seen of a run: the block, the pace, and numbers that JSON cannot hold."""

from __future__ import annotations

import io
import json
import math
import re

import pytest

from tinyllm.cli import progress
from tinyllm.cli.screen import Screen
from tinyllm.train import Run, StepInfo, TrainConfig


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def info(step, loss=2.0, **more):
    values = {
        "lr": 1e-3,
        "grad_norm": 0.5,
        "tokens": 64 * step,
        "tokens_per_second": 1000.0,
        "seconds": 0.064 * step,
        "mfu": 0.25,
    }
    return StepInfo(step=step, loss=loss, **{**values, **more})


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", TrainConfig.preset("smoke", steps=200, sample_every=0))


def block(view, width=80):
    view.console.width = width
    return view.render().plain.splitlines()


def test_the_block_shows_the_way_the_losses_the_speed_and_the_curve(run):
    view = progress.Live(Screen(Terminal(), plain=False, unicode=True, width=80))
    view.on_start(run)
    assert block(view) == ["measuring the losses before the first step"]
    view.on_eval(0, 4.5, 4.5)
    for step in range(1, 51):
        view.on_step(info(step, loss=4.0 - step / 25))
    view.on_eval(50, 2.0, 2.25)
    way, losses, speed, curve = block(view)
    assert way.startswith("step  50/200 ━")
    assert "25%" in way
    assert "left" in way
    bits = run.bits_per_byte(2.25)  # the loss is the mean of the last 20 steps
    assert losses == f"loss 2.380   validation 2.250 nats per token, {bits:.3f} bits per byte at step 50"
    assert speed == "1,000 tokens/s   25% of peak   lr 0.001   gradient 0.50   0:03"
    assert curve[0] == "█"
    assert curve[-1] == "▁"


def test_the_best_validation_loss_is_remembered(run):
    view = progress.Live(Screen(Terminal(), plain=False, unicode=True, width=80))
    view.on_start(run)
    for step, loss in ((10, 2.0), (20, 1.5), (30, 1.75)):
        view.on_step(info(step))
        view.on_eval(step, loss, loss)
    assert block(view, 100)[1].endswith("at step 30 (best 1.500 at 20)")
    assert "validation 1.750 nats per token, 2." in block(view)[1]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_the_block_fits_every_terminal(run, width, unicode):
    view = progress.Live(Screen(Terminal(), plain=False, unicode=unicode, width=width))
    view.on_start(run)
    for step in range(1, 101):
        view.on_step(info(step))
    lines = block(view, width)
    assert len(lines) == 4
    assert all(len(line) <= width for line in lines)
    assert unicode or all(line.isascii() for line in lines)


def test_a_long_run_keeps_a_short_curve(run):
    view = progress.Live(Screen(Terminal(), plain=False, unicode=True, width=80))
    view.on_start(run)
    for step in range(1, 10_001):
        view.on_step(info(step, loss=float(step)))
    assert len(view.losses) < 2048
    assert view.losses == sorted(view.losses)


def test_texts_cannot_steer_the_terminal(run):
    stream = Terminal()
    screen = Screen(stream, plain=False, unicode=True, width=80)
    view = progress.Live(screen)
    view.on_sample(3, "red \x1b[31m [bold]markup[/bold] :smile:\x07")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert "red \\x1b[31m [bold]markup[/bold] :smile:\\x07" in shown


def test_an_error_inside_leaves_the_terminal_as_it_was():
    stream = Terminal()
    view = progress.Live(Screen(stream, plain=False, unicode=True, width=80))
    with pytest.raises(ValueError, match="inside"), view:
        raise ValueError("inside")
    assert stream.getvalue().rstrip().endswith("\x1b[?25h")  # the cursor is shown again


def test_the_pace_heeds_every_limit(tmp_path):
    config = TrainConfig.preset("smoke", steps=200, max_seconds=5.0, max_tokens=640)
    pace = progress.Pace()
    pace.start(Run.create(tmp_path / "run", config))
    assert pace.steps == 10
    assert math.isnan(pace.left())
    pace.step(info(1, seconds=4.0, tokens_per_second=1.0))
    assert pace.left() == pytest.approx(1.0)


def test_json_writes_null_for_what_is_no_number():
    stream = io.StringIO()
    progress.Json(Screen(stream, plain=True, unicode=True, width=80)).on_step(info(1, loss=math.nan, mfu=math.inf))
    line = json.loads(stream.getvalue())
    assert line["loss"] is None
    assert line["mfu"] is None
    assert line["step"] == 1


def test_plain_lines_are_few(run):
    stream = io.StringIO()
    view = progress.Plain(Screen(stream, plain=True, unicode=True, width=80))
    view.on_start(run)
    for step in range(1, 201):
        view.on_step(info(step))
    steps = [line for line in stream.getvalue().splitlines() if line.startswith("step ")]
    assert len(steps) == 21


def test_the_right_view_for_each_screen():
    plain = Screen(io.StringIO(), plain=True, unicode=True, width=80)
    live = Screen(Terminal(), plain=False, unicode=True, width=80)
    assert type(progress.view(plain)) is progress.Plain
    assert type(progress.view(live)) is progress.Live
    assert type(progress.view(live, as_json=True)) is progress.Json

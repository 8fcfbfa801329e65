from __future__ import annotations

import math
import signal

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import nn
from tinyllm.errors import NaNError
from tinyllm.models import GPT, GPTConfig
from tinyllm.train import Run, checkpoint, estimate_loss, metrics, take_step
from tinyllm.train.loop import schedule_of
from tinyllm.train.stream import get_batch

PEAK = 1e11  # given, so that no test waits for it to be measured


def test_the_events_come_in_order(tmp_path, tiny, log):
    run = Run.create(tmp_path / "run", tiny)
    result = run.train([log], peak_flops=PEAK)
    kinds = [(event[0], event[1]) for event in log.events]
    expected = [("start", run), ("eval", 0), ("sample", 0), ("checkpoint", 0)]
    for step in range(1, 13):
        expected.append(("step", step))
        expected += [("eval", step)] * (step % 4 == 0) + [("sample", step)] * (step % 6 == 0)
        expected += [("checkpoint", step)] * (step % 3 == 0)
    assert kinds == [*expected, ("stop", result)]
    assert result.steps == 12 and result.stopped == "steps" and result.tokens == 12 * 3 * 11
    assert (result.train_loss, result.val_loss) == log.of("eval")[-1][1:]
    assert result.best_loss == min(val for _, _, val in log.of("eval"))
    assert result.tokens_per_second > 0 and result.seconds > 0


def test_what_is_told_of_a_step(tmp_path, tiny, log):
    run = Run.create(tmp_path / "run", tiny)
    run.train([log], peak_flops=PEAK)
    schedule = schedule_of(tiny)
    infos = [info for _, _, info in log.of("step")]
    assert [info.lr for info in infos] == [schedule(step) for step in range(12)]
    assert [info.tokens for info in infos] == [33 * step for step in range(1, 13)]
    flops = tl.models.flops_per_token(run.model.config)
    assert all(info.mfu == pytest.approx(info.tokens_per_second * flops / PEAK) for info in infos)
    seconds = [info.seconds for info in infos]
    assert seconds == sorted(seconds) and seconds[0] > 0


def test_it_learns(tmp_path, tiny):
    config = tiny.but(steps=60, batch_size=8, sample_every=0, eval_every=30, checkpoint_every=30)
    result = Run.create(tmp_path / "run", config).train(peak_flops=PEAK)
    assert result.val_loss < 0.75 * math.log(20)


def test_the_loop_is_the_textbook_step(tmp_path, tiny):
    """Three steps of the loop against the same three written out by hand."""
    config = tiny.but(clip=0.5, accumulate=2, sample_every=0, model={**tiny.model, "dropout": 0.0})
    run = Run.create(tmp_path / "run", config)
    other = Run.open(tmp_path / "run")
    run.train(until=3, peak_flops=PEAK)
    model, rng = other.model, other._rng(2)
    optimizer = nn.optim.AdamW(
        nn.optim.decay_groups(model), lr=config.lr, betas=config.betas, weight_decay=config.weight_decay
    )
    schedule = nn.schedules.warmup_cosine(config.lr, config.min_lr, config.warmup, config.steps)
    for step in range(3):
        model.zero_grad()
        batches = [get_batch(other.train_tokens, 3, 11, rng) for _ in range(2)]
        x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        model.loss(x, y).backward()
        norm = math.sqrt(sum(float((p.grad.astype(np.float64) ** 2).sum()) for p in model.parameters()))
        for p in model.parameters():
            p.grad *= min(1.0, 0.5 / norm)
        optimizer.step(schedule(step))
    for (name, p), q in zip(run.model.named_parameters(), model.parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=2e-4, atol=2e-6, err_msg=name)


def test_accumulated_gradients_are_those_of_one_large_batch(tmp_path, tiny):
    config = tiny.but(model={**tiny.model, "dropout": 0.0}, accumulate=4, clip=math.inf)
    state = Run.create(tmp_path / "run", config).state
    state.model.astype(np.float64)
    x, y = (np.concatenate(parts) for parts in zip(*[state.stream.next() for _ in range(4)], strict=True))
    loss = state.model.loss(x, y)
    loss.backward()
    expected = [p.grad.copy() for p in state.model.parameters()]
    again = Run.open(tmp_path / "run").state
    again.model.astype(np.float64)
    again.optimizer.step = lambda lr, scale: None
    total, norm = take_step(again, config, 0.0)
    assert total == pytest.approx(loss.item(), rel=1e-12)
    assert norm == pytest.approx(math.sqrt(sum((g**2).sum() for g in expected)), rel=1e-12)
    for p, g in zip(again.model.parameters(), expected, strict=True):
        np.testing.assert_allclose(p.grad, g, rtol=1e-9, atol=1e-14)


def test_a_frozen_model_gives_the_mean_loss_over_all_blocks():
    config = GPTConfig.preset("gpt2", vocab_size=13, block_size=7, n_layer=1, n_head=1, n_embd=8, dropout=0.5)
    model = GPT(config, np.random.default_rng(0))
    tokens = np.random.default_rng(1).integers(0, 13, 7 * 5 + 1).astype(np.uint16)
    estimated = estimate_loss(model, tokens, batch_size=2, block_size=7, batches=100)
    assert model.training
    x, y = tokens[:-1].reshape(5, 7).astype(int), tokens[1:].reshape(5, 7).astype(int)
    assert estimated == pytest.approx(model.eval().loss(x, y).item(), rel=1e-6)
    assert estimate_loss(model, tokens, 2, 7, 1) != pytest.approx(estimated, rel=1e-6)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "wsd", "constant"])
def test_every_schedule_climbs_and_ends_where_it_says(tiny, schedule):
    config = tiny.but(schedule=schedule, steps=100, warmup=10, lr=1.0, min_lr=0.25)
    lr = schedule_of(config)
    rates = [lr(step) for step in range(101)]
    assert rates[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    assert rates[10] == 1.0
    assert rates[100] == pytest.approx(1.0 if schedule == "constant" else 0.25)
    assert schedule_of(config.but(warmup=0))(0) == 1.0


def test_a_budget_of_tokens(tmp_path, tiny, log):
    run = Run.create(tmp_path / "run", tiny.but(max_tokens=33 * 5 - 1))
    result = run.train([log], peak_flops=PEAK)
    assert (result.stopped, result.steps) == ("tokens", 5)
    assert log.of("eval")[-1][0] == 5 and log.of("checkpoint")[-1][0] == 5
    log.events.clear()
    again = Run.open(tmp_path / "run").train([log], peak_flops=PEAK)
    assert (again.stopped, again.steps, again.val_loss) == ("tokens", 5, result.val_loss)
    assert not log.of("step") and not log.of("eval")


def test_a_budget_of_time(tmp_path, tiny, monkeypatch):
    """On a clock that moves by one second at every look, the run ends at the first step past its budget."""
    ticks = iter(range(10**6))
    monkeypatch.setattr("tinyllm.train.loop.time.perf_counter", lambda: float(next(ticks)))
    result = Run.create(tmp_path / "run", tiny.but(max_seconds=14.5, sample_every=0)).train(peak_flops=PEAK)
    assert result.stopped == "time" and 0 < result.steps < 12 and result.seconds >= 14.5
    resumed = Run.open(tmp_path / "run", max_seconds=1000.0).train(peak_flops=PEAK)
    assert resumed.stopped == "steps" and resumed.seconds > result.seconds


def test_patience(tmp_path, tiny, log):
    config = tiny.but(steps=200, warmup=0, lr=3.0, clip=math.inf, eval_every=1, patience=3, sample_every=0)
    result = Run.create(tmp_path / "run", config).train([log], peak_flops=PEAK)
    losses = [val for _, _, val in log.of("eval")]
    best = losses.index(min(losses))
    assert result.stopped == "patience" and len(losses) == best + 4 and result.best_loss == losses[best]


def test_the_best_weights_are_kept(tmp_path, tiny, log):
    config = tiny.but(steps=30, warmup=30, lr=1.0, eval_every=1, sample_every=0)  # good at first, then far too fast
    run = Run.create(tmp_path / "run", config)
    run.train([log], peak_flops=PEAK)
    best, step = min((val, step) for step, _, val in log.of("eval"))
    assert 0 < step < 30
    saved = checkpoint.load(run.best_path)
    assert (saved.about["val_loss"], saved.about["step"]) == (best, step)
    latest = estimate_loss(run.model, run.val_tokens, 3, 11, 2)
    run.model.load_state_dict(saved.part("model"))
    assert estimate_loss(run.model, run.val_tokens, 3, 11, 2) == best < latest


def test_samples_do_not_disturb_training(tmp_path, tiny, log):
    losses = []
    for every in (0, 1):
        log.events.clear()
        Run.create(tmp_path / str(every), tiny.but(sample_every=every)).train([log], peak_flops=PEAK)
        losses.append([loss for _, loss, _ in log.of("step")])
    assert losses[0] == losses[1]
    assert len(log.of("sample")) == 13 and all(len(text) == 5 for _, text in log.of("sample"))


class Press:
    """Presses Ctrl-C after a step."""

    def __init__(self, step):
        self.step = step

    def on_step(self, info):
        if info.step == self.step:
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_finishes_the_step_saves_and_returns(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny)
    result = run.train([Press(5)], peak_flops=PEAK)
    assert (result.stopped, result.steps) == ("interrupt", 5)
    assert Run.open(tmp_path / "run").state.step == 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_at_a_milestone_does_not_skip_it(tmp_path, tiny, log):
    Run.create(tmp_path / "run", tiny).train([Press(4), log], peak_flops=PEAK)
    assert [step for step, *_ in log.of("eval")] == [0, 4]


def poison(model):
    """Weights so large that the forward pass overflows."""
    for p in model.parameters():
        p.data *= np.float32(1e30)


class Poison:
    def __init__(self, run, step):
        self.run, self.step = run, step

    def on_step(self, info):
        if info.step == self.step:
            poison(self.run.model)


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
def test_a_loss_that_is_no_number_stops_at_its_step_and_keeps_the_checkpoint(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny.but(sample_every=0))
    with pytest.raises(NaNError) as caught:
        run.train([Poison(run, 7)], peak_flops=PEAK)
    message = str(caught.value)
    assert "at step 8" in message and "lower learning rate" in message and "detect_anomaly" in message
    assert "\n" not in message
    assert Run.open(tmp_path / "run").state.step == 6
    assert max(row["step"] for row in metrics.read(run.metrics_path)) == 7
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finished = Run.open(tmp_path / "run").train(peak_flops=PEAK)
    assert finished.stopped == "steps"


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
def test_an_evaluated_loss_that_is_no_number_keeps_the_checkpoint(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny.but(sample_every=0))
    with pytest.raises(NaNError, match="evaluated"):
        run.train([Poison(run, 4)], peak_flops=PEAK)
    assert Run.open(tmp_path / "run").state.step == 3


def test_a_gradient_that_is_no_number_moves_no_parameter(tmp_path, tiny, monkeypatch):
    state = Run.create(tmp_path / "run", tiny).state
    before = state.model.state_dict()
    monkeypatch.setattr(nn, "grad_norm", lambda params: math.nan)
    with pytest.raises(NaNError, match="the gradient"):
        take_step(state, tiny, 1e-2)
    assert all((before[name] == after).all() for name, after in state.model.state_dict().items())
    assert state.step == 0

"""A run that stops and is resumed cannot be told from one that never stopped."""

from __future__ import annotations

import dataclasses

import pytest

from tinyllm import kernels
from tinyllm.train import Run, checkpoint, metrics, state

PEAK = 1e11
TIMING = ("seconds", "tokens_per_second", "mfu")


def rows(run):
    return [{k: v for k, v in row.items() if k not in TIMING} for row in metrics.read(run.metrics_path)]


def everything(run):
    """All that the last checkpoint holds, but for how long it took."""
    saved = checkpoint.load(run.checkpoint_path)
    about = {k: v for k, v in saved.about.items() if k not in TIMING}
    return {name: (a.dtype, a.shape, a.tobytes()) for name, a in saved.arrays.items()}, about


@pytest.mark.parametrize(
    ("backend", "optimizer", "preset"),
    [("numba", "adamw", "gpt2"), ("numba", "adamw", "modern"), ("numpy", "adamw", "gpt2"), ("numpy", "lion", "modern")],
)
def test_the_same_losses_and_parameters_to_the_last_bit(tmp_path, tiny, backend, optimizer, preset):
    config = tiny.but(optimizer=optimizer, accumulate=2, model={**tiny.model, "preset": preset})
    with kernels.use(backend):
        straight = Run.create(tmp_path / "straight", config)
        straight.train(peak_flops=PEAK)
        stopped = Run.create(tmp_path / "stopped", config)
        for until in (0, 1, 4, 5, 11):  # at the beginning, at milestones and between them
            assert Run.open(stopped.folder).train(until=until, peak_flops=PEAK).stopped == "until"
        Run.open(stopped.folder).train(peak_flops=PEAK)
    assert rows(stopped) == rows(straight)
    assert everything(stopped) == everything(straight)


def test_an_open_run_goes_on_like_one_that_was_opened_again(tmp_path, tiny):
    one, two = Run.create(tmp_path / "one", tiny), Run.create(tmp_path / "two", tiny)
    one.train(peak_flops=PEAK)
    two.train(until=5, peak_flops=PEAK)
    two.train(peak_flops=PEAK)
    assert rows(one) == rows(two) and everything(one) == everything(two)


def test_every_part_of_the_state_matters(tmp_path, tiny):
    """The comparison above would notice if any one of them were not saved."""
    straight = Run.create(tmp_path / "straight", tiny)
    straight.train(until=8, peak_flops=PEAK)
    Run.create(tmp_path / "stopped", tiny).train(until=4, peak_flops=PEAK)
    for forget in (
        lambda state: state.stream.load_state({**state.stream.state(), "rng": straight.state.stream.state()["rng"]}),
        lambda state: state.model.set_rng_state(straight.model.rng_state()),
        lambda state: state.optimizer.load_state_dict(straight.state.optimizer.state_dict()),
        lambda state: setattr(state, "step", 5),
    ):
        run = Run.open(tmp_path / "stopped")
        forget(run.state)
        run.train(until=8, peak_flops=PEAK)
        assert everything(run)[0] != everything(straight)[0]
        run.folder.rename(tmp_path / "used")
        Run.create(tmp_path / "stopped", tiny).train(until=4, peak_flops=PEAK)
        for path in (tmp_path / "used").iterdir():
            path.unlink()
        (tmp_path / "used").rmdir()


def test_every_number_of_the_state_is_saved(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny)
    run.train(until=5, peak_flops=PEAK)
    run.state.evals_since_best = 3
    arrays, about = state.pack(run.state)
    again = Run.create(tmp_path / "again", tiny).state
    state.unpack(run.checkpoint_path, checkpoint.Checkpoint(arrays, about), again)
    numbers = {field.name for field in dataclasses.fields(again)} - {"model", "optimizer", "stream"}
    assert {name: getattr(again, name) for name in numbers} == {name: getattr(run.state, name) for name in numbers}
    assert again.step == 5 and again.evals_since_best == 3


def test_a_finished_run_stays_finished(tmp_path, tiny, log):
    run = Run.create(tmp_path / "run", tiny)
    first = run.train(peak_flops=PEAK)
    before = rows(run), everything(run)
    again = Run.open(tmp_path / "run").train([log], peak_flops=PEAK)
    assert (again.steps, again.val_loss, again.stopped) == (first.steps, first.val_loss, "steps")
    assert not log.of("step") and (rows(run), everything(run)) == before


def test_rows_that_no_checkpoint_knows_are_written_once(tmp_path, tiny):
    """As after a kill between two checkpoints: the metrics are ahead, and end in half a line."""
    straight = Run.create(tmp_path / "straight", tiny)
    straight.train(peak_flops=PEAK)
    run = Run.create(tmp_path / "run", tiny)
    run.train(until=6, peak_flops=PEAK)
    with open(run.metrics_path, "ab") as file:
        file.write(b'{"kind": "step", "step": 7, "loss": 9.9}\n{"kind": "step", "step": 8, "lo')
    (run.folder / ".checkpoint.npz.99999.part").write_bytes(b"half")
    Run.open(tmp_path / "run").train(peak_flops=PEAK)
    assert rows(run) == rows(straight)
    assert not list(run.folder.glob("*.part"))


def test_without_any_checkpoint_it_begins_again(tmp_path, tiny):
    straight = Run.create(tmp_path / "straight", tiny)
    straight.train(peak_flops=PEAK)
    run = Run.create(tmp_path / "run", tiny)
    run.metrics_path.write_bytes(b'{"kind": "eval", "step": 0, "train_loss": 9.9, "val_loss": 9.9}\n')
    Run.open(tmp_path / "run").train(peak_flops=PEAK)
    assert rows(run) == rows(straight)

"""``--mine``: the learner's functions really run in the stack, the receipt proves it, and nothing else changes."""

from __future__ import annotations

import json
import types

import pytest

from tinyllm.learn.exercises import lesson
from tinyllm.learn.slots.slot import Slot
from tinyllm.learn.verdict import Verdict
from tinyllm.learn.work.progress import Progress
from tinyllm.learn.work.workspace import Workspace

SMOKE = ["train", "--preset", "smoke", "--steps", "2", "--sample-every", "0", "--eval-every", "2"]


def solved(folder, *numbers):
    """Write the library's own solutions of some lessons into a learner's folder, and remember that they pass."""
    workspace = Workspace(folder)
    folder.mkdir(exist_ok=True)
    for number in numbers:
        one = lesson(number)
        slots = [Slot.of(each.slot) for each in one.exercises]
        head = ["from __future__ import annotations"]
        for slot in slots:
            for name in slot.names:
                value = getattr(slot.module, name)
                module = isinstance(value, types.ModuleType)
                line = f"import {value.__name__} as {name}" if module else f"from {slot.module.__name__} import {name}"
                if line not in head and name not in [each.name for each in slots]:
                    head.append(line)
        text = "\n".join(head) + "\n\n\n" + "\n\n\n".join(slot.solution() for slot in slots)
        workspace.file(one).write_text(text, encoding="utf-8")
        for each in one.exercises:
            Progress.of(workspace).record(Verdict(each.id, "passed"), workspace.source(each))
    return workspace


@pytest.fixture
def mine(tmp_path):
    return solved(tmp_path / "my", "04", "10")


def result(done):
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out.splitlines()[-1])


def test_training_runs_on_the_learner_s_attention_and_loss(shell, mine, tmp_path):
    plain = result(shell(*SMOKE, "--out", "plain", "--json", cwd=tmp_path))
    own = result(shell(*SMOKE, "--out", "own", "--json", "--mine", cwd=tmp_path))
    assert "mine" not in plain
    for name in ("04.1", "04.4", "04.5", "10.1", "10.2", "10.3", "10.4", "10.5"):
        assert own["mine"][name] > 0, name
    assert own["val_loss"] == plain["val_loss"]  # the same functions give the same bits
    assert own["best_loss"] == plain["best_loss"]


def test_the_receipt_is_printed_with_its_places(tinyllm, mine):
    done = tinyllm(*SMOKE, "--out", "run", "--mine=10.2,10.3")
    assert done.code == 0
    assert "stack for this run" in done.out
    assert "my/l10_attention.py:" in done.out and "attention.attend_backward" in done.out
    assert "cross_entropy" not in done.out


def test_the_environment_asks_as_well(tinyllm, mine, monkeypatch):
    monkeypatch.setenv("TINYLLM_MINE", "10")
    assert "attention.attend " in tinyllm(*SMOKE, "--out", "run").out


def test_without_it_nothing_is_said(tinyllm, mine):
    assert "stack for this run" not in tinyllm(*SMOKE, "--out", "run").out


def test_generate_keeps_the_text_and_puts_the_receipt_elsewhere(tinyllm, trained, mine):
    arguments = ["generate", trained, "The", "--tokens", "5", "--temperature", "0"]
    plain, own = tinyllm(*arguments), tinyllm(*arguments, "--mine")
    assert own.out == plain.out
    assert "attention.attend" in own.err and "attention.attend" not in plain.err
    assert json.loads(tinyllm(*arguments, "--json", "--mine=10.2").out)["mine"].keys() == {"10.2"}


def test_mine_alone_never_takes_the_next_word(tinyllm, trained, mine):
    assert tinyllm("generate", "--mine", trained, "The", "--tokens", "1").code == 0


def test_the_tour_takes_it(tinyllm, mine):
    done = tinyllm("tour", "--quick", "--stop", "learn", "--steps", "1", "--out", "tour", "--mine=10")
    assert done.code == 0 and "my/l10_attention.py:" in done.out


def test_what_has_not_passed_stays_the_library_s(tinyllm, mine, tmp_path):
    path = tmp_path / "my" / "l10_attention.py"
    path.write_text(path.read_text().replace("return w @ v, w", "return 2 * (w @ v), w"))
    done = tinyllm(*SMOKE, "--out", "run", "--mine=10.2")
    assert done.code == 0 and "library (exercise 10.2 open)" in done.out


def test_nothing_passed_yet(tinyllm, tmp_path):
    done = tinyllm(*SMOKE, "--out", "run", "--mine=00")
    assert done.code == 0 and "library (exercise 00.1 open)" in done.out


@pytest.mark.parametrize(
    ("which", "told"), [("77", "no lesson 77"), ("10.9", "no exercise '10.9'"), ("upto:77", "no lesson 77")]
)
def test_what_is_not_there(tinyllm, which, told):
    done = tinyllm(*SMOKE, "--out", "run", f"--mine={which}")
    assert done.code == 1 and told in done.err and done.err.count("\n") == 1


def test_resuming_may_run_on_yours(tinyllm, mine):
    assert tinyllm(*SMOKE, "--out", "run").code == 0
    done = tinyllm("train", "--resume", "run", "--mine")
    assert "--mine would change them" not in done.err

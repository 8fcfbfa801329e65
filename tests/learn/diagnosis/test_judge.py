"""The judge: no wrong answer passes, no right one fails, and the sentence is the right one."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.autograd.draw import given
from tinyllm.errors import LearnError
from tinyllm.kernels.attention import flip
from tinyllm.learn.checks import gradcheck_slot, oracle, shapes, vectors
from tinyllm.learn.diagnosis import mutants
from tinyllm.learn.diagnosis.judge import judge
from tinyllm.learn.exercise import Exercise, Mutant
from tinyllm.learn.exercises import exercise
from tinyllm.learn.slots.slot import Slot
from tinyllm.learn.verdict import Verdict

spec = importlib.util.spec_from_file_location("mistakes", Path(__file__).with_name("mistakes.py"))
mistakes = importlib.util.module_from_spec(spec)
sys.modules["mistakes"] = mistakes
spec.loader.exec_module(mistakes)
RECORDS = mistakes.RECORDS
MISTAKES = [(number, i) for number, (record, _) in RECORDS.items() for i in range(len(record.mutants))]
ATTEND = RECORDS["90.13"][0]
SOFTMAX = RECORDS["90.1"][0]


def failed(verdict: Verdict):
    return next(line for line in verdict.lines if line.mark == "FAIL")


# right answers


@pytest.mark.parametrize("number", RECORDS)
def test_the_library_passes_whatever_is_drawn(number):
    record = RECORDS[number][0]
    slot = Slot.of(record.slot)
    for seed in range(8):
        verdict = judge(record, slot.function, slot, seed)
        assert verdict.passed and not verdict.because, (seed, verdict)


@pytest.mark.slow
def test_no_false_alarm_in_a_thousand_runs():
    runs = 0
    for record, _ in RECORDS.values():
        slot = Slot.of(record.slot)
        for seed in range(1000, 1072):
            runs += 1
            assert judge(record, slot.function, slot, seed).passed, (record.id, seed)
    assert runs >= 1000


def by_einsum(q, k, v, w, dout, scale):
    dw = np.einsum("...td,...sd->...ts", dout, v)
    ds = w * (dw - np.einsum("...ts,...ts->...t", dw, w)[..., None]) * scale
    dq, dk = np.einsum("...ts,...sd->...td", ds, k), np.einsum("...ts,...td->...sd", ds, q)
    return [dq, dk, np.einsum("...ts,...td->...sd", w, dout)]


def by_rows(x):
    out = np.empty_like(x)
    for index in np.ndindex(x.shape[:-1]):
        e = np.exp(x[index] - max(x[index]))
        out[index] = e / sum(e)
    return out


def test_another_way_to_write_it_passes():
    for seed in range(20):
        assert judge(ATTEND, by_einsum, seed=seed).passed
        assert judge(SOFTMAX, by_rows, seed=seed).passed


def test_a_verdict_becomes_json_and_back():
    import json

    verdict = judge(SOFTMAX, lambda x: 2 * by_rows(x))
    assert Verdict.of_json(json.loads(json.dumps(verdict.as_json()))) == verdict


# usual mistakes


def test_a_second_fault_in_the_precision_does_not_hide_the_first():
    def attend(q, k, v, visible, scale):
        w = kernels.softmax(np.where(visible, q @ flip(k) / np.sqrt(q.shape[-1]), -np.inf))  # the root is float64
        return w @ v, w

    verdict = judge(exercise("10.2"), attend)
    assert (
        verdict.because == "It scales by 1 / sqrt(D) whatever it is told: scale is an argument, and the caller decides."
    )


@pytest.mark.parametrize(("number", "i"), MISTAKES)
def test_every_mistake_fails_and_is_named(number, i):
    record, words = RECORDS[number]
    slot = Slot.of(record.slot)
    function = mutants.made(slot, record.mutants[i])
    verdict = judge(record, function, slot)
    assert verdict.state == "failed" and verdict.mutant == i
    assert verdict.because == record.mutants[i].sentence
    alone = judge(record, function, slot, use_mutants=False)
    assert alone.state == "failed" and alone.mutant is None
    told = " ".join([*(s for line in alone.lines for s in line.because), *(line.text for line in alone.lines)])
    assert re.search(words[i], told), told


def test_nine_of_ten_mistakes_are_diagnosed_without_the_list():
    words = [w for _, of_record in RECORDS.values() for w in of_record]
    assert sum(map(bool, words)) / len(words) >= 0.9  # those with words are held to them above


def test_a_mistake_written_otherwise_is_the_same_mistake():
    def mine(q, k, v, w, dout, scale):
        dw = dout @ flip(v)
        ds = w * dw - w * (dw * w).sum(axis=-1)[..., None]
        return ds @ k, flip(ds) @ q, flip(w) @ dout

    verdict = judge(ATTEND, mine)
    assert verdict.mutant == 0 and failed(verdict).name == "dq"
    assert [line.mark for line in verdict.lines] == ["ok", "ok", "FAIL", "--", "--"]
    assert verdict.lines[3].text == "waits for dq"


def test_the_judge_tells_a_mutant_that_does_not_apply():
    record = Exercise("99.1", SOFTMAX.slot, 5, SOFTMAX.checks, [Mutant("nowhere", "", "?")], ("", "", ""), "")
    with pytest.raises(LearnError, match="0 times"):
        judge(record, lambda x: x)


# did it run

DID_NOT_RUN = {
    "nothing": (lambda q, k, v, w, dout, scale: None, "is `return` missing"),
    "too few": (lambda q, k, v, w, dout, scale: (q, k), "2 results; expected are 3 results, dq, dk, dv"),
    "one": (lambda q, k, v, w, dout, scale: q, "one thing"),
    "a hole": (lambda q, k, v, w, dout, scale: (q, None, v), "dk is None"),
    "arguments": (lambda q, k, v: q, r"takes \(q, k, v\), and is called with \(q, k, v, w, dout, scale\)"),
    "exit": (lambda *a: sys.exit(1), "sys.exit"),
    "name": (lambda *a: nowhere, "`nowhere` is used"),  # noqa: F821
    "zero": (lambda q, k, v, w, dout, scale: 1 // 0, "divides by zero"),
    "lists": (lambda q, k, v, w, dout, scale: (q.tolist(), k, v), "dq is a list"),
    "texts": (lambda *a: ("a", "b", "c"), "dq is a str"),
    "assertion": (lambda *a: pytest.fail("no") if not a else [][1], "IndexError"),
    "graph": (lambda q, k, v, w, dout, scale: (dout, k, v)[3], "IndexError"),
    "float64": (lambda *a: tuple(np.float64(1) * d for d in by_einsum(*a)), "float32 went in and float64 came out"),
}


@pytest.mark.parametrize("name", DID_NOT_RUN)
def test_what_breaks_down_gets_a_sentence(name):
    function, words = DID_NOT_RUN[name]
    verdict = judge(ATTEND, function)
    assert verdict.state == "failed" and re.search(words, verdict.because), verdict
    assert "\n" not in verdict.because


def test_an_exception_is_told_with_its_line_and_the_inputs():
    def broken(q, k, v, w, dout, scale):
        return q @ k, k, v

    verdict = judge(ATTEND, broken)
    line = failed(verdict)
    assert re.match(r"ValueError at line \d+: `return q @ k, k, v`   given q \(.*T=\d", line.text)
    assert "inner sizes of a matrix product differ" in verdict.because and "attend_backward(" in line.code


def test_endless_recursion_is_an_exception_like_others():
    def again(*args):
        return again(*args)

    assert "calls itself" in judge(ATTEND, again).because


def test_inputs_that_are_changed():
    def changes(q, k, v, w, dout, scale):
        found = by_einsum(q, k, v, w, dout, scale)
        w *= 2
        return found

    verdict = judge(ATTEND, changes)
    assert failed(verdict).name == "inputs untouched" and "changes w in place" in failed(verdict).text
    assert "make a new array" in verdict.because


def test_two_calls_that_differ():
    seen = []

    def counts(x):
        seen.append(x)
        return by_rows(x) + len(seen)

    assert "Two calls" in judge(SOFTMAX, counts).because


def test_a_stub_is_a_stub():
    def stub(x):
        raise NotImplementedError("90.1")

    verdict = judge(SOFTMAX, stub)
    assert verdict.state == "stub" and not verdict.passed and {line.mark for line in verdict.lines} == {"--"}
    assert judge(SOFTMAX, lambda x: by_rows(stub(x))).state == "stub"


def test_what_is_no_function():
    assert "stand for a function" in judge(SOFTMAX, 5).because


def test_nan_from_large_numbers():
    verdict = judge(SOFTMAX, lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True), use_mutants=False)
    assert "overflows" in verdict.because


class Speechless(Exception):
    def __str__(self):
        raise ValueError("no words")


def speechless(*args, **params):
    raise Speechless


ODD = [None, 5, "a", [], (), {}, np.nan, True, int, ((1,), (2, [3])), np.array([]), np.zeros((1,) * 7), np.ones(3) * 1j]
ODD += [np.array([None, {}], dtype=object), np.array(["a"]), np.array(["2020"], dtype="datetime64"), 1e308]
ODD += [(np.zeros(1),) * 3, np.full((2, 3), np.nan), np.ma.array([1.0, 2.0], mask=[0, 1])]


@pytest.mark.parametrize("number", RECORDS)
def test_whatever_comes_back_is_judged(number):
    record = RECORDS[number][0]
    slot = Slot.of(record.slot)
    for value in ODD:
        assert judge(record, lambda *a, _v=value, **p: _v, slot).state == "failed", value
    for function in (speechless, lambda *a, **p: a, lambda *a, **p: a[0], lambda *a, **p: a[-1].resize((1,))):
        assert judge(record, function, slot).state == "failed"


# wrong answers that look right


def test_one_gradient_at_a_time():
    """By hand every gradient is wanted; in the engine often only one is."""
    slot = Slot.of("tinyllm.autograd.ops.linalg:Matmul.backward")
    record = Exercise("99.2", slot.path, 5, [gradcheck_slot()], [], ("", "", ""), "")
    assert judge(record, slot.function).passed
    verdict = judge(record, slot.make(slot.patched("if ctx.wants(0):", "if ctx.wants(1):")))
    assert verdict.state == "failed" and "ctx.wants(i)" in verdict.because


def test_no_error_where_one_is_due():
    checks = [vectors([((np.ones((2, 3)), (3,)), np.full(3, 2.0)), ((np.ones((2, 3)), (4,)), ValueError)])]
    record = Exercise("99.3", "tinyllm.autograd.unbroadcast:unbroadcast", 5, checks, [], ("", "", ""), "")
    assert judge(record, Slot.of(record.slot).function).passed
    verdict = judge(record, lambda dy, shape: dy.sum(0)[: shape[0]])
    assert verdict.state == "failed" and "refused" in verdict.because and "ValueError" in failed(verdict).text
    other = judge(record, lambda dy, shape: dy.sum(0) if shape == (3,) else [][1])
    assert other.state == "failed" and "raises IndexError, not ValueError" in failed(other).text


def test_a_shape_that_broadcasts_is_still_wrong():
    record = Exercise("99.4", SOFTMAX.slot, 5, [shapes(), oracle(samples=mistakes.rows)], [], ("", "", ""), "")
    assert judge(record, lambda x: by_rows(x)[None]).state == "failed"
    assert judge(record, lambda x: by_rows(x).astype(np.float32)).state == "failed"
    assert judge(record, lambda x: by_rows(x).astype(complex)).state == "failed"
    assert "1 axis too many" in judge(record, lambda x: by_rows(x)[None]).because


# what is shown


def test_the_counter_example_is_small_and_runs():
    verdict = judge(ATTEND, lambda *a: tuple(-d for d in by_einsum(*a)))
    line = failed(verdict)
    assert verdict.because == "The sign is wrong." and len(line.code) < 500
    space = {"attend_backward": by_einsum}
    code = compile(line.code, "<code>", "exec")
    exec(code, space)
    expected = re.search(r"# dq, numeric: (\[.*\])", line.code)[1]
    yours = re.search(r"# dq, yours: (\[.*\])", line.code)[1]
    got = by_einsum(*(space[name] for name in ("q", "k", "v", "w", "dout")), _scale_of(line.code))[0]
    assert np.allclose(got, eval(expected), atol=1e-3) and np.allclose(-got, eval(yours), atol=1e-3)


def _scale_of(code: str) -> float:
    return float(re.search(r"dout, ([-\d.]+)\)", code)[1])


def test_the_counter_example_of_an_op_builds_its_context():
    record = RECORDS["90.3"][0]
    line = failed(judge(record, lambda ctx, dp: -Slot.of(record.slot).function(ctx, dp)))
    space = {"softmax_backward": Slot.of(record.slot).function}
    exec(compile(line.code, "<code>", "exec"), space)
    assert "ctx.forward(" in line.code and "softmax_backward(ctx, dp)" in line.code


def test_the_picture_is_yours_beside_the_reference():
    verdict = judge(SOFTMAX, lambda x: 2 * by_rows(x))
    yours, reference = np.array(verdict.picture["yours"]), np.array(verdict.picture["reference"])
    assert np.allclose(yours, 2 * reference) and verdict.picture["name"]
    assert judge(SOFTMAX, by_rows).picture is None


def test_an_input_that_is_ignored_is_found_by_asking_what_if():
    def scale_lost(q, k, v, visible, scale):
        return Slot.of(RECORDS["90.12"][0].slot).function(q, k, v, visible, 1.0)

    assert "scale = 1" in judge(RECORDS["90.12"][0], scale_lost, use_mutants=False).because


def test_a_factor_is_named_by_its_letter():
    def by_root(q, k, v, w, dout, scale):
        return by_einsum(q, k, v, w, dout, scale / np.sqrt(q.shape[-1]).item())

    verdict = judge(ATTEND, by_root)
    assert "that is 1/sqrt(D)" in verdict.because


def test_axis_parameters_are_looked_at():
    samples = lambda draw: [given(draw(3, 4), axis=0), given(draw(2, 3, 5), axis=1), draw(5)]  # noqa: E731
    record = Exercise(
        "99.5", "tinyllm.autograd.ops.fused:Softmax.forward", 5, [oracle(None, samples)], [], ("", "", ""), ""
    )

    def last(ctx, x, *, axis=-1):
        return by_rows(x)

    assert "axis" in judge(record, last).because

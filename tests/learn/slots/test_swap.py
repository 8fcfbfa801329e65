"""Swap: the library's own function steps aside everywhere, is counted, and comes back; whatever happens meanwhile."""

from __future__ import annotations

import importlib
import sys
import threading
import types
from contextlib import ExitStack

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels, nn
from tinyllm.autograd import op
from tinyllm.autograd import unbroadcast as unbroadcast_file
from tinyllm.autograd.ops.reduce import Sum
from tinyllm.errors import LearnError, StubError
from tinyllm.kernels import TABLE
from tinyllm.kernels.warm import FEW, sample_inputs
from tinyllm.learn.slots.reach import escapes, replace
from tinyllm.learn.slots.slot import Slot
from tinyllm.learn.slots.swap import _on_the_reference, chosen, mine, swap, tripwire
from tinyllm.learn.work.workspace import Workspace

from ..conftest import ALL, an_exercise

BACKENDS = [name for name in kernels.BACKENDS if name == "numpy" or kernels.backend() == "numba"]


def everything():
    """All that a swap may touch: every name of the library, and what it means."""
    found = {(name, backend): function for name, entry in TABLE.items() for backend, function in entry.items()}
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "tinyllm":
            for key, value in list(vars(module).items()):
                found[name, key] = value
                if isinstance(value, type) and value.__module__.startswith("tinyllm"):
                    found |= {(value, k): v for k, v in vars(value).items() if not k.startswith("__")}
    return found


@pytest.fixture
def untouched():
    """After the test every name means what it meant before it."""
    work()  # loads what is loaded late
    before = everything()
    yield
    after = everything()
    assert {key for key in before if before[key] is not after.get(key)} == set()


def work():
    """A loss and all its gradients, through every slot of the first lessons that a model can come through."""
    rng = np.random.default_rng(0)

    def draw(*shape):
        return tl.Tensor(rng.normal(size=shape).astype(np.float32), requires_grad=True)

    layer, x, bias, w = nn.SelfAttention(12, H=3, K=1, window=4, rng=rng), draw(2, 7, 12), draw(12), draw(12, 5)
    y = (layer(x) + bias) @ w  # (B, T, V)
    loss = tl.cross_entropy(y[:, [0, 0, 3]], np.array([[1, 2, 3], [4, 0, 1]]))
    loss = loss + y.softmax(-1).max(-1).sum() + tl.logsumexp(y).sum()
    loss.backward()
    return [loss.data, x.grad, bias.grad, w.grad, *(parameter.grad for parameter in layer.parameters())]


USED = [number for number in ALL if number[:2] in ("03", "04", "10")]  # ``work`` comes through all of these


def same_bits(one, other):
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(one, other, strict=True))


def on_the_references(exercises):
    """Nothing is swapped, but the same kernels are on the reference as in a swap of these exercises."""
    stack = ExitStack()
    for exercise in exercises:
        for kernel in {*exercise.through, Slot.of(exercise.slot).kernel} - {""}:
            stack.enter_context(_on_the_reference(kernel))
    return stack


# A2: nothing changes


@pytest.mark.parametrize("backend", BACKENDS)
def test_copies_of_the_librarys_own_functions_change_not_a_bit(backend, untouched):
    copies = {ALL[number]: Slot.of(ALL[number].slot).copy() for number in USED}
    with kernels.use(backend):
        with on_the_references(copies):
            expected = work()
        with swap(copies) as receipt, ExitStack() as wires:
            for exercise in copies:
                wires.enter_context(tripwire(exercise))
            got = work()
    assert same_bits(expected, got)
    assert all(receipt.calls[number] > 0 for number in USED), receipt.calls


@pytest.mark.parametrize("number", USED)
def test_each_slot_alone(number, untouched):
    exercise = ALL[number]
    with on_the_references([exercise]):
        expected = work()
    with swap({exercise: Slot.of(exercise.slot).copy()}) as receipt, tripwire(exercise):
        got = work()
    assert same_bits(expected, got)
    assert receipt.calls[number] > 0


def test_what_a_learner_wrote_is_what_runs(untouched):
    """Wrong on purpose: the gradient says so, and on which back end does not matter."""
    x = tl.Tensor(np.ones(3, np.float32), requires_grad=True)
    with swap({ALL["03.2"]: lambda ctx, dy: np.full(3, 7.0, np.float32)}) as receipt:
        x.sum().backward()
    np.testing.assert_array_equal(x.grad, [7, 7, 7])
    assert receipt.rows == [("Sum.backward", f"slots/test_swap.py:{receipt.rows[0][1].split(':')[1]}", 1)]
    x.grad = None
    x.sum().backward()
    np.testing.assert_array_equal(x.grad, [1, 1, 1])


# names


def test_a_static_method_stays_one(monkeypatch, untouched):
    def own(x):
        return "library"

    holder = type("Holder", (), {"way": staticmethod(own), "__module__": "tinyllm.nn.attention"})
    monkeypatch.setattr(nn.attention, "Holder", holder, raising=False)
    monkeypatch.setattr(nn.attention, "own", own, raising=False)
    slot = an_exercise("99.1", "tinyllm.nn.attention:Holder.way")
    with swap({slot: lambda x: "mine"}) as receipt:
        assert holder.way(1) == holder().way(1) == nn.attention.own(1) == "mine"
        assert isinstance(vars(holder)["way"], staticmethod)
    assert holder.way(1) == nn.attention.own(1) == "library"
    assert isinstance(vars(holder)["way"], staticmethod)
    assert receipt.calls == {"99.1": 3}


def test_tables_in_tables_are_reached(monkeypatch, untouched):
    table = {"deep": {"deeper": unbroadcast_file.unbroadcast}}
    monkeypatch.setattr(op, "_TABLE", table, raising=False)
    with swap({ALL["03.1"]: lambda dy, shape: "mine"}):
        assert table["deep"]["deeper"](0, ()) == op.unbroadcast(0, ()) == "mine"
    assert table["deep"]["deeper"] is op.unbroadcast is Slot.of(ALL["03.1"].slot).function


def test_modules_imported_meanwhile_are_set_right(monkeypatch, tmp_path, untouched):
    (tmp_path / "late.py").write_text("from tinyllm.autograd.unbroadcast import unbroadcast\n")
    with swap({ALL["03.1"]: lambda dy, shape: "mine"}):
        spec = importlib.util.spec_from_file_location("tinyllm.late", tmp_path / "late.py")
        late = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "tinyllm.late", late)
        spec.loader.exec_module(late)
        assert late.unbroadcast(0, ()) == "mine"
    assert late.unbroadcast is Slot.of(ALL["03.1"].slot).function


def test_the_class_stays_the_class(untouched):
    with swap({ALL["03.2"]: Slot.of(ALL["03.2"].slot).copy()}):
        x = tl.Tensor([1.0], requires_grad=True)
        assert isinstance(x.sum().node, Sum) and op.OPS["sum"] is Sum


def test_the_course_compares_with_the_library(monkeypatch, untouched):
    """A check that holds the library's function does not find itself compared with the learner's."""
    check = types.ModuleType("tinyllm.learn.a_check")
    check.unbroadcast = unbroadcast_file.unbroadcast
    monkeypatch.setitem(sys.modules, "tinyllm.learn.a_check", check)
    with swap({ALL["03.1"]: lambda dy, shape: "mine"}):
        assert check.unbroadcast is Slot.of(ALL["03.1"].slot).function


def test_the_learners_own_file_sees_the_other_slots(untouched):
    names = {"__name__": "my.l10_attention", "causal_mask": kernels.causal_mask, "np": np}
    attend = types.FunctionType((lambda q, k, v, visible, scale: causal_mask(1, 1)).__code__, names)  # noqa: F821
    with swap({ALL["10.2"]: attend, ALL["10.1"]: lambda T, S: "mine"}):
        assert kernels.attention.__wrapped__.__globals__["attend"](0, 0, 0, 0, 0) == "mine"
    assert names["causal_mask"] is kernels.causal_mask


# kernels


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_kernel_is_swapped_on_both_back_ends(backend, untouched):
    with kernels.use(backend), swap({ALL["04.2"]: lambda x: x + 1}) as receipt:
        for dtype in (np.float32, np.float64, complex):
            np.testing.assert_array_equal(kernels.softmax(np.zeros(2, dtype)), [1, 1])
        assert kernels.reference(kernels.softmax)(0) == 1
    assert receipt.calls == {"04.2": 4}
    assert kernels.softmax(np.zeros(2))[0] == 0.5


def test_numba_may_be_loaded_meanwhile(monkeypatch, untouched):
    if len(BACKENDS) < 2:
        pytest.skip("there is no numba here")
    fast = TABLE["softmax"].pop("numba")
    with kernels.use("numba"):
        with swap({ALL["04.2"]: lambda x: x + 1}):
            kernels.logsumexp(np.zeros(2))  # another kernel loads them all
            assert kernels.softmax(np.zeros(2))[0] == 1
        assert "numba" not in TABLE["softmax"]
        assert kernels.softmax(np.zeros(2))[0] == 0.5
    assert TABLE["softmax"]["numba"] is fast


def test_through_kernels_run_on_their_reference_until_the_last_is_done(untouched):
    if len(BACKENDS) < 2:
        pytest.skip("there is no numba here")
    fast = TABLE["attention"]["numba"]
    with kernels.use("numba"), swap({ALL["10.1"]: Slot.of(ALL["10.1"].slot).copy()}):
        with swap({ALL["10.2"]: Slot.of(ALL["10.2"].slot).copy()}):
            assert TABLE["attention"]["numba"] is not fast
        assert TABLE["attention"]["numba"] is not fast
    assert TABLE["attention"]["numba"] is fast


def test_a_kernel_to_go_through_must_exist(untouched):
    wrong = swap({an_exercise("10.1", through=("atention",)): print})
    with pytest.raises(LearnError, match=r"no kernel 'atention'.*Try: attention"), wrong:
        pass


# in and out


def test_swaps_nest(untouched):
    exercise = ALL["03.1"]
    with swap({exercise: lambda dy, shape: "outer"}) as outer:
        with swap({exercise: lambda dy, shape: "inner"}) as inner:
            assert op.unbroadcast(0, ()) == "inner"
        assert op.unbroadcast(0, ()) == "outer"
    assert outer.calls == inner.calls == {"03.1": 1}


def test_the_outer_may_end_first(untouched):
    exercise = ALL["03.1"]
    outer, inner = swap({exercise: lambda dy, shape: "outer"}), swap({exercise: lambda dy, shape: "inner"})
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    assert op.unbroadcast(0, ()) == "inner"
    inner.__exit__(None, None, None)
    assert op.unbroadcast is Slot.of(exercise.slot).function


def test_an_error_in_the_block_restores_all(untouched):
    with pytest.raises(ZeroDivisionError), swap({ALL["04.2"]: lambda x: 1 / 0}):
        kernels.softmax(np.zeros(2))


def test_a_slot_that_does_not_exist_leaves_nothing_behind(untouched):
    wrong = swap({ALL["03.1"]: print, an_exercise("99.9", "tinyllm.nn.attention:nothing"): print})
    with pytest.raises(LearnError, match="no such function"), wrong:
        pass


def test_two_threads_cannot_fill_one_slot(untouched):
    said = []

    def other(number):
        try:
            with swap({ALL[number]: Slot.of(ALL[number].slot).copy()}):
                said.append("in")
        except LearnError as error:
            said.append(str(error))

    with swap({ALL["03.1"]: Slot.of(ALL["03.1"].slot).copy()}):
        for number in ("03.1", "03.2"):
            thread = threading.Thread(target=other, args=[number])
            thread.start()
            thread.join()
    assert said == [
        "E-LEARN unbroadcast.unbroadcast is swapped by another thread just now. Try: one run at a time",
        "in",
    ]


def test_slot_is_found_while_it_is_swapped(untouched):
    path = ALL["10.4"].slot
    Slot.of.cache_clear()
    with swap({ALL["10.4"]: lambda x, H: x}):
        Slot.of.cache_clear()
        assert Slot.of(path).function is not nn.attention.split_heads
    assert Slot.of(path).function is nn.attention.split_heads


# stubs and wires


def test_a_stub_says_what_is_to_be_written(untouched):
    def split_heads(x, H):
        raise NotImplementedError("10.4")

    with swap({ALL["10.4"]: split_heads}), pytest.raises(StubError, match=r"E-STUB 10.4 split_heads is still to be"):
        nn.attention.split_heads(0, 0)


def test_another_not_implemented_error_is_left_as_it_is(untouched):
    def split_heads(x, H):
        raise NotImplementedError("something else")

    with swap({ALL["10.4"]: split_heads}), pytest.raises(NotImplementedError, match=r"^something else$"):
        nn.attention.split_heads(0, 0)


def test_a_tripwire_shows_a_reference_that_was_missed(untouched):
    missed = [unbroadcast_file.unbroadcast]
    with swap({ALL["03.1"]: Slot.of(ALL["03.1"].slot).copy()}), tripwire(ALL["03.1"]):
        assert op.unbroadcast(np.ones(3), (1,)) == [3]
        with pytest.raises(LearnError, match="library's own function was called"):
            missed[0](np.ones(3), (1,))
    assert missed[0](np.ones(3), (1,)) == [3]


def test_a_tripwire_is_off_after_an_error(untouched):
    with pytest.raises(ZeroDivisionError), tripwire(ALL["10.4"]):
        1 / 0  # noqa: B018
    assert nn.attention.split_heads(np.ones((1, 1, 2)), 2).shape == (1, 2, 1, 1)


# the lint


def test_no_slot_is_referred_to_in_a_way_that_a_swap_cannot_reach():
    from tinyllm.learn import exercises

    for exercise in [*ALL.values(), *exercises.exercises()]:
        assert escapes(Slot.of(exercise.slot).function) == [], exercise.id


def kernels_that_use(exercise):
    """The kernels whose reference calls the slot's function: their Numba versions would go past a swap."""
    found, samples = set(), sample_inputs(FEW, np.float64)
    with tripwire(exercise):
        for name, arguments in samples.items():
            try:
                TABLE[name]["numpy"](*arguments)
            except LearnError:
                found.add(name)
    return found


def test_no_compiled_kernel_goes_past_a_slot():
    from tinyllm.learn import exercises

    assert kernels_that_use(ALL["04.1"]) == {"logsumexp", "cross_entropy", "cross_entropy_chunk"}
    for exercise in exercises.exercises():
        if not Slot.of(exercise.slot).kernel:  # a kernel has two versions; what a faster one fuses is not that kernel
            missing = kernels_that_use(exercise) - set(exercise.through)
            assert not missing, f"{exercise.id}: through= lacks {missing}"


def test_the_lint_finds_defaults_lists_and_closures(monkeypatch):
    target = unbroadcast_file.unbroadcast

    def default(f=target):
        return f

    def keyword(*, f=target):
        return f

    def closure():
        return target

    found = {"default": default, "keyword": keyword, "closure": closure, "listed": [target], "tupled": (1, target)}
    for name, value in found.items():
        monkeypatch.setattr(op, name, value, raising=False)
    assert escapes(target) == [
        "tinyllm.autograd.op.closure, a closure",
        "tinyllm.autograd.op.default, a default argument",
        "tinyllm.autograd.op.keyword, a default argument",
        "tinyllm.autograd.op.listed, a list",
        "tinyllm.autograd.op.tupled, a tuple",
    ]


def test_replace_says_at_how_many_places():
    namespace = {"f": len, "inside": {"g": len}}
    assert replace({id(len): max}, [namespace]) == 2
    assert namespace == {"f": max, "inside": {"g": max}}


# mine


def test_chosen(course):
    def ids(which):
        return [exercise.id for exercise in chosen(which)]

    assert ids("10") == ["10.1", "10.2", "10.3", "10.4", "10.5"]
    assert ids("4, 10.3,10.1") == ["04.1", "04.2", "04.3", "04.4", "04.5", "10.1", "10.3"]
    assert ids("upto:4") == [e.id for lesson in course[:2] for e in lesson.exercises]
    assert ids("all") == [e.id for lesson in course for e in lesson.exercises]
    for wrong in ("11", "10.9", "upto:", "", "upto:x"):
        with pytest.raises(LearnError, match="there is no"):
            chosen(wrong)


def test_mine_is_what_has_passed(course, tmp_path, untouched):
    from tinyllm.learn.verdict import Verdict
    from tinyllm.learn.work.progress import Progress

    workspace = Workspace(tmp_path / "my")
    path = workspace.start(course[2])
    stub = 'raise NotImplementedError("10.4")'
    path.write_text(path.read_text().replace(stub, "return x.reshape(*x.shape[:2], H, -1).transpose(0, 2, 1, 3)"))
    with mine("10", workspace.folder) as receipt:
        work()
    assert receipt.calls == {}
    Progress.of(workspace).record(Verdict("10.4", "passed"), workspace.source(ALL["10.4"]))
    with mine("10", workspace.folder) as receipt, tripwire(ALL["10.4"]):
        work()
    assert receipt.calls["10.4"] > 0
    line = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if "def split_heads" in text)
    assert ("attention.split_heads", f"my/l10_attention.py:{line}", receipt.calls["10.4"]) in receipt.rows
    assert ("attention.attend", "library (exercise 10.2 open)", 0) in receipt.rows
    assert "library (exercise 10.1 open)" in receipt.text()

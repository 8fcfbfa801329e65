"""The tests of the test: gradcheck accepts what is right and rejects, by name, what is wrong.

Everything in this project is trusted because gradcheck passed it. So nothing here is taken for granted: right functions
pass; each of a list of wrong backward rules, taken from real mistakes, fails and is described; and the ways in which
a check can be fooled (a cotangent of ones, a gradient that is zero anyway, float32, randomness, edits in place) are
tried.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn_by
from hypothesis import strategies as st

import tinyllm as tl
from tinyllm.autograd.diagnosis import guess
from tinyllm.autograd.gradcheck import DIRECTIONS, FEW, Report
from tinyllm.autograd.numeric import central_difference, complex_step, complex_step_grad, numerical_grad
from tinyllm.autograd.op import OPS, Op
from tinyllm.errors import DTypeError, GradcheckError, GraphError, OpError, TinyLLMError


def leaf(*shape, rng=None, scale=1.0):
    rng = rng or np.random.default_rng(len(shape) + sum(shape))
    return tl.Tensor(rng.normal(0, scale, shape), requires_grad=True)


# what is right passes

RIGHT = {
    "polynomial": (lambda x: x * x * x - 2.0 * x, [(3, 5)]),
    "shared node": (lambda x: (lambda y: y * y + y.exp())(x.tanh()), [(7,)]),
    "quotient": (lambda a, b: a / (b * b + 1.0), [(3, 5), (5,)]),
    "softmax by hand": (lambda x: x.exp() / x.exp().sum(-1, keepdims=True), [(3, 5)]),
    "norm by hand": (lambda x: (x - x.mean(-1, keepdims=True)) / (x.var(-1, keepdims=True) + 1e-5).sqrt(), [(3, 7)]),
    "matmul chain": (lambda a, b, c: (a @ b).tanh() @ c, [(3, 5), (5, 7), (7, 2)]),
    "zero axes": (lambda x: x * x.exp(), [()]),
    "a tuple of results": (lambda x: (x.exp(), (x * x).sum()), [(5,)]),
    "many entries": (lambda x: (x * x).tanh(), [(13, 17)]),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("method", ["complex step", "central difference"])
def test_right_functions_pass(name, method):
    f, shapes = RIGHT[name]
    report = tl.gradcheck(f, [leaf(*s) for s in shapes], method=method)
    assert report and report.method == method
    assert len(report.findings) == len(shapes)
    assert report.error < (1e-12 if method == "complex step" else 1e-6)


SMOOTH = [
    lambda x, y: x + y,
    lambda x, y: x * y,
    lambda x, y: x - y,
    lambda x, y: x.tanh(),
    lambda x, y: (x * 0.1).exp(),
    lambda x, y: x / (y * y + 1.0),
    lambda x, y: x.sigmoid(),
]


@drawn_by(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8))
def test_random_graphs_pass(steps):
    """Any graph of smooth ops, with nodes shared at random, checks."""

    def f(a, b):
        nodes = [a, b]
        for kind, i, j in steps:
            nodes.append(SMOOTH[kind](nodes[i % len(nodes)], nodes[j % len(nodes)]))
        return nodes[-1] + 0.5 * a * b

    assert tl.gradcheck(f, [leaf(3), leaf(3, scale=0.7)], names=["a", "b"])


# what is wrong fails: backward rules with the mistakes that people make

x35 = np.random.default_rng(1).normal(size=(3, 5))


def _softmax_without_row_sum(ctx, dp):
    p = ctx.saved[0]
    return p * dp


def _softmax_wrong_axis(ctx, dp):
    p = ctx.saved[0]
    return p * (dp - (dp * p).sum(0, keepdims=True))


def _swap(a):
    return np.swapaxes(a, -1, -2)


WRONG = {
    "mul: factors not crossed": ("mul", lambda ctx, dy: (dy * ctx.saved[0], dy * ctx.saved[1]), 2),
    "mul: one factor lost": ("mul", lambda ctx, dy: (dy, dy * ctx.saved[0]), 2),
    "sub: sign": ("sub", lambda ctx, dy: (dy, dy), 2),
    "div: not squared": ("div", lambda ctx, dy: (dy / ctx.saved[1], -dy * ctx.saved[0] / ctx.saved[1]), 2),
    "exp: of what is saved": ("exp", lambda ctx, dy: dy * np.exp(ctx.saved[0]), 1),
    "tanh: not squared": ("tanh", lambda ctx, dy: dy * (1 - ctx.saved[0]), 1),
    "tanh: passes on": ("tanh", lambda ctx, dy: dy, 1),
    "sigmoid: half": ("sigmoid", lambda ctx, dy: dy * ctx.saved[0], 1),
    "softmax: no row sum": ("softmax", _softmax_without_row_sum, 1),
    "softmax: wrong axis": ("softmax", _softmax_wrong_axis, 1),
    "softmax: zeros": ("softmax", lambda ctx, dp: np.zeros_like(dp), 1),
}


@pytest.mark.parametrize("fault", WRONG)
def test_wrong_rules_fail(fault, monkeypatch):
    name, backward, count = WRONG[fault]
    op = OPS[name]
    inputs = [leaf(5, 5, rng=np.random.default_rng(k)) for k in range(count)]
    assert tl.gradcheck(op.apply, inputs)
    monkeypatch.setattr(op, "backward", backward)
    with pytest.raises(GradcheckError, match="FAIL"):
        tl.gradcheck(op.apply, inputs)


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.001, 0.999, 1 + 1e-5, 2.0, np.nan])
@pytest.mark.parametrize("shape", [(5,), (3, 7), (13, 17)])
@pytest.mark.parametrize("method", ["complex step", "central difference"])
def test_wrong_factors_fail(factor, shape, method, monkeypatch):
    monkeypatch.setattr(OPS["tanh"], "backward", lambda ctx, dy: dy * (1 - ctx.saved[0] ** 2) * factor)
    with pytest.raises(GradcheckError):
        tl.gradcheck(lambda x: x.tanh(), leaf(*shape), method=method)


def test_one_wrong_entry_among_many_fails(monkeypatch):
    def backward(ctx, dy):
        dx = dy * (1 - ctx.saved[0] ** 2)
        dx[2, 3] *= 1.01
        return dx

    monkeypatch.setattr(OPS["tanh"], "backward", backward)
    with pytest.raises(GradcheckError, match=r"at \(2, 3\).*ratio 1.01\n.*only 1 of 35 entries"):
        tl.gradcheck(lambda x: x.tanh(), leaf(5, 7))


def test_a_lost_path_fails(monkeypatch):
    """ "=" where "+=" is needed: the second use of a value forgets the first."""
    from tinyllm.autograd import graph

    def keeps_the_last(order, dys, retain_graph=False):
        leaves = [s for op in order for s in op.sources if isinstance(s, tl.Tensor)]
        result = {}
        for op in reversed(order):
            grads = op.pull_back(dys)
            for source, grad in zip(op.sources, grads, strict=True):
                if source is not None:
                    result[id(source)] = grad
        for source in leaves:
            source.grad = result[id(source)]
        return result

    x = leaf(5)
    assert tl.gradcheck(lambda x: x * x, x)
    monkeypatch.setattr(graph, "accumulate", keeps_the_last)
    with pytest.raises(GradcheckError, match="that is 1/2"):
        tl.gradcheck(lambda x: x * x, x)


# the ways to fool a check

VACUOUS = {
    "softmax adds up to one": lambda x: x.softmax().sum(),
    "layer norm has mean zero": lambda x: x.layer_norm().sum(),
    "a constant": lambda x: x * 0.0,
    "nothing positive": lambda x: (-(x * x) - 1.0).relu(),
}


@pytest.mark.parametrize("name", VACUOUS)
def test_a_check_that_proves_nothing_says_so(name):
    with pytest.raises(GradcheckError, match="vacuous"):
        tl.gradcheck(VACUOUS[name], leaf(3, 5))


def test_a_cotangent_of_ones_would_have_been_fooled(monkeypatch):
    """The very weakness of checks on ``.sum()``: zeros pass them. Not here."""
    x = leaf(3, 5)
    x.softmax().sum().backward()
    assert np.abs(x.grad).max() < 1e-15
    x.zero_grad()
    monkeypatch.setattr(OPS["softmax"], "backward", lambda ctx, dp: np.zeros_like(dp))
    with pytest.raises(GradcheckError, match="nothing flows back"):
        tl.gradcheck(lambda x: x.softmax(), x)


def test_float32_is_refused():
    with pytest.raises(DTypeError, match=r"input 0 is float32.*astype\(np.float64\)"):
        tl.gradcheck(lambda x: x * x, tl.Tensor([1.0, 2.0], requires_grad=True))


def test_nothing_to_check_is_an_error():
    with pytest.raises(GraphError, match="no input requires a gradient"):
        tl.gradcheck(lambda x: x * x, tl.Tensor(np.ones(3)))


def test_a_function_must_return_a_tensor():
    with pytest.raises(OpError, match="returned ndarray"):
        tl.gradcheck(lambda x: x.data, leaf(3))


def test_randomness_is_found():
    noise = np.random.default_rng(0)
    with pytest.raises(GradcheckError, match="differ"):
        tl.gradcheck(lambda x: x * noise.normal(size=3), leaf(3))


def test_an_input_edited_in_place_is_found():
    def f(x):
        x.data[0] = 0.5 + x.data[0]
        return x * x

    with pytest.raises(GradcheckError, match="changed its input in place"):
        tl.gradcheck(f, leaf(3))


def test_a_gradient_for_no_cotangent_is_found(monkeypatch):
    monkeypatch.setattr(OPS["exp"], "backward", lambda ctx, dy: dy * ctx.saved[0] + 1e-9)
    with pytest.raises(GradcheckError, match="cotangent of zeros"):
        tl.gradcheck(lambda x: x.exp(), leaf(3))


@pytest.mark.parametrize(
    ("backward", "words"),
    [
        (lambda ctx, dy: (dy * ctx.saved[0]).astype(np.float32), "float32, not float64"),
        (lambda ctx, dy: (dy * ctx.saved[0])[:2], "has shape"),
        (lambda ctx, dy: None, "returned None"),
        (lambda ctx, dy: (dy, dy), "2 gradients for 1 inputs"),
    ],
)
def test_a_gradient_of_another_kind_is_refused(backward, words, monkeypatch):
    monkeypatch.setattr(OPS["exp"], "backward", backward)
    with pytest.raises(OpError, match=words):
        tl.gradcheck(lambda x: x.exp(), leaf(3))


@pytest.fixture
def magnitude():
    """An op through which the complex step cannot go, though it does not say so."""

    class Magnitude(Op):
        """The size of a number.

        Forward   y = |x|
        Backward  dx = dy sign(x)
        Shapes    x (...) -> y (...)
        """

        def samples(draw):
            yield draw.away(3)

        def forward(ctx, x):
            ctx.save(np.sign(x.real))
            return np.abs(x)

        def backward(ctx, dy):
            return dy * ctx.saved[0]

    yield Magnitude
    del OPS["magnitude"]


def test_where_the_complex_step_is_blind_differences_take_over(magnitude, monkeypatch):
    x = tl.Tensor(np.array([-1.0, 2.0, 0.5]), requires_grad=True)
    report = tl.gradcheck(magnitude.apply, x)
    assert report and report.method == "central difference"
    monkeypatch.setattr(magnitude, "backward", lambda ctx, dy: dy)
    with pytest.raises(GradcheckError):
        tl.gradcheck(magnitude.apply, x)


def test_an_op_may_ask_for_differences(magnitude, monkeypatch):
    monkeypatch.setattr(magnitude, "analytic", False)
    assert tl.gradcheck(lambda x: magnitude.apply(x).exp(), leaf(3)).method == "central difference"


# how it looks at inputs, and what it leaves behind


def test_large_inputs_are_checked_along_directions(monkeypatch):
    x = leaf(FEW + 3)
    report = tl.gradcheck(lambda x: x.tanh(), x)
    assert report.findings[0].entries == f"{DIRECTIONS} random directions"
    monkeypatch.setattr(OPS["tanh"], "backward", lambda ctx, dy: np.roll(dy * (1 - ctx.saved[0] ** 2), 1))
    with pytest.raises(GradcheckError):
        tl.gradcheck(lambda x: x.tanh(), x)


def test_only_what_requires_a_gradient_is_checked():
    report = tl.gradcheck(lambda a, b: a * b, [leaf(3), tl.Tensor(np.ones(3))], names=["a", "b"])
    assert [f.argument for f in report.findings] == ["a"]


def test_arrays_are_taken_as_inputs():
    assert tl.gradcheck(lambda a, i: a.take(i), [np.random.default_rng(0).normal(size=(5, 3)), np.array([1, 4, 1])])


def test_closures_are_checked_where_their_tensors_live():
    w = leaf(5, 3)
    assert tl.gradcheck(lambda *_: (w @ np.ones(3)).tanh(), [w])


def test_everything_is_put_back(monkeypatch):
    x = leaf(3)
    x.grad = before = np.full(3, 7.0)
    values, array = x.data.copy(), x.data
    tl.gradcheck(lambda x: x.exp(), x)
    monkeypatch.setattr(OPS["exp"], "backward", lambda ctx, dy: -dy)
    with pytest.raises(GradcheckError):
        tl.gradcheck(lambda x: x.exp(), x)
    assert x.data is array and np.array_equal(x.data, values) and x.grad is before
    assert x.data.flags.writeable


def test_an_empty_result_has_a_zero_gradient():
    assert tl.gradcheck(lambda x: x * np.ones((0, 3)), leaf(3))


def test_the_report_without_raising(monkeypatch):
    monkeypatch.setattr(OPS["exp"], "backward", lambda ctx, dy: 3 * dy * ctx.saved[0])
    report = tl.gradcheck(lambda x: x.exp(), leaf(3, 5), names=["x"], raises=False)
    assert isinstance(report, Report) and not report
    text = str(report)
    for part in ("WRONG", "x (3, 5)", "got", "expected", "ratio 3", "every entry is 3 times", "that is 3"):
        assert part in text


def test_the_same_seed_gives_the_same_report():
    f = lambda x: x.tanh()  # noqa: E731
    one, two = (str(tl.gradcheck(f, leaf(3, 5), rng=np.random.default_rng(5))) for _ in range(2))
    assert one == two


# the diagnosis

base = np.random.default_rng(3).normal(size=(3, 5))
square = np.random.default_rng(4).normal(size=(5, 5))
DIAGNOSES = [
    (base, np.zeros_like(base), "nothing flows back"),
    (base, -base, "sign"),
    (square, square.T, "swapped"),
    (base, base / 15, r"1/15"),
    (base, base * 5**0.5, r"sqrt\(5\)"),
    (base, base * np.log(2), "ln 2"),
    (base, base - base.mean(-1, keepdims=True), "axis 1"),
    (base, base - base.mean(0, keepdims=True), "axis 0"),
    (np.zeros(3), np.ones(3), "should be zero"),
]


@pytest.mark.parametrize(("expected", "got", "words"), DIAGNOSES)
def test_diagnosis(expected, got, words):
    import re

    assert re.search(words, guess(got, expected, 1e-10))


def test_no_diagnosis_for_what_is_right_or_unknown():
    assert guess(np.random.default_rng(9).normal(size=(3, 5)), base, 1e-10) == ""


# the numeric derivatives themselves


def test_complex_step_is_exact_and_differences_are_not():
    f, at = lambda x: np.exp(x) / x**1.5, np.array(2.0)
    slope = np.exp(2.0) * (2.0**-1.5 - 1.5 * 2.0**-2.5)
    assert abs(complex_step(f, at, np.array(1.0)) - slope) < 1e-15
    errors = {h: abs(central_difference(f, at, np.array(1.0), h) - slope) for h in (1e-1, 1e-3, 1e-5, 1e-9, 1e-12)}
    assert errors[1e-1] > errors[1e-3] > errors[1e-5] < errors[1e-9] < errors[1e-12]


def test_numeric_gradients_agree():
    f = lambda x: (np.tanh(x) * np.arange(6).reshape(2, 3)).sum()  # noqa: E731
    x = np.random.default_rng(0).normal(size=(2, 3))
    want = np.arange(6).reshape(2, 3) / np.cosh(x) ** 2
    assert np.abs(complex_step_grad(f, x) - want).max() < 1e-14
    assert np.abs(numerical_grad(f, x) - want).max() < 1e-9


def test_a_numeric_gradient_moves_one_entry_at_a_time_and_leaves_its_input_alone():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    before = x.copy()
    assert np.allclose(numerical_grad(np.prod, x), np.prod(x) / x, atol=1e-8)
    assert np.array_equal(x, before)
    x.flags.writeable = False
    assert np.allclose(numerical_grad(np.prod, x), np.prod(x) / x, atol=1e-8)
    assert numerical_grad(lambda x: x**2, np.array(3)).shape == ()


def test_errors_are_the_house_s():
    assert issubclass(GradcheckError, TinyLLMError) and issubclass(GradcheckError, AssertionError)

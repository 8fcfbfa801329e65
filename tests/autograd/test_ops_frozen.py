"""Every op against arrays that another library made once: tests/frozen/make.py tells how, and why.

If a sample or an op is added, this file goes on testing the old ones; an op without reference arrays fails
``test_every_op_is_covered`` until make.py is run again (with PyTorch) and the new sha256 is written here.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.autograd import OPS

FILE = Path(__file__).parents[1] / "frozen" / "ops.npz"
SHA256 = "e9d51c8831923879a5c99753d57905bd9cbe5adae62d0e0fb652a3fc5bd494e1"
LEFT_OUT = {
    "dropout": "its mask comes from a counter of our own; test_ops_fused.py checks its share, mean and gradient"
}
RTOL = 1e-12  # of the largest entry

with np.load(FILE) as frozen:
    NUMBERS, CASES = frozen["numbers"], json.loads(frozen["index"].tobytes())


def unpack(value):
    """Read back what make.py packed."""
    if isinstance(value, list):
        return [unpack(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        size = int(np.prod(value["shape"]))
        line = NUMBERS[value["array"] : value["array"] + size]
        return line.reshape(value["shape"]).astype(value["dtype"])
    if "tuple" in value:
        return tuple(unpack(v) for v in value["tuple"])
    return slice(*value["slice"]) if "slice" in value else Ellipsis


def assert_close(got, want):
    assert got.shape == want.shape and got.dtype == want.dtype
    assert np.abs(got - want).max(initial=0.0) <= RTOL * max(1e-3, np.abs(want).max(initial=0.0))


def test_the_file_is_the_one_that_was_made():
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == SHA256
    assert FILE.stat().st_size < 300_000


def test_every_op_is_covered():
    covered = {case["op"] for case in CASES}
    assert covered | set(LEFT_OUT) == set(OPS) and not covered & set(LEFT_OUT)
    assert all(case["gradients"] for case in CASES)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("case", CASES, ids=[f"{case['op']}-{k}" for k, case in enumerate(CASES)])
def test_forward_and_gradients(case, backend):
    wanted = {int(i): unpack(gradient) for i, gradient in case["gradients"].items()}
    args = [unpack(a) for a in case["args"]]
    tensors = [tl.Tensor(a, requires_grad=True) if i in wanted else a for i, a in enumerate(args)]
    with tl.kernels.use(backend):
        y = OPS[case["op"]].apply(*tensors, **{key: unpack(value) for key, value in case["params"].items()})
        outputs = y if isinstance(y, tuple) else (y,)
        for k, (out, dy) in enumerate(zip(outputs, unpack(case["cotangents"]), strict=True)):
            out.backward(dy, retain_graph=k < len(outputs) - 1)
    for out, want in zip(outputs, unpack(case["results"]), strict=True):
        assert_close(out.data, want)
    for i, want in wanted.items():
        assert_close(tensors[i].grad, want)

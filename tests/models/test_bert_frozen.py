"""A tiny encoder that transformers made and saved once, and what it computed: tests/frozen/make_bert.py tells how."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.models.bert import Bert
from tinyllm.models.exchange.bert_names import from_theirs
from tinyllm.models.formats.safetensors import SafeTensors

FOLDER = Path(__file__).parents[1] / "frozen" / "bert"
SHA256 = {
    "config.json": "b5c737fcfb680043f787878b40bc1ca041483460bc06089cdc612201acf6e965",
    "expected.safetensors": "b574b37ba3eadbc35eb9b6faa548a0fd08ddb6bed8e9944a5399c07286c33ced",
    "model.safetensors": "4053b81ca783b0fb784d0ec04e1db36a302f685b5824c9eed3f60e33a3a4eb95",
}


@pytest.fixture(scope="module")
def expected():
    with SafeTensors(FOLDER / "expected.safetensors") as file:
        return {name: file.read(name) for name in file}


def test_the_files_are_the_ones_that_were_made():
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.iterdir()}
    assert found == SHA256


@pytest.mark.parametrize("backend", tl.kernels.BACKENDS)
@pytest.mark.parametrize(("dtype", "limit"), [(np.float32, 3e-6), (np.float64, 1e-12)])
def test_vectors_and_gradients(expected, backend, dtype, limit):
    model = Bert.from_folder(FOLDER).astype(dtype)
    batch = expected["ids"], expected["mask"], expected["types"]
    with tl.kernels.use(backend):
        x = model(*batch)
        assert np.abs(x.data - expected["x"]).max() < limit
        assert np.abs(model.pooled(*batch).data - expected["pooled"]).max() < limit
        assert np.abs(model.embed(*batch).data - expected["texts"]).max() < limit
        x.backward(expected["cotangent"].astype(dtype))
    given = {name.removeprefix("d "): array for name, array in expected.items() if name.startswith("d ")}
    wanted = from_theirs(model.config, given)
    assert len(wanted) == len(model.parameters()) - 2  # the pooler took no part
    for name, p in model.named_parameters():
        if name in wanted:
            assert np.linalg.norm(p.grad - wanted[name]) < 10 * limit * np.linalg.norm(wanted[name]), name

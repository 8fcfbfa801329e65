"""Tiny decoders that transformers made and saved once, and what it computed: tests/frozen/make_families.py tells how.

No other library is needed, so that every machine knows whether the families are still computed as their owners do.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.models.formats.safetensors import SafeTensors
from tinyllm.models.pretrained import described, load_model

FOLDER = Path(__file__).parents[1] / "frozen"
SHA256 = {
    "gpt2/config.json": "4b1eabeba90a183055e58392dd2c69288a05f49539a13be370060f2874f43b71",
    "gpt2/expected.safetensors": "7f6de80440c09ac2cc3de0f1059eb8a5d473a5bbe6d7dead95059b037bdf446d",
    "gpt2/generation_config.json": "8e7d81a4ad69b0bd3a2c35f56e8d2231218f9adae555f3b68ca17983e0f2b5ef",
    "gpt2/model.safetensors": "f63878894d6089908b944f84c99d34f7122f67286aa9a155c9c7ae0c8480e501",
    "llama/config.json": "de84283fe8a7e8ec41a7507d97f32e030fdffc6281a590d6d61ff281cbf29fc6",
    "llama/expected.safetensors": "d18c92acee6abca18241de6bddc6018d9176d038fe86ec4944c5d7a79d2a6c66",
    "llama/generation_config.json": "1113738beda64787778c7058b7689d0b4fc2e402c0c5b552916168a0e551a393",
    "llama/model.safetensors": "0f36d0f736383179290fa94c916487a8592401b776473acb62252dbde1ffbfd9",
    "mistral/config.json": "588fd808a887ed8476afc4617ec299e5984829834b1e36a630b6967b199b4626",
    "mistral/expected.safetensors": "563d0459ce1ab19abc4e7b68241299d19465c0110f5af47076d5e3eb8369e791",
    "mistral/generation_config.json": "1113738beda64787778c7058b7689d0b4fc2e402c0c5b552916168a0e551a393",
    "mistral/model.safetensors": "885a9372e75efc9ce403ed60fd897a0546995f6ce35a2ab2b73c3030017ba6e4",
    "qwen2/config.json": "74d898737ec1ea4a07afce9594463b7e7bd74372222d43f34658a931d6d84f79",
    "qwen2/expected.safetensors": "b6ee85cdd685fd2bd6edfaac2b823d12ecc8f26cca889fa92c0f7330778b7e5b",
    "qwen2/generation_config.json": "b79179b0495ad01e8c1c2748d28cc06a676cea5f0d08282a66984049346d4d27",
    "qwen2/model.safetensors": "21805900e11cc71b45677caa859e5a196b7c4bb6cc2dba13c0efcf4dfd7b10b8",
    "qwen3/config.json": "a77d5f6c4c34414bf6844d5eae161bb976809b071b5338cb10c20ae92c8dbfb6",
    "qwen3/expected.safetensors": "c1b0fd7909da88622afda5238fc48d48abb3793339b714a226867737b51f5174",
    "qwen3/generation_config.json": "b79179b0495ad01e8c1c2748d28cc06a676cea5f0d08282a66984049346d4d27",
    "qwen3/model.safetensors": "5d5e4db3e70874e80e18040844587e26f4c241f8f2b5f3d4cb86230e285ab06b",
}
FAMILIES = ("gpt2", "llama", "mistral", "qwen2", "qwen3")
# theirs makes the angles of RoPE in float32, also where all else is float64
LIMITS = [(np.float32, 1e-5), (np.float64, 2e-6)]


def expected(family):
    with SafeTensors(FOLDER / family / "expected.safetensors") as file:
        return {name: file.read(name) for name in file}


def close(found, wanted, limit):
    return np.linalg.norm(found - wanted) < limit * np.linalg.norm(wanted)


def test_the_files_are_the_ones_that_were_made():
    found = {
        f"{family}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for family in FAMILIES
        for path in (FOLDER / family).iterdir()
    }
    assert found == SHA256


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("dtype", "limit"), LIMITS)
def test_logits_and_gradients(family, dtype, limit):
    wanted = expected(family)
    model = load_model(FOLDER / family, dtype)
    with tl.kernels.use("numpy"):
        logits = model(wanted["ids"])
        assert logits.dtype == dtype and close(logits.data, wanted["logits"], limit)
        logits.backward(wanted["cotangent"].astype(dtype))
    for p in model.parameters():  # the gradients in the weights' place, so that they get the weights' names
        p.data = p.grad
    gradients = described(model)[1]
    assert {f"d {name}" for name in gradients} == {name for name in wanted if name.startswith("d ")}
    for name, gradient in gradients.items():
        assert close(gradient, wanted[f"d {name}"], 10 * limit), name


@pytest.mark.parametrize("family", FAMILIES)
def test_the_past_does_not_see_the_future(family):
    wanted = expected(family)
    model = load_model(FOLDER / family)
    with tl.kernels.use("numpy"), tl.no_grad():
        logits = model(wanted["ids"][:, :9]).data
    assert close(logits, wanted["logits"][:, :9], 1e-5)


# what must be far outside: were these faults inside of the limit, the tests above would say nothing


@pytest.mark.parametrize(
    ("family", "change"),
    [
        ("gpt2", {"activation_function": "gelu"}),
        ("gpt2", {"layer_norm_epsilon": 1e-2}),
        ("gpt2", {"n_head": 5}),
        ("llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 50.0}}),
        ("llama", {"rms_norm_eps": 1e-2}),
        ("mistral", {"sliding_window": 6}),
        ("mistral", {"sliding_window": None}),
        ("qwen2", {"sliding_window": 8}),
        ("qwen2", {"layer_types": ["sliding_attention", "sliding_attention"]}),
        ("qwen3", {"layer_types": ["full_attention", "full_attention"], "use_sliding_window": False}),
        ("qwen3", {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}),
    ],
)
def test_usual_faults_are_far_outside(tmp_path, family, change):
    wanted = expected(family)
    values = json.loads((FOLDER / family / "config.json").read_text()) | change
    (tmp_path / "config.json").write_text(json.dumps(values))
    (tmp_path / "model.safetensors").write_bytes((FOLDER / family / "model.safetensors").read_bytes())
    with tl.kernels.use("numpy"), tl.no_grad():
        logits = load_model(tmp_path)(wanted["ids"]).data
    # the two forms of GELU differ by three parts in ten thousand
    assert not close(logits, wanted["logits"], 1e-4 if "activation_function" in change else 1e-3)

"""llama2.c's .bin: a file laid out by hand, round trips, damaged headers, and the real stories260K."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import CheckpointError, ConfigError, DTypeError, ShapeError, TinyLLMError
from tinyllm.models.formats.llama2c import Llama2cConfig, read_llama2c, write_llama2c

SMALL = Llama2cConfig(dim=12, hidden_dim=7, n_layers=2, n_heads=6, n_kv_heads=3, vocab_size=11, max_seq_len=5)
UNTIED = Llama2cConfig(4, 3, 1, 2, 1, 5, 2, tied=False)


def filled(config):
    """Tensors in which no two values are equal."""
    rng = np.random.default_rng(5)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in config.shapes().items()}


def test_a_file_laid_out_by_hand(tmp_path):
    C, F, V, T, D, K = 4, 3, 5, 2, 2, 1
    sizes = [V * C, C, C * C, K * D * C, K * D * C, C * C, C, F * C, C * F, F * C, C, T * D // 2, T * D // 2, V * C]
    values = np.arange(sum(sizes), dtype="<f4")
    path = tmp_path / "toy.bin"
    path.write_bytes(struct.pack("<7i", C, F, 1, 2, K, -V, T) + values.tobytes())
    config, tensors = read_llama2c(path)
    assert config == UNTIED and config.head_size == D
    _, _, _, k, _, _, fn, _, w2, w3, norm, *_ = np.cumsum([0, *sizes])  # where each begins
    layer = "layers.0."
    assert np.array_equal(tensors["tok_embeddings.weight"], np.arange(V * C).reshape(V, C))
    assert tensors[layer + "attention.wk.weight"].tolist() == (k + np.arange(8)).reshape(2, 4).tolist()
    assert tensors[layer + "feed_forward.w2.weight"].tolist() == (w2 + np.arange(12)).reshape(4, 3).tolist()
    assert tensors[layer + "feed_forward.w3.weight"][0, 0] == w3
    assert tensors[layer + "ffn_norm.weight"][0] == fn
    assert tensors["norm.weight"][0] == norm
    assert tensors["output.weight"][-1, -1] == values[-1]
    assert not tensors["norm.weight"].flags.writeable


@pytest.mark.parametrize("config", [SMALL, UNTIED])
def test_round_trip(tmp_path, config):
    tensors = filled(config)
    write_llama2c(tmp_path / "a.bin", config, tensors)
    again, read = read_llama2c(tmp_path / "a.bin")
    assert again == config and list(read) == list(tensors)
    assert all(np.array_equal(read[name], tensors[name]) for name in tensors)
    assert (tmp_path / "a.bin").stat().st_size == config.nbytes()
    write_llama2c(tmp_path / "b.bin", again, read)
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()


def test_the_tables_are_those_of_rope(tmp_path):
    write_llama2c(tmp_path / "a.bin", SMALL, filled(SMALL))
    cos, sin = np.fromfile(tmp_path / "a.bin", "<f4")[-10:].reshape(2, 5)  # D = 2: one angle for each position
    assert np.allclose(cos, np.cos(np.arange(5))) and np.allclose(sin, np.sin(np.arange(5)))


@given(data=st.data())
def test_headers_that_do_not_fit_are_refused(data, tmp_path_factory):
    """Any seven numbers: the file is read if and only if they are sane and make its size."""
    body = bytes(SMALL.nbytes() - 28)
    numbers = [12, 7, 2, 6, 3, 11, 5]
    for i in data.draw(st.sets(st.integers(0, 6), min_size=1)):
        numbers[i] = data.draw(st.one_of(st.integers(-3, 13), st.integers(-(2**31), 2**31 - 1)))
    path = tmp_path_factory.mktemp("fuzz") / "a.bin"
    path.write_bytes(struct.pack("<7i", *numbers) + body)
    try:
        config, _ = read_llama2c(path)
    except CheckpointError:
        return
    assert config.nbytes() == SMALL.nbytes()


def test_damaged_and_foreign_files(tmp_path):
    path = tmp_path / "a.bin"
    write_llama2c(path, SMALL, filled(SMALL))
    whole = path.read_bytes()
    for content, message in (
        (whole[:-1], "its header makes it"),
        (whole + b"\0", "its header makes it"),
        (whole[:20], "too few"),
        (b"", "empty"),
        (b"24ka" + whole[4:], "later version"),
        (b"PK\3\4" + whole[4:], "torch.save"),
        (b"\x80\x02" + whole[2:], "torch.save"),
        (struct.pack("<7i", 13, 7, 2, 6, 3, 11, 5) + whole[28:], "no .bin of llama2.c"),
        (struct.pack("<7i", 2, 1, 2**31 - 1, 1, 1, 1, 1) + whole[28:], "n_layers"),
        (struct.pack("<7i", 12, 7, 2, 6, 3, -(2**31), 5) + whole[28:], "vocab_size"),
    ):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            read_llama2c(path)
    for absent in (tmp_path / "none.bin", tmp_path):
        with pytest.raises(CheckpointError, match="cannot read"):
            read_llama2c(absent)


def test_what_is_not_written(tmp_path):
    path, tensors = tmp_path / "a.bin", filled(SMALL)
    name = "layers.1.attention.wq.weight"
    for wrong, error in (
        ({k: v for k, v in tensors.items() if k != name}, ConfigError),
        (tensors | {"output.weight": tensors["tok_embeddings.weight"]}, ConfigError),
        (tensors | {name: tensors[name][:-1]}, ShapeError),
        (tensors | {name: np.ones((12, 12), int)}, DTypeError),
        (tensors | {name: np.full((12, 12), 1e300)}, ConfigError),
    ):
        with pytest.raises(error):
            write_llama2c(path, SMALL, wrong)
        assert not path.exists() and not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [{"dim": 13}, {"n_heads": 12}, {"n_kv_heads": 4}, {"vocab_size": 0}, {"dim": 2**31}])
def test_configs_that_do_not_fit(wrong):
    with pytest.raises(TinyLLMError):
        Llama2cConfig(**(vars(SMALL) | wrong))


def test_stories260k(data_file, tmp_path):
    path = data_file("models/stories260K/stories260K.bin")
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == "b0a507e7ad0f626624f17112325e66691f9076d622e1d3274d103d00299f2696"
    config, tensors = read_llama2c(path)
    assert config == Llama2cConfig(64, 172, 5, 8, 4, 512, 512, tied=True)
    assert len(tensors) == 47 and "output.weight" not in tensors
    assert tensors["layers.4.attention.wv.weight"].shape == (32, 64)
    values = np.concatenate([a.ravel() for a in tensors.values()])
    assert values.size == 260_032
    assert np.isfinite(values).all() and 0.01 < values.std() < 1
    write_llama2c(tmp_path / "again.bin", config, tensors)
    again = (tmp_path / "again.bin").read_bytes()
    tables = 2 * 512 * 4 * 4  # at the end; theirs were made in float32, so they differ in the last bits
    assert again[:-tables] == content[:-tables]
    ours, theirs = (np.frombuffer(file[-tables:], "<f4") for file in (again, content))
    assert np.abs(ours - theirs).max() < 1e-5

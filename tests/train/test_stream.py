from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import CheckpointError, DataError
from tinyllm.train import stream


def make(seed=0):
    return stream.Stream(np.arange(50), 3, 5, np.random.default_rng(seed))


def test_targets_are_the_tokens_that_follow():
    tokens = np.random.default_rng(0).integers(0, 97, 200).astype(np.uint16)
    x, y = stream.get_batch(tokens, 7, 11, np.random.default_rng(1))
    assert x.shape == y.shape == (7, 11) and x.dtype == y.dtype == np.int64
    assert (x[:, 1:] == y[:, :-1]).all()
    for row, targets in zip(x, y, strict=True):
        starts = [i for i in range(189) if (tokens[i : i + 11] == row).all()]
        assert any((tokens[i + 1 : i + 12] == targets).all() for i in starts)


def test_every_place_is_drawn_the_first_and_the_last_too():
    x, y = stream.get_batch(np.arange(8), 2000, 5, np.random.default_rng(0))
    assert set(x[:, 0]) == {0, 1, 2} and set(y[:, -1]) == {5, 6, 7}


def test_two_batches_differ_and_the_same_generator_repeats_them():
    one, two = make(), make()
    batches = [one.next()[0] for _ in range(3)]
    assert not (batches[0] == batches[1]).all()
    assert all((a == two.next()[0]).all() for a in batches)
    assert not (make(seed=1).next()[0] == batches[0]).all()


@pytest.mark.parametrize("stopped_at", [0, 1, 7])
def test_a_resumed_stream_goes_on_with_the_batches_that_would_have_come(stopped_at):
    straight = make()
    expected = [straight.next() for _ in range(12)]
    first = make()
    for _ in range(stopped_at):
        first.next()
    saved = json.loads(json.dumps(first.state()))
    second = make(seed=99)
    second.load_state(saved)
    assert second.cursor == stopped_at
    for x, y in expected[stopped_at:]:
        again = second.next()
        assert (again[0] == x).all() and (again[1] == y).all()


def test_a_state_is_a_snapshot():
    one = make()
    saved = one.state()
    expected = one.next()[0]
    one.next()
    one.load_state(saved)
    assert (one.next()[0] == expected).all()


@pytest.mark.parametrize(
    "change", [{"tokens": 51}, {"rng": {"bit_generator": "MT19937"}}, {"rng": 3}, {"cursor": None}]
)
def test_a_state_of_something_else_is_refused(change):
    with pytest.raises(CheckpointError):
        make().load_state({**make().state(), **change})
    with pytest.raises(CheckpointError):
        make().load_state({})


def test_tokens_go_to_disk_and_back_without_being_read_whole(tmp_path):
    for dtype in (np.uint16, np.uint32):
        tokens = np.random.default_rng(0).integers(0, 60000, 1013).astype(dtype)
        stream.write_tokens(tmp_path / "tokens.npy", tokens)
        mapped = stream.open_tokens(tmp_path / "tokens.npy")
        assert isinstance(mapped, np.memmap) and mapped.dtype == dtype and (mapped == tokens).all()
        assert not mapped.flags.writeable


def test_a_damaged_token_file_is_refused(tmp_path):
    path = tmp_path / "tokens.npy"
    stream.write_tokens(path, np.arange(1000, dtype=np.uint16))
    whole = path.read_bytes()
    for content in (whole[:-1], whole[:100], whole[:5], b"", b"some text that is not an array", b"\x93NUMPY\x01\x00"):
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            stream.open_tokens(path)
        assert "tokens.npy" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("array", [np.zeros(5), np.zeros((2, 2), np.uint16), np.array([{}], dtype=object)])
def test_another_array_is_refused(tmp_path, array):
    np.save(tmp_path / "tokens.npy", array, allow_pickle=True)
    with pytest.raises(DataError):
        stream.open_tokens(tmp_path / "tokens.npy")


def test_a_missing_token_file_is_named(tmp_path):
    with pytest.raises(DataError, match="missing"):
        stream.open_tokens(tmp_path / "tokens.npy")


def test_the_last_tenth_is_held_out():
    train, held_out = stream.split(np.arange(1000), 0.1, 8)
    assert train.tolist() == list(range(900)) and held_out.tolist() == list(range(900, 1000))


@given(st.integers(0, 60), st.floats(0.01, 0.99), st.integers(1, 12))
def test_both_parts_hold_a_block_or_the_text_is_refused(count, validation, block_size):
    tokens = np.arange(count)
    if count < 2 * (block_size + 1):
        with pytest.raises(DataError, match=f"{count} tokens"):
            stream.split(tokens, validation, block_size)
        return
    train, held_out = stream.split(tokens, validation, block_size)
    assert np.concatenate([train, held_out]).tolist() == tokens.tolist()
    assert len(train) > block_size and len(held_out) > block_size
    stream.get_batch(train, 2, block_size, np.random.default_rng(0))


def test_a_cut_that_is_settled_is_kept():
    train, held_out = stream.split(np.arange(100), 0.1, 8, cut=37)
    assert (train[-1], held_out[0]) == (36, 37)
    stream.split(np.arange(100), 0.1, 8, cut=9)
    stream.split(np.arange(100), 0.1, 8, cut=91)
    for cut, says in ((8, "to learn from has 8"), (92, "to validate on has 8"), (0, "has 0"), (100, "has 0")):
        with pytest.raises(DataError, match=says) as caught:
            stream.split(np.arange(100), 0.1, 8, cut)
        assert "\n" not in str(caught.value)


@given(st.integers(1, 99), st.floats(0.01, 0.99), st.integers(1, 60))
def test_the_place_of_the_cut_is_inside(count, validation, block_size):
    cut = stream.place_of_cut(count, validation, block_size)
    assert 0 <= cut <= count
    if count >= 2 * (block_size + 1):
        assert cut == len(stream.split(np.arange(count), validation, block_size)[0])


def test_the_hint_of_a_short_text_works():
    with pytest.raises(DataError, match=r"block_size=9") as caught:
        stream.split(np.arange(20), 0.1, 64)
    assert "\n" not in str(caught.value)
    stream.split(np.arange(20), 0.1, 9)


def test_a_text_of_one_symbol_is_refused():
    with pytest.raises(DataError, match="one symbol"):
        stream.split(np.full(100, 7, np.uint16), 0.1, 8)


@given(st.integers(12, 300), st.integers(1, 7), st.integers(1, 11), st.integers(1, 9))
def test_evaluation_blocks_are_apart_and_inside(count, batch_size, block_size, batches):
    chosen = stream.evenly(np.arange(count), batch_size, block_size, batches)
    starts = np.concatenate(chosen)
    assert (np.diff(starts) >= block_size).all() and starts[0] == 0 and starts[-1] + block_size < count
    assert len(starts) == min(batches * batch_size, (count - 1) // block_size)
    assert all(len(batch) == batch_size for batch in chosen[:-1])


def test_enough_batches_evaluate_on_everything():
    starts = np.concatenate(stream.evenly(np.arange(71), 3, 7, 1000))
    x, y = stream.blocks_at(np.arange(71), starts, 7)
    assert x.ravel().tolist() == list(range(70)) and y.ravel().tolist() == list(range(1, 71))

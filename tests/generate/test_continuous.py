"""Texts written side by side are what each of them is alone, whoever comes and goes; places are never left empty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm import kernels
from tinyllm.errors import ConfigError, DataError, NaNError, RangeError
from tinyllm.generate import Batch, Decoder, Sampling
from tinyllm.generate.weights import Layer
from tinyllm.models import GPT, GPTConfig, Llama, LlamaConfig

V, S = 23, 16
CONFIGS = {
    "gpt2": GPTConfig.preset("gpt2", vocab_size=V, block_size=S, n_layer=2, n_head=2, n_embd=16),
    "mistral": LlamaConfig(
        "mistral", V, S, n_layer=2, n_head=4, n_kv_head=2, n_embd=12, head_size=6, n_hidden=20, windows=(3, None)
    ),
}


def made(name="gpt2"):
    config = CONFIGS[name]
    model = (GPT if name == "gpt2" else Llama)(config, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    for p in model.parameters():
        p.data = p.data + rng.normal(0, 0.3, p.shape).astype(np.float32)
    return model


def likeliest(logits, ids):
    return int(logits.argmax())


def drawing(seed):
    """What draws the tokens of one text, by its own generator."""
    setting, rng = Sampling(temperature=1.2, top_k=12), np.random.default_rng(seed)
    return lambda logits, ids: setting.choose(logits, ids, rng)


def alone(decoder, ids, choose, max_tokens, ends=frozenset()):
    """One text by itself, read by prefill and step, from its beginning again when it has outgrown its places."""
    decoder.reset()
    ids, new, places = list(ids), [], decoder.cache.keys.shape[3]
    while len(new) < max_tokens and not (new and new[-1] in ends):
        if new and len(ids) <= places:
            logits = decoder.step(np.array(ids[-1:]))[0]
        else:
            decoder.reset()
            logits = decoder.prefill(np.array([ids[-places:]]))[0]
        new.append(choose(logits, ids))
        ids.append(new[-1])
    return new


TEXTS = st.tuples(
    st.lists(st.integers(0, V - 1), min_size=1, max_size=S + 3),
    st.integers(0, 12),
    st.sets(st.integers(0, V - 1), max_size=3),
    st.integers(0, 4),  # at which step it joins
)


@pytest.mark.parametrize("name", CONFIGS)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6), places=st.integers(1, 4), cancelled=st.integers(0, 9))
@settings(max_examples=40)
def test_every_text_is_what_it_is_alone(name, texts, places, cancelled):
    model = made(name)
    with kernels.use("numpy"):
        single = Decoder(model)
        expected = [alone(single, ids, drawing(n), most, ends) for n, (ids, most, ends, _) in enumerate(texts)]
        batch, found, tickets = Batch(Decoder(model, batch=places)), {}, {}
        for turn in range(200):
            for n, (ids, most, ends, joins) in enumerate(texts):
                if joins == turn:
                    tickets[batch.add(ids, drawing(n), most, ends)] = n
            if turn == 3:
                batch.cancel(cancelled)
            said = batch.step()
            assert len({ticket for ticket, _ in said}) == len(said) <= places
            for ticket, token in said:
                found.setdefault(tickets[ticket], []).append(token)
            if turn > 4 and not len(batch):
                break
    assert not len(batch) and not batch.decoder.cache.lengths.any()
    for ticket, n in tickets.items():
        whole, got = expected[n], found.get(n, [])
        assert got == (whole[: len(got)] if ticket == cancelled else whole)


@pytest.mark.parametrize("name", CONFIGS)
def test_with_compiled_kernels_too(name):
    model, rng = made(name), np.random.default_rng(3)
    texts = [(rng.integers(0, V, rng.integers(1, 12)).tolist(), int(rng.integers(1, 14))) for _ in range(9)]
    with kernels.use("numba"):
        batch = Batch(Decoder(model, batch=4))
        tickets = [batch.add(ids, likeliest, most) for ids, most in texts]
        found = batch.run()
        single = Decoder(model)
        for ticket, (ids, most) in zip(tickets, texts, strict=True):
            assert found[ticket] == alone(single, ids, likeliest, most)


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_logits_do_not_depend_on_who_else_is_there(backend):
    """But for the last bits of float32: a product of more rows may add up in another order."""
    model, seen = made("mistral"), {}

    def noting(who):
        def choose(logits, ids):
            seen.setdefault((who, len(ids)), []).append(logits.copy())
            return len(ids) % V

        return choose

    with kernels.use(backend):
        for others in (0, 1, 4):
            batch = Batch(Decoder(model, batch=5))
            for n in range(others):
                batch.add([n, 2, 3][: n % 3 + 1], likeliest, 4 + n)
            batch.add([5, 6, 7], noting("text"), 9)
            batch.run()
    assert len(seen) == 9
    for first, *rest in seen.values():
        for logits in rest:
            np.testing.assert_allclose(logits, first, rtol=0, atol=1e-6 * np.abs(first).max())


def test_no_place_is_empty_while_texts_wait():
    batch = Batch(Decoder(made(), batch=2))
    tickets = [batch.add([1], likeliest, n) for n in (1, 4, 2, 0, 1, 3)]
    assert [ticket in batch for ticket in tickets] == [True] * 6 and len(batch) == 6
    turns = [sorted(ticket for ticket, _ in batch.step()) for _ in range(7)]
    assert turns == [[0, 1], [1, 2], [1, 2], [1, 4], [5], [5], [5]]
    assert not len(batch) and tickets[0] not in batch
    assert batch.step() == [] and batch.run() == {}
    assert batch.add([1], likeliest, 1) == 6  # a ticket is never used twice


def test_run_tells_of_what_was_said_before_as_well():
    model = made()
    batch = Batch(Decoder(model, batch=2))
    first, none = batch.add([1, 2], likeliest, 5), batch.add([3], likeliest, 0)
    begun = [token for _ in range(2) for _, token in batch.step()]
    second = batch.add([3, 4], likeliest, 3)
    found = batch.run()
    assert found.keys() == {first, second}  # the other was over before
    assert found[first][:2] == begun and found[first] == alone(Decoder(model), [1, 2], likeliest, 5)
    assert none not in batch


def failing(logits, ids):
    if len(ids) == 4:
        raise NaNError("no token is possible")
    return likeliest(logits, ids)


def test_a_text_that_cannot_go_on_ends_alone():
    """Who was to choose after it in that step does so in the next, from the logits that were there."""
    model = made()
    batch = Batch(Decoder(model, batch=3))
    tickets = [batch.add([n + 1, 2], choose, 6) for n, choose in enumerate((drawing(0), failing, drawing(2)))]
    said = []
    with pytest.raises(NaNError):
        for _ in range(9):
            said.append(batch.step())
    assert tickets[1] not in batch and len(batch) == 2
    while len(batch):
        said.append(batch.step())
    for turn in said:
        assert len({ticket for ticket, _ in turn}) == len(turn)
    for n in (0, 2):
        found = [token for turn in said for ticket, token in turn if ticket == tickets[n]]
        assert found == alone(Decoder(model), [n + 1, 2], drawing(n), 6)
    assert len([ticket for turn in said for ticket, _ in turn if ticket == tickets[1]]) == 2


def test_who_was_to_choose_next_can_be_sent_away():
    batch = Batch(Decoder(made(), batch=2))
    first, second = (batch.add([1, 2], choose, 6) for choose in (failing, likeliest))
    with pytest.raises(NaNError):
        while True:
            batch.step()
    batch.cancel(second)
    assert batch.step() == [] and not len(batch) and first not in batch


@pytest.mark.parametrize("at", [2, 9, 21])
def test_an_interrupt_while_texts_are_read_changes_none_of_them(at, monkeypatch):
    model, texts = made("mistral"), [[1], [2, 3], [4], [5, 6, 7]]
    batch, layers = Batch(Decoder(model, batch=3)), []
    inside = Layer.attend

    def attend(layer, *arguments):
        layers.append(layer)
        if len(layers) == at:  # between two layers of some text's tokens
            raise KeyboardInterrupt
        return inside(layer, *arguments)

    monkeypatch.setattr(Layer, "attend", attend)
    tickets = [batch.add(ids, drawing(n), 6) for n, ids in enumerate(texts)]
    said, interrupts = [], 0
    while len(batch):
        try:
            said += batch.step()
        except KeyboardInterrupt:
            interrupts += 1
    assert interrupts == 1
    for n, ids in enumerate(texts):
        found = [token for ticket, token in said if ticket == tickets[n]]
        assert found == alone(Decoder(model), ids, drawing(n), 6)


def test_who_waits_can_be_sent_away():
    batch = Batch(Decoder(made(), batch=1))
    tickets = [batch.add([1], likeliest, 2) for _ in range(3)]
    batch.step()
    batch.cancel(tickets[1])
    batch.cancel(tickets[1])
    assert [[ticket for ticket, _ in batch.step()] for _ in range(3)] == [[0], [2], [2]]


def test_what_is_asked_for_in_vain():
    batch = Batch(Decoder(made()))
    with pytest.raises(ConfigError, match="max_tokens is -1"):
        batch.add([1], likeliest, -1)
    with pytest.raises(DataError, match="no text to continue"):
        batch.add([], likeliest, 1)
    for token in (-1, V):
        with pytest.raises(RangeError, match=f"no token {token}.*0 to 22"):
            batch.add([1, token], likeliest, 1)
        ticket = batch.add([1], lambda logits, ids, token=token: token, 3)
        with pytest.raises(RangeError, match=f"no token {token}"):
            batch.step()
        assert ticket not in batch
    assert batch.run() == {}

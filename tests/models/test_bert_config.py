"""BertConfig: what config.json may hold, and what it may not."""

from __future__ import annotations

import json

import pytest

from tinyllm.errors import ConfigError
from tinyllm.models.bert_config import BertConfig

MINILM = {
    "_name_or_path": "nreimers/MiniLM-L6-H384-uncased",
    "architectures": ["BertModel"],
    "attention_probs_dropout_prob": 0.1,
    "gradient_checkpointing": False,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.2,
    "hidden_size": 384,
    "intermediate_size": 1536,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 6,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
    "type_vocab_size": 2,
    "vocab_size": 30522,
}


def test_a_published_config():
    config = BertConfig.from_json(MINILM)
    assert config == BertConfig(n_layer=6, n_embd=384, n_hidden=1536, dropout=0.2, attention_dropout=0.1)
    assert config.head_size == 32
    assert config.to_json() == MINILM  # what means nothing here is kept


def test_what_is_absent_is_bert_base():
    assert BertConfig.from_json({}) == BertConfig()
    assert BertConfig().to_json()["architectures"] == ["BertModel"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("gelu", "gelu"),
        ("gelu_new", "gelu_tanh"),
        ("gelu_pytorch_tanh", "gelu_tanh"),
        ("relu", "relu"),
        ("swish", "silu"),
    ],
)
def test_activations_by_any_name(theirs, ours):
    config = BertConfig.from_json({"hidden_act": theirs})
    assert config.activation == ours and BertConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model_type": "roberta"}, "model_type is 'roberta', and only 'bert'"),
        ({"position_embedding_type": "relative_key_query"}, "only 'absolute'"),
        ({"is_decoder": True}, "is_decoder is True"),
        ({"add_cross_attention": True}, "add_cross_attention"),
        ({"quantization_config": {"bits": 8}}, "quantization_config"),
        ({"hidden_act": "gelu_newish"}, "hidden_act is 'gelu_newish'.*gelu_new"),
        ({"hidden_act": ["gelu"]}, "hidden_act"),
        ({"hidden_size": 383}, "n_head=12 does not divide n_embd=383. Try: n_embd=384"),
        ({"hidden_size": "384"}, "n_embd is '384'"),
        ({"num_hidden_layers": 0}, "n_layer is 0"),
        ({"vocab_size": True}, "vocab_size is True"),
        ({"layer_norm_eps": 0}, "norm_eps is 0"),
        ({"layer_norm_eps": None}, "norm_eps is None"),
        ({"hidden_dropout_prob": 1.0}, "dropout is 1.0"),
        ({"attention_probs_dropout_prob": float("nan")}, "attention_dropout is nan"),
    ],
)
def test_what_is_refused(changed, message):
    with pytest.raises(ConfigError, match=message):
        BertConfig.from_json({**MINILM, **changed})


def test_our_own_field_is_checked_as_well():
    with pytest.raises(ConfigError, match=r"activation is 'gelu_new'\. Try: gelu"):
        BertConfig(activation="gelu_new")


def test_files(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(MINILM))
    assert BertConfig.from_file(path) == BertConfig.from_json(MINILM)
    for text in (b"{", b"\xff", b"[" * 100_000):
        path.write_bytes(text)
        with pytest.raises(ConfigError, match=r"config\.json is no JSON"):
            BertConfig.from_file(path)
    path.write_text("[]")
    with pytest.raises(ConfigError, match="holds no JSON object"):
        BertConfig.from_file(path)
    with pytest.raises(ConfigError, match=r"cannot read the config .*: no such file"):
        BertConfig.from_file(tmp_path / "none.json")

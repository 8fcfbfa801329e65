"""What every config.json has in common."""

from __future__ import annotations

import pytest

from tinyllm.errors import ConfigError
from tinyllm.models.exchange.config_json import (
    dtype_of,
    read_object,
    refuse_huge,
    refuse_other_classes,
    refuse_what_changes_the_math,
)


def test_a_key_that_changes_the_math_is_refused_unless_it_is_read_or_not_in_use():
    refuse_what_changes_the_math(
        {"rope_theta": 5, "residual_multiplier": 1, "use_bias": False, "name": "x"}, {"rope_theta"}
    )
    with pytest.raises(ConfigError, match=r"residual_multiplier=0\.2 changes the model"):
        refuse_what_changes_the_math({"residual_multiplier": 0.2}, {"rope_theta"})
    with pytest.raises(ConfigError, match="sees the future"):
        refuse_what_changes_the_math({"is_causal": False}, ())


@pytest.mark.parametrize("key", ["n_layer", "num_hidden_layers", "vocab_size", "max_position_embeddings"])
def test_sizes_that_no_model_has(key):
    refuse_huge({key: 4096, "other": 10**40})
    for size in (10**30, float("inf")):
        with pytest.raises(ConfigError, match=rf"config\.json: {key} is "):
            refuse_huge({key: size})


def test_classes_of_transformers():
    refuse_other_classes({"architectures": None}, ("A", "B"), "toy")
    refuse_other_classes({"architectures": ["B"]}, ("A", "B"), "toy")
    with pytest.raises(ConfigError, match=r"architecture of this toy is C\. Try: only A and B are known"):
        refuse_other_classes({"architectures": ["A", "C"]}, ("A", "B"), "toy")
    for names in (3, "A", True, {"A": 1}):
        with pytest.raises(ConfigError, match=r"architectures is .* Try: a list of names"):
            refuse_other_classes({"architectures": names}, ("A", "B"), "toy")


def test_the_type_in_either_spelling():
    assert dtype_of({"dtype": "float16", "torch_dtype": "bfloat16"}) == "float16"
    assert dtype_of({"dtype": None, "torch_dtype": "torch.float64"}) == "float64"


@pytest.mark.parametrize(
    ("text", "match"),
    [("[]", "holds no JSON object"), ("{", "is no JSON"), ("[" * 100_000, "is no JSON"), (None, "no such")],
)
def test_what_is_no_object(text, match, tmp_path):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=match):
        read_object(tmp_path / "config.json")
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert read_object(tmp_path / "config.json") == {"a": 1}

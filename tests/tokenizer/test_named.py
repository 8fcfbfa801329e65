from __future__ import annotations

import pickle

import pytest

from tinyllm import assets
from tinyllm.errors import ConfigError, DataError
from tinyllm.tokenizer import encoding_for_model, encoding_name_for_model, get_encoding, list_encoding_names
from tinyllm.tokenizer.named import _ENCODINGS

FILES = {name: file for name, (file, *_) in _ENCODINGS.items()}


@pytest.fixture
def named(data_file):
    """What loads an encoding of the shared data by name, or skips the test."""
    return lambda name: (data_file(f"encodings/{FILES[name]}.tiktoken"), get_encoding(name))[1]


def test_the_seven_names():
    assert list_encoding_names() == [
        "gpt2", "r50k_base", "p50k_base", "p50k_edit", "cl100k_base", "o200k_base", "o200k_harmony",
    ]  # fmt: skip
    assert all(f"{file}" in assets.ASSETS for file in FILES.values())


def test_a_misspelled_name_gets_the_nearest():
    with pytest.raises(ConfigError, match="Try: cl100k_base"):
        get_encoding("cl100kbase")


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt2", "gpt2"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-0613", "cl100k_base"),
        ("gpt-4o", "o200k_base"),
        ("gpt-4o-2024-05-13", "o200k_base"),
        ("gpt-4.1-mini", "o200k_base"),
        ("gpt-5-nano", "o200k_base"),
        ("gpt-oss-120b", "o200k_harmony"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("o1", "o200k_base"),
        ("o3-mini", "o200k_base"),
        ("ft:gpt-4o:me::1", "o200k_base"),
        ("ft:gpt-4:me::1", "cl100k_base"),
        ("text-davinci-003", "p50k_base"),
        ("text-davinci-edit-001", "p50k_edit"),
        ("davinci", "r50k_base"),
    ],
)
def test_models(model, name):
    assert encoding_name_for_model(model) == name


@pytest.mark.parametrize("model", ["gpt-4x", "davinci-9", "o9", "llama"])
def test_an_unknown_model_is_refused(model):
    with pytest.raises(ConfigError, match="no encoding is known"):
        encoding_for_model(model)


@pytest.mark.parametrize(
    ("name", "n_vocab", "tokens", "specials"),
    [
        ("gpt2", 50257, 50256, 1),
        ("p50k_base", 50281, 50280, 1),
        ("p50k_edit", 50284, 50280, 4),
        ("cl100k_base", 100277, 100256, 5),
        ("o200k_base", 200019, 199998, 2),
        ("o200k_harmony", 201088, 199998, 1091),
    ],
)
def test_sizes(named, name, n_vocab, tokens, specials):
    encoding = named(name)
    assert (encoding.name, encoding.n_vocab) == (name, n_vocab)
    assert (len(encoding.ranks), len(encoding.specials.ids)) == (tokens, specials)
    assert get_encoding(name) is encoding


@pytest.mark.parametrize(
    ("name", "text", "ids"),
    [
        ("gpt2", "hello world", [31373, 995]),
        ("gpt2", "0" * 17, [8269, 10535, 830]),
        ("gpt2", " \x850", [220, 126, 227, 15]),
        ("gpt2", " strawberry", [41236]),
        ("cl100k_base", "'rer", [2351, 81]),
        ("cl100k_base", "today\n ", [31213, 198, 220]),
        ("cl100k_base", "today\n \n", [31213, 27907]),
        ("cl100k_base", "a  <|endoftext|>\n\nb", [64, 256, 100257, 271, 65]),
    ],
)
def test_known_ids(named, name, text, ids):
    encoding = named(name)
    assert encoding.encode(text, allowed_special="all") == ids and encoding.decode(ids) == text


def test_bytes_of_half_a_character(named):
    assert named("cl100k_base").encode_bytes(b" \xec\x8b\xa4\xed") == [62085]


def test_counts_are_not_monotonic(named):
    gpt2 = named("gpt2")
    assert (gpt2.count(" strawberr"), gpt2.count(" strawberry")) == (3, 1)
    assert gpt2.truncate(" strawberry", 2) == " strawberry" and gpt2.truncate(" strawberr", 2) == " strawber"


def test_a_reserved_id_of_harmony_has_two_names(named):
    harmony = named("o200k_harmony")
    assert harmony.encode("<|reserved_200018|>", allowed_special="all") == [200018]
    assert harmony.decode([200018, 200006]) == "<|endofprompt|><|start|>"


def test_holes_stand_for_nothing(named):
    cl100k = named("cl100k_base")
    holes = [i for i in range(cl100k.n_vocab) if cl100k._tokens[i] is None]
    assert holes == [100256, *range(100261, 100276)]
    for i in (100256, 100270):
        with pytest.raises(KeyError, match=str(i)):
            cl100k.decode([i])


def test_equal_but_for_the_name(named):
    gpt2, r50k = named("gpt2"), named("r50k_base")
    assert gpt2.ranks == r50k.ranks and gpt2 != r50k
    assert pickle.loads(pickle.dumps(gpt2)) == gpt2


def test_a_path_of_ones_own(data_file):
    path = data_file("encodings/r50k_base.tiktoken")
    assert get_encoding("gpt2", path).encode("hello world") == [31373, 995]


def test_an_altered_file_is_refused(data_file, tmp_path):
    altered = tmp_path / "r50k_base.tiktoken"
    altered.write_bytes(data_file("encodings/r50k_base.tiktoken").read_bytes() + b"\n")
    with pytest.raises(DataError):
        get_encoding("gpt2", altered)
    with pytest.raises(DataError):
        get_encoding("gpt2", tmp_path / "there is none")

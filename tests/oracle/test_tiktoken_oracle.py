"""Our ids beside tiktoken's: every code point, a storm of random strings, real texts; not one id may differ."""

from __future__ import annotations

import copy
import random
import sys
import sysconfig
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.tokenizer import get_encoding, list_encoding_names

tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is not installed: pip install -e '.[oracle]'")
pytestmark = pytest.mark.oracle

NAMES = list_encoding_names()
SCANS = ["gpt2", "p50k_base", "cl100k_base", "o200k_base"]  # every vocabulary and every pattern once
FILES = {"gpt2": "r50k_base", "p50k_edit": "p50k_base", "o200k_harmony": "o200k_base"}
FUZZ = 200_000
CONTEXTS = ["x {}", "x{}y", "{}'s\n"]
SCALARS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]

POOLS = [
    " \t\n\r\v\f\x1c\x1f\x85\xa0\u1680\u2003\u2028\u202f\u3000",
    "'\u2019\"`''",
    "sdmtlvreSDMTLVRE\u017f",
    "0123456789\u00bd\u00b2\u2167\u0663",
    "\r\n//",
    "abcXYZhello",
    "\u00e9\u00df\u00c0\u00d1\u01c5\u02b0\u4e2d\u6587\u3042\ud55c\u0928\u0915",
    "\u0301\u0903\u0e31\u05b4\u093f\u20dd",
    "!?.,;:-_()[]{}<>|@#$%^&*+=~\\",
    "\U0001f600\u200d\ufe0f\ufffd\ufeff\u180e\u200b\x00\u0378\U0010ffff",
]
PHRASES = ["<|endoftext|>", "<|fim_prefix|>", "<|end", "\r\n", "  ", "'re", "don't", "HELLOworld", "1234", "\n \n"]

# one sentence in each of twelve languages, written for this test
LANGUAGES = {
    "English": "Nobody knows how many tokens a sentence costs until it has been counted, and then it is 20% more.",
    "German": "Die Donaudampfschifffahrtsgesellschaft zählte 1.234 Fahrgäste; übermäßig viele waren's nicht.",
    "French": "L'été dernier, j'ai appris qu'un «\u202fjeton\u202f» n'est pas toujours un mot\u202f!",
    "Spanish": "¿Cuántos pedazos tiene esta frase? Más de los que el niño imaginó.",
    "Turkish": "İstanbul'da ılık bir öğle sonrası çocuklar şarkı söylüyordu.",
    "Polish": "Zażółć gęślą jaźń, powiedział źdźbło trawy do żółwia.",
    "Russian": "Съешь же ещё этих мягких французских булок да выпей чаю, товарищ №7.",
    "Greek": "Ο σοφός μετράει πρώτα τις λέξεις του και ύστερα τα λεφτά του.",
    "Arabic": "كَتَبَ الطَّالِبُ ٣٤ سَطْرًا ثُمَّ نَامَ.",
    "Hebrew": "הַיֶּלֶד סָפַר עַד 1,000 וְהָלַךְ לִישֹׁן.",
    "Hindi": "किताब में कितने अक्षर हैं, यह गिनना आसान नहीं है।",
    "Chinese": "昨天我数了1234个字,今天只剩下一半。",
    "Japanese": "トークンを数えるのは、ラーメンの麺を数えるようなものだ。",
    "Korean": "나는 어제 사과 12개를 사서 친구에게 나누어 주었다.",
    "Thai": "ฉันนับคำในประโยคนี้ไม่ถูก เพราะไม่มีช่องว่าง",
    "Emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 and \U0001f1e9\U0001f1ea \u2708\ufe0f\U0001f44d\U0001f3fd!",
}


@pytest.fixture(scope="module")
def peers(data_file):
    """Pairs of (ours on its kernels, tiktoken's), made when first asked for."""
    made = {}

    def pair(name):
        if name not in made:
            data_file(f"encodings/{FILES.get(name, name)}.tiktoken")
            ours = get_encoding(name)
            ours.load_kernels()
            made[name] = ours, theirs(name, data_file)
        return made[name]

    return pair


def theirs(name, data_file):
    """tiktoken's encoding, from its own declaration and the vocabulary of the shared data."""
    from tiktoken_ext import openai_public

    def ranks(url, expected_hash=None):
        lines = data_file("encodings/" + url.rsplit("/", 1)[1]).read_bytes().splitlines()
        return {b64decode(token): int(rank) for token, rank in (line.split() for line in lines)}

    def gpt2_ranks(**_):
        return ranks("/r50k_base.tiktoken")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openai_public, "load_tiktoken_bpe", ranks)
        patch.setattr(openai_public, "data_gym_to_mergeable_bpe_ranks", gpt2_ranks)
        return tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[name]())


def fuzz(count: int, seed: int, longest: int = 24) -> list[str]:
    """Random strings that love what split patterns stumble over."""
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        pools = rng.sample(POOLS, rng.randint(1, 4))
        parts = [
            rng.choice(PHRASES) if rng.random() < 0.08 else rng.choice(rng.choice(pools))
            for _ in range(rng.randint(1, longest))
        ]
        texts.append("".join(parts))
    return texts


def assert_same(texts: list[str], ours, other) -> None:
    """The same ids for every text, and every text back from them."""
    expected = other.encode_ordinary_batch(texts, num_threads=1)
    for text, ids in zip(texts, expected, strict=True):
        mine = ours.encode_ordinary(text)
        if mine != ids:
            pytest.fail(f"{ours.name}: {text!r} gives {mine}, tiktoken {ids}")
        if ours.decode(mine) != text:
            pytest.fail(f"{ours.name}: {text!r} comes back as {ours.decode(mine)!r}")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SCANS if name != "p50k_base"])  # which cuts as gpt2 does
def test_every_code_point_alone(peers, name):
    assert len(SCALARS) == 1_112_064
    ours, other = peers(name)
    expected = other.encode_ordinary_batch(SCALARS, num_threads=1)
    assert [ours.encode_ordinary(char) for char in SCALARS] == expected
    assert "".join([ours.decode(ids) for ids in expected]) == "".join(SCALARS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "context"),
    [(name, context) for name in ("gpt2", "cl100k_base", "o200k_base") for context in CONTEXTS]
    + [(name, CONTEXTS[0]) for name in NAMES if name not in ("gpt2", "cl100k_base", "o200k_base")],
)
def test_every_code_point_in_context(peers, name, context):
    ours, other = peers(name)
    for start in range(0, len(SCALARS), 1 << 16):
        text = " ".join([context.format(char) for char in SCALARS[start : start + (1 << 16)]])
        ids = other.encode_to_numpy(text, disallowed_special=())
        assert np.array_equal(ours.encode_to_numpy(text, disallowed_special=()), ids), f"{start:#x} and after"
        assert ours.decode(ids) == text


@pytest.mark.slow
@pytest.mark.parametrize("name", SCANS)
def test_a_storm_of_strings(peers, name):
    assert_same(fuzz(FUZZ, seed=SCANS.index(name)), *peers(name))


@pytest.mark.parametrize("name", NAMES)
def test_strings_with_special_tokens(peers, name):
    ours, other = peers(name)
    rng = random.Random(NAMES.index(name))
    specials = sorted(ours.special_tokens_set)
    plain = fuzz(3000, seed=7, longest=6)
    for _ in range(3000):
        text = "".join(rng.choice(specials) if rng.random() < 0.4 else rng.choice(plain) for _ in range(5))
        some = set(rng.sample(specials, min(2, len(specials))))
        ids = other.encode(text, allowed_special="all")
        assert ours.encode(text, allowed_special="all") == ids
        assert ours.encode_to_numpy(text, allowed_special="all").tolist() == ids
        assert ours.count(text, allowed_special="all") == len(ids)
        assert ours.decode(ids) == other.decode(ids) and ours.decode_bytes(ids) == other.decode_bytes(ids)
        assert ours.encode(text, allowed_special=some, disallowed_special=()) == other.encode(
            text, allowed_special=some, disallowed_special=()
        )
        for encode in (ours.encode, other.encode):
            if any(special in text for special in specials):
                with pytest.raises(ValueError):
                    encode(text)


@pytest.mark.parametrize("name", NAMES)
def test_real_texts(peers, name, shakespeare):
    ours, other = peers(name)
    code = [p.read_text("utf-8", "replace") for p in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))]
    texts = [shakespeare.read_text(encoding="utf-8"), *code, *LANGUAGES.values(), "\n".join(LANGUAGES.values()) * 20]
    assert len(code) > 100
    assert_same(texts, ours, other)


@pytest.mark.parametrize("name", SCANS)
def test_plain_python_gives_the_same(peers, name):
    loaded, other = peers(name)
    ours = copy.copy(loaded)  # kernels once loaded would go on doing the work
    with kernels.use("numpy"):
        assert_same(fuzz(3000, seed=11), ours, other)
        assert_same(list(LANGUAGES.values()), ours, other)
    assert loaded._encoder is not None and ours._encoder is None


@pytest.mark.parametrize("name", SCANS)
@pytest.mark.parametrize("sign", ["a", " ", "0", "\u0301", "!", "\n", "\u4e2d", "A"])
def test_long_runs(peers, name, sign):
    assert_same([sign * n for n in (2, 3, 63, 64, 65, 127, 1000, 4099)], *peers(name))


@pytest.mark.parametrize("name", SCANS)
def test_bytes_that_are_no_text(peers, name):
    ours, other = peers(name)
    rng = random.Random(5)
    texts = fuzz(1500, seed=13, longest=8)
    for text in texts:
        data = text.encode() + bytes(rng.choices(range(256), k=rng.randint(0, 3))) + rng.choice(texts).encode()
        assert ours.encode_bytes(data) == other._encode_bytes(data), data
        assert ours.decode_bytes(ours.encode_bytes(data)) == data


@pytest.mark.parametrize("name", NAMES)
def test_what_is_known_about_tokens(peers, name):
    ours, other = peers(name)
    assert (ours.name, ours.n_vocab, ours.max_token_value) == (other.name, other.n_vocab, other.max_token_value)
    assert ours.eot_token == other.eot_token and ours.special_tokens_set == other.special_tokens_set
    assert ours.token_byte_values() == other.token_byte_values()
    known = [i for i in range(ours.n_vocab) if ours._tokens[i] is not None]
    assert other.decode_tokens_bytes(known) == ours.decode_tokens_bytes(known)
    for i in set(range(ours.n_vocab)) - set(known):
        for encoding in (ours, other):
            with pytest.raises(KeyError):
                encoding.decode_single_token_bytes(i)
    for i in known[:: max(len(known) // 500, 1)]:
        token = ours.decode_single_token_bytes(i)
        assert ours.is_special_token(i) == other.is_special_token(i)
        if not ours.is_special_token(i):
            assert ours.encode_single_token(token) == other.encode_single_token(token) == i


@pytest.mark.parametrize("name", SCANS)
def test_offsets(peers, name):
    ours, other = peers(name)
    for text in fuzz(2000, seed=17) + list(LANGUAGES.values()):
        ids = ours.encode_ordinary(text)
        assert ours.decode_with_offsets(ids) == other.decode_with_offsets(ids)

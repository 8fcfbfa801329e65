from __future__ import annotations

import hashlib
import json
import pickle
import random
import unicodedata
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import CheckpointError, ConfigError, DataError, RangeError
from tinyllm.tokenizer import unicode_bert as ub
from tinyllm.tokenizer.rows import shortened
from tinyllm.tokenizer.wordcache import WordCache
from tinyllm.tokenizer.wordpiece import WordPiece

# printed by tests/frozen/make_unicode_bert.py
SHA256 = "45e20d483df062819f942556ffbf099f0ab7c0032dc9e5b507755b16f4820f6a"

VOCAB = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *("un", "##aff", "##able", "the", "##s", "cat", "ca", "##t", "##cat", "$", ".", "[", "]", "sep", "e", "##é", "é"),
    *("a", "##a", "##b", "##ab", "中", "文", "ß", "##ß", "##s.", "'"),
]
any_text = st.text(
    st.sampled_from("unaffablecatthesAÉé\u0301\u0307$.[]SEP' \t\n\x00\x1c\x85中文ß\ud83d\ude00\u302e\U0001e944가")
)


@pytest.fixture(scope="module")
def bert() -> WordPiece:
    return WordPiece(VOCAB)


def ids_of(*tokens: str) -> list[int]:
    return [VOCAB.index(token) for token in tokens]


# the frozen table


def test_the_table_is_the_one_that_was_made():
    data = (Path(ub.__file__).parent / "unicode_bert.txt").read_bytes()
    assert hashlib.sha256(data).hexdigest() == SHA256


def test_the_table_counts_what_it_must():
    kinds = np.frombuffer(ub.kinds(), np.uint8)
    counts = np.bincount(kinds, minlength=7)
    assert counts[ub.DROPPED] == 137_681
    assert counts[ub.MARK] + counts[ub.BARRIER] == 1567
    assert counts[ub.PUNCTUATION] == 726
    assert len(ub.maps()["lower"]) == 1488 and len(ub.maps()["plain"]) == 2042 and len(ub.maps()["order"]) == 83
    assert not kinds[0xD800:0xE000].any()
    assert kinds[0x378] == kinds[0xE0080] == ub.KEPT  # not assigned
    assert kinds[0x2B91F] == ub.KEPT and kinds[0x2B920] == ub.IDEOGRAPH


def test_python_cuts_at_the_same_spaces_but_for_seven_that_are_dropped():
    python = {code for code in range(ub.CODE_POINTS) if chr(code).isspace()}
    spaces = {code for code, kind in enumerate(ub.kinds()) if kind == ub.SPACE}
    assert spaces < python and {chr(code) for code in python - spaces} == set("\v\f\x1c\x1d\x1e\x1f\x85")
    assert all(ub.kinds()[code] == ub.DROPPED for code in python - spaces)


def without_marks(text: str) -> str:
    return "".join(char for char in text if ub.kinds()[ord(char)] not in (ub.MARK, ub.BARRIER))


def test_decompositions_are_those_of_unicode():
    """Unicode promises never to change the decomposition of a character, so any Python's may be asked."""
    syllables = range(0xAC00, 0xD7A4)
    normalize = ub.Normalizer(lowercase=False, strip_accents=True)
    for code in [*ub.maps()["plain"], *syllables]:
        if ub.kinds()[code] == ub.KEPT:
            words = without_marks(unicodedata.normalize("NFD", chr(code)))
            assert normalize(chr(code)).replace(" ", "") == words, hex(code)
    assert normalize("\U00011938") == "\U00011938"  # the one that tokenizers leaves whole


def test_marks_that_stay_are_sorted_as_unicode_sorts_them():
    rng = random.Random(5)
    pool = [
        *map(chr, ub.maps()["order"]),
        *map(chr, ub._apart()),
        "\u0316",
        "\u0301",
        "\u0345",
        "\u0900",
        "a",
        "\u1d00",
    ]
    for _ in range(2000):
        text = "".join(rng.choices(pool, k=rng.randrange(2, 9)))
        ours, places = ub.in_order(text)
        assert without_marks(ours) == without_marks(unicodedata.normalize("NFD", text)), ascii(text)
        assert len(places) == len(ours) and places == sorted(places)


@pytest.mark.parametrize(
    ("text", "lowercase", "strip", "words"),
    [
        ("a\x00b\ufffdc\x0bd\x85e\u00adf\ue000g", True, True, "abcdefg"),
        ("a\tb\nc\rd\u00a0e\u3000f\u2028g", True, True, "a b c d e f g"),
        ("a\u200bb\u180ec", True, True, "abc"),
        ("ab中文c", True, True, "ab 中 文 c"),
        ("\u3042\u30a2\uac00", True, True, "\u3042\u30a2\u1100\u1161"),  # no spaces around kana and hangul
        ("\uf900", True, True, "\u8c48"),
        ("ÀÉÎ", True, True, "aei"),
        ("\u0915\u0902", True, True, "\u0915"),
        ("ÀÉÎ", True, False, "àéî"),
        ("ÀÉÎ", False, True, "AEI"),
        ("ÀÉÎ", False, False, "ÀÉÎ"),
        ("e\u0301", True, False, "e\u0301"),
        ("\u0130", True, True, "i"),
        ("\u0130", True, False, "i\u0307"),
        ("ΟΔΟΣ", True, True, "οδοσ"),  # no final sigma
        ("\u1e9e", True, True, "ß"),
        ("$5+x=~y", True, True, "$ 5 + x = ~ y"),
        ("\u20ac5\u00d7", True, True, "\u20ac5\u00d7"),  # symbols outside of ASCII are no punctuation
        ("\u037e\u1fef", True, True, "; `"),  # becomes ASCII first
        ("\u0378a", True, True, "\u0378a"),
    ],
)
def test_words(text, lowercase, strip, words):
    normalize = ub.Normalizer(lowercase=lowercase, strip_accents=strip)
    assert normalize(text).split() == words.split()
    assert normalize.with_places(text)[0] == normalize(text)


def test_a_normalizer_forgets_rather_than_grows():
    normalize = ub.Normalizer(lowercase=True, strip_accents=True)
    normalize("".join(map(chr, range(0x4E00, 0x9FFF))))
    assert 0 < len(normalize) <= ub._REMEMBERED < 0x9FFF - 0x4E00


# spelling


def longest_first(word: str, limit: int = 100) -> list[str]:
    """The rule as BERT's authors wrote it."""
    pieces, begin = [], 0
    while begin < len(word):
        ends = range(len(word), begin, -1)
        piece = next((p for p in (("##" if begin else "") + word[begin:end] for end in ends) if p in VOCAB), None)
        if piece is None:
            return ["[UNK]"]
        pieces.append(piece)
        begin += len(piece.removeprefix("##")) if begin else len(piece)
    return pieces if len(word) <= limit else ["[UNK]"]


def test_pieces_are_the_longest_from_the_left(bert):
    for length in range(1, 5):
        for parts in product(["ca", "t", "s", "a", "b", "z"], repeat=length):
            word = "".join(parts)
            assert bert.tokenize(word) == longest_first(word), word


def test_pieces_may_be_as_long_as_the_vocabulary_has_them(bert):
    assert bert.tokenize("Unaffable sep") == ["un", "##aff", "##able", "sep"]


def test_a_word_has_at_most_a_hundred_characters(bert):
    assert bert.tokenize("a" * 100) == ["a"] + ["##a"] * 99
    assert bert.tokenize("a" * 101) == ["[UNK]"]
    assert bert.tokenize("e" + "\u0301" * 100) == ["e"]  # counted after the accents are gone
    assert WordPiece(VOCAB, max_word_chars=2).tokenize("cat ca the") == ["[UNK]", "ca", "[UNK]"]


def test_the_frame(bert):
    assert bert.encode("cats") == ids_of("[CLS]", "cat", "##s", "[SEP]")
    assert bert.encode("cats", special=False) == ids_of("cat", "##s")
    assert bert.encode("cat", "the") == ids_of("[CLS]", "cat", "[SEP]", "the", "[SEP]")
    assert bert.encode("cat", "", special=False) == ids_of("cat")
    assert bert.encode("") == ids_of("[CLS]", "[SEP]")
    assert bert.encode("cat", "") == ids_of("[CLS]", "cat", "[SEP]", "[SEP]")
    assert bert.count("cat", "the") == 5 and bert.count("cats", special=False) == 2
    assert bert.row("cats", "the").types == [0, 0, 0, 0, 1, 1]
    assert bert.row("cats", "the", special=False).types == [0, 0, 1]


def test_special_tokens_in_a_text_are_letters_unless_asked_for(bert):
    assert bert.tokenize("[SEP]cat") == ["[", "sep", "]", "cat"]
    assert bert.encode("cat[SEP]\u00c9 [sep]", allow_special=True, special=False) == ids_of(
        "cat", "[SEP]", "e", "[", "sep", "]"
    )
    assert bert.row("the [SEP]cat", allow_special=True, special=False).offsets == [(0, 3), (4, 9), (9, 12)]


def test_of_two_special_tokens_the_longer_is_taken():
    tokenizer = WordPiece([*VOCAB, "<s>", "<s>s"], cls="<s>", sep="<s>s")
    assert tokenizer.encode("<s>s<s>a", special=False, allow_special=True) == [
        len(VOCAB) + 1,
        len(VOCAB),
        VOCAB.index("a"),
    ]


@given(any_text, st.booleans())
def test_every_way_to_encode_gives_the_same_ids(text, allow_special):
    bert = WordPiece(VOCAB)
    ids = bert.encode(text, allow_special=allow_special)
    row = bert.row(text, allow_special=allow_special)
    batch = bert.batch([text], allow_special=allow_special)
    assert row.ids == ids == batch.ids[0].tolist() == bert.encode_to_numpy(text, allow_special=allow_special).tolist()
    assert row.cut == 0 and batch.cut.tolist() == [0] and batch.mask.all()
    assert len(row.offsets) == len(row.types) == len(ids)
    inner = row.offsets[1:-1]
    assert all(0 <= begin < end <= len(text) for begin, end in inner)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(inner))


def test_offsets_are_places_in_the_text_as_it_was(bert):
    text = "\x00The\u0301  CATs\x85.中\U0001f600é"
    row = bert.row(text)
    assert [text[begin:end] for begin, end in row.offsets[1:-1]] == ["The", "CAT", "s", ".", "中", "\U0001f600é"]
    assert row.offsets[0] == row.offsets[-1] == (0, 0)
    halves = "\ud83d\ude00 cat\ud83ds"
    assert [halves[begin:end] for begin, end in bert.row(halves).offsets[1:-1]] == ["\ud83d\ude00", "cat", "s"]


def test_array_type_follows_the_size():
    assert WordPiece(VOCAB).encode_to_numpy("cat").dtype == np.uint16
    assert WordPiece([*VOCAB, *map(str, range(2**16))]).encode_to_numpy("cat").dtype == np.uint32


# cutting and padding


def test_cutting_takes_from_the_longer_until_both_are_alike():
    for n, m, limit in product(range(7), range(7), range(3, 16)):
        parts, cut = shortened([list(range(n)), list(range(m))], limit, special=True)
        a, b = n, m
        while a + b + 3 > limit:  # one by one
            a, b = (a - 1, b) if a > b or (a == b and n <= m) else (a, b - 1)
        assert ([len(p) for p in parts], cut) == ([a, b], n + m - a - b), (n, m, limit)
        assert parts == [list(range(a)), list(range(b))]


def test_a_cut_is_told(bert):
    row = bert.row("the cat cats", max_length=4)
    assert (
        row.ids == ids_of("[CLS]", "the", "cat", "[SEP]") and row.cut == 2 and len(row.offsets) == len(row.types) == 4
    )
    assert bert.row("the cat", max_length=4).cut == 0
    assert bert.row("the cat", max_length=2).ids == ids_of("[CLS]", "[SEP]")
    assert bert.row("the cat", max_length=1, special=False).ids == ids_of("the")
    batch = bert.batch(["the cat", "the", ""], ["cat", "cats cats", ""], max_length=5)
    assert batch.cut.tolist() == [1, 3, 0] and batch.mask.sum(axis=1).tolist() == [5, 5, 3]


@pytest.mark.parametrize(("pair", "limit"), [(None, 1), ("cat", 2), (None, -3)])
def test_no_room_for_the_frame(bert, pair, limit):
    with pytest.raises(ConfigError, match=f"max_length={limit}"):
        bert.row("cat", pair, max_length=limit)


def test_a_batch_is_padded_to_its_longest(bert):
    batch = bert.batch(["cats", "", "the cats."], ["the", "cat", ""])
    assert batch.ids.dtype == batch.types.dtype == np.int64 and batch.mask.dtype == bool
    assert batch.ids.tolist() == [
        [*ids_of("[CLS]", "cat", "##s", "[SEP]", "the", "[SEP]"), 0],
        [*ids_of("[CLS]", "[SEP]", "cat", "[SEP]"), 0, 0, 0],
        ids_of("[CLS]", "the", "cat", "##s", ".", "[SEP]", "[SEP]"),
    ]
    assert batch.types.tolist() == [[0, 0, 0, 0, 1, 1, 0], [0, 0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1]]
    assert batch.mask.sum(axis=1).tolist() == [6, 4, 7] and batch.mask[:, :4].all()
    other = WordPiece(VOCAB[::-1])
    assert other.batch(["cat", ""]).ids[1].tolist() == [len(VOCAB) - 1 - i for i in ids_of("[CLS]", "[SEP]", "[PAD]")]


def test_batches_of_nothing(bert):
    assert bert.batch([]).ids.shape == bert.batch([]).mask.shape == (0, 0)
    assert bert.batch(["", ""], special=False).ids.shape == (2, 0)


def test_batch_wants_lists_of_one_length(bert):
    with pytest.raises(DataError, match="one string"):
        bert.batch("cat")
    with pytest.raises(DataError, match="2 texts and 1 pairs"):
        bert.batch(["cat", "the"], ["cat"])


# decoding


def test_decode_glues_pieces_and_hides_the_frame(bert):
    ids = ids_of("[CLS]", "un", "##aff", "##able", "[UNK]", "cat", ".", "[SEP]", "[PAD]", "[PAD]")
    assert bert.decode(ids) == "unaffable [UNK] cat ."
    assert bert.decode(ids, special=True) == "[CLS] unaffable [UNK] cat . [SEP] [PAD] [PAD]"
    assert bert.decode_bytes(ids) == b"unaffable [UNK] cat ."
    assert bert.decode(np.array(ids_of("##s", "the"), np.uint16)) == "##s the" and bert.decode([]) == ""


@pytest.mark.parametrize("wrong", [-1, len(VOCAB)])
def test_an_unknown_id_is_named(bert, wrong):
    with pytest.raises(RangeError, match=f"no token {wrong}.*to {len(VOCAB) - 1}"):
        bert.decode([0, wrong])


# files and descriptions


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_reads_a_file_as_it_comes(tmp_path, end, last, mark):
    tokens = [*VOCAB, "a\u2028b", "x\x85", "y\u00a0"]  # only a newline ends a line
    path = tmp_path / "vocab.txt"
    path.write_bytes((mark + end.join(tokens) + end * last).encode())
    assert WordPiece.from_file(path, lowercase=False).tokens == tuple(tokens)


def test_a_saved_vocabulary_is_read_again(tmp_path, bert):
    bert.save(tmp_path / "vocab.txt")
    assert WordPiece.from_file(str(tmp_path / "vocab.txt")) == bert
    assert (tmp_path / "vocab.txt").read_text(encoding="utf-8").splitlines() == VOCAB
    with pytest.raises(CheckpointError):
        bert.save(tmp_path / "nowhere" / "vocab.txt")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"[PAD]\nthe\n", "not among the 2"),
        (b"[UNK]\nthe\na\nthe\n", "'the' is token 1 and token 3"),
        (b"[UNK]\n\nthe\n", "token 1 is ''"),
        (b"[UNK]\n\xff\n", "byte 6 is not UTF-8"),
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path, data, told):
    path = tmp_path / "vocab.txt"
    path.write_bytes(data)
    with pytest.raises(DataError, match=told) as caught:
        WordPiece.from_file(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        WordPiece.from_file(tmp_path / "vocab.txt")
    with pytest.raises(DataError, match=r"cannot read the vocabulary"):
        WordPiece.from_file(tmp_path)


@pytest.mark.parametrize(
    ("vocab", "told"),
    [
        ([], "empty"),
        ({}, "empty"),
        (["[UNK]", ""], "token 1"),
        (["[UNK]", 7], "token 1 is 7"),
        (["[UNK]", "a\nb"], "token 1"),
        ({"[UNK]": 0, "a": 2}, "'a' has id 2 where 1 is next"),
        ({"[UNK]": 0, "a": 0}, "'a' has id 0 where 1 is next"),
        (["a", "<unk>"], "unknown='<unk>'"),
        (["a", "unknot"], "whole vocab.txt"),
    ],
)
def test_vocabularies_that_are_none(vocab, told):
    with pytest.raises(DataError, match=told):
        WordPiece(vocab)


def test_a_map_says_the_ids_itself():
    assert WordPiece({"a": 1, "[UNK]": 0}).tokens == ("[UNK]", "a")


def test_special_tokens_are_missed_when_they_are_needed():
    bare = WordPiece(["<unk>", "a"], unknown="<unk>")
    assert bare.encode("a b", special=False) == [1, 0] and bare.special_tokens == {"<unk>": 0}
    with pytest.raises(DataError, match=r"no '\[CLS\]'.*special=False"):
        bare.encode("a")
    with pytest.raises(DataError, match=r"no '\[PAD\]'"):
        bare.batch(["a", "a a"], special=False)
    assert bare.batch(["a", "b"], special=False).ids.tolist() == [[1], [0]]


MADE = [
    WordPiece(VOCAB),
    WordPiece(VOCAB, lowercase=False),
    WordPiece(VOCAB, strip_accents=False),
    WordPiece(VOCAB, max_word_chars=3),
    WordPiece(VOCAB, sep="sep"),
    WordPiece(VOCAB[::-1]),
]


def test_goes_through_json_and_pickle():
    text = "Cats É\u0301 unaffable [SEP]"
    for made in MADE:
        for again in (WordPiece.from_dict(json.loads(json.dumps(made.to_dict()))), pickle.loads(pickle.dumps(made))):
            assert again == made and hash(again) == hash(made) and again.to_dict() == made.to_dict()
            assert again.row(text) == made.row(text)
    assert all((a == b) == (i == j) for (i, a), (j, b) in product(enumerate(MADE), repeat=2))
    assert MADE[0].to_dict()["kind"] == WordPiece.name and MADE[0].n_vocab == len(VOCAB)


def test_settings_change_what_they_say():
    assert [made.encode("É", special=False) for made in MADE[:3]] == [ids_of("e"), ids_of("[UNK]"), ids_of("é")]


@pytest.mark.parametrize("saved", [{}, {"vocab": "abc"}, {"vocab": VOCAB, "sause": 1}, {"vocab": ["a"]}])
def test_descriptions_that_do_not_fit(saved):
    with pytest.raises(DataError, match="WordPiece"):
        WordPiece.from_dict({"kind": "wordpiece", **saved})


def test_the_cache_is_bounded():
    asked = []
    cache = WordCache(lambda word: asked.append(word) or word.upper(), size=3, longest=4)
    assert [cache[word] for word in ("a", "b", "a", "c", "toolong", "toolong", "d", "a")] == [
        "A",
        "B",
        "A",
        "C",
        "TOOLONG",
        "TOOLONG",
        "D",
        "A",
    ]
    assert asked == ["a", "b", "c", "toolong", "toolong", "d", "a"] and len(cache) == 2

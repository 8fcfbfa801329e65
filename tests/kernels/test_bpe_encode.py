"""Encoding in Numba, held to the plain Python of tokenizer/bytepair.py, and to tiktoken on its own vocabularies."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, ShapeError
from tinyllm.kernels.bpe import merge
from tinyllm.kernels.bpe import state as at
from tinyllm.kernels.bpe.encode import Encoder
from tinyllm.kernels.bpe.split import FAMILIES
from tinyllm.tokenizer import bytepair
from tinyllm.tokenizer.split import PATTERNS, split
from tinyllm.tokenizer.unicode16 import classes

CLASSES = np.frombuffer(classes(), np.uint8)
SAMPLE = "the then that 'tis it's 'LL \n\n  12345 ünïcödé 中文中文 на ночь \t!!?  "


class Toy:
    """A made-up vocabulary, as the reference has it and as the kernels have it."""

    def __init__(self, ranks, merges=None, whole_piece=True, pattern="gpt2"):
        self.ranks, self.pattern, self.whole_piece = ranks, PATTERNS[pattern], whole_piece
        self.place = {pair: i for i, pair in reversed([*enumerate(merges)])} if merges is not None else None
        pairs = [(ranks[a], ranks[b], ranks[a + b]) for a, b in merges] if merges is not None else None
        table = None if pairs is None else np.array(pairs, np.int32).reshape(-1, 3)
        self.encoder = Encoder(
            CLASSES, FAMILIES[self.pattern.family], self.pattern.digits, self.pattern.ends_whole,
            list(ranks), np.array(list(ranks.values()), np.int32),
            None if table is None else table[:, :2], None if table is None else table[:, 2], whole_piece,
        )  # fmt: skip

    def rank(self, left, right):
        return self.ranks.get(left + right) if self.place is None else self.place.get((left, right))

    def piece(self, piece):
        if self.whole_piece and piece in self.ranks:
            return [self.ranks[piece]]
        merge_all = bytepair.merge_all if len(piece) < 64 else bytepair.merge_all_by_heap
        return [self.ranks[part] for part in merge_all(piece, self.rank)]

    def ids(self, text):
        return [i for piece in split(text, self.pattern) for i in self.piece(piece.encode())]

    def merge_by(self, rung, piece):
        values = self.encoder._values
        pairs, maybe, shift = values[at.PAIRS], values[at.MAYBE], np.uint64(values[at.PAIR_SHIFT])
        rest = values[at.MERGED], values[at.LENGTHS], values[at.BYTE_IDS], values[at.BYTE_RANKS]
        ids = np.empty(len(piece), np.int32)
        return ids[: rung(pairs, maybe, shift, *rest, np.frombuffer(piece, np.uint8).copy(), ids)].tolist()


def made_up(rng, letters, tokens, longest, gap=1):
    """Ranks of single bytes and of tokens joined at random: in any order, with holes, some out of reach of merges."""
    spelled = [bytes((byte,)) for byte in range(256)]
    wanted = [letter.encode() for letter in letters]
    merges = []
    while len(merges) < tokens:
        a, b = (wanted[i] for i in rng.integers(len(wanted), size=2))
        if len(a + b) <= longest and a in spelled and b in spelled:
            merges.append((a, b))
            if a + b not in spelled:
                spelled.append(a + b)
                wanted.append(a + b)
        elif len(a + b) <= longest and a + b not in spelled and rng.random() < 0.2:
            spelled.append(a + b)
            wanted.append(a + b)
    ids = rng.permutation(len(spelled)) * gap
    return {token: int(i) for token, i in zip(spelled, ids, strict=True)}, merges


VOCABULARIES = {
    "one letter": ("a", 9, 40),
    "two letters": ("ab", 40, 12),
    "letters": ("abc t'", 150, 20),
    "accents": ("aé ñ中", 150, 24),
    "signs": ("a \n!1\t", 90, 40),
}


@pytest.fixture(scope="module", params=VOCABULARIES)
def toys(request):
    """One vocabulary as ranks alone, as merges, and as merges with whole pieces first; and its letters."""
    rng = np.random.default_rng(list(VOCABULARIES).index(request.param))
    letters, tokens, longest = VOCABULARIES[request.param]
    ranks, merges = made_up(rng, letters, tokens, longest, gap=3)
    order = [merges[i] for i in rng.permutation(len(merges))]
    return letters, [Toy(ranks), Toy(ranks, order, False), Toy(ranks, order, True, "o200k"), Toy(ranks, None, False)]


def random_text(rng, letters, size):
    return "".join(rng.choice(list(letters), size))


# one piece


@pytest.mark.parametrize("rung", [merge.merge_v1, merge.merge_v2, merge.merge_v3], ids=lambda rung: rung.__name__)
def test_rungs(rung, toys, rng):
    letters, four = toys
    most = 64 if rung is merge.merge_v2 else 150
    for toy in four:
        for size in [1, 2, 3, 15, 16, 17, 63, 64, 65, 66, 130, *range(1, 40)]:
            piece = random_text(rng, letters, size).encode()[: min(size, most)]
            assert toy.merge_by(rung, piece) == [toy.ranks[part] for part in bytepair.merge_all(piece, toy.rank)]


def test_any_bytes_as_one_piece(toys, rng):
    letters, four = toys
    for toy in four:
        for size in [0, *range(1, 20), 47, 48, 49, 64, 65, 200]:
            piece = random_text(rng, letters, size).encode()[:size]
            other = rng.integers(0, 256, size).astype(np.uint8).tobytes()
            for one in (piece, other, piece):  # the second time it may be remembered
                assert toy.encoder.encode_piece(one) == (toy.piece(one) if one else [])


@pytest.mark.parametrize("size", [64**2 - 1, 64**2, 64**2 + 1, 5003])
def test_long_pieces(size, rng):
    """A tree of two levels and of three."""
    ranks, _ = made_up(rng, "abc", 60, 10)
    toy = Toy(ranks, pattern="none")
    for letters in ("a", "ab", "abcd"):
        piece = random_text(rng, letters, size).encode()
        assert toy.encoder.encode_piece(piece) == toy.piece(piece)


def test_a_run_of_a_million_takes_no_quadratic_time():
    powers = {b"a" * 2**i: 300 + i for i in range(1, 6)}
    toy = Toy({bytes((i,)): i for i in range(256)} | powers)
    ids = toy.encoder.encode(b"a" * 1_000_003)
    assert ids.tolist() == [305] * (1_000_003 // 32) + [301, 97]


# texts


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k", "none"])
def test_all_doors(pattern, rng):
    ranks, merges = made_up(rng, "aet h\n'!1é中", 200, 20)
    for toy in (Toy(ranks, pattern=pattern), Toy(ranks, merges, False, pattern)):
        for _ in range(60):
            text = random_text(rng, "aet  h\n'!1é中sS", rng.integers(1, 200)) + SAMPLE[rng.integers(len(SAMPLE)) :]
            data, ids = text.encode(), toy.ids(text)
            ends = np.cumsum([len(piece.encode()) for piece in split(text, pattern)])
            assert toy.encoder.encode(data).tolist() == ids
            assert toy.encoder.encode_list(text) == ids
            assert toy.encoder.count(data) == len(ids)
            assert toy.encoder.split(data).tolist() == ends.tolist()
            assert toy.encoder.encode_pieces(data, ends).tolist() == ids
            assert toy.encoder.encode(data).dtype == np.int32


@given(text=st.text(st.sampled_from("aet h\n'!1é中") | st.characters(exclude_categories=("Cs",))))
def test_any_text(text):
    assert HYPOTHETICAL.encoder.encode_list(text) == HYPOTHETICAL.ids(text)


HYPOTHETICAL = Toy(made_up(np.random.default_rng(7), "aet h\n'!1é中", 200, 20)[0] | {b"t'": 9999}, pattern="o200k")


def test_pieces_cut_by_somebody_else(rng):
    ranks, _ = made_up(rng, "ab ", 40, 9)
    toy = Toy(ranks)
    data = random_text(rng, "ab ", 3000).encode()
    inside = np.sort(rng.integers(0, 3000, 1900))  # some pieces are empty, some batches longer than one
    ends = np.append(inside, 3000)
    pieces = [data[begin:end] for begin, end in zip([0, *inside], ends, strict=True)]
    ids = [i for piece in pieces if piece for i in toy.piece(piece)]
    assert toy.encoder.encode_pieces(data, ends).tolist() == ids
    assert toy.encoder.encode_pieces(b"", np.empty(0, np.int64)).tolist() == []
    for wrong in ([], [2999], [3001], [5, 4, 3000], [-1, 3000]):
        with pytest.raises(ShapeError, match="do not grow up to the end"):
            toy.encoder.encode_pieces(data, np.array(wrong, np.int64))


def test_whole_pieces():
    """A token that no merge leads to: ``ignore_merges`` in the files of other tools."""
    ranks = {bytes((i,)): i for i in range(256)} | {b"ab": 256, b"abc": 257, b"x" * 20: 258}
    merges = [(b"a", b"b")]
    assert Toy(ranks, merges, True).encoder.encode_list("abc abc" + "!" + "x" * 20) == [257, 32, 256, 99, 33, 258]
    assert Toy(ranks, merges, False).encoder.encode_list("abc") == [256, 99]


def test_a_pair_that_is_there_twice_has_its_first_rank():
    ranks = {bytes((i,)): i for i in range(256)} | {b"ab": 256, b"bc": 257}
    toy = Toy(ranks, [(b"a", b"b"), (b"b", b"c"), (b"a", b"b")])
    assert toy.encoder.encode_list("abc") == [256, 99]


# memory


@pytest.fixture(scope="module")
def bytes_only():
    """A vocabulary of single bytes: what ids a text has is plain to see, however much there is of it."""
    ids = np.random.default_rng(3).permutation(256)
    return Toy({bytes((i,)): int(ids[i]) for i in range(256)}), ids


@pytest.mark.parametrize(("least", "most"), [(1, 3), (2, 20), (14, 60)])
def test_more_words_than_are_remembered(bytes_only, least, most, rng):
    """Short words, long words, and those too long to be kept; new ones push out old ones."""
    toy, ids = bytes_only
    count = 2 * max(at.N_LINES, at.N_ROWS) // least
    letters = rng.integers(97, 123, (count, most)).astype(np.uint8)
    sizes = rng.integers(least, most + 1, count)
    vocabulary = [row[:size].tobytes() for row, size in zip(letters, sizes, strict=True)]
    data = b" ".join([*vocabulary, *vocabulary[: count // 3], *vocabulary[: count // 3]])
    expected = ids[np.frombuffer(data, np.uint8)]
    np.testing.assert_array_equal(toy.encoder.encode(data), expected)
    assert toy.encoder.count(data) == len(expected)


def test_words_that_differ_in_one_byte_are_told_apart(rng):
    """Were a hash ever taken for the word itself, one of these would get another's ids."""
    ranks, _ = made_up(rng, "ab", 30, 8)
    toy = Toy(ranks)
    for size in (14, 15, 16, 17, 24, 31, 40, 47, 48, 49):
        word = bytearray(random_text(rng, "ab", size).encode())
        for _ in range(2):
            for i in range(size):
                word[i] ^= 3  # a to b, b to a
                assert toy.encoder.encode_list(word.decode()) == toy.piece(bytes(word))


def test_texts_with_more_ids_than_was_reckoned_with(bytes_only):
    toy, ids = bytes_only
    for data in (b"a" * 100_000, b"ab " * 40_000, b"", b"a"):
        np.testing.assert_array_equal(toy.encoder.encode(data), ids[np.frombuffer(data, np.uint8)])
        assert toy.encoder.count(data) == len(data)


@pytest.mark.parametrize("char", ["a", "é", "中", "\U0001f600"])
def test_short_texts_at_the_border_of_what_is_short(bytes_only, char):
    toy, ids = bytes_only
    for size in (0, 1, at.SHORT_TEXT - 1, at.SHORT_TEXT, at.SHORT_TEXT + 1):
        text = char * size
        assert toy.encoder.encode_list(text) == ids[np.frombuffer(text.encode(), np.uint8)].tolist()


def test_a_short_text_does_not_see_the_one_before():
    """What is left of it in the working space would make a contraction of the apostrophe."""
    for text in ("it'll be", "it'", "it's", "it'"):
        assert HYPOTHETICAL.encoder.encode_list(text) == HYPOTHETICAL.ids(text)
    assert HYPOTHETICAL.piece(b"it'") != HYPOTHETICAL.piece(b"it") + HYPOTHETICAL.piece(b"'")


def test_text_that_is_none(bytes_only):
    toy, ids = bytes_only
    toy.encoder.encode_list("a")
    for _ in range(3):
        with pytest.raises(UnicodeEncodeError):
            toy.encoder.encode_list("a\ud800b")
        for wrong in (b"ab", ["a"], 5, None):
            with pytest.raises(TypeError):
                toy.encoder.encode_list(wrong)
    assert toy.encoder.encode_list("ab") == [ids[97], ids[98]]
    assert len(toy.encoder._workspaces) == len(toy.encoder._idle) == 1


def test_ids_are_ordinary_python_numbers(bytes_only):
    found = bytes_only[0].encoder.encode_list("hello there, hello")
    assert all(type(i) is int for i in found)
    assert all(type(i) is int for i in bytes_only[0].encoder.encode_piece(b"hello"))


def test_threads_share_an_encoder(rng):
    ranks, _ = made_up(rng, "aet h\n'!1é中", 200, 20)
    toy = Toy(ranks)
    texts = [random_text(rng, "aet  h\n'!1é中", 20_000) for _ in range(4)]
    alone = [toy.encoder.encode(text.encode()).tolist() for text in texts]

    def work(i):
        text, found = texts[i % 4], alone[i % 4]
        some = text[: 100 + i]
        ids = toy.encoder.encode(text.encode()).tolist(), toy.encoder.count(text.encode())
        return (
            ids == (found, len(found)) and toy.encoder.encode_list(some) == toy.encoder.encode(some.encode()).tolist()
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(80)))
    assert 1 <= len(toy.encoder._workspaces) == len(toy.encoder._idle) <= 4


# what cannot be


def test_vocabularies_that_contradict_themselves():
    ranks = {bytes((i,)): i for i in range(256)} | {b"ab": 256}
    with pytest.raises(ConfigError, match="no token is the single byte 97"):
        Toy({token: i for token, i in ranks.items() if token != b"a"})
    with pytest.raises(ConfigError, match="room for"):
        Toy(ranks | {b"abc": (1 << 21) - 1})
    with pytest.raises(ConfigError, match="room for"):
        Toy(ranks | {b"abc": -1})
    for twice in ({b"abc": 256}, {b"": 257}):
        with pytest.raises(ConfigError, match="is empty, or two tokens have the same id"):
            Toy(ranks | twice)
    assert Toy(ranks | {b"abc": (1 << 21) - 2}).encoder.encode_list("abc ab abcab") == [
        2097150,
        32,
        256,
        32,
        2097150,
        256,
    ]
    tokens, ids = list(ranks), np.arange(257, dtype=np.int32)
    with pytest.raises(ShapeError, match="classes for 256 of"):
        Encoder(CLASSES[:256], 0, 0, False, tokens, ids, None, None)
    for pair, whole in [((97, 98), 97), ((97, 300), 256), ((97, -1), 256), ((97, 98), 257)]:
        with pytest.raises(ConfigError, match="merge 0 makes"):
            merges, merged = np.array([pair], np.int32), np.array([whole], np.int32)
            Encoder(CLASSES, 0, 0, False, tokens, ids, merges, merged)


# tiktoken's own vocabularies


@pytest.fixture(scope="module", params=["r50k_base", "cl100k_base", "o200k_base"])
def both(request, data_file):
    tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is not installed")
    lines = data_file(f"encodings/{request.param}.tiktoken").read_bytes().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, lines)}
    toy = Toy(ranks, pattern={"r": "gpt2", "c": "cl100k", "o": "o200k"}[request.param[0]])
    return toy.encoder, tiktoken.Encoding(
        request.param, pat_str=toy.pattern.regex, mergeable_ranks=ranks, special_tokens={}
    )


@pytest.mark.oracle
def test_shakespeare_as_tiktoken_has_it(both, shakespeare):
    encoder, wheel = both
    text = shakespeare.read_bytes().decode()
    expected = np.array(wheel.encode_ordinary(text), np.int32)
    for _ in range(2):
        np.testing.assert_array_equal(encoder.encode(text.encode()), expected)
    assert encoder.count(text.encode()) == len(expected)


@pytest.mark.oracle
def test_random_texts_as_tiktoken_has_them(both, rng):
    encoder, wheel = both
    alphabet = "aetoinshrdlu   ''''sStTmMlLvVrReEdD\n\r\t1234567890.,!?/-_\x85é\u0301中文ñ\u017f\u00a0\U0001f600\u2019"
    texts = [random_text(rng, alphabet, rng.integers(1, 60)) for _ in range(1500)]
    texts += [random_text(rng, letters, 300) for letters in ("a", "ab", " ", "=-", "0", "é中", "\n ", "etaoin")]
    for text in texts:
        assert encoder.encode_list(text) == wheel.encode_ordinary(text), text

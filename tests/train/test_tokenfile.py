"""Token files: the same ids as in one go, in bounded memory, and a name only for a file that is complete."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tinyllm import atomic
from tinyllm.errors import CheckpointError, ConfigError, DataError, DTypeError
from tinyllm.tokenizer import ByteTokenizer, CharTokenizer, Encoding
from tinyllm.train import Run, stream, tokenfile, write_token_file

RANKS = {bytes((i,)): i for i in range(256)} | {b"he": 256, b" t": 257, b" the": 258, "é".encode(): 259, b"  ": 260}
TEXT = "the hen, the   éclair <|endoftext|> and\r\n\r\nthen 12345 é\n"


@pytest.fixture
def encoding():
    return Encoding("toy", pat_str="gpt2", mergeable_ranks=RANKS, special_tokens={"<|endoftext|>": 261})


@pytest.fixture(autouse=True)
def tiny_chunks(monkeypatch):
    """Chunks so small that they cut pieces, characters and everything else apart."""
    monkeypatch.setattr(tokenfile, "_READ", 3)


def read(written):
    ids = stream.open_tokens(written.path)
    assert isinstance(ids, np.memmap) and len(ids) == written.tokens and ids.dtype == written.dtype
    return ids.tolist()


@pytest.mark.parametrize("as_file", [True, False])
def test_the_ids_are_those_of_the_whole(tmp_path, encoding, as_file):
    documents = [TEXT * 5, "", "één"]
    whole = [encoding.encode(text, disallowed_special=()) for text in documents]
    for i, text in enumerate(documents):
        (tmp_path / f"{i}.txt").write_bytes(text.encode())
    given = [tmp_path / f"{i}.txt" for i in range(3)] if as_file else documents
    written = write_token_file(tmp_path / "a.npy", encoding, iter(given))
    assert read(written) == [*whole[0], *whole[2]]
    size = len("".join(documents).encode())
    assert (written.documents, written.bytes, written.dtype) == (2, size, "uint16")
    written = write_token_file(tmp_path / "b.npy", encoding, given, end_of_text=True)
    assert read(written) == [*whole[0], 261, *whole[2], 261]


def test_one_document_is_not_many_letters(tmp_path, encoding):
    written = write_token_file(tmp_path / "a.npy", encoding, "then")
    assert read(written) == [116, 256, 110] and written.documents == 1


@pytest.mark.parametrize("words", [ByteTokenizer(), CharTokenizer(TEXT)], ids=["bytes", "chars"])
def test_other_tokenizers(tmp_path, words):
    (tmp_path / "x.txt").write_bytes(TEXT.encode())
    written = write_token_file(tmp_path / "a.npy", words, [tmp_path / "x.txt", TEXT])
    assert read(written) == words.encode(TEXT) * 2


def test_a_large_vocabulary_takes_four_bytes(tmp_path):
    words = Encoding("toy", pat_str="gpt2", mergeable_ranks=RANKS | {b"wide": 70_000})
    written = write_token_file(tmp_path / "a.npy", words, ["a wide"])
    assert written.dtype == "uint32" and read(written) == words.encode("a wide")


def test_numpy_reads_it_as_it_wrote_it(tmp_path):
    for dtype, count in ((np.uint16, 7), (np.uint32, 0), (np.uint16, 10**15)):
        head = tokenfile.header(np.dtype(dtype), count)
        assert len(head) == 128
        (tmp_path / "head").write_bytes(head)
        with open(tmp_path / "head", "rb") as file:
            assert np.lib.format.read_magic(file) == (1, 0)
            assert np.lib.format.read_array_header_1_0(file) == ((count,), False, np.dtype(dtype))
            assert file.tell() == 128


def test_surrogates_are_joined_across_chunks_and_lone_ones_replaced(tmp_path, encoding):
    written = write_token_file(tmp_path / "a.npy", encoding, ["ab\ud83d\ude00c\ud800"])
    assert bytes(read(written)).decode() == "ab\U0001f600c\ufffd"
    assert read(write_token_file(tmp_path / "b.npy", ByteTokenizer(), ["ab\ud83d\ude00c\ud800"])) == read(written)


def test_a_byte_order_mark_is_no_text(tmp_path):
    (tmp_path / "x.txt").write_bytes("\ufeffno \ufeff".encode())
    written = write_token_file(tmp_path / "a.npy", ByteTokenizer(), tmp_path / "x.txt")
    assert bytes(read(written)).decode() == "no \ufeff"


def test_progress_is_told(tmp_path, encoding):
    told = []
    written = write_token_file(tmp_path / "a.npy", encoding, [TEXT, "the"], progress=lambda *news: told.append(news))
    assert told == sorted(told) and told[-1] == (written.bytes, written.tokens)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"caf\xe9 au lait", "byte 0xe9 at 3"), (b"\xef\xbb\xbfcaf\xe2\x82", "byte 0xe2 at 6"), (None, "no such file")],
)
def test_what_cannot_be_read_leaves_the_old_file(tmp_path, encoding, content, says):
    before = write_token_file(tmp_path / "a.npy", encoding, ["the hen"])
    bad = tmp_path / "bad.txt"
    if content is not None:
        bad.write_bytes(content)
    with pytest.raises(DataError) as caught:
        write_token_file(tmp_path / "a.npy", encoding, [TEXT * 50, bad])
    assert says in str(caught.value) and "bad.txt" in str(caught.value) and "\n" not in str(caught.value)
    assert read(before) == encoding.encode("the hen")
    assert sorted(path.name for path in tmp_path.iterdir() if path != bad) == ["a.npy"]


def test_a_full_disk_leaves_the_old_file(tmp_path, encoding, monkeypatch):
    before = write_token_file(tmp_path / "a.npy", encoding, ["the hen"])

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(CheckpointError, match="no space left"):
        write_token_file(tmp_path / "a.npy", encoding, [TEXT])
    assert read(before) == encoding.encode("the hen") and len(list(tmp_path.iterdir())) == 1


def test_what_makes_no_token_file(tmp_path, encoding):
    with pytest.raises(ConfigError, match=r"Try: .*a\.npy"):
        write_token_file(tmp_path / "a.bin", encoding, ["x"])
    with pytest.raises(ConfigError, match=r"bytes has no <\|endoftext\|>"):
        write_token_file(tmp_path / "a.npy", ByteTokenizer(), ["x"], end_of_text=True)
    with pytest.raises(DataError, match="no text"):
        write_token_file(tmp_path / "a.npy", encoding, ["", ""])
    with pytest.raises(DTypeError, match="a document is a bytes"):
        write_token_file(tmp_path / "a.npy", encoding, [b"x"])
    with pytest.raises(DataError, match="'X'"):
        write_token_file(tmp_path / "a.npy", CharTokenizer("abc"), ["abXc"])
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_text(tmp_path, encoding, monkeypatch):
    monkeypatch.setattr(tokenfile, "_READ", 1 << 14)
    line = "some words, the hen and more\n"

    def peak(lines):
        (tmp_path / "x.txt").write_text(line * lines)
        tracemalloc.start()
        write_token_file(tmp_path / "a.npy", encoding, [tmp_path / "x.txt"])
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)
    assert peak(40_000) < 1.3 * peak(10_000)


# training on one


def test_a_run_learns_from_a_token_file(tmp_path, tiny, encoding):
    encoding.save(tmp_path / "toy.json", "tinyllm")
    written = write_token_file(tmp_path / "a.npy", encoding, [TEXT] * 30, end_of_text=True)
    run = Run.create(tmp_path / "run", tiny.but(data=str(written.path), tokenizer=str(tmp_path / "toy.json")))
    assert np.concatenate([run.train_tokens, run.val_tokens]).tolist() == read(written)
    assert run.model.config.vocab_size == 262 and run.manifest["data"]["name"] == "a"
    run.train(until=2, peak_flops=1e11)
    written.path.unlink()
    (tmp_path / "toy.json").unlink()
    again = Run.open(tmp_path / "run")
    assert again.tokenizer == encoding
    assert again.train(until=3, peak_flops=1e11).steps == 3
    other = Run.from_manifest(tmp_path / "run", tmp_path / "other")
    assert other.manifest["data"] == run.manifest["data"]


def test_the_tokenizer_of_a_token_file_must_be_able_to_have_made_it(tmp_path, tiny, encoding):
    written = write_token_file(tmp_path / "a.npy", encoding, [TEXT] * 30, end_of_text=True)
    for spec, says in (("bytes", "holds the id 261"), ("chars", "learned from a text"), ("bpe:300", "learned from")):
        with pytest.raises((DataError, ConfigError)) as caught:
            Run.create(tmp_path / "run", tiny.but(data=str(written.path), tokenizer=spec))
        assert says in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()

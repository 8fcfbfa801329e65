"""Bytes to text: which encoding, and what is no text; and any bytes at all for every reader."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import DataError, TinyLLMError
from tinyllm.rag.read import html, markdown, plain, rest
from tinyllm.rag.read.decode import decoded

TEXT = "Ä café, 30 € – 日本"


@pytest.mark.parametrize(
    "encoding, mark",
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
        ("utf-32-be", codecs.BOM_UTF32_BE),
    ],
)
def test_unicode_is_told_by_its_mark(encoding, mark):
    assert decoded(mark + TEXT.encode(encoding), "a") == (TEXT, {"encoding": encoding})


def test_what_is_no_unicode_is_guessed_and_said_to_be():
    text, meta = decoded("30 € “quoted”".encode("cp1252"), "a")
    assert text == "30 € “quoted”" and meta == {"encoding": "cp1252", "encoding_guessed": True}
    text, meta = decoded(b"caf\xe9 \x81", "a")
    assert text == "café \x81" and meta == {"encoding": "latin-1", "encoding_guessed": True}


def test_line_ends_become_line_feeds():
    assert decoded(b"a\r\nb\rc\nd\r\r\n", "a")[0] == "a\nb\nc\nd\n\n"


@pytest.mark.parametrize(
    "declared, data, text",
    [
        ("koi8-r", "утка".encode("koi8-r"), "утка"),
        ("Shift_JIS", "日本".encode("shift_jis"), "日本"),
        ("iso-2022-jp", "日本 and more text".encode("iso2022_jp"), "日本 and more text"),
        ("ISO-8859-1", b"30 \x80", "30 €"),
        ("ascii", "é".encode(), "Ã©"),
        ("utf-8", b"caf\xe9", "café"),
        ("no-such", "é".encode(), "é"),
        ("zip", "é".encode(), "é"),
        ("unicode_escape", b"\\x41", "\\x41"),
        ("idna", b"xn--a", "xn--a"),
        ("a\0b", b"a", "a"),
        ("utf-16", b"ab", "ab"),
    ],
)
def test_a_declared_encoding_is_believed_where_it_can_be(declared, data, text):
    assert decoded(data, "a", declared)[0] == text


@pytest.mark.parametrize(
    "data",
    [
        b"a\0b",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        bytes(range(1, 9)) * 9,
        codecs.BOM_UTF16_LE + "a\0b".encode("utf-16-le"),
        "ab".encode("utf-16-le"),
    ],
)
def test_binary_is_refused_in_one_line(data):
    with pytest.raises(DataError, match=r"^E-DATA a\.bin: is a binary file, not text\. Try: .*$"):
        plain("a.bin", data)


def test_a_mark_that_does_not_keep_its_word_is_refused():
    for data in (codecs.BOM_UTF16_LE + b"a", codecs.BOM_UTF16_LE + b"\x00\xd8", codecs.BOM_UTF8 + b"\xff"):
        with pytest.raises(DataError, match=r"a: begins as UTF-\d+\S* does, but is not"):
            decoded(data, "a")


@pytest.mark.parametrize("reader", [plain, markdown, html, rest])
@pytest.mark.parametrize("data", [b"", b" \n\t\r\n", codecs.BOM_UTF8])
def test_without_text_there_is_no_document(reader, data):
    with pytest.raises(DataError, match=r"E-DATA a\.x: there is no text in (it|this page)"):
        reader("a.x", data)


PIECES = [
    *("<", ">", "</", "<p>", "</p>", "<pre>", "</pre>", "<h1>", "</h1>", "<li>", "<ul>", "<table>", "<tr>", "<td>"),
    *("<nav>", "</nav>", "<script>", "</script>", "<title>", "<!--", "-->", "<!", "<?", "&", "&#", "&#x", "&amp;"),
    *("&#0;", "&#xD800;", "'", '"', "=", "`", "```", "~~~", "#", "***", "===", "---", "..", "::", "a", "b", "---\n"),
    *(".. ", ":r:`a", "<b", "<a b=", "\n", "\n\n", "   ", "\xff", "\x85", ".. code::", ".. a:"),
]
any_bytes = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from(PIECES), max_size=40).map(lambda parts: "".join(parts).encode("latin-1")),
)


@pytest.mark.parametrize("reader", [plain, markdown, html, rest])
@given(data=any_bytes)
def test_any_bytes_give_a_document_or_one_of_our_errors(reader, data):
    try:
        document = reader("id", data, "title")
    except TinyLLMError as error:
        assert "\n" not in str(error)
        return
    assert document.text.strip() or document.title != "title"
    assert "\0" not in document.text and "\r" not in document.text
    document.text.encode()  # no half characters
    assert reader("id", data, "title") == document

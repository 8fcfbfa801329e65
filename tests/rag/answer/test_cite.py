"""The verifier: every planted bad quote is caught, no verbatim one is doubted, and the place it names is the place."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.rag.answer.cite import Claim, count_words, parse, verify
from tinyllm.rag.answer.fold import fold
from tinyllm.rag.chunk import SentencePack
from tinyllm.rag.evaluate.collections import load
from tinyllm.rag.types import Chunk, Document
from tinyllm.tokenizer.sentences import sentence_spans

# what the toy collection has too little of: numbers and negations
LIGHTHOUSE = Document(
    "lighthouse",
    "The lamp was first lit in 1874 and did not fail in 61 years. It stands 38.5 meters above the water, and its light "
    "is seen from 29 miles. No keeper ever lived there alone; there were never fewer than three. The stairs have 217 "
    "steps, which nobody counted before 1902. It wasn't painted red until 1931, when 45 barrels of paint were brought "
    "from the mainland. The fog horn cannot be heard from the village unless the wind is in the west. In 1987 the last "
    "keeper left, and the lamp has not been tended by hand since. Visitors may not climb beyond the 180th step. The "
    "well is 12 meters deep and has never run dry, not even in the summer of 1921. About 14,000 people come each year.",
)
FOG = Document(
    "fog",
    "Fog is a cloud that lies on the ground. It does not wet the road unless it is colder than 4 degrees. Sea fog can "
    "last for 9 days, and no wind below 15 knots drives it away. The horn is not sounded when one can see 2 miles. In "
    "1953 it was sounded for 311 hours without a pause, and nobody in the village slept well. Lamps don't help much in "
    "fog; yellow ones are no better than white ones. A bell was never used here.",
)
SHIFTS = {"'": "\u2019", "-": "\u2010", " ": "\u00a0"}


@pytest.fixture(scope="module", params=["toy", "xquad"])
def corpus(request, data_file):
    """Documents and their chunks of about 60 words."""
    if request.param == "toy":
        documents = {**load("toy").documents, LIGHTHOUSE.id: LIGHTHOUSE, FOG.id: FOG}
    else:
        documents = load("xquad", data_file("collections/xquad/xquad.en.json").parent).documents
    chunks = [
        chunk for one in documents.values() for chunk in SentencePack(70).split(one) if len(chunk.text.split()) > 9
    ]
    return documents, chunks


def stretch(text: str, rng: random.Random, least: int = 4, most: int = 25) -> str:
    """Some whole words of a text."""
    spans = [found.span() for found in re.finditer(r"\S+", text)]
    while True:
        size = rng.randint(least, min(most, len(spans)))
        first = rng.randint(0, len(spans) - size)
        piece = text[spans[first][0] : spans[first + size - 1][1]]
        if count_words(fold(piece).text.strip(" '.,;:")) >= 4:
            return piece


def sentences(text: str) -> list[str]:
    return [text[begin:end] for begin, end in sentence_spans(text)]


# how quotes go bad: each returns (quote, number cited), or None where the drawn chunk does not lend itself to it


def altered(chunks, n, rng):
    words = stretch(chunks[n].text, rng, 5).split()
    place = rng.randrange(len(words))
    other = rng.choice(re.findall(r"[a-z]{5,}", rng.choice(chunks).text) or ["elephant"])
    if other.casefold() in words[place].casefold() or not re.search(r"[A-Za-z]{3}", words[place]):
        return None
    return " ".join([*words[:place], other, *words[place + 1 :]]), n + 1


def stitched(chunks, n, rng):
    one, other = stretch(chunks[n].text, rng, 4, 8), stretch(chunks[rng.randrange(len(chunks))].text, rng, 4, 8)
    return f"{one} {other}", n + 1


def moved(chunks, n, rng):
    return stretch(chunks[rng.randrange(len(chunks))].text, rng, 6), n + 1


def invented(chunks, n, rng):
    words = sorted({word for chunk in chunks for word in re.findall(r"[a-z]{4,}", chunk.text)})
    return " ".join(rng.choice(words) for _ in range(rng.randint(5, 15))), n + 1


def denied(chunks, n, rng):
    fit = [one for one in sentences(chunks[n].text) if re.search(r"\b(?:not|no|never|nobody)\b|n't|cannot", one)]
    if not fit:
        return None
    one = rng.choice(fit)
    return re.sub(r"\b(?:not |no |never )|n't|(?<=can)not\b|\bno(?=body)", "", one, count=1), n + 1


def miscounted(chunks, n, rng):
    fit = [one for one in sentences(chunks[n].text) if re.search(r"\d", one) and len(one.split()) > 5]
    if not fit:
        return None
    one = rng.choice(fit)
    at = rng.choice([found.start() for found in re.finditer(r"\d", one)])
    how = rng.choice(["other", "less", "more"])
    digit = rng.choice([d for d in "0123456789" if d != one[at]])
    return one[:at] + {"other": digit, "less": "", "more": digit + one[at]}[how] + one[at + 1 :], n + 1


PLANTS = {make.__name__: make for make in (altered, stitched, moved, invented, denied, miscounted)}
EXPECTED = {"moved": {"misattributed"}, "invented": {"fabricated", "frankenquote"}}


def plant(chunks, kind: str, count: int, rng: random.Random) -> list[Claim]:
    made: list[Claim] = []
    while len(made) < count:
        drawn = PLANTS[kind](chunks, rng.randrange(len(chunks)), rng)
        if drawn is None or drawn[0].casefold() in chunks[drawn[1] - 1].text.casefold():
            continue  # by chance the words of the source after all
        if count_words(fold(drawn[0]).text) >= 5:
            made.append(Claim("a statement", drawn[1], drawn[0]))
    return made


def test_two_hundred_planted_quotes_are_caught(corpus):
    _, chunks = corpus
    rng = random.Random(7)
    planted = [(kind, claim) for kind in PLANTS for claim in plant(chunks, kind, 34, rng)][:200]
    citations = verify([claim for _, claim in planted], chunks)
    let_through = [
        (kind, one.quote) for (kind, _), one in zip(planted, citations, strict=True) if one.verdict == "supported"
    ]
    assert not let_through
    for (kind, _), one in zip(planted, citations, strict=True):
        assert one.verdict != "missing"
        assert one.verdict in EXPECTED.get(kind, {one.verdict})
    named = Counter(
        one.verdict for (kind, _), one in zip(planted, citations, strict=True) if kind in ("denied", "altered")
    )
    assert named["frankenquote"] >= 0.9 * named.total()  # a chunk may by chance hold the sentence without its "not"


def noisy(text: str, rng: random.Random) -> str:
    """The same words in the typography of somebody else."""
    curly = iter("\u201c\u201d" * len(text))
    text = re.sub('"', lambda _: rng.choice(['"', next(curly), "''", "\u00bb"]), text)
    text = re.sub("'", lambda _: rng.choice(["'", "\u2019", "\u2032"]), text)
    text = re.sub("[\u2013\u2014-]", lambda found: rng.choice([found[0], "-", "\u2010", "\u2013", "\u2212"]), text)
    text = re.sub(" ", lambda _: rng.choice([" "] * 6 + ["\u00a0", "  ", "\n", "\t", "\u2009", " \r\n"]), text)
    text = re.sub("fi", lambda _: rng.choice(["fi", "\ufb01"]), text)
    text = re.sub(
        "[a-z]", lambda found: found[0] + rng.choice([""] * 60 + ["\u200b", "\u00ad", "\ufeff", "\u202c"]), text
    )
    text = "".join(chr(ord(c) + 0xFEE0) if c.isdigit() and c.isascii() and rng.random() < 0.1 else c for c in text)
    return (
        rng.choice(["", " ", "\n", "\u201c", "... "])
        + text
        + rng.choice(["", " ", ".", "...", "\u2026", "\u201d", ",\u201d"])
    )


def test_a_thousand_verbatim_quotes_are_believed(corpus):
    documents, chunks = corpus
    rng = random.Random(11)
    claims, originals = [], []
    for _ in range(1000):
        n = rng.randrange(len(chunks))
        originals.append(stretch(chunks[n].text, rng))
        claims.append(Claim("a statement", n + 1, noisy(originals[-1], rng)))
    citations = verify(claims, chunks, documents)
    assert [one.quote for one in citations if one.verdict != "supported"] == []
    for claim, one, original in zip(claims, citations, originals, strict=True):
        chunk = chunks[claim.number - 1]
        assert one.chunk_id == chunk.id and chunk.start <= one.start < one.end <= chunk.end
        found = fold(documents[chunk.doc_id].text[one.start : one.end]).text
        assert found.strip(" '.,;:") == fold(original).text.strip(" '.,;:").removeprefix("... ")


SHORT = Chunk(
    "d:10-200",
    "d",
    "Non-linear systems can't be solved; 13.5 % of them, about $2,500 each, grew by -3 in 10\u201315 years.",
    10,
    200,
)


@pytest.mark.parametrize(
    "quote",
    [
        "linear systems can't be solved",  # half of "non-linear"
        "Non-linear systems can",  # half of "can't", and three words
        "Non-linear systems in fact can",
        "3.5 % of them, about",
        "5 % of them, about $2,500",
        "of them, about $2",
        "2,500 each, grew by -3",
        "each, grew by 3 in",
        "3 in 10\u201315 years",
        "each, grew by -3 in 10",
        "15 years after that, too",
        "on-linear systems can't be",
        "Non-linear systems can't be solve",
    ],
)
def test_half_words_and_half_numbers_are_not_found(quote):
    assert verify([Claim("", 1, quote)], [SHORT])[0].verdict in ("frankenquote", "fabricated", "missing")


@pytest.mark.parametrize(
    "quote", ["systems can't be solved", "about $2,500 each, grew", "grew by -3 in 10-15 years", "in 10\u201315 years."]
)
def test_whole_ones_are(quote):
    one = verify([Claim("", 1, quote)], [SHORT])[0]
    assert one.verdict == ("supported" if count_words(fold(quote).text) >= 4 else "missing")


def test_a_number_dropped_at_the_end_is_not_forgiven_as_punctuation():
    primes = Chunk("p:0-60", "p", "There are four primes between squares of primes greater than 2.", 0, 63)
    verdicts = [
        verify([Claim("", 1, f"of primes greater than{end}")], [primes])[0].verdict for end in (" 2.", " 2", " .", " ,")
    ]
    assert verdicts == ["supported", "supported", "frankenquote", "frankenquote"]


def test_verdicts_by_name():
    one, two = (
        Chunk("a:0-40", "a", "Most ducks can swim from their first day.", 0, 40),
        Chunk("b:5-40", "b", "A cat will not swim if it can help it.", 5, 40),
    )
    text = "Ducks are not made for it, and cats do not like being wet at all."
    documents = {"b": Document("b", "Yes. A cat will not swim if it can help it. Its fur takes long to dry again.")}
    claims = {
        "supported": Claim("", 1, "ducks can swim from their"),
        "misattributed": Claim("", 1, "cat will not swim if"),
        "frankenquote": Claim("", 1, "most ducks will not swim"),
        "fabricated": Claim("", 2, text),
        "missing": Claim("", 2, "will not swim"),
    }
    for verdict, claim in claims.items():
        found = verify([claim], [one, two])[0]
        assert found.verdict == verdict
    assert verify([claims["misattributed"]], [one, two])[0].chunk_id == "b:5-40"
    unseen = verify([Claim("", 1, "fur takes long to dry")], [one], documents)[0]
    assert (
        unseen.verdict == "misattributed" and documents["b"].text[unseen.start : unseen.end] == "fur takes long to dry"
    )
    assert verify([Claim("x", 9, "ducks can swim from their")], [one])[0].verdict == "misattributed"  # there is no 9
    assert verify([Claim("x", 0, "ducks can swim from their")], [one])[0].verdict == "missing"
    assert (
        verify([Claim("x", 9, "nothing that anybody ever said")], [])[0]
        == verify([Claim("x", 9, "nothing that anybody ever said")], [])[0]
    )


def test_the_document_decides_not_the_copy():
    """A chunk that says otherwise than its document supports nothing."""
    forged = Chunk("a:0-30", "a", "Ducks cannot swim at all, ever", 0, 30)
    documents = {"a": Document("a", "Ducks can swim from the start of life.")}
    assert verify([Claim("", 1, "Ducks cannot swim at all")], [forged], documents)[0].verdict != "supported"


def test_scripts_without_spaces():
    tea = Chunk(
        "t:0-30",
        "t",
        "\u3053\u306e\u304a\u8336\u306f\u516b\u5341\u5ea6\u306e\u6e6f\u3067\u5165\u308c\u307e\u3059\u3002",
        0,
        30,
    )
    assert verify([Claim("", 1, tea.text[2:13])], [tea])[0].verdict == "supported"
    assert verify([Claim("", 1, tea.text[2:8])], [tea])[0].verdict == "missing"
    assert verify([Claim("", 1, tea.text[2:7] + tea.text[9:13])], [tea])[0].verdict != "supported"


# parsing


def test_parse():
    text = (
        'Ducks swim. [2] "most ducks can swim"\n\n'
        '- Cats do not [1]: \u201cthey say "no" to it\u201d [3] "not one of them".\n'
        'Nobody knows.\n"geese fly very far" [4].\nSee [3] for more\n1. Note [1] "as in [3]"'
    )
    assert parse(text) == [
        Claim("Ducks swim.", 2, "most ducks can swim"),
        Claim("Cats do not", 1, 'they say "no" to it'),
        Claim("Cats do not", 3, "not one of them"),
        Claim("Nobody knows."),
        Claim('"geese fly very far"', 4, "geese fly very far"),
        Claim("See [3] for more"),
        Claim("Note", 1, "as in [3]"),
    ]
    assert parse("") == parse(" \n\t") == []


@given(st.text())
def test_parse_takes_anything(text):
    for claim in parse(text):
        assert claim.number >= 0
    verify(parse(text), [SHORT])

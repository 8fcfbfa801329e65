"""Make tinyllm/tokenizer/unicode_bert.txt, by hand and with tokenizers: python tests/frozen/make_unicode_bert.py

BERT's normalizer in tokenizers mixes Unicode versions: categories of 8.0, decompositions of 12, the order of marks of
9, lower case of 17. No table of one version gives its answers, so every code point c is asked for: what becomes of
"a" + c + "b" when one step of the normalizer is on and all others are off. What comes out is written as ranges, to be
read and compared by people as well.

What is printed at the end goes into tests/tokenizer/test_wordpiece.py.
"""

from __future__ import annotations

import hashlib
import textwrap
import unicodedata
from collections.abc import Iterable
from pathlib import Path

FILE = Path(__file__).parents[2] / "tinyllm" / "tokenizer" / "unicode_bert.txt"
CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
LINE = 118
HANGUL = range(0xAC00, 0xAC00 + 11172)  # decomposed by a formula, in unicode_bert.py
HEAD = """\
# What the normalizer of BERT does to each code point, as {version} answers. All numbers are hexadecimal.
# Sets are inclusive ranges. dropped: in clean_text; space: becomes U+0020; ideograph: gets spaces around it;
# punctuation: a word of its own; mark: Mn, dropped after NFD; barrier: such a mark that no others move across.
# order: class of the marks that stay, by which a run of them is sorted.
# plain: NFD without the dropped marks (Hangul is left to the formula); lower: lower case. In these two
#   A=B C=D.E    A becomes B, C becomes D and E          A=B,C,D    A becomes B, A+1 becomes C, A+2 becomes D
#   A-B=C        each of A to B becomes C                A-B+C      each of A to B becomes itself + C (or A-B-C)
#   A-B/2+C      the same for every second one from A to B
"""


def ranges(codes: Iterable[int]) -> str:
    """Write a set of code points as inclusive ranges."""
    spans: list[list[int]] = []
    for code in sorted(codes):
        if spans and spans[-1][1] == code - 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return " ".join(f"{a:X}" if a == b else f"{a:X}-{b:X}" for a, b in spans)


def runs(table: dict[int, str]) -> str:
    """Write a map as few runs: the same target, the same distance, the same distance at every second, or a list."""
    codes, parts, i = sorted(table), [], 0
    while i < len(codes):
        i, part = run(table, codes, i) or listed(table, codes, i)
        parts.append(part)
    return " ".join(parts)


def run(table: dict[int, str], codes: list[int], i: int) -> tuple[int, str] | None:
    """Return the longest run of three or more from place i, as (the place after it, its text)."""
    first = codes[i]
    if len(table[first]) > 1:
        return None
    away = ord(table[first]) - first
    best = i
    for form, step, shift in ((f"={away + first:X}", 1, 0), (f"{away:+X}", 1, 1), (f"/2{away:+X}", 2, 1)):
        j = i
        while codes[j + 1 : j + 2] == [codes[j] + step] and table[codes[j + 1]] == chr(
            ord(table[first]) + shift * (codes[j + 1] - first)
        ):
            j += 1
        if j > best:
            best, text = j, f"{first:X}-{codes[j]:X}{form}"
    return (best + 1, text) if best >= i + 2 else None


def listed(table: dict[int, str], codes: list[int], i: int) -> tuple[int, str]:
    """Return neighbors from place i that are in no run, a line at most, as (the place after them, their text)."""
    j, text = i, f"{codes[i]:X}="
    while True:
        text += ".".join(f"{ord(c):X}" for c in table[codes[j]])
        j += 1
        if codes[j : j + 1] != [codes[j - 1] + 1] or len(text) > LINE - 30 or run(table, codes, j):
            return j, text
        text += ","


def freeze() -> None:
    """Ask tokenizers for every code point and write the file."""
    import tokenizers
    from tokenizers.normalizers import NFD, BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    off = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}

    def ask(flag: str) -> dict[int, str]:
        normalize = BertNormalizer(**{**off, flag: True}).normalize_str
        return {code: normalize(f"a{chr(code)}b")[1:-1] for code in CODES}

    cleaned, spaced = ask("clean_text"), ask("handle_chinese_chars")
    plain, lower = ask("strip_accents"), ask("lowercase")
    words = BertPreTokenizer().pre_tokenize_str
    space = {code for code in CODES if cleaned[code] == " "}
    punctuation = {code for code in CODES if code not in space and len(words(f"a{chr(code)}b")) == 3}
    marks = {code for code in CODES if plain[code] == ""}

    # U+0334 is of the least class but 0, U+0345 of the greatest: what changes places with one of them is of none
    nfd = NFD().normalize_str
    low, high = "\u0334", "\u0345"
    stays = [code for code in CODES if plain[code] == chr(code)]
    moves = [c for c in stays if nfd(f"a{chr(c)}{low}")[1] == low or nfd(f"a{high}{chr(c)}")[2] == high]
    order = {code: unicodedata.combining(chr(code)) for code in moves}
    strip = BertNormalizer(**{**off, "strip_accents": True}).normalize_str
    for a, class_a in order.items():
        for b, class_b in order.items():
            swapped = strip(f"x{chr(a)}{chr(b)}") != f"x{chr(a)}{chr(b)}"
            if swapped != (class_a > class_b):
                raise SystemExit(f"the classes of U+{a:04X} and U+{b:04X} are not those of tokenizers")

    # U+1E944 is of class 230 and U+302E of 224: they change places, unless something stands between them
    barrier = {code for code in marks if strip(f"a\U0001e944{chr(code)}\u302e") == "a\U0001e944\u302e"}

    sections = {
        "dropped": ranges(code for code in CODES if cleaned[code] == ""),
        "space": ranges(space),
        "ideograph": ranges(code for code in CODES if spaced[code] == f" {chr(code)} "),
        "punctuation": ranges(punctuation),
        "mark": ranges(marks - barrier),
        "barrier": ranges(barrier),
        "order": runs({a: chr(b) for a, b in order.items()}),
        "plain": runs({a: t for a, t in plain.items() if t != chr(a) and a not in marks and a not in HANGUL}),
        "lower": runs({a: t for a, t in lower.items() if t != chr(a)}),
    }
    lines = [HEAD.format(version=f"tokenizers {tokenizers.__version__}").rstrip()]
    for name, body in sections.items():
        lines += [
            f"{name}:",
            *textwrap.wrap(
                body, LINE, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False, break_long_words=False
            ),
        ]
    FILE.write_text("\n".join(lines) + "\n", "ascii")
    print(f"tokenizers {tokenizers.__version__}: {FILE.stat().st_size} bytes")
    print(hashlib.sha256(FILE.read_bytes()).hexdigest())


if __name__ == "__main__":
    freeze()

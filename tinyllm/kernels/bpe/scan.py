"""Where does the piece that starts here end? One scanner per family of patterns, over the bytes of UTF-8.

The rules are those of ``tinyllm/tokenizer/split.py``, which quotes the regular expressions. A scanner looks at the
slice ``data[:n]``, which at least 16 zero bytes follow, so that looking a few bytes ahead needs no check. ``classes``
holds the class of every code point. Bytes that are no UTF-8 do no harm: a stray one counts as a character of class
OTHER.
"""

from __future__ import annotations

from typing import Final

from ..compiler import bare

OTHER, UPPER, LOWER, CASELESS, MARK, NUMBER, SPACE = range(7)  # what the class table holds
GPT2: Final = 0
CL100K: Final = 1
O200K: Final = 2
WHOLE: Final = 3
CODE_POINTS: Final = 0x110000


@bare
def character(data, p, classes):
    """Return the class of the character at byte p, and its length in bytes."""
    first = int(data[p])
    if first < 0x80:
        return classes[first], 1
    if first < 0xC2 or first > 0xF4:
        return OTHER, 1
    second = int(data[p + 1]) & 0x3F
    if first < 0xE0:
        return classes[(first & 0x1F) << 6 | second], 2
    third = int(data[p + 2]) & 0x3F
    if first < 0xF0:
        return classes[(first & 0x0F) << 12 | second << 6 | third], 3
    code = (first & 0x07) << 18 | second << 12 | third << 6 | int(data[p + 3]) & 0x3F
    return (classes[code], 4) if code < CODE_POINTS else (OTHER, 4)


@bare
def is_letter(kind):
    """Tell whether a class is one of the letters'."""
    return UPPER <= kind <= CASELESS


@bare
def is_other(kind):
    """Tell whether a class is neither that of letters, nor of numbers, nor of spaces."""
    return kind in (OTHER, MARK)


@bare
def is_newline(byte):
    """Tell whether a byte is LF or CR."""
    return byte in (10, 13)


@bare
def letters(data, p, n, classes):
    """Return the end of the run of letters at p, which may be empty."""
    while p < n:
        kind, size = character(data, p, classes)
        if not is_letter(kind):
            break
        p += size
    return p


@bare
def numbers(data, p, n, classes, most):
    """Return the end of the run of at most ``most`` numbers at p."""
    while p < n and most > 0:
        kind, size = character(data, p, classes)
        if kind != NUMBER:
            break
        p += size
        most -= 1
    return p


@bare
def others(data, p, n, classes):
    """Return the end of the run at p of what is neither letter nor number nor space."""
    while p < n:
        kind, size = character(data, p, classes)
        if not is_other(kind):
            break
        p += size
    return p


@bare
def spaces(data, p, n, classes):
    """Return three ends of the run of spaces at p: of all, of all but its last character, of its last CR or LF or p."""
    last = after_newline = p
    q = p
    while q < n:
        kind, size = character(data, q, classes)
        if kind != SPACE:
            break
        last = q
        q += size
        if is_newline(data[last]):
            after_newline = q
    return q, last, after_newline


@bare
def contraction(data, p, any_case):
    """Return the length of 's, 't, 're, 've, 'm, 'll or 'd at p, or 0; in any case, the long s (U+017F) is an s."""
    if data[p] != 39:
        return 0
    a, b = int(data[p + 1]), int(data[p + 2])
    if any_case:
        if a == 0xC5 and b == 0xBF:
            return 3
        a |= 32 if 65 <= a <= 90 else 0
        b |= 32 if 65 <= b <= 90 else 0
    if a == 115 or a == 100 or a == 109 or a == 116:
        return 2
    if (a == 108 and b == 108) or ((a == 118 or a == 114) and b == 101):
        return 3
    return 0


@bare
def gpt2_end(data, p, n, classes):
    """Return where the piece at p ends, by the pattern of GPT-2."""
    size = contraction(data, p, False)
    if size:
        return p + size
    q = p + 1 if data[p] == 32 and p + 1 < n else p
    kind, _ = character(data, q, classes)
    if is_letter(kind):
        return letters(data, q, n, classes)
    if kind == NUMBER:
        return numbers(data, q, n, classes, n)
    if is_other(kind):
        return others(data, q, n, classes)
    q, last, _ = spaces(data, p, n, classes)
    return q if q >= n or last == p else last


@bare
def cl100k_end(data, p, n, classes, digits, ends_whole):
    """Return where the piece at p ends, by the pattern of cl100k, Llama 3 and Qwen."""
    size = contraction(data, p, True)
    if size:
        return p + size
    kind, size = character(data, p, classes)
    if is_letter(kind):
        return letters(data, p, n, classes)
    if kind == NUMBER:
        return numbers(data, p, n, classes, digits if digits else n)
    if not is_newline(data[p]):
        end = letters(data, p + size, n, classes)
        if end > p + size:
            return end
    q = p + 1 if data[p] == 32 else p
    end = others(data, q, n, classes)
    if end > q:
        while end < n and is_newline(data[end]):
            end += 1
        return end
    q, last, after_newline = spaces(data, p, n, classes)
    if ends_whole and q >= n:
        return q
    if after_newline > p:
        return after_newline
    return q if q >= n or last == p else last


@bare
def capitals(data, p, n, classes):
    """Return the end of the run of upper case, caseless letters and marks at p, and of the last of these two or p."""
    after_caseless = p
    while p < n:
        kind, size = character(data, p, classes)
        if not (is_letter(kind) or kind == MARK) or kind == LOWER:
            break
        p += size
        if kind != UPPER:
            after_caseless = p
    return p, after_caseless


@bare
def cased_word(data, p, n, classes):
    """Return the end of the word at p, some capitals and then small letters, or p if no small letter is there.

    What has no case (a caseless letter, a mark) can be either: it is a capital as long as small letters follow, and
    is the word's end where they do not.
    """
    q, after_caseless = capitals(data, p, n, classes)
    end = q
    while end < n:
        kind, size = character(data, end, classes)
        if kind != LOWER and kind != CASELESS and kind != MARK:
            break
        end += size
    return end if end > q else after_caseless


@bare
def o200k_word(data, p, n, classes, kind, size):
    """Return the end of the word at p without its contraction, or p if there is none; a lead character may precede."""
    may_lead = not is_letter(kind) and kind != NUMBER and not is_newline(data[p])
    if may_lead:
        end = cased_word(data, p + size, n, classes)
        if end > p + size:
            return end
    end = cased_word(data, p, n, classes)
    if end > p:
        return end
    if may_lead:
        end, _ = capitals(data, p + size, n, classes)
        if end > p + size:
            return end
    end, _ = capitals(data, p, n, classes)
    return end


@bare
def o200k_end(data, p, n, classes, digits):
    """Return where the piece at p ends, by the pattern of o200k."""
    kind, size = character(data, p, classes)
    end = o200k_word(data, p, n, classes, kind, size)
    if end > p:
        return end + contraction(data, end, True)
    if kind == NUMBER:
        return numbers(data, p, n, classes, digits if digits else n)
    q = p + 1 if data[p] == 32 else p
    end = others(data, q, n, classes)
    if end > q:
        while end < n and (is_newline(data[end]) or data[end] == 47):
            end += 1
        return end
    q, last, after_newline = spaces(data, p, n, classes)
    if after_newline > p:
        return after_newline
    return q if q >= n or last == p else last


@bare
def scan_end(data, p, n, classes, family, digits, ends_whole):
    """Return where the piece that starts at byte p of data[:n] ends, by the pattern of a family."""
    if family == GPT2:
        end = gpt2_end(data, p, n, classes)
    elif family == CL100K:
        end = cl100k_end(data, p, n, classes, digits, ends_whole)
    elif family == O200K:
        end = o200k_end(data, p, n, classes, digits)
    else:
        end = n
    return min(end, n)  # a character cut off at the end of the slice would reach beyond it

"""Receipts: one line for each slot, in the order of the course."""

from __future__ import annotations

from tinyllm.learn.slots.receipt import Entry, Receipt
from tinyllm.learn.work.files import like


def test_rows_calls_and_text():
    receipt = Receipt([Entry("10.3", "attention.attend_backward", "my/l10_attention.py:12", calls=1920)])
    receipt.entries.append(Entry("04.2", "softmax.softmax", "my/l04_next_byte.py:7"))
    receipt.note_open([("05.4", "LayerNorm.forward")])
    assert receipt.rows == [
        ("softmax.softmax", "my/l04_next_byte.py:7", 0),
        ("LayerNorm.forward", "library (exercise 05.4 open)", 0),
        ("attention.attend_backward", "my/l10_attention.py:12", 1920),
    ]
    assert receipt.calls == {"04.2": 0, "10.3": 1920}
    assert [entry.id for entry in receipt.uncalled()] == ["04.2"]
    assert receipt.text().splitlines() == [
        "stack for this run          yours                          calls",
        "softmax.softmax             my/l04_next_byte.py:7              0",
        "LayerNorm.forward           library (exercise 05.4 open)       -",
        "attention.attend_backward   my/l10_attention.py:12         1,920",
    ]


def test_a_run_without_anything_of_yours_says_so():
    assert "nothing of yours has passed yet" in Receipt().text()


def test_line_ends_are_those_of_the_file():
    assert like(b"", "a\nb\n") == like(b"x\n", "a\nb\n") == b"a\nb\n"
    assert like(b"x\r\n", "a\n") == b"a\r\n"

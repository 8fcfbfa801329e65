"""Reading JSON as it comes: the documents, and that everybody reads the same."""

from __future__ import annotations

import argparse
import json

import pytest


def test_everybody_reads_all_of_it(load):
    client_json = load("client_json")
    cases = client_json.cases(argparse.Namespace(tiny=True, quick=False))
    assert len({case["name"] for case in cases}) == len(cases) == 4
    for case in cases:
        text = client_json.document(case["kind"], case["size"])
        assert case["size"] <= len(text) <= case["size"] + 120
        ours, theirs = (client_json.prepare(name, case)[name].run() for name in ("tinyllm", "json"))
        value = json.loads(text)
        assert ours == theirs == len(value["content"] if case["kind"] == "text" else value["records"])
    with pytest.raises(load("turns").LeftOut):
        client_json.prepare("nobody", cases[0])


def test_who_reads_anew_stays_out_of_the_longest_case(load):
    cases = load("client_json").cases(argparse.Namespace(tiny=False, quick=False))
    assert [case["size"] for case in cases if case["without"]] == [789_000, 789_000]

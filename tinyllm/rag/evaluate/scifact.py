r"""SciFact: 5,183 abstracts of medical papers and 1,109 claims that they support or contradict (Wadden et al. 2020).

The archive's abstracts are NumPy arrays of strings, printed: sentences in quotes of either kind, some with a backslash
and an n for a line's end, or before a quote. Each is unescaped on its own; 981 abstracts need it, and a reader that
leaves the escapes in measures other figures. The sentences lose the blanks at their ends and are joined by one;
``meta["sentences"]`` holds their spans in the text.

Judgments are those of BEIR: test.tsv has no header and four columns with mixed blanks, train.tsv a header and three
columns. Many claims of the test split have a sister in the train split: see ``leak_report``.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import sys
import zipfile
from os import PathLike
from pathlib import Path

from ...errors import ConfigError, DataError
from ..types import Document
from .collections import Collection
from .dotted import read_text

SPLITS = ("test", "train")
_QUOTED = re.compile(r"'[^'\\]*(?:\\.[^'\\]*)*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\"", re.DOTALL)


def read_scifact(folder: str | PathLike[str], split: str = "test") -> Collection:
    """Read scifact.zip, beir/queries.jsonl and beir/qrels/<split>.tsv.

    Args:
        folder: that holds them.
        split: "test" (300 claims) or "train" (809).

    Raises:
        ConfigError: another split.
        DataError: a file that is missing or damaged.
    """
    if split not in SPLITS:
        raise ConfigError(f"scifact: split={split!r}", hint="test or train")
    home = Path(folder)
    texts = {}
    for line in read_text(home, "beir/queries.jsonl", "utf-8").splitlines():
        entry = json.loads(line)
        texts[entry["_id"]] = entry["text"]
    qrels: dict[str, dict[str, int]] = {}
    for line in read_text(home, f"beir/qrels/{split}.tsv", "utf-8").splitlines():
        columns = line.split()
        if not columns or columns[0] == "query-id":
            continue
        try:
            query, document, grade = columns[0], columns[-2], int(columns[-1])
            texts[query]
        except (IndexError, ValueError, KeyError) as error:
            raise DataError(f"{split}.tsv: {line!r}", hint="query, document and grade in each line") from error
        qrels.setdefault(query, {})[document] = grade
    return Collection(f"scifact {split}", _documents(home), {query: texts[query] for query in qrels}, qrels)


def sentences(printed: str) -> list[str]:
    r"""Return the strings of a NumPy array as it was printed, unescaped.

    Raises:
        DataError: something else than quoted strings in brackets.

    Example:
        >>> sentences('''['It\\'s warm.'\n "It isn't cold."]''')
        ["It's warm.", "It isn't cold."]
    """
    if _QUOTED.sub("", printed).split() not in (["[", "]"], ["[]"]):
        raise DataError(f"scifact: {printed[:40]!r} is no printed array of strings")
    found = _QUOTED.findall(printed.replace("\n", " "))
    return [ast.literal_eval(quoted) if "\\" in quoted else quoted[1:-1] for quoted in found]


def _documents(home: Path) -> dict[str, Document]:
    try:
        with zipfile.ZipFile(home / "scifact.zip") as archive:
            table = archive.read("corpus_train.csv").decode("utf-8")
    except FileNotFoundError as error:
        raise DataError(f"{home.name}: no file scifact.zip", hint="the folder that holds the collection") from error
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"scifact.zip is damaged: {error}", hint="fetch it again") from error
    documents = {}
    for row in csv.DictReader(io.StringIO(table, newline="")):
        spans, start = [], 0
        parts = [sentence.strip() for sentence in sentences(row["abstract"])]
        for part in parts:
            spans.append((start, start + len(part)))
            start += len(part) + 1
        name = sys.intern(row["doc_id"])
        documents[name] = Document(name, " ".join(parts), row["title"], meta={"sentences": tuple(spans)})
    return documents

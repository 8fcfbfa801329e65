"""Who has looked at which queries: a small JSON file that lies beside the user's reports.

A test set is worth something once. Whoever looks, changes something and looks again has begun to train on it, even
without any optimizer. That cannot be forbidden, but it can be written down: each run of a ladder adds an entry before
it starts, with what was predicted, and completes it with what came out. A run that was broken off showed nothing and
does not count; one that shares a single query with an earlier one does.

    {"format": "tinyllm looks 1", "runs": [{"title": ..., "queries": [...], "predictions": {...}, "means": {...}}]}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

from ...atomic import write_json
from ...errors import DataError

FORMAT = "tinyllm looks 1"


class Looks:
    """The runs that a file tells of.

    Args:
        path: of the file; it need not exist, its folder must.

    Raises:
        DataError: the file holds something else; it is left as it is.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self.runs: list[dict[str, Any]] = self._read()

    def begin(
        self, title: str, split: str, metric: str, queries: Iterable[str], predictions: Mapping[str, str | None]
    ) -> int:
        """Write down that a run starts, and return how many earlier ones have seen any of its queries.

        Args:
            title: of the collection.
            split: that is measured.
            metric: that is measured.
            queries: their texts.
            predictions: step -> what is expected of it, None where nothing is.

        Raises:
            CheckpointError: the file cannot be written.
        """
        self.runs = self._read()
        marks = sorted({hashlib.sha256(text.encode()).hexdigest()[:16] for text in queries})
        seen = sum(bool(run["means"]) and not set(marks).isdisjoint(run["queries"]) for run in self.runs)
        self.runs.append(
            {
                "title": title,
                "split": split,
                "metric": metric,
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
                "look": seen + 1,
                "steps": list(predictions),
                "predictions": {step: text for step, text in predictions.items() if text is not None},
                "means": {},
                "queries": marks,
            }
        )
        self._write()
        return seen

    def end(self, means: Mapping[str, float]) -> None:
        """Complete the entry of the run that began last with the mean of each step.

        Raises:
            DataError: none has begun.
            CheckpointError: the file cannot be written.
        """
        if not self.runs or self.runs[-1]["means"]:
            raise DataError(f"{self.path.name}: no run has begun", hint="begin, then end")
        self.runs[-1]["means"] = {step: round(mean, 6) for step, mean in means.items()}
        self._write()

    def _read(self) -> list[dict[str, Any]]:
        try:
            held = json.loads(self.path.read_text("utf-8"))
            if held["format"] != FORMAT:
                raise KeyError(held["format"])
            runs = list(held["runs"])
            for run in runs:
                set(run["queries"]), dict(run["means"])
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            hint = "another name, or repair it: it says who has looked at test"
            raise DataError(f"{self.path.name} is no record of looks: {error}", hint=hint) from error
        return runs

    def _write(self) -> None:
        write_json(self.path, {"format": FORMAT, "runs": self.runs})

"""The bundle: what the learner wrote, joined into one file that needs NumPy and nothing else.

meaning.py   what a name in a file of ours stands for: a definition, a module, or something of NumPy's
piece.py     one definition as it stands in the bundle: shorter, and with the bundle's names in it
join.py      all functions of the lessons, and before each what it stands on
file.py      where it is written, and over what it is not
"""

from __future__ import annotations

from .file import save
from .join import Joined, imported, joined

__all__ = ["Joined", "imported", "joined", "save"]

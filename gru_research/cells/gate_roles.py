"""What the gates of a cell are for, as analyses and reports ask it.

All of it is optional. A cell may declare

    gate_titles: ClassVar = {"f": "forget gate f"}     # in place of `TITLES`
    candidates: ClassVar = ("n",)                      # in place of `CANDIDATES`

    def kept(self, g):                                 # the share of the old state that a step keeps, [..., H], or None
        return g["f"]
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gru_research.types import ArrayLike

TITLES = {
    "r": "reset gate r", "z": "update gate z", "n": "candidate n", "i": "input gate i", "f": "forget gate f",
    "o": "output gate o", "g": "candidate g", "h": "state h", "m": "cell state shown m",
}  # fmt: skip
"""What `gates` returns under these names, in all cells of the library."""
CANDIDATES = ("n", "g", "h", "m")
"""The names that aren't gates from 0 to 1."""


def gate_title(cell: Any, gate: str) -> str:
    """Such as "update gate z"; the name alone where the cell declares no title for it."""
    return getattr(cell, "gate_titles", TITLES).get(gate, gate)


def is_candidate(cell: Any, gate: str) -> bool:
    """Whether `gate` is a value that the cell may take over, and no gate from 0 to 1."""
    return gate in getattr(cell, "candidates", CANDIDATES)


def kept_share(cell: Any, g: Mapping[str, ArrayLike]) -> np.ndarray | None:
    """The share of the old state that each step keeps, `[..., H]`, from the gates `g` by name.

    None where the cell declares no `kept`, as `VanillaRNN`, or keeps nothing, as `GRU` with update="none".
    """
    kept = cell.kept(g) if hasattr(cell, "kept") else None
    return None if kept is None else np.asarray(kept)

"""Series of several columns, their parts, and windows of them that share memory."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from gru_research.config import FileError
from gru_research.data.own_files import check_memory
from gru_research.types import Batch

from ..files.splits import SplitShares

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Part:
    """A set: `values [N, C]` of a series, NaN where one is missing. Rows from `start` on are forecast; earlier rows
    are only in look-backs."""

    values: np.ndarray
    start: int

    def window_starts(self, look_back: int, horizon: int) -> np.ndarray:
        """Returns the first forecast row of each window `[M]`. All forecast rows lie in the part."""
        return np.arange(max(self.start, look_back), len(self.values) - horizon + 1)


def joined(splits: Mapping[str, np.ndarray]) -> dict[str, Part]:
    """Returns parts of one series from arrays `[N, C]` that follow each other without a gap."""
    found, start = {}, 0
    whole = np.concatenate([splits[split] for split in SPLITS])
    for split in SPLITS:
        stop = start + len(splits[split])
        found[split] = Part(whole[:stop], start)
        start = stop
    return found


def divided(files: Mapping[str, np.ndarray], shares: SplitShares) -> dict[str, Part]:
    """Returns the parts from the series `[N, C]` of each file. Shares of the training file are its end, because a
    forecast comes after its data. Look-backs of validation and test then reach into the part before."""
    first = files["train"]
    found = {split: Part(first[: rows.stop], rows.start) for split, rows in shares.ends(len(first), "rows").items()}
    return found | {split: Part(values, 0) for split, values in files.items() if split != "train"}


def check_lengths(parts: Mapping[str, Part], look_back: int, horizon: int, where: Path) -> None:
    """Raises FileError unless each part has a window, and the windows of an evaluation fit memory."""
    for split, part in parts.items():
        count = len(part.window_starts(look_back, horizon))
        if count < 1:
            rows = len(part.values) - part.start
            raise FileError(
                f"{where}: {split} has {rows:,} rows, too few for horizon={horizon} after look_back={look_back}: "
                f"choose shorter ones"
            )
        if split != "train":
            needed = count * (look_back + horizon) * part.values.shape[1] * 4
            check_memory(where, needed, f"{count:,} windows of {split}")


def windows(part: Part, look_back: int, horizon: int) -> np.ndarray:
    """Returns the windows `[M, L + H, C]` of a part with float32 values, as a view: each value is stored once."""
    values = np.ascontiguousarray(part.values, np.float32)
    starts = part.window_starts(look_back, horizon)
    view = np.lib.stride_tricks.sliding_window_view(values, look_back + horizon, axis=0).swapaxes(1, 2)
    first = int(starts[0]) - look_back
    return view[first : first + len(starts)]


def split_windows(look_back: int, masked: bool, batch: Batch) -> Batch:
    """Divides `windows [B, T + U, C]` into `inputs` and `targets`; where values may be missing, these are 0 there, and
    `observed [B, T, C]` and `wanted [B, U, C]` are False."""
    values = batch["windows"]
    there = jnp.isfinite(values) if masked else None
    values = values if there is None else jnp.where(there, values, 0)
    prepared = {"inputs": values[:, :look_back], "targets": values[:, look_back:]}
    if there is None:
        return prepared
    return prepared | {"observed": there[:, :look_back], "wanted": there[:, look_back:]}

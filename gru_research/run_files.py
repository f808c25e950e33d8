"""Files of a run's directory beside its records: vocabularies, what a task learned from its data, test examples."""

import dataclasses
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gru_research import records

VOCABULARIES = "vocabularies.json"
LEARNED = "learned.json"
ARRAYS = "arrays"
_DAMAGED = (ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""Exceptions raised when a file isn't a valid archive of arrays."""


@dataclasses.dataclass(frozen=True)
class AttentionExamples:
    """The attention weights over the inputs of a few test examples, for the tokens of the model's own answers.

    Arrays are padded to the longest example; the lengths exclude the padding.

    Attributes:
      seed: the seed of the parameters.
      examples: `[B]`, indices in the test set.
      inputs, lengths: `[B, T]` tokens, or `[B, T, I]` vectors; and `[B]`.
      answers, answer_lengths: the model's tokens `[B, U]`, the end token included; and `[B]`.
      targets, target_lengths: the target tokens `[B, W]`; and `[B]`.
      weights: `[B, U, T]`, a row for each token of an answer.
      right: `[B]`, whether the answer equals the target, from its first token to its end.
      wrong_one: `[B]`, True for an example that was chosen because its answer is wrong.
    """

    seed: int
    examples: np.ndarray
    inputs: np.ndarray
    lengths: np.ndarray
    answers: np.ndarray
    answer_lengths: np.ndarray
    targets: np.ndarray
    target_lengths: np.ndarray
    weights: np.ndarray
    right: np.ndarray
    wrong_one: np.ndarray

    def __post_init__(self) -> None:
        for field, axes in (("weights", "B, U, T"), ("targets", "B, W")):
            if (found := getattr(self, field)).ndim != len(axes.split()):
                raise ValueError(f"{field} has the shape {found.shape} and must be [{axes}]")
        rows, answer, steps = self.weights.shape
        wanted: dict[str, tuple[int, ...]] = {
            "inputs": (rows, steps),
            "answers": (rows, answer),
            "targets": (rows, self.targets.shape[1]),
        }
        for field in ("examples", "lengths", "answer_lengths", "target_lengths", "right", "wrong_one"):
            wanted[field] = (rows,)
        for field, shape in wanted.items():
            found = getattr(self, field)
            if found.shape[: 2 if field == "inputs" else None] != shape:
                raise ValueError(f"{field} has the shape {found.shape} and must have {shape}")
            if field not in ("inputs", "right", "wrong_one") and not np.issubdtype(found.dtype, np.integer):
                raise ValueError(f"{field} has the type {found.dtype} and must be whole numbers")


def save_learned(workdir: Path, learned: Mapping[str, Any]) -> None:
    """Writes what a task took from its training data; no file where that is empty."""
    path = workdir / LEARNED
    if learned:
        records.write_whole(path, json.dumps(records.to_json(learned), ensure_ascii=False) + "\n")
    else:
        path.unlink(missing_ok=True)


def load_learned(workdir: Path) -> dict[str, Any] | None:
    """Returns what `save_learned` wrote; None where a run has no such file.

    Raises:
      RecordsError: the file can't be read, or holds something else.
    """
    found = _json(workdir / LEARNED)
    if found is not None and not isinstance(found, dict):
        raise records.RecordsError(f"{workdir / LEARNED} must hold an object")
    return found


def save_vocabularies(workdir: Path, vocabularies: Mapping[str, Sequence[str]]) -> None:
    """Writes the words of each field's vocabulary in the order of their token numbers; no file where there are none."""
    path = workdir / VOCABULARIES
    if vocabularies:
        words = {field: list(words) for field, words in vocabularies.items()}
        records.write_whole(path, json.dumps(words, indent=1, ensure_ascii=False) + "\n")
    else:
        path.unlink(missing_ok=True)


def load_vocabularies(workdir: Path) -> dict[str, tuple[str, ...]]:
    """Returns the words that `save_vocabularies` wrote; empty where a run has no such file.

    Raises:
      RecordsError: the file can't be read, or holds something else.
    """
    path = workdir / VOCABULARIES
    found = _json(path)
    if found is None:
        return {}
    lists = found.values() if isinstance(found, dict) else [None]
    if not all(isinstance(words, list) and all(isinstance(word, str) for word in words) for words in lists):
        raise records.RecordsError(f"{path} must hold lists of words by the names of fields")
    return {field: tuple(words) for field, words in found.items()}


def _json(path: Path) -> Any:
    """Returns the content of a JSON file; None where there is no such file. Raises RecordsError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as e:
        raise records.RecordsError(f"can't read {path}: {e.strerror}") from e
    except records.NOT_JSON as e:
        raise records.RecordsError(f"{path} isn't JSON ({records.why_not_json(e)})") from e


def save_attention(workdir: Path, label: str, attended: AttentionExamples) -> None:
    """Writes the arrays of a cell atomically."""
    _save(workdir, f"attention-{label}.npz", dataclasses.asdict(attended))


def load_attention(workdir: Path, label: str) -> AttentionExamples | None:
    """Returns what `save_attention` wrote; None where the cell has no such file.

    Raises:
      RecordsError: the file can't be read, or holds something else.
    """
    path = _saved(workdir, f"attention-{label}.npz")
    if path is None:
        return None
    try:
        fields: dict[str, Any] = _load(path)
        fields["seed"] = int(fields["seed"].item())
        return AttentionExamples(**{field.name: fields[field.name] for field in dataclasses.fields(AttentionExamples)})
    except _DAMAGED as e:
        raise _damaged(path) from e


def save_examples(workdir: Path, label: str, seed: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes the examples that a report draws of a cell, atomically. `seed` is the seed of the parameters."""
    _save(workdir, f"examples-{label}.npz", {"seed": seed, **arrays})


def load_examples(workdir: Path, label: str) -> dict[str, np.ndarray] | None:
    """Returns the arrays that `save_examples` wrote and `seed []`; None where the cell has no such file.

    Raises:
      RecordsError: the file can't be read, or holds something else.
    """
    path = _saved(workdir, f"examples-{label}.npz")
    if path is None:
        return None
    try:
        return _load(path)
    except _DAMAGED as e:
        raise _damaged(path) from e


def _save(workdir: Path, name: str, arrays: Mapping[str, Any]) -> None:
    whole = io.BytesIO()
    fields: Any = {field: np.asarray(array) for field, array in arrays.items()}
    np.savez_compressed(whole, **fields)
    folder = workdir / ARRAYS
    folder.mkdir(exist_ok=True)
    records.write_whole(folder / name, whole.getvalue())


def _saved(workdir: Path, name: str) -> Path | None:
    """Returns the path of a file of arrays; None where there is no such file."""
    folder = workdir / ARRAYS
    # The name must be in the folder's listing, so that a label from untrusted records can't lead to another folder.
    there = folder.is_dir() and name in {path.name for path in folder.iterdir()}
    return folder / name if there else None


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except OSError as e:
        raise records.RecordsError(f"can't read {path}: {e.strerror or e}") from e


def _damaged(path: Path) -> records.RecordsError:
    return records.RecordsError(f"{path} is damaged: remove it, and the report is made without it")

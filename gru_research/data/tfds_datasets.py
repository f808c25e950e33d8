"""Opens data sets that TFDS prepared as array_record, by name and split, without TensorFlow."""

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core.file_adapters import FileFormat
from tensorflow_datasets.core.read_only_builder import _find_builder_dir as find_builder_dir
from tensorflow_datasets.core.read_only_builder import builder_from_files
from tensorflow_datasets.core.registered import DatasetNotFoundError
from tensorflow_datasets.core.utils.error_utils import reraise_with_context

from gru_research.data.builtin_datasets import DataDirs, one_line, quiet_tfds, root_of

_FEATURES = "tensorflow_datasets.core.features."


def open_prepared(name: str, dirs: DataDirs) -> tfds.core.DatasetBuilder:
    """Returns the builder of a data set that is prepared in `data_dir`, made from its files alone.

    Args:
      name: "name", "name/config", "name:1.0.0" or "name/config:1.0.0", in TFDS's notation.

    Raises:
      ValueError: no data set has that name, or it is damaged, or it isn't stored as array_record.
    """
    root = root_of(dirs)
    try:
        with quiet_tfds():
            _check_features(name, root)
            builder = builder_from_files(name, data_dir=os.fspath(root))
            file_format = builder.info.file_format
    except DatasetNotFoundError as e:
        there = ", ".join(_prepared(root)) or "none"
        raise ValueError(f"dataset={name!r} isn't prepared in data_dir={os.fspath(root)!r}, only: {there}") from e
    except Exception as e:  # protobuf, json and TFDS report damage and strange names by several unrelated types
        raise ValueError(f"dataset={name!r} in data_dir={os.fspath(root)!r} can't be opened ({one_line(e)})") from e
    if file_format != FileFormat.ARRAY_RECORD:
        stored = file_format.value if file_format else "something unknown"
        raise ValueError(
            f"dataset={name!r} is stored as {stored} and must be array_record: prepare it with "
            f"builder.download_and_prepare(file_format='array_record')"
        )
    return builder


def _check_features(name: str, root: Path) -> None:
    """Raises ValueError if a data set's `features.json` names classes other than TFDS's own.

    TFDS imports the module of any class in that file, which runs its code.
    """
    with reraise_with_context(DatasetNotFoundError):  # TFDS's own search requires it
        folder = find_builder_dir(name, data_dir=os.fspath(root))
    if folder is not None:
        content = json.loads((folder / "features.json").read_text(encoding="utf-8"))
        foreign = [found for found in _classes(content) if not found.startswith(_FEATURES)]
        if foreign:
            raise ValueError(f"features.json names {foreign[0]!r}, and must name classes of {_FEATURES}*")


def _classes(content: Any) -> Iterator[str]:
    """Yields the classes that a `features.json` names. Files of older versions hold JSON inside strings."""
    if isinstance(content, list):
        for value in content:
            yield from _classes(value)
    elif isinstance(content, dict):
        for key, value in content.items():
            if key in ("pythonClassName", "python_class_name", "type") and isinstance(value, str):
                yield value
            yield from _classes(json.loads(value) if key == "json" and isinstance(value, str) else value)


def check_splits(builder: tfds.core.DatasetBuilder, parts: Mapping[str, str]) -> None:
    """Checks that the parts exist, hold examples, and don't overlap.

    Args:
      parts: for each field of the config the part it names: "train", "train[:90%]", "train[100:200]+test".

    Raises:
      ValueError: names the field, its part, and the splits that exist.
    """
    taken: dict[str, list[tuple[str, int, int]]] = {}
    for field, part in parts.items():
        try:
            info = builder.info.splits[part]
            taken[field] = [
                (f.filename, f.skip, f.examples_in_shard if f.take < 0 else f.skip + f.take)
                for f in info.file_instructions
            ]
        except (ValueError, KeyError) as e:
            sizes = ", ".join(f"{split} ({info.num_examples:,})" for split, info in builder.info.splits.items())
            raise ValueError(
                f"{field}={part!r} is no part of {builder.info.full_name}: it has {sizes}, and parts such as "
                f"'train[:90%]'"
            ) from e
        if not info.num_examples:
            raise ValueError(f"{field}={part!r} holds no examples")
    for field, other in _pairs(list(taken)):
        if any(a[0] == b[0] and a[1] < b[2] and b[1] < a[2] for a in taken[field] for b in taken[other]):
            raise ValueError(f"{other}={parts[other]!r} has examples in common with {field}={parts[field]!r}")


def examples(builder: tfds.core.DatasetBuilder, part: str, features: Collection[str]) -> Sequence[Any]:
    """Returns the examples of a part, after `check_splits`. Images and tensors outside `features` stay encoded."""
    tops = {feature.split("/")[0] for feature in features}
    known: Any = builder.info.features
    skipped: Any = {
        name: tfds.decode.SkipDecoding()
        for name, feature in known.items()
        if name not in tops and isinstance(feature, tfds.features.Image | tfds.features.Tensor)
    }
    open_part: Any = builder.as_data_source
    with quiet_tfds():
        return open_part(split=part, decoders=skipped)


def _pairs(names: list[str]) -> list[tuple[str, str]]:
    return [(a, b) for n, b in enumerate(names) for a in names[:n]]


def _prepared(root: Path) -> list[str]:
    """Returns the names of the prepared data sets in a folder."""
    found = {
        "/".join(file.parent.relative_to(root).parts[:-1])
        for pattern in ("*/*/features.json", "*/*/*/features.json")
        for file in root.glob(pattern)
    }
    return sorted(found)

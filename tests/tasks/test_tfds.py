"""Tasks from TFDS data sets: read by name, with features mapped by options. A builder makes the data set here."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow_datasets as tfds_library
from PIL import Image

from gru_research.config import UserError, call
from gru_research.data import DataDirs, DiskArrays, ShuffledBatches, chunk
from gru_research.tasks.tfds import tfds
from tests.faults import fault, seen
from tests.tasks.measuring import baseline, baseline_name, measures

TRAIN, TEST = 50, 12
LETTERS = "abcdefghijklmnopqrstuvwxyzé"


def example(i: int) -> dict[str, Any]:
    """Returns example i of any split. Sequences have 0 to 6 steps. `steps` is the length of the padded series."""
    steps = i % 7
    return {
        "text": LETTERS[-steps:] if steps else "",
        "label": (i * i) % 3,
        "rating": i % 5,
        "good": i % 2 == 0,
        "image": np.arange(i, i + 12, dtype=np.uint8).reshape(4, 3, 1),
        "series": np.arange(steps * 2, dtype=np.float32).reshape(steps, 2) + i,
        "padded": np.pad(np.full(steps, i, np.float32), (0, 8 - steps)),
        "steps": steps,
        "score": i / 4,
        "place": np.array([i, -i], np.float32),
        "tags": [(i + t) % 11 for t in range(steps)],
        "group": {"words": [(i + t) % 300 for t in range(steps)], "unit": 1},
        "frames": [{"x": 1.0}] * steps,
    }


class Stock(tfds_library.core.GeneratorBasedBuilder, skip_registration=True):
    name = "stock"
    VERSION = tfds_library.core.Version("1.2.0")
    BUILDER_CONFIGS = [tfds_library.core.BuilderConfig(name="plain"), tfds_library.core.BuilderConfig(name="other")]  # noqa: RUF012

    def _info(self) -> tfds_library.core.DatasetInfo:
        f = tfds_library.features
        features = {
            "text": f.Text(),
            "label": f.ClassLabel(num_classes=3),
            "rating": f.Scalar(np.int64),
            "good": f.Scalar(np.bool_),
            "image": f.Image(shape=(4, 3, 1)),
            "series": f.Tensor(shape=(None, 2), dtype=np.float32),
            "padded": f.Tensor(shape=(8,), dtype=np.float32),
            "steps": f.Scalar(np.int32),
            "score": f.Scalar(np.float32),
            "place": f.Tensor(shape=(2,), dtype=np.float32),
            "tags": f.Sequence(f.ClassLabel(num_classes=11)),
            "group": {"words": f.Sequence(np.int64), "unit": np.int64},
            "frames": f.Sequence({"x": np.float32}),
        }
        return tfds_library.core.DatasetInfo(builder=self, features=f.FeaturesDict(features), disable_shuffling=True)

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples(0, TRAIN), "test": self._generate_examples(TRAIN, TRAIN + TEST)}

    def _generate_examples(self, start: int, stop: int) -> Any:
        for i in range(start, stop):
            file = io.BytesIO()
            made = example(i)
            Image.fromarray(made["image"][..., 0]).save(file, "PNG")
            file.seek(0)
            yield i, made | {"image": file}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("data_dir"))
    Stock(data_dir=folder, config="plain").download_and_prepare(file_format="array_record")
    return folder


def make(data_dir: str, **options: Any) -> Any:
    return tfds("stock/plain", dirs=DataDirs(data_dir), **options)


def first(task: Any, split: str, count: int = 9) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Returns the first examples of a set, as the model's batch and as the builder made them."""
    rows = {name: jnp.asarray(a[:count]) for name, a in task.data.load(DataDirs())[split].items()}
    start = {"train": 0, "validation": 45, "test": TRAIN}[split]
    batch = {name: np.asarray(a) for name, a in jax.jit(task.prepare)(rows).items()}
    return batch, [example(i) for i in range(start, start + len(batch["targets"]))]


def assert_padded(inputs: np.ndarray, lengths: np.ndarray, want: list[Any]) -> None:
    assert lengths.tolist() == [len(w) for w in want]
    for row, w in zip(inputs, want, strict=True):
        np.testing.assert_array_equal(row[: len(w)], np.asarray(w).reshape(len(w), *row.shape[1:]))
        assert not row[len(w) :].any()


@pytest.mark.parametrize("name", ["stock", "stock/plain", "stock/plain:1.2.0"])
def test_text_is_read_byte_by_byte(data_dir: str, name: str) -> None:
    task = tfds(name, inputs="text", targets="label", max_length=9, dirs=DataDirs(data_dir))
    assert (task.spec.vocabulary, task.spec.output_size, task.length, task.metric) == (256, 3, 9, "accuracy")
    assert task.spec.example["inputs"] == jax.ShapeDtypeStruct((9,), jnp.int32)
    for split in ("train", "validation", "test"):
        batch, made = first(task, split)
        assert batch["inputs"].dtype == batch["targets"].dtype == np.int32
        assert_padded(batch["inputs"], batch["lengths"], [list(m["text"].encode()) for m in made])
        assert batch["targets"].tolist() == [m["label"] for m in made]
    sets = task.data.load(DataDirs())
    assert [len(sets[split]["targets"]) for split in ("train", "validation", "test")] == [45, 5, TEST]


@pytest.mark.parametrize(("order", "shape"), [("rows", (4, 3)), ("pixels", (12, 1))])
def test_images_are_read_by_rows_or_pixels(data_dir: str, order: str, shape: tuple[int, int]) -> None:
    task = make(data_dir, inputs="image", targets="good", order=order)
    assert task.spec.example["inputs"] == jax.ShapeDtypeStruct(shape, jnp.float32) and task.spec.output_size == 2
    batch, made = first(task, "test")
    np.testing.assert_allclose(batch["inputs"], [m["image"].reshape(shape) / 255 for m in made], rtol=1e-6)
    assert batch["targets"].tolist() == [m["good"] for m in made] and "lengths" not in batch


@pytest.mark.parametrize(
    ("options", "feature"),
    [
        ({"inputs": "text", "max_length": 13}, "text"),
        ({"inputs": "image", "order": "pixels"}, "image"),
        ({"inputs": "series", "max_length": 6}, "series"),
        ({"inputs": "padded", "lengths": "steps"}, "padded"),
        ({"inputs": "group/words", "max_length": 6, "vocabulary": 300}, "words"),
    ],
)
def test_what_a_person_gives_is_encoded_as_the_data_are(data_dir: str, options: Any, feature: str) -> None:
    task = make(data_dir, targets="label", **options)
    batch, made = first(task, "test")
    for n in (1, 4):
        given = (made[n] | made[n]["group"])[feature]
        encoded = task.encode(given[: made[n]["steps"]] if feature == "padded" else given)
        steps = batch["lengths"][n] if "lengths" in batch else task.length
        np.testing.assert_allclose(encoded["inputs"], batch["inputs"][n, :steps], atol=1e-7)
        assert encoded.get("lengths") == (steps if "lengths" in batch else None)
    assert task.decode(np.array([0.0, 5.0, 1.0]))["class"] == "1"


def test_numbers_that_differ_in_length_are_padded(data_dir: str) -> None:
    task = make(data_dir, inputs="series", targets="rating", classes=5, max_length=6)
    assert task.spec.example["inputs"].shape == (6, 2) and task.spec.vocabulary is None
    batch, made = first(task, "validation")
    assert_padded(batch["inputs"], batch["lengths"], [m["series"] for m in made])
    assert batch["targets"].tolist() == [m["rating"] for m in made]


@fault("data", "a length beyond its sequence")
def test_sequences_stored_padded_have_their_lengths_in_a_feature(data_dir: str) -> None:
    task = make(data_dir, inputs="padded", targets="label", lengths="steps")
    batch, made = first(task, "test")
    np.testing.assert_array_equal(batch["inputs"][..., 0], [m["padded"] for m in made])
    assert batch["lengths"].tolist() == [m["steps"] for m in made]
    short = make(data_dir, inputs="padded", targets="label", lengths="steps", max_length=3, cut=True)
    batch, made = first(short, "test")
    np.testing.assert_array_equal(batch["inputs"][..., 0], [m["padded"][:3] for m in made])
    assert batch["lengths"].tolist() == [min(m["steps"], 3) for m in made]
    with pytest.raises(UserError, match=r"lengths='rating' says \d of a sequence of \d steps") as caught:
        make(data_dir, inputs="tags", targets="label", lengths="rating", max_length=6).data.load(DataDirs())
    seen(caught)


@pytest.mark.parametrize(("path", "options", "size"), [("tags", {}, 11), ("group/words", {"vocabulary": 300}, 300)])
def test_tokens(data_dir: str, path: str, options: dict[str, int], size: int) -> None:
    task = make(data_dir, inputs=path, targets="label", max_length=6, **options)
    assert task.spec.vocabulary == size and task.spec.example["inputs"] == jax.ShapeDtypeStruct((6,), jnp.int32)
    batch, made = first(task, "train", 45)
    assert_padded(
        batch["inputs"], batch["lengths"], [m["tags"] if path == "tags" else m["group"]["words"] for m in made]
    )


def test_numbers_without_a_vocabulary_are_numbers(data_dir: str) -> None:
    task = make(data_dir, inputs="group/words", targets="label", max_length=6)
    assert task.spec.vocabulary is None and task.spec.example["inputs"].shape == (6, 1)


@pytest.mark.parametrize(("targets", "size"), [("score", 1), ("place", 2)])
def test_numbers_as_targets(data_dir: str, targets: str, size: int) -> None:
    task = make(data_dir, inputs="image", targets=targets)
    assert (task.metric, task.direction, task.spec.output_size) == ("mse", "min", size)
    batch, made = first(task, "test", TEST)
    np.testing.assert_allclose(batch["targets"], [np.reshape(m[targets], size) for m in made])
    mean = np.mean([example(i)[targets] for i in range(45)], axis=0)
    error = measures(task, jnp.asarray(np.broadcast_to(mean, (TEST, size)), jnp.float32), batch)["mse"].mean()
    assert float(error) == pytest.approx(baseline(task), rel=1e-5)
    assert task.threshold == baseline(task) / 2 and baseline_name(task) == "always the mean target"


def test_baseline_is_the_most_frequent_class(data_dir: str) -> None:
    task = make(data_dir, inputs="image", targets="label")
    labels = [example(i)["label"] for i in range(TRAIN + TEST)]
    most = max(range(3), key=labels[:45].count)
    assert baseline_name(task) == f"always class {most}"
    assert baseline(task) == pytest.approx(labels[TRAIN:].count(most) / TEST)
    assert task.threshold == pytest.approx((1 + baseline(task)) / 2)
    assert make(data_dir, inputs="image", targets="label", threshold=0.7).threshold == 0.7


@fault("data", "a sequence longer than max_length")
def test_too_long_is_an_error_or_cut(data_dir: str) -> None:
    options = {"inputs": "text", "targets": "label", "max_length": 4}
    with pytest.raises(
        UserError, match=r"inputs='text': a sequence of \d steps is longer than max_length=4; raise it"
    ) as caught:
        make(data_dir, **options).data.load(DataDirs())
    seen(caught)
    batch, made = first(make(data_dir, cut=True, **options), "train", 45)
    assert_padded(batch["inputs"], batch["lengths"], [list(m["text"].encode())[:4] for m in made])


def limited(data_dir: str, memory: float = 2.0) -> Any:
    return make(data_dir, inputs="tags", targets="label", max_length=6, memory=memory)


def test_from_disk_and_from_memory_are_the_same_bits(data_dir: str) -> None:
    row = 6 + 4 + 4
    whole = limited(data_dir).data.load(DataDirs())
    parts = limited(data_dir, memory=(TEST * row) / 2**30).data.load(DataDirs())
    assert isinstance(parts["train"], DiskArrays) and not isinstance(whole["train"], DiskArrays)
    assert parts["train"].nbytes == 45 * row == sum(a.nbytes for a in whole["train"].values())
    for name, array in parts["train"].items():
        assert (len(array), array.shape, array.dtype) == (45, whole["train"][name].shape, whole["train"][name].dtype)
        np.testing.assert_array_equal(array[3:5], whole["train"][name][3:5])
    on_disk, in_memory = ([ShuffledBatches(sets["train"], 8, seed) for seed in (0, 3)] for sets in (parts, whole))
    got, want = chunk(on_disk, 3, 7), chunk(in_memory, 3, 7)  # over a border between epochs of 5 batches
    assert got.keys() == want.keys() == {"inputs", "targets", "lengths"}
    for name, array in want.items():
        assert got[name].dtype == array.dtype and got[name].shape == (2, 7, 8, *array.shape[3:])
        np.testing.assert_array_equal(got[name], array)
        np.testing.assert_array_equal(on_disk[1][4][name], in_memory[1][4][name])
    for split in ("validation", "test"):
        for name, array in whole[split].items():
            np.testing.assert_array_equal(parts[split][name], array)


@fault("data", "an evaluation set that doesn't fit into memory")
def test_what_is_evaluated_must_fit(data_dir: str) -> None:
    with pytest.raises(
        UserError, match=r"validation='train\[90%:\]' takes 6.52e-08 GiB, more than memory=0.0 allows"
    ) as caught:
        limited(data_dir, memory=0.0).data.load(DataDirs())
    seen(caught)


FINE = {"dataset": "stock/plain", "inputs": "image", "targets": "label"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(
            {"dataset": "stick"},
            r"dataset='stick' isn't prepared in data_dir=.*, only: stock/plain$",
            marks=fault("data", "a TFDS data set that isn't prepared"),
        ),
        ({"dataset": "stock/other"}, "dataset='stock/other' isn't prepared"),
        ({"dataset": "stock/plain:2.0.0"}, "dataset='stock/plain:2.0.0' isn't prepared"),
        pytest.param(
            {"dataset": "a b//"},
            r"dataset='a b//' in data_dir=.* can't be opened \(ValueError",
            marks=fault("data", "a name that TFDS doesn't allow"),
        ),
        (
            {"inputs": ""},
            r"inputs='' must name a feature of the data set, which has frames \(Sequence\), good \(Scalar\)",
        ),
        pytest.param(
            {"inputs": "imago"},
            "inputs='imago' must name a feature of the data set",
            marks=fault("data", "an unknown feature"),
        ),
        pytest.param(
            {"inputs": "group"},
            "inputs='group' is a group of features; choose from group/unit, group/words",
            marks=fault("data", "a group of features instead of a feature"),
        ),
        ({"inputs": "frames"}, r"inputs='frames' \(Sequence of groups\) is nothing that can be read"),
        ({"inputs": "label"}, r"inputs='label' \(ClassLabel of shape \(\)\) must be text, an image, or"),
        pytest.param(
            {"inputs": "text"},
            "max_length=0 must be given: sequences of inputs='text' differ in length",
            marks=fault("data", "sequences of several lengths without max_length"),
        ),
        (
            {"inputs": "padded", "max_length": 5},
            "max_length=5 must be at least 8, inputs='padded''s length, or cut=True",
        ),
        ({"targets": "labels"}, "targets='labels' must name a feature"),
        pytest.param(
            {"targets": "text"},
            r"targets='text' \(Text of shape \(\)\) must be a class, or one or more numbers",
            marks=fault("data", "targets that are neither a class nor numbers"),
        ),
        ({"targets": "series"}, r"targets='series' \(Tensor of shape \(None, 2\)\) must be a class"),
        ({"targets": "rating"}, "classes=0 must be at least 2: targets='rating' doesn't say how many it has"),
        pytest.param(
            {"targets": "rating", "classes": 3},
            "targets='rating' holds the class 3; with classes=3 it must be below",
            marks=fault("data", "a class out of range"),
        ),
        ({"lengths": "score"}, r"lengths='score' \(Scalar of shape \(\)\) must be a whole number"),
        (
            {"validation": "valid"},
            r"validation='valid' is no part of stock/plain/1.2.0: it has train \(50\), test \(12\)",
        ),
        pytest.param(
            {"test": "test[20:]"},
            r"test='test\[20:\]' is no part of stock",
            marks=fault("data", "a missing part of a split"),
        ),
        ({"test": "test[:0]"}, r"test='test\[:0\]' holds no examples"),
        pytest.param(
            {"train": "train"},
            r"validation='train\[90%:\]' has examples in common with train='train'",
            marks=fault("data", "parts with examples in common"),
        ),
        ({"validation": "test[:3]"}, r"test='test' has examples in common with validation='test\[:3\]'"),
        ({"order": "columns"}, "order='columns' is unknown"),
        ({"max_length": -1}, "max_length=-1 must be 0"),
        ({"memory": -1.0}, "memory=-1.0 must be 0 or more GiB"),
        ({"threshold": -1.0}, "threshold=-1.0 must be 0 or more"),
    ],
)
def test_mistakes_are_one_line(data_dir: str, change: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        call(tfds, FINE | change, "config.task", {"dirs": DataDirs(data_dir)})
    assert str(caught.value).startswith("config.task.") and "\n" not in str(caught.value)
    seen(caught)


@fault("data", "tokens outside the vocabulary")
def test_tokens_outside_the_vocabulary(data_dir: str) -> None:
    task = make(data_dir, inputs="tags", targets="label", vocabulary=5, max_length=6)
    with pytest.raises(
        UserError, match=r"inputs='tags' holds tokens from .*; with vocabulary=5 they must be from 0 to 4"
    ) as caught:
        task.data.load(DataDirs())
    seen(caught)


@pytest.fixture
def copy(data_dir: str, tmp_path: Path) -> Path:
    """Copies the data set to `tmp_path`, to be damaged there. Returns its folder."""
    shutil.copytree(data_dir, tmp_path, dirs_exist_ok=True)
    return tmp_path / "stock" / "plain" / "1.2.0"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage", [flip, lambda path: os.truncate(path, 100), Path.unlink], ids=["flip", "cut", "gone"]
)
@pytest.mark.parametrize("pattern", ["*-train.array_record*", "dataset_info.json", "features.json"])
def test_damage_is_one_line(copy: Path, damage: Callable[[Path], None], pattern: str) -> None:
    (path,) = copy.glob(pattern)
    damage(path)
    with pytest.raises(ValueError, match=r"^dataset='stock/plain' ") as caught:
        make(str(copy.parents[2]), inputs="text", targets="label", max_length=9).data.load(DataDirs())
    assert re.search(r"is damaged|can't be opened|isn't prepared", str(caught.value))
    assert "\n" not in str(caught.value)


@fault("data", "a data set in another format")
def test_another_format_is_refused(copy: Path) -> None:
    info = json.loads((copy / "dataset_info.json").read_text())
    info["fileFormat"] = "tfrecord"
    (copy / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(
        ValueError, match="dataset='stock/plain' is stored as tfrecord and must be array_record"
    ) as caught:
        make(str(copy.parents[2]), inputs="image", targets="label")
    seen(caught, ends="2")  # `config.call` makes a user's mistake of it


def test_no_tensorflow_in_a_fresh_process(data_dir: str) -> None:
    program = f"""
from gru_research.data import DataDirs
from gru_research.tasks.tfds import tfds
for inputs in ("text", "image"):
    task = tfds("stock/plain", inputs=inputs, targets="label", max_length=9, dirs=DataDirs({data_dir!r}))
    print({{split: len(a["targets"]) for split, a in task.data.load(DataDirs()).items()}})
"""
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(root / "tests" / "stand_ins"), str(root)])  # the stand-in ends whoever imports it
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "{'train': 45, 'validation': 5, 'test': 12}\n" * 2, result.stderr


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../out/stock/plain", marks=fault("names", "a data set's name that is a path")),
        "{out}/stock/plain",
        "stock/../../out/stock/plain",
        "stock/..",
        "out/../stock/..",
        "stock/plain/data_dir={out}",
        "stock/plain:1.2.0/data_dir={out}",
        "stock\0/plain",
        "s" * 5000,
        "stock/" + "p" * 5000,
    ],
)
def test_a_name_stays_within_data_dir(data_dir: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    shutil.copytree(data_dir, tmp_path / "out")
    options = {"dataset": name.format(out=tmp_path / "out"), "inputs": "image", "targets": "label"}
    with pytest.raises(UserError, match=r"isn't prepared|can't be opened") as caught:
        call(tfds, options, "config.task", {"dirs": DataDirs(str(tmp_path / "in"))})
    assert "\n" not in str(caught.value)
    seen(caught)


FOREIGN = fault("file contents", "a data set whose description names a class of another module")


@pytest.mark.parametrize("form", [pytest.param("now", marks=FOREIGN), "older", "nested"])
def test_a_description_imports_nothing_but_tfds(copy: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = copy / "foreign_module.py"
    module.write_text(f"open({str(copy / 'ran')!r}, 'w')")
    monkeypatch.syspath_prepend(str(copy))
    features = json.loads((copy / "features.json").read_text())
    foreign: Any = {"pythonClassName": "foreign_module.Feature", "jsonFeature": {"json": "{}"}}
    if form == "older":
        foreign = {"type": "foreign_module.Feature", "content": {}}
    if form == "nested":
        foreign = {"pythonClassName": features["pythonClassName"], "jsonFeature": {"json": json.dumps({"x": foreign})}}
    features["featuresDict"]["features"]["label"] = foreign
    (copy / "features.json").write_text(json.dumps(features))
    with pytest.raises(ValueError, match=r"names 'foreign_module\.Feature', and must name classes of") as caught:
        make(str(copy.parents[2]), inputs="image", targets="good")
    assert "foreign_module" not in sys.modules and not (copy / "ran").exists()
    seen(caught, ends="2")

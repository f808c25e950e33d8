"""Tasks from a user's files: arrays, labelled sentences, a series and a text, from file to training."""

import dataclasses
import inspect
import json
import math
import re
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research import records, runs
from gru_research.config import FileError, UserError, experiment
from gru_research.data import DataDirs
from gru_research.metrics import Collected
from gru_research.tasks import Task
from gru_research.tasks.characters import characters
from gru_research.tasks.files import files, prediction_inputs
from gru_research.tasks.files.options import Options
from gru_research.training import make_plan
from tests.faults import fault, seen
from tests.launching import launch
from tests.tasks.measuring import baseline, measures

PARTS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files. Each is sorted or increasing, so that its end differs from the training part."""
    path, draws = tmp_path_factory.mktemp("own"), np.random.default_rng(0)
    lengths = draws.integers(3, 8, 60)
    lengths[:5] = 7
    beats = draws.normal(5, 3, (60, 7, 2))
    beats[np.arange(7) >= lengths[:, None]] = np.nan
    kinds = np.repeat(["calm", "fast", "odd"], 20)
    np.savez(path / "beats.npz", inputs=beats, targets=kinds, lengths=lengths)
    tokens = draws.integers(10, 13, (60, 7))
    tags = np.where(np.arange(7) < lengths[:, None], np.cumsum(tokens, 1) % 2, -1)
    np.savez(path / "tags.npz", inputs=tokens, targets=tags, lengths=lengths)
    steps = np.arange(100)
    prices = 100 + steps + 5 * np.sin(2 * np.pi * steps / 4) + draws.normal(size=100)
    rows = [f"{np.datetime64('2024-01-01') + s},{price:.3f},{s % 7}" for s, price in zip(steps, prices, strict=True)]
    (path / "prices.csv").write_text("date,price,weekday\n" + "\n".join(rows) + "\n")
    sentences = [f"{subject} {verb} it, {number}.\t{label}" for label, verb in (("good", "loves"), ("bad", "hates"))
                 for number in range(15) for subject in ("Ann", "Bob")]  # fmt: skip
    (path / "sentences.tsv").write_text("text\tlabel\n" + "\n".join(sentences) + "\n")
    text = "".join(f"{a} saw {b}. " for a, b in draws.choice(["Ann", "Bob", "Cleo"], (60, 2)))
    (path / "text.txt").write_text(text[:-50] + "q" + text[-50:])
    return path


def sets_of(task: Task) -> dict[str, Any]:
    return task.data.load(DataDirs())


def scores(task: Task, outputs: Any, batch: Any) -> dict[str, float]:
    """Returns every metric of a whole set."""
    found = {}
    for name, metric in task.metrics.items():
        parts = metric.statistics(outputs, batch)
        if isinstance(metric, Collected):
            found[name] = metric.score({key: np.asarray(a) for key, a in parts.items()})
            continue
        found[name] = float(metric.finish({key: np.asarray(a, np.float64).sum() for key, a in parts.items()}))
    return found


def test_shares_of_arrays_are_drawn_and_scaled_by_training_alone(folder: Path) -> None:
    task = files(str(folder / "beats.npz"), validation_share=0.2, test_share=0.25, seed=3)
    stored = dict(np.load(folder / "beats.npz"))
    sets = sets_of(task)
    assert [len(sets[part]["inputs"]) for part in PARTS] == [33, 12, 15]
    order = np.random.RandomState(3).permutation(60)
    rows = {"train": order[27:], "validation": np.sort(order[:12]), "test": np.sort(order[12:27])}
    known = np.concatenate([stored["inputs"][n, : stored["lengths"][n]] for n in rows["train"]])
    for part in PARTS:
        names = [task.vocabularies["targets"][number] for number in sets[part]["targets"]]
        assert names == stored["targets"][rows[part]].tolist() and len(set(names)) == 3
        np.testing.assert_array_equal(sets[part]["lengths"], stored["lengths"][rows[part]])
        for row, n, length in zip(sets[part]["inputs"], rows[part], sets[part]["lengths"], strict=True):
            scaled = (stored["inputs"][n, :length].astype(np.float32) - known.mean(0)) / known.std(0)
            np.testing.assert_allclose(row[:length], scaled, atol=1e-5)
            assert not row[length:].any()
    most = Counter(stored["targets"][rows["train"]].tolist()).most_common(1)[0][0]
    assert task.trivial == {f"always {most!r}": np.mean(stored["targets"][rows["test"]] == most)}
    raw = stored["inputs"][0, : stored["lengths"][0]]
    np.testing.assert_allclose(task.encode(raw)["inputs"], (raw - known.mean(0)) / known.std(0), atol=1e-5)
    assert task.decode(np.array([0.0, 3.0, 0.0]))["class"] == "fast"
    answers = jax.nn.one_hot(jnp.zeros(15, jnp.int32), 3)  # always the first class
    share = np.mean(sets["test"]["targets"] == 0)
    assert scores(task, answers, sets["test"])["macro_f1"] == pytest.approx(2 * share / (1 + share) / 3)
    others = sets_of(files(str(folder / "beats.npz"), seed=4))["test"]
    assert others["inputs"].shape != sets["test"]["inputs"].shape or (others["inputs"] != sets["test"]["inputs"]).any()


def test_tags_count_at_real_steps_alone(folder: Path) -> None:
    task = files(str(folder / "tags.npz"))
    sets, stored = sets_of(task), dict(np.load(folder / "tags.npz"))
    test = sets["test"]
    real = np.arange(test["inputs"].shape[1]) < test["lengths"][:, None]
    rows = np.sort(np.random.RandomState(0).permutation(60)[6:12])
    np.testing.assert_array_equal(test["targets"][real], stored["targets"][rows][:, : real.shape[1]][real])
    assert task.vocabularies == {"inputs": ("10", "11", "12", "<unknown>"), "targets": ("0", "1")}
    assert task.spec.answers == "every" and task.encode(np.array([12, 10, 99]))["inputs"].tolist() == [2, 0, 3]
    logits = np.random.default_rng(1).normal(size=(*test["targets"].shape, 2)).astype(np.float32)
    found = scores(task, jnp.asarray(logits), test)
    right = (logits.argmax(-1) == test["targets"])[real]
    assert found["accuracy"] == pytest.approx(right.mean(), rel=1e-6)
    f1 = []
    for label in (0, 1):
        said, wanted = (logits.argmax(-1) == label)[real], (test["targets"] == label)[real]
        precision, recall = (said & wanted).sum() / said.sum(), (said & wanted).sum() / wanted.sum()
        f1.append(2 * precision * recall / (precision + recall))
    assert found["macro_f1"] == pytest.approx(np.mean(f1))
    nll = np.log(np.exp(logits).sum(-1)) - np.take_along_axis(logits, test["targets"][..., None], -1)[..., 0]
    assert found["loss"] == pytest.approx(nll[real].mean(), rel=1e-5)
    most = Counter(sets["train"]["targets"][np.arange(7) < sets["train"]["lengths"][:, None]].tolist()).most_common(1)
    assert task.trivial == {f"always '{most[0][0]}'": pytest.approx((test["targets"][real] == most[0][0]).mean())}


def test_numbers_of_sequences_are_scored_in_their_own_units(tmp_path: Path) -> None:
    draws = np.random.default_rng(2)
    targets = draws.normal([10, -200], [2, 50], (40, 2))
    np.savez(tmp_path / "a.npz", inputs=draws.normal(size=(40, 5)), targets=targets)
    task = files(str(tmp_path / "a.npz"))
    order = np.random.RandomState(0).permutation(40)
    known, wanted = targets[order[8:]], targets[np.sort(order[4:8])]
    test = sets_of(task)["test"]
    np.testing.assert_allclose(test["targets"], (wanted - known.mean(0)) / known.std(0), atol=1e-5)
    assert baseline(task) == pytest.approx(np.sqrt(np.square(wanted - known.mean(0)).mean()))
    assert not any("whole floats" in line for line in task.warnings)
    assert scores(task, jnp.zeros((4, 2)), test)["rmse"] == pytest.approx(baseline(task), rel=1e-5)
    assert scores(task, jnp.zeros((4, 2)), test)["mae"] == pytest.approx(
        np.abs(wanted - known.mean(0)).mean(), rel=1e-5
    )
    assert list(task.decode(np.array([1.0, 0.0])).values()) == pytest.approx([known.mean(0)[0] + known.std(0)[0],
                                                                              known.mean(0)[1]], rel=1e-6)  # fmt: skip


def test_numbers_at_each_step_count_where_steps_are_real(tmp_path: Path) -> None:
    draws, lengths = np.random.default_rng(3), np.array([3, 5, 2, 4] * 10)
    targets = np.where(np.arange(5) < lengths[:, None], draws.normal(7, 2, (40, 5)), np.inf)
    np.savez(tmp_path / "a.npz", inputs=np.ones((40, 5)), targets=targets[..., None], lengths=lengths)
    task, order = files(str(tmp_path / "a.npz")), np.random.RandomState(0).permutation(40)
    known, wanted = (a[np.isfinite(a)] for a in (targets[order[8:]], targets[np.sort(order[4:8])]))
    test = sets_of(task)["test"]
    assert baseline(task) == pytest.approx(np.sqrt(np.square(wanted - known.mean()).mean()))
    outputs = jnp.zeros(test["targets"].shape)
    assert scores(task, outputs, test)["rmse"] == pytest.approx(baseline(task), rel=1e-5)


def test_windows_of_a_series_never_see_what_they_forecast(folder: Path) -> None:
    options: dict[str, Any] = {"target": "price", "length": 6, "horizon": 2, "season": 4}
    task = files(str(folder / "prices.csv"), validation_share=0.2, test_share=0.1, **options)
    lines = (folder / "prices.csv").read_text().splitlines()[1:]
    series = np.array([[float(cell) for cell in line.split(",")[1:]] for line in lines])
    mean, std = series[:70].mean(0), series[:70].std(0)
    cuts, sets = {"train": (0, 70), "validation": (70, 90), "test": (90, 100)}, sets_of(task)
    for part, (start, stop) in cuts.items():
        firsts = [s for s in range(len(series)) if s >= 6 and s >= start and s + 2 <= stop]
        inputs = [(series[s - 6 : s] - mean) / std for s in firsts]
        targets = [((series[s : s + 2] - mean) / std)[:, 0] for s in firsts]
        np.testing.assert_allclose(sets[part]["inputs"], inputs, atol=1e-5)
        np.testing.assert_allclose(sets[part]["targets"], targets, atol=1e-5)
    price, firsts = series[:, 0], range(90, 99)
    last = np.mean([(price[s + h] - price[s - 1]) ** 2 for s in firsts for h in range(2)])
    season = np.mean([(price[s + h] - price[s + h - 4]) ** 2 for s in firsts for h in range(2)])
    assert task.trivial == {
        "repeating the last step": pytest.approx(math.sqrt(last)),
        "repeating the season of 4": pytest.approx(math.sqrt(season)),
    }
    assert task.baseline == pytest.approx(math.sqrt(season)) and task.metric == "rmse"
    right = jnp.asarray(sets["test"]["targets"]) + jnp.asarray([3.0, -1.0])
    found = scores(task, right, sets["test"])
    assert found["rmse"] == pytest.approx(std[0] * math.sqrt(5), rel=1e-5)
    assert found["mae"] == pytest.approx(std[0] * 2, rel=1e-5)
    np.testing.assert_allclose(task.encode(series)["inputs"], (series[-6:] - mean) / std, atol=1e-5)
    assert task.decode(np.array([0.0, 1.0])) == pytest.approx([mean[0], mean[0] + std[0]], rel=1e-6)


def test_words_and_labels_come_from_training_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("label\ttext\nbad\tCleo hates the zebra\n")
    task = files(str(folder / "sentences.tsv"), test=str(tmp_path / "test.tsv"), validation_share=0.1)
    sets = sets_of(task)
    words, labels = task.vocabularies["inputs"], task.vocabularies["targets"]
    assert words[-1] == "<unknown>" and labels == ("bad", "good")
    rows = [line.split("\t") for line in (folder / "sentences.tsv").read_text().splitlines()[1:]]
    drawn = [rows[n] for n in np.random.RandomState(0).permutation(60)[6:]]
    assert set(words[:-1]) == {word for text, _ in drawn for word in re.findall(r"\w+|[^\w\s]", text)}
    first = sets["train"]
    said = [words[token] for token in first["inputs"][0][: first["lengths"][0]]]
    assert "".join(said) == drawn[0][0].replace(" ", "") and labels[first["targets"][0]] == drawn[0][1]
    assert [words[token] for token in sets["test"]["inputs"][0]] == ["<unknown>", "hates", "<unknown>", "<unknown>"]
    assert any("test: 3 of 4 tokens aren't known from training" in line for line in task.warnings)
    assert any("test: no example of the class 'good'" in line for line in task.warnings)
    assert [words[token] for token in task.encode("Ann hates zebras")["inputs"]] == ["Ann", "hates", "<unknown>"]
    letters = files(str(folder / "sentences.tsv"), unit="characters", length=3, seed=1)
    assert letters.length == 3 and set(letters.vocabularies["inputs"]) == {*"AnBob", "<unknown>"}


@pytest.mark.parametrize("unit", ["characters", "words"])
def test_a_text_is_cut_in_parts_and_what_comes_next_is_asked(folder: Path, unit: Any) -> None:
    task = files(str(folder / "text.txt"), unit=unit, length=5)
    text = (folder / "text.txt").read_text()
    units = list(text) if unit == "characters" else re.findall(r"\w+|[^\w\s]", text)
    cuts = [0, len(units) - 2 * round(len(units) / 10), len(units) - round(len(units) / 10), len(units)]
    parts = {part: units[a:b] for part, a, b in zip(PARTS, cuts[:-1], cuts[1:], strict=True)}
    words = task.vocabularies["inputs"]
    assert list(words) == [*sorted(set(parts["train"])), "<unknown>"] and "q" not in words
    for part, stored in sets_of(task).items():
        batch = jax.jit(task.prepare)(stored)
        known = [unit if unit in words else "<unknown>" for unit in parts[part]]
        count = (len(known) - 1) // 5
        for name, start in (("inputs", 0), ("targets", 1)):
            assert [words[token] for token in np.ravel(batch[name])] == known[start : start + 5 * count]
    counts = Counter(parts["train"])
    total = len(parts["train"]) + len(words)
    nll = [-math.log((counts[unit] + 1) / total) for unit in parts["test"][1 : 1 + 5 * count]]
    reached = np.mean(nll) / math.log(2) if unit == "characters" else math.exp(np.mean(nll))
    assert baseline(task) == pytest.approx(reached)
    frequency = jnp.log(jnp.asarray([(counts[word] + 1) / total for word in words]))
    outputs = jnp.broadcast_to(frequency, (*batch["targets"].shape, len(words)))
    assert scores(task, outputs, batch)[task.metric] == pytest.approx(baseline(task), rel=1e-5)
    assert task.continues and task.decode(task.encode("Ann saw")["inputs"]) == "Ann saw"


def test_characters_take_a_text_too(folder: Path) -> None:
    own = characters(train=str(folder / "text.txt"), length=5)
    same = files(str(folder / "text.txt"), kind="next_token", length=5, validation_share=0.05, test_share=0.05)
    assert (own.name, own.trivial, own.spec) == ("characters-text", same.trivial, same.spec) and own.threshold is None
    jax.tree.map(np.testing.assert_array_equal, sets_of(own), sets_of(same))
    assert characters(learned=json.loads(json.dumps(own.learned)), length=5).name == own.name


FORMS: dict[str, dict[str, Any]] = {
    "beats.npz": {}, "tags.npz": {}, "prices.csv": {"season": 4}, "sentences.tsv": {}, "text.txt": {"unit": "words"},
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_a_task_is_built_again_from_what_it_learned(folder: Path, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes((folder / name).read_bytes())
    task = files(str(path), **FORMS[name])
    path.rename(tmp_path / "away")
    again = files(str(path), **FORMS[name], learned=json.loads(json.dumps(task.learned)))  # reads nothing
    for field in ("name", "spec", "trivial", "vocabularies", "warnings", "files", "length"):
        assert getattr(again, field) == getattr(task, field), field
    assert again.files == (path,)
    (tmp_path / "away").rename(path)
    jax.tree.map(np.testing.assert_array_equal, sets_of(again), sets_of(task))


def test_arrays_may_have_other_names_and_labels_a_column(folder: Path, tmp_path: Path) -> None:
    stored = dict(np.load(folder / "tags.npz"))
    np.savez(tmp_path / "a.npz", X=stored["inputs"], y=np.arange(60)[:, None] % 2, inputs=stored["inputs"][:5])
    np.savez(tmp_path / "b.npz", inputs=stored["inputs"], targets=np.arange(60) % 2)
    named = sets_of(files(str(tmp_path / "a.npz"), inputs="X", target="y"))
    jax.tree.map(np.testing.assert_array_equal, named, sets_of(files(str(tmp_path / "b.npz"))))


def test_whole_floats_may_be_meant_as_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", inputs=np.random.default_rng(0).normal(size=(30, 4)), targets=np.arange(30) % 3.0)
    said = "targets are whole floats: stored as whole numbers they would be classes (kind)"
    assert said in files(str(tmp_path / "a.npz")).warnings
    assert said not in files(str(tmp_path / "a.npz"), kind="regression").warnings


def test_times_are_told_from_texts(tmp_path: Path) -> None:
    for name, times, said in (
        ("a", "2024-01-05T12:30:00Z", True),
        ("b", "05/01/2024 3:30 PM", True),
        ("c", "1 2 3", False),
    ):
        (tmp_path / f"{name}.csv").write_text("x,y\n" + "".join(f"{times},{n % 2}\n" for n in range(60)))
        task = files(str(tmp_path / f"{name}.csv"))
        assert task.learned["reading"]["form"] == ("series" if said else "sentences"), times


DAYS = [date(2023, 11, 25) + timedelta(days=n) for n in range(60)]
FORMS_OF_TIMES = ("%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d %b %Y", "%b %d, %Y", "%Y%m%d",
                  "%m/%d/%y %I:%M %p", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S UTC")  # fmt: skip


def series(path: Path, times: list[str]) -> str:
    path.write_text("date,x\n" + "".join(f'"{time}",{n}.5\n' for n, time in enumerate(times)))
    return str(path)


@pytest.mark.parametrize("form", FORMS_OF_TIMES)
def test_rows_out_of_order_are_refused_in_every_form_of_times(tmp_path: Path, form: str) -> None:
    path, times = tmp_path / "a.csv", [day.strftime(form) for day in DAYS]
    task = files(series(path, times), length=3)
    assert not any("order" in line for line in task.warnings)
    swapped = [*times[:40], times[41], times[40], *times[42:]]
    for wrong, row in ((times[::-1], 1), (swapped, 41)):
        with pytest.raises(ValueError, match="is before the time of the row above: sort the rows by time") as caught:
            files(series(path, wrong), length=3)
        assert str(caught.value).startswith(f"{path}:{row + 2}: date={wrong[row]!r} is")
    other = series(tmp_path / "b.csv", times[::-1])
    with pytest.raises(ValueError, match=r"b\.csv:\d+: date=.* is before the time of the row above"):
        files(series(path, times), length=3, test=other)
    with pytest.raises(ValueError, match=r"b\.csv:\d+: date=.* is before the time of the row above"):
        prediction_inputs.from_table(task.learned, Path(other))
    (asked,) = prediction_inputs.from_table(task.learned, path) or []
    assert asked[:, 0].tolist() == [n + 0.5 for n in range(60)]


def test_times_may_be_ambiguous_numbers_or_of_no_known_form(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    either = [f"{1 + n // 12:02}/{1 + n % 12:02}/2024" for n in range(40)]  # in order as month/day alone
    assert not any("order" in line for line in files(series(path, either), length=3).warnings)
    years = [str(2024 - n // 12) for n in range(40)]
    with pytest.raises(ValueError, match=r"a\.csv: date falls from row to row: sort the rows from the oldest"):
        files(series(path, years), length=3)
    quarters = [f"{2000 + n // 4}Q{1 + n % 4}" for n in range(40)]
    said = (
        "a.csv: the form of the times in 'date' isn't known, and their order isn't checked: rows must run from older "
        "to newer"
    )
    assert said in files(series(path, quarters), length=3).warnings


@pytest.mark.filterwarnings("error")
def test_numbers_beyond_float32_are_named_by_their_place(tmp_path: Path) -> None:
    inputs, targets = np.ones((20, 4)), np.ones(20)
    inputs[3, 2] = -1e39
    np.savez(tmp_path / "a.npz", inputs=inputs, targets=np.arange(20) % 2)
    with pytest.raises(FileError) as caught:
        files(str(tmp_path / "a.npz"))
    must = "must be at most 3.4e+38 in size: it is beyond float32"
    assert str(caught.value) == f"{tmp_path}/a.npz: inputs[3, 2] is -1e+39, and {must}"
    targets[5] = 1e39
    np.savez(tmp_path / "a.npz", inputs=np.ones((20, 4)), targets=targets)
    with pytest.raises(FileError) as caught:
        files(str(tmp_path / "a.npz"))
    assert str(caught.value) == f"{tmp_path}/a.npz: targets[5] is 1e+39, and {must}"
    np.savez(tmp_path / "a.npz", inputs=inputs, targets=np.arange(20) % 2, lengths=np.full(20, 2))
    assert np.isfinite(sets_of(files(str(tmp_path / "a.npz")))["train"]["inputs"]).all()  # behind lengths
    np.save(tmp_path / "a.npy", inputs[:, 2])
    with pytest.raises(ValueError, match=r"a\.npy: step 3 holds -1e\+39, which is beyond float32$"):
        files(str(tmp_path / "a.npy"))


def test_columns_of_different_size_have_a_note(tmp_path: Path) -> None:
    rows = "".join(f"{n % 7},{20 * (n % 5)},{n % 4}\n" for n in range(60))
    (tmp_path / "a.csv").write_text("open,volume,close\n" + rows)
    said = "rmse adds up columns of different size: open, volume, close; name one with task.target"
    assert said in files(str(tmp_path / "a.csv"), length=3).warnings
    assert said in files(str(tmp_path / "a.csv"), length=3, normalise=False).warnings
    whole = files(str(tmp_path / "a.csv"), length=3, horizon=2)
    test, std = sets_of(whole)["test"], np.array(whole.learned["facts"]["scale"]["std"])
    off = np.random.default_rng(0).normal(size=test["targets"].shape).astype(np.float32)
    found = scores(whole, jnp.asarray(test["targets"] + off), test)
    own = np.sqrt(np.square(off.reshape(-1, 2, 3) * std).mean((0, 1)))
    assert [found[f"rmse_{name}"] for name in ("open", "volume", "close")] == pytest.approx(own.tolist(), rel=1e-4)
    assert found["rmse"] == pytest.approx(np.sqrt(np.square(own).mean()), rel=1e-4)
    task = files(str(tmp_path / "a.csv"), length=3, kind="forecasting", target="open,close")
    assert not any("rmse" in line for line in task.warnings)
    (tmp_path / "b.csv").write_text("a b,a_b\n" + "".join(f"{n % 7},{n % 5}\n" for n in range(60)))
    named = files(str(tmp_path / "b.csv"), length=3).metrics
    assert [name for name in named if "rmse_" in name] == ["rmse_a_b_0", "rmse_a_b_1"]


def test_many_whole_numbers_rare_words_and_an_index_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"

    def table(head: str, row: str) -> str:
        path.write_text(head + "\n" + "".join(row.format(n=n, c=n % 30) + "\n" for n in range(240)))
        return str(path)

    meant = "asked for is classification of 'score', whose whole numbers are classes; kind='regression' reads them as "
    assert f"a.csv: {meant}numbers (kind)" in files(table("text,score", "good {c},{c}")).warnings
    assert not any(
        "regression" in line for line in files(table("text,score", "good {c},{c}"), kind="classification").warnings
    )
    with pytest.raises(ValueError, match=r"; kind='regression' reads whole numbers as numbers$"):
        files(table("text,score", "good {n},{n}"))
    np.savez(tmp_path / "a.npz", inputs=np.ones((240, 3)), targets=np.arange(240) % 30)
    assert (
        "30 whole numbers are classes; kind='regression' reads them as numbers"
        in files(str(tmp_path / "a.npz")).warnings
    )
    rare = files(table("text,label", "good {n},{n}".replace("{n},{n}", "w{n},{c}")), min_count=1000).warnings
    why = "aren't known from training, or occur there fewer than min_count=1000 times: <unknown>"
    assert f"test: 48 of 48 tokens {why}" in rare
    index = "; the first column has no name, as pandas writes its index: use index=False"
    with pytest.raises(ValueError, match=f"has the columns Date, Close: name the column .*{index}$"):
        files(table(",Date,Close", "{n},2024-01-01,{c}"))
    with pytest.raises(ValueError, match=f"would be read with all columns but label{index}$"):
        files(table(",a,b,label", "{n},1,2,{c}"), kind="classification")
    notes = files(table(",a", "{n},{c}")).warnings
    assert "a.csv: not read: the first column, which has no name (inputs)" in notes


def test_a_row_may_be_a_sequence(tmp_path: Path) -> None:
    rows = [f"{n % 2},{n},{n + 1},{n + 2}" for n in range(30)]
    (tmp_path / "a.csv").write_text("kind,x1,x2,x3\n" + "\n".join(rows))
    task = files(str(tmp_path / "a.csv"), kind="classification", target="kind", normalise=False)
    train = sets_of(task)["train"]
    np.testing.assert_array_equal(train["inputs"][..., 0] - train["inputs"][:, :1, 0], [[0, 1, 2]] * 24)
    np.testing.assert_array_equal(train["inputs"][:, 0, 0] % 2, train["targets"])


def mistakes(folder: Path) -> list[tuple[str, dict[str, Any], str]]:
    """Returns the mistakes, each with a description, the options and the error message."""
    one = folder / "one"
    one.mkdir()
    draws = np.random.default_rng(0)

    def npz(name: str, **arrays: Any) -> str:
        np.savez(one / name, **arrays)
        return str(one / name)

    def text(name: str, content: str) -> str:
        (one / name).write_text(content)
        return str(one / name)

    inputs, beats, prices = draws.normal(size=(20, 4, 2)), str(folder / "beats.npz"), str(folder / "prices.csv")
    holes = inputs.copy()
    holes[3, 2, 1] = np.nan
    labels = np.arange(20) % 2
    rows = "".join(f"a b,{'ab'[n % 2]}\n" for n in range(20))
    other = text("other.csv", "text,label\na b,c\n")
    return [
        ("no file named", {}, "config.task.train='' must name a file, which ends with .npz, .npy, .csv, .tsv, .txt"),
        ("an ending that says nothing", {"train": text("a.parquet", "x")},
         "config.task.train='a.parquet' must end with .npz, .npy, .csv, .tsv, .txt; kind='next_token' reads any other "
         "file as a text"),
        ("a kind that such a file isn't for", {"train": beats, "kind": "forecasting"},
         "config.task.kind='forecasting' isn't for a .npz file; choose from classification, regression, tagging"),
        ("an option that does nothing there", {"train": beats, "season": 4},
         f"config.task.season=4 is for series, and {beats} is read as arrays"),
        ("a test file that is the training file", {"train": prices, "test": prices},
         f"config.task.test={prices!r} is the file of train too, or a copy of it: leave it out for a share of train's"),
        ("shares that leave nothing", {"train": beats, "validation_share": 0.5, "test_share": 0.5},
         "config.task.test_share=0.5 and validation_share=0.5 leave nothing for training"),
        ("a share without an example", {"train": beats, "test_share": 0.001},
         "config.task.test_share=0.001 of 60 examples is none"),
        ("inputs of a strange shape", {"train": npz("a.npz", inputs=np.ones(3), targets=np.ones(3))},
         f"{one}/a.npz: inputs of shape (3,) (float64) must be numbers [N, T] or [N, T, I], N, T and I at least 1"),
        ("targets of another number", {"train": npz("b.npz", inputs=inputs, targets=labels[1:])},
         f"{one}/b.npz: targets of shape (19,) must have N=20 rows, as inputs has"),
        ("labels that don't fit the steps", {"train": npz("c.npz", inputs=inputs, targets=np.ones((20, 3), int))},
         f"{one}/c.npz: targets of shape (20, 3) (int64) must be whole numbers or texts, [N] for classification or "
         "[N, T=4] for tagging; or floats for regression"),
        ("a length beyond its row", {"train": npz("d.npz", inputs=inputs, targets=labels, lengths=labels + 4)},
         f"{one}/d.npz: lengths[1] is 5, and must be from 1 to T=4"),
        ("a hole in an array", {"train": npz("e.npz", inputs=holes, targets=labels)},
         f"{one}/e.npz: inputs[3, 2, 1] is nan, and must be finite at every step that lengths counts"),
        ("one class", {"train": npz("f.npz", inputs=inputs, targets=np.zeros(20, int))},
         f"{one}/f.npz: all of training has the class '0', and must have two or more"),
        ("a class that training lacks", {"train": text("g.csv", f"text,label\n{rows}"), "test": other},
         f"{other}:2: the class 'c' is in test and not in training, which has a, b"),
        ("columns that say nothing", {"train": text("h.csv", "x,v,z\na,b,c\n")},
         f"{one}/h.csv: has the columns x, v, z: name the column of the text with inputs, and the column of its label "
         "with target; or say kind='forecasting' of a series of numbers"),
        ("a column that isn't there", {"train": prices, "target": "prise"},
         "config.task.target='prise' is unknown; did you mean 'price'?; choose from date, price, weekday"),
        ("a text without words", {"train": text("i.csv", f"text,label\n{rows} ,a\n")},
         f"{one}/i.csv:22: text=' ' has no words"),
        ("a row without its label", {"train": text("j.csv", f"text,label\n{rows}a b,\n")},
         f"{one}/j.csv:22: label is empty, and must be a label"),
        ("a table that is two things", {"train": text("k.csv", "x,label\n1,2\n3,4\n")},
         f"{one}/k.csv: holds numbers alone, and 'label' to be asked for: say kind='forecasting' where a row is a step "
         "of one series, or kind='classification' or 'regression' where a row is a sequence"),
        ("a series that runs backwards", {"train": text("n.csv", "date,x\n2024-01-02,1\n2024-01-01,2\n")},
         f"{one}/n.csv:3: date='2024-01-01' is before the time of the row above: sort the rows by time"),
        ("a series without numbers", {"train": text("o.csv", "date,x\n2024-01-02,a\n"), "kind": "forecasting"},
         f"{one}/o.csv: has no column of numbers to be forecast, only date, x"),
        ("a season longer than the window", {"train": prices, "season": 7, "length": 5},
         "config.task.season=7 must be at most length=5: the window must hold one"),
        ("a series too short for a window", {"train": prices, "length": 90},
         f"{prices}: train has 80 steps, too few for length=90 and horizon=1"),
        ("a text too short for a segment", {"train": text("l.txt", "one two three"), "length": 9},
         f"{one}/l.txt: validation has too few characters for length=9: 1"),
        ("a test file without a column", {"train": prices, "test": text("m.csv", "date,price\n1,2\n")},
         f"{one}/m.csv:1: lacks the column 'weekday'; it has date, price"),
    ]  # fmt: skip


@fault("file contents", "no file named", "an unknown file extension", "a kind that doesn't fit the file",
       "an option without effect on the file", "a test file that is the training file", "shares that leave nothing",
       "a share without an example", "inputs of the wrong shape", "targets of the wrong number",
       "labels that don't fit the steps", "a length beyond the row's end", "a non-finite number in an array",
        "one class",
       "a class that training lacks", "columns whose roles are unknown", "an unknown column", "a text without words",
       "a row without a label", "an ambiguous table", "a series that runs backwards",
       "a series without numbers", "a season longer than the window",
       "a series too short for a window", "a text too short for a segment", "a test file without a column")  # fmt: skip
def test_mistakes_are_one_line(folder: Path) -> None:
    cells = {"gru": {"kind": "gru", "hidden_size": 2}}
    for what, options, line in mistakes(folder):
        with pytest.raises(UserError) as caught:
            make_plan(experiment({"task": {"name": "files", **options}, "cells": cells}))
        assert str(caught.value) == line, what
        seen(caught)


def test_a_file_belongs_to_one_set_and_options_have_one_default(folder: Path) -> None:
    beats, tags = str(folder / "beats.npz"), str(folder / "tags.npz")
    with pytest.raises(ValueError, match=r"^test='.*tags.npz' is the file of validation too"):
        files(beats, validation=tags, test=tags)
    with pytest.raises(
        ValueError, match=r"/tags.npz: validation has tokens and classes at every step, and training 2 f"
    ):
        files(beats, validation=tags)
    signature = inspect.signature(files).parameters
    for field in dataclasses.fields(Options)[1:]:
        assert signature[field.name].default == field.default


def test_a_series_from_file_to_prediction(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, prices = tmp_path / "run", tmp_path / "prices.csv"
    prices.write_bytes((folder / "prices.csv").read_bytes())
    done = launch(
        "compare", "--config=configs/files.py", f"--config.task.train={prices}",
        "--config.task.target=price", "--config.task.length=5", "--config.only=gru", "--config.seeds=1",
        "--config.updates=3", "--config.batch_size=8", "--config.evaluations=1", "--config.tune.draws=0",
        "--config.cells.gru.hidden_size=3", f"--workdir={run}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "prices.csv: not read: date (inputs)" in " ".join(done.stdout.split())
    (result,) = records.read(run / records.FILE_NAME).results
    task = files(str(prices), target="price", length=5)
    arrays = np.load(next((run / "arrays").glob("*test*.npz")))
    outputs = next(a for name, a in arrays.items() if name.startswith("predictions"))[0]
    reached = scores(task, jnp.asarray(outputs), sets_of(task)["test"])
    assert measures(task, jnp.asarray(outputs), sets_of(task)["test"])["loss"].shape == (10,)
    assert result.test_metrics["rmse"] == pytest.approx(reached["rmse"], rel=1e-5)
    lines = prices.read_text().splitlines()[1:]
    series = np.array([[float(cell) for cell in line.split(",")[1:]] for line in lines])
    prices.unlink()
    monkeypatch.chdir("/")
    asked = runs.load(run).predict([series[85:90], series[94:99]], cell="gru")  # the first and the last test window
    assert asked == pytest.approx([task.decode(outputs[0]), task.decode(outputs[-1])], rel=1e-5)


def test_a_copy_or_a_link_of_the_training_file_is_no_test_set(folder: Path, tmp_path: Path) -> None:
    train = folder / "prices.csv"
    (tmp_path / "copy.csv").write_bytes(train.read_bytes())
    (tmp_path / "link.csv").symlink_to(train)
    for name in ("copy.csv", "link.csv"):
        with pytest.raises(
            ValueError, match="is the file of train too, or a copy of it: leave it out for a share of tra"
        ):
            files(str(train), test=str(tmp_path / name))

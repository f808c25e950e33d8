"""The task of music in four voices: likelihoods, generation, inputs and answers; trained and asked on real chorales."""

import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research import runs
from gru_research.config import UserError
from gru_research.data import DataDirs
from gru_research.models import voices
from gru_research.runs.loaded_run import LoadedRun
from gru_research.runs.predict import Sampling, predict
from gru_research.spec import Spec
from gru_research.tasks import Task
from gru_research.tasks.chorales.generation import FREE, encode_free, fill, picked
from gru_research.tasks.chorales.inputs import Decoder, Encoder
from gru_research.tasks.chorales.metrics import note_metrics, note_nll
from gru_research.tasks.chorales.pieces import Alphabet
from gru_research.tasks.chorales.task import chorales
from tests.faults import fault, seen
from tests.runs import small
from tests.tasks.chorales.test_pieces import drawn

ALPHABET = Alphabet(50, 60)
SPEC = Spec({"inputs": jax.ShapeDtypeStruct((8,), jnp.int32)}, ALPHABET.size, "every", ALPHABET.size + 1)
MODEL = voices(SPEC, gr.GRU(5), layers=1, embedding_size=3)
PARAMS = MODEL.init(jax.random.key(0), SPEC.example)
KEYS = jax.random.split(jax.random.key(1), 2)


def test_likelihoods_against_sums_in_plain_python() -> None:
    generator = np.random.default_rng(0)
    logits, targets = generator.normal(0, 3, (2, 12, 5)), generator.integers(0, 5, (2, 12))
    lengths, context, clock = [12, 8], [0, 4], [4, 8]
    logits[1, 8:] = np.nan  # padding
    batch = {name: jnp.asarray(a) for name, a in {
        "targets": targets, "lengths": lengths, "context": context, "clock": clock
    }.items()}  # fmt: skip
    nll: dict[Any, list[float]] = {}
    right: list[bool] = []
    for b in range(2):
        for t in range(context[b], lengths[b]):
            total = math.log(sum(math.exp(x) for x in logits[b, t]))
            value, place = total - logits[b, t, targets[b, t]], clock[b] + t
            for group in ("nll", ("soprano", "alto", "tenor", "bass")[place % 4], place // 4 % 4):
                nll.setdefault(group, []).append(value)
            right.append(int(logits[b, t].argmax()) == targets[b, t])
    outputs = jnp.asarray(logits, jnp.float32)
    found = {}
    for name, metric in note_metrics().items():
        statistics = metric.statistics(outputs, batch)
        found[name] = float(metric.finish({part: np.asarray(a).sum(0) for part, a in statistics.items()}))  # pyright: ignore
    mean = {group: sum(values) / len(values) for group, values in nll.items()}
    assert found["nll"] == pytest.approx(mean["nll"], rel=1e-5)
    assert found["nll_frame"] == pytest.approx(4 * mean["nll"], rel=1e-5)
    assert found["accuracy"] == pytest.approx(sum(right) / len(right))
    for voice in ("soprano", "alto", "tenor", "bass"):
        assert found[f"nll_{voice}"] == pytest.approx(mean[voice], rel=1e-5)
    for place in range(4):
        assert found[f"nll_sixteenth_{place + 1}"] == pytest.approx(mean.get(place, math.nan), rel=1e-5, nan_ok=True)
    values, weights = note_nll(outputs, batch)
    assert weights.tolist() == [12, 4] and np.isfinite(values).all()


def test_given_notes_stay_and_free_ones_follow_from_what_comes_before() -> None:
    given = np.array(encode_free(np.where(drawn(4, 0) % 2, FREE, drawn(4, 0)), ALPHABET))[None].repeat(2, 0)
    greedy = picked(KEYS, Sampling(temperature=0.0))
    tokens = np.asarray(jax.jit(lambda: fill(MODEL, PARAMS, jnp.asarray(given), ALPHABET, greedy))())
    assert (tokens[given != FREE] == given[given != FREE]).all() and (given == FREE).any()
    inputs = np.concatenate([np.full((2, 1), ALPHABET.begin), tokens[:, :-1]], 1)
    most = np.asarray(MODEL.apply(PARAMS, {"inputs": jnp.asarray(inputs)})).argmax(-1)
    assert (tokens == np.where(given == FREE, most, given)).all()


def test_draws_depend_on_the_key_of_their_row() -> None:
    free = jnp.full((2, 16), FREE)
    tokens = fill(MODEL, PARAMS, free, ALPHABET, picked(KEYS, Sampling(temperature=1.0)))
    other = fill(MODEL, PARAMS, free, ALPHABET, picked(KEYS[::-1], Sampling(temperature=1.0)))
    assert (tokens == other[::-1]).all() and (tokens[0] != tokens[1]).any()


def test_inputs_are_lists_arrays_or_json() -> None:
    encode = Encoder(ALPHABET)
    for raw in ([[52, 51, None, -1], 50], "[[52, 51, null, -1], 50]"):
        example = encode(raw)
        assert example["inputs"].tolist() == [3, 2, FREE, 0, 1, FREE, FREE, FREE]
        assert example["lengths"] == 8
    np.testing.assert_array_equal(encode(drawn(3, 0))["inputs"], ALPHABET.tokens(drawn(3, 0)))
    assert encode("")["inputs"].shape == encode([])["inputs"].shape == (0,)


@fault(
    "predictions",
    "music that isn't JSON",
    "music that isn't a list",
    "a step of five voices",
    "a pitch that isn't a whole number",
    "a pitch that the model doesn't know",
)
def test_an_input_amiss_is_one_line() -> None:
    for raw, says in {
        "bwv253": "'bwv253' isn't JSON, nor a file that is there",
        "5": "'5' must be a list of steps, each of four pitches",
        "[[50, 50, 50, 50, 50]]": r"step 0 is \[50, 50, 50, 50, 50\], and must be four pitches: -1 is silence, null a",
        "[50, 50.5]": "step 1 is 50.5, and must be four pitches",
        "[50, 90]": "step 1: pitch 90 of the soprano must be from 50 to 60, the pitches that the model knows",
    }.items():
        with pytest.raises(ValueError, match=f"^{says}") as caught:
            Encoder(ALPHABET)(raw)
        seen(caught)


def test_an_answer_has_the_pitches_up_to_its_length() -> None:
    music = drawn(5, 0)
    output = {"tokens": ALPHABET.tokens(music), "lengths": np.int32(12), "given": np.int32(8)}
    assert Decoder(ALPHABET)(output) == {"pitches": music[:3].tolist(), "given": 2}


@pytest.fixture(scope="module")
def task(chorales_data_dir: str) -> Task:
    return chorales(dirs=DataDirs(chorales_data_dir))


def test_the_sets_are_whole_for_test_and_cut_for_training(task: Task, chorales_data_dir: str) -> None:
    sets = task.data.load(DataDirs(chorales_data_dir))
    assert [len(sets[split]["length"]) for split in ("validation", "test")] == [76, 77]
    assert sets["test"]["length"].sum() == 4 * 18_900 and not sets["test"]["clock"].any()
    assert len(sets["train"]["length"]) > 1692 and task.length == sets["train"]["tokens"].shape[1] - 1 == 4 * 72
    assert {name: f"{value:.2f}" for name, value in task.trivial.items()} == {
        "how often each voice sings each note": "2.64",
        "each voice's last note": "0.98",
    }
    batch = task.prepare({name: jnp.asarray(a[:3]) for name, a in sets["train"].items()})
    np.testing.assert_array_equal(batch["inputs"][:, 1:], batch["targets"][:, :-1])


def test_a_loaded_task_reads_nothing_before_its_data(task: Task, tmp_path: Path) -> None:
    again = chorales(learned=task.learned, dirs=DataDirs(str(tmp_path / "nowhere"), str(tmp_path)))
    assert again.spec == task.spec and again.trivial == task.trivial
    with pytest.raises(UserError, match="manual_dir="):
        again.data.load(DataDirs())


def test_options_out_of_range_are_named() -> None:
    for options, says in {
        ("segment", -1): "segment=-1 must be 0 or more",
        ("context", -1): "context=-1 must be 0 or more",
        ("threshold", 0.0): "threshold=0.0 must be above 0",
    }.items():
        with pytest.raises(ValueError, match=says):
            chorales(**{options[0]: options[1]})  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def run(chorales_data_dir: str, tmp_path_factory: pytest.TempPathFactory) -> LoadedRun:
    workdir = small.trained(
        tmp_path_factory.mktemp("run") / "run",
        {"name": "chorales", "segment": 8, "context": 1},
        DataDirs(chorales_data_dir),
        model={"kind": "voices", "layers": 1, "embedding_size": 4},
    )
    return runs.load(workdir)


def test_a_trained_run_harmonises_continues_and_composes(run: LoadedRun) -> None:
    soprano, beginning = [67, 67, 69], [[67, 62, 59, 43], [67, 62, 59, 43]]
    how = Sampling(length=3, temperature=0.9, top_p=0.95, random_seed=1)
    found = predict(run, [soprano, beginning, ""], "gru", sampling=how)
    harmonised, continued, composed = (one.answer for one in found)
    assert [step[0] for step in harmonised["pitches"]] == soprano and harmonised["given"] == 3
    assert continued["pitches"][:2] == beginning and len(continued["pitches"]) == 5 and continued["given"] == 2
    assert len(composed["pitches"]) == 3 and composed["given"] == 0
    again = predict(run, [soprano, beginning, ""], "gru", sampling=how)
    assert [one.answer for one in again] == [one.answer for one in found]


def test_a_run_saves_pieces_and_statistics_of_each_cell(run: LoadedRun) -> None:
    for label in ("gru", "rnn"):
        with np.load(run.workdir / "arrays" / f"examples-{label}.npz") as arrays:
            assert arrays["piece/composed 1"].shape[1] == arrays["piece/composed 2"].shape[1] == 4
            np.testing.assert_array_equal(arrays["piece/harmonised"][:, 0], arrays["piece/test"][:, 0])
            assert arrays["reference/distance of pitch classes"] > 0
            assert 0 < arrays["composed/distance of pitch classes"] <= 1
            heard = "distance of pitch classes to what is heard"
            assert 0 < arrays[f"composed/{heard}"] <= 1 and 0 < arrays[f"reference/{heard}"] <= 1
            assert arrays["reference/copied frames, longest"] >= arrays["reference/copied frames, median"] >= 8
            assert arrays["histogram/test/pitch classes"].sum() == pytest.approx(1)

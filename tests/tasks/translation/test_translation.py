"""From pairs of sentences to a trained run, its report and its answers, through the commands."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from gru_research import records, runs
from gru_research.config import FileError
from gru_research.data import DataDirs
from gru_research.runs.predict import Sampling, answer_of, predict
from gru_research.tasks import TASKS
from gru_research.tasks.translation import metrics, trivial
from gru_research.tasks.translation.pieces import END, Pieces, learn_pieces
from gru_research.tasks.translation.scores import OfArrays, score, statistics
from tests.faults import fault, seen
from tests.launching import launch

WORDS = {"Hund": "dog", "Katze": "cat", "Baum": "tree", "Haus": "house", "rot": "red", "läuft": "runs", "und": "and"}
SMALL = (
    "--config.updates=400", "--config.batch_size=32", "--config.evaluations=2", "--config.seeds=1",
    "--config.cells.gru.hidden_size=24", "--config.model.embedding_size=16", "--config.model.dropout=0.0",
    "--config.optimizer.learning_rate=0.02", "--config.only=gru,rnn", "--config.task.vocabulary=300",
    "--config.task.beams=2",
)  # fmt: skip


def write(folder: Path, count: int, name: str = "pairs") -> str:
    """Writes two files, word by word translations; returns the option's value."""
    rng = np.random.default_rng(0)
    rows = [rng.choice(list(WORDS), rng.integers(1, 6)) for _ in range(count)]
    (folder / f"{name}.de").write_text("\n".join(" ".join(row) for row in rows) + "\n")
    (folder / f"{name}.en").write_text("\n".join(" ".join(WORDS[word] for word in row) for row in rows) + "\n")
    return f"{folder / name}.de,{folder / name}.en"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("translation")
    done = launch(
        "compare", "--config=configs/applications/translation.py", f"--config.task.train={write(folder, 400)}",
        *SMALL, f"--workdir={folder / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_it_trains_and_reports(run: Path) -> None:
    found = records.read(run / records.FILE_NAME)
    best = {result.cell: result for result in found.results}
    assert best["gru"].test_metric is not None and best["gru"].test_metric > 60
    assert set(best["gru"].test_metrics) >= {"bleu", "chrf", "bleu_lowercase", "nll", "bleu_from_1_words"}
    assert best["gru"].answer is not None and best["gru"].answer["name"] in ("greedy", "beam_search")
    assert "nrefs:1|case:mixed" in found.header.task["signatures"]["bleu"]
    for evaluation in found.evaluations:  # nothing is generated during training
        assert set(evaluation.metrics) == {"loss", "nll"}
    page = (run / "report.html").read_text(encoding="utf-8")
    for text in ("Paired bootstrap over the 20 test sentences", "Validation chose how the answers", "Read most"):
        assert text in page, text


def texts(pieces: Pieces, arrays: Any, name: str) -> list[str]:
    rows, lengths = arrays[name].tolist(), arrays[f"{name}_length"].tolist()
    return pieces.decode([row[:length] for row, length in zip(rows, lengths, strict=True)])


def test_the_choice_is_the_best_on_validation(run: Path) -> None:
    loaded = runs.load(run)
    validation, pieces = loaded.task.data.load(DataDirs())["validation"], Pieces(loaded.task.learned["pieces"])
    sources, wanted = (texts(pieces, validation, name) for name in ("source", "target"))
    found = []
    for how in loaded.task.answer_choices:
        sampling = Sampling(length=loaded.task.learned["answer"], answer=how)
        given = [one.answer["translation"] for one in predict(loaded, sources, "gru", sampling=sampling)]
        found.append(score("bleu", given, wanted))
    chosen = next(r.answer for r in records.read(run / records.FILE_NAME).results if r.cell == "gru")
    assert loaded.task.answer_choices[int(np.argmax(found))] == chosen == answer_of(loaded, "gru")


def test_answers_are_generated_as_the_records_say() -> None:
    class Run:
        task = TASKS["scan"]()

        def records(self, kind: str) -> dict[str, list[Any]]:
            chosen = {"answer.name": ["greedy", "beam_search", None], "answer.beams": [None, 5, None]}
            return {"cell": ["gru", "lstm", "rnn"], **chosen}

    run: Any = Run()
    assert answer_of(run, "gru") == {"name": "greedy"} and answer_of(run, "lstm") == {"name": "beam_search", "beams": 5}
    assert answer_of(run, "rnn") == run.task.answer


def test_the_test_score_is_that_of_predicted_translations(run: Path) -> None:
    loaded = runs.load(run)
    test = loaded.task.data.load(DataDirs())["test"]
    pieces = Pieces(loaded.task.learned["pieces"])
    sources, wanted = (texts(pieces, test, name) for name in ("source", "target"))
    given = [one.answer["translation"] for one in predict(loaded, sources, "rnn")]
    (result,) = [r for r in records.read(run / records.FILE_NAME).results if r.cell == "rnn"]
    assert result.test_metric == pytest.approx(BLEU().corpus_score(given, [wanted]).score)
    assert result.test_metrics["chrf"] == pytest.approx(CHRF().corpus_score(given, [wanted]).score)


def test_predict_translates_and_draws_the_attention(run: Path, tmp_path: Path) -> None:
    done = launch("predict", f"--workdir={run}", "--input=Hund und Katze", "--cell=gru", f"--output={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert "dog and cat" in done.stdout
    assert (tmp_path / "1-gru-seed-0.txt").read_text() == "dog and cat\n"
    assert (tmp_path / "1-gru-seed-0.png").read_bytes()[:4] == b"\x89PNG"
    loaded = runs.load(run)
    (found,) = predict(loaded, ["Hund und Katze"], "gru")
    weights = np.array(found.answer["attention"])
    assert weights.shape == (len(found.answer["pieces"]), len(found.answer["source_pieces"]))
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-3)


@pytest.mark.parametrize("text", ["Hund 😀 שלום", "x", "猫が走る", "Hund " * 300])
def test_any_text_has_an_answer(run: Path, text: str) -> None:
    (found,) = predict(runs.load(run), [text], "gru")
    assert isinstance(found.answer["translation"], str)
    assert "".join(found.answer["source_pieces"]).count("▁") == len(text.split())


def test_drawn_translations_depend_on_the_seed(run: Path) -> None:
    loaded = runs.load(run)
    how = {"length": loaded.task.learned["answer"], "temperature": 3.0}
    drawn = [predict(loaded, ["Hund rot Haus"], "gru", sampling=Sampling(**how, random_seed=n)) for n in (0, 0, 1)]
    said = [one[0].answer["translation"] for one in drawn]
    assert said[0] == said[1] != said[2]


@pytest.mark.parametrize("given", ["", "  "])
def test_a_text_without_words_is_refused(run: Path, given: str) -> None:
    with pytest.raises(ValueError, match="must have a word"):
        runs.load(run).task.encode(given)


def test_pieces_write_every_text_and_are_learned_alike_each_time() -> None:
    texts = ["ein Hund läuft", "a dog runs", "zwei Hunde"]
    model = learn_pieces(texts, 290)
    assert model == learn_pieces(texts, 290)
    pieces = Pieces(model)
    assert len(pieces.names) <= 290
    for text in [*texts, "ß 😀 שלום", "x"]:
        assert pieces.decode(pieces.encode([text])) == [text]
    assert pieces.decode([[*pieces.encode(["a dog"])[0], END, 7, END]]) == ["a dog"]


def test_the_loss_is_that_of_numpy(x64: None) -> None:
    rng = np.random.default_rng(0)
    logits, targets, lengths = rng.normal(size=(2, 3, 5)), rng.integers(0, 5, (2, 3)), np.array([3, 1])
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    for smoothing in (0.0, 0.1):
        wanted = (1 - smoothing) * np.eye(5)[targets] + smoothing / 5
        each = -(wanted * logs).sum(-1)
        values, weights = metrics.loss(
            smoothing, jnp.asarray(logits), {"targets": jnp.asarray(targets), "target_lengths": jnp.asarray(lengths)}
        )
        np.testing.assert_allclose(values, [each[0].mean(), each[1, 0]], rtol=1e-5)
        np.testing.assert_array_equal(weights, lengths)


def test_scores_by_length_count_their_sentences_alone() -> None:
    pieces = Pieces(learn_pieces(["a b c d e f g h"], 300))
    texts = ["a b c d e", "f g h a b", "c d e f g"]
    rows = pieces.encode(texts)
    width = max(map(len, rows))
    tokens = np.array([row + [END] * (width + 1 - len(row)) for row in rows])
    wrong = tokens.copy()
    wrong[0] = tokens[1]
    arrays = {"answers": wrong, "targets": tokens, "words": np.array([3, 8, 9])}
    assert OfArrays(pieces, "bleu", 8, 10)(arrays) == pytest.approx(100)
    assert OfArrays(pieces, "bleu", 1, 8)(arrays) < 50
    assert np.isnan(OfArrays(pieces, "bleu", 20)(arrays))
    counts = statistics(texts, texts)
    assert counts.shape == (3, 10) and counts[0, :3].tolist() == [5, 5, 5]


def test_the_nearest_sentence_shares_words_and_pairs_of_words() -> None:
    train = ["ein Hund läuft", "eine Katze sitzt", "Hund ein läuft ."]
    assert trivial.nearest(train, ["Ein Hund sitzt", "eine Katze", "nichts", "läuft ."]).tolist() == [0, 1, 0, 2]


def test_trivial_rows_of_multi30k(multi30k_data_dir: str) -> None:
    """The score of the copied source is the published one, which proves the protocol."""
    task = TASKS["translation"](dirs=DataDirs(multi30k_data_dir))
    assert task.trivial[trivial.COPY] == pytest.approx(0.48, abs=0.005)
    assert task.trivial[trivial.NEAREST] == pytest.approx(12.48, abs=0.01)
    sets = task.data.load(DataDirs(multi30k_data_dir))
    assert {split: len(a["words"]) for split, a in sets.items()} == {
        "train": 29_000,
        "validation": 1_014,
        "test": 1_000,
    }
    test = sets["test"]
    again = TASKS["translation"](dirs=DataDirs(multi30k_data_dir), learned=task.learned)
    batch = again.prepare({name: jnp.asarray(a[:2]) for name, a in test.items()})
    pieces = Pieces(task.learned["pieces"])
    assert pieces.decode(np.asarray(batch["targets"]).tolist())[0] == "A man in an orange hat starring at something."
    assert jax.tree.map(jnp.shape, batch)["targets"][1] == test["target"].shape[1] + 1


def test_own_test_files_beside_multi30k(multi30k_data_dir: str, tmp_path: Path) -> None:
    task = TASKS["translation"](test=write(tmp_path, 5), dirs=DataDirs(multi30k_data_dir), vocabulary=1000)
    assert len(task.data.load(DataDirs(multi30k_data_dir))["test"]["words"]) == 5
    assert task.application is not None and task.application.published == ()


def test_long_pairs_are_left_out_of_training(tmp_path: Path) -> None:
    train = write(tmp_path, 40)
    with open(tmp_path / "pairs.de", "a") as file:
        file.write("Hund " * 200 + "\n")
    with open(tmp_path / "pairs.en", "a") as file:
        file.write("dog\n")
    files = {"train": train, "validation": write(tmp_path, 3, "v"), "test": write(tmp_path, 4, "t")}
    task = TASKS["translation"](**files, vocabulary=300)
    assert task.warnings == ("1 of 41 training pairs are left out: they have more than longest=100 pieces",)
    assert len(task.data.load(DataDirs())["train"]["words"]) == 40
    put(tmp_path, "l.de", b"Hund und Katze\nHund rot\n"), put(tmp_path, "l.en", b"dog and cat\ndog red\n")
    own = files | {"train": f"{tmp_path / 'l.de'},{tmp_path / 'l.en'}"}
    with pytest.raises(ValueError, match="longest=1 pieces leaves no pair for training: choose more"):
        TASKS["translation"](**own, vocabulary=300, longest=1)


def put(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        pytest.param(
            b"ein\nzwei\ndrei\n",
            b"one\ntwo\n",
            r"a\.de:3: has no translation: .*a\.de has 3 lines, and .*b\.en 2$",
            marks=fault("file contents", "files of translations with other numbers of lines"),
        ),
        pytest.param(
            b"ein\n\ndrei\n",
            b"one\ntwo\nthree\n",
            r"a\.de:2: is empty: each line must be",
            marks=fault("file contents", "an empty line among sentences"),
        ),
        pytest.param(
            b"ein\nz\xfcei\n",
            b"one\ntwo\n",
            r"a\.de:2: the byte 0xfc isn't UTF-8",
            marks=fault("file contents", "sentences that aren't UTF-8"),
        ),
        pytest.param(b"", b"one\n", r"a\.de: is empty", marks=fault("file contents", "an empty file of sentences")),
    ],
)
def test_bad_files_of_sentences(first: bytes, second: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=says) as caught:
        TASKS["translation"](train=f"{put(tmp_path, 'a.de', first)},{put(tmp_path, 'b.en', second)}")
    assert "\n" not in str(caught.value)
    seen(caught)


@fault("file contents", "a sentence for testing with more pieces than task.longest")
def test_a_long_sentence_for_testing_is_refused(tmp_path: Path) -> None:
    german, english = (put(tmp_path, "l.de", b"Hund\n" + b"Hund " * 90), put(tmp_path, "l.en", b"dog\ndog\n"))
    test = f"{german},{english}"
    task = TASKS["translation"](train=write(tmp_path, 40), test=test, vocabulary=300, longest=50)
    with pytest.raises(FileError, match=r"l\.de:2: the pair has \d+ pieces, more than longest=50: raise task.l") as e:
        task.data.load(DataDirs())
    seen(e)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param({"train": "a.de"}, "train='a.de' must be two files, such as 'a.de,b.en'",
                     marks=fault("file contents", "one file where translations need two")),
        pytest.param({"train": "a.de,a.de"}, "train='a.de,a.de' must be two different files",
                     marks=fault("file contents", "the same file as source and translation")),
        pytest.param({"train": "a.de,none.en"}, "train='none.en': no such file",
                     marks=fault("file contents", "a file of translations that isn't there")),
        ({"train": "a.de,b.en", "test": "a.de,b.en"}, "is the file of train too, or a copy of it"),
        ({"validation": "a.de,b.en"}, "validation='a.de,b.en' needs train: two files for training"),
        ({"train": "a.de,b.en", "test_share": 0.0}, "test_share=0.0 must be above 0, or test a file"),
        ({"vocabulary": 100}, "vocabulary=100 must be from 260 to 65535"),
        ({"longest": -1}, r"longest=-1 must be 0 \(no limit\) or more"),
        ({"smoothing": 1.0}, "smoothing=1.0 must be from 0 to below 1"),
        ({"beams": 0}, "beams=0 must be at least 1"),
        ({"direction": "de-fr"}, "direction='de-fr'.*de-en"),
        ({"test_set": "2018"}, "test_set='2018'.*2016"),
    ],
)  # fmt: skip
def test_wrong_options(options: dict[str, object], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "a.de", b"ein\nzwei\n")
    put(tmp_path, "b.en", b"one\ntwo\n")
    with pytest.raises(ValueError, match=says) as caught:
        TASKS["translation"](**options)
    assert "\n" not in str(caught.value)
    seen(caught)


def test_encoded_pairs_are_padded_with_zeros(tmp_path: Path) -> None:
    task = TASKS["translation"](train=write(tmp_path, 40), vocabulary=300)
    sets = task.data.load(DataDirs())
    train = sets["train"]
    beyond = np.arange(train["source"].shape[1]) >= train["source_length"][:, None]
    assert not train["source"][beyond].any() and (train["source"][~beyond] > END).all()
    assert len(sets["validation"]["words"]) == len(sets["test"]["words"]) == 2
    assert task.name == "translation-pairs"

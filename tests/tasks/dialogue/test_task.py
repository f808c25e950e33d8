"""From dialogues to a trained run, its report, and a conversation, through the commands."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from experiments.prediction import interactive
from experiments.prediction.interactive.dialogue import Conversation, converse, search
from gru_research import records, runs
from gru_research.config import UserError
from gru_research.data import DataDirs
from gru_research.data.own_files import Fact, Turn, parse_dialogues
from gru_research.models.stream import Predicted
from gru_research.runs.predict import Sampling, predict
from gru_research.tasks import TASKS
from gru_research.tasks.dialogue import bleu, metrics, streams
from gru_research.tasks.dialogue.reading import Source, knowledge
from gru_research.tasks.dialogue.vocabulary import Vocabulary
from tests.launching import launch

NAMES = ("ann", "bob", "cy", "dee", "eve", "fay")
VOCABULARY = Vocabulary(("<end>", *"bcef", "<bot>", "<user>", "a", "d"), 5, ())
SMALL = (
    "--config.updates=150", "--config.batch_size=16", "--config.evaluations=1", "--config.seeds=1",
    "--config.cells.gru.hidden_size=12", "--config.model.embedding_size=8", "--config.model.attention_size=8",
    "--config.model.hops=1", "--config.model.memory=64", "--config.optimizer.learning_rate=0.02",
    "--config.task.validation_dialogues=0", "--config.length_buckets=2", "--config.only=gru,rnn",
)  # fmt: skip


def text(count: int) -> str:
    """Dialogues in which the bot greets, repeats a name, and says what it was told of a place."""
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(count):
        name, place = rng.choice(NAMES), rng.choice(["inn", "bar"])
        lines += ["1 hi\thello who are you", f"2 i am {name}\tgood day {name}", f"3 {place} R_rating {rng.integers(9)}"]
        lines += [f"4 where to\tgo to the {place}", ""]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dialogue")
    (folder / "talk.txt").write_text(text(120))
    done = launch(
        "compare", "--config=configs/applications/dialogue.py", f"--config.task.train={folder / 'talk.txt'}",
        *SMALL, f"--workdir={folder / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_it_trains_and_reports(run: Path) -> None:
    found = records.read(run / records.FILE_NAME)
    best = {result.cell: result.test_metric for result in found.results}
    assert best["gru"] is not None and best["gru"] > 0.9
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "the answer to the same last utterance" in page


def test_it_answers_a_text_and_a_list_of_texts(run: Path) -> None:
    done = launch("predict", f"--workdir={run}", "--input=hi", "--cell=gru", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answer"] == "hello who are you"
    loaded = runs.load(run)
    (found,) = predict(loaded, [["hi", "hello who are you", "i am bob"]], "gru")
    assert found.answer == "good day bob"
    drawn = [
        predict(loaded, ["hi"], "gru", sampling=Sampling(temperature=3.0, random_seed=seed))[0].answer
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_conversation_says_what_the_whole_dialogue_would(run: Path) -> None:
    """Word by word with `read` and `step`, and at once with `start`: the same answers, also with an unknown name."""
    loaded = runs.load(run)
    talk = converse(loaded, None, None, Sampling())
    said: dict[str, list[str]] = {"gru": [], "rnn": []}
    for line in ("hi", "i am zoe", "where to"):
        for label, answer in talk(line).items():
            whole = predict(loaded, [[*said[label], line]], label)[0].answer
            assert answer.replace("zoe", "<word-0>") == whole.replace("zoe", "<word-0>")
            said[label] += [line, answer]
    assert "zoe" in said["gru"][3]


def test_probabilities_word_by_word_are_those_of_the_whole(run: Path) -> None:
    loaded = runs.load(run)
    model: Any = loaded.model("gru")
    params = loaded.parameters("gru", 0)
    batch = {name: jnp.asarray(a)[None] for name, a in loaded.task.encode(["hi", "hello", "i am bob"]).items()}
    _, whole = model.start(params, batch)
    first = {"inputs": batch["inputs"][:, :1], "lengths": jnp.ones(1, jnp.int32), "said": batch["said"][:, :1]}
    state, logs = model.start(params, first)
    for t in range(1, batch["inputs"].shape[1]):
        advance = model.step if batch["said"][0, t] else model.read
        state, logs = advance(params, state, batch["inputs"][:, t])
    np.testing.assert_allclose(np.exp(logs), np.exp(whole), atol=1e-6)


def test_lines_are_answered_side_by_side(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("hi\nfact: inn R_rating 9\nfact:\nwhere to\n\n"))
    assert interactive.converse(runs.load(run), None, None, Sampling()) == 0
    captured = capsys.readouterr()
    assert captured.out.count("gru: ") == captured.out.count("rnn: ") == 2
    assert "a fact has words after the colon" in captured.err


class Scripted:
    """A speaker with given answers, which keeps what it hears."""

    def __init__(self, *answers: str) -> None:
        self.label, self.answers, self.heard = "gru", list(answers), []

    def hear(self, words: list[str]) -> None:
        self.heard.append(" ".join(words))

    def answer(self, words: list[str]) -> list[str]:
        self.heard.append(" ".join(words))
        return self.answers.pop(0).split()


def test_a_search_is_heard_where_the_user_says_nothing() -> None:
    speaker: Any = Scripted("api_call rome", "sure", "api_call oslo", "try inn", "bye")
    facts = {"inn": [("inn", "R_place", "oslo"), ("inn", "R_rating", "8")]}
    talk = Conversation([speaker], facts)
    assert talk("in rome")["gru"] == "api_call rome\n    [found nothing; <SILENCE> to go on]"
    assert talk("or oslo") == {"gru": "sure"}
    assert talk("<SILENCE>")["gru"] == "api_call oslo\n    [found inn; <SILENCE> to go on]"
    assert talk("<SILENCE>") == {"gru": "try inn"} and talk("<SILENCE>") == {"gru": "bye"}
    facts_heard = ["inn R_place oslo inn", "inn R_rating 8 inn"]
    assert speaker.heard == ["in rome", "or oslo", "<SILENCE>", *facts_heard, "<SILENCE>", "<SILENCE>"]


def test_what_is_no_dialogue_is_refused(run: Path) -> None:
    loaded = runs.load(run)
    with pytest.raises(UserError, match="input 1: a dialogue of 2 texts must end with the user"):
        predict(loaded, [["hi", "hello"]])
    with pytest.raises(TypeError, match="a dialogue must be a text, or a list of texts"):
        loaded.task.encode([1])


def test_right_answers_have_all_words_and_the_end_right() -> None:
    """Two dialogues: the first with turns of 2 and 1 words, its first wrong; the second right and out of vocabulary."""
    targets = jnp.array([[5, 6, 0, 7, 0], [5, 0, 9, 9, 9]])
    tokens = jnp.array([[5, 4, 0, 7, 0], [5, 0, 1, 1, 1]])
    batch = {
        "targets": targets, "turns": jnp.array([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]),
        "target_lengths": jnp.array([5, 2]), "oov": jnp.array([False, True]),
    }  # fmt: skip
    outputs = Predicted(jnp.log(jnp.full((2, 5), 0.5)), tokens, None)
    found = metrics.metrics_of(True, 4)
    values = {}
    for name, metric in found.items():
        parts = metric.statistics(outputs, batch)
        values[name] = metric.finish({k: np.asarray(v, np.float64).sum() for k, v in parts.items()})  # type: ignore
    assert values["per_response"] == 0.5 and values["per_dialogue"] == 0
    assert values["oov_per_response"] == values["oov_per_dialogue"] == 1
    assert values["per_response_turn_1"] == 0.5 and np.isnan(values["per_response_turn_4"])
    each, weights = metrics.loss(outputs, batch)
    assert each[0] == pytest.approx(np.log(2)) and weights.tolist() == [5, 0]


def test_answers_and_their_bleu() -> None:
    text = "1 a\tb c e f b\n2 d\te\n1 a\tf c b e\n"
    stored = streams.encode(parse_dialogues(text, "x"), VOCABULARY)
    found = streams.answers_of(stored, 6)
    b, c, e, f = (VOCABULARY.numbers()[word] for word in "bcef")
    assert found["responses"].tolist() == [
        [[b, c, e, f, b, 0], [e, 0, 0, 0, 0, 0]],
        [[f, c, b, e, 0, 0], [0] * 6],
    ]
    assert found["starts"].tolist() == [[2, 10], [2, 2]]
    arrays = {"answers": found["responses"], "references": found["responses"]}
    assert bleu.of_arrays(arrays) == pytest.approx(100)
    wrong = found["responses"].copy()
    wrong[0, 1] = 0
    wrong[0, 0, 4] = e
    want = BLEU(tokenize="none").corpus_score(["b c e f e", "", "f c b e"], [["b c e f b", "e", "f c b e"]]).score
    assert bleu.of_arrays(arrays | {"answers": wrong}) == pytest.approx(want)
    assert "tok:none" in bleu.signature()


def test_the_sets_of_a_real_task(dialog_babi_data_dir: str) -> None:
    dirs = DataDirs(dialog_babi_data_dir)
    task = TASKS["dialogue"](dataset="dialog_babi_1", validation_dialogues=20, masked_copies=1, dirs=dirs)
    sets = task.data.load(dirs)
    assert {name: len(one["inputs"]) for name, one in sets.items()} == {"train": 2000, "validation": 20, "test": 2000}
    assert sets["test"]["oov"].sum() == 1000 and not sets["train"]["oov"].any()
    assert task.application is not None and len(task.application.published) == 1
    assert round(100 * task.trivial["the answer to the same last utterance"], 1) == 55.1
    assert task.warnings == () and task.metric == "per_response"


def test_a_search_finds_what_the_data_found(dialog_babi_data_dir: str) -> None:
    dirs = DataDirs(dialog_babi_data_dir)
    facts = knowledge("dialog_babi_5", dirs)
    asked = 0
    for dialogue in Source("dialog_babi_5", None).read(dirs)["test"][:200]:
        for place, part in enumerate(dialogue):
            if isinstance(part, Turn) and part.bot[0] == "api_call":
                given = []
                for other in dialogue[place + 1 :]:
                    if not isinstance(other, Fact):
                        break
                    given.append(other.words)
                if given:
                    asked += 1
                    assert set(search(part.bot, facts)) == set(given)
    assert asked == 200
    assert search(["api_call", "atlantis"], facts) == [] and knowledge("chatterbot", dirs) == {}


def test_a_data_set_without_parts_is_divided(chatterbot_data_dir: str) -> None:
    dirs = DataDirs(chatterbot_data_dir)
    sets = TASKS["dialogue"](dataset="chatterbot", masked_copies=0, dirs=dirs).data.load(dirs)
    sizes = {name: len(one["inputs"]) for name, one in sets.items()}
    assert sizes["validation"] == sizes["test"] == round(sum(sizes.values()) / 10)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"dataset": "dialog_babi_7"},
            r"dataset='dialog_babi_7' is unknown; did you mean 'dialog_babi_6'\?; choose from dialog_babi_1, ",
        ),
        ({"validation": "a.txt"}, r"validation='a.txt' needs train: a file for training"),
        ({"longest": -1}, r"longest=-1 must be 0 or more"),
        ({"train": "FILE", "longest": 2}, r"longest=2 leaves no turn of any training dialogue: choose a longer one"),
        ({"train": "FILE", "test_share": 0.0}, r"test_share=0.0 must be above 0, or test a file"),
    ],
)
def test_options_that_cannot_be_are_named(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    (tmp_path / "talk.txt").write_text(text(20))
    options = {name: str(tmp_path / "talk.txt") if value == "FILE" else value for name, value in options.items()}
    with pytest.raises(ValueError, match=says):
        TASKS["dialogue"](**options)

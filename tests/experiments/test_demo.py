"""Pages that run trained models in a real browser: their answers are JAX's."""

import base64
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research import cells, demo, runs
from gru_research.config import UserError
from gru_research.demo import page as pages
from gru_research.demo import weights
from gru_research.demo.content import Content, Trained
from gru_research.demo.description import describe
from gru_research.demo.forecasts import BODY
from gru_research.models.segrnn import SegRNN
from gru_research.models.sequence import sequence
from gru_research.spec import Spec
from gru_research.tasks.sentiment.words import split_words
from tests.browser import opened
from tests.faults import fault, seen
from tests.launching import launch

pytestmark = pytest.mark.processes
WORDS = ("good", "bad", "not", "film", "n't", "<unknown>")
H, C = 4, 3
CELLS: dict[str, Any] = {
    "after": cells.GRU(H),
    "before": cells.GRU(H, reset="before"),
    "none": cells.GRU(H, reset="none"),
    "no update": cells.GRU(H, update="none"),
    "learned": cells.GRU(H, learn_initial_carry=True),
    "lstm": cells.LSTM(H),
    "peepholes": cells.LSTM(H, peepholes=True, learn_initial_carry=True),
    "coupled": cells.LSTM(H, without="coupled"),
    "no output": cells.LSTM(H, without="output"),
    "rnn": cells.VanillaRNN(H),
    "relu": cells.VanillaRNN(H, activation="relu"),
}
MODELS: dict[str, dict[str, Any]] = {
    **{name: {} for name in CELLS},
    "two layers": {"layers": 2, "readout": "mean"},
    "both ways": {"bidirectional": True, "readout": "attention", "attention_size": 3},
    "summed": {"bidirectional": True, "merge": "sum"},
    "averaged": {"bidirectional": True, "merge": "mean", "readout": "mean"},
    "multiplied": {"bidirectional": True, "merge": "product"},
    "one-hot": {"embedding_size": 0},
}


def drawn(params: Any) -> Any:
    """Parameters drawn anew, so that no bias is 0."""
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    return jax.tree.unflatten(
        structure, [np.asarray(0.7 * jax.random.normal(k, a.shape)) for k, a in zip(keys, leaves, strict=True)]
    )


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_every_kind_of_layer_gives_the_logits_of_jax(browser: Any, tmp_path: Path, dtype: weights.Type) -> None:
    example = {"inputs": jax.ShapeDtypeStruct((5,), jnp.int32), "lengths": jax.ShapeDtypeStruct((), jnp.int32)}
    spec = Spec(example, C, "last", len(WORDS))
    trained, expected = [], {}
    tokens = np.array([3, 0, 5, 2, 1])
    for label, options in MODELS.items():
        model = sequence(spec, CELLS.get(label, cells.GRU(H)), **{"embedding_size": 3, **options})
        params = drawn(model.init(jax.random.key(0), example))
        trained.append(Trained(label, 0, describe(label, model), params))
        batch = {"inputs": tokens[None], "lengths": np.array([5])}
        expected[label] = model.apply(weights.rounded(params, dtype), batch)[0]
    data = {"words": WORDS, "labels": ["a", "b", "c"], "several": False, "most": 0}
    body = '<textarea id="text"></textarea><div id="answers"></div>'
    path = tmp_path / "demo.html"
    path.write_text(pages.document(Content("sentiment", "A page", "six words", body, data), trained, dtype))
    it = opened(browser, path)
    assert it.told == []
    for label, logits in expected.items():
        found = it.page.evaluate("label => demo.answer(label, 'film good other not bad')", label)
        np.testing.assert_allclose(found, logits, atol=1e-5, err_msg=label)
    it.page.context.close()


def test_segments_give_the_forecasts_of_jax(browser: Any, tmp_path: Path) -> None:
    trained, expected = [], {}
    values = np.random.default_rng(0).normal(5, 2, (12, 2))
    mean, deviation = np.array([4.0, 6.0]), np.array([2.0, 0.5])
    for label, own in {"after": True, "lstm": False, "rnn": True}.items():
        model = SegRNN(CELLS[label], segment=4, horizon=6, series=2, outputs=3, series_embedding=own)
        params = drawn(model.init(jax.random.key(0), {}))
        trained.append(Trained(label, 0, describe(label, model), params))
        scaled = model.apply(params, {"inputs": jnp.asarray((values - mean) / deviation, jnp.float32)[None]})[0]
        expected[label] = np.asarray(scaled) * deviation[None, :, None] + mean[None, :, None]
    data = {"columns": ["a", "b"], "mean": mean.tolist(), "deviation": deviation.tolist(), "steps": 12, "horizon": 6,
            "start": [1.0] * 12}  # fmt: skip
    path = tmp_path / "demo.html"
    path.write_text(pages.document(Content("forecasts", "A page", "x", BODY, data), trained, "float32"))
    it = opened(browser, path)
    for label, forecast in expected.items():
        for series in range(2):
            given = [label, values[:, series].tolist(), series]
            found = it.page.evaluate("([label, values, series]) => demo.answer(label, values, series)", given)
            np.testing.assert_allclose(found, forecast[:, series], atol=1e-4)
    assert it.told == []
    it.page.context.close()


TEXTS = (
    "It isn't well-made, is it?!",
    "\u2018Don\u2019t\u2019 \u00fcber na\u00efve 1.5 o'clock ...",
    "<unknown> [NAME] <b> [x cats' they're",
    "\U0001f600 \u05e9\u05dc\u05d5\u05dd",
    "!!! a--b",
    "",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    rng = np.random.default_rng(0)
    rows = [
        f"{' '.join(rng.choice(['the', 'film', 'not', 'is'], 5))} {w}\t{k}"
        for w, k in (("bad", "x"), ("good", "<b>")) * 30
    ]
    (folder / "texts.tsv").write_text("text\tlabel\n" + "\n".join(rows) + "\n")
    done = launch(
        "compare", "--config=configs/applications/sentiment.py", f"--config.task.train={folder / 'texts.tsv'}",
        "--config.task.min_count=1", "--config.updates=30", "--config.evaluations=1", "--config.seeds=2",
        "--config.batch_size=8", "--config.cells.gru.hidden_size=4", "--config.model.embedding_size=4",
        "--config.model.attention_size=3", "--config.tune.draws=0", f"--workdir={folder / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_the_page_of_a_run_is_whole_quiet_and_alone(browser: Any, run: Path) -> None:
    done = launch("demo", f"--workdir={run}")
    assert done.returncode == 0, done.stderr
    assert "demo.html" in done.stdout and "weights in float32" in done.stdout
    it = opened(browser, run / "demo.html")
    loaded = runs.load(run)
    for text in ("the film is not bad", "good !"):
        batch = {name: jnp.asarray(a)[None] for name, a in loaded.task.encode(text).items()}
        for label in ("gru", "lstm", "rnn"):
            params = loaded.parameters(label, runs.predict.best_seed(loaded, label))
            found = it.page.evaluate("([label, text]) => demo.answer(label, text)", [label, text])
            np.testing.assert_allclose(found, loaded.model(label).apply(params, batch)[0], atol=1e-5)
    for text in TEXTS:
        assert it.page.evaluate("text => demo.splitWords(text)", text) == split_words(
            text, loaded.task.vocabularies["inputs"]
        )
    it.page.get_by_label("Text").fill("the film is great")
    answers = it.page.locator("#answers")
    assert "lstm: " in answers.inner_text() and "<b>" in answers.inner_text()
    assert "Read as unknown: great." in answers.inner_text()
    assert it.page.locator("table").count() == 2 and it.page.locator("b b").count() == 0
    for width in (1200, 360):
        it.page.set_viewport_size({"width": width, "height": 800})
        assert it.page.evaluate("document.documentElement.scrollWidth") <= width
    it.page.keyboard.press("Tab")
    assert it.told == [] and it.asked == [(run / "demo.html").as_uri()]
    it.page.context.close()


def test_a_page_that_is_too_large_keeps_the_most_frequent_words(
    browser: Any, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, path = runs.load(run), tmp_path / "demo.html"
    content = pages.FORMS["sentiment"](loaded)
    trained = [Trained("gru", 0, describe("gru", loaded.model("gru")), loaded.parameters("gru", 0))]
    assert content.shorten is not None and content.words == 6
    monkeypatch.setattr(pages, "best_seed", lambda run, label: 0)
    monkeypatch.setattr(pages, "LIMIT", len(pages.document(*content.shorten(trained, 4), "float16").encode()))
    assert "weights in float16, 4 of 6 words" in demo.write(loaded, path, ["gru"])
    assert len(path.read_bytes()) <= pages.LIMIT
    it = opened(browser, path)
    known = it.page.evaluate("DATA.words")
    assert known[:-1] == sorted(known[:-1]) and set(known) == {"the", "film", "not", "is", "<unknown>"}
    whole = [known.index(w) if w in known else 4 for w in ("the", "film", "good")]
    assert it.page.evaluate("tokensOf(splitWords('the film good'))") == whole
    it.page.context.close()
    monkeypatch.setattr(pages, "LIMIT", 1000)
    with pytest.raises(UserError, match=r"the page would have [\d,]+ bytes, more than 1,000: choose fewer cells"):
        demo.write(loaded, path, ["gru"])


@fault("predictions", "a page of a task without one")
def test_other_tasks_have_no_page(tmp_path: Path) -> None:
    done = launch(
        "compare", "--config=configs/adding.py", "--config.only=gru", "--config.updates=2", "--config.evaluations=1",
        "--config.seeds=1", "--config.batch_size=2", "--config.cells.gru.hidden_size=2", "--config.task.length=4",
        "--config.task.validation_size=2", "--config.task.test_size=2", f"--workdir={tmp_path / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with pytest.raises(UserError, match="a page runs models of forecasts, sentiment; adding has no page") as caught:
        demo.write(runs.load(tmp_path / "run"), tmp_path / "demo.html")
    seen(caught)


@fault("predictions", "a page of a cell that its scripts don't have")
def test_other_cells_are_refused() -> None:
    spec = Spec({"inputs": jax.ShapeDtypeStruct((5,), jnp.int32)}, C, "last", len(WORDS))
    with pytest.raises(
        UserError, match="a page can't run mgu, which has MGU: it runs GRU, LSTM and VanillaRNN"
    ) as caught:
        describe("mgu", sequence(spec, cells.MGU(H)))
    seen(caught)
    for model, says in (
        (sequence(spec, cells.GRU(H, gate="hard_sigmoid")), "gate='hard_sigmoid': it runs sigmoid, tanh, relu"),
        (sequence(spec, cells.GRU(H), layers=2, connections="residual"), "connections='residual'"),
        (object(), "a object: it runs models of kind 'sequence'"),
    ):
        with pytest.raises(UserError, match=says):
            describe("gru", model)


def test_packed_numbers_are_in_their_places() -> None:
    shapes, text = weights.pack({"a": np.ones((2, 3)), "b": [np.zeros(2), {"c": np.full(1, 0.1)}]}, "float16")
    assert json.loads(json.dumps(shapes)) == {
        "a": {"offset": 0, "shape": [2, 3]}, "b": [{"offset": 6, "shape": [2]}, {"c": {"offset": 8, "shape": [1]}}]
    }  # fmt: skip
    assert len(base64.b64decode(text)) == 9 * 2

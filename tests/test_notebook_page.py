"""The Python of docs/notebook.md, run from top to bottom on a small run."""

import math
import re
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.pages import blocks, text
from tests.runs.small import PARITY, trained


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    trained(Path("runs/parity"), PARITY)
    names: dict = {}
    printed = []
    for block in blocks("notebook.md"):
        exec(compile(block, "notebook.md", "exec"), names)
        printed.append(capsys.readouterr().out.splitlines())
    run, logits = names["run"], names["logits"]
    assert printed[0][:2] == ["parity ('gru', 'rnn') (0, 1)", run.predict(["1"], cell="gru")[0]["class"]]
    # The ensemble is the mean of its seeds.
    each = [float(line.split()[-1]) for line in printed[1][:2]]
    assert names["together"]["probabilities"]["odd"] == pytest.approx(sum(each) / 2, rel=1e-5)
    # What a model says of an input is what the run answers.
    assert jax.nn.softmax(logits)[0, 1] == pytest.approx(each[0], rel=1e-5)
    np.testing.assert_allclose(names["every_seed"][0], logits, rtol=1e-6)
    columns = names["evaluations"]
    assert len({len(column) for column in columns.values()}) == 1 and len(columns["cell"]) == 2 * 2 * 3
    assert set(names["curve"]) == {(seed, step) for seed in (0, 1) for step in (0, 1, 2)}
    assert {line.split()[0] for line in printed[-1]} == {"r", "z", "n"}
    # The last state and the readout give the same answer.
    params = names["params"]["readout"]
    np.testing.assert_allclose(names["ys"][:, -1] @ params["W"] + params["b"], logits, rtol=1e-5, atol=1e-6)
    assert math.isfinite(names["best"])


def test_every_flag_is_on_the_page() -> None:
    source = (Path(__file__).parents[1] / "experiments" / "predict.py").read_text()
    flags = set(re.findall(r'DEFINE_\w+\(\s*"(\w+)"', source)) - {"workdir"}
    assert flags <= set(re.findall(r"--(\w+)", text("notebook.md")))

"""The report's figures of utterances show what was saved of each cell."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from gru_research.report import drawing, exhibits
from gru_research.report.examples import FORMS


def saved(label: int) -> dict[str, np.ndarray]:
    """One utterance of three steps, in which the label `label` is most probable at the second one."""
    shares = np.full((3, 4), 0.1)
    shares[[0, 2], 0] = shares[1, label] = 0.7
    return {
        "names": np.array(["", "A", " ", "B"]), "step": np.array(0.02), "seed": np.array(5),
        "frames/0": np.array([[0.0, 2.5], [-9.0, 9.0], [1.25, 0.0]]), "share/0": shares,
        "said/0": np.array("A"), "heard/0": np.array({1: "A", 3: "B"}[label]),
    }  # fmt: skip


def test_an_utterance_has_its_features_and_the_labels_of_each_cell() -> None:
    task: Any = SimpleNamespace(labels=["gru", "rnn"])
    features, labels = FORMS["speech"](task, {"gru": saved(1), "rnn": saved(3)})
    assert isinstance(features, exhibits.Grid) and isinstance(labels, exhibits.Plot)
    assert features.values == ((0.5, 0.0, 0.75), (1.0, 1.0, 0.5))
    assert features.columns == ("0.00 s", "0.02 s", "0.04 s")
    assert [panel.title for panel in labels.panels] == ["gru: A", "rnn: B"]
    lines = {line.label: line.y for line in labels.panels[1].lines}
    assert lines["B"] == (0.1, 0.7, 0.1) and lines["blank"] == (0.7, 0.1, 0.7) and "space" in lines
    assert "seed 5" in labels.words.caption and "rnn heard “B”" in labels.words.alt
    for shown in (features, labels):
        assert exhibits.from_json(exhibits.to_json(shown)) == shown
        assert drawing.draw(shown).axes

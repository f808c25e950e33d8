"""Utterances with the probability that each cell gives to each label over time."""

from collections.abc import Mapping, Sequence

import numpy as np

from gru_research.report import exhibits, results

Arrays = Mapping[str, np.ndarray]
MOST_LABELS = 8
"""The most labels with a line each."""
_DEVIATIONS = 2.5


def draw(task: results.TaskResults, cells: Mapping[str, Arrays]) -> Sequence[exhibits.Exhibit]:
    """Returns two figures of each utterance, from the arrays of the task's `collect`: its features over time, and a
    panel for each cell with the probabilities of the labels at each step."""
    first = next(iter(cells.values()))
    keys = sorted(name.partition("/")[2] for name in first if name.startswith("said/"))
    return [figure for key in keys for figure in (_features(first, key), _labels(cells, key))]


def _features(first: Arrays, key: str) -> exhibits.Grid:
    frames, said = first[f"frames/{key}"], str(first[f"said/{key}"])
    shares = np.clip(0.5 + frames / (2 * _DEVIATIONS), 0, 1)
    words = exhibits.Words(
        f"“{said}”, as the model reads it",
        f"Heat map of {frames.shape[1]} features of the test utterance “{said}” at each step.",
        f"Each feature is normalised: a deviation of {_DEVIATIONS:g} is the end of the scale. Low frequencies, or the "
        f"first cepstrum, are at the top.",
    )
    columns = tuple(f"{second:.2f} s" for second in np.arange(len(frames)) * float(first["step"]))
    rows = tuple(str(n) for n in range(1, frames.shape[1] + 1))
    values = tuple(exhibits.numbers(row) for row in shares.T)
    return exhibits.Grid(f"speech-{int(key) + 1}-features", words, rows, columns, values, "feature", "time")


def _labels(cells: Mapping[str, Arrays], key: str) -> exhibits.Plot:
    first = next(iter(cells.values()))
    said, step = str(first[f"said/{key}"]), float(first["step"])
    times = np.arange(len(first[f"share/{key}"])) * step
    x, y = exhibits.Axis("seconds", limits=(0.0, float(times[-1]))), exhibits.Axis("probability", limits=(0.0, 1.0))
    shown = _most_probable(cells, key)
    panels = []
    for label, arrays in cells.items():
        shares, names = arrays[f"share/{key}"], arrays["names"]
        lines = [exhibits.Line("blank", "trivial", _plain(times), exhibits.numbers(shares[:, 0]))]
        for place, n in enumerate(shown):
            lines.append(exhibits.Line(_name(str(names[n])), place, _plain(times), exhibits.numbers(shares[:, n])))
        panels.append(exhibits.Panel(f"{label}: {arrays[f'heard/{key}'] or '(nothing)'}", tuple(lines), x, y))
    seeds = ", ".join(f"{label} with seed {int(arrays['seed'])}" for label, arrays in cells.items())
    heard = "; ".join(f"{label} heard “{arrays[f'heard/{key}']}”" for label, arrays in cells.items())
    words = exhibits.Words(
        f"What each cell heard in “{said}”",
        f"Line chart of the probabilities of the blank and of labels over time for each cell. {heard}.",
        f"The title of a panel is the transcript of the most probable path, which has the label of the highest line at "
        f"each step. Shown: {seeds}; the {len(shown)} labels with the highest sums.",
    )
    return exhibits.Plot(f"speech-{int(key) + 1}-labels", words, tuple(panels), panel_inches=1.4)


def _most_probable(cells: Mapping[str, Arrays], key: str) -> list[int]:
    """Returns the labels, without the blank, that have the largest sums of probability over all cells."""
    sums = np.sum([arrays[f"share/{key}"][:, 1:].sum(0) for arrays in cells.values()], axis=0)
    return sorted((np.argsort(-sums, kind="stable")[:MOST_LABELS] + 1).tolist())


def _name(label: str) -> str:
    return "space" if label == " " else label


def _plain(times: np.ndarray) -> tuple[float, ...]:
    return tuple(times.astype(float).tolist())

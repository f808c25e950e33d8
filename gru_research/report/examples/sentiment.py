"""What each word of a few test texts did, with the cells side by side, above the gates and the attention."""

from collections.abc import Mapping, Sequence

import numpy as np

from gru_research.report import exhibits, results

Arrays = Mapping[str, np.ndarray]
MAP = "map/"


def draw(task: results.TaskResults, cells: Mapping[str, Arrays]) -> Sequence[exhibits.Exhibit]:
    """Returns a map of effects for each text, and one of the gates for the first, from the arrays of the task's
    `collect`."""
    del task
    texts = [_words(row) for row in next(iter(cells.values())).get("words", ())]
    shown: list[exhibits.Exhibit] = [_effects(cells, k, words) for k, words in enumerate(texts)]
    if texts and any(name.startswith(MAP) for arrays in cells.values() for name in arrays):
        shown.insert(1, _gates(cells, texts[0]))
    return shown


def _words(row: np.ndarray) -> tuple[str, ...]:
    return tuple(word for word in row.tolist() if word)


def _signed(value: float) -> str:
    return f"{round(float(value), 1) + 0.0:+.1f}"  # adding 0 makes a negative zero positive


def _effects(cells: Mapping[str, Arrays], k: int, words: tuple[str, ...]) -> exhibits.Grid:
    first = next(iter(cells.values()))
    place, label = int(first["places"][k]), str(first["labels"][k])
    effects = {cell: arrays["effects"][k, : len(words)].astype(float) for cell, arrays in cells.items()}
    most = max(float(np.nanmax(np.abs(row))) for row in effects.values()) or 1.0
    shares = {cell: float(arrays["probability"][k]) for cell, arrays in cells.items()}
    seeds = ", ".join(f"{cell} with seed {int(arrays['seed'])}" for cell, arrays in cells.items())
    said = "; ".join(
        f"{cell}: " + ", ".join(f"{word} {_signed(value)}" for word, value in zip(words, row, strict=True))
        for cell, row in effects.items()
    )
    text = exhibits.Words(
        f'What each word does to "{label}", test text {place}',
        f'By how much each word of "{" ".join(words)}" raises the log-odds of "{label}". {said}.',
        f'The log-odds of the right label, "{label}", minus those of the text without the word: light fields speak '
        f"for the label, dark ones against it. Shown: {seeds}. The texts are the first short one with a negation and "
        f"the first ones without, chosen before any answer was seen.",
    )
    return exhibits.Grid(
        f"words-{place}",
        text,
        tuple(f"{cell}, {share:.0%}" for cell, share in shares.items()),
        words,
        tuple(exhibits.numbers(0.5 + row / (2 * most)) for row in effects.values()),
        texts=tuple(tuple(f"{_signed(value)}\n" for value in row) for row in effects.values()),
    )


def _gates(cells: Mapping[str, Arrays], words: tuple[str, ...]) -> exhibits.Grid:
    rows = {
        f"{cell} {name.removeprefix(MAP)}": array[0, : len(words)]
        for cell, arrays in cells.items()
        for name, array in arrays.items()
        if name.startswith(MAP)
    }
    place = int(next(iter(cells.values()))["places"][0])
    said = "; ".join(f"{name}: " + ", ".join(f"{value:.2f}" for value in row) for name, row in rows.items())
    text = exhibits.Words(
        f"Gates and attention at each word, test text {place}",
        f'Map of gates and attention at the words of "{" ".join(words)}". {said}.',
        "Each gate is the mean over the units of the first layer. The attention is divided by its highest value. The "
        "backward direction reads from the end.",
    )
    return exhibits.Grid(
        f"gates-{place}", text, tuple(rows), words, tuple(exhibits.numbers(row) for row in rows.values()), "", "word"
    )

"""Translations of a few test sentences with the cells side by side, and whether the cells differ on these sentences."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from gru_research import stats, tables
from gru_research.report import exhibits, formatting, results

Arrays = Mapping[str, np.ndarray]


def draw(task: results.TaskResults, cells: Mapping[str, Arrays]) -> Sequence[exhibits.Exhibit]:
    """Returns the table of pairs of cells and the table of translations, from the arrays of the task's `collect`."""
    del task
    pairs = list(itertools.combinations(cells, 2))
    return [*([_pairs(cells, pairs)] if pairs else []), _translations(cells)]


def _pairs(cells: Mapping[str, Arrays], pairs: Sequence[tuple[str, str]]) -> tables.Table:
    found = [(f"{x} - {y}", stats.paired_bleu(cells[x]["counts"], cells[y]["counts"])) for x, y in pairs]
    columns = [
        tables.Column("cells", lambda name, pair: name, "left"),
        tables.Column("BLEU", lambda name, pair: f"{pair.x:.1f}, {pair.y:.1f}"),
        tables.Column("difference", lambda name, pair: f"{pair.difference.value:+.2f}"),
        tables.Column("95 % interval", lambda name, pair: f"{pair.difference.low:+.2f} to {pair.difference.high:+.2f}"),
        tables.Column("p", lambda name, pair: formatting.number(pair.p, 2)),
    ]
    seeds = ", ".join(f"{label} with seed {int(arrays['seed'])}" for label, arrays in cells.items())
    count = len(next(iter(cells.values()))["counts"])
    caption = (
        f"Paired bootstrap over the {count:,} test sentences (Koehn 2004), {seeds}. It says whether other sentences "
        f"might reverse the order of these trained models. Other seeds are other models: see the intervals over seeds."
    )
    return tables.tabulate(columns, found, caption)


def _translations(cells: Mapping[str, Arrays]) -> tables.Table:
    first = next(iter(cells.values()))
    rows: list[tuple[str, str]] = []
    for k, place in enumerate(first["places"].tolist()):
        rows += [(f"sentence {place}", str(first["source"][k])), ("reference", str(first["wanted"][k]))]
        rows += [(label, str(arrays["given"][k])) for label, arrays in cells.items()]
    columns = [
        tables.Column("", lambda name, text: name, "left"),
        tables.Column("text", lambda name, text: text, "left"),
    ]
    return tables.tabulate(columns, rows, "Test sentences, evenly spaced over the test set, and their translations.")

"""Parameter counts of tanh, GRU and LSTM layers (Chung et al. 2014, arXiv 1412.3555, the speech models)."""

import jax

from experiments.replications.table import PublishedTable, RowResult, TableRow
from gru_research.cells import GRU, LSTM, Cell, VanillaRNN

INPUTS = 20


def _row(name: str, cell: Cell, published: int) -> TableRow:
    def count(runs: object) -> RowResult:
        del runs
        shapes = jax.eval_shape(lambda: cell.init(jax.random.key(0), INPUTS))
        ours = sum(leaf.size for leaf in jax.tree.leaves(shapes))
        return RowResult(f"{ours:,}", "", "exact" if ours == published else f"off by {ours - published:+,}")

    return TableRow(f"{name}, {cell.hidden_size} units", f"{published:,}", count)


TABLE = PublishedTable(
    title="Parameters at 20 inputs, without the output layer",
    source="Chung et al. 2014, arXiv 1412.3555, table 1; it rounds, so exact counts are computed from its units",
    rows=(
        _row("tanh", VanillaRNN(400), 168_400),
        _row("GRU", GRU(227, reset="before"), 168_888),
        _row("LSTM", LSTM(195, peepholes=True), 169_065),
    ),
    differences=(),
)

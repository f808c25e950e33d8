"""Temporal order with two and three symbols (Hochreiter and Schmidhuber 1997, tasks 6a and 6b)."""

from collections.abc import Mapping
from typing import Any

from experiments.replications.table import PublishedTable, RowResult, TableRow, TableRun
from experiments.replications.verdicts import metrics_of_seeds, summary_row
from gru_research import records
from gru_research.plural import several

TEST_SIZE = 2560
BATCH = 10
SEQUENCES = {"6a": 31_390, "6b": 571_100}


def _config(symbols: int, sequences: int, cells: tuple[str, ...], draws: int) -> dict[str, Any]:
    known = {
        "gru": {"kind": "gru", "hidden_size": 32},
        "chrono": {"kind": "gru", "hidden_size": 32, "chrono": 110},
        "lstm": {"kind": "lstm", "hidden_size": 32},
        "rnn": {"kind": "rnn", "hidden_size": 32},
    }
    return {
        "task": {"name": "temporal_order", "symbols": symbols, "test_size": TEST_SIZE},
        "cells": {name: known[name] for name in cells},
        "match": "none",
        "batch_size": BATCH,
        "updates": sequences // BATCH,
        "evaluations": 30,
        "seeds": 5,
        "optimizer": {"name": "adam", "schedule": "cosine", "clip": 1.0},
        "model": {"embedding_size": 0},
        "tune": {"draws": draws, "learning_rate": (1e-3, 1e-1)},
    }


def _wrong(run: str, cell: str, limit: int, wanted: int) -> TableRow:
    """Returns the row of each seed's wrong answers of 2,560; reached where `wanted` seeds have at most `limit`."""

    def judge(runs: Mapping[str, records.Run]) -> RowResult | None:
        if summary_row(runs, run, cell) is None:
            return None
        wrong = [None if m is None else round((1 - m) * TEST_SIZE) for m in metrics_of_seeds(runs, run, cell)]
        good = sum(w is not None and w <= limit for w in wrong)
        texts = ", ".join("diverged" if w is None else str(w) for w in wrong)
        reached = "reached" if good >= wanted else "not reached"
        verdict = f"{good} of {several(len(wrong), 'seed')} at most {limit}: {reached}"
        return RowResult(texts, f"every seed of {len(wrong)}", verdict)

    published = {"6a": "1 (LSTM)", "6b": "2 (LSTM)"}[run]
    return TableRow(f"{run}, {cell}, wrong of 2,560 after {SEQUENCES[run]:,} sequences", published, judge)


TABLE = PublishedTable(
    title="Temporal order, lengths 100 to 110",
    source="Hochreiter and Schmidhuber 1997, Neural Computation 9(8), table 9: LSTM with 156 and 308 weights",
    runs={
        "6a": TableRun(_config(2, SEQUENCES["6a"], ("gru", "chrono", "lstm", "rnn"), 6)),
        "6b": TableRun(_config(3, SEQUENCES["6b"], ("gru", "chrono"), 2)),
    },
    rows=(
        *(_wrong("6a", cell, 3, 4) for cell in ("gru", "chrono", "lstm", "rnn")),
        *(_wrong("6b", cell, 3, 4) for cell in ("gru", "chrono")),
    ),
    differences=(
        "6b is run with GRUs only; the published number is an LSTM's.",
        "chrono is the GRU with gates initialised for spans up to 110 steps (Tallec and Ollivier 2018).",
        "32 units (some 4,000 weights) and a softmax, instead of 2 or 3 memory-cell blocks (156 and 308 weights) and "
        "outputs that must be within 0.3 of their targets.",
        "Adam on batches of 10 sequences, a cosine schedule and a tuned rate; the source updates after every sequence "
        "at a fixed rate. The number of training sequences is the same; tuning uses further ones.",
        "The source stops when the task is solved and reports the mean number of sequences; here all sequences are "
        "used.",
    ),
)

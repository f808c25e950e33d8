"""Parity and modular arithmetic, trained to length 40 and tested on 41 to 500 (Delétang et al., arXiv 2207.02098)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.replications.table import PublishedTable, RowResult, TableRow, TableRun
from experiments.replications.verdicts import interval_text, metrics_of_seeds, summary_row
from gru_research import records

SEEDS = 10


def _config(task: str) -> dict[str, Any]:
    return {
        "task": {"name": task, "length": 40, "test_length": 500, "validation_size": 500, "test_size": 1000},
        "cells": {
            "gru": {"kind": "gru", "hidden_size": 64},
            "lstm": {"kind": "lstm", "hidden_size": 64},
            "rnn": {"kind": "rnn", "hidden_size": 64},
        },
        "match": "none",
        "batch_size": 64,
        "evaluations": 15,
        "seeds": SEEDS,
        "optimizer": {"name": "adam", "schedule": "cosine", "clip": 1.0},
        "model": {"embedding_size": 0},
        "tune": {"draws": 5, "learning_rate": (5e-4, 2e-2)},
    }


def _best(run: str, cell: str, name: str, published: str, limit: float) -> TableRow:
    """Returns the row of a cell's test accuracy over seeds, in percent; reached where the best is at least `limit`."""

    def judge(runs: Mapping[str, records.Run]) -> RowResult | None:
        row = summary_row(runs, run, cell)
        if row is None:
            return None
        values = [0.0 if m is None else 100 * m for m in metrics_of_seeds(runs, run, cell)]
        verdict = f"best of {len(values)} " + ("reaches" if max(values) >= limit else "below") + f" {limit:g}"
        ours = f"best {max(values):.1f}, mean {np.mean(values):.1f}, least {min(values):.1f}"
        return RowResult(ours, f"IQM {interval_text(row, '.1f', 100)}", verdict)

    return TableRow(name, published, judge)


TABLE = PublishedTable(
    title="Formal languages: accuracy in percent on lengths 41 to 500, best and mean of 10 seeds",
    source="Delétang et al. 2022, arXiv 2207.02098: best of 10 seeds; it has no GRU",
    runs={
        "parity": TableRun(_config("parity"), share=0.5),
        "arithmetic": TableRun(_config("modular_arithmetic"), share=0.5),
    },
    rows=(
        _best("parity", "gru", "parity, GRU", "not published", 99.0),
        _best("parity", "lstm", "parity, LSTM", "100.0", 99.0),
        _best("parity", "rnn", "parity, RNN", "100.0", 99.0),
        _best("arithmetic", "gru", "modular arithmetic, GRU", "not published", 99.0),
        _best("arithmetic", "lstm", "modular arithmetic, LSTM", "100.0", 99.0),
        _best("arithmetic", "rnn", "modular arithmetic, RNN", "100.0", 99.0),
    ),
    differences=(
        "64 units and batches of 64 instead of 256 and 128; the budget sets the number of updates, instead of a "
        "million.",
        "Test lengths are drawn from 41 to 500 instead of averaging over each of them.",
        "One tuned rate a cell (5 draws, chosen on lengths to 40) with a cosine schedule, instead of the best of three "
        "rates.",
    ),
)

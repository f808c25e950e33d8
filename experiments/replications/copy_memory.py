"""Copy memory: all cells at the baseline at T=1000, and a GRU with chrono initialisation below it at T=100."""

from typing import Any

from experiments.replications.table import Judge, PublishedTable, TableRow, TableRun
from experiments.replications.verdicts import agrees_with, reaches

BASELINE_1000 = 0.0204  # 10 ln 8 / 1020


def _published() -> dict[str, Any]:
    return {
        "task": {"name": "copy_memory", "form": "bai", "length": 1000, "validation_size": 100, "test_size": 200},
        "cells": {"gru": {"kind": "gru", "hidden_size": 64}, "lstm": {"kind": "lstm"}, "rnn": {"kind": "rnn"}},
        "match": "parameters",
        "batch_size": 32,
        "evaluations": 5,
        "seeds": 5,
        "optimizer": {"name": "rmsprop", "learning_rate": 5e-4, "decay": 0.99, "clip": 1.0},
        "model": {"embedding_size": 0},
    }


def _chrono() -> dict[str, Any]:
    return {
        "task": {"name": "copy_memory", "length": 100, "test_size": 1000, "validation_size": 500},
        "cells": {
            "chrono": {"kind": "gru", "hidden_size": 64, "chrono": 120},
            "gru": {"kind": "gru", "hidden_size": 64},
        },
        "match": "none",
        "batch_size": 32,
        "evaluations": 20,
        "seeds": 5,
        "optimizer": {"name": "adam", "schedule": "cosine", "clip": 1.0},
        "model": {"embedding_size": 0},
        "tune": {"draws": 3, "learning_rate": (1e-3, 5e-2)},
    }


def _at_baseline(cell: str) -> Judge:
    return agrees_with("T1000", cell, BASELINE_1000, 0.05, ".4f", what="the baseline")


TABLE = PublishedTable(
    title="Copy memory: cross-entropy of a step, in nats",
    source="Bai, Kolter and Koltun 2018, arXiv 1803.01271 (T=1000); the baseline is 10 ln 8 / (T + 20)",
    runs={"T1000": TableRun(_published(), share=0.5), "T100": TableRun(_chrono(), share=0.5)},
    rows=(
        TableRow("T=1000, GRU", ".0197 (baseline .0204)", _at_baseline("gru")),
        TableRow("T=1000, LSTM", ".0204 (baseline .0204)", _at_baseline("lstm")),
        TableRow("T=1000, RNN", ".0202 (baseline .0204)", _at_baseline("rnn")),
        TableRow("T=100, GRU, chrono", "at most .09 wanted (baseline .1733)", reaches("T100", "chrono", 0.09, ".4f")),
        TableRow("T=100, GRU", "not published (baseline .1733)", reaches("T100", "gru", 0.09, ".4f")),
    ),
    differences=(
        "The budget sets the number of updates: the same time for every cell.",
        "Symbols are one-hot, as in Arjovsky et al. (arXiv 1511.06464); the source feeds their numbers.",
        "T=1000 has the published optimiser and rate, one layer of 64 units for the GRU; T=100 has Adam, a cosine "
        "schedule and a rate tuned with 3 draws.",
        "At T=1000 the delimiter is the source's, which stays on while symbols are recalled. At T=100 it is the "
        "delimiter of Arjovsky et al., which lasts one step.",
    ),
)

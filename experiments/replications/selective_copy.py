"""Selective copying at L=32, k=4: a GRU against a minGRU of the same size."""

from experiments.replications.table import PublishedTable, TableRow, TableRun
from experiments.replications.verdicts import agrees_with

CONFIG = {
    "task": {"name": "selective_copy", "length": 32, "symbols": 4},
    "cells": {
        "gru": {"kind": "gru", "hidden_size": 106},
        "mingru": {"kind": "min_gru"},
    },
    "match": "parameters",
    "batch_size": 32,
    "updates": 600,
    "evaluations": 12,
    "seeds": 10,
    "optimizer": {
        "name": "adam", "learning_rate": 3e-3, "schedule": "onecycle", "clip": 1.0, "weight_decay": 0.01
    },
    "model": {"embedding_size": 48},
}  # fmt: skip

TABLE = PublishedTable(
    title="Selective copying: exact match of 4 symbols among 32 steps after 600 updates",
    source="an unreviewed comparison of a GRU and a minGRU (see tasks/selective_copy.py)",
    runs={"L32": TableRun(CONFIG)},
    rows=(
        TableRow("GRU", "1.000", agrees_with("L32", "gru", 1.0, 0.02, ".3f")),
        TableRow("minGRU", "0.389", agrees_with("L32", "mingru", 0.389, 0.1, ".3f")),
    ),
    differences=(
        "The source has LayerNorm and a hidden layer of 64 between the cell and the answers, and with them about "
        "60,000 parameters.",
        "10 seeds, and the same fixed rate for both cells, which is the source's.",
    ),
)

"""Sequential MNIST with about 70,000 parameters (Bai, Kolter and Koltun 2018, arXiv 1803.01271)."""

from typing import Any

from experiments.replications.table import PublishedTable, TableRow, TableRun
from experiments.replications.verdicts import reaches, reported

PUBLISHED = {"gru": 96.2, "lstm": 87.2, "rnn": 21.5}
EPOCH = 55_000 // 64


def _config(pool: int, **fields: Any) -> dict[str, Any]:
    return {
        "task": {"name": "smnist", "order": "pixels", "pool": pool},
        "cells": {"gru": {"kind": "gru", "hidden_size": 150}, "lstm": {"kind": "lstm"}, "rnn": {"kind": "rnn"}},
        "match": "parameters",
        "batch_size": 64,
        "evaluations": 10,
        "select": "best",
        "optimizer": {"name": "adam", "learning_rate": 1e-3, "schedule": "cosine", "clip": 1.0},
        **fields,
    }


TABLE = PublishedTable(
    title="Sequential MNIST: test accuracy in percent",
    source="Bai, Kolter and Koltun 2018, arXiv 1803.01271: 70,000 parameters, 784 steps",
    runs={
        "short": TableRun(_config(4, seeds=5, tune={"draws": 3, "learning_rate": (5e-4, 1e-2)}), share=1.0),
        "full": TableRun(_config(1, seeds=5, updates=10 * EPOCH), gpu=True),
    },
    rows=(
        *(
            TableRow(f"784 steps, {cell}", f"{value}", reaches("full", cell, value, ".1f", 100))
            for cell, value in PUBLISHED.items()
        ),
        *(
            TableRow(
                f"49 steps (4 x 4 pixels as one), {cell}", f"{value} at 784 steps", reported("short", cell, ".1f", 100)
            )
            for cell, value in PUBLISHED.items()
        ),
    ),
    differences=(
        "The short run has the same images, cells and sizes, but 49 steps: squares of 4 x 4 pixels become their mean. "
        "It trains for the time of the budget and says nothing about 784 steps.",
        "The full run has 10 epochs, one rate for all cells and 5 seeds.",
    ),
)

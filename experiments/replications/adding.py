"""The adding problem at lengths to 600, about 70,000 parameters (Bai, Kolter and Koltun 2018, arXiv 1803.01271)."""

from typing import Any

from experiments.replications.table import PublishedTable, TableRow, TableRun
from experiments.replications.verdicts import agrees_with, reaches

LENGTHS = {100: 0.1, 200: 0.2, 600: 0.7}


def _config(length: int) -> dict[str, Any]:
    return {
        "task": {"name": "adding", "length": length, "test_size": 2000},
        "cells": {
            "gru": {"kind": "gru", "hidden_size": 151},
            "lstm": {"kind": "lstm"},
            "tanh": {"kind": "rnn"},
            "best": {"kind": "rnn", "activation": "relu", "recurrent_init": "identity"},
        },
        "match": "parameters",
        "batch_size": 32,
        "evaluations": 15,
        "seeds": 5,
        "optimizer": {"name": "adam", "schedule": "cosine", "clip": 1.0},
        "tune": {"draws": 3, "learning_rate": (3e-4, 1e-2)},
    }


def _at(length: int) -> tuple[TableRow, ...]:
    run = f"T{length}"
    return tuple(
        TableRow(f"T={length}, {name}", "1/6 is trivial", reaches(run, cell, 0.01, ".2e"))
        for cell, name in _NAMES.items()
    )


_NAMES = {"gru": "GRU", "lstm": "LSTM", "tanh": "RNN, tanh", "best": "RNN, relu with the identity"}

TABLE = PublishedTable(
    title="Adding problem: test mean squared error",
    source="Bai, Kolter and Koltun 2018, arXiv 1803.01271 (T=600); T=100 and 200 are judged by 'solved', below 0.01",
    runs={f"T{length}": TableRun(_config(length), share=share) for length, share in LENGTHS.items()},
    rows=(
        *_at(100),
        *_at(200),
        TableRow("T=600, GRU", "5.3e-5", reaches("T600", "gru", 5.3e-5, ".2e")),
        TableRow("T=600, LSTM", "0.164", agrees_with("T600", "lstm", 0.164, 0.05)),
        TableRow("T=600, RNN, tanh", "0.177", agrees_with("T600", "tanh", 0.177, 0.08)),
        TableRow("T=600, RNN, relu with the identity", "not published", reaches("T600", "best", 0.01, ".2e")),
    ),
    differences=(
        "The budget sets the number of updates: the same time for every cell, with a cosine schedule over it.",
        "Every cell has one layer and its own tuned rate, Adam.",
        "There are two vanilla RNNs: tanh with an orthogonal kernel, which is close to the published one, and relu "
        "with the identity, which has the best prospects of a vanilla RNN on this task.",
    ),
)

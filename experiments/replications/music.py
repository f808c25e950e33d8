"""Polyphonic music with tanh, GRU and LSTM units of about 20,000 parameters (Chung et al. 2014, arXiv 1412.3555)."""

import math
from typing import Any

from experiments.replications.table import PublishedTable, TableRow, TableRun
from experiments.replications.verdicts import agrees_with, reaches, same_order

# The paper draws 10 learning rates from exp(U(-12, -6)).
RATES = (math.exp(-12), math.exp(-6))
PUBLISHED = {"jsb": {"gru": 8.54, "lstm": 8.67, "tanh": 9.10}, "nottingham": {"tanh": 3.13, "lstm": 3.20, "gru": 3.23}}


def _config(dataset: str, batch_size: int, **task: Any) -> dict[str, Any]:
    return {
        "task": {"name": "music", "dataset": dataset, **task},
        "cells": {
            "tanh": {"kind": "rnn", "hidden_size": 100},
            "gru": {"kind": "gru", "hidden_size": 46, "reset": "before"},
            "lstm": {"kind": "lstm", "hidden_size": 36, "peepholes": True},
        },
        "match": "none",
        "batch_size": batch_size,
        "evaluations": 40,
        "seeds": 5,
        "select": "best",
        "optimizer": {"name": "rmsprop", "clip": 1.0},
        "model": {"weight_noise": 0.075},
        "tune": {"draws": 10, "learning_rate": RATES},
    }


def _rows(dataset: str, name: str) -> tuple[TableRow, ...]:
    published = PUBLISHED[dataset]
    judge = (lambda cell, value: reaches(dataset, cell, value, ".3f")) if dataset == "jsb" else (
        lambda cell, value: agrees_with(dataset, cell, value, 0.02, ".3f")
    )  # fmt: skip
    rows = tuple(TableRow(f"{name}, {cell}", f"{value:.2f}", judge(cell, value)) for cell, value in published.items())
    return (*rows, TableRow(f"{name}, order", " < ".join(published), same_order(dataset, tuple(published))))


TABLE = PublishedTable(
    title="Polyphonic music: test negative log-likelihood of a frame, in nats",
    source="Chung et al. 2014, arXiv 1412.3555, table 2",
    runs={
        "jsb": TableRun(_config("jsb", 8), share=0.4),
        "nottingham": TableRun(_config("nottingham", 8, segment=256), share=0.6),
    },
    rows=(*_rows("jsb", "JSB Chorales"), *_rows("nottingham", "Nottingham")),
    differences=(
        "The paper reports one model, chosen by validation among 10 learning rates. Here 5 fresh seeds are trained at "
        "the chosen rate, and the IQM is over these seeds.",
        "Every cell trains for the same time, given by the budget, instead of until validation stops improving; the "
        "parameters with the best validation loss are tested.",
        "Batches have 8 sequences; the paper gives no batch size.",
        "Weight noise acts on the recurrent layer, not on the readout.",
        "Nottingham's training sequences are cut at 256 frames; validation and test are whole.",
        "The first frame is predicted too, from zeros.",
    ),
)

"""Tests a tutorial's claims about the GRU: gradients, memory, size, speed, overfitting, gates, ablations.

    python -m experiments.claims --config=configs/claims.py
    python -m experiments.claims --config=configs/claims.py:full --require_backend=gpu
    python -m experiments.claims --config=configs/claims.py --config.only=size,speed

`claims` holds the claims with their options (experiments/claims has a file for each), `runs` holds the experiments that
they use, and `only` selects claims. All cells' learning rates come from the same draws, with separate seeds.
`quick` takes 13 minutes on two cores of an AMD EPYC, 23 on two of a slower Xeon; three claims hold there and four hold
under a condition (docs/claims.md).
MNIST is downloaded once, or read from a folder with the four original files: `--manual_dir=DIR`. Without MNIST the
claim about overfitting is not run, and the page says so.
"""

import ml_collections

VARIANTS = ("quick", "full")
SIZES = {"validation_size": 200, "test_size": 1000}
VANILLA = {
    "rnn_glorot": {"kind": "rnn", "activation": "tanh", "recurrent_init": "glorot_uniform"},
    "rnn_orthogonal": {"kind": "rnn", "activation": "tanh", "recurrent_init": "orthogonal"},
    "rnn_identity": {"kind": "rnn", "activation": "relu", "recurrent_init": "identity"},
}
REMEDIES = {
    "early_stopping": {"select": "best", "patience": 5},
    "weight_decay": {"optimizer": {"weight_decay": 1.0}},
    "variational_dropout": {"model": {"input_dropout": 0.2, "state_dropout": 0.3}},
    "zoneout": {"model": {"zoneout": 0.2}},
}


def get_config(variant: str = "quick") -> ml_collections.ConfigDict:
    """Returns the claims: `quick` for two cores, or `full` for an accelerator."""
    if variant not in VARIANTS:
        raise ValueError(f"configs/claims.py has no variant {variant!r}; choose from {', '.join(VARIANTS)}")
    full = variant == "full"
    return ml_collections.ConfigDict(
        {
            "only": "",
            "claims": {
                "gradients": {"run": "memory", "gru": "gru", "vanilla": ",".join(VANILLA)},
                "memory": {"run": "memory", "also": "copy" if full else "", "gru": "gru", "vanilla": ",".join(VANILLA)},
                "size": {"hidden_sizes": (32, 128, 512)},
                "speed": {"shapes": "32,128,32,128;50,200,2,64" + (";64,256,128,512" if full else "")},
                "overfitting": {
                    "sizes": "mnist-200,mnist-1000,mnist-5000",
                    "remedies": ",".join(f"mnist-200-{name}" for name in REMEDIES),
                },
                "gates": {"run": "memory", "cell": "gru"},
                "ablations": {"runs_of": "ablations-adding,ablations-parity"},
            },
            "runs": {
                "memory": memory(full),
                **({"copy": copying()} if full else {}),
                "mnist-200": mnist(200, full),
                "mnist-1000": mnist(1000, full),
                "mnist-5000": mnist(5000, full),
                **{f"mnist-200-{name}": remedied(fields, full) for name, fields in REMEDIES.items()},
                "ablations-adding": ablations({"name": "adding", "length": 100 if full else 50, **SIZES}, full),
                "ablations-parity": ablations({"name": "parity", "length": 20, "test_length": 40, **SIZES}, full),
            },
        }
    )


def memory(full: bool) -> dict:
    """The adding problem over 200 steps, six cells with equal numbers of parameters."""
    return {
        "task": {"name": "adding", "length": 200, **SIZES},
        "cells": {
            "gru": {"kind": "gru", "hidden_size": 64 if full else 35},
            "chrono_gru": {"kind": "gru", "chrono": 200},
            "lstm": {"kind": "lstm"},
            **VANILLA,
        },
        "reference": "gru",
        "match": "parameters",
        "updates": 3000 if full else 600,
        "batch_size": 32,
        "evaluations": 10,
        "seeds": 30 if full else 20,
        "select": "best",
        "probes": "gradient_flow",
        "optimizer": {"name": "adam", "schedule": "cosine", "clip": 1.0},
        "tune": {"draws": 8 if full else 4, "seeds": 1, "learning_rate": (5e-4, 3e-2)},
    }


def copying() -> dict:
    """Copy memory of ten symbols with a delay at which published GRUs and LSTMs stay at the baseline."""
    adding = memory(full=True)
    return {
        **adding,
        "task": {"name": "copy_memory", "form": "bai", "length": 1000, **SIZES},  # the published form
        "cells": adding["cells"] | {"chrono_gru": {"kind": "gru", "chrono": 1010}},
        "seeds": 20,
        "probes": "",
    }


def mnist(examples: int, full: bool) -> dict:
    """MNIST row by row, with the first `examples` training images."""
    return {
        "task": {"name": "smnist", "order": "rows"},
        "cells": {
            "gru": {"kind": "gru", "hidden_size": 128 if full else 32},
            "lstm": {"kind": "lstm"},
            "rnn": {"kind": "rnn", "activation": "tanh", "recurrent_init": "orthogonal"},
        },
        "reference": "gru",
        "match": "parameters",
        "train_examples": examples,
        "updates": 3000 if full else 400,
        "batch_size": 50,
        "evaluations": 20,
        "seeds": 20 if full else 7,
        "optimizer": {"name": "adam", "learning_rate": 5e-3, "schedule": "cosine", "clip": 1.0},
    }


def remedied(fields: dict, full: bool) -> dict:
    """The GRU on the smallest set with a remedy against overfitting."""
    plain = mnist(200, full)
    return {**plain, "only": "gru", **fields, "optimizer": {**plain["optimizer"], **fields.get("optimizer", {})}}


def ablations(task: dict, full: bool) -> dict:
    """GRU and LSTM, complete and without one gate each, at equal width."""
    return {
        "task": task,
        "cells": {
            "gru": {"kind": "gru", "hidden_size": 64 if full else 32},
            "gru_no_reset": {"kind": "gru", "reset": "none"},
            "gru_no_update": {"kind": "gru", "update": "none"},
            "gru_coupled": {"kind": "mgu"},
            "lstm": {"kind": "lstm"},
            "lstm_no_input": {"kind": "lstm", "without": "input"},
            "lstm_no_forget": {"kind": "lstm", "without": "forget"},
            "lstm_no_output": {"kind": "lstm", "without": "output"},
            "lstm_coupled": {"kind": "lstm", "without": "coupled"},
        },
        "reference": "gru",
        "match": "width",
        "updates": 4000 if full else 500,
        "batch_size": 32,
        "evaluations": 10,
        "seeds": 30 if full else 8,
        "select": "best",
        "optimizer": {"name": "adam", "schedule": "cosine", "clip": 1.0},
        "tune": {"draws": 8 if full else 3, "seeds": 1, "learning_rate": (2e-3, 3e-2)},
    }

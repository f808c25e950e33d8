"""A config of claims that runs in seconds; `experiments.claims --config` reads it as it would anybody's."""

import copy

import ml_collections

SIZES = {"validation_size": 12, "test_size": 12}
TRAINING = {"updates": 4, "batch_size": 4, "evaluations": 2, "seeds": 6, "optimizer": {"learning_rate": 1e-3}}
MNIST = {
    **TRAINING,
    "seeds": 2,
    "task": {"name": "smnist", "order": "rows", "pool": 7},
    "cells": {"gru": {"kind": "gru", "hidden_size": 2}, "rnn": {"kind": "rnn"}},
}


def get_config() -> ml_collections.ConfigDict:
    return ml_collections.ConfigDict(copy.deepcopy(config()))  # which would share what two runs share here


def config() -> dict:
    return {
        "only": "",
        "claims": {
            "gradients": {"run": "memory", "gru": "gru", "vanilla": "rnn", "biases": (0, 4), "input_scales": (0.1, 1)},
            "memory": {"run": "memory", "also": "more_memory", "gru": "gru", "vanilla": "rnn", "examples": 8},
            "size": {"hidden_sizes": (4, 8)},
            "speed": {"shapes": "2,3,2,4", "rounds": 6, "budget": 0.05},
            "overfitting": {"sizes": "few,more", "remedies": "few-weight_decay"},
            "gates": {"run": "memory", "cell": "gru", "examples": 12},
            "ablations": {"runs_of": "without", "whole": "gru", "needed": "gru_no_reset"},
        },
        "runs": {
            "memory": {
                **TRAINING,
                "task": {"name": "adding", "length": 8, **SIZES},
                "cells": {"gru": {"kind": "gru", "hidden_size": 4}, "rnn": {"kind": "rnn"}},
                "probes": "gradient_flow",
            },
            "more_memory": {
                **TRAINING,
                "task": {"name": "copy_memory", "length": 3, "symbols": 2, **SIZES},
                "cells": {"gru": {"kind": "gru", "hidden_size": 4}, "rnn": {"kind": "rnn"}},
            },
            "without": {
                **TRAINING,
                "task": {"name": "adding", "length": 8, **SIZES},
                "cells": {
                    "gru": {"kind": "gru", "hidden_size": 4},
                    "gru_no_reset": {"kind": "gru", "reset": "none"},
                },
                "match": "width",
            },
            "few": {**MNIST, "train_examples": 8},
            "more": {**MNIST, "train_examples": 40},
            "few-weight_decay": {**MNIST, "train_examples": 8, "only": "gru", "optimizer": {"weight_decay": 1.0}},
        },
    }

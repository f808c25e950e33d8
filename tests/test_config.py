"""Configs: what is accepted, and one clear line for what isn't."""

import dataclasses
from typing import Any

import pytest

from gru_research import config

MINIMAL: dict[str, Any] = {
    "task": {"name": "adding", "length": 10},
    "cells": {"gru": {"kind": "gru", "hidden_size": 3}, "lstm": {"kind": "lstm", "forget_bias": 2.0}},
}


def test_defaults_are_filled_in_and_the_first_cell_is_the_reference() -> None:
    made = config.experiment(MINIMAL)
    assert (made.reference, made.match, made.seeds) == ("gru", "parameters", 5)
    assert made.task == config.TaskConfig("adding", {"length": 10})
    assert made.cells[1].options == {"forget_bias": 2.0} and made.cells[1].hidden_size is None
    assert made.selected_labels == ("gru", "lstm")


def test_round_trip_through_plain_values() -> None:
    made = config.experiment(MINIMAL | {"only": "lstm", "optimizer": {"learning_rate": 1}})
    assert config.experiment(config.to_mapping(made)) == made
    assert made.optimizer.learning_rate == 1.0 and isinstance(made.optimizer.learning_rate, float)


def test_only_takes_commas_and_lists() -> None:
    assert config.experiment(MINIMAL | {"only": "lstm, gru"}).selected_labels == ("lstm", "gru")
    assert config.experiment(MINIMAL | {"only": ("gru",)}).selected_labels == ("gru",)


def test_experiments_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.experiment(MINIMAL).updates = 3  # pyright: ignore[reportAttributeAccessIssue]


MISTAKES = [
    ({"updtes": 3}, ["'updtes'", "did you mean 'updates'"]),
    ({"updates": "x"}, ["config.updates='x'", "whole number"]),
    ({"updates": True}, ["config.updates=True", "whole number"]),
    ({"updates": 0}, ["config.updates=0", "at least 1"]),
    ({"batch_size": -3}, ["config.batch_size=-3", "at least 1"]),
    ({"seeds": 0}, ["config.seeds=0", "at least 1"]),
    ({"match": "foo"}, ["config.match='foo'", "parameters, width, flops, time, none"]),
    ({"match": "none"}, ["cells.lstm.hidden_size", "missing"]),
    ({"only": "gr"}, ["config.only='gr'", "did you mean 'gru'", "gru, lstm"]),
    ({"reference": "rnn"}, ["config.reference='rnn'", "gru, lstm"]),
    ({"reference": "lstm"}, ["cells.lstm.hidden_size", "missing"]),
    ({"optimizer": {"lr": 3}}, ["config.optimizer has no field 'lr'", "learning_rate"]),
    ({"optimizer": {"learning_rate": 0}}, ["config.optimizer.learning_rate=0", "above 0"]),
    ({"optimizer": {"clip": -1.0}}, ["config.optimizer.clip=-1.0", "0 or more"]),
    ({"optimizer": 3}, ["config.optimizer=3", "group of fields"]),
    ({"model": {"readout": "las"}}, ["config.model.readout='las'", "did you mean 'last'"]),
    ({"task": "adding"}, ["config.task='adding'", "group of fields"]),
    ({"task": {"length": 3}}, ["config.task.name", "name"]),
    ({"cells": {}}, ["cells is empty"]),
    ({"cells": {"gru": 3}}, ["config.cells.gru=3", "group of fields"]),
    ({"cells": {"gru": {"hidden_size": 3}}}, ["config.cells.gru.kind is missing"]),
    ({"cells": {"gru": {"kind": "gru", "hidden_size": 0}}}, ["config.cells.gru.hidden_size=0", "at least 1"]),
    ({"cells": {"../x": {"kind": "gru", "hidden_size": 1}}}, ["'../x'", "letters"]),
]


@pytest.mark.parametrize(("change", "said"), MISTAKES, ids=lambda v: str(v)[:40])
def test_a_mistake_is_one_line_that_names_field_value_and_choices(change: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(config.UserError) as caught:
        config.experiment(MINIMAL | change)
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in said), message


def test_call_checks_names_types_and_what_the_function_says() -> None:
    def build(size: int, rate: float = 1.0, name: str | None = None) -> tuple[int, float, str | None]:
        if size < 0:
            raise ValueError(f"size={size} must be 0 or more")
        return size, rate, name

    assert config.call(build, {"size": 1, "rate": 2}, "here") == (1, 2.0, None)
    for options, said in [
        ({"size": -1}, "here.size=-1 must be 0 or more"),
        ({"sze": 1}, "did you mean 'size'"),
        ({}, "here.size is missing"),
        ({"size": 1, "name": 3}, "here.name=3 must be a text"),
    ]:
        with pytest.raises(config.UserError, match=said):
            config.call(build, options, "here")

"""Configs: what is accepted, and one clear line for what isn't."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gru_research import config
from tests.faults import fault, seen

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


def test_numpys_scalars_are_the_numbers_they_are() -> None:
    def numpy(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: numpy(part) for name, part in value.items()}
        if isinstance(value, tuple):
            return tuple(map(numpy, value))
        kinds = {bool: np.bool_, int: np.int64, float: np.float64, str: np.str_}
        return kinds[type(value)](value)

    fields = {
        "task": {"name": "adding", "length": 10},
        "cells": {
            "gru": {"kind": "gru", "hidden_size": 3, "learning_rate": 0.5, "updates": 3, "chrono": 5},
            "lstm": {"kind": "lstm", "forget_bias": 2.0, "peepholes": True},
        },
        "optimizer": {"name": "adam", "learning_rate": 0.25, "warmup": 2, "clip": 1, "weight_decay": 0.5, "decay": 0.5},
        "tune": {"draws": 2, "clip": (0.25, 1.0)},
        "horizon": {"values": (5, 10), "solved": 0.5},
        "model": {"bidirectional": True, "dropout": 0.25, "layers": 2},
        "batch_size": 8,
        "seconds": 3,
    }
    made, plain = config.experiment(numpy(fields)), config.experiment(fields)
    assert made == plain
    assert json.dumps(config.to_mapping(made)) == json.dumps(config.to_mapping(plain))
    assert type(made.seconds) is type(made.optimizer.clip) is float
    assert type(made.batch_size) is type(made.task.options["length"]) is int
    assert type(made.model.options["bidirectional"]) is type(made.cells[1].options["peepholes"]) is bool
    optimizer = config.OptimizerConfig(learning_rate=np.float32(0.25), warmup=np.int8(2))  # type: ignore[arg-type]
    assert optimizer == config.OptimizerConfig(learning_rate=0.25, warmup=2)
    assert hash(optimizer) == hash(config.OptimizerConfig(learning_rate=0.25, warmup=2))
    assert type(optimizer.learning_rate) is float
    with pytest.raises(config.UserError, match=r"config.optimizer.warmup=0.5 must be a whole number"):
        config.experiment(fields | {"optimizer": {"warmup": np.float32(0.5)}})
    with pytest.raises(config.UserError, match=r"config.batch_size=True must be a whole number"):
        config.experiment(fields | {"batch_size": np.True_})


def test_groups_that_may_be_left_out_make_the_round_trip() -> None:
    fields = {
        "tune": {"draws": 3, "learning_rate": [1e-4, 1], "clip": (0.1, 1), "first_seed": 5},
        "horizon": {"field": "task.length", "values": [5, 10]},
        "cells": {"gru": MINIMAL["cells"]["gru"] | {"updates": 7}},
        "select": "best",
        "patience": 2,
        "seconds": 3,
    }
    made = config.experiment(MINIMAL | fields)
    assert config.experiment(config.to_mapping(made)) == made
    assert made.horizon == config.HorizonConfig("task.length", (5, 10), 0.5)
    assert made.tune.ranges == {"learning_rate": (1e-4, 1.0), "clip": (0.1, 1.0)}
    assert (made.cells[0].updates, made.seconds, made.select) == (7, 3.0, "best")


def test_groups_that_are_left_out_are_off() -> None:
    made = config.experiment(MINIMAL | {"tune": None, "horizon": None})
    assert made == config.experiment(MINIMAL)
    assert (made.tune.draws, made.horizon, made.select, made.patience, made.seconds) == (0, None, "last", 0, 0.0)


def test_seeds_may_overlap_where_nothing_is_tuned() -> None:
    assert config.experiment(MINIMAL | {"tune": {"first_seed": 3}}).tune.first_seed == 3


def test_only_takes_commas_and_lists() -> None:
    assert config.experiment(MINIMAL | {"only": "lstm, gru"}).selected_labels == ("lstm", "gru")
    assert config.experiment(MINIMAL | {"only": ("gru",)}).selected_labels == ("gru",)


def test_experiments_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.experiment(MINIMAL).updates = 3  # pyright: ignore[reportAttributeAccessIssue]


MISTAKES = [
    pytest.param({"updtes": 3}, ["'updtes'", "did you mean 'updates'"], marks=fault("config", "an unknown field")),
    pytest.param(
        {"updates": "x"},
        ["config.updates='x'", "whole number"],
        marks=fault("config", "a text instead of a whole number"),
    ),
    pytest.param(
        {"updates": True},
        ["config.updates=True", "whole number"],
        marks=fault("config", "true instead of a whole number"),
    ),
    pytest.param({"updates": 0}, ["config.updates=0", "at least 1"], marks=fault("config", "a number out of range")),
    ({"batch_size": -3}, ["config.batch_size=-3", "at least 1"]),
    ({"seeds": 0}, ["config.seeds=0", "at least 1"]),
    pytest.param(
        {"match": "foo"},
        ["config.match='foo'", "parameters, width, flops, time, none"],
        marks=fault("config", "a value that isn't among the choices"),
    ),
    pytest.param(
        {"match": "none"}, ["cells.lstm.hidden_size", "missing"], marks=fault("config", "a cell without a size")
    ),
    pytest.param(
        {"only": "gr"},
        ["config.only='gr'", "did you mean 'gru'", "gru, lstm"],
        marks=fault("config", "an unknown label of a cell"),
    ),
    ({"reference": "rnn"}, ["config.reference='rnn'", "gru, lstm"]),
    ({"reference": "lstm"}, ["cells.lstm.hidden_size", "missing"]),
    pytest.param(
        {"optimizer": {"lr": 3}},
        ["config.optimizer has no field 'lr'", "learning_rate"],
        marks=fault("config", "an unknown field of a group"),
    ),
    ({"optimizer": {"learning_rate": 0}}, ["config.optimizer.learning_rate=0", "above 0"]),
    ({"optimizer": {"clip": -1.0}}, ["config.optimizer.clip=-1.0", "0 or more"]),
    pytest.param(
        {"optimizer": 3},
        ["config.optimizer=3", "group of fields"],
        marks=fault("config", "a number instead of a group of fields"),
    ),
    pytest.param(
        {"task": "adding"},
        ["config.task='adding'", "group of fields"],
        marks=fault("config", "a text instead of a group of fields"),
    ),
    pytest.param({"task": {"length": 3}}, ["config.task.name", "name"], marks=fault("config", "a task without a name")),
    ({"select": "bst"}, ["config.select='bst'", "last, best"]),
    ({"patience": -1}, ["config.patience=-1", "0 or more"]),
    ({"evaluations": -1}, ["config.evaluations=-1", "0 or more"]),
    ({"seconds": -0.5}, ["config.seconds=-0.5", "0 or more"]),
    pytest.param(
        {"seconds": float("inf")}, ["config.seconds=inf", "finite"], marks=fault("config", "a non-finite number")
    ),
    *[
        ({group: {name: value}}, [f"config.{group}.{name}={value}", "finite"])
        for value in (float("inf"), float("-inf"), float("nan"))
        for group, name in [
            ("optimizer", "learning_rate"),
            ("optimizer", "weight_decay"),
            ("optimizer", "clip"),
            ("optimizer", "decay"),
        ]
    ],
    ({"optimizer": {"learning_rate": 10**400}}, ["config.optimizer.learning_rate", "401 digits"]),
    ({"tune": {"clip": (1.0, float("inf"))}}, ["config.tune.clip[1]=inf", "finite"]),
    ({"horizon": {"values": (5,), "solved": float("nan")}}, ["config.horizon.solved=nan", "finite"]),
    (
        {"cells": {"gru": {"kind": "gru", "hidden_size": 3, "learning_rate": float("inf")}}},
        ["config.cells.gru.learning_rate=inf", "finite"],
    ),
    ({"tune": 3}, ["config.tune=3", "group of fields"]),
    ({"tune": {"drws": 3}}, ["config.tune has no field 'drws'", "did you mean 'draws'"]),
    ({"tune": {"draws": 2.5}}, ["config.tune.draws=2.5", "whole number"]),
    ({"tune": {"draws": -1}}, ["config.tune.draws=-1", "0 or more"]),
    ({"tune": {"seeds": 0}}, ["config.tune.seeds=0", "at least 1"]),
    pytest.param(
        {"tune": {"learning_rate": 0.1}},
        ["config.tune.learning_rate=0.1", "values in parentheses"],
        marks=fault("config", "a number instead of a range"),
    ),
    ({"tune": {"learning_rate": (0.1,)}}, ["config.tune.learning_rate=(0.1,)", "2 values"]),
    pytest.param(
        {"tune": {"learning_rate": (0.1, 0.01)}},
        ["config.tune.learning_rate=(0.1, 0.01)", "0 < low <= high"],
        marks=fault("config", "a range whose ends are swapped"),
    ),
    ({"tune": {"clip": (0, 1)}}, ["config.tune.clip=(0.0, 1.0)", "0 < low <= high"]),
    pytest.param(
        {"tune": {"draws": 2, "first_seed": 3}},
        ["config.tune.first_seed=3", "0 to 4"],
        marks=fault("config", "tuning with the seeds of the comparison"),
    ),
    ({"tune": {"draws": 2, "seeds": 3}, "first_seed": 1002}, ["config.tune.first_seed=1000", "1002 to 1006"]),
    ({"horizon": {}}, ["config.horizon.values=()", "one or more whole numbers"]),
    pytest.param(
        {"horizon": {"values": (5, 5)}},
        ["config.horizon.values=(5, 5)", "each above the one before"],
        marks=fault("config", "a horizon that doesn't grow"),
    ),
    ({"horizon": {"values": (5, "x")}}, ["config.horizon.values[1]='x'", "whole number"]),
    ({"horizon": {"values": (5,), "solved": 0}}, ["config.horizon.solved=0.0", "above 0 and at most 1"]),
    ({"cells": {"gru": {"kind": "gru", "hidden_size": 3, "updates": 0}}}, ["config.cells.gru.updates=0", "at least 1"]),
    pytest.param({"cells": {}}, ["cells is empty"], marks=fault("config", "no cells")),
    ({"cells": {"gru": 3}}, ["config.cells.gru=3", "group of fields"]),
    pytest.param(
        {"cells": {"gru": {"hidden_size": 3}}},
        ["config.cells.gru.kind is missing"],
        marks=fault("config", "a cell without a kind"),
    ),
    ({"cells": {"gru": {"kind": "gru", "hidden_size": 0}}}, ["config.cells.gru.hidden_size=0", "at least 1"]),
    pytest.param(
        {"cells": {"x" * 300: {"kind": "gru", "hidden_size": 1}}},
        ["the label 'xxx", "300 characters", "at most 100"],
        marks=fault("names", "a cell's label of 300 characters"),
    ),
    *[
        ({"cells": {label: {"kind": "gru", "hidden_size": 1}}}, [repr(label), "letters"])
        for label in ("/etc/x", "a/b", "..", "", "a\0b", "a\n", "_unfinished", "é", "a\\b")
    ],
    pytest.param(
        {"cells": {"../x": {"kind": "gru", "hidden_size": 1}}},
        ["'../x'", "letters"],
        marks=fault("names", "a cell's label that is a path"),
    ),
]


@pytest.mark.parametrize(("change", "said"), MISTAKES, ids=lambda v: str(v)[:40])
def test_a_mistake_is_one_line_that_names_field_value_and_choices(change: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(config.UserError) as caught:
        config.experiment(MINIMAL | change)
    message = str(caught.value)
    assert "\n" not in message and "config.config" not in message
    seen(caught)
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


def test_fields_named_with_dots_are_set_and_what_was_given_stays() -> None:
    given = {"task": {"name": "adding"}, "tune": None, "updates": 3}
    values = {"task.length": 5, "tune.draws": 2, "model.readout.units": 4, "updates": 7, "task.name": "copy"}
    assert config.with_fields(given, values) == {
        "task": {"name": "copy", "length": 5},
        "tune": {"draws": 2},
        "model": {"readout": {"units": 4}},
        "updates": 7,
    }
    assert given == {"task": {"name": "adding"}, "tune": None, "updates": 3}
    for name, said in (
        ("updates.x", "config.updates=3 is a value: it has no field 'x'"),
        ("task.name.x.y", "config.task.name='adding' is a value: it has no field 'x'"),
    ):
        with pytest.raises(config.UserError) as caught:
            config.with_fields(given, {name: 1})
        assert str(caught.value) == said


def test_files_of_one_s_own_are_named_by_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    task = {"name": "mine.py:beats", "train": "data.csv", "validation": "no.csv", "test": "train[:90%]"}
    kinds = ("../cells.py:It", "package.cells:It", "gru")
    cells = {label: {"kind": kind, "hidden_size": 2} for label, kind in zip("abc", kinds, strict=True)}
    made = config.experiment({"task": task, "cells": cells, "model": {"kind": "m.py:M"}})
    assert made.task.name == f"{tmp_path}/mine.py:beats" and made.model.kind == f"{tmp_path}/m.py:M"
    assert made.task.options == {"train": f"{tmp_path}/data.csv", "validation": "no.csv", "test": "train[:90%]"}
    assert [cell.kind for cell in made.cells] == [f"{tmp_path}/../cells.py:It", "package.cells:It", "gru"]
    assert config.experiment(config.to_mapping(made)) == made

"""Plans from configs: matching sizes, and errors of a config before anything runs."""

from typing import Any

import jax
import pytest

import gru_research as gr
from gru_research.config import UserError, experiment
from gru_research.models import count_parameters
from gru_research.training import make_plan, nearest_size
from gru_research.training.optimizer import OPTIMIZERS
from tests.faults import fault, seen

CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": 10},
    "cells": {
        "gru": {"kind": "gru", "hidden_size": 37},
        "lstm": {"kind": "lstm"},
        "rnn": {"kind": "rnn", "learning_rate": 1e-3},
    },
    "optimizer": {"learning_rate": 1e-2},
}


def test_parameters_are_matched_and_counted_with_the_readout() -> None:
    plan = make_plan(experiment(CONFIG))
    counts = {c.label: c.parameters for c in plan.cells}
    # GRU, H=37, I=2: three gates of (I + H + 1) H, the hidden bias, and a readout of H + 1.
    assert counts["gru"] == 3 * (2 + 37 + 1) * 37 + 37 + 38
    assert all(abs(count / counts["gru"] - 1) <= 0.02 for count in counts.values())
    assert plan.warnings == ()
    for cell in plan.cells:
        params = cell.model.init(jax.random.key(0), plan.task.spec.example)
        assert sum(a.size for a in jax.tree.leaves(params)) == cell.parameters


def test_no_other_size_is_nearer() -> None:
    plan = make_plan(experiment(CONFIG))
    lstm = plan.cells[1]
    for size in (lstm.hidden_size - 1, lstm.hidden_size + 1):
        other = make_plan(
            experiment(CONFIG | {"match": "none", "cells": {"lstm": {"kind": "lstm", "hidden_size": size}}})
        )
        assert abs(other.cells[0].parameters - 4515) > abs(lstm.parameters - 4515)


@pytest.mark.parametrize(("options", "unit"), [({}, 4), ({"heads": 3}, 3)])
def test_a_size_is_a_multiple_where_the_cell_needs_one(options: dict[str, Any], unit: int) -> None:
    cells = {"gru": {"kind": "gru", "hidden_size": 37}, "block": {"kind": "block_gru", **options}}
    reference, block = make_plan(experiment(CONFIG | {"cells": cells})).cells
    apart = []
    for size in (block.hidden_size - unit, block.hidden_size, block.hidden_size + unit):
        # Three gates of (I + H / heads + 1) H, the hidden bias, and a readout of H + 1.
        apart.append(abs(3 * (2 + size // unit + 1) * size + size + size + 1 - reference.parameters))
    assert block.hidden_size % unit == 0
    assert apart[1] == abs(block.parameters - reference.parameters) == min(apart)


@pytest.mark.parametrize(("heads", "part"), [(0, "at least 1"), (2.5, "whole number"), (5, "divide hidden_size=37")])
def test_heads_that_do_not_fit_are_a_users_mistake(heads: Any, part: str) -> None:
    cells = {"gru": {"kind": "gru", "hidden_size": 37}, "block": {"kind": "block_gru", "heads": heads}}
    with pytest.raises(UserError, match=rf"config.cells.block.heads={heads} .*{part}"):
        make_plan(experiment(CONFIG | {"match": "width", "cells": cells}))


def test_a_cell_takes_its_memory_from_the_config() -> None:
    cells = {"gru": {"kind": "gru", "hidden_size": 37, "chrono": 784}, "lstm": {"kind": "lstm", "chrono": None}}
    gru, lstm = make_plan(experiment(CONFIG | {"cells": cells})).cells
    assert (gru.model.stack.cells[0].chrono, lstm.model.stack.cells[0].chrono) == (784, None)  # type: ignore[attr-defined]
    for wrong, part in ((2, "at least 3"), (10.5, "whole number")):
        with pytest.raises(UserError, match=rf"config.cells.gru.chrono={wrong} .*{part}"):
            make_plan(experiment(CONFIG | {"cells": {"gru": cells["gru"] | {"chrono": wrong}}}))


def flops(kind: str, size: int, length: int = 10) -> int:
    """Returns the operations for one example of the adding problem, with two inputs and one output; see test_flops.

    A product counts as a multiplication and an addition.
    """
    gates, rest = {"gru": (3, 12), "lstm": (4, 13), "rnn": (1, 2)}[kind]
    return length * (2 * gates * size * (2 + size) + rest * size) + 2 * size + 1


def test_operations_are_matched_and_counted_with_the_readout() -> None:
    plan = make_plan(experiment(CONFIG | {"match": "flops"}))
    assert plan.warnings == ()
    for cell in plan.cells:
        assert cell.flops == flops(cell.kind, cell.hidden_size)
        assert abs(cell.flops / flops("gru", 37) - 1) <= 0.02 and cell.reference_parameters == 0
        for size in (cell.hidden_size - 1, cell.hidden_size + 1):
            assert abs(flops(cell.kind, size) - flops("gru", 37)) > abs(cell.flops - flops("gru", 37))


def test_operations_beyond_2_percent_are_a_warning_with_both_counts() -> None:
    cells = {"gru": {"kind": "gru", "hidden_size": 1}, "lstm": {"kind": "lstm"}}
    plan = make_plan(experiment(CONFIG | {"cells": cells, "match": "flops"}))
    (warning,) = plan.warnings
    assert "flops" in warning and all(f"{cell.flops:,}" in warning for cell in plan.cells)


def test_operations_grow_with_the_length_and_parameters_do_not() -> None:
    short, long = (make_plan(experiment(CONFIG | {"task": {"name": "adding", "length": t}})) for t in (10, 40))
    for a, b in zip(short.cells, long.cells, strict=True):
        readout = 2 * a.hidden_size + 1
        assert b.flops - readout == 4 * (a.flops - readout) and b.parameters == a.parameters


def test_sizes_that_match_in_time_are_open_until_they_are_measured() -> None:
    """Before measurement, a cell has the reference's size, or the next size that it can have."""
    cells = CONFIG["cells"] | {"block": {"kind": "block_gru", "heads": 4}}
    plan = make_plan(experiment(CONFIG | {"cells": cells, "match": "time"}))
    assert {cell.label: cell.hidden_size for cell in plan.cells} == {"gru": 37, "lstm": 37, "rnn": 37, "block": 40}


def test_a_cell_s_updates_are_its_own_or_the_comparison_s() -> None:
    cells = CONFIG["cells"] | {"rnn": {"kind": "rnn", "updates": 90}}
    plan = make_plan(experiment(CONFIG | {"cells": cells, "updates": 200, "eval_every": 30}))
    assert [(cell.updates, cell.eval_every) for cell in plan.cells] == [(200, 30), (200, 30), (90, 30)]
    plan = make_plan(experiment(CONFIG | {"cells": cells, "updates": 200, "evaluations": 8}))
    assert [(cell.updates, cell.eval_every) for cell in plan.cells] == [(200, 25), (200, 25), (90, 12)]
    assert [cell.record()["updates"] for cell in plan.cells] == [200, 200, 90]


def test_a_warm_up_must_fit_into_training_and_tuning() -> None:
    short = {"optimizer": {"warmup": 50}, "updates": 40}
    for change in (
        short,
        short | {"tune": {"draws": 2, "updates": 100}},
        short | {"tune": {"updates": 100}},
        short | {"updates": 100, "tune": {"draws": 2, "updates": 40}},
        short | {"updates": 100, "cells": {"gru": CONFIG["cells"]["gru"] | {"updates": 40}}},
    ):
        with pytest.raises(UserError, match=r"config\.optimizer\.warmup=50 must be below the number of updates, 40"):
            make_plan(experiment(CONFIG | change))
    # How many updates seconds pay for isn't known yet; tuning that is off needs none.
    make_plan(experiment(CONFIG | short | {"seconds": 1.0}))
    make_plan(experiment(CONFIG | short | {"updates": 100, "tune": {"updates": 40}}))


def test_width_gives_every_cell_the_reference_s_units() -> None:
    plan = make_plan(experiment(CONFIG | {"match": "width"}))
    assert {c.hidden_size for c in plan.cells} == {37}


def test_none_takes_each_cell_s_own_size() -> None:
    cells = {"a": {"kind": "gru", "hidden_size": 3}, "b": {"kind": "gru", "hidden_size": 5}}
    plan = make_plan(experiment(CONFIG | {"match": "none", "cells": cells}))
    assert [c.hidden_size for c in plan.cells] == [3, 5]


def test_a_match_beyond_2_percent_is_a_warning_with_both_counts() -> None:
    cells = {"gru": {"kind": "gru", "hidden_size": 1}, "lstm": {"kind": "lstm"}}
    (warning,) = make_plan(experiment(CONFIG | {"cells": cells})).warnings
    # (2 + 1 + 1) * 3 + 1 + 2 = 15 for the GRU; (2 + 1 + 1) * 4 + 2 = 18 for the LSTM.
    assert "lstm" in warning and "18" in warning and "15" in warning


def test_a_size_that_is_not_used_is_said() -> None:
    cells = CONFIG["cells"] | {"lstm": {"kind": "lstm", "hidden_size": 5}}
    (warning,) = make_plan(experiment(CONFIG | {"cells": cells})).warnings
    assert "cells.lstm.hidden_size=5" in warning


def test_only_keeps_the_matching() -> None:
    (lstm,) = make_plan(experiment(CONFIG | {"only": "lstm"})).cells
    assert (lstm.label, lstm.hidden_size) == ("lstm", 32)


def test_learning_rates_are_the_cell_s_own_or_the_optimiser_s() -> None:
    assert [c.scalars["learning_rate"] for c in make_plan(experiment(CONFIG)).cells] == [1e-2, 1e-2, 1e-3]


def test_layers_and_readout() -> None:
    plan = make_plan(experiment(CONFIG | {"model": {"layers": 3, "readout": "mean"}}))
    model: Any = plan.cells[0].model
    assert len(model.stack.cells) == 3 and model.readout.mode == "mean"
    assert count_parameters(model, plan.task.spec.example) == plan.cells[0].parameters


def test_directions_connections_and_noise() -> None:
    rates = {"input_dropout": 0.1, "state_dropout": 0.2, "zoneout": 0.3, "drop_connect": 0.4, "weight_noise": 0.5}
    fields = {"layers": 2, "bidirectional": True, "merge": "sum", "connections": "highway", "dropout": 0.25}
    given = fields | rates | {"zoneout_cell": 0.6, "readout": "mean"}
    for cell in make_plan(experiment(CONFIG | {"model": given})).cells:
        stack = cell.model.stack  # type: ignore[attr-defined]
        assert all(isinstance(layer, gr.Bidirectional) and layer.merge == "sum" for layer in stack.cells)
        assert (len(stack.cells), stack.connections, stack.dropout) == (2, "highway", 0.25)
        # Only the LSTM has a cell state.
        assert stack.noise == gr.Noise(**rates, zoneout_cell=0.6 if cell.label == "lstm" else 0.0)
    (plain, *_) = make_plan(experiment(CONFIG)).cells
    assert plain.model.stack == gr.Stack((gr.GRU(37),))  # type: ignore[attr-defined]


@pytest.mark.parametrize("wanted", [1, 7, 100, 101, 4515, 10**6])
def test_nearest_size_against_a_search_through_all(wanted: int) -> None:
    def count(size: int) -> int:
        return size * size + 3 * size + 1

    best = min(range(1, 1100), key=lambda size: abs(count(size) - wanted))
    assert abs(count(nearest_size(count, wanted)) - wanted) == abs(count(best) - wanted)


MISTAKES = [
    ({"task": {"name": "addng"}}, "config.task.name='addng' is unknown; did you mean 'adding'"),
    pytest.param(
        {"task": {"name": "adding", "lenght": 3}},
        "config.task has no field 'lenght'; did you mean 'length'",
        marks=fault("tasks", "an unknown option of a task"),
    ),
    pytest.param(
        {"task": {"name": "adding", "length": 0}},
        "config.task.length=0 must be at least 2",
        marks=fault("tasks", "a length out of range"),
    ),
    ({"task": {"name": "adding", "test_size": 0}}, "config.task.test_size=0 must be at least 1"),
    pytest.param(
        {"task": {"name": "smnist", "order": "colums"}},
        "config.task.order='colums' is unknown",
        marks=fault("tasks", "a value that isn't among the task's choices"),
    ),
    (
        {"cells": {"gru": {"kind": "grru", "hidden_size": 3}}},
        "config.cells.gru.kind='grru' is unknown; did you mean 'gru'",
    ),
    ({"cells": {"gru": {"kind": "gru", "hidden_size": 3, "reset": "x"}}}, "config.cells.gru.reset='x' is unknown"),
    pytest.param(
        {"cells": {"gru": {"kind": "gru", "hidden_size": 3, "rset": "x"}}},
        "did you mean 'reset'",
        marks=fault("cells and layers", "an unknown option of a cell"),
    ),
    pytest.param(
        {"cells": {"gru": {"kind": "gru", "hidden_size": 3, "kernel_init": "x"}}},
        "config.cells.gru.kernel_init='x'",
        marks=fault("cells and layers", "an unknown initialiser"),
    ),
    pytest.param(
        {"cells": {"gru": {"kind": "gru", "hidden_size": 3, "dtype": "int32"}}},
        "config.cells.gru.dtype='int32'",
        marks=fault("cells and layers", "a type that a cell can't have"),
    ),
    ({"optimizer": {"name": "adm"}}, "config.optimizer.name='adm' is unknown; did you mean 'adam'"),
    ({"optimizer": {"schedule": "cos"}}, "config.optimizer.schedule='cos' is unknown"),
    pytest.param(
        {"optimizer": {"warmup": 1000}},
        "config.optimizer.warmup=1000 must be below the number of updates, 1000",
        marks=fault("config", "a warm-up longer than training"),
    ),
    pytest.param(
        {"model": {"readout": "every"}},
        "config.model.readout='every'",
        marks=fault("cells and layers", "a readout that the task can't use"),
    ),
    ({"model": {"readout": "las"}}, "config.model.readout='las' is unknown; did you mean 'last'"),
    ({"model": {"kind": "sequenc"}}, "config.model.kind='sequenc' is unknown; did you mean 'sequence'"),
    ({"model": {"unroll": {"backend": "fast"}}}, "config.model.unroll.backend='fast' is unknown; choose from auto"),
    ({"model": {"unroll": {"bakend": "vjp"}}}, "config.model.unroll has no field 'bakend'; did you mean 'backend'"),
    ({"model": {"unroll": {"time_major": True}}}, "config.model.unroll.time_major and unroll.outputs are"),
    ({"model": {"dropout": float("inf")}}, "config.model.dropout=inf must be finite"),
    ({"model": {"weight_noise": float("nan")}}, "config.model.weight_noise=nan must be finite"),
    ({"model": {"connections": "dense"}}, "config.model.connections='dense' is unknown"),
    ({"model": {"bidirectional": "yes"}}, "config.model.bidirectional='yes' must be true or false"),
    pytest.param(
        {"model": {"layers": 2, "dropout": 1.5}},
        "config.model.dropout=1.5 must be a rate",
        marks=fault("cells and layers", "a rate of dropout above 1"),
    ),
    pytest.param(
        {"model": {"dropout": 0.5}},
        "config.model.dropout=0.5 acts between layers",
        marks=fault("cells and layers", "dropout between layers with one layer"),
    ),
    ({"model": {"zoneout": -1}}, "config.model.zoneout=-1.0 must be a rate"),
    ({"model": {"weight_noise": -0.1}}, "config.model.weight_noise=-0.1 must be a standard deviation"),
    ({"model": {"zone_out": 0.1}}, "did you mean 'zoneout'"),
    (
        {"cells": {"gru": {"kind": "gru", "hidden_size": 3}}, "model": {"zoneout_cell": 0.1}},
        "config.model.zoneout_cell=0.1 acts on no cell here",
    ),
    (
        {"model": {"layers": 2, "bidirectional": True, "connections": "residual"}},
        "config.model.readout='last' with connections='residual'",
    ),
]


@pytest.mark.parametrize(("change", "said"), MISTAKES, ids=lambda v: str(v)[:50])
def test_a_mistake_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(experiment(CONFIG | change))
    assert said in str(caught.value) and "\n" not in str(caught.value)
    seen(caught)


def test_a_mistake_in_a_cell_that_is_left_out_is_still_one() -> None:
    cells = CONFIG["cells"] | {"lstm": {"kind": "lstmm"}}
    with pytest.raises(UserError, match="lstmm"):
        make_plan(experiment(CONFIG | {"cells": cells, "only": "gru"}))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("kind", ["gru", "min_lstm"])
def test_parameters_that_an_optimiser_divides_by_0_are_refused_and_others_planned(kind: str, name: str) -> None:
    def plan(**types: str) -> Any:
        cells = {"mine": {"kind": kind, "hidden_size": 4, **types}}
        return make_plan(experiment(CONFIG | {"cells": cells, "optimizer": {"name": name}}))

    for fits in ({"param_dtype": "bfloat16"}, {"dtype": "float16"}, {"carry_dtype": "float16"}, {}):
        assert plan(**fits).cells[0].parameters > 0
    if name not in ("adam", "rmsprop"):
        assert plan(param_dtype="float16").cells[0].parameters > 0
        return
    with pytest.raises(UserError) as caught:
        plan(param_dtype="float16")
    assert str(caught.value) == (
        f"config.cells.mine.param_dtype='float16' can't be trained by optimizer.name='{name}', whose epsilon of 1e-08 "
        "is 0 in it: choose bfloat16 or float32 (dtype='float16' may stay), or one of lion, momentum, sgd"
    )

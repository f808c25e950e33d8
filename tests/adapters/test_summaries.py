"""`tabulate` of our modules and of models that hold them: the rows, shapes and counts of parameters."""

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn
from flax import nnx

import gru_research as gr
from gru_research.adapters import linen as our_linen
from gru_research.adapters import nnx as our_nnx

B, T, I, H = 2, 4, 2, 3  # noqa: E741
XS = jnp.ones((B, T, I))
PLAIN: dict[str, Any] = {"console_kwargs": {"force_terminal": False, "force_jupyter": False, "width": 200}}
FLOPS: dict[str, Any] = {"compute_flops": True, "compute_vjp_flops": True}
BYTES = 4
LINEAR = H * 1 + 1


def rows(table: str) -> dict[str, list[str]]:
    """The cells of each row, by its path, lines joined; "total" for the line below the table."""
    found: dict[str, list[str]] = {}
    for row in re.split(r"[├┡└][^\n]*\n", table)[1:]:
        lines = [[column.strip() for column in line.split("│")[1:-1]] for line in row.splitlines() if "│" in line]
        if lines:
            path, *columns = (" ".join(filter(None, column)) for column in zip(*lines, strict=True))
            found.setdefault(path, columns)  # the first without a path is the module; the last has the totals
    total = re.search(r"Total Parameters: ([\d,]+)", table)
    assert total is not None
    return found | {"total": [total[1]]}


class Model(nnx.Module):
    def __init__(self, cell: Any, rngs: nnx.Rngs) -> None:
        self.rnn = our_nnx.RNN(cell, options=gr.UnrollOptions(checkpoint=2))
        self.head = nnx.Linear(H, 1, rngs=rngs)

    def __call__(self, xs: Any) -> Any:
        return self.head(self.rnn(xs))


class Subclass(our_nnx.GRUCell):
    """Public methods that return a description and take a shape."""

    def functional(self, inputs: Any) -> Any:
        return super().functional(inputs)

    def initialize_carry(self, input_shape: Any, rngs: Any = None, carry_init: Any = None) -> Any:
        return super().initialize_carry(input_shape, rngs, carry_init)


def counted(kind: str) -> int:
    gates = {"GRUCell": 3, "Subclass": 3, "LSTMCell": 4, "OptimizedLSTMCell": 4, "SimpleCell": 1}[kind]
    return gates * H * (I + H + 1)


NNX_CELLS: dict[str, Callable[..., Any]] = {
    kind: getattr(our_nnx, kind) for kind in ("GRUCell", "LSTMCell", "OptimizedLSTMCell", "SimpleCell")
} | {"Subclass": Subclass}


@pytest.mark.parametrize("kind", NNX_CELLS)
def test_nnx_cells_layers_and_models_are_summarised(kind: str) -> None:
    cell = NNX_CELLS[kind](I, H, rngs=nnx.Rngs(0))
    parameters = f"{counted(kind)} ({BYTES * counted(kind)} B)"
    carry = cell.initialize_carry((B, I))

    alone = rows(nnx.tabulate(cell, carry, XS[:, 0], **PLAIN))
    assert (alone[""][0], alone[""][-1]) == (kind, parameters)
    assert alone["total"] == [f"{counted(kind)}"]

    table = nnx.tabulate(our_nnx.RNN(cell, rngs=False), XS, **PLAIN, **FLOPS)
    layer = rows(table)
    assert layer[""][:3] == ["RNN", "float32[2,4,2]", "float32[2,4,3]"]
    assert layer["cell"][0] == kind
    assert layer[""][-1] == layer["cell"][-1] == parameters
    # Two operations a weight and row; XLA counts the body of a loop once.
    for flops in (int(layer[""][3]), int(layer["cell"][3])):
        assert 2 * B * counted(kind) / (I + H + 1) * (I + H) <= flops <= 6 * B * counted(kind)

    model = Model(cell, nnx.Rngs(0))
    graph, state = nnx.split(model)
    held = rows(nnx.tabulate(model, XS, **PLAIN))
    assert {"", "rnn", "rnn/cell", "head"} <= set(held)
    assert held["rnn"][:3] == ["RNN", "float32[2,4,2]", "float32[2,4,3]"]
    assert held[""][3] == f"{counted(kind) + LINEAR} ({BYTES * (counted(kind) + LINEAR)} B)"
    # Nothing of the summary is left in the module or its class.
    assert nnx.split(model)[0] == graph
    assert jax.tree.structure(nnx.state(model)) == jax.tree.structure(state)
    assert model(XS).shape == (B, T, 1)


def test_an_nnx_bidirectional_is_summarised() -> None:
    rngs = nnx.Rngs(0)
    both = our_nnx.Bidirectional(*(our_nnx.RNN(our_nnx.GRUCell(I, H, rngs=rngs), rngs=False) for _ in range(2)))
    found = rows(nnx.tabulate(both, XS, **PLAIN))
    assert {"forward_rnn/cell", "backward_rnn/cell"} <= set(found)
    assert found[""][3] == f"{2 * counted('GRUCell')} ({2 * BYTES * counted('GRUCell')} B)"


@pytest.mark.parametrize("kind", ["GRUCell", "MGUCell", "LSTMCell", "OptimizedLSTMCell", "SimpleCell"])
def test_linen_layers_are_summarised_as_flaxs_are(kind: str) -> None:
    def table(library: Any) -> dict[str, list[str]]:
        return rows(library.RNN(getattr(library, kind)(H)).tabulate(jax.random.key(0), XS, **PLAIN, **FLOPS))

    found, expected = table(our_linen), table(nn)
    assert set(found) == set(expected)
    assert found["total"] == expected["total"]
    assert found[""][:3] == expected[""][:3] == ["RNN", "float32[2,4,2]", "float32[2,4,3]"]
    assert found["cell"][0] == kind
    assert {path: row[-1] for path, row in found.items()} == {path: row[-1] for path, row in expected.items()}
    assert 0.5 < int(found[""][3]) / int(expected[""][3]) < 2

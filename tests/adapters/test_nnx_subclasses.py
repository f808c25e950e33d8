"""A subclass of one of our NNX cells, or an instance with a method of its own: `RNN` gives the values and gradients of
its own `__call__`, step by step."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import gru_research as gr
from gru_research.adapters import nnx as our_nnx
from gru_research.adapters.nnx import overrides as nnx_overrides
from gru_research.analysis import intervene
from tests.adapters.scenarios import B, H, I, T, assert_close, draw
from tests.adapters.steps import LENGTHS, STEP, XS, Clipped, Halved, by_steps, doubled, loss


class Own(our_nnx.GRUCell):
    """Nothing changed but what the constructor needs."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        super().__init__(I, H, rngs=rngs)


class Leaky(Own):
    def __call__(self, carry: Any, inputs: Any) -> Any:
        new, _ = super().__call__(carry, inputs)
        h = 0.9 * carry + 0.1 * new
        return h, h


class OtherCell(Own):
    def functional(self, inputs: Any) -> Any:
        cell, params = super().functional(inputs)
        return dataclasses.replace(cell, reset="before"), {name: a for name, a in params.items() if name != "c_n"}


class Doubled(Own):
    def functional(self, inputs: Any) -> Any:
        cell, params = super().functional(inputs)
        return cell, doubled(params)


class Scaled(Own):
    """A parameter of its own."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        super().__init__(rngs)
        self.scale = nnx.Param(jnp.full(H, 0.7))

    def functional(self, inputs: Any) -> Any:
        cell, params = super().functional(inputs)
        return cell, params | {"U_n": params["U_n"] * self.scale[...]}


class ByBatch(Own):
    """What it reads of a step's inputs is their shape."""

    def functional(self, inputs: Any) -> Any:
        cell, params = super().functional(inputs)
        assert inputs.ndim == 2
        return cell, params | {"b_n": params["b_n"] + inputs.shape[0]}


class ByInputs(Own):
    def functional(self, inputs: Any) -> Any:
        cell, params = super().functional(inputs)
        return cell, params | {"U_n": params["U_n"] * jnp.abs(inputs).mean()}


class Counting(Own):
    def __init__(self, rngs: nnx.Rngs) -> None:
        super().__init__(rngs)
        self.steps = nnx.Variable(jnp.zeros(()))

    def functional(self, inputs: Any) -> Any:
        cell, params = super().functional(inputs)
        self.steps[...] = self.steps[...] + 1
        return cell, params | {"b_n": params["b_n"] + self.steps[...]}


class DropConnect(Own):
    def __init__(self, rngs: nnx.Rngs) -> None:
        super().__init__(rngs)
        self.noise = nnx.RngStream(3, tag="noise")

    def functional(self, inputs: Any) -> Any:
        cell, params = super().functional(inputs)
        return cell, params | {"U_n": params["U_n"] * jax.random.bernoulli(self.noise(), 0.5, (H, H))}


class Helper(Own):
    def _read(self, name: str) -> Any:
        kernel, bias = super()._read(name)
        return kernel * 1.5, bias


class FreshFunction(Own):
    """A description that never compares equal to itself."""

    def functional(self, inputs: Any) -> Any:
        cell, params = super().functional(inputs)
        scale = params["b_n"] + 0.5
        return dataclasses.replace(cell, activation=lambda a: jnp.tanh(scale * a)), params


class Silenced(Own):
    """A cell around a cell."""

    def functional(self, inputs: Any) -> Any:
        cell, params = super().functional(inputs)
        return intervene(cell, params, silenced=[1])


class FunctionalStep(Own):
    """A cell whose step no time loop composes."""

    def functional(self, inputs: Any) -> Any:
        cell, params = super().functional(inputs)
        return Halved(H, dtype=cell.dtype), params


class FunctionalSubclass(Own):
    def functional(self, inputs: Any) -> Any:
        cell, params = super().functional(inputs)
        return Clipped(H, dtype=cell.dtype), params


class LearntCarry(Own):
    def __init__(self, rngs: nnx.Rngs) -> None:
        super().__init__(rngs)
        self.h_0 = nnx.Param(jnp.linspace(-1.0, 1.0, H))

    def initialize_carry(self, input_shape: Any, rngs: Any = None, carry_init: Any = None) -> Any:
        return jnp.broadcast_to(self.h_0[...], (*input_shape[:-1], H))


class LSTMGates(our_nnx.LSTMCell):
    def __init__(self, rngs: nnx.Rngs) -> None:
        super().__init__(I, H, rngs=rngs)

    def functional(self, inputs: Any) -> Any:
        cell, params = super().functional(inputs)
        return cell, params | {"b_f": params["b_f"] + 1}


class SimpleDoubled(our_nnx.SimpleCell):
    def __init__(self, rngs: nnx.Rngs) -> None:
        super().__init__(I, H, rngs=rngs)

    def functional(self, inputs: Any) -> Any:
        cell, params = super().functional(inputs)
        return cell, doubled(params)


def patched(rngs: nnx.Rngs) -> Any:
    cell = Own(rngs)
    functional = cell.functional

    def changed(inputs: Any) -> Any:
        inner, params = functional(inputs)
        return inner, params | {"b_n": params["b_n"] + jnp.abs(inputs).mean()}

    cell.functional = changed
    return cell


def patched_with_a_constant(rngs: nnx.Rngs) -> Any:
    cell = our_nnx.GRUCell(I, H, rngs=rngs)
    functional = type(cell).functional
    cell.functional = lambda inputs: (functional(cell, inputs)[0], doubled(functional(cell, inputs)[1]))
    return cell


NNX_CELLS: dict[Callable[[nnx.Rngs], Any], bool] = {
    Own: True,
    Leaky: False,
    OtherCell: True,
    Doubled: True,
    Scaled: True,
    ByBatch: True,
    ByInputs: False,
    Counting: False,
    DropConnect: False,
    Helper: True,
    FreshFunction: False,
    Silenced: True,
    FunctionalStep: False,
    FunctionalSubclass: True,
    LearntCarry: True,
    LSTMGates: True,
    SimpleDoubled: True,
    patched: False,
    patched_with_a_constant: True,
}
"""Makers of cells, and whether the sequence runs as a whole."""


@pytest.mark.parametrize("make", NNX_CELLS)
def test_an_nnx_subclass_gives_what_its_steps_give(make: Callable[[nnx.Rngs], Any]) -> None:
    cell = make(nnx.Rngs(0))
    assert nnx_overrides.whole(cell, STEP) == NNX_CELLS[make]
    graph, params, rest = nnx.split(our_nnx.RNN(cell, return_carry=True), nnx.Param, ...)

    def run(way: str, params: Any, xs: Any) -> Any:
        module: Any = nnx.merge(graph, params, jax.tree.map(jnp.asarray, rest))  # new Variables, which may change here
        if way == "whole":
            final, ys = module(xs)
        else:
            final, ys = by_steps(module.cell, module.cell.initialize_carry((B, I)), xs)
        return loss(final, ys), (final, ys, nnx.state(module.cell, nnx.Not(nnx.RngKey)))

    both = jax.jit(
        lambda params, xs: [
            jax.value_and_grad(run, (1, 2), has_aux=True)(way, params, xs) for way in ("whole", "steps")
        ]
    )
    found, expected = both(params, XS)
    if make in (patched, patched_with_a_constant):  # these read the parameters of the cell outside
        assert all((a == 0).all() for a in jax.tree.leaves(expected[1][0]))
    assert_close(found, expected, 3e-6)


def test_an_nnx_subclass_with_lengths_reversed_time_major_and_options() -> None:
    cell = Scaled(nnx.Rngs(0))
    rnn = our_nnx.RNN(cell, return_carry=True, reverse=True, options=gr.UnrollOptions(checkpoint=2))
    final, ys = rnn(XS, seq_lengths=LENGTHS)
    for row, length in enumerate(LENGTHS):
        carry, expected = by_steps(cell, jnp.zeros((1, H)), XS[row : row + 1, :length][:, ::-1])
        assert_close((final[row], ys[row, :length]), (carry[0], expected[0]))
    turned = rnn(XS.swapaxes(0, 1), seq_lengths=LENGTHS, time_major=True)
    assert_close(turned, (final, ys.swapaxes(0, 1)))


class DrawnCarry(Own):
    def initialize_carry(self, input_shape: Any, rngs: Any = None, carry_init: Any = None) -> Any:
        return jax.random.normal(rngs(), (*input_shape[:-1], H))


def test_an_nnx_carry_that_a_subclass_draws_gets_the_stream() -> None:
    cell = DrawnCarry(nnx.Rngs(0))
    first = jax.random.normal(nnx.RngStream(7, tag="carry").fork()(), (B, H))
    found = our_nnx.RNN(cell, rngs=nnx.RngStream(7, tag="carry"))(XS)
    assert_close(found, by_steps(cell, first, XS)[1])


class TwoFeatureAxes(Own):
    num_feature_axes = 2  # type: ignore[assignment]


def test_an_nnx_subclass_with_more_feature_axes_is_scanned() -> None:
    cell = TwoFeatureAxes(nnx.Rngs(0))
    xs: Any = draw(B, T, 2, I)
    assert_close(our_nnx.RNN(cell)(xs), by_steps(cell, jnp.zeros((B, 2, H)), xs)[1])


def test_methods_put_on_our_nnx_classes_count(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = our_nnx.GRUCell(I, H, rngs=nnx.Rngs(0))
    rnn = our_nnx.RNN(cell)
    before = rnn(XS)
    call = our_nnx.GRUCell.__call__

    def leaky(self: Any, carry: Any, inputs: Any) -> Any:
        new, _ = call(self, carry, inputs)
        return (carry + new) / 2, (carry + new) / 2

    monkeypatch.setattr(our_nnx.GRUCell, "__call__", leaky)
    after = rnn(XS)
    assert_close(after, by_steps(cell, jnp.zeros((B, H)), XS)[1])
    assert np.abs(after - before).max() > 0.01


def test_options_that_a_scanned_subclass_cant_honour_are_refused() -> None:
    options = gr.UnrollOptions(checkpoint=2)
    with pytest.raises(ValueError, match=r"options=.*whose functional gives the same at every step"):
        our_nnx.RNN(ByInputs(nnx.Rngs(0)), options=options)(XS)

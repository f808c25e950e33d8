"""A subclass of one of our linen cells: `RNN` gives the values and gradients of its own `__call__`, step by step."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

import gru_research as gr
from gru_research.adapters import linen as our_linen
from gru_research.adapters.linen import overrides as linen_overrides
from tests.adapters.scenarios import B, H, I, T, assert_close
from tests.adapters.steps import XS, Clipped, Halved, by_steps, doubled, loss


class LinenOwn(our_linen.GRUCell):
    pass


class LinenLeaky(our_linen.GRUCell):
    def __call__(self, carry: Any, inputs: Any) -> Any:
        new, _ = super().__call__(carry, inputs)
        h = 0.9 * carry + 0.1 * new
        return h, h


class LinenOtherCell(our_linen.LSTMCell):
    @nn.nowrap
    def functional(self) -> Any:
        return dataclasses.replace(super().functional(), gate="hard_sigmoid")


class LinenDoubled(our_linen.GRUCell):
    @nn.nowrap
    def parameters(self, inputs: Any) -> Any:
        return doubled(super().parameters(inputs))


class LinenScaled(our_linen.MGUCell):
    @nn.nowrap
    def parameters(self, inputs: Any) -> Any:
        params = super().parameters(inputs)
        return params | {"U_n": params["U_n"] * self.param("scale", nn.initializers.constant(0.7), (H,))}


class LinenInScope(our_linen.GRUCell):
    """A description that is made where parameters are, and never compares equal to itself."""

    @nn.nowrap
    def functional(self) -> Any:
        scale = self.param("scale", nn.initializers.constant(0.7), (H,))
        return dataclasses.replace(super().functional(), activation=lambda a: jnp.tanh(scale * a))


class LinenByBatch(our_linen.SimpleCell):
    @nn.nowrap
    def parameters(self, inputs: Any) -> Any:
        params = super().parameters(inputs)
        assert inputs.ndim == 2
        return params | {"b_h": params["b_h"] + inputs.shape[0]}


class LinenByInputs(our_linen.GRUCell):
    @nn.nowrap
    def parameters(self, inputs: Any) -> Any:
        params = super().parameters(inputs)
        return params | {"U_n": params["U_n"] * jnp.abs(inputs).mean()}


class LinenCarry(our_linen.GRUCell):
    @nn.nowrap
    def initialize_carry(self, rng: Any, input_shape: Any) -> Any:
        return jax.random.normal(rng, (*input_shape[:-1], H))


class LinenFunctionalSubclass(our_linen.GRUCell):
    @nn.nowrap
    def functional(self) -> Any:
        return Clipped(H)


class LinenFunctionalStep(our_linen.GRUCell):
    @nn.nowrap
    def functional(self) -> Any:
        return Halved(H)


class LinenSimple(our_linen.SimpleCell):
    residual: bool = True

    @nn.nowrap
    def parameters(self, inputs: Any) -> Any:
        return doubled(super().parameters(inputs))


LINEN_CELLS: dict[Any, bool] = {
    LinenOwn: True,
    LinenLeaky: False,
    LinenOtherCell: True,
    LinenDoubled: True,
    LinenScaled: True,
    LinenInScope: False,
    LinenByBatch: True,
    LinenByInputs: False,
    LinenCarry: True,
    LinenFunctionalStep: False,
    LinenFunctionalSubclass: True,
    LinenSimple: True,
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What `whole` answers, call after call."""
    answers = []

    def answer(cell: Any, x: Any) -> bool:
        answers.append(linen_overrides.whole(cell, x))
        return answers[-1]

    monkeypatch.setattr("gru_research.adapters.linen.rnn.whole", answer)
    return answers


@pytest.mark.parametrize("kind", LINEN_CELLS)
def test_a_linen_subclass_gives_what_its_steps_give(kind: Any, asked: list[bool]) -> None:
    cell = kind(H)
    rnn = our_linen.RNN(cell, return_carry=True)
    variables = rnn.init(jax.random.key(0), XS)
    key = jax.random.key(5)

    def run(way: str, params: Any, xs: Any) -> Any:
        if way == "whole":
            final, ys = rnn.apply({"params": params}, xs, init_key=key)
        else:
            own = {"params": params["cell"]}
            first = cell.initialize_carry(key, (B, I))
            final, ys = by_steps(lambda carry, x: cell.apply(own, carry, x), first, xs)
        return loss(final, ys), (final, ys)

    both = jax.jit(
        lambda params, xs: [
            jax.value_and_grad(run, (1, 2), has_aux=True)(way, params, xs) for way in ("whole", "steps")
        ]
    )
    found, expected = both(variables["params"], XS)
    assert_close(found, expected, 3e-6)
    assert set(asked) == {LINEN_CELLS[kind]}


class LinenNoisy(our_linen.GRUCell):
    """A mask of its own at every step."""

    @nn.nowrap
    def parameters(self, inputs: Any) -> Any:
        params = super().parameters(inputs)
        return params | {"U_n": params["U_n"] * jax.random.bernoulli(self.make_rng("noise"), 0.5, (H, H))}


class LinenNoisySteps(our_linen.GRUCell):
    """The same in a `__call__` of its own."""

    @nn.compact
    def __call__(self, carry: Any, inputs: Any) -> Any:
        params = self.parameters(inputs)
        params["U_n"] = params["U_n"] * jax.random.bernoulli(self.make_rng("noise"), 0.5, (H, H))
        return self.functional().step(params, carry, inputs)


def test_a_linen_subclass_that_draws_does_so_at_every_step() -> None:
    options: dict[str, Any] = {"split_rngs": {"params": False, "noise": True}}
    found: Any = our_linen.RNN(LinenNoisy(H), **options)
    expected: Any = our_linen.RNN(LinenNoisySteps(H), **options)
    rngs = {"noise": jax.random.key(1)}
    variables = our_linen.RNN(our_linen.GRUCell(H)).init(jax.random.key(0), XS)
    assert_close(found.apply(variables, XS, rngs=rngs), expected.apply(variables, XS, rngs=rngs))
    held: Any = our_linen.RNN(LinenNoisySteps(H), split_rngs={"params": False, "noise": False})
    assert np.abs(found.apply(variables, XS, rngs=rngs) - held.apply(variables, XS, rngs=rngs)).max() > 0.01


class LinenCounting(our_linen.GRUCell):
    @nn.nowrap
    def parameters(self, inputs: Any) -> Any:
        params = super().parameters(inputs)
        steps = self.variable("counts", "steps", jnp.zeros, ())
        if not self.is_initializing():
            steps.value = steps.value + 1
        return params | {"b_n": params["b_n"] + steps.value}


def test_a_linen_subclass_that_counts_is_scanned_with_its_count() -> None:
    cell = LinenCounting(H)
    variables: Any = cell.init(jax.random.key(0), jnp.zeros((B, H)), XS[:, 0])
    rnn: Any = our_linen.RNN(cell, variable_carry="counts")
    found, state = rnn.apply({name: {"cell": tree} for name, tree in variables.items()}, XS, mutable="counts")
    carry, ys = jnp.zeros((B, H)), []
    for t in range(T):
        (carry, y), after = cell.apply(variables, carry, XS[:, t], mutable="counts")
        variables = variables | after
        ys.append(y)
    assert_close(found, jnp.stack(ys, 1))
    assert state["counts"]["cell"]["steps"] == T


def test_options_that_a_scanned_subclass_cant_honour_are_refused() -> None:
    options = gr.UnrollOptions(checkpoint=2)
    rnn = our_linen.RNN(LinenByInputs(H), options=options)
    with pytest.raises(ValueError, match=r"options=.*whose functional and parameters give the same at every step"):
        rnn.init(jax.random.key(0), XS)

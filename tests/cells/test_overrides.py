"""Cells with an overridden method: `unroll` computes and differentiates their own steps.

Values are compared with a Python loop over the cell's `step`, gradients with the loop's gradients and with central
differences of its values, in float64. Tolerances: 1e-11; differences 1e-7.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.nnx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gru_research as gr
from gru_research.adapters import nnx, weights
from gru_research.analysis import intervene
from gru_research.cells.overrides import LINEAR, SEQUENCE_GRADIENT, STEP_PARTS, defining_class, why_overridden
from gru_research.layers.noise import evaluated
from gru_research.layers.noisy_cells import StateDropout

I, H, B, T = 2, 3, 2, 4  # noqa: E741
KINDS: dict[str, Callable[..., Any]] = {
    "gru": gr.GRU,
    "gru_before": functools.partial(gr.GRU, reset="before"),
    "lstm": gr.LSTM,
    "lstm_peepholes": functools.partial(gr.LSTM, peepholes=True),
    "rnn": gr.VanillaRNN,
    "mgu": gr.MGU,
    "min_gru": gr.MinGRU,
    "min_lstm": gr.MinLSTM,
}

pytestmark = pytest.mark.usefixtures("x64")


def new_method(what: str, old: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a replacement of the bound method `old`. Its arguments lack `self`."""

    def project(params: Any, x: Any) -> Any:
        return old(params, 3 * x)

    def gates(params: Any, carry: Any, p: Any, *fixed: Any) -> Any:
        h = jax.tree.leaves(carry)[-1]  # also in cells whose gates don't see the state
        return {name: 0.8 * a + 0.1 * h for name, a in old(params, carry, p, *fixed).items()}

    def combine(carry: Any, g: Any) -> Any:
        new, y = old(carry, g)
        new = jax.tree.map(lambda a, b: jnp.clip(0.7 * a + 0.3 * b, -0.2, 0.3), new, carry)
        return new, jax.tree.leaves(new)[-1].astype(y.dtype)

    def shown(carry: Any, g: Any) -> Any:
        new, y = old(carry, g)
        return new, 2 * y

    return {"project": project, "gates": gates, "combine": combine, "output": shown}[what]


METHOD = {"project": "project", "gates": "gates", "combine": "combine", "output": "combine"}


def changed(kind: str, what: str, how: str) -> Any:
    """Returns a cell of `kind` with one method replaced: in its class, in a base of its class, or on the instance."""
    make = KINDS[kind]
    name = METHOD[what]
    cls: Any = getattr(make, "func", make)
    options = getattr(make, "keywords", {}) | {"param_dtype": "float64", "learn_initial_carry": True}
    if how == "instance":
        cell = cls(H, **options)
        object.__setattr__(cell, name, functools.wraps(getattr(cell, name))(new_method(what, getattr(cell, name))))
        return cell

    def method(self: Any, *arguments: Any) -> Any:
        return new_method(what, functools.partial(getattr(cls, name), self))(*arguments)

    Changed = type("Changed", (cls,), {name: method})
    return (type("Below", (Changed,), {}) if how == "below" else Changed)(H, **options)


def loop(cell: Any, params: Any, xs: Any, streams: Any) -> Any:
    """Computes `unroll` as a Python loop over `cell.step`."""
    T = xs.shape[-2]
    real = np.ones(xs.shape[:-1], bool)
    if "lengths" in streams:
        real &= np.arange(T) < streams["lengths"][:, None]
    resets, reverse = streams.get("resets", np.zeros_like(real)), streams.get("reverse", False)
    first = cell.initial_carry(params, xs.shape[:-2])

    def where(rows: Any, a: Any, b: Any) -> Any:
        return jax.tree.map(lambda x, y: jnp.where(rows[:, None], x, y), a, b)

    carry, ys = first, [None] * T
    for t in reversed(range(T)) if reverse else range(T):
        if not reverse:
            carry = where(resets[:, t], first, carry)
        new, y = cell.step(params, carry, xs[:, t])
        carry, ys[t] = where(real[:, t], new, carry), where(real[:, t], y, jnp.zeros_like(y))
        if reverse and t:
            carry = where(resets[:, t], first, carry)
    return carry, jnp.stack(ys, -2)


def loss(results: Any) -> Any:
    """Returns a scalar loss that weighs every entry of the final carry and the outputs differently."""
    return sum((jnp.cos(jnp.arange(a.size)).reshape(a.shape) * a).sum() for a in jax.tree.leaves(results))


def assert_its_own_steps(run: Any, own: Any, params: Any, xs: Any) -> None:
    """Asserts that `run(params, xs)` has the results and the gradient of `own`, which match central differences."""
    value = jax.jit(jax.value_and_grad(lambda *a: (lambda r: (loss(r), r))(run(*a)), argnums=(0, 1), has_aux=True))
    expected = jax.jit(jax.value_and_grad(lambda *a: (lambda r: (loss(r), r))(own(*a)), argnums=(0, 1), has_aux=True))
    (_, found), grads = value(params, xs)
    (_, wanted), derived = expected(params, xs)
    forward = jax.jit(run)(params, xs)  # without a gradient, `unroll` runs another loop
    for actual, other, want in zip(*map(jax.tree.leaves, (found, forward, wanted)), strict=True):
        np.testing.assert_allclose(actual, want, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(other, want, rtol=1e-11, atol=1e-11)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11), grads, derived)
    rng = np.random.default_rng(4)
    ways = jax.tree.map(lambda a: rng.normal(size=a.shape), (params, xs))
    ends = [expected(*jax.tree.map(lambda a, d, s=s: a + s * d, (params, xs), ways))[0][0] for s in (1e-6, -1e-6)]
    slope = sum((g * d).sum() for g, d in zip(jax.tree.leaves(grads), jax.tree.leaves(ways), strict=True))
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-6, rtol=1e-7, atol=1e-7)


def problem(cell: Any, seed: int = 0, size: int = I) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(seed)
    params = jax.tree.map(lambda a: a + 0.3 * rng.normal(size=a.shape), cell.init(jax.random.key(seed), size))
    return params, rng.normal(size=(B, T, size))


STREAMS: dict[str, Any] = {
    "lengths": np.array([2, 4]),
    "resets": np.array([[0, 0, 1, 0], [0, 1, 0, 1]], bool),
}


@settings(max_examples=16, deadline=None, derandomize=True)
@given(
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(["project", "gates", "combine", "output"]),
    st.sampled_from(["subclass", "below", "instance"]),
    st.sampled_from([(), ("lengths",), ("resets",), ("lengths", "resets")]),
    st.booleans(),
    st.sampled_from([{}, {"checkpoint": 2}, {"hoist": True}, {"unroll": 2}, {"chunk": 2, "save": "carry"}]),
)
def test_a_changed_cell_runs_and_is_differentiated_by_its_own_steps(
    kind: str, what: str, how: str, streams: tuple[str, ...], reverse: bool, options: dict[str, Any]
) -> None:
    cell = changed(kind, what, how)
    given_: dict[str, Any] = {name: STREAMS[name] for name in streams} | {"reverse": reverse}

    def run(params: Any, xs: Any) -> Any:
        return gr.unroll(cell, params, xs, options=gr.UnrollOptions(**options), **given_)

    assert_its_own_steps(run, functools.partial(loop, cell, streams=given_), *problem(cell))


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(["project", "gates", "combine"]),
    st.sampled_from(["subclass", "instance"]),
    st.sampled_from(["zoneout", "state_dropout", "intervened", "stack", "bidirectional"]),
)
def test_a_changed_cell_inside_another_is_itself_there(kind: str, what: str, how: str, place: str) -> None:
    cell = changed(kind, what, how)
    params, xs = problem(cell)
    if place == "stack":
        stack = gr.Stack((cell, gr.VanillaRNN(H, param_dtype="float64")))
        params = [params, problem(stack.cells[1], 1, H)[0]]

        def own(params: Any, xs: Any) -> Any:
            first, ys = loop(cell, params[0], xs, STREAMS)
            second, ys = loop(stack.cells[1], params[1], ys, STREAMS)
            return (first, second), ys

        assert_its_own_steps(functools.partial(stack.apply, **STREAMS), own, params, xs)
    elif place == "bidirectional":
        both = gr.Bidirectional(cell, cell)
        params = {"forward": params, "backward": problem(cell, 1)[0]}

        def own(params: Any, xs: Any) -> Any:
            forward, ys = loop(cell, params["forward"], xs, STREAMS)
            backward, back = loop(cell, params["backward"], xs, STREAMS | {"reverse": True})
            return (forward, backward), jnp.concatenate([ys, back], -1)

        assert_its_own_steps(functools.partial(both.apply, **STREAMS), own, params, xs)
    else:
        around: Any = evaluated(cell, gr.Noise(zoneout=0.2), params)
        within_params: Any = {}
        if place == "state_dropout":
            around, within_params = StateDropout(cell, 0.2), {"kept": np.array([True, False, True])}
        if place == "intervened":
            around, within_params = intervene(cell, params, silenced=[1], held=0.25)

        def within(run: Any) -> Any:
            return lambda params, xs: run(around, within_params | {"cell": params} if within_params else params, xs)

        own = within(functools.partial(loop, streams=STREAMS))
        assert_its_own_steps(within(functools.partial(gr.unroll, **STREAMS)), own, params, xs)


class LSTMOfAnotherHidden(gr.LSTM):
    def hidden(self, carry: Any) -> Any:
        return 4 * carry[1]


class FlooredGRU(gr.GRU):
    def _evaluate(self, params: Any, h: Any, p: Any, fixed: Any) -> Any:
        g = super()._evaluate(params, h, p, fixed)
        return g | {"n": 0.5 * g["n"]}


class SquashedLSTM(gr.LSTM):
    def _cell_state(self, c: Any, g: Any) -> Any:
        return jnp.tanh(super()._cell_state(c, g))


class LinearMin(gr.MinLSTM):
    """A MinLSTM whose combine follows from its overridden `linear`."""

    def linear(self, g: Any, dtype: Any) -> Any:
        a, b = super().linear(g, dtype)
        return 0.5 * a, b


class Halving(gr.GRU):
    """Overrides only a part of the hand-written gradient, which then isn't the gradient of the steps."""

    def backward(self, turned: Any, f: Any, d: Any) -> Any:
        d_before, kept = super().backward(turned, f, d)
        return 0.5 * d_before, kept


@pytest.mark.parametrize("cls", [LSTMOfAnotherHidden, FlooredGRU, SquashedLSTM, LinearMin, Halving])
def test_a_changed_helper_or_part_of_the_gradient_counts_too(cls: Any) -> None:
    cell = cls(H, param_dtype="float64")
    assert_its_own_steps(functools.partial(gr.unroll, cell), functools.partial(loop, cell, streams={}), *problem(cell))


class Leaky(gr.VanillaRNN):
    def combine(self, carry: Any, g: Any) -> Any:
        h = 0.9 * carry + 0.1 * g["h"].astype(carry.dtype)
        return h, h.astype(g["h"].dtype)


class LeakyWithItsGradient(Leaky):
    """A changed cell with its complete hand-written gradient: `h = .9 h_prev + .1 a`."""

    def advance(self, params: Any, carry: Any, p: Any) -> Any:
        a = self.gates(params, carry, p)["h"]
        return self.combine(carry, {"h": a})[0], {"a": a}

    def factors(self, params: Any, before: Any, after: Any, s: Any) -> Any:
        return {"h": 0.1 * (1 - s["a"] * s["a"])}

    def backward(self, turned: Any, f: Any, d: Any) -> Any:
        d_before, kept = super().backward(turned, f, d)
        return 0.9 * d + d_before, kept

    def cotangents(self, *arguments: Any) -> Any:
        return super().cotangents(*arguments)


def test_a_gradient_that_the_changing_class_wrote_serves() -> None:
    cell = LeakyWithItsGradient(H, param_dtype="float64")
    assert defining_class(cell, SEQUENCE_GRADIENT) is LeakyWithItsGradient
    run = functools.partial(gr.unroll, cell, options=gr.UnrollOptions(backend="vjp"))
    assert_its_own_steps(run, functools.partial(loop, cell, streams={}), *problem(cell))
    # Nor is it the class above it for an engine that knows that one, in float32 and over enough steps.
    single, xs = LeakyWithItsGradient(H), jax.random.normal(jax.random.key(2), (B, 12, I), "float32")
    params = single.init(jax.random.key(0), I)
    expected = jax.jit(functools.partial(loop, single, streams={}))(params, xs)
    found = jax.jit(functools.partial(gr.unroll, single))(params, xs)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected)
    below = type("Below", (LeakyWithItsGradient,), {"project": lambda self, params, x: {"h": x @ params["W_h"]}})(H)
    assert why_overridden(below, SEQUENCE_GRADIENT) == "Below redefines project of LeakyWithItsGradient"


@pytest.mark.parametrize(
    ("cell", "backend", "why"),
    [
        (Leaky(H), "vjp", r"as Leaky redefines combine of VanillaRNN; choose from auto, autodiff$"),
        (Halving(H), "vjp", r"as Halving redefines backward of GRU; choose"),
        (changed("gru", "gates", "instance"), "vjp", r"as this GRU has its gates replaced; choose"),
        (changed("min_gru", "combine", "below"), "parallel", r"as Changed redefines combine of MinGRU; choose"),
    ],
)
def test_a_way_that_is_asked_for_and_no_longer_holds_says_why(cell: Any, backend: str, why: str) -> None:
    params, xs = problem(cell)
    with pytest.raises(ValueError, match=why) as raised:
        gr.unroll(cell, params, xs, options=gr.UnrollOptions(backend=backend))
    assert "\n" not in str(raised.value)


@dataclasses.dataclass(frozen=True)
class Configured(gr.GRU):
    """A GRU with other defaults, init and initial carry, and more fields and methods, but the same equations."""

    reset: str = "before"
    activation: Any = jnp.tanh
    tag: str = ""

    def init(self, key: Any, input_size: int) -> Any:
        return jax.tree.map(lambda a: 0.5 * a, super().init(key, input_size))

    def initial_carry(self, params: Any, batch: Any) -> Any:
        return super().initial_carry(params, batch) + 0.5

    def __repr__(self) -> str:
        return "configured"

    def count(self) -> int:
        return self.hidden_size


class Mixin:
    """A mixin. Its `combine` overrides a cell's if it comes first among the bases."""

    def combine(self, carry: Any, g: Any) -> Any:
        h = carry - g["h"]
        return h, h


class GradientsAlone:
    """A mixin that defines only the gradient, for a subclass that is also a cell."""

    advance, factors = gr.VanillaRNN.advance, gr.VanillaRNN.factors
    backward, cotangents = gr.VanillaRNN.backward, gr.VanillaRNN.cotangents


def test_what_counts_as_a_change() -> None:
    for cell in (gr.GRU(H), gr.LSTM(H), gr.VanillaRNN(H), type("Named", (gr.GRU,), {"__doc__": "x"})(H), Configured(H)):
        assert why_overridden(cell, SEQUENCE_GRADIENT) == ""
    assert defining_class(Configured(H), SEQUENCE_GRADIENT) is gr.GRU
    assert defining_class(gr.MinGRU(H), LINEAR) is gr.MinGRU and defining_class(gr.MGU(H), STEP_PARTS) is gr.MGU
    assert why_overridden(gr.MGU(H), LINEAR) == "MGU has no linear"
    slotted = dataclasses.make_dataclass("Slotted", [("reset", str, "none")], bases=(gr.GRU,), frozen=True, slots=True)
    assert why_overridden(slotted(H), SEQUENCE_GRADIENT) == ""
    mixed = type("Mixed", (Mixin, gr.VanillaRNN), {})(H)
    assert why_overridden(mixed, SEQUENCE_GRADIENT) == "Mixin redefines combine of VanillaRNN"
    assert why_overridden(type("Later", (gr.VanillaRNN, Mixin), {})(H), SEQUENCE_GRADIENT) == ""
    names = type("Names", (gr.GRU,), {"gate_names": ("z", "r", "n")})(H)
    assert why_overridden(names, SEQUENCE_GRADIENT) == "Names redefines gate_names of GRU"
    constant = type("Constant", (gr.GRU,), {"reset": property(lambda self: "none", lambda self, value: None)})(H)
    assert why_overridden(constant, SEQUENCE_GRADIENT) == "Constant redefines reset of GRU"
    watched = type("Watched", (gr.GRU,), {"__getattribute__": lambda self, name: object.__getattribute__(self, name)})
    assert why_overridden(watched(H), SEQUENCE_GRADIENT) == "Watched redefines __getattribute__ of GRU"
    with_gradients = type("WithGradients", (GradientsAlone, gr.MGU), {})
    assert defining_class(with_gradients(H), SEQUENCE_GRADIENT) is with_gradients
    below = type("Below", (with_gradients,), {"combine": gr.GRU.combine})(H)
    assert why_overridden(below, SEQUENCE_GRADIENT) == "Below redefines combine of WithGradients"


def test_a_subclass_of_the_same_maths_keeps_the_hand_written_gradient() -> None:
    cell = Configured(H, param_dtype="float64")
    run = functools.partial(gr.unroll, cell, options=gr.UnrollOptions(backend="vjp"))
    assert_its_own_steps(run, functools.partial(loop, cell, streams={}), *problem(cell))


class Stepping(gr.GRU):
    def step(self, params: Any, carry: Any, x: Any) -> Any:
        carry, y = super().step(params, carry, x)
        return 0.5 * carry, y


class SteppingAndCombining(Stepping):
    def combine(self, carry: Any, g: Any) -> Any:
        return super().combine(carry, g)


def test_a_step_that_no_loop_would_take_is_refused_wherever_one_runs() -> None:
    replaced = gr.GRU(H)
    object.__setattr__(replaced, "step", lambda params, carry, x: (carry, carry))
    for cell, who in (
        (Stepping(H), "Stepping redefines step"),
        (SteppingAndCombining(H), "Stepping redefines step"),
        (replaced, "this GRU has its step replaced"),
    ):
        params, xs = problem(cell)
        both = {"forward": params, "backward": params}
        for run in (
            lambda c=cell, p=params, x=xs: gr.unroll(c, p, x),
            lambda c=cell, p=params, x=xs: gr.trace(c, p, x),
            lambda c=cell, p=params, x=xs: gr.unroll(c, p, x, options=gr.UnrollOptions(backend="vjp")),
            lambda c=cell, p=params, x=xs: gr.Stack((c,)).apply([p], x),
            lambda c=cell, p=params, x=xs: gr.Stack((c,), noise=gr.Noise(zoneout=0.1)).apply([p], x),
            lambda c=cell, p=params, x=xs: gr.Stack((c,), noise=gr.Noise(zoneout=0.1)).step(
                [p], (x[:, 0, :1],), jnp.asarray(x)
            ),
            lambda c=cell, b=both, x=xs: gr.Bidirectional(gr.GRU(H), c).apply(b, x),
            lambda c=cell, p=params: intervene(c, p, silenced=[0]),
        ):
            with pytest.raises(ValueError, match=f"^{who}, which a time loop doesn't call: .*; redefine those$"):
                run()


@pytest.mark.parametrize("how", ["subclass", "instance"])
def test_zoneout_refuses_a_cell_whose_output_is_more_than_its_state(how: str) -> None:
    cell = changed("gru", "output", how)
    params, xs = problem(cell)
    with pytest.raises(ValueError, match=r"^zoneout needs a cell whose output is hidden\(carry\); combine gives"):
        gr.Stack((cell,), noise=gr.Noise(zoneout=0.1)).apply([params], xs)


def test_a_replaced_method_stays_in_flax_modules_too() -> None:
    class Scaled(nnx.GRUCell):
        def functional(self, inputs: Any) -> Any:
            cell, params = super().functional(inputs)
            object.__setattr__(cell, "combine", new_method("combine", cell.combine))
            return cell, params

    module = Scaled(I, H, rngs=flax.nnx.Rngs(0))
    xs = jnp.asarray(np.random.default_rng(0).normal(size=(B, T, I)), jnp.float32)
    carry, expected = module.initialize_carry((B, I)), []
    for t in range(T):
        carry, y = module(carry, xs[:, t])
        expected.append(y)
    assert jnp.stack(expected).max() == jnp.float32(0.3)  # where the replaced one clips
    np.testing.assert_allclose(nnx.RNN(module)(xs), jnp.stack(expected, 1), rtol=1e-6, atol=1e-6)


def test_weights_of_another_library_go_to_no_changed_cell() -> None:
    own = {"weight_ih": np.ones((H, I)), "weight_hh": np.ones((H, H)), "bias_ih": np.ones(H), "bias_hh": np.ones(H)}
    for same in (gr.VanillaRNN(H), type("Same", (gr.VanillaRNN,), {})(H)):
        assert weights.from_library("torch.RNNCell", same, own).keys() == {"W_h", "U_h", "b_h"}
    for cell, why in (
        (Leaky(H), "Leaky redefines combine"),
        (changed("rnn", "gates", "instance"), "this VanillaRNN has its gates replaced"),
    ):
        with pytest.raises(ValueError, match=f"torch.RNNCell computes what VanillaRNN does, and {why}"):
            weights.from_library("torch.RNNCell", cell, own)

"""Noise: masks made visible by linear cells, then the oracles with those very masks.

Tolerances in float64: 1e-12; gradients against central differences of fourth order 1e-7.

Where a share of a mask is measured, the bounds are 5 standard deviations of a binomial.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.layers import has_cell_state
from tests.oracles import VARIANTS, pack, parameters, random_carry

I, H, B, T = 4, 5, 3, 6  # noqa: E741
KEY = jax.random.key(7)
RATES = ("input_dropout", "state_dropout", "zoneout", "zoneout_cell", "drop_connect")
LENGTHS = np.array([0, 6, 4])


pytestmark = pytest.mark.usefixtures("x64")


def make(name: str, **options: Any) -> Any:
    return getattr(gr, VARIANTS[name].kind)(H, **VARIANTS[name].options, param_dtype="float64", **options)


def inputs(*shape: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def assert_close(actual: Any, expected: Any, tolerance: float = 1e-12) -> None:
    actual, expected = jax.tree.leaves(actual), jax.tree.leaves(expected)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def assert_share(mask: Any, share: float) -> None:
    mask = np.asarray(mask)
    assert abs(mask.mean() - share) < 5 * np.sqrt(share * (1 - share) / mask.size)


def linear(size: int, w: float = 0.0, u: float = 0.0) -> tuple[Any, dict[str, Any]]:
    """`h = w x + u h_prev`, unit by unit."""
    cell = gr.VanillaRNN(size, activation="identity", param_dtype="float64")
    return cell, {"W_h": w * np.eye(size), "U_h": u * np.eye(size), "b_h": np.zeros(size)}


@dataclasses.dataclass(frozen=True)
class Delay:
    """`c = x`, and `h = c_prev` or, not `late`, `h = x`: what zoneout does to c, or to h, is seen in the outputs."""

    hidden_size: int
    late: bool = True
    dtype: Any = None
    carry_dtype: Any = None

    def init(self, key: Any, input_size: int) -> dict[str, Any]:
        del key, input_size
        return {"scale": jnp.ones((), "float64")}

    def initial_carry(self, params: Any, batch: Any) -> Any:
        del params
        return (jnp.zeros((*batch, self.hidden_size)),) * 2

    def project(self, params: Any, x: Any) -> dict[str, Any]:
        return {"x": params["scale"] * x}

    def gates(self, params: Any, carry: Any, p: Any, fixed: Any = {}) -> dict[str, Any]:  # noqa: B006
        del params, carry
        return {**p, **fixed}

    def combine(self, carry: Any, g: Any) -> Any:
        h = carry[0] if self.late else g["x"]
        return (g["x"], h), h

    def step(self, params: Any, carry: Any, x: Any) -> Any:
        return self.combine(carry, self.gates(params, carry, self.project(params, x)))

    def hidden(self, carry: Any) -> Any:
        return carry[1]


def run(
    cell: Any, params: Any, xs: Any, noise: gr.Noise, key: Any = KEY, initial_carry: Any = None, **streams: Any
) -> Any:
    """Final carry and outputs of one layer with noise."""
    first = None if initial_carry is None else (initial_carry,)
    (carry,), ys = gr.Stack((cell,), noise=noise).apply([params], xs, key=key, initial_carry=first, **streams)
    return carry, ys


def state_mask(batch: int, size: int, rate: float) -> np.ndarray:
    """Which units of the state are kept, `[B, H]`; asserts that they are the same at all steps."""
    cell, params = linear(size, u=1 - rate)
    _, ys = run(
        cell, params, np.zeros((batch, T, size)), gr.Noise(state_dropout=rate), initial_carry=np.ones((batch, size))
    )
    ys = np.asarray(ys)
    assert np.isin(ys.round(12), (0, 1)).all()
    assert (ys == ys[:, :1]).all()
    return ys[:, 0] > 0.5


def zoneout_masks(name: str, part: str, batch: int, time: int, size: int, rate: float) -> np.ndarray:
    """Where h or c of a cell with the carry of `name` keeps its old value, `[B, T, H]`."""
    xs = 1.0 + np.arange(batch * time * size).reshape(batch, time, size)
    cell, params = linear(size, w=1.0)
    if name == "lstm":
        cell = Delay(size, late=part == "c")
        params = cell.init(KEY, size)
    noise = gr.Noise(zoneout_cell=rate) if part == "c" else gr.Noise(zoneout=rate)
    final, ys = run(cell, params, xs, noise)
    states = np.asarray(ys)
    if part == "c":  # which is an output one step later
        states = np.concatenate([states[:, 1:], np.asarray(final[0])[:, None]], 1)
    before = np.concatenate([np.zeros_like(states[:, :1]), states[:, :-1]], 1)
    kept = states != xs
    np.testing.assert_array_equal(states, np.where(kept, before, xs))
    return kept


# Dropout


def test_input_dropout_has_one_mask_for_all_steps_of_a_row() -> None:
    rate, batch, size = 0.3, 40, 50
    cell, params = linear(size, w=1.0)
    xs = inputs(batch, T, size)
    _, ys = run(cell, params, xs, gr.Noise(input_dropout=rate))
    kept = np.asarray(ys)[:, 0] != 0
    assert_close(ys, np.where(kept[:, None], xs / (1 - rate), 0))
    assert_share(kept, 1 - rate)
    assert len({row.tobytes() for row in kept}) == batch


def test_dropout_between_layers_has_a_mask_for_every_step_and_drops_once() -> None:
    rate, batch, size = 0.4, 20, 30
    cell, params = linear(size, w=1.0)
    xs = inputs(batch, T, size)
    (below, _), ys = gr.Stack((cell, cell), dropout=rate).apply([params, params], xs, key=KEY)
    kept = np.asarray(ys) != 0
    assert_close(ys, np.where(kept, xs / (1 - rate), 0))
    assert_close(below, xs[:, -1])
    assert_share(kept, 1 - rate)
    assert len({kept[b, t].tobytes() for b in range(batch) for t in range(T)}) == batch * T


@pytest.mark.parametrize("name", ["gru_before", "gru_after", "lstm_peepholes"])
def test_state_dropout_is_what_the_gates_read_and_not_what_the_carry_keeps(name: str) -> None:
    rate = 0.4
    kept = state_mask(B, H, rate)
    assert kept.any() and not kept.all()
    params, xs, carry = parameters(name, I, H), inputs(B, T, I), random_carry(name, (B,), H)
    result = run(make(name), params, xs, gr.Noise(state_dropout=rate), initial_carry=pack(carry))
    ys, finals = np.zeros((B, T, H)), []
    for b in range(B):
        state = tuple(part[b] for part in carry)
        for t in range(T):
            read = (*state[:-1], state[-1] * kept[b] / (1 - rate))
            _, _, g = VARIANTS[name].step(params, read, xs[b, t], {})
            if name == "lstm_peepholes":
                c = g["f"] * state[0] + g["i"] * g["g"]
                state = (c, g["o"] * np.tanh(c))
            else:
                state = (g["z"] * state[0] + (1 - g["z"]) * g["n"],)
            ys[b, t] = state[-1]
        finals.append(state)
    assert_close(result, (pack(tuple(np.stack(part) for part in zip(*finals, strict=True))), ys))


def test_state_dropout_keeps_its_share_in_every_row() -> None:
    kept = state_mask(40, 50, 0.3)
    assert_share(kept, 0.7)
    assert len({row.tobytes() for row in kept}) == 40


# Zoneout


def test_zoneout_masks_have_their_rate_and_differ_in_all_axes_and_between_c_and_h() -> None:
    batch, time, size = 6, 20, 30
    masks = [zoneout_masks("lstm", part, batch, time, size, 0.2) for part in ("c", "h")]
    for kept in masks:
        assert_share(kept, 0.2)
        assert len({kept[b, t].tobytes() for b in range(batch) for t in range(time)}) == batch * time
    assert_share(masks[0] & masks[1], 0.04)


@pytest.mark.parametrize(
    ("name", "noise"),
    [("gru_after", gr.Noise(zoneout=0.3)), ("lstm", gr.Noise(zoneout=0.3, zoneout_cell=0.5))],
    ids=["gru", "lstm"],
)
@pytest.mark.parametrize("training", [True, False])
def test_zoneout_keeps_units_in_training_and_mixes_at_evaluation(name: str, noise: gr.Noise, training: bool) -> None:
    params, xs, carry = parameters(name, I, H), inputs(B, T, I), random_carry(name, (B,), H)
    rates = {"c": noise.zoneout_cell, "h": noise.zoneout}
    old = {part: np.full((B, T, H), rate) for part, rate in rates.items()}
    if training:
        old = {part: zoneout_masks(name, part, B, T, H, rate) * 1.0 for part, rate in rates.items() if rate}
        assert all(mask.any() and not mask.all() for mask in old.values())
    result = run(make(name), params, xs, noise, KEY if training else None, initial_carry=pack(carry), lengths=LENGTHS)
    ys, finals = np.zeros((B, T, H)), []
    for b in range(B):
        state = tuple(part[b] for part in carry)
        for t in range(LENGTHS[b]):
            new, _, _ = VARIANTS[name].step(params, state, xs[b, t], {})
            shares = [old[part][b, t] for part in ("c", "h")[-len(state) :]]
            state = tuple(s * before + (1 - s) * after for s, before, after in zip(shares, state, new, strict=True))
            ys[b, t] = state[-1]
        finals.append(state)
    assert_close(result, (pack(tuple(np.stack(part) for part in zip(*finals, strict=True))), ys))


def test_the_mean_over_masks_is_zoneouts_expectation_where_the_cell_is_linear() -> None:
    batch, rate = 4000, 0.25
    cell, params = linear(2, w=1.0, u=0.5)
    xs = np.broadcast_to(inputs(1, T, 2), (batch, T, 2))
    noise = gr.Noise(zoneout=rate)
    _, drawn = run(cell, params, xs, noise)
    _, mean = run(cell, params, xs[:1], noise, None)
    error = np.asarray(drawn).std(0) / np.sqrt(batch)
    assert (np.abs(np.asarray(drawn).mean(0) - mean[0]) < 5 * error).all()


# Weights


def test_drop_connect_has_one_mask_of_the_recurrent_kernel_for_rows_and_steps() -> None:
    rate, size = 0.3, 40
    cell, params = linear(size)
    params |= {"U_h": 1 + np.random.default_rng(0).random((size, size)), "W_h": np.ones((I, size))}
    xs = np.zeros((size, 2, I))
    _, ys = run(cell, params, xs, gr.Noise(drop_connect=rate), initial_carry=np.eye(size))
    kernel = np.asarray(ys)[:, 0]
    kept = kernel != 0
    assert_close(kernel, np.where(kept, params["U_h"] / (1 - rate), 0))
    assert_close(np.asarray(ys)[:, 1], kernel @ kernel, 1e-11)
    assert_share(kept, 1 - rate)
    _, ys = run(cell, params, np.ones((1, 1, I)), gr.Noise(drop_connect=rate))
    assert_close(ys, np.full((1, 1, size), I))


def test_drop_connect_drops_from_every_gates_kernel_with_a_mask_of_its_own() -> None:
    # With linear gates and one kernel for all, x = 0, c_prev = 1 and h_prev the j-th unit, the gates are the j-th
    # rows of their kernels; c = f + i g and h = o c are 0 where the right ones of them are dropped.
    size = 30
    kernel = np.random.default_rng(0).uniform(0.1, 0.2, (size, size))
    params = {f"U_{gate}": kernel for gate in "ifgo"} | {f"W_{gate}": np.zeros((1, size)) for gate in "ifgo"}
    params |= {f"b_{gate}": np.zeros(size) for gate in "ifgo"}
    cell = gr.LSTM(size, gate="identity", activation="identity", param_dtype="float64")
    carry = (np.ones((size, size)), np.eye(size))
    (c, h), _ = run(cell, params, np.zeros((size, 1, 1)), gr.Noise(drop_connect=0.5), initial_carry=carry)
    assert_share(np.asarray(c) == 0, 0.5 * 0.75)
    assert_share(np.asarray(h) == 0, 1 - 0.5 * (1 - 0.5 * 0.75))


def test_weight_noise_is_gaussian_on_every_parameter_and_drawn_once_a_call() -> None:
    # Row 0 shows b, the next ones rows of W, the others rows of U.
    size, deviation = 60, 0.075
    cell, params = linear(size, u=0.5)
    params |= {"W_h": np.full((I, size), 0.3)}
    rows = 1 + I + size
    xs, first = np.zeros((rows, 3, I)), np.zeros((rows, size))
    xs[1 : 1 + I], first[1 + I :] = np.eye(I)[:, None], np.eye(size)
    _, ys = run(cell, params, xs, gr.Noise(weight_noise=deviation), initial_carry=first)
    ys = np.asarray(ys)
    b, w, u = ys[0, 0], ys[1 : 1 + I, 0] - ys[0, 0], ys[1 + I :, 0] - ys[0, 0]
    for t in (1, 2):
        assert_close(ys[:, t], ys[:, t - 1] @ u + xs[:, t] @ w + b)
    for noise in (b, w - 0.3, u - 0.5 * np.eye(size)):
        assert abs(noise.mean()) < 5 * deviation / np.sqrt(noise.size)
        assert abs(noise.std() / deviation - 1) < 5 / np.sqrt(2 * noise.size)
        assert len(np.unique(noise)) == noise.size


# All at once


EVERYTHING = gr.Noise(0.2, 0.25, 0.2, 0.3, 0.2, 0.05)
STACK = gr.Stack((make("lstm_peepholes"), make("lstm")), dropout=0.2, connections="highway", noise=EVERYTHING)
STREAMS = {
    "lengths": LENGTHS,
    "mask": np.array([[1, 1, 1, 1, 1, 1], [1, 0, 1, 1, 0, 1], [1, 1, 0, 1, 1, 1]], bool),
    "resets": np.array([[0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 1, 0], [0, 1, 0, 0, 0, 1]], bool),
}


@functools.cache
def stack_params() -> list[Any]:
    highway = {"W_t": inputs(H, H, seed=5), "b_t": inputs(H, seed=6)}
    top = {"layer": parameters("lstm", H, H, seed=4), "highway": highway}
    return [parameters("lstm_peepholes", I, H, seed=3), top]


FIRST = tuple(random_carry("lstm", (B,), H, seed=seed) for seed in (1, 2))


@functools.cache
def compiled(training: bool = True) -> Any:
    """Jitted value of a loss with the final carry and the outputs, and its gradients by parameters and inputs."""

    def loss(params: Any, xs: Any, key: Any) -> Any:
        carry, ys = STACK.apply(params, xs, key=key if training else None, initial_carry=FIRST, **STREAMS)
        return (ys**2).sum() + sum(jnp.sin(a).sum() for a in jax.tree.leaves(carry)), (carry, ys)

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))


@pytest.mark.parametrize("training", [True, False])
def test_gradients_through_all_noise_are_finite_differences(training: bool) -> None:
    base = stack_params(), inputs(B, T, I)
    run = compiled(training)
    _, gradients = run(*base, KEY)
    assert all((np.asarray(leaf) != 0).any() for leaf in jax.tree.leaves(gradients))
    rng = np.random.default_rng(8)
    for _ in range(3):
        direction = jax.tree.map(lambda a: rng.normal(size=a.shape), base)
        moved = [jax.tree.map(lambda a, d, s=s: a + s * 1e-4 * d, base, direction) for s in (1, -1, 2, -2)]
        values = [run(*point, KEY)[0][0] for point in moved]
        numeric = (8 * (values[0] - values[1]) - (values[2] - values[3])) / 12e-4
        products = jax.tree.map(lambda g, d: (g * d).sum(), gradients, direction)
        np.testing.assert_allclose(sum(jax.tree.leaves(products)), numeric, rtol=1e-7)


@pytest.mark.parametrize("training", [True, False])
def test_what_stands_in_the_padding_reaches_nothing_through_noise(training: bool) -> None:
    xs = inputs(B, T, I)
    unreal = ~((np.arange(T) < LENGTHS[:, None]) & STREAMS["mask"])
    run = compiled(training)
    clean = run(stack_params(), np.where(unreal[..., None], 0.0, xs), KEY)
    (_, (carry, ys)), (_, by_xs) = clean
    assert (np.asarray(ys)[unreal] == 0).all()
    assert (np.asarray(by_xs)[unreal] == 0).all()
    jax.tree.map(
        np.testing.assert_array_equal, run(stack_params(), np.where(unreal[..., None], np.nan, xs), KEY), clean
    )
    # Row 0 has no real step.
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[0], b[0]), carry, FIRST)


def test_options_change_no_noise() -> None:
    params, xs = stack_params(), inputs(B, T, I)
    (_, expected), _ = compiled()(params, xs, KEY)
    turned = {name: value if name == "lengths" else value.T for name, value in STREAMS.items()}
    options = gr.UnrollOptions(time_major=True, hoist=False, checkpoint=4)
    run = jax.jit(functools.partial(STACK.apply, options=options))
    carry, ys = run(params, np.swapaxes(xs, 0, 1), key=KEY, initial_carry=FIRST, **turned)
    assert_close((carry, np.swapaxes(ys, 0, 1)), expected)


def test_without_outputs_noise_is_the_same() -> None:
    noise, params, xs = gr.Noise(zoneout=0.2, state_dropout=0.2), parameters("gru_after", I, H), inputs(B, T, I)
    carry, ys = run(make("gru_after"), params, xs, noise, options=gr.UnrollOptions(outputs="none"))
    assert ys is None
    assert_close(carry, run(make("gru_after"), params, xs, noise)[1][:, -1])


def test_the_key_decides_and_no_key_is_no_noise() -> None:
    params, xs = stack_params(), inputs(B, T, I)
    first, again, other = (compiled()(params, xs, key)[0][1][1] for key in (KEY, KEY, jax.random.key(8)))
    np.testing.assert_array_equal(first, again)
    real = (np.arange(T) < LENGTHS[:, None]) & STREAMS["mask"]
    assert (np.asarray(first) != other)[real].all()
    quiet = dataclasses.replace(EVERYTHING, zoneout=0.0, zoneout_cell=0.0)
    noisy, plain = (dataclasses.replace(STACK, dropout=d, noise=n) for d, n in ((0.2, quiet), (0.0, gr.Noise())))
    jaxprs = [jax.make_jaxpr(lambda xs, s=stack: s.apply(params, xs))(xs) for stack in (noisy, plain)]
    assert str(jaxprs[0]) == str(jaxprs[1])


def test_layers_draw_masks_of_their_own() -> None:
    cell, params = linear(50, w=1.0)
    xs = np.ones((1, 1, 50))
    (below, above), _ = gr.Stack((cell, cell), noise=gr.Noise(input_dropout=0.5)).apply([params] * 2, xs, key=KEY)
    kept = np.asarray(below)[0] != 0
    np.testing.assert_array_equal(np.unique(np.asarray(above)[0][kept]), [0, 4])


def test_noise_can_differ_by_layer() -> None:
    cell, params = linear(50, w=1.0)
    stack = gr.Stack((cell, cell), noise=[gr.Noise(), gr.Noise(input_dropout=0.5)])  # type: ignore[arg-type]
    (below, above), _ = stack.apply([params] * 2, np.ones((1, 1, 50)), key=KEY)
    assert (np.asarray(below) == 1).all()
    np.testing.assert_array_equal(np.unique(np.asarray(above)), [0, 2])


def test_vmap_over_parameters_and_keys_is_one_after_the_other() -> None:
    xs, keys = inputs(B, T, I), jax.random.split(KEY, 2)
    seeds = [parameters("gru_after", I, H, seed=seed) for seed in (0, 1)]
    noise = dataclasses.replace(EVERYTHING, zoneout_cell=0.0, weight_noise=0.0)
    one = jax.jit(lambda params, key: run(make("gru_after"), params, xs, noise, key))
    stacked = jax.tree.map(lambda *a: np.stack(a), *seeds)
    expected = jax.tree.map(lambda *a: np.stack(a), *(one(p, k) for p, k in zip(seeds, keys, strict=True)))
    assert_close(jax.jit(jax.vmap(one))(stacked, keys), expected)


@pytest.mark.parametrize(
    ("options", "input_dtype"),
    [
        ({"param_dtype": "bfloat16"}, "bfloat16"),
        ({"param_dtype": "float32", "dtype": "bfloat16"}, "float32"),
        ({"param_dtype": "float32", "carry_dtype": "bfloat16"}, "float32"),
        ({"param_dtype": "float32"}, "int32"),
    ],
)
def test_noise_changes_no_type(options: dict[str, str], input_dtype: str) -> None:
    stack = gr.Stack((gr.LSTM(H, **options),) * 2, 0.2, "highway", EVERYTHING)  # type: ignore[arg-type]
    plain = gr.Stack((gr.LSTM(H, **options),) * 2)  # type: ignore[arg-type]

    def run(key: Any, xs: Any) -> Any:
        return [s.apply(s.init(key, I), xs, key=k) for s, k in ((plain, None), (stack, key), (stack, None))]

    expected, *found = jax.eval_shape(run, KEY, jax.ShapeDtypeStruct((B, T, I), input_dtype))
    assert found == [expected, expected]


@pytest.mark.parametrize("name", ["weight_noise", "drop_connect", "input_dropout", "state_dropout", "zoneout"])
def test_noise_outside_the_recurrence_leaves_the_cell_to_unroll(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # So that a cell's own fast path stays in use.
    cells = []

    def spy(cell: Any, *arguments: Any, **options: Any) -> Any:
        cells.append(cell)
        return gr.unroll(cell, *arguments, **options)

    monkeypatch.setattr("gru_research.layers.noise.unroll", spy)
    cell = make("gru_after")
    run(cell, parameters("gru_after", I, H), inputs(B, T, I), gr.Noise(**{name: 0.1}))
    assert (cells == [cell]) == (name not in ("state_dropout", "zoneout"))


# Mistakes


@pytest.mark.parametrize("field", RATES)
@pytest.mark.parametrize("value", [-0.1, 1, 1.5, True, "0.5", None, float("nan")])
def test_a_rate_outside_0_to_1_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field}={value!r}.*at least 0 and below 1"):
        gr.Noise(**{field: value})


@pytest.mark.parametrize("value", [-0.1, False, "a", float("inf"), float("nan")])
def test_what_is_no_standard_deviation_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=f"^weight_noise={value!r}.*0 or more"):
        gr.Noise(weight_noise=value)


@pytest.mark.parametrize("cell", [gr.GRU(3), gr.VanillaRNN(3)])
def test_zoneout_of_a_cell_state_that_isnt_there_is_refused(cell: Any) -> None:
    assert not has_cell_state(cell)
    noise = gr.Noise(zoneout_cell=0.5)
    for make_layer in (
        lambda: gr.Stack((gr.LSTM(3), cell), noise=noise),
        lambda: gr.Bidirectional(gr.LSTM(3), cell, noise=noise),
        lambda: gr.Stack((gr.Bidirectional(cell, gr.LSTM(3)),), noise=noise),
    ):
        with pytest.raises(ValueError, match=rf"zoneout_cell=0\.5.*{type(cell).__name__}"):
            make_layer()
    gr.Stack((gr.LSTM(3), cell), noise=(noise, gr.Noise()))


def test_cells_that_noise_cant_act_on_are_refused() -> None:
    @dataclasses.dataclass(frozen=True)
    class Doubled(Delay):
        def hidden(self, carry: Any) -> Any:
            return 2 * carry[1]

    params, xs = {"scale": jnp.ones(())}, inputs(B, T, H)
    with pytest.raises(ValueError, match=r"drop_connect=0\.5.*U_.*scale"):
        run(Delay(H), params, xs, gr.Noise(drop_connect=0.5))
    for noise in (gr.Noise(zoneout=0.1), gr.Noise(state_dropout=0.1)):
        with pytest.raises(ValueError, match=r"part of its carry.*Doubled"):
            run(Doubled(H), params, xs, noise)


def test_an_input_without_a_time_axis_is_refused() -> None:
    with pytest.raises(ValueError, match=r"xs.*\(4,\).*\[\.\.\., T, I\]"):
        run(make("gru_after"), parameters("gru_after", I, H), np.zeros(I), gr.Noise(input_dropout=0.1))


@pytest.mark.parametrize("noise", [(gr.Noise(),), (gr.Noise(),) * 3, None, 0.5, (gr.Noise(), None)])
def test_what_is_no_noise_for_each_layer_is_refused(noise: Any) -> None:
    with pytest.raises(ValueError, match=r"noise=.*2 layers"):
        gr.Stack((gr.GRU(3),) * 2, noise=noise)

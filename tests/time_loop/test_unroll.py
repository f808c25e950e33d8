"""`unroll` and `trace` against loops in NumPy: outputs, carries, gates and gradients under every option.

Tolerances: 1e-12 in float64 and 1e-5 in float32, on values of order 1; 1e-8 for gradients against central
differences of the oracle. If two methods must do the same arithmetic, bits are compared.
"""

import functools
import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from tests.faults import fault, seen
from tests.oracles import VARIANTS, Carry, first_carry, pack, parameters, random_carry, sequence

I, H, B, T = 4, 5, 3, 8  # noqa: E741
WEIGHTS = np.random.default_rng(5).normal(size=(B, T + 2, H))  # weights in the loss: outputs, then carry
PLAIN = gr.UnrollOptions()


def booleans(*rows: str) -> np.ndarray:
    return np.array([[digit == "1" for digit in row] for row in rows])


LENGTHS = np.array([0, 8, 5], np.int32)
HOLES = booleans("10110111", "01100101", "11111010")
STARTS = booleans("00100100", "10001001", "01100000")
SCENARIOS: dict[str, dict[str, Any]] = {
    "none": {},
    "lengths": {"lengths": LENGTHS},
    "mask": {"mask": HOLES},
    "both": {"lengths": LENGTHS, "mask": HOLES},
    "resets": {"resets": STARTS},
    # Row 1 starts segments at unreal steps, row 2 at one and in its padding.
    "all": {
        "lengths": LENGTHS,
        "mask": booleans("11111111", "10110111", "11011011"),
        "resets": booleans("00000000", "01001000", "00100110"),
    },
}
EVERY_STEP = {"lengths": np.full(B, T, np.int32), "mask": np.ones((B, T), bool), "resets": np.zeros((B, T), bool)}


pytestmark = pytest.mark.usefixtures("x64")


def make(name: str, dtype: str = "float64", **options: Any) -> Any:
    return getattr(gr, VARIANTS[name].kind)(H, **VARIANTS[name].options, param_dtype=dtype, **options)


def inputs(*shape: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def real_steps(scenario: str) -> np.ndarray:
    streams = EVERY_STEP | SCENARIOS[scenario]
    return (np.arange(T) < streams["lengths"][:, None]) & streams["mask"]


@functools.cache
def compiled(name: str, reverse: bool = False, options: gr.UnrollOptions = PLAIN, traced: bool = False) -> Any:
    """Returns the jitted `unroll` or `trace` of (params, xs, carry, streams), with a learned initial carry."""
    cell, run = make(name, learn_initial_carry=True), gr.trace if traced else gr.unroll
    return jax.jit(
        lambda params, xs, carry, streams: run(
            cell, params, xs, initial_carry=carry, reverse=reverse, options=options, **streams
        )
    )


def loss(carry: Any, ys: Any) -> Any:
    ends = jax.tree.leaves(carry)
    return (WEIGHTS[:, :T] * ys).sum() + sum((WEIGHTS[:, T + i] * end).sum() for i, end in enumerate(ends))


@functools.cache
def gradients(name: str, reverse: bool = False, options: gr.UnrollOptions = PLAIN) -> Any:
    """Returns a jitted function to loss, results, and gradients by parameters, inputs and initial carry."""
    run = compiled(name, reverse, options)

    def value(params: Any, xs: Any, carry: Any, streams: Any) -> Any:
        results = run(params, xs, carry, streams)
        return loss(*results), results

    return jax.jit(jax.value_and_grad(value, argnums=(0, 1, 2), has_aux=True))


def arguments(name: str) -> tuple[dict[str, Any], np.ndarray, Carry]:
    return parameters(name, I, H, learned=True), inputs(B, T, I), random_carry(name, (B,), H)


def assert_close(actual: Any, expected: Any, tolerance: float = 1e-12) -> None:
    actual, expected = jax.tree.leaves(actual), jax.tree.leaves(expected)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def assert_same_bits(actual: Any, expected: Any) -> None:
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


# Outputs and carries


# Forward, the gates of the other cells are traced and their gradients taken below, each with outputs and carry.
@pytest.mark.parametrize(
    ("name", "reverse"), [("gru_after", False), ("lstm", False), *((name, True) for name in VARIANTS)]
)
def test_outputs_and_carry_are_the_oracles(name: str, reverse: bool) -> None:
    params, xs, carry = arguments(name)
    for scenario, streams in SCENARIOS.items():
        expected = sequence(name, params, xs, initial_carry=carry, reverse=reverse, **streams)
        final, ys = compiled(name, reverse)(params, xs, pack(carry), EVERY_STEP | streams)
        assert_close((final, ys), expected[:2])
        assert (np.asarray(ys)[~real_steps(scenario)] == 0).all()


@pytest.mark.parametrize("name", ["gru_after", "gru_before", "lstm_peepholes", "rnn_relu"])
def test_float32_is_the_oracle_to_its_precision(name: str) -> None:
    params, xs, carry = arguments(name)
    expected = sequence(name, params, xs)
    cell = make(name, "float32")
    run = jax.jit(lambda params, xs: gr.unroll(cell, params, xs))
    del params["h_0"]
    params.pop("c_0", None)
    final, ys = run(*jax.tree.map(lambda a: jnp.asarray(a, "float32"), (params, xs)))
    assert ys.dtype == jnp.float32
    zeros = jax.tree.map(np.zeros_like, carry)
    assert_close((final, ys), sequence(name, params, xs, initial_carry=zeros)[:2], 1e-5)
    assert not np.allclose(ys, expected[1])  # whose learned first carry isn't 0


@pytest.mark.parametrize(
    ("scenario", "reverse"),
    [("none", False), ("lengths", False), ("mask", False), ("resets", False), ("lengths", True), ("resets", True)],
)
def test_one_stream_alone_and_no_initial_carry(scenario: str, reverse: bool) -> None:
    params, xs, _ = arguments("rnn_tanh")
    expected = sequence("rnn_tanh", params, xs, reverse=reverse, **SCENARIOS[scenario])
    assert_close(compiled("rnn_tanh", reverse)(params, xs, None, SCENARIOS[scenario]), expected[:2])


def test_a_row_without_a_real_step_gives_its_initial_carry() -> None:
    for name, reverse in itertools.product(("gru_after", "lstm"), (False, True)):
        params, xs, carry = arguments(name)
        final, ys = compiled(name, reverse)(params, xs, pack(carry), EVERY_STEP | SCENARIOS["lengths"])
        assert_same_bits([a[0] for a in jax.tree.leaves(final)], [a[0] for a in carry])
        assert_same_bits(ys[0], np.zeros((T, H)))


def test_a_full_length_and_an_open_mask_change_no_bit() -> None:
    params, xs, carry = arguments("gru_after")
    plain = compiled("gru_after")(params, xs, pack(carry), EVERY_STEP)
    longer = EVERY_STEP | {"lengths": np.full(B, T + 3, np.int32)}
    assert_same_bits(compiled("gru_after")(params, xs, pack(carry), longer), plain)


def test_lengths_of_a_small_type_over_a_long_sequence() -> None:
    # Its largest number, 255, is smaller than the number of steps.
    time, length = 300, 200
    params, xs = parameters("rnn_tanh", 1, H), inputs(1, time, 1)
    final, ys = gr.unroll(make("rnn_tanh"), params, xs, lengths=np.array([length], np.uint8))
    assert (np.asarray(ys)[0, :length] != 0).all()
    assert_same_bits(ys[0, length:], np.zeros((time - length, H)))
    assert_same_bits(final[0], ys[0, length - 1])


def test_reverse_starts_at_each_rows_last_real_step() -> None:
    params, xs, carry = arguments("gru_after")
    final, ys = compiled("gru_after", True)(params, xs, pack(carry), EVERY_STEP | {"lengths": LENGTHS})
    for b in (1, 2):
        length = int(LENGTHS[b])
        flipped = xs[b : b + 1, :length][:, ::-1]
        end, outputs, _ = sequence("gru_after", params, flipped, initial_carry=(carry[0][b : b + 1],))
        assert_close(ys[b, :length], outputs[0, ::-1])
        assert_close(final[b], end[0][0])
        assert_close(ys[b, 0], final[b])


@pytest.mark.parametrize("name", ["gru_after", "lstm"])
@pytest.mark.parametrize("learned", [True, False])
def test_a_segment_begins_in_the_cells_initial_carry(name: str, learned: bool) -> None:
    # Segments of 0 1 | 2 to 7: the one processed first has the argument, the other never.
    params, xs, carry = arguments(name)
    if not learned:
        params |= {state: np.zeros(H) for state in VARIANTS[name].states}
    streams = EVERY_STEP | {"resets": np.tile(booleans("00100000"), (B, 1))}
    for reverse in (False, True):
        first, second = (slice(2, T), slice(0, 2)) if reverse else (slice(0, 2), slice(2, T))
        final, ys = compiled(name, reverse)(params, xs, pack(carry), streams)
        _, expected_first, _ = sequence(name, params, xs[:, first], initial_carry=carry, reverse=reverse)
        end, expected_second, _ = sequence(name, params, xs[:, second], reverse=reverse)
        assert_close((ys[:, first], ys[:, second]), (expected_first, expected_second))
        assert_close(final, end)


def test_a_reset_at_an_unreal_step_holds_for_the_steps_after_it() -> None:
    params, xs, carry = arguments("gru_after")
    (first,) = first_carry("gru_after", params)
    holes, starts = np.tile(booleans("11000111"), (B, 1)), np.tile(booleans("00100000"), (B, 1))
    for reverse, after in ((False, slice(5, T)), (True, slice(0, 2))):
        streams = EVERY_STEP | {"mask": holes, "resets": starts}
        _, ys = compiled("gru_after", reverse)(params, xs, pack(carry), streams)
        _, expected, _ = sequence("gru_after", params, xs[:, after], reverse=reverse)
        assert_close(ys[:, after], expected)
    # In the padding too: the row ends in the initial carry.
    streams = EVERY_STEP | {"lengths": np.full(B, 3, np.int32), "resets": np.tile(booleans("00001000"), (B, 1))}
    final, _ = compiled("gru_after")(params, xs, pack(carry), streams)
    assert_same_bits(final, np.broadcast_to(first, (B, H)))


@pytest.mark.parametrize(
    ("batch", "time"), [((), T), ((2, 3), T), ((1,), 1)], ids=["no axis", "two axes", "one row, one step"]
)
def test_any_batch_axes_one_row_and_one_step(batch: tuple[int, ...], time: int) -> None:
    params, xs = parameters("gru_after", I, H), inputs(*batch, time, I)
    carry = random_carry("gru_after", batch, H)
    rng = np.random.default_rng(7)
    streams = {
        "lengths": rng.integers(1, time + 1, batch),
        "mask": rng.random((*batch, time)) < 0.7,
        "resets": rng.random((*batch, time)) < 0.4,
    }
    flat = jax.tree.map(lambda a: np.asarray(a).reshape(-1, *np.shape(a)[len(batch) :]), (xs, carry, streams))
    final, ys = gr.unroll(make("gru_after"), params, xs, initial_carry=pack(carry), **streams)
    assert final.shape == (*batch, H)
    assert ys.shape == (*batch, time, H)
    expected = sequence("gru_after", params, flat[0], initial_carry=flat[1], **flat[2])
    assert_close((final.reshape(-1, H), ys.reshape(-1, time, H)), (expected[0][0], expected[1]))


def test_no_steps_at_all_give_the_initial_carry() -> None:
    params, _, carry = arguments("lstm")
    final, ys = compiled("lstm")(params, np.zeros((B, 0, I)), carry, {"lengths": np.zeros(B, np.int32)})
    assert_same_bits(final, carry)
    assert ys.shape == (B, 0, H)


@pytest.mark.parametrize(("name", "reverse"), [("lstm", False), ("gru_after", True)])
def test_chunks_with_the_carry_handed_on_are_one_sequence(name: str, reverse: bool) -> None:
    params, xs, carry = arguments(name)
    # A segment starts with the second chunk forward; in reverse that reset would happen between two calls.
    starts = booleans("01000010", "00100100", "00000100") if reverse else booleans("01001010", "00101000", "00000100")
    streams = EVERY_STEP | {"mask": HOLES, "resets": starts}
    run = compiled(name, reverse)
    expected_final, expected_ys = run(params, xs, pack(carry), streams)
    halves = []
    state = pack(carry)
    for half in (slice(4, 8), slice(0, 4)) if reverse else (slice(0, 4), slice(4, 8)):
        part = {key: value[:, half] for key, value in streams.items() if key != "lengths"}
        state, ys = run(params, xs[:, half], state, part)
        halves.append(ys)
    assert_close(np.concatenate(halves[::-1] if reverse else halves, 1), expected_ys)
    assert_close(state, expected_final)


@pytest.mark.parametrize("name", ["gru_after", "lstm"])
def test_steps_in_a_python_loop_without_jit_are_unroll(name: str) -> None:
    params, xs, _ = arguments(name)
    cell = make(name, learn_initial_carry=True)
    carry, outputs = cell.initial_carry(params, (B,)), []
    for t in range(T):
        carry, y = cell.step(params, carry, xs[:, t])
        outputs.append(y)
    assert_close(compiled(name)(params, xs, None, {}), (carry, np.stack(outputs, 1)))


# Gates


@pytest.mark.parametrize("name", VARIANTS)
def test_traced_gates_are_the_oracles_and_0_at_unreal_steps(name: str) -> None:
    params, xs, carry = arguments(name)
    run = compiled(name, traced=True)
    for scenario in SCENARIOS:
        streams = EVERY_STEP | SCENARIOS[scenario]
        final, ys, gates = run(params, xs, pack(carry), streams)
        expected = sequence(name, params, xs, initial_carry=carry, **streams)
        assert set(gates) == set(VARIANTS[name].gates)
        assert_close((final, ys, gates), expected)
        for gate in gates.values():
            assert gate.shape == (B, T, H)
            assert (np.asarray(gate)[~real_steps(scenario)] == 0).all()


@pytest.mark.parametrize("name", VARIANTS)
def test_traced_gates_recombine_to_the_outputs(name: str) -> None:
    params, xs, carry = arguments(name)
    cell, state = make(name), pack(carry)
    final, ys, gates = compiled(name, traced=True)(params, xs, state, EVERY_STEP)
    for t in range(T):
        state, y = cell.combine(state, {gate: value[:, t] for gate, value in gates.items()})
        assert_close(y, ys[:, t])
    assert_close(state, final)


def test_trace_takes_the_arguments_of_unroll() -> None:
    params, xs, carry = arguments("gru_after")
    options = gr.UnrollOptions(outputs="none", checkpoint=4, time_major=True)
    streams = {key: np.swapaxes(value, 0, 1) for key, value in SCENARIOS["all"].items() if key != "lengths"}
    run = compiled("gru_after", True, options, traced=True)
    final, ys, gates = run(params, np.swapaxes(xs, 0, 1), pack(carry), streams | {"lengths": LENGTHS})
    expected = sequence("gru_after", params, xs, initial_carry=carry, reverse=True, **SCENARIOS["all"])
    assert ys is None
    assert_close(final, expected[0])
    assert_close({gate: np.swapaxes(value, 0, 1) for gate, value in gates.items()}, expected[2])


# Gradients


def finite_differences(name: str, direction: Any, base: Any, step: float = 1e-5, **streams: Any) -> float:
    """Returns the derivative of the oracle's loss along `direction`, by fourth-order central differences.

    With layer normalisation, second-order differences are off by 1e-6.
    """

    def value(sign: float) -> float:
        params, xs, carry = jax.tree.map(lambda a, d: a + sign * step * d, base, direction)
        return float(loss(*sequence(name, params, xs, initial_carry=carry, **streams)[:2]))

    return (8 * (value(1) - value(-1)) - (value(2) - value(-2))) / (12 * step)


def assert_gradients(name: str, grads: Any, base: Any, **streams: Any) -> None:
    """Compares each array's gradient with finite differences along one random direction."""
    rng = np.random.default_rng(11)
    leaves, tree = jax.tree.flatten(base)
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(base)]
    for i, (path, grad) in enumerate(zip(paths, jax.tree.leaves(grads), strict=True)):
        direction = [np.zeros_like(leaf) for leaf in leaves]
        direction[i] = rng.normal(size=leaves[i].shape)
        numeric = finite_differences(name, jax.tree.unflatten(tree, direction), base, **streams)
        np.testing.assert_allclose((grad * direction[i]).sum(), numeric, rtol=1e-8, atol=1e-8, err_msg=path)


@pytest.mark.parametrize(
    ("name", "reverse", "checkpoint"),
    [
        *((name, False, 0) for name in VARIANTS),
        ("gru_after", True, 3),
        ("gru_after", False, 4),
    ],
)
def test_gradients_are_finite_differences_of_the_oracle(name: str, reverse: bool, checkpoint: int) -> None:
    base = arguments(name)
    run = gradients(name, reverse, gr.UnrollOptions(checkpoint=checkpoint))
    for scenario in ("none", "all"):
        streams = EVERY_STEP | SCENARIOS[scenario]
        (value, results), (by_params, by_xs, by_carry) = run(*base[:2], pack(base[2]), streams)
        expected = sequence(name, *base[:2], initial_carry=base[2], reverse=reverse, **streams)
        assert_close(results, expected[:2])
        np.testing.assert_allclose(value, loss(*expected[:2]), rtol=1e-12)
        grads = (by_params, by_xs, tuple(jax.tree.leaves(by_carry)))
        assert_gradients(name, grads, base, reverse=reverse, **streams)
        assert (np.asarray(by_xs)[~real_steps(scenario)] == 0).all()
        # The learned carry is used where a segment starts, and there alone.
        learned = [np.abs(by_params[state]).max() for state in VARIANTS[name].states]
        assert all(size > 1e-3 for size in learned) if scenario == "all" else max(learned) == 0


@pytest.mark.parametrize(
    ("name", "reverse", "checkpoint"),
    [
        *((name, False, 0) for name in VARIANTS),
        ("gru_after", True, 3),
        ("gru_after", False, 4),
    ],
)
def test_what_stands_in_the_padding_changes_no_bit_of_outputs_and_gradients(
    name: str, reverse: bool, checkpoint: int
) -> None:
    params, xs, carry = arguments(name)
    run = gradients(name, reverse, gr.UnrollOptions(checkpoint=checkpoint))
    for scenario in ("both", "all"):
        unreal = ~real_steps(scenario)[..., None]
        streams = EVERY_STEP | SCENARIOS[scenario]
        clean = run(params, np.where(unreal, 0.0, xs), pack(carry), streams)
        assert all(np.isfinite(a).all() for a in jax.tree.leaves(clean))
        for filling in (np.nan, np.inf, -np.inf, 1e300):
            assert_same_bits(run(params, np.where(unreal, filling, xs), pack(carry), streams), clean)


def test_gradients_without_streams_and_second_derivatives() -> None:
    # By params, xs and the learned carry, which nothing but the missing argument brings in.
    params, xs, _ = arguments("gru_after")
    rng = np.random.default_rng(12)
    direction = jax.tree.map(lambda a: rng.normal(size=a.shape), (params, xs))
    run = compiled("gru_after")

    def value(p: Any) -> Any:
        return loss(*run(*p, None, {}))

    @jax.jit
    def derivatives(p: Any, d: Any) -> Any:
        (first, grads), (slope, curvature) = jax.jvp(jax.value_and_grad(value), (p,), (d,))
        return first, grads, slope, curvature

    base = (params, xs)
    _, grads, slope, curvature = derivatives(base, direction)

    def along(sign: float, step: float) -> Any:
        return jax.tree.map(lambda a, d: a + sign * step * d, base, direction)

    def oracle(sign: float) -> float:
        return float(loss(*sequence("gru_after", *along(sign, 1e-5))[:2]))

    inner = sum(float((g * d).sum()) for g, d in zip(jax.tree.leaves(grads), jax.tree.leaves(direction), strict=True))
    np.testing.assert_allclose(inner, (oracle(1) - oracle(-1)) / 2e-5, rtol=1e-7)
    np.testing.assert_allclose(slope, inner, rtol=1e-12)
    above, below = (derivatives(along(sign, 1e-5), direction)[1] for sign in (1, -1))
    assert_close(curvature, jax.tree.map(lambda a, b: (a - b) / 2e-5, above, below), 2e-7)
    assert all(np.abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(curvature))


# Options: how it runs, not what it computes


# Gradients are checked above, with chunks of 3 and of 4 steps.
@pytest.mark.parametrize(("reverse", "checkpoint"), [(False, 3), (True, 4), (False, 1), (False, 12)])
def test_checkpointing_changes_no_result_whether_or_not_it_divides_the_steps(reverse: bool, checkpoint: int) -> None:
    params, xs, carry = arguments("gru_after")
    streams = EVERY_STEP | SCENARIOS["all"]
    run = compiled("gru_after", reverse, gr.UnrollOptions(checkpoint=checkpoint))
    expected = compiled("gru_after", reverse)(params, xs, pack(carry), streams)
    assert_close(run(params, xs, pack(carry), streams), expected)


def test_checkpointing_keeps_less_for_the_gradient() -> None:
    cell = make("gru_after")
    params, xs = parameters("gru_after", I, H), inputs(1, 65, I)

    def kept(options: gr.UnrollOptions) -> int:
        _, pullback = jax.eval_shape(lambda p: jax.vjp(lambda p: gr.unroll(cell, p, xs, options=options)[0], p), params)
        return sum(leaf.size for leaf in jax.tree.leaves(pullback))

    assert kept(gr.UnrollOptions(checkpoint=8, outputs="none")) < 0.5 * kept(gr.UnrollOptions(outputs="none"))


@pytest.mark.parametrize(
    ("name", "input_size", "options"),
    [
        ("gru_after", 1, gr.UnrollOptions()),
        ("gru_after", 2, gr.UnrollOptions(hoist=True)),
        ("gru_after", 4, gr.UnrollOptions(hoist=False)),
        ("gru_after", 4, gr.UnrollOptions(hoist=True, unroll=3, backend="autodiff")),
    ],
)
def test_hoisting_and_unrolling_change_no_result(name: str, input_size: int, options: gr.UnrollOptions) -> None:
    params, xs = parameters(name, input_size, H), inputs(B, T, input_size)
    expected = sequence(name, params, xs, lengths=LENGTHS)
    assert_close(gr.unroll(make(name), params, xs, lengths=LENGTHS, options=options), expected[:2])


def scans(jaxpr: Any) -> list[Any]:
    """Returns the `lax.scan`s in a jaxpr, nested ones included."""
    found = []
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            found.append(equation)
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda a: hasattr(a, "eqns")):
            found += scans(getattr(inner, "jaxpr", inner)) if hasattr(getattr(inner, "jaxpr", inner), "eqns") else []
    return found


def test_without_outputs_the_carry_is_the_same_and_nothing_is_stored() -> None:
    params, xs, carry = arguments("lstm")
    streams = EVERY_STEP | SCENARIOS["all"]
    run = compiled("lstm", options=gr.UnrollOptions(outputs="none"))
    final, ys = run(params, xs, carry, streams)
    assert ys is None
    assert_close(final, compiled("lstm")(params, xs, carry, streams)[0])
    for function, stored in ((run, 0), (compiled("lstm"), 1)):
        (scan,) = scans(jax.make_jaxpr(function)(params, xs, carry, streams).jaxpr)
        assert len(scan.outvars) == 2 + stored


@pytest.mark.parametrize("reverse", [False, True])
def test_time_major_is_the_same_with_time_in_front(reverse: bool) -> None:
    params, xs, carry = arguments("gru_after")
    streams = EVERY_STEP | SCENARIOS["all"]
    turned = {key: value if key == "lengths" else np.swapaxes(value, 0, 1) for key, value in streams.items()}
    run = compiled("gru_after", reverse, gr.UnrollOptions(time_major=True))
    final, ys = run(params, np.swapaxes(xs, 0, 1), pack(carry), turned)
    expected_final, expected_ys = compiled("gru_after", reverse)(params, xs, pack(carry), streams)
    assert_close((final, np.swapaxes(ys, 0, 1)), (expected_final, expected_ys))


def test_vmap_over_parameters_is_one_after_the_other() -> None:
    seeds = [parameters("gru_after", I, H, seed=seed, learned=True) for seed in (0, 1)]
    _, xs, carry = arguments("gru_after")
    streams = EVERY_STEP | SCENARIOS["all"]
    stacked = jax.tree.map(lambda *a: np.stack(a), *seeds)
    run = jax.vmap(compiled("gru_after"), in_axes=(0, None, None, None))
    final, ys = run(stacked, xs, pack(carry), streams)
    for i, params in enumerate(seeds):
        expected = sequence("gru_after", params, xs, initial_carry=carry, **streams)
        assert_close((final[i], ys[i]), expected[:2])


# Types


@pytest.mark.parametrize(
    ("options", "input_dtype", "output", "carry"),
    [
        ({"param_dtype": "float32"}, "float32", "float32", "float32"),
        ({"param_dtype": "bfloat16"}, "bfloat16", "bfloat16", "float32"),
        ({"param_dtype": "float16"}, "float16", "float16", "float32"),
        ({"param_dtype": "bfloat16"}, "float32", "float32", "float32"),
        ({"param_dtype": "float32"}, "bfloat16", "float32", "float32"),
        ({"param_dtype": "float32"}, "int32", "float32", "float32"),
        ({"param_dtype": "float64"}, "float32", "float64", "float64"),
        ({"param_dtype": "float32"}, "float64", "float64", "float32"),
        ({"param_dtype": "float32", "dtype": "bfloat16"}, "float32", "bfloat16", "float32"),
        ({"param_dtype": "float64", "dtype": "float32"}, "float64", "float32", "float32"),
        ({"param_dtype": "float32", "dtype": "bfloat16", "carry_dtype": "bfloat16"}, "float32", "bfloat16", "bfloat16"),
        ({"param_dtype": "float32", "carry_dtype": "float64"}, "float32", "float32", "float64"),
        ({"param_dtype": "float32", "dtype": "float64", "carry_dtype": "float32"}, "float32", "float64", "float32"),
    ],
)
def test_outputs_and_carry_have_their_types_in_step_and_unroll(
    options: dict[str, str], input_dtype: str, output: str, carry: str
) -> None:
    for kind in (gr.GRU, gr.LSTM, gr.VanillaRNN):
        cell = kind(H, **options)  # type: ignore[arg-type]

        def run(key: Any, xs: Any, cell: Any = cell) -> Any:
            params = cell.init(key, I)
            first = cell.initial_carry(params, (B,))
            return cell.step(params, first, xs[:, 0]), gr.unroll(cell, params, xs, initial_carry=first)

        for final, y in jax.eval_shape(run, jax.random.key(0), jax.ShapeDtypeStruct((B, T, I), input_dtype)):
            assert y.dtype == output
            assert {a.dtype for a in jax.tree.leaves(final)} == {jnp.dtype(carry)}


@pytest.mark.parametrize("carry_dtype", ["float32", "bfloat16"])
def test_in_bfloat16_step_and_unroll_stay_near_the_oracle_and_each_other(carry_dtype: str) -> None:
    # 8 bits: half a unit in the last place at 1 is 2^-8; rounding the parameters adds a few.
    params, xs, carry = arguments("gru_after")
    cell = make("gru_after", dtype="bfloat16", carry_dtype=carry_dtype, learn_initial_carry=True)
    final, ys = gr.unroll(cell, params, xs, initial_carry=pack(carry))
    expected = sequence("gru_after", params, xs, initial_carry=carry)
    np.testing.assert_allclose(np.asarray(ys, float), expected[1], atol=8 * 2**-8)
    state, step = pack(carry), jax.jit(cell.step)
    for t in range(T):
        state, y = step(params, state, xs[:, t])
        np.testing.assert_allclose(np.asarray(y, float), np.asarray(ys[:, t], float), atol=2 * 2**-8)
    assert state.dtype == final.dtype == carry_dtype


@pytest.mark.parametrize(("carry_dtype", "expected"), [(None, 0.98544085), ("bfloat16", 0.8359375)])
def test_a_slow_unit_moves_in_float32_and_stops_in_bfloat16(carry_dtype: str | None, expected: float) -> None:
    # h = z h + (1 - z) from h = .5 with z = .98828125, which is .99 in bfloat16: after 300 steps 1 - z^300 / 2.
    # In bfloat16 a step that is smaller than half a unit in the last place, 2^-9 at .84, changes nothing.
    z = float(jnp.bfloat16(0.99))
    assert abs(0.98544085 - (1 - z**300 / 2)) < 1e-7
    cell = gr.GRU(1, reset="none", dtype="bfloat16", carry_dtype=carry_dtype)
    params = {key: np.zeros((1, 1), np.float32) for key in ("W_z", "U_z", "W_n", "U_n")}
    params |= {"b_z": np.full(1, np.log(z / (1 - z)), np.float32), "b_n": np.full(1, 20, np.float32)}
    xs, half = jnp.zeros((1, 300, 1), "bfloat16"), np.full((1, 1), 0.5, np.float32)
    final, ys = gr.unroll(cell, params, xs, initial_carry=half)
    np.testing.assert_allclose(float(final[0, 0]), expected, rtol=1e-5)
    assert ys.dtype == jnp.bfloat16


def test_an_equal_cell_and_equal_options_compile_nothing_again() -> None:
    traces = []

    @functools.partial(jax.jit, static_argnums=(0, 1))
    def run(cell: Any, options: Any, params: Any, xs: Any) -> Any:
        traces.append(cell)
        return gr.unroll(cell, params, xs, options=options)

    data = (parameters("rnn_tanh", I, H), inputs(B, T, I))
    run(gr.VanillaRNN(H, kernel_init="glorot_uniform"), gr.UnrollOptions(), *data)
    run(gr.VanillaRNN(H, kernel_init=gr.GlorotUniform()), gr.UnrollOptions("auto", unroll=1), *data)
    assert len(traces) == 1
    run(gr.VanillaRNN(H), gr.UnrollOptions(outputs="none"), *data)
    assert len(traces) == 2


# Mistakes


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        pytest.param(
            {"backend": "cuda"},
            ("backend='cuda'", "auto", "autodiff"),
            marks=fault("cells and layers", "an unknown backend of unroll"),
        ),
        ({"outputs": "last"}, ("outputs='last'", "all", "none")),
        ({"unroll": 0}, ("unroll=0", "at least 1")),
        ({"unroll": 1.5}, ("unroll=1.5", "whole number")),
        ({"checkpoint": -1}, ("checkpoint=-1", "at least 0")),
        ({"checkpoint": "sqrt"}, ("checkpoint='sqrt'", "whole number")),
    ],
)
def test_a_wrong_option_is_named_with_its_value_and_the_choices(
    options: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=next(iter(options))) as caught:
        gr.UnrollOptions(**options)
    for part in parts:
        assert part in str(caught.value)
    seen(caught)


@pytest.mark.parametrize(
    ("name", "wrong", "parts"),
    [
        ("gru_after", {"xs": np.zeros(I)}, ("xs", "(4,)", "[..., T, I]")),
        pytest.param(
            "gru_after",
            {"xs": np.zeros((B, T, I + 1))},
            ("5", "4"),
            marks=fault("cells and layers", "an input of the wrong size"),
        ),
        ("gru_after", {"lengths": np.zeros((B, 1), int)}, ("lengths", "(3, 1)", "(3,)")),
        ("gru_after", {"lengths": np.zeros(B + 1, int)}, ("lengths", "(4,)", "(3,)")),
        ("gru_after", {"lengths": np.zeros(B)}, ("lengths", "float64", "whole numbers")),
        ("gru_after", {"lengths": np.zeros(B, bool)}, ("lengths", "bool", "whole numbers")),
        pytest.param(
            "gru_after",
            {"lengths": np.array([0, T + 1, 5])},
            ("lengths=9", "0 to 8"),
            marks=fault("cells and layers", "a length beyond the sequence"),
        ),
        ("gru_after", {"lengths": np.array([0, -2, 5])}, ("lengths=-2", "0 to 8")),
        pytest.param(
            "gru_after",
            {"mask": np.ones((B, T))},
            ("mask", "float64", "boolean"),
            marks=fault("cells and layers", "a mask that isn't boolean"),
        ),
        ("gru_after", {"mask": np.ones((B, T - 1), bool)}, ("mask", "shape (3, 7)", "(3, 8)")),
        ("gru_after", {"mask": np.ones(T, bool)}, ("mask", "shape (8,)", "(3, 8)")),
        ("gru_after", {"resets": np.ones((B, T), int)}, ("resets", "int64", "boolean")),
        pytest.param(
            "gru_after",
            {"resets": np.ones((T, B), bool)},
            ("resets", "shape (8, 3)", "(3, 8)"),
            marks=fault("cells and layers", "resets with time first"),
        ),
        ("gru_after", {"initial_carry": np.zeros((1, H))}, ("initial_carry", "(1, 5)", "(3, 5)")),
        ("gru_after", {"initial_carry": (np.zeros((B, H)),) * 2}, ("initial_carry", "(3, 5)")),
        pytest.param(
            "lstm",
            {"initial_carry": np.zeros((B, H))},
            ("initial_carry", "(3, 5)"),
            marks=fault("cells and layers", "a carry of another cell"),
        ),
    ],
)
def test_a_wrong_argument_is_named_with_its_value_and_what_it_must_be(
    name: str, wrong: dict[str, Any], parts: tuple[str, ...]
) -> None:
    given = {"xs": np.zeros((B, T, I))} | wrong
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        gr.unroll(make(name), parameters(name, I, H), given.pop("xs"), **given)
    for part in parts:
        assert part in str(caught.value)
    seen(caught)


@pytest.mark.parametrize("features", [1, 3])
def test_another_number_of_features_is_refused_for_small_kernels_too(features: int) -> None:
    with pytest.raises(ValueError, match=f"{features}.*2|2.*{features}"):
        gr.unroll(make("gru_after"), parameters("gru_after", 2, H), np.zeros((B, T, features)))


# Inside shard_map

SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, PartitionSpec as P
import gru_research as gr
from tests.oracles import parameters

I, H, B, T = 4, 5, 4, 6
mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))
assert mesh.size == 2
rng = np.random.default_rng(0)
data = rng.normal(size=(B, T, I)), np.array([0, 6, 4, 3]), rng.random((B, T)) < 0.3

def close(a, b):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), a, b)

def gradient_of(cell, **arguments):
    def loss(params, xs, lengths, resets):
        final, ys = gr.unroll(cell, params, xs, lengths=lengths, resets=resets, **arguments)
        return (ys**2).sum() + sum(jnp.sin(a).sum() for a in jax.tree.leaves(final)), (final, ys)
    return loss, jax.grad(loss, has_aux=True)

# The batch over devices: the gradient taken inside, where that of replicated parameters is summed, and of the whole.
cell = gr.VanillaRNN(H, learn_initial_carry=True, param_dtype="float64")
params, batch = parameters("rnn_tanh", I, H, learned=True), (P(), *[P("data")] * 3)
loss, run = gradient_of(cell, reverse=True, options=gr.UnrollOptions(checkpoint=3))
expected = jax.jit(run)(params, *data)
inside = jax.shard_map(run, mesh=mesh, in_specs=batch, out_specs=(P(), P("data")))
close(jax.jit(inside)(params, *data), expected)
whole = jax.shard_map(lambda *a: jax.lax.psum(loss(*a)[0], "data"), mesh=mesh, in_specs=batch, out_specs=P())
close(jax.jit(jax.grad(whole))(params, *data), expected[0])
_, in_chunks = gradient_of(cell, reverse=True, options=gr.UnrollOptions(chunk=4))
close(jax.jit(jax.shard_map(in_chunks, mesh=mesh, in_specs=batch, out_specs=(P(), P("data"))))(params, *data), expected)
alone, _ = gradient_of(cell, reverse=True, options=gr.UnrollOptions(chunk=4))  # without a gradient a loop of its own
outputs = jax.shard_map(lambda *a: alone(*a)[1], mesh=mesh, in_specs=batch, out_specs=P("data"))
close(jax.jit(outputs)(params, *data), expected[1])

# Seeds over devices, the data on all of them.
_, run = gradient_of(gr.LSTM(H, param_dtype="float64"))
seeds = [parameters("lstm", I, H, seed=s) for s in (0, 1)]
one = lambda params, *d: jax.tree.map(lambda a: a[None], run(jax.tree.map(lambda a: a[0], params), *d))
spread = jax.shard_map(one, mesh=mesh, in_specs=(P("data"), P(), P(), P()), out_specs=P("data"))
found = jax.jit(spread)(jax.tree.map(lambda *a: np.stack(a), *seeds), *data)
single = jax.jit(run)
close(found, jax.tree.map(lambda *a: np.stack(a), *(single(params, *data) for params in seeds)))
print("equal")
"""


def test_inside_shard_map_with_default_checks_results_and_gradients_are_the_same() -> None:
    # The number of devices is set before jax starts, so in a process of its own.
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([*sys.path, root])
    flags = "--xla_force_host_platform_device_count=2"
    environment = os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1", "XLA_FLAGS": flags}
    done = subprocess.run([sys.executable, "-c", SHARDED], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == "equal"

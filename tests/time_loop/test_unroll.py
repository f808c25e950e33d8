"""`unroll` and `trace` against loops in NumPy: outputs, carries and gates.

Tolerances: 1e-12 in float64 and 1e-5 in float32, on values of order 1. If two methods must do the same arithmetic, bits
are compared.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from tests.oracles import VARIANTS, first_carry, pack, parameters, random_carry, sequence
from tests.time_loop.unrolling import (
    EVERY_STEP,
    HOLES,
    LENGTHS,
    SCENARIOS,
    B,
    H,
    I,
    T,
    arguments,
    assert_close,
    assert_same_bits,
    booleans,
    compiled,
    inputs,
    make,
    real_steps,
)

pytestmark = pytest.mark.usefixtures("x64")


# Outputs and carries


# Forward, the gates of the other cells are traced below, and their gradients taken in test_unroll_gradients.py.
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

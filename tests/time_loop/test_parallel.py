"""backend="parallel", for cells whose gates don't depend on the state.

Results are compared with the oracle, gradients with automatic differentiation of the scan. test_unroll.py
checks the same cells under backend="auto". Tolerances: 1e-12 in float64, gradients 1e-11.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

import gru_research as gr
from gru_research.time_loop.parallel import linear_recurrence
from tests.oracles import VARIANTS, parameters, random_carry, sequence

I, H, B, T = 3, 4, 3, 7  # noqa: E741
NAMES = ("min_gru", "min_lstm")
# Row 0 has no real step. The others have masked steps, padding, and segments that also start at steps that aren't real.
STREAMS: dict[str, Any] = {
    "lengths": np.array([0, 7, 5]),
    "mask": np.array([[1, 1, 1, 1, 1, 1, 1], [1, 0, 1, 1, 0, 1, 1], [1, 1, 0, 1, 1, 1, 1]], bool),
    "resets": np.array([[0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 1, 0, 1], [0, 0, 1, 0, 0, 0, 1]], bool),
}
PARALLEL = gr.UnrollOptions(backend="parallel")

pytestmark = pytest.mark.usefixtures("x64")


def make(name: str, **options: Any) -> Any:
    return getattr(gr, VARIANTS[name].kind)(H, param_dtype="float64", **options)


def arguments(name: str) -> tuple[Any, Any, Any]:
    xs = np.random.default_rng(2).normal(size=(B, T, I))
    return parameters(name, I, H, learned=True), xs, random_carry(name, (B,), H)[0]


@functools.cache
def gradients(name: str, reverse: bool, options: gr.UnrollOptions) -> Any:
    """Returns a jitted function to (results, gradients by parameters, inputs and carry), with a learned carry."""
    cell = make(name, learn_initial_carry=True)
    weights = np.random.default_rng(5).normal(size=(B, T + 1, H))

    def loss(params: Any, xs: Any, carry: Any, streams: Any) -> Any:
        final, ys = gr.unroll(cell, params, xs, initial_carry=carry, reverse=reverse, options=options, **streams)
        return (weights[:, 0] * final).sum() + (weights[:, 1:] * jnp.sin(ys)).sum(), (final, ys)

    run = jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True)
    return jax.jit(lambda *a: (lambda value, grads: (value[1], grads))(*run(*a)))


def assert_close(actual: Any, expected: Any, tolerance: float = 1e-12) -> None:
    actual, expected = jax.tree.leaves(actual), jax.tree.leaves(expected)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "reverse", "checkpoint"),
    [("min_gru", False, 0), ("min_lstm", True, 0), ("min_gru", True, 3)],
)
def test_results_are_the_oracles_and_gradients_those_of_the_scan(name: str, reverse: bool, checkpoint: int) -> None:
    params, xs, carry = arguments(name)
    run = gradients(name, reverse, gr.UnrollOptions(backend="parallel", checkpoint=checkpoint))
    results, grads = run(params, xs, carry, STREAMS)
    expected = sequence(name, params, xs, initial_carry=(carry,), reverse=reverse, **STREAMS)
    assert_close(results, (expected[0][0], expected[1]))
    np.testing.assert_array_equal(results[0][0], carry[0])
    scan = gradients(name, reverse, gr.UnrollOptions(backend="autodiff"))(params, xs, carry, STREAMS)
    assert_close(grads, scan[1], 1e-11)
    assert all(np.abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(grads))
    # What stands at unreal steps changes no bit.
    unreal = ~((np.arange(T) < STREAMS["lengths"][:, None]) & STREAMS["mask"])[..., None]
    for filling in (np.nan, np.inf):
        filled = run(params, np.where(unreal, filling, xs), carry, STREAMS)
        jax.tree.map(np.testing.assert_array_equal, filled, (results, grads))
    assert (np.asarray(grads[1])[np.broadcast_to(unreal, xs.shape)] == 0).all()


@pytest.mark.parametrize("checkpoint", [0, 3])
def test_no_streams_or_resets_alone_and_no_initial_carry(checkpoint: int) -> None:
    params, xs, _ = arguments("min_gru")
    cell, options = make("min_gru", learn_initial_carry=True), gr.UnrollOptions("parallel", checkpoint=checkpoint)
    run = jax.jit(lambda xs, streams: gr.unroll(cell, params, xs, options=options, **streams))
    for streams in ({}, {"resets": STREAMS["resets"]}):
        expected = sequence("min_gru", params, xs, **streams)
        assert_close(run(xs, streams), (expected[0][0], expected[1]))


@pytest.mark.parametrize("backend", ["auto", "parallel"])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_no_step_one_step_and_any_batch_axes(shape: tuple[int, ...], backend: str) -> None:
    params, cell = parameters("min_lstm", I, H), make("min_lstm")
    options, carry = gr.UnrollOptions(backend=backend, time_major=True), random_carry("min_lstm", shape, H)[0]
    final, ys = gr.unroll(cell, params, np.zeros((0, *shape, I)), initial_carry=carry, options=options)
    np.testing.assert_array_equal(final, carry)
    assert ys is not None and ys.shape == (0, *shape, H) and ys.dtype == "float64"
    x = np.random.default_rng(3).normal(size=(1, *shape, I))
    run = jax.jit(
        lambda x: (gr.unroll(cell, params, x, initial_carry=carry, options=options), cell.step(params, carry, x[0]))
    )
    (final, ys), expected = run(x)
    assert_close((final, ys[0]), expected)


def primitives(jaxpr: Any) -> set[str]:
    """Returns the names of all primitives in a jaxpr and its inner jaxprs."""
    found = set()
    for equation in jaxpr.eqns:
        found.add(equation.primitive.name)
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda a: hasattr(a, "eqns")):
            inner = getattr(inner, "jaxpr", inner)
            found |= primitives(inner) if hasattr(inner, "eqns") else set()
    return found


def test_parallel_has_no_loop_and_without_outputs_gives_the_carry_alone() -> None:
    params, xs = parameters("min_gru", I, H), arguments("min_gru")[1]
    cell, options = make("min_gru"), gr.UnrollOptions(backend="parallel", outputs="none")
    loops = {"scan", "while"}
    assert not loops & primitives(jax.make_jaxpr(lambda xs: gr.unroll(cell, params, xs, options=PARALLEL))(xs).jaxpr)
    assert loops & primitives(jax.make_jaxpr(lambda xs: gr.unroll(cell, params, xs))(xs).jaxpr)
    expected = sequence("min_gru", params, xs, **STREAMS)
    for checkpoint in (0, 4):
        chunked = gr.UnrollOptions(backend="parallel", outputs="none", checkpoint=checkpoint)
        final, ys = jax.jit(lambda xs, o=chunked: gr.unroll(cell, params, xs, options=o, **STREAMS))(xs)
        assert ys is None
        assert_close(final, expected[0][0])
    final, ys, gates = jax.jit(lambda xs: gr.trace(cell, params, xs, options=options, **STREAMS))(xs)
    assert ys is None
    assert_close((final, gates), (expected[0][0], expected[2]))


def test_the_gradient_keeps_factors_and_states_and_with_chunks_less() -> None:
    a, b, h = np.full((64, H), 0.9), np.ones((64, H)), np.zeros(H)
    for anywhere in (False, True):
        run = functools.partial(linear_recurrence, anywhere=anywhere)
        _, pullback = jax.eval_shape(functools.partial(jax.vjp, run), a, b, h)
        assert sum(leaf.size for leaf in jax.tree.leaves(pullback)) <= 2 * a.size + 3 * h.size
    cell, params, xs = make("min_gru"), parameters("min_gru", I, H), np.zeros((1, 64, I))

    def kept(checkpoint: int) -> int:
        options = gr.UnrollOptions(backend="parallel", outputs="none", checkpoint=checkpoint)
        _, pullback = jax.eval_shape(lambda p: jax.vjp(lambda p: gr.unroll(cell, p, xs, options=options)[0], p), params)
        return sum(leaf.size for leaf in jax.tree.leaves(pullback))

    assert kept(8) < 0.5 * kept(0)


def recurrences(reverse: bool = False) -> tuple[Any, Any, Any]:
    """Returns losses of (a, b, before) by a loop, by `linear_recurrence` on a CPU, and by an associative scan."""

    def loop(a: Any, b: Any, before: Any) -> Any:
        h, states = before, []
        for t in reversed(range(len(a))) if reverse else range(len(a)):
            h = a[t] * h + b[t]
            states.append(h)
        return jnp.sin(jnp.stack(states)).sum() + (h**3).sum()

    def recurrence(a: Any, b: Any, before: Any, anywhere: bool) -> Any:
        states = linear_recurrence(a, b, before, reverse, anywhere)
        return jnp.sin(states).sum() + (states[0 if reverse else -1] ** 3).sum()

    return loop, *(functools.partial(recurrence, anywhere=anywhere) for anywhere in (False, True))


def factors() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(8)
    return rng.normal(size=(4, 2)), rng.normal(size=(4, 2)), rng.normal(size=2)


def test_derivatives_of_first_and_second_order_in_both_modes() -> None:
    data = factors()
    directions = tuple(np.flip(a, 0) for a in data)

    def derivatives(f: Any) -> Any:
        gradient = jax.grad(f, argnums=(0, 1, 2))
        twice = jax.grad(lambda *a: sum((g**2).sum() for g in gradient(*a)), argnums=(0, 1, 2))
        return jax.jit(lambda *a: (jax.jvp(gradient, a, directions), twice(*a)))(*data)

    # How the recurrence is solved is never differentiated, so one way stands for both.
    loop, _, associative = recurrences(reverse=True)
    assert_close(derivatives(associative), derivatives(loop), 1e-11)


def test_vmap_over_factors_alone_is_one_after_the_other() -> None:
    a, b, before = factors()
    many = np.stack([a, 0.5 * a, -a])
    for loss in recurrences()[1:]:
        run = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
        together = jax.jit(jax.vmap(run, in_axes=(0, None, None)))(many, b, before)
        for n, one in enumerate(many):
            assert_close(jax.tree.map(lambda x, n=n: x[n], together), run(one, b, before))


def test_inside_shard_map_with_default_checks() -> None:
    # Types of values that vary over a mesh axis are checked for an axis of one device as for many.
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,))
    cell, options = make("min_gru", learn_initial_carry=True), gr.UnrollOptions(backend="parallel", checkpoint=4)
    params, xs, _ = arguments("min_gru")

    def loss(params: Any, xs: Any, resets: Any, options: Any = options) -> Any:
        final, ys = gr.unroll(cell, params, xs, resets=resets, options=options)
        return (ys**2).sum() + jnp.sin(final).sum()

    inside = jax.shard_map(jax.grad(loss), mesh=mesh, in_specs=(P(), P("data"), P("data")), out_specs=P())
    expected = jax.jit(jax.grad(functools.partial(loss, options=gr.UnrollOptions("autodiff"))))(
        params, xs, STREAMS["resets"]
    )
    assert_close(jax.jit(inside)(params, xs, STREAMS["resets"]), expected, 1e-11)
    # Factors that are the same everywhere beside inputs that vary, the gradient taken outside.
    _, _, recurrence = recurrences()

    def summed(*data: Any) -> Any:
        return jax.lax.psum(recurrence(*data), "data")

    outside = jax.shard_map(summed, mesh=mesh, in_specs=(P(), P(None, "data"), P("data")), out_specs=P())
    expected = jax.jit(jax.grad(recurrence))(*factors())
    assert_close(jax.jit(jax.grad(outside))(*factors()), expected)


@pytest.mark.parametrize("backend", ["auto", "parallel"])
def test_a_long_memory_in_float32(backend: str) -> None:
    # z = .999 over 1000 steps: states that are sums of a thousand terms, none of them rounded away.
    time, z = 1000, 0.999
    cell = gr.MinGRU(1, param_dtype="float32")
    params = {
        "W_z": np.zeros((1, 1)),
        "b_z": np.full(1, np.log(z / (1 - z))),
        "W_n": np.ones((1, 1)),
        "b_n": np.ones(1),
    }
    xs = np.random.default_rng(0).normal(size=(1, time, 1))
    expected, h = [], 0.5
    for x in xs[0, :, 0]:
        h = z * h + (1 - z) * (x + 1)
        expected.append(h)
    narrow = jax.tree.map(lambda a: jnp.asarray(a, "float32"), (params, xs, np.full((1, 1), 0.5)))
    options = gr.UnrollOptions(backend=backend)
    _, ys = jax.jit(lambda params, xs, h: gr.unroll(cell, params, xs, initial_carry=h, options=options))(*narrow)
    assert ys.dtype == "float32"
    # 1 - z has a relative error of 2^-24 / .001, and so have all terms.
    np.testing.assert_allclose(ys[0, :, 0], expected, rtol=2e-4)


@pytest.mark.parametrize(
    ("options", "output", "carry"),
    [
        ({}, "float32", "float32"),
        ({"dtype": "bfloat16"}, "bfloat16", "float32"),
        ({"carry_dtype": "float64"}, "float32", "float64"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_types_are_those_of_the_scan(name: str, options: dict[str, str], output: str, carry: str) -> None:
    cell = getattr(gr, VARIANTS[name].kind)(H, **options)
    params, xs = cell.init(jax.random.key(0), I), jnp.ones((B, T, I), "float32")
    for backend in ("auto", "autodiff", "parallel"):
        final, ys = jax.eval_shape(
            lambda xs, backend=backend: gr.unroll(cell, params, xs, options=gr.UnrollOptions(backend=backend)), xs
        )
        assert (ys.dtype, final.dtype) == (output, carry)


@pytest.mark.parametrize("run", [gr.unroll, gr.trace])
def test_parallel_is_refused_where_gates_depend_on_the_state(run: Any) -> None:
    cell = gr.GRU(H, param_dtype="float64")
    with pytest.raises(ValueError, match="backend='parallel'") as caught:
        run(cell, parameters("gru_after", I, H), np.zeros((B, T, I)), options=PARALLEL)
    for part in (f"GRU(hidden_size={H}", "choose from auto, vjp, autodiff"):
        assert part in str(caught.value)


def test_stacks_run_each_layer_as_it_can() -> None:
    stack = gr.Stack((gr.MinGRU(H, param_dtype="float64"), gr.GRU(H, param_dtype="float64")))
    params = [parameters("min_gru", I, H), parameters("gru_after", H, H)]
    xs = arguments("min_gru")[1]
    _, expected, _ = sequence("gru_after", params[1], sequence("min_gru", params[0], xs)[1])
    assert_close(jax.jit(stack.apply)(params, xs)[1], expected)
    with pytest.raises(ValueError, match="backend='parallel'"):
        stack.apply(params, xs, options=PARALLEL)


# What a reset ends, and long sequences


def with_nan(cell: Any, options: gr.UnrollOptions, reverse: bool, bad: float) -> Any:
    """Returns outputs, final carry, and gradients by inputs and parameters. The loss skips the ended segments' outputs.

    Row 0 has `bad` in an input of a segment that a reset ends, row 1 in the carry before a reset at its first step.
    """
    rng = np.random.default_rng(1)
    xs, carry = rng.normal(size=(B, T, I)), jax.tree.map(lambda a: rng.normal(size=a.shape), first_carry(cell))
    at, resets, counts = (5 if reverse else 1), np.zeros((B, T), bool), np.ones((B, T, 1))
    xs[0, at, 0] = bad
    resets[0, [3, 4]] = True  # segments 0 to 2, 3, 4 to 6
    counts[0, 4:] = 0 if reverse else 1
    counts[0, :3] = 1 if reverse else 0
    if not reverse:  # a carry before a reset: in reverse a reset acts on leaving a step
        carry = jax.tree.map(lambda a: np.concatenate([a[:1], np.full_like(a[1:2], bad), a[2:]]), carry)
        resets[1, 0] = True
    params = cell.init(jax.random.key(0), I)

    def loss(params: Any, xs: Any) -> Any:
        results: Any = gr.unroll(cell, params, xs, initial_carry=carry, resets=resets, reverse=reverse, options=options)
        ys = jnp.where(counts > 0, results[1], 0)
        return (ys**2).sum() + sum((a**2).sum() for a in jax.tree.leaves(results[0])), results

    (_, (final, ys)), grads = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))(params, xs)
    return np.asarray(ys), final, grads, counts > 0


def first_carry(cell: Any) -> Any:
    return cell.initial_carry(cell.init(jax.random.key(0), I), (B,))


CELLS = [
    (gr.MinGRU, {"backend": "parallel"}),
    (gr.MinLSTM, {"backend": "parallel"}),
    (gr.MinGRU, {"backend": "parallel", "checkpoint": 3}),
    (gr.MinLSTM, {}),
    (gr.MinGRU, {"backend": "autodiff"}),
    (gr.GRU, {}),
    (gr.GRU, {"chunk": 3, "save": "carry"}),
    (gr.LSTM, {}),
    (gr.VanillaRNN, {}),
    (gr.LSTM, {"backend": "autodiff"}),
    (gr.MGU, {}),
]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("kind", "options"), CELLS)
def test_nothing_of_a_segment_passes_the_reset_that_ends_it(kind: Any, options: Any, reverse: bool) -> None:
    cell = kind(H, param_dtype="float64", learn_initial_carry=True)
    clean = with_nan(cell, gr.UnrollOptions(backend="autodiff"), reverse, 0.5)
    for bad in (np.nan, np.inf):
        ys, final, (d_params, d_xs), counts = with_nan(cell, gr.UnrollOptions(**options), reverse, bad)
        here = np.broadcast_to(counts, ys.shape)
        np.testing.assert_allclose(ys[here], clean[0][here], rtol=1e-12, atol=1e-12)
        assert_close(final, clean[1])
        # By inputs: other segments and other rows as if nothing were there.
        there = np.broadcast_to(counts, d_xs.shape)
        np.testing.assert_allclose(np.asarray(d_xs)[there], np.asarray(clean[2][1])[there], rtol=1e-11, atol=1e-12)
        if np.isnan(bad):
            # By parameters: NaN, though the loss is finite, as the step is real (docs/reference/time.md).
            assert all(np.isnan(a).any() for name, a in d_params.items() if name.startswith("W_"))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cut", [False, True])
def test_joined_steps_are_the_plain_loop(cut: bool, reverse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gru_research.time_loop.parallel.LEVELS", 2)
    rng = np.random.default_rng(3)
    for time in (1, 2, 3, 4, 5, 11, 12):
        a, b, before = rng.normal(size=(time, 2, 3)), rng.normal(size=(time, 2, 3)), rng.normal(size=(2, 3))
        cuts: Any = rng.random((time, 2, 1)) < 0.3 if cut else None

        def loop(a: Any, b: Any, before: Any, cuts: Any = cuts) -> Any:
            h: Any = before
            states: list[Any] = [None] * len(a)
            for t in reversed(range(len(a))) if reverse else range(len(a)):
                h = a[t] * h + b[t] if cuts is None else jnp.where(cuts[t], b[t], a[t] * h + b[t])
                states[t] = h
            return jnp.stack(states)

        ways = (loop, functools.partial(linear_recurrence, reverse=reverse, cut_T=cuts))
        results = [
            jax.jit(jax.value_and_grad(lambda *at, f=f: (lambda h: (jnp.sin(h).sum(), h))(f(*at)), (0, 1, 2), True))(
                a, b, before
            )
            for f in ways
        ]
        assert_close(results[1], results[0], 1e-11)


def test_a_program_does_not_grow_with_the_number_of_steps() -> None:
    cell, params = make("min_gru"), parameters("min_gru", I, H)

    def size(time: int) -> int:
        gradient = jax.grad(lambda p, xs: gr.unroll(cell, p, xs, options=PARALLEL)[1].sum())  # type: ignore[union-attr]
        return len(jax.jit(gradient).lower(params, jnp.zeros((1, time, I))).as_text())

    assert size(100_000) < 1.02 * size(1_000)  # the same but for the numbers in it

"""Our NNX modules beside Flax's: parameters, numbers, transforms, metadata, and what only ours have."""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import gru_research as gr
from gru_research.adapters import linen as our_linen
from gru_research.adapters import nnx as ours
from tests.adapters.scenarios import (
    LENGTHS,
    SCENARIOS,
    B,
    H,
    I,
    T,
    assert_close,
    assert_same_numbers,
    draw,
    options,
    perturbed,
)

CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "gru": ("GRUCell", {}),
    "gru_relu": ("GRUCell", {"activation_fn": nnx.relu, "gate_fn": nnx.hard_sigmoid}),
    "lstm": ("LSTMCell", {}),
    "optimized_lstm": ("OptimizedLSTMCell", {}),
    "simple": ("SimpleCell", {}),
    "residual": ("SimpleCell", {"residual": True, "activation_fn": nnx.gelu}),
}
LSTMS = ("lstm", "optimized_lstm")


def make(library: Any, name: str, seed: int = 0, **more: Any) -> Any:
    kind, fixed = CELLS[name]
    return getattr(library, kind)(I, H, rngs=nnx.Rngs(seed), **{**fixed, **more})


def first_carry(name: str) -> Any:
    return (draw(B, H, seed=4), draw(B, H, seed=5)) if name in LSTMS else draw(B, H, seed=4)


def runner(rnn: Any, scenario: str) -> Callable[..., Any]:
    graph, _, rest = nnx.split(rnn, nnx.Param, ...)

    def run(params: Any, xs: Any, carry: Any) -> Any:
        module = nnx.merge(graph, params, rest, copy=True)
        initial = carry if SCENARIOS[scenario].get("carry") else None
        return module(xs, initial_carry=initial, return_carry=True, **options(scenario))

    return run


# Gradients once a cell, under all options at once; the other options by their outputs: compilation is what costs.
@pytest.mark.parametrize(
    ("name", "scenario"),
    [*((name, "everything") for name in CELLS), *(("gru", s) for s in SCENARIOS if s != "everything")],
)
def test_numbers_are_flaxs(name: str, scenario: str) -> None:
    unroll = SCENARIOS[scenario].get("unroll", 1)
    theirs, mine = (lib.RNN(make(lib, name), unroll=unroll) for lib in (nnx, ours))
    params = perturbed(nnx.state(theirs, nnx.Param))
    runs = runner(theirs, scenario), runner(mine, scenario)
    assert_same_numbers(scenario, *runs, params, first_carry(name), gradients=scenario == "everything")


@pytest.mark.parametrize("name", CELLS)
def test_trees_and_first_values_are_flaxs(name: str) -> None:
    theirs, mine = (lib.RNN(make(lib, name)) for lib in (nnx, ours))
    assert jax.tree.structure(nnx.state(mine)) == jax.tree.structure(nnx.state(theirs))
    assert jax.tree.map(jnp.shape, nnx.state(mine)) == jax.tree.map(jnp.shape, nnx.state(theirs))
    for (path, a), (_, b) in zip(nnx.to_flat_state(nnx.state(mine)), nnx.to_flat_state(nnx.state(theirs)), strict=True):
        if path[-2:] == ("dense_h", "kernel") and a.shape[0] != a.shape[1]:
            continue  # drawn gate by gate here
        assert a.dtype == b.dtype
        assert (a[...] == b[...]).all(), path
    used, used_by_flax = nnx.Rngs(0), nnx.Rngs(0)
    kind, fixed = CELLS[name]
    getattr(ours, kind)(I, H, rngs=used, **fixed)
    getattr(nnx, kind)(I, H, rngs=used_by_flax, **fixed)
    assert used.default.count[...] == used_by_flax.default.count[...]  # modules made after it start as in Flax


@pytest.mark.parametrize("name", ["gru", "lstm", "residual"])
def test_one_step_is_flaxs(name: str) -> None:
    theirs, mine = (make(lib, name) for lib in (nnx, ours))
    nnx.update(mine, nnx.state(theirs))
    carry, x = first_carry(name), draw(B, I)
    assert_close(mine(carry, x), theirs(carry, x))
    assert_close(mine.initialize_carry((B, I)), theirs.initialize_carry((B, I), nnx.Rngs(0)))
    assert mine.num_feature_axes == theirs.num_feature_axes


def test_it_runs_in_flaxs_own_rnn_and_bidirectional() -> None:
    xs = draw(B, T, I)
    cell, other = make(ours, "gru"), make(ours, "lstm", seed=1)
    expected = ours.RNN(cell)(xs)
    assert_close(nnx.RNN(cell)(xs), expected)
    both = ours.Bidirectional(ours.RNN(cell), ours.RNN(other))
    assert ours.Bidirectional is nnx.Bidirectional
    (forward, backward), ys = both(xs, seq_lengths=LENGTHS, return_carry=True)
    carry, ahead = ours.RNN(cell)(xs, seq_lengths=LENGTHS, return_carry=True)
    carry_back, back = ours.RNN(other, reverse=True, keep_order=True)(xs, seq_lengths=LENGTHS, return_carry=True)
    assert_close((forward, backward, ys), (carry, carry_back, jnp.concatenate([ahead, back], -1)))


@pytest.mark.parametrize("scenario", ["reverse", "everything"])
def test_a_foreign_cell_gives_flaxs_numbers(scenario: str) -> None:
    theirs, mine = nnx.RNN(make(nnx, "lstm")), ours.RNN(make(nnx, "lstm"))
    params = perturbed(nnx.state(theirs, nnx.Param))
    runs = runner(theirs, scenario), runner(mine, scenario)
    assert_same_numbers(scenario, *runs, params, first_carry("lstm"), gradients=scenario == "everything")


class Noisy(ours.GRUCell):
    """A user's cell: inputs twice as large, and a counter that lives in the module."""

    def __init__(self, **more: Any) -> None:
        super().__init__(I, H, **more)
        self.steps = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def __call__(self, carry: Any, inputs: Any) -> Any:
        self.steps[...] += 1
        return super().__call__(carry, 2 * inputs)


def test_a_subclass_with_its_own_step_is_asked() -> None:
    cell, xs = Noisy(rngs=nnx.Rngs(0)), draw(B, T, I)
    carry, ys = ours.RNN(cell, return_carry=True)(xs, seq_lengths=LENGTHS)
    expected = ours.RNN(make(ours, "gru"), return_carry=True)(2 * xs, seq_lengths=LENGTHS)
    assert_close((carry, ys), expected)
    assert cell.steps[...] == T


class Counting(nnx.Module):
    """A foreign cell without Flax's base: its carry has a part that belongs to no row."""

    num_feature_axes = 1

    def initialize_carry(self, input_shape: tuple[int, ...], rngs: Any = None) -> Any:
        return jnp.zeros(input_shape), jnp.zeros((), jnp.int32)

    def __call__(self, carry: Any, x: Any) -> Any:
        total, steps = carry
        return (total + x, steps + 1), {"sum": total + x, "row": (total + x)[..., 0]}


def test_foreign_carries_and_outputs_may_be_trees() -> None:
    xs = draw(B, T, I)
    (total, steps), ys = ours.RNN(Counting(), return_carry=True)(xs, seq_lengths=LENGTHS)
    mask = np.arange(T) < LENGTHS[:, None]
    assert_close(total, (xs * mask[..., None]).sum(1))
    assert_close(ys["row"], xs.cumsum(1)[..., 0] * mask)
    assert steps == T


def test_parameters_that_vary_over_time_are_scanned() -> None:
    @nnx.split_rngs(splits=T)
    @nnx.vmap
    def stacked(rngs: nnx.Rngs) -> Any:
        return ours.GRUCell(I, H, rngs=rngs)

    rnn = ours.RNN(stacked(nnx.Rngs(0)), state_axes={...: 0})
    xs, carry = draw(B, T, I), jnp.zeros((B, H), jnp.float32)
    ys = rnn(xs, initial_carry=carry)
    for t in range(T):
        cell = make(ours, "gru")
        nnx.update(cell, jax.tree.map(lambda a, t=t: a[t], nnx.state(rnn.cell)))
        carry, y = cell(carry, xs[:, t])
        assert_close(ys[:, t], y)


# Transforms. The module is closed over: in Flax 0.12.8 that fails (test_defects.py).


def split(module: Any) -> Any:
    graph, params, rest = nnx.split(module, nnx.Param, ...)
    return params, lambda params: nnx.merge(graph, params, rest)


TRANSFORMS: dict[str, Callable[[Any, Any], Any]] = {
    "jit": lambda m, xs: jax.jit(lambda x: m(x))(xs),
    "nnx_jit": lambda m, xs: nnx.jit(lambda m, x: m(x))(m, xs),
    "vmap": lambda m, xs: jax.vmap(lambda x: m(x))(xs),
    "nnx_vmap": lambda m, xs: nnx.vmap(lambda m, x: m(x), in_axes=(None, 0))(m, xs),
    "checkpoint": lambda m, xs: jax.checkpoint(lambda x: m(x))(xs),
    "nnx_remat": lambda m, xs: nnx.remat(lambda m, x: m(x))(m, xs),
    "scan": lambda m, xs: jax.lax.scan(lambda c, x: (c, m(x)), 0, xs)[1],
    "map": lambda m, xs: jax.lax.map(lambda x: m(x), xs),
    "cond": lambda m, xs: jax.lax.cond(True, lambda: m(xs), lambda: jnp.zeros((B, T, H), jnp.float32)),
    "split_merge": lambda m, xs: jax.jit(lambda p, x: split(m)[1](p)(x))(split(m)[0], xs),
    "shard_map": lambda m, xs: jax.shard_map(
        lambda x: m(x),
        mesh=jax.make_mesh((1,), ("d",), axis_types=(jax.sharding.AxisType.Auto,)),
        in_specs=jax.P("d"),
        out_specs=jax.P("d"),
    )(xs),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_it_works_closed_over_and_under_transforms(transform: str) -> None:
    rnn, xs = ours.RNN(make(ours, "gru")), draw(B, T, I)
    before = jax.tree.map(jnp.copy, nnx.state(rnn, nnx.Param, nnx.RngCount))
    assert_close(TRANSFORMS[transform](rnn, xs), rnn(xs))
    jax.tree.map(np.testing.assert_array_equal, nnx.state(rnn, nnx.Param, nnx.RngCount), before)


def test_gradients_of_every_kind_agree() -> None:
    rnn, xs = ours.RNN(make(ours, "gru")), draw(B, T, I)
    params, merge = split(rnn)
    expected = jax.grad(lambda p: (merge(p)(xs) ** 2).sum())(params)
    assert_close(nnx.grad(lambda m: (m(xs) ** 2).sum())(rnn), expected)
    by_input = jax.jit(jax.grad(lambda x: (rnn(x) ** 2).sum()))(xs)
    remembered = jax.grad(jax.checkpoint(lambda x: (rnn(x) ** 2).sum()))(xs)
    assert_close(remembered, by_input)


def test_options_of_unroll_reach_it() -> None:
    xs = draw(B, T, I)
    cell = make(ours, "gru")
    expected, slope = jax.jvp(ours.RNN(cell, options=gr.UnrollOptions(backend="autodiff")), (xs,), (xs,))
    assert_close(ours.RNN(cell, options=gr.UnrollOptions(checkpoint=2))(xs), expected)
    rnn = ours.RNN(cell)
    assert_close(slope, (rnn(1.001 * xs) - rnn(0.999 * xs)) / 0.002, 2e-3)
    carry, ys = ours.RNN(cell, return_carry=True, options=gr.UnrollOptions(outputs="none"))(xs, reverse=True)
    assert ys is None
    assert_close(carry, ours.RNN(cell, return_carry=True)(xs, reverse=True)[0])


def test_ensembles_by_vmap() -> None:
    @nnx.vmap
    def members(key: Any) -> Any:
        return ours.RNN(ours.GRUCell(I, H, rngs=nnx.Rngs(key)), rngs=False)

    keys, xs = jax.random.split(jax.random.key(0), 2), draw(B, T, I)
    ys = nnx.vmap(lambda m, x: m(x), in_axes=(0, None))(members(keys), xs)
    for y, key in zip(ys, keys, strict=True):
        assert_close(y, ours.RNN(ours.GRUCell(I, H, rngs=nnx.Rngs(key)))(xs))


# Carries, types, metadata


def test_a_carry_that_is_drawn_moves_its_stream_as_in_flax() -> None:
    init, xs = nnx.initializers.normal(), draw(B, T, I)
    with warnings.catch_warnings(action="ignore"):  # Flax's, about carry_init
        theirs = nnx.RNN(make(nnx, "lstm", carry_init=init), rngs=nnx.Rngs(3))
    mine = ours.RNN(make(ours, "lstm", carry_init=init), rngs=nnx.Rngs(3))
    first, second = mine(xs), mine(xs)
    assert_close((first, second), (theirs(xs), theirs(xs)))
    assert (first != second).any()
    assert_close(mine(xs, rngs=nnx.Rngs(7)), theirs(xs, rngs=nnx.Rngs(7)))
    cell = make(ours, "gru")
    drawn = cell.initialize_carry((B, I), nnx.Rngs(2), init)
    assert_close(drawn, make(nnx, "gru").initialize_carry((B, I), nnx.Rngs(2), init))


def test_a_given_16_bit_carry_stays_one() -> None:
    cell = make(ours, "gru", param_dtype=jnp.bfloat16)
    carry, y = cell(jnp.zeros((B, H), jnp.bfloat16), jnp.ones((B, I), jnp.bfloat16))
    assert carry.dtype == y.dtype == jnp.bfloat16
    carry, y = cell(cell.initialize_carry((B, I)), jnp.ones((B, I), jnp.bfloat16))
    assert (carry.dtype, y.dtype) == (jnp.float32, jnp.bfloat16)


def test_promote_dtype_chooses_the_type() -> None:
    def to_half(arrays: Any, *, dtype: Any) -> Any:
        return tuple(None if a is None else a.astype(jnp.float16) for a in arrays)

    xs = draw(B, T, I)
    assert ours.RNN(make(ours, "lstm", promote_dtype=to_half))(xs).dtype == jnp.float16
    whole = ours.RNN(make(ours, "gru"))(np.ones((B, T, I), np.int32))
    assert_close(whole, ours.RNN(make(ours, "gru"))(np.ones((B, T, I), np.float32)))


@pytest.mark.parametrize("name", ["gru", "optimized_lstm"])
def test_sharding_metadata_stays_on_the_parameters(name: str) -> None:
    recurrent = nnx.with_partitioning(nnx.initializers.orthogonal(), ("rows", "gates"))
    more = {"kernel_metadata": {"out_sharding": ("in", "gates")}, "bias_metadata": {"out_sharding": ("gates",)}}
    with nnx.use_eager_sharding(False):  # no mesh here
        theirs, mine = (make(lib, name, recurrent_kernel_init=recurrent, **more) for lib in (nnx, ours))
    assert nnx.get_partition_spec(nnx.state(mine)) == nnx.get_partition_spec(nnx.state(theirs))
    assert mine.dense_h.kernel.get_metadata() == theirs.dense_h.kernel.get_metadata()
    xs = draw(B, T, I)
    nnx.update(mine, nnx.state(theirs))
    assert_close(ours.RNN(mine)(xs), nnx.RNN(theirs)(xs))


def test_a_user_initialiser_draws_each_gate() -> None:
    shapes = []

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        shapes.append(shape)
        return jnp.full(shape, len(shapes), dtype)

    cell = make(ours, "gru", recurrent_kernel_init=init)
    assert shapes == [(H, H)] * 3
    assert (cell.dense_h.kernel[...] == np.repeat([1.0, 2, 3], H)).all()


# What only ours have


def test_the_hidden_bias_is_linens() -> None:
    linen_cell, xs = our_linen.GRUCell(H), draw(B, T, I)
    tree = perturbed(linen_cell.init(jax.random.key(0), None, xs))["params"]
    cell = make(ours, "gru", hidden_bias=True)
    cell.bias_hn[...] = tree["hn"]["bias"]
    cell.dense_i.kernel[...] = jnp.concatenate([tree[g]["kernel"] for g in ("ir", "iz", "in")], -1)
    cell.dense_i.bias[...] = jnp.concatenate([tree[g]["bias"] for g in ("ir", "iz", "in")], -1)
    cell.dense_h.kernel[...] = jnp.concatenate([tree[g]["kernel"] for g in ("hr", "hz", "hn")], -1)
    expected = our_linen.RNN(linen_cell).apply({"params": {"cell": tree}}, xs)
    assert_close(ours.RNN(cell)(xs), expected)
    grads = nnx.grad(lambda m: ours.RNN(m)(xs).sum())(cell)
    assert (grads["bias_hn"][...] != 0).all()


def test_a_state_without_the_hidden_bias_loads() -> None:
    old, xs = ours.RNN(make(ours, "gru", seed=1)), draw(B, T, I)
    state = nnx.state(old, nnx.Param)
    updated = ours.RNN(make(ours, "gru", hidden_bias=True))
    nnx.update(updated, state)
    assert_close(updated(xs), old(xs))
    graph, _, rest = nnx.split(updated, nnx.Param, ...)
    for tree in (state, nnx.to_pure_dict(state)):
        complete = ours.with_hidden_bias(tree)
        assert ours.with_hidden_bias(complete).keys() == complete.keys()
        assert_close(nnx.merge(graph, nnx.State(complete), rest)(xs), old(xs))


@pytest.mark.parametrize("pure", [False, True])
def test_lstm_trees_turn_into_each_other(pure: bool) -> None:
    class Model(nnx.Module):
        def __init__(self, name: str) -> None:
            self.rnns = nnx.List([ours.RNN(make(ours, name, seed=2)), ours.RNN(make(ours, "gru"))])
            self.out = nnx.Linear(H, 1, rngs=nnx.Rngs(0))

    separate, fused, xs = Model("lstm"), Model("optimized_lstm"), draw(B, T, I)
    state: Any = nnx.state(separate, nnx.Param)
    if pure:
        state = nnx.to_pure_dict(state)
    as_fused = ours.fuse_lstm(state)
    graph, params, rest = nnx.split(fused, nnx.Param, ...)
    assert jax.tree.map(jnp.shape, nnx.to_pure_dict(nnx.State(as_fused))) == jax.tree.map(
        jnp.shape, nnx.to_pure_dict(params)
    )
    assert_close(nnx.merge(graph, nnx.State(as_fused), rest).rnns[0](xs), separate.rnns[0](xs))
    back = ours.split_lstm(as_fused)
    jax.tree.map(np.testing.assert_array_equal, dict(nnx.State(back)), dict(nnx.State(state)))


# Mistakes


@pytest.mark.parametrize(
    ("message", "attempt"),
    [
        ("inputs has the shape", lambda rnn: rnn(jnp.ones(I))),
        ("seq_lengths has the shape", lambda rnn: rnn(draw(B, T, I), seq_lengths=np.ones(B + 1, np.int32))),
        ("seq_lengths of type", lambda rnn: rnn(draw(B, T, I), seq_lengths=np.ones(B))),
        ("initial_carry has the shapes", lambda rnn: rnn(draw(B, T, I), initial_carry=jnp.ones((B, H + 1)))),
        ("carry has the shape", lambda rnn: rnn.cell(jnp.ones((B, H + 1)), draw(B, I))),
        ("its last axis must be 4", lambda rnn: rnn(draw(B, T, I + 1))),
        ("rngs='x' must be", lambda rnn: ours.RNN(rnn.cell, rngs="x")),  # type: ignore[arg-type]
        ("rngs=None: carry_init", lambda rnn: rnn.cell.initialize_carry((B, I), carry_init=nnx.initializers.normal())),
        (
            "apply to the cells of this module",
            lambda rnn: ours.RNN(make(nnx, "gru"), options=gr.UnrollOptions(checkpoint=2))(draw(B, T, I)),
        ),
    ],
)
def test_a_mistake_is_named(message: str, attempt: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match=message):
        attempt(ours.RNN(make(ours, "gru")))


def test_a_layer_put_in_place_of_a_linear_is_refused() -> None:
    cell = make(ours, "gru")
    cell.dense_i = nnx.LoRALinear(I, 3 * H, lora_rank=2, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="dense_i is a LoRALinear"):
        ours.RNN(cell)(draw(B, T, I))


def test_keep_rngs_warns_and_works() -> None:
    with pytest.warns(DeprecationWarning, match="keep_rngs"):
        cell = make(ours, "gru", keep_rngs=True)
    assert cell.rngs is not None
    assert cell.initialize_carry((B, I), carry_init=nnx.initializers.normal()).shape == (B, H)


def test_numpys_scalars_serve_as_numbers_and_flags() -> None:
    def make(whole: Any, flag: Any) -> Any:
        cell = ours.SimpleCell(whole(I), whole(H), rngs=nnx.Rngs(0), residual=flag(1))
        return ours.RNN(cell, unroll=whole(2), reverse=flag(1), keep_order=flag(1), time_major=flag(0))

    found, expected = make(np.int64, np.bool_), make(int, bool)
    assert nnx.split(found)[0] == nnx.split(expected)[0]
    assert_close(found(draw(B, T, I)), expected(draw(B, T, I)))


@pytest.mark.parametrize("kind", ["GRUCell", "MGUCell", "LSTMCell", "SimpleCell"])
def test_numpys_scalars_serve_in_linen(kind: str) -> None:
    def make(whole: Any, flag: Any) -> Any:
        cell = getattr(our_linen, kind)(whole(H), param_dtype=np.dtype("float32"))
        return our_linen.RNN(cell, unroll=whole(2), reverse=flag(1), keep_order=flag(1), return_carry=flag(1))

    found, expected = make(np.int32, np.bool_), make(int, bool)
    assert found == expected
    xs = draw(B, T, I)
    variables = expected.init(jax.random.key(0), xs)
    assert_close(found.apply(variables, xs, seq_lengths=LENGTHS), expected.apply(variables, xs, seq_lengths=LENGTHS))

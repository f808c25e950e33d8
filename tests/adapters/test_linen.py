"""Our linen modules beside Flax's: parameters, numbers, lifted transforms, metadata."""

from typing import Any

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

import gru_research as gr
from gru_research.adapters import linen as ours
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
    "lstm": ("LSTMCell", {}),
    "optimized_lstm": ("OptimizedLSTMCell", {"gate_fn": nn.hard_sigmoid, "activation_fn": nn.relu}),
    "simple": ("SimpleCell", {}),
    "residual": ("SimpleCell", {"residual": True}),
    "mgu": ("MGUCell", {}),
    "mgu_no_reset": ("MGUCell", {"reset_gate": False}),
}
KEY = jax.random.key(1)


def make(library: Any, name: str, **more: Any) -> Any:
    kind, fixed = CELLS[name]
    return getattr(library, kind)(H, **{**fixed, **more})


def first_carry(name: str) -> Any:
    return (draw(B, H, seed=4), draw(B, H, seed=5)) if "lstm" in name else draw(B, H, seed=4)


def runner(rnn: Any, scenario: str) -> Any:
    def run(params: Any, xs: Any, carry: Any) -> Any:
        initial = carry if SCENARIOS[scenario].get("carry") else None
        return rnn.apply(params, xs, initial_carry=initial, return_carry=True, **options(scenario))

    return run


@pytest.mark.parametrize(
    ("name", "scenario"), [*((name, "reverse_lengths") for name in CELLS), ("gru", "keep_order"), ("gru", "reverse")]
)
def test_numbers_are_flaxs(name: str, scenario: str) -> None:
    theirs, mine = (lib.RNN(make(lib, name)) for lib in (nn, ours))
    params = perturbed(jax.jit(theirs.init)(KEY, draw(B, T, I)))
    runs = runner(theirs, scenario), runner(mine, scenario)
    assert_same_numbers(scenario, *runs, params, first_carry(name), gradients=scenario == "reverse_lengths")


@pytest.mark.parametrize("name", CELLS)
def test_trees_and_first_values_are_flaxs(name: str) -> None:
    theirs, mine = (lib.RNN(make(lib, name)).init(KEY, draw(B, T, I)) for lib in (nn, ours))
    assert jax.tree.structure(mine) == jax.tree.structure(theirs)
    jax.tree.map(np.testing.assert_array_equal, mine, theirs)


def test_trees_of_a_model_that_makes_its_layers_in_place_are_flaxs() -> None:
    class Model(nn.Module):
        library: Any

        @nn.compact
        def __call__(self, xs: Any) -> Any:
            xs = self.library.RNN(self.library.GRUCell(H))(xs)
            forward, backward = (self.library.RNN(self.library.LSTMCell(H)) for _ in range(2))
            return nn.Dense(1)(self.library.Bidirectional(forward, backward)(xs, seq_lengths=LENGTHS))

    xs = draw(B, T, I)
    theirs, mine = (Model(lib).init(KEY, xs) for lib in (nn, ours))
    jax.tree.map(np.testing.assert_array_equal, mine, theirs)
    real = (np.arange(T) < LENGTHS[:, None])[..., None]
    assert_close(Model(ours).apply(mine, xs) * real, Model(nn).apply(mine, xs) * real)
    state = flax.serialization.from_bytes(mine, flax.serialization.to_bytes(theirs))
    jax.tree.map(np.testing.assert_array_equal, state, theirs)


@pytest.mark.parametrize("name", ["gru", "lstm", "residual"])
def test_one_step_is_flaxs(name: str) -> None:
    theirs, mine = (make(lib, name, carry_init=nn.initializers.normal()) for lib in (nn, ours))
    x = draw(B, I)
    carry = mine.initialize_carry(KEY, x.shape)
    assert_close(carry, theirs.initialize_carry(KEY, x.shape))
    params = perturbed(mine.init(KEY, carry, x))
    assert_close(mine.apply(params, carry, x), theirs.apply(params, carry, x))
    assert mine.num_feature_axes == theirs.num_feature_axes


def test_the_parameters_are_those_of_unroll() -> None:
    cell, xs = ours.GRUCell(H), draw(B, T, I)
    variables = cell.init(KEY, cell.initialize_carry(KEY, xs[:, 0].shape), xs[:, 0])
    params = cell.apply(variables, None, xs)
    expected = ours.RNN(cell).apply({"params": {"cell": variables["params"]}}, xs)
    assert_close(gr.unroll(cell.functional(), params, xs)[1], expected)


def test_a_carry_that_is_drawn_takes_init_key() -> None:
    theirs, mine = (lib.RNN(make(lib, "lstm", carry_init=nn.initializers.normal())) for lib in (nn, ours))
    params, xs = mine.init(KEY, draw(B, T, I)), draw(B, T, I)
    assert_close(mine.apply(params, xs), theirs.apply(params, xs))
    key = jax.random.key(9)
    assert_close(mine.apply(params, xs, init_key=key), theirs.apply(params, xs, init_key=key))


# Lifted transforms of cells, as Flax's users write them


def scanned(cell: type[nn.Module]) -> Any:
    return nn.scan(cell, variable_broadcast="params", split_rngs={"params": False}, in_axes=1, out_axes=1)(H)


def test_cells_under_linens_own_scan_remat_and_rnn() -> None:
    xs, carry = draw(B, T, I), draw(B, H, seed=4)
    mine = ours.RNN(ours.GRUCell(H), return_carry=True)
    params = mine.init(KEY, xs)
    expected = mine.apply(params, xs, initial_carry=carry)
    assert_close(scanned(ours.GRUCell).apply({"params": params["params"]["cell"]}, carry, xs), expected)
    jax.tree.map(
        np.testing.assert_array_equal,
        scanned(ours.GRUCell).init(KEY, carry, xs),
        scanned(nn.GRUCell).init(KEY, carry, xs),
    )
    assert_close(nn.RNN(ours.GRUCell(H), return_carry=True).apply(params, xs, initial_carry=carry), expected)
    remat = ours.RNN(nn.remat(ours.GRUCell)(H), return_carry=True)
    assert_close(remat.apply(params, xs, initial_carry=carry), expected)
    assert_close(nn.remat(ours.RNN)(ours.GRUCell(H)).apply(params, xs, initial_carry=carry), expected[1])


def test_ensembles_by_vmap_of_cell_and_of_rnn() -> None:
    lifted = {"in_axes": None, "axis_size": 2, "variable_axes": {"params": 0}, "split_rngs": {"params": True}}
    xs = draw(B, T, I)
    many = nn.vmap(ours.RNN, **lifted)(ours.LSTMCell(H))
    params = many.init(KEY, xs)
    theirs = nn.vmap(nn.RNN, **lifted)(nn.LSTMCell(H))
    jax.tree.map(np.testing.assert_array_equal, params, theirs.init(KEY, xs))
    ys = many.apply(params, xs)
    for k in range(2):
        one = jax.tree.map(lambda a, k=k: a[k], params)
        assert_close(ys[k], ours.RNN(ours.LSTMCell(H)).apply(one, xs))
    cells = nn.vmap(ours.LSTMCell, **(lifted | {"in_axes": (0, None)}))(H)
    carry = jax.tree.map(lambda a: jnp.stack([a, a]), first_carry("lstm"))
    one = jax.tree.map(lambda a: a[1], cells.init(KEY, carry, xs[:, 0]))
    _, y = ours.LSTMCell(H).apply(one, first_carry("lstm"), xs[:, 0])
    assert_close(cells.apply(cells.init(KEY, carry, xs[:, 0]), carry, xs[:, 0])[1][1], y)


def test_jit_vmap_grad_checkpoint() -> None:
    rnn, xs = ours.RNN(ours.GRUCell(H)), draw(B, T, I)
    params = rnn.init(KEY, xs)
    loss = lambda params, xs: (rnn.apply(params, xs) ** 2).sum()  # noqa: E731
    expected = jax.jit(jax.grad(loss))(params, xs)
    assert_close(jax.grad(jax.checkpoint(loss))(params, xs), expected)
    assert_close(jax.vmap(lambda x: rnn.apply(params, x))(xs), rnn.apply(params, xs))
    one_by_one = jax.vmap(jax.grad(loss), (None, 0))(params, xs)
    assert_close(jax.tree.map(lambda a: a.sum(0), one_by_one), expected, 2e-6)


def test_parameters_that_vary_over_time_are_scanned() -> None:
    varying = {"variable_axes": {"params": 0}, "variable_broadcast": False, "split_rngs": {"params": True}}
    theirs, mine = (lib.RNN(lib.GRUCell(H), **varying) for lib in (nn, ours))
    xs = draw(B, T, I)
    params = mine.init(KEY, xs)
    assert params["params"]["cell"]["hr"]["kernel"].shape == (T, H, H)
    assert_close(mine.apply(params, xs), theirs.apply(params, xs))
    with pytest.raises(ValueError, match="parameters broadcast"):
        ours.RNN(ours.GRUCell(H), **varying, options=gr.UnrollOptions(checkpoint=2)).init(KEY, xs)


# Foreign cells


class Doubled(ours.GRUCell):
    """A user's cell, with parameters of its own beside ours."""

    @nn.compact
    def __call__(self, carry: Any, inputs: Any) -> Any:
        return super().__call__(carry, nn.Dense(I)(inputs))


def test_a_subclass_with_its_own_compact_step_is_asked() -> None:
    class FlaxDoubled(nn.GRUCell):
        @nn.compact
        def __call__(self, carry: Any, inputs: Any) -> Any:
            return super().__call__(carry, nn.Dense(I)(inputs))

    xs = draw(B, T, I)
    theirs, mine = nn.RNN(FlaxDoubled(H)), ours.RNN(Doubled(H))
    params = mine.init(KEY, xs)
    assert jax.tree.structure(params) == jax.tree.structure(theirs.init(KEY, xs))
    assert_close(mine.apply(params, xs), theirs.apply(params, xs))


def test_a_convolutional_cell_runs_as_in_flax() -> None:
    xs = draw(2, 3, 4, 4, 2)
    theirs, mine = (lib.RNN(nn.ConvLSTMCell(3, (2, 2)), return_carry=True) for lib in (nn, ours))
    params = mine.init(KEY, xs)
    (carry, ys), (their_carry, their_ys) = (
        rnn.apply(params, xs, seq_lengths=np.array([3, 1])) for rnn in (mine, theirs)
    )
    assert_close(carry, their_carry)
    real = np.arange(3) < np.array([[3], [1]])
    assert_close(ys, their_ys * real[..., None, None, None].astype(np.float32))


# Metadata, types, mistakes


def test_sharding_metadata_stays_on_the_parameters() -> None:
    fields = {
        "kernel_init": nn.with_partitioning(nn.initializers.lecun_normal(), ("in", "hidden")),
        "recurrent_kernel_init": nn.with_partitioning(nn.initializers.orthogonal(), (None, "hidden")),
        "bias_init": nn.with_logical_partitioning(nn.initializers.zeros_init(), ("hidden",)),
    }
    xs = draw(B, T, I)
    theirs, mine = (lib.RNN(lib.LSTMCell(H, **fields)) for lib in (nn, ours))
    params = mine.init(KEY, xs)
    assert nn.get_partition_spec(params) == nn.get_partition_spec(theirs.init(KEY, xs))
    assert isinstance(params["params"]["cell"]["hi"]["kernel"], nn.Partitioned)
    assert_close(mine.apply(params, xs), theirs.apply(params, xs))


def test_intermediates_can_be_captured() -> None:
    rnn, xs = ours.RNN(ours.GRUCell(H)), draw(B, T, I)
    params = rnn.init(KEY, xs)
    ys, state = jax.jit(lambda p, x: rnn.apply(p, x, capture_intermediates=True))(params, xs)
    assert_close(state["intermediates"]["__call__"][0], ys)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("inputs has the shape", {"inputs": np.ones(I, np.float32)}),
        ("seq_lengths has the shape", {"seq_lengths": np.ones(B + 1, np.int32)}),
        ("seq_lengths of type", {"seq_lengths": np.ones(B)}),
        ("initial_carry has the shapes", {"initial_carry": np.ones((B, H + 1), np.float32)}),
    ],
)
def test_a_mistake_is_named(message: str, arguments: dict[str, Any]) -> None:
    rnn = ours.RNN(ours.GRUCell(H))
    params = rnn.init(KEY, draw(B, T, I))
    with pytest.raises(ValueError, match=message):
        rnn.apply(params, **({"inputs": draw(B, T, I)} | arguments))
    with pytest.raises(ValueError, match="carry has the shape"):
        ours.GRUCell(H).apply({"params": params["params"]["cell"]}, jnp.ones((B, H + 1)), draw(B, I))

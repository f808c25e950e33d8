"""The native engine against NumPy oracles, their finite differences, and the XLA path under JAX's transformations."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gru_research as gr
from tests.oracles import VARIANTS, pack, parameters, random_carry, sequence

pytestmark = [
    pytest.mark.usefixtures("native_engine"),
    pytest.mark.skipif(jax.default_backend() != "cpu", reason="the engine runs on CPUs"),
]

NAMES = ["gru_after", "gru_before", "gru_none", "lstm", "lstm_peepholes", "rnn_tanh", "rnn_relu"]
NATIVE, XLA = gr.UnrollOptions(backend="native"), gr.UnrollOptions(backend="vjp")


def cell_of(name: str, hidden: int, **options: Any) -> Any:
    return getattr(gr, VARIANTS[name].kind)(hidden, **VARIANTS[name].options, **options)


@st.composite
def problems(draw: Any) -> Any:
    """Draws problems with sizes at tile boundaries: 4, 8 and 16 units, 4, 8 and 12 rows, and very few rows."""
    name = draw(st.sampled_from(NAMES))
    rows = draw(st.sampled_from([1, 2, 3, 4, 8, 9, 13, 17]))
    steps, features = draw(st.integers(1, 9)), draw(st.sampled_from([1, 2, 7, 8, 17, 33]))
    hidden = draw(st.sampled_from([1, 3, 4, 5, 8, 9, 15, 16, 17, 24, 33]))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    streams: dict[str, Any] = {"reverse": draw(st.booleans())}
    if draw(st.booleans()):
        streams["lengths"] = rng.integers(0, steps + 1, rows)
    if draw(st.booleans()):
        streams["mask"] = rng.random((rows, steps)) < 0.7
    if draw(st.booleans()):
        streams["resets"] = rng.random((rows, steps)) < 0.3
    learned = draw(st.booleans())
    options = gr.UnrollOptions(
        backend="native",
        checkpoint=draw(st.sampled_from([0, 0, 3])),
        time_major=draw(st.booleans()),
        outputs=draw(st.sampled_from(["all", "all", "none"])),
    )
    params = parameters(name, features, hidden, seed=int(rng.integers(100)), learned=learned)
    params = {key: a.astype(np.float32).astype(float) for key, a in params.items()}
    xs = rng.normal(size=(rows, steps, features)).astype(np.float32).astype(float)
    given_carry = draw(st.booleans())
    carry = (
        tuple(a.astype(np.float32).astype(float) for a in random_carry(name, (rows,), hidden)) if given_carry else None
    )
    return name, cell_of(name, hidden, learn_initial_carry=learned), params, xs, carry, streams, options, rng


@settings(max_examples=40, deadline=None, derandomize=True)
@given(problems())
def test_any_sequence_and_its_gradient_are_the_oracles(problem: Any) -> None:
    """Values to 2e-5 in float32; gradients as the oracle's differences along a random direction in every argument."""
    name, cell, params, xs, carry, streams, options, rng = problem
    arguments = {"params": params, "xs": xs} | ({} if carry is None else {"carry": carry})
    first = sequence(name, params, xs, initial_carry=carry, **streams)[:2]
    weights = [rng.normal(size=a.shape) for a in jax.tree.leaves(first)]
    outputs = options.outputs == "all"

    def weighed(final: Any, ys: Any) -> Any:
        leaves = jax.tree.leaves((final, ys))
        return sum((jnp.sin(a) * w).sum() for a, w in zip(leaves, weights, strict=False))

    def ours(arguments: Any) -> Any:
        turned = {k: a.T if options.time_major and k in ("mask", "resets") else a for k, a in streams.items()}
        inputs = jnp.swapaxes(arguments["xs"], 0, 1) if options.time_major else arguments["xs"]
        start = pack(arguments["carry"]) if "carry" in arguments else None
        final, ys = gr.unroll(cell, arguments["params"], inputs, initial_carry=start, options=options, **turned)
        if ys is not None and options.time_major:
            ys = jnp.swapaxes(ys, 0, 1)
        return weighed(final, ys), (final, ys)

    def oracle(arguments: Any) -> float:
        start = arguments.get("carry")
        final, ys, _ = sequence(name, arguments["params"], arguments["xs"], initial_carry=start, **streams)
        leaves = [*final, *([ys] if outputs else [])]
        return float(sum((np.sin(a) * w).sum() for a, w in zip(leaves, weights, strict=False)))

    narrow = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), arguments)
    (_, (final, ys)), gradient = jax.jit(jax.value_and_grad(ours, has_aux=True))(narrow)
    expected = [*first[0], *([first[1]] if outputs else [])]
    for actual, wanted in zip(jax.tree.leaves((final, ys)), expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=2e-5, atol=2e-5)

    leaves, tree = jax.tree.flatten(arguments)
    for place, (leaf, d) in enumerate(zip(leaves, jax.tree.leaves(gradient), strict=True)):
        direction = rng.normal(size=leaf.shape)
        if name == "rnn_relu":
            direction *= 1e-3  # rarely over an edge
        size = 1e-5

        def moved(by: float, place: int = place, direction: Any = direction) -> float:
            changed = list(leaves)
            changed[place] = leaves[place] + by * direction
            return oracle(jax.tree.unflatten(tree, changed))

        slope = (moved(size) - moved(-size)) / (2 * size)
        scale = np.abs(np.asarray(d, float) * direction).sum() + 1e-3 * np.abs(direction).sum()
        assert abs(float((np.asarray(d, float) * direction).sum()) - slope) <= 1e-4 * scale


def close(a: Any, b: Any, tolerance: float = 1e-5) -> None:
    """Asserts that trees of arrays are equal within `tolerance` of each array's largest entry."""

    def check(x: Any, y: Any) -> None:
        np.testing.assert_allclose(x, y, rtol=0, atol=tolerance * max(1.0, float(np.abs(y).max(initial=0))))

    jax.tree.map(check, a, b)


def loss(cell: Any, options: gr.UnrollOptions, params: Any, xs: Any, mask: Any = None, resets: Any = None) -> Any:
    final, ys = gr.unroll(cell, params, xs, mask=mask, resets=resets, options=options)
    assert ys is not None
    return jnp.tanh(ys).sum() + sum(jnp.sin(a).sum() for a in jax.tree.leaves(final))


CELL = gr.GRU(6)
PARAMS = CELL.init(jax.random.key(0), 3)
MANY = jax.vmap(lambda key: CELL.init(key, 3))(jax.random.split(jax.random.key(1), 3))
XS = jax.random.normal(jax.random.key(2), (3, 4, 9, 3))
MASK = jax.random.bernoulli(jax.random.key(3), 0.7, (3, 4, 9))
RESETS = jax.random.bernoulli(jax.random.key(4), 0.2, (3, 4, 9))


def run(options: gr.UnrollOptions, params: Any, xs: Any, mask: Any = None, resets: Any = None) -> Any:
    return gr.unroll(CELL, params, xs, mask=mask, resets=resets, options=options)


def gradient(options: gr.UnrollOptions, params: Any, xs: Any, mask: Any = None, resets: Any = None) -> Any:
    return jax.grad(loss, argnums=(2, 3))(CELL, options, params, xs, mask, resets)


def squared_gradient(options: gr.UnrollOptions, params: Any, xs: Any) -> Any:
    return sum((a**2).sum() for a in jax.tree.leaves(gradient(options, params, xs, MASK[0], RESETS[0])))


TRANSFORMED: dict[str, Callable[[gr.UnrollOptions], Any]] = {
    "vmap over inputs": lambda o: jax.vmap(lambda *a: run(o, PARAMS, *a))(XS, MASK, RESETS),
    "vmap over an inner axis": lambda o: jax.vmap(lambda x: run(o, PARAMS, x), in_axes=2, out_axes=1)(
        XS.swapaxes(2, 1)
    ),
    "vmap twice": lambda o: jax.vmap(jax.vmap(lambda x: run(o, PARAMS, x)))(XS),
    "vmap over parameters": lambda o: jax.vmap(lambda p: run(o, p, XS[0], MASK[0]))(MANY),
    "vmap over both": lambda o: jax.vmap(lambda p, x, r: run(o, p, x, None, r))(MANY, XS, RESETS),
    "vmap over a mask": lambda o: jax.vmap(lambda m: run(o, PARAMS, XS[0], m))(MASK),
    "the gradient of a vmap": lambda o: jax.grad(
        lambda p: jax.vmap(lambda *a: loss(CELL, o, p, *a))(XS, MASK, RESETS).sum()
    )(PARAMS),
    "a vmap of gradients": lambda o: jax.vmap(lambda *a: gradient(o, PARAMS, *a))(XS, MASK, RESETS),
    "a vmap of gradients over parameters": lambda o: jax.vmap(lambda p: gradient(o, p, XS[0]))(MANY),
    "vmap over parameters, then over inputs": lambda o: jax.vmap(lambda p: jax.vmap(lambda x: gradient(o, p, x))(XS))(
        MANY
    ),
    "the gradient of a gradient": lambda o: jax.grad(lambda p: squared_gradient(o, p, XS[0]))(PARAMS),
    "the gradient of a gradient by inputs": lambda o: jax.grad(lambda x: squared_gradient(o, PARAMS, x))(XS[0]),
    "remat": lambda o: jax.grad(lambda p: jax.checkpoint(lambda p: loss(CELL, o, p, XS))(p))(PARAMS),
    "lax.map": lambda o: jax.lax.map(lambda a: gradient(o, *a), (MANY, XS)),
    "scan over updates": lambda o: jax.lax.scan(
        lambda p, x: (jax.tree.map(lambda a, g: a - 0.01 * g, p, gradient(o, p, x)[0]), None), PARAMS, XS
    ),
}


@pytest.mark.parametrize("name", TRANSFORMED)
def test_it_is_xlas_way_under_any_transformation(name: str) -> None:
    close(*(jax.jit(lambda o=o: TRANSFORMED[name](o))() for o in (NATIVE, XLA)))


def test_it_runs_outside_of_jit_too() -> None:
    close(gradient(NATIVE, PARAMS, XS[0], MASK[0]), jax.jit(lambda: gradient(XLA, PARAMS, XS[0], MASK[0]))())


@pytest.mark.parametrize("shape", [(4, 0, 3), (0, 9, 3), (9, 3)], ids=["no step", "no row", "no batch axis"])
def test_empty_axes_and_none(shape: tuple[int, ...]) -> None:
    xs = jnp.ones(shape)
    for f in (run, gradient):
        close(f(NATIVE, PARAMS, xs), f(XLA, PARAMS, xs))


def test_forward_mode_names_the_option() -> None:
    with pytest.raises(TypeError, match="backend='autodiff'"):
        jax.jvp(lambda x: run(NATIVE, PARAMS, x)[1], (XS[0],), (XS[0],))


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_in_the_padding_reaches_nothing(name: str) -> None:
    """Inputs at steps that aren't real, and the cotangents of their outputs, are NaN and infinite."""
    cell = cell_of(name, 5)
    params = cell.init(jax.random.key(0), 3)
    lengths, mask = jnp.array([9, 4, 0, 7]), MASK[0]
    real = np.asarray(mask) & (np.arange(9) < np.asarray(lengths)[:, None])

    def f(params: Any, xs: Any) -> Any:
        final, ys = gr.unroll(cell, params, xs, lengths=lengths, mask=mask, options=NATIVE)
        assert ys is not None
        weights = jnp.where(real[..., None], 1.0, jnp.nan)
        return jnp.where(real[..., None], ys * weights, 0).sum() + sum(a.sum() for a in jax.tree.leaves(final)), ys

    both = jax.jit(jax.value_and_grad(f, argnums=(0, 1), has_aux=True))
    clean = both(params, jnp.where(real[..., None], XS[0], 0.0))
    for bad in (jnp.nan, jnp.inf):
        dirty = both(params, jnp.where(real[..., None], XS[0], bad))
        jax.tree.map(np.testing.assert_array_equal, dirty, clean)
    (_, ys), (_, d_xs) = clean
    assert not np.asarray(ys)[~real].any() and not np.asarray(d_xs)[~real].any()
    assert all(np.isfinite(a).all() for a in jax.tree.leaves(clean))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_reset_keeps_nan_of_a_segment_from_all_others_and_their_gradients(name: str, reverse: bool) -> None:
    """NaN and infinity in the carry that row 0 begins with, and in an input of row 1, both before a reset.

    Forward, row 0 is reset before its first step, and row 1 before step 5. In reverse, row 0 is reset after step 8,
    the first that it takes, and row 1 on the way from step 5 to step 4.
    """
    cell = cell_of(name, 5)
    params = parameters(name, 3, 5, seed=1)
    params = {key: jnp.asarray(a, jnp.float32) for key, a in params.items()}
    resets = np.zeros((4, 9), bool)
    resets[0, 8 if reverse else 0] = resets[1:, 5] = True
    in_segment = np.zeros((4, 9), bool)  # what the bad values may reach
    in_segment[1, 5:] = reverse
    in_segment[1, :5] = not reverse
    in_segment[0, 8] = reverse
    carry = pack(random_carry(name, (4,), 5))
    others = jnp.asarray(~in_segment)[..., None]

    def f(xs: Any, carry: Any, params: Any) -> Any:
        final, ys = gr.unroll(cell, params, xs, initial_carry=carry, resets=resets, reverse=reverse, options=NATIVE)
        assert ys is not None
        return jnp.where(others, jnp.sin(ys), 0).sum() + sum(jnp.sin(a).sum() for a in jax.tree.leaves(final)), ys

    both = jax.jit(jax.value_and_grad(f, has_aux=True))
    place = (1, 7) if reverse else (1, 2)
    (clean_loss, clean_ys), clean_d = both(XS[0], carry, params)
    assert (np.asarray(clean_d)[~in_segment] != 0).mean() > 0.5  # relu has some
    for bad in (jnp.nan, jnp.inf):
        bad_carry = jax.tree.map(lambda a, bad=bad: jnp.asarray(a, jnp.float32).at[0].set(bad), carry)
        (loss, ys), d_xs = both(XS[0].at[place].set(bad), bad_carry, params)
        np.testing.assert_array_equal(loss, clean_loss)
        np.testing.assert_array_equal(np.asarray(ys)[~in_segment], np.asarray(clean_ys)[~in_segment])
        np.testing.assert_array_equal(np.asarray(d_xs)[~in_segment], np.asarray(clean_d)[~in_segment])
        if np.isnan(bad):
            assert np.isnan(np.asarray(ys)[in_segment]).any(), "the NaN reaches its own segment"


def text(function: Callable[..., Any], *arguments: Any) -> str:
    return jax.jit(function).lower(*arguments).as_text()


CALL = "custom_call @gru_research_forward"


def test_auto_takes_it_where_it_can_and_xla_elsewhere_in_silence() -> None:
    def used(cell: Any = CELL, xs: Any = XS[0], dtype: Any = None, **options: Any) -> bool:
        params = cell.init(jax.random.key(0), xs.shape[-1])
        return CALL in text(lambda p, x: gr.unroll(cell, p, x, options=gr.UnrollOptions(**options)), params, xs)

    assert used() and used(gr.LSTM(4, peepholes=True)) and used(gr.VanillaRNN(4, "relu")) and used(checkpoint=4)
    assert used(outputs="none") and used(xs=XS[0].swapaxes(0, 1), time_major=True)
    assert not used(backend="vjp") and not used(backend="autodiff")
    assert not used(xs=XS[0, :, :3]), "packing weights for three steps"
    assert not used(unroll=2) and not used(hoist=True) and not used(chunk=2) and not used(save="carry")
    for cell in (
        gr.GRU(4, gate="hard_sigmoid"),
        gr.GRU(4, update="none"),
        gr.GRU(4, dtype="bfloat16"),
        gr.GRU(4, carry_dtype="bfloat16"),
        gr.LSTM(4, without="forget"),
        gr.LSTM(4, activation="relu"),
        gr.VanillaRNN(4, "gelu"),
        gr.MGU(4),
        gr.MinGRU(4),
    ):
        assert not used(cell), cell


def test_parameters_of_another_type_are_computed_with_in_float32() -> None:
    cell = gr.GRU(6, param_dtype="bfloat16", dtype="float32")
    params = cell.init(jax.random.key(0), 3)
    found, wanted = (jax.jit(jax.grad(lambda p, o=o: loss(cell, o, p, XS)))(params) for o in (NATIVE, XLA))
    assert all(a.dtype == jnp.bfloat16 for a in jax.tree.leaves(found))
    close(*(jax.tree.map(lambda a: a.astype(jnp.float32), tree) for tree in (found, wanted)), tolerance=2**-7)


def test_a_changed_cell_is_not_its_parent() -> None:
    class Leaky(gr.VanillaRNN):
        def combine(self, carry: Any, g: Any) -> Any:
            h = 0.9 * carry + 0.1 * g["h"]
            return h, h

    cell = Leaky(6)
    params = cell.init(jax.random.key(0), 3)
    assert CALL not in text(lambda p, x: gr.unroll(cell, p, x), params, XS[0])
    with pytest.raises(ValueError, match=r"backend='native' isn't there for .* as Leaky redefines combine"):
        gr.unroll(cell, params, XS[0], options=NATIVE)


def test_whoever_insists_learns_why_it_cannot() -> None:
    def refused(cell: Any, match: str) -> None:
        with pytest.raises(ValueError, match=match) as caught:
            gr.unroll(cell, cell.init(jax.random.key(0), 3), XS[0], options=NATIVE)
        assert "\n" not in str(caught.value)

    refused(gr.LSTM(4, without="input"), "backend='native' isn't there for .* no kernel")
    refused(gr.GRU(4, dtype="bfloat16"), "computes in float32")
    refused(gr.MGU(4), "backend='native' isn't there")
    too_long = jax.ShapeDtypeStruct((1, 2**27 + 1, 3), jnp.float32)
    with pytest.raises(ValueError, match="up to 134,217,728 steps, rows and features"):
        jax.eval_shape(lambda xs: run(NATIVE, PARAMS, xs), too_long)


def test_exports_and_other_platforms_get_xlas_way() -> None:
    def training(params: Any, xs: Any) -> Any:
        return jax.value_and_grad(lambda p: loss(CELL, gr.UnrollOptions(), p, xs, MASK[0]))(params)

    exported = jax.export.export(jax.jit(training), platforms=["cpu", "cuda", "tpu"])(PARAMS, XS[0])
    assert CALL not in exported.mlir_module()
    close(jax.jit(exported.call)(PARAMS, XS[0]), jax.jit(training)(PARAMS, XS[0]))


def test_its_numbers_do_not_depend_on_what_else_is_in_the_program() -> None:
    """Forward alone, with its record, and as one of several layers: the same bits of values."""
    alone = jax.jit(lambda: run(NATIVE, PARAMS, XS[0]))()
    with_gradient = jax.jit(lambda: jax.vjp(lambda p: run(NATIVE, p, XS[0]), PARAMS)[0])()
    jax.tree.map(np.testing.assert_array_equal, with_gradient, alone)

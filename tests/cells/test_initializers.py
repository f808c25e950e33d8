"""Initialisers, given by name or as functions: properties of their values in every floating-point type."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr

KEY = jax.random.key(0)
NAMED = {
    "zeros": gr.Zeros(),
    "identity": gr.Identity(),
    "orthogonal": gr.Orthogonal(),
    "glorot_uniform": gr.GlorotUniform(),
    "lecun_normal": gr.LecunNormal(),
}


def singular_values(matrix: jax.Array) -> np.ndarray:
    return np.linalg.svd(np.asarray(matrix, np.float64), compute_uv=False)


@pytest.mark.parametrize("shape", [(7, 4), (4, 7)])
def test_orthogonal_of_any_shape_has_all_singular_values_at_scale(shape: tuple[int, int]) -> None:
    matrix = gr.Orthogonal(scale=1.5)(KEY, shape, jnp.float32)
    assert matrix.shape == shape
    np.testing.assert_allclose(singular_values(matrix), 1.5, rtol=1e-5)


def test_orthogonal_is_uniform_over_rotations_and_reflections() -> None:
    # Without the signs of R's diagonal every Q[0, 0] is negative. By symmetry its mean is 0 and its square 1 / n.
    draw = jax.jit(jax.vmap(lambda key: gr.Orthogonal()(key, (3, 3), jnp.float32)))
    q = np.asarray(draw(jax.random.split(KEY, 900)))
    np.testing.assert_allclose(q.mean(0), 0, atol=5 * np.sqrt(1 / 3 / 900))
    np.testing.assert_allclose((q**2).mean(0), 1 / 3, atol=5 * np.sqrt(1 / 11 / 900))
    assert 0.4 < (np.linalg.det(q) > 0).mean() < 0.6


def test_glorot_uniform_has_its_variance_and_bounds() -> None:
    # 6000 numbers: 5 standard errors of the variance of a uniform are 6 %.
    values = np.asarray(gr.GlorotUniform()(KEY, (60, 100), jnp.float32))
    bound = np.sqrt(6 / 160)
    assert 0.99 * bound < np.abs(values).max() <= bound * (1 + 1e-6)
    np.testing.assert_allclose(values.var(), 2 / 160, rtol=0.06)
    np.testing.assert_allclose(values.mean(), 0, atol=5 * np.sqrt(2 / 160 / 6000))


def test_lecun_normal_has_its_variance_and_tails() -> None:
    # 6000 numbers: 5 standard errors of the variance of a normal are 9 %. The inputs are the first axis.
    values = np.asarray(gr.LecunNormal()(KEY, (60, 100), jnp.float32))
    np.testing.assert_allclose(values.var(), 1 / 60, rtol=0.09)
    np.testing.assert_allclose(values.mean(), 0, atol=5 * np.sqrt(1 / 60 / 6000))
    assert np.abs(values).max() > 3 * np.sqrt(1 / 60)


def test_fixed_values() -> None:
    np.testing.assert_array_equal(gr.Zeros()(KEY, (2, 3), jnp.float32), np.zeros((2, 3)))
    np.testing.assert_array_equal(gr.Constant(0.25)(KEY, (2, 3), jnp.float32), np.full((2, 3), 0.25))
    np.testing.assert_array_equal(gr.Identity()(KEY, (3, 3), jnp.float32), np.eye(3))
    np.testing.assert_array_equal(gr.Identity(0.5)(KEY, (2, 3), jnp.float32), 0.5 * np.eye(2, 3))


@pytest.mark.parametrize("initializer", [*NAMED.values(), gr.Constant(0.3)], ids=repr)
def test_shape_and_type_are_those_asked_for(initializer: gr.Initializer) -> None:
    with jax.enable_x64(True):
        for dtype in (jnp.float64, jnp.float32, jnp.bfloat16, jnp.float16):
            values = jax.eval_shape(functools.partial(initializer, shape=(4, 6), dtype=dtype), KEY)
            assert values.dtype == dtype
            assert values.shape == (4, 6)


def test_bfloat16_orthogonal_is_the_float32_one_rounded() -> None:
    wide = gr.Orthogonal()(KEY, (7, 4), jnp.float32)
    narrow = gr.Orthogonal()(KEY, (7, 4), jnp.bfloat16)
    np.testing.assert_array_equal(narrow, wide.astype(jnp.bfloat16))
    np.testing.assert_allclose(singular_values(narrow), 1, atol=0.02)


def test_float64_orthogonal_is_drawn_in_float64() -> None:
    with jax.enable_x64(True):
        matrix = gr.Orthogonal()(KEY, (6, 6), jnp.float64)
        np.testing.assert_allclose(singular_values(matrix), 1, rtol=1e-13)


@pytest.mark.parametrize(
    ("initializer", "shape"),
    [(gr.Orthogonal(), (7, 4)), (gr.GlorotUniform(), (60, 100)), (gr.LecunNormal(), (60, 100))],
    ids=repr,
)
def test_values_depend_on_the_key_alone(initializer: gr.Initializer, shape: tuple[int, int]) -> None:
    first = np.asarray(initializer(KEY, shape, jnp.float32))
    np.testing.assert_array_equal(first, initializer(jax.random.key(0), shape, jnp.float32))
    assert (first != np.asarray(initializer(jax.random.key(1), shape, jnp.float32))).mean() > 0.99


def test_equal_initialisers_compare_equal_and_hash_equal() -> None:
    assert gr.Orthogonal(2.0) == gr.Orthogonal(2.0) != gr.Orthogonal(3.0)
    assert len({gr.Orthogonal(), gr.Orthogonal(1.0), gr.Constant(1.0), gr.Constant(1.0), gr.Identity()}) == 3
    with pytest.raises(AttributeError):
        gr.Orthogonal().scale = 2.0  # type: ignore[misc]


@pytest.mark.parametrize("name", NAMED)
def test_a_name_stands_for_its_initialiser(name: str) -> None:
    by_name, by_value = gr.GRU(3, recurrent_init=name), gr.GRU(3, recurrent_init=NAMED[name])
    assert by_name.recurrent_init == NAMED[name]
    assert by_name == by_value
    assert hash(by_name) == hash(by_value)


@pytest.mark.parametrize("kind", [gr.GRU, gr.LSTM, gr.VanillaRNN])
@pytest.mark.parametrize("field", ["kernel_init", "recurrent_init", "bias_init"])
def test_a_bad_name_is_named_with_the_choices(kind: type, field: str) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        kind(3, **{field: "orthagonal"})
    for part in ("orthagonal", *NAMED):
        assert part in str(caught.value)


@pytest.mark.parametrize("field", ["kernel_init", "recurrent_init", "bias_init"])
def test_what_is_no_initialiser_is_refused_at_once(field: str) -> None:
    with pytest.raises(ValueError, match=rf"{field}.*3"):
        gr.GRU(3, **{field: 3})  # type: ignore[arg-type]

"""Attention against NumPy. Tolerances in float64: 1e-12; gradients against central differences of fourth order 1e-8."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from tests.attention_oracles import read

pytestmark = pytest.mark.usefixtures("x64")
A, H, E, B, U, T = 4, 5, 3, 4, 2, 6
KEY = jax.random.key(0)
LENGTHS = np.array([6, 1, 0, 4])
REAL = np.arange(T) < LENGTHS[:, None]
FORMS: dict[str, Any] = {"bahdanau": gr.Bahdanau(A), "general": gr.Luong(), "dot": gr.Luong("dot")}


def arguments(kind: str) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Parameters, queries `(B, U, H)` and a memory whose padding is NaN; with "dot" of as many features."""
    rng = np.random.default_rng(0)
    size = H if kind == "dot" else E
    shapes = {"bahdanau": {"W_q": (H, A), "W_m": (size, A), "v": (A,)}, "general": {"W": (size, H)}, "dot": {}}[kind]
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    memory = np.where(REAL[..., None], rng.normal(size=(B, T, size)), np.nan)
    return params, rng.normal(size=(B, U, H)), memory


def run(kind: str) -> Callable[..., Any]:
    def attend(params: Any, query: Any, memory: Any, real: Any = None) -> Any:
        return FORMS[kind].apply(params, query, FORMS[kind].prepare(params, memory, real))

    return attend


def oracle(kind: str, params: Any, queries: np.ndarray, memory: np.ndarray, real: np.ndarray) -> tuple[Any, Any]:
    """Of queries `(B, U, H)`: contexts `(B, U, E)` and weights `(B, U, T)`."""
    rows = [[read(kind, params, q, memory[b], real[b]) for q in queries[b]] for b in range(B)]
    return np.array([[c for c, _ in row] for row in rows]), np.array([[w for _, w in row] for row in rows])


def assert_close(actual: Any, expected: Any) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), actual, expected)


@pytest.mark.parametrize("kind", FORMS)
def test_context_and_weights_are_the_oracles_for_one_query_and_for_many(kind: str) -> None:
    params, queries, memory = arguments(kind)
    expected = oracle(kind, params, queries, memory, REAL)
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        attend = jax.jit(run(kind))
        assert_close(attend(params, queries, memory, REAL), expected)
        assert_close(attend(params, queries[:, 1], memory, REAL), tuple(a[:, 1] for a in expected))
    context, weights = expected
    assert not context[2].any() and not weights[2].any()  # a row without a real step
    np.testing.assert_allclose(weights[[0, 1, 3]].sum(-1), 1)
    everything = np.nan_to_num(memory)
    assert_close(attend(params, queries, everything), oracle(kind, params, queries, everything, np.ones_like(REAL)))


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("queries_of", ["one", "many"])
def test_gradients_are_finite_differences_and_padding_reaches_none(kind: str, queries_of: str) -> None:
    params, queries, memory = arguments(kind)
    queries = queries if queries_of == "many" else queries[:, :1]

    def loss(params: Any, queries: Any, memory: Any) -> Any:
        results = run(kind)(params, queries if queries_of == "many" else queries[:, 0], memory, jnp.asarray(REAL))
        return sum(jnp.sin(a).sum() for a in results)

    def numeric_loss(params: Any, queries: Any, memory: Any) -> float:
        return sum(float(np.sin(a).sum()) for a in oracle(kind, params, queries, memory, REAL))

    gradient = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))
    found = gradient(params, queries, memory)
    jax.tree.map(
        np.testing.assert_array_equal, found, gradient(params, queries, np.where(REAL[..., None], memory, 7.0))
    )
    assert not np.asarray(found[2])[~REAL].any()
    leaves, tree = jax.tree.flatten((params, queries, np.nan_to_num(memory)))
    rng = np.random.default_rng(1)
    for i, by_leaf in enumerate(jax.tree.leaves(found)):
        direction = rng.normal(size=leaves[i].shape)

        def moved(step: float, i: int = i, direction: Any = direction) -> float:
            new = [a + step * direction if j == i else a for j, a in enumerate(leaves)]
            return numeric_loss(*jax.tree.unflatten(tree, new))

        numeric = (8 * (moved(1e-4) - moved(-1e-4)) - (moved(2e-4) - moved(-2e-4))) / 12e-4
        np.testing.assert_allclose((by_leaf * direction).sum(), numeric, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(("kind", "kernel"), [("bahdanau", "W_m"), ("general", "W")])
def test_the_memory_is_projected_once_and_no_query_reads_its_kernel(kind: str, kernel: str) -> None:
    params, queries, memory = arguments(kind)
    prepared = FORMS[kind].prepare(params, memory, REAL)
    assert_close(prepared.keys, np.where(REAL[..., None], memory, 0) @ params[kernel])
    unread = params | {kernel: np.full_like(params[kernel], np.nan)}
    assert_close(FORMS[kind].apply(unread, queries, prepared), FORMS[kind].apply(params, queries, prepared))


@pytest.mark.parametrize("kind", FORMS)
def test_scores_of_16_bit_arrays_and_their_weights_are_float32(kind: str) -> None:
    rounded = jax.tree.map(lambda a: jnp.asarray(a, jnp.bfloat16), arguments(kind))
    context, weights = run(kind)(*rounded, jnp.asarray(REAL))
    assert context.dtype == jnp.bfloat16 and weights.dtype == jnp.float32
    exact = jax.tree.map(lambda a: np.asarray(a, np.float64), rounded)
    # 8 bits: one rounding of each of context's terms, and of the query's projection.
    for found, expected in zip((context, weights), oracle(kind, *exact, REAL), strict=True):
        np.testing.assert_allclose(np.asarray(found, np.float64), expected, atol=0.03)


def test_sizes_and_types_of_parameters() -> None:
    params = gr.Bahdanau(A, gr.Constant(0.5), "float16").init(KEY, H, E)
    assert {name: (a.shape, a.dtype) for name, a in params.items()} == {
        "W_q": ((H, A), jnp.float16),
        "W_m": ((E, A), jnp.float16),
        "v": ((A,), jnp.float16),
    }
    assert gr.Luong().init(KEY, H, E)["W"].shape == (E, H)
    assert gr.Luong("dot").init(KEY, H, H) == {}
    assert len({gr.Bahdanau(A), gr.Bahdanau(np.int64(A)), gr.Luong(), gr.Luong("dot")}) == 3


BATCH = jnp.zeros((B, T, E))
MEMORY = gr.Luong().prepare({"W": jnp.zeros((E, H))}, BATCH)


@pytest.mark.parametrize(
    ("mistake", "parts"),
    [
        (lambda: gr.Bahdanau(0), ("size=0", "at least 1")),
        (lambda: gr.Luong("concat"), ("score='concat'", "general, dot")),
        (lambda: gr.Luong("dot").init(KEY, H, E), ("score='dot'", "5 and 3", "general")),
        (lambda: gr.Bahdanau(A).init(KEY, 0, E), ("query_size=0", "at least 1")),
        (lambda: gr.Luong().prepare({"W": jnp.zeros((7, H))}, BATCH), ("memory has the shape (4, 6, 3)", "7")),
        (lambda: gr.Luong("dot").prepare({}, jnp.zeros(3)), ("memory has the shape (3,)", "[..., T, E]")),
        (lambda: gr.Luong("dot").prepare({}, BATCH, jnp.ones((B, 2), bool)), ("real has the shape (4, 2)", "(4, 6)")),
        (lambda: gr.Luong("dot").prepare({}, BATCH, jnp.ones((B, T))), ("real of type float", "boolean")),
        (
            lambda: gr.Luong().apply({"W": jnp.zeros((E, H))}, jnp.zeros((2, H)), MEMORY),
            ("query has the shape (2, 5)",),
        ),
        (lambda: gr.Luong().apply({}, jnp.zeros((B, H)), MEMORY), ("params", "W")),
        (lambda: gr.Luong("dot").apply({}, jnp.zeros((B, H)), MEMORY), ("score='dot'", "5 and 3")),
    ],
)
def test_a_mistake_is_named_in_one_line(mistake: Callable[[], Any], parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        mistake()
    for part in parts:
        assert part in str(caught.value)

"""The encoder-decoder against NumPy, and its ways of running against each other.

Tolerances in float64: 1e-10; gradients against central differences of fourth order 1e-7.
"""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AbstractMesh, AxisType, NamedSharding, use_abstract_mesh
from jax.sharding import PartitionSpec as P

import gru_research as gr
from gru_research.cells import CELLS
from gru_research.config import UserError, call
from gru_research.models import EncoderDecoder, Generator, encoder_decoder
from gru_research.spec import Generation, Spec
from tests.attention_oracles import logits_and_weights
from tests.oracles import VARIANTS
from tests.time_loop.test_own_carries import Counted

pytestmark = pytest.mark.usefixtures("x64")
V, C, E, I, H, B, T, U = 7, 6, 3, 2, 4, 3, 4, 3  # noqa: E741
KEY = jax.random.key(0)
ATTENTIONS = ("none", "bahdanau", "luong")
RNG = np.random.default_rng(0)
LENGTHS, TARGET_LENGTHS = np.array([4, 2, 0]), np.array([3, 1, 2])
REAL, TARGET_REAL = np.arange(T) < LENGTHS[:, None], np.arange(U) < TARGET_LENGTHS[:, None]
TOKENS: dict[str, Any] = {
    "inputs": RNG.integers(0, V, (B, T)),
    "lengths": LENGTHS,
    "targets": RNG.integers(0, C, (B, U)),
    "target_lengths": TARGET_LENGTHS,
}
VECTORS = TOKENS | {"inputs": RNG.normal(size=(B, T, I))}


def spec(batch: Any = TOKENS, **changes: Any) -> Spec:
    example = {name: jax.ShapeDtypeStruct(a.shape[1:], a.dtype) for name, a in batch.items()}
    vocabulary = V if batch["inputs"].ndim == 2 else None
    given = {"output_size": C, "answers": "generated", "vocabulary": vocabulary, "generation": Generation(1, 2, U)}
    return Spec(example, **given | changes)


def drawn(model: EncoderDecoder, batch: Any = TOKENS) -> Any:
    """Parameters in float64, none of them 0."""
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(model.init, KEY, spec(batch).example)
    return jax.tree.map(lambda a: rng.normal(0, 0.7, a.shape), shapes)


def generated(model: EncoderDecoder, params: Any, batch: Any) -> Any:
    """The logits `[B, U, V]` from `start` and `step`, fed the targets."""

    def advance(state: Any, tokens: Any) -> Any:
        return model.step(params, state, tokens)

    state, first = model.start(params, {name: batch[name] for name in ("inputs", "lengths")})
    _, others = jax.lax.scan(advance, state, jnp.asarray(batch["targets"]).T[:-1])
    return jnp.moveaxis(jnp.concatenate([first[None], others]), 0, 1)


def real_only(logits: Any) -> Any:
    return np.where(TARGET_REAL[..., None], logits, 0)


def assert_close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "attention", "options", "batch"),
    [
        ("gru_after", "bahdanau", {"bidirectional": True, "layers": 2}, TOKENS),
        ("lstm", "luong", {"bidirectional": True, "layers": 2, "tied": True}, TOKENS),
        ("lstm", "bahdanau", {"tied": True}, VECTORS),
        ("lstm", "none", {"bidirectional": True}, VECTORS),
        ("gru_after", "none", {"tied": True, "layers": 2}, TOKENS),
        ("rnn_tanh", "luong", {}, VECTORS),
    ],
)
def test_logits_and_weights_are_the_oracles(name: str, attention: Any, options: Any, batch: Any) -> None:
    variant = VARIANTS[name]
    cell = getattr(gr, variant.kind)(H, **variant.options)
    model = encoder_decoder(spec(batch), cell, attention=attention, embedding_size=E, **options)
    assert isinstance(model, Generator)
    params = drawn(model, batch)
    kind = {"luong": "general"}.get(attention, attention)
    logits, weights = logits_and_weights(name, kind, params, batch, 1, options.get("bidirectional", False))

    def run(params: Any) -> Any:
        attended = None if attention == "none" else model.attend(params, batch)
        return model.apply(params, batch), generated(model, params, batch), attended

    applied, stepped, attended = jax.jit(run)(params)
    assert_close(real_only(applied), logits)
    assert_close(real_only(stepped), logits)
    if attended is not None:
        assert_close(attended, weights)
        np.testing.assert_allclose(weights.sum(-1), TARGET_REAL & (LENGTHS > 0)[:, None])


@pytest.mark.parametrize("i", range(len(CELLS)))
def test_every_cell_gives_by_steps_what_it_gives_under_teacher_forcing(i: int) -> None:
    kind, attention, bidirectional = list(CELLS)[i], ATTENTIONS[i % 3], i % 2 == 1
    options: Any = {"attention": attention, "bidirectional": bidirectional, "embedding_size": 0}
    model = encoder_decoder(spec(), CELLS[kind](hidden_size=H), **options)
    params = drawn(model)
    applied, stepped = jax.jit(lambda p: (model.apply(p, TOKENS), generated(model, p, TOKENS)))(params)
    assert np.isfinite(applied).all()
    assert_close(real_only(stepped), real_only(applied))


def test_an_own_cells_carry_may_hold_whole_numbers() -> None:
    cell: Any = Counted(H, tail=())
    options: Any = {"bidirectional": True, "embedding_size": E}
    model = encoder_decoder(spec(), cell, **options)
    params = drawn(model)
    state, _ = jax.jit(model.start)(params, TOKENS)
    np.testing.assert_array_equal(state.carry[0]["steps"], LENGTHS + 1)
    outputs = jax.jit(model.apply)(params, TOKENS)
    assert_close(real_only(generated(model, params, TOKENS)), real_only(outputs))
    plain = encoder_decoder(spec(), gr.VanillaRNN(H), **options)
    assert_close(outputs, jax.jit(plain.apply)(params, TOKENS))


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_gradients_are_finite_differences_and_padding_reaches_none(attention: Any) -> None:
    options: Any = {"bidirectional": attention != "none", "layers": 1 + (attention == "bahdanau"), "tied": True}
    model = encoder_decoder(spec(VECTORS), gr.GRU(H), attention=attention, embedding_size=E, **options)
    params = drawn(model, VECTORS)

    def loss(params: Any, inputs: Any, targets: Any) -> Any:
        logits = model.apply(params, VECTORS | {"inputs": inputs, "targets": targets})
        return (jnp.sin(logits) * TARGET_REAL[..., None]).sum()

    run = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    inputs, targets = VECTORS["inputs"], VECTORS["targets"]
    found = run(params, inputs, targets)
    assert not np.asarray(found[1][1])[~REAL].any()
    for nothing in (-1, C + 5):
        padded = np.where(REAL[..., None], inputs, np.nan), np.where(TARGET_REAL, targets, nothing)
        jax.tree.map(np.testing.assert_array_equal, run(params, *padded), found)
    leaves, tree = jax.tree.flatten(params)
    rng, value = np.random.default_rng(2), jax.jit(loss)
    for i, by_leaf in enumerate(jax.tree.leaves(found[1][0])):
        direction = rng.normal(size=leaves[i].shape)

        def moved(step: float, i: int = i, direction: Any = direction) -> float:
            new = [a + step * direction if j == i else a for j, a in enumerate(leaves)]
            return float(value(jax.tree.unflatten(tree, new), inputs, targets))

        numeric = (8 * (moved(1e-3) - moved(-1e-3)) - (moved(2e-3) - moved(-2e-3))) / 12e-3
        np.testing.assert_allclose((by_leaf * direction).sum(), numeric, rtol=1e-7, atol=1e-8)


def test_tokens_in_the_padding_may_be_any_number() -> None:
    model = encoder_decoder(spec(), gr.GRU(H), embedding_size=E)
    gradient = jax.jit(jax.grad(lambda p, inputs: (model.apply(p, TOKENS | {"inputs": inputs}) ** 2).sum()))
    params, inputs = drawn(model), TOKENS["inputs"]
    expected = gradient(params, inputs)
    for nothing in (-1, V + 3):
        found = gradient(params, np.where(REAL, inputs, nothing))
        jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_what_is_dropped_in_training_is_embeddings_inputs_between_layers_and_what_the_readout_reads(
    attention: Any,
) -> None:
    # The gradient of a kernel is 0 in the rows of inputs that were dropped; with one row and step, only there.
    size, one = 16, {name: a[:1, :1] if a.ndim > 1 else np.ones(1, int) for name, a in TOKENS.items()}
    options: Any = {"attention": attention, "layers": 2, "embedding_size": size, "dropout": 0.5}
    model = encoder_decoder(spec(), gr.VanillaRNN(size), **options)
    params = drawn(model)

    @jax.jit
    def zeros(key: Any) -> dict[str, Any]:
        """How many rows of each kernel have a gradient of 0."""
        gradient = jax.grad(lambda p: jnp.sin(model.apply(p, one, key)).sum())(params)
        kernels = {"source": gradient["source"]["E"][one["inputs"][0, 0]], "target": gradient["target"]["E"][1]}
        kernels = {name: a[:, None] for name, a in kernels.items()} | {"readout": gradient["readout"]["W"]}
        kernels |= {"encoder": gradient["encoder"][1]["W_h"], "decoder": gradient["decoder"]["stack"][1]["W_h"]}
        return {name: (a == 0).all(-1).sum() for name, a in kernels.items()}

    drawn_zeros = zeros(jax.random.key(1))
    assert all(2 < n < size - 2 for n in drawn_zeros.values()), drawn_zeros
    assert not any(zeros(None).values())


def test_noise_is_drawn_outside_the_time_loops_and_scaled_to_keep_the_mean() -> None:
    model = encoder_decoder(spec(), gr.GRU(H), layers=2, embedding_size=E, dropout=0.25)
    params = drawn(model)
    scans = [
        e for e in _equations(jax.make_jaxpr(model.apply)(params, TOKENS, KEY).jaxpr) if e.primitive.name == "scan"
    ]
    assert scans and not [
        e for scan in scans for e in _equations(scan.params["jaxpr"].jaxpr) if "random" in e.primitive.name
    ]
    # With embeddings of 0 the readout's dropout alone acts.
    model = encoder_decoder(spec(), gr.GRU(H), attention="none", embedding_size=E, dropout=0.25)
    params = drawn(model) | {"target": {"E": np.zeros((C, E))}, "source": {"E": np.zeros((V, E))}}
    params["readout"] = {"W": np.eye(H, C), "b": np.zeros(C)}
    whole = np.asarray(model.apply(params, TOKENS))
    found = np.asarray(model.apply(params, TOKENS, KEY))
    kept = found != 0
    assert 0.5 < kept[TARGET_REAL][:, :H].mean() < 1
    assert_close(found[kept], whole[kept] / 0.75)


def _equations(jaxpr: Any) -> Iterator[Any]:
    """All equations of a program, those of its parts too."""
    for equation in jaxpr.eqns:
        yield equation
        for part in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda a: hasattr(a, "eqns")):
            inner = getattr(part, "jaxpr", part)
            if hasattr(inner, "eqns"):
                yield from _equations(inner)


@pytest.mark.parametrize("attention", ["bahdanau", "luong"])
def test_parameter_sets_side_by_side_and_rows_on_devices_give_what_each_gives(attention: Any) -> None:
    mesh = jax.make_mesh((1,), ("rows",), axis_types=(AxisType.Auto,))
    model = encoder_decoder(spec(), gr.GRU(H), attention=attention, embedding_size=E)
    sets = [jax.tree.map(lambda a, turn=turn: a[::turn], drawn(model)) for turn in (1, -1)]

    @jax.jit
    def gradient(params: Any, batch: Any) -> Any:
        return jax.grad(lambda p: jnp.sin(model.apply(p, batch, KEY)).sum())(params)

    by_rows = jax.jit(jax.shard_map(gradient, mesh=mesh, in_specs=(P(), P("rows")), out_specs=P()))
    single = [gradient(params, TOKENS) for params in sets]
    side_by_side = jax.jit(jax.vmap(gradient, (0, None)))(jax.tree.map(lambda *a: np.stack(a), *sets), TOKENS)
    jax.tree.map(lambda both, *each: assert_close(both, np.stack(each)), side_by_side, *single)
    jax.tree.map(assert_close, by_rows(sets[0], TOKENS), single[0])


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_rows_divided_by_their_types_give_logits_divided_alike(attention: Any) -> None:
    mesh = AbstractMesh((3,), ("rows",), axis_types=(AxisType.Explicit,))
    options: Any = {"attention": attention, "bidirectional": True, "layers": 2, "embedding_size": E, "dropout": 0.1}
    model = encoder_decoder(spec(), gr.GRU(H), **options)
    params = jax.eval_shape(model.init, KEY, spec().example)

    def typed(a: Any) -> Any:
        place = NamedSharding(mesh, P("rows", *(None,) * (a.ndim - 1)))
        return jax.ShapeDtypeStruct(a.shape, jnp.int32, sharding=place)

    types: dict[str, Any] = {}

    def loss(params: Any, batch: Any) -> Any:
        logits = model.apply(params, batch, KEY)
        types["logits"] = jax.typeof(logits)
        return logits.sum()

    with use_abstract_mesh(mesh):
        jax.eval_shape(jax.jit(jax.grad(loss)), params, {name: typed(a) for name, a in TOKENS.items()})
    assert types["logits"].sharding.spec[0] == "rows"


def test_with_given_tokens_only_additive_attention_needs_a_loop_that_jax_differentiates(native_engine: Any) -> None:
    del native_engine
    steps = {"inputs": np.zeros((B, 9), int), "targets": np.zeros((B, 9), int)}
    for attention in ATTENTIONS:
        model = encoder_decoder(spec(), gr.GRU(H), attention=attention, layers=2, embedding_size=E)
        params = model.init(KEY, spec().example)
        with jax.enable_x64(False):
            jaxpr = jax.make_jaxpr(model.apply)(jax.tree.map(jnp.float32, params), steps).jaxpr
        scans = sum(equation.primitive.name == "scan" for equation in _equations(jaxpr))
        assert scans == (attention == "bahdanau")


def test_a_cell_in_16_bits_gives_float32_logits() -> None:
    cell = gr.GRU(H, dtype="bfloat16", param_dtype="bfloat16")
    model = encoder_decoder(spec(), cell, bidirectional=True, embedding_size=E)
    params = jax.tree.map(lambda a, like: jnp.asarray(a, like.dtype), drawn(model), model.init(KEY, spec().example))
    logits = jax.jit(model.apply)(params, TOKENS)
    assert logits.dtype == jnp.float32
    exact = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    expected, _ = logits_and_weights("gru_after", "bahdanau", exact, TOKENS, 1, True)
    np.testing.assert_allclose(real_only(logits), expected, atol=0.05)  # 8 bits, logits up to 3


def test_nan_in_the_padding_doesnt_raise_where_jax_looks_for_it() -> None:
    model = encoder_decoder(spec(VECTORS), gr.GRU(H), embedding_size=E)
    params = drawn(model, VECTORS)
    padded = {"inputs": np.where(REAL[..., None], VECTORS["inputs"], np.nan), "targets": np.where(TARGET_REAL, 2, -9)}
    with jax.debug_nans(True):
        assert np.isfinite(model.apply(params, VECTORS | padded)).all()


def test_a_row_of_states_can_be_chosen() -> None:
    model = encoder_decoder(spec(), gr.LSTM(H), bidirectional=True, embedding_size=E)
    params = drawn(model)
    state, logits = model.start(params, TOKENS)
    assert all(a.shape[0] == B for a in jax.tree.leaves(state))
    order, tokens = np.array([1, 1, 0, 2]), np.array([3, 4, 5, 0])
    chosen = jax.tree.map(lambda a: a[order], state)
    _, found = model.step(params, chosen, tokens)
    for row, (b, token) in enumerate(zip(order, tokens, strict=True)):
        _, expected = model.step(params, state, np.full(B, token))
        assert_close(found[row], expected[b])
    assert logits.shape == (B, C)


def test_sizes_of_parameters_and_what_a_decoder_doesnt_learn() -> None:
    options: Any = {"bidirectional": True, "layers": 2, "embedding_size": E, "tied": True}
    model = encoder_decoder(spec(), gr.LSTM(H, learn_initial_carry=True), **options)
    params = jax.tree.map(lambda a: a.shape, model.init(KEY, spec().example))
    assert params["source"]["E"] == (V, E) and params["target"]["E"] == (C, E)
    assert set(params["encoder"][0]["forward"]) - set(params["decoder"]["stack"][0]) == {"c_0", "h_0"}
    assert params["decoder"]["stack"][0]["W_i"] == (E + 2 * H, H) and params["decoder"]["stack"][1]["W_i"] == (H, H)
    assert params["bridge"] == [[{"W": (2 * H, H), "b": (H,)}] * 2] * 2
    assert params["decoder"]["vector"] == {"W": (3 * H, E)} and params["readout"] == {"b": (C,)}
    assert params["decoder"]["attention"] == {"W_q": (H, H), "W_m": (2 * H, H), "v": (H,)}
    plain = encoder_decoder(spec(), gr.GRU(E), attention="none", embedding_size=E, tied=True).init(KEY, spec().example)
    assert "vector" not in plain["decoder"] and "attention" not in plain["decoder"] and plain["bridge"] == [[]]
    assert hash(model) == hash(encoder_decoder(spec(), gr.LSTM(H, learn_initial_carry=True), **options))


def test_it_learns_to_copy_three_tokens() -> None:
    tokens = np.stack(np.meshgrid(*[np.arange(2, 5)] * 3), -1).reshape(-1, 3)
    rows = len(tokens)
    targets = np.concatenate([tokens, np.ones((rows, 1), int)], 1)
    batch = {"inputs": tokens, "lengths": np.full(rows, 3), "targets": targets, "target_lengths": np.full(rows, 4)}
    copying = dataclasses.replace(spec(batch), vocabulary=5, output_size=5, generation=Generation(0, 1, 4))
    model = encoder_decoder(copying, gr.GRU(16), embedding_size=8)
    optimizer = optax.adam(0.03)

    @jax.jit
    def train(params: Any) -> Any:
        def loss(params: Any) -> Any:
            return optax.softmax_cross_entropy_with_integer_labels(model.apply(params, batch), targets).mean()

        def update(state: Any, _: Any) -> Any:
            params, inner = state
            updates, inner = optimizer.update(jax.grad(loss)(params), inner, params)
            return (optax.apply_updates(params, updates), inner), None

        return jax.lax.scan(update, (params, optimizer.init(params)), None, 80)[0][0]

    params = train(model.init(KEY, copying.example))
    state, logits = model.start(params, batch)
    for u in range(4):
        np.testing.assert_array_equal(logits.argmax(-1), targets[:, u])
        state, logits = model.step(params, state, logits.argmax(-1))


LAST = Spec({"inputs": jax.ShapeDtypeStruct((T,), jnp.int32)}, C, "last", V)


@pytest.mark.parametrize(
    ("given", "options", "parts"),
    [
        (spec(), {"attention": "dot"}, ("config.model.attention='dot'", "none, bahdanau, luong")),
        (spec(), {"layers": 0}, ("config.model.layers=0", "at least 1")),
        (spec(), {"embedding_size": -1}, ("config.model.embedding_size=-1", "at least 0")),
        (spec(), {"dropout": 1.0}, ("config.model.dropout=1.0", "below 1")),
        (spec(), {"tied": True, "embedding_size": 0}, ("config.model.tied=True", "embedding_size=0", "at least 1")),
        (spec(), {"heads": 2}, ("config.model has no field 'heads'", "attention")),
        (spec(), {"unroll": gr.UnrollOptions(outputs="none")}, ("config.model.unroll", "outputs='none'", "'all'")),
        (LAST, {}, ("config.model.kind='encoder_decoder'", "'generated'", "'last'")),
        (spec(vocabulary=None), {}, ("config.model.kind='encoder_decoder'", "[T, I]", "(4,)")),
        (spec(VECTORS, vocabulary=V), {}, ("config.model.kind='encoder_decoder'", "vocabulary=7", "(4, 2)")),
    ],
)
def test_a_mistake_is_named_in_one_line(given: Spec, options: Any, parts: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=r"^[^\n]*$") as caught:
        call(encoder_decoder, options, "config.model", {"spec": given, "cell": gr.GRU(H)})
    for part in parts:
        assert part in str(caught.value)


def test_without_attention_there_are_no_weights_to_show() -> None:
    model = encoder_decoder(spec(), gr.GRU(H), attention="none", embedding_size=E)
    with pytest.raises(ValueError, match=r"attention='none'.*bahdanau, luong"):
        model.attend(drawn(model), TOKENS)


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ({"targets": TOKENS["targets"]}, "batch has no 'inputs': it has targets"),
        ({"inputs": TOKENS["inputs"]}, "batch has no 'targets': it has inputs"),
        (
            TOKENS | {"targets": TOKENS["targets"][:1]},
            "batch must have one number of rows, here it has inputs (3, 4), ",
        ),
        (
            TOKENS | {"lengths": LENGTHS[:2]},
            "batch must have one number of rows, here it has inputs (3, 4), lengths (2",
        ),
    ],
)
def test_a_batch_that_does_not_fit_is_named(batch: Any, said: str) -> None:
    model = encoder_decoder(spec(), gr.GRU(H), embedding_size=E)
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        model.apply(drawn(model), batch)

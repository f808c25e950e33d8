"""The real layers of other libraries, each behind one function that a test of weights needs, and what equals them.

`run(layer, weights, xs, carry)` makes the layer that `LAYOUTS` calls `layer` in `dtype(layer)`, loads `weights`
into it as its own user would (None: random ones, no entry 0), and runs it over `xs (B, T, I)` from the carry,
`(h,)` or `(c, h)`. It returns the layer's weights as its user gets them, the outputs `(B, T, H)` and the
final carry.
"""

import importlib
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from tests.oracles import VARIANTS, parameters

os.environ["KERAS_BACKEND"] = "jax"  # before keras is imported anywhere

COMPUTES = {
    "torch.GRU": "gru_after",
    "torch.GRUCell": "gru_after",
    "torch.LSTM": "lstm",
    "torch.LSTMCell": "lstm",
    "torch.RNN": "rnn_tanh",
    "torch.RNNCell": "rnn_tanh",
    "keras.GRU": "gru_after",
    "keras.GRU(reset_after=False)": "gru_before",
    "keras.LSTM": "lstm",
    "keras.SimpleRNN": "rnn_tanh",
    "linen.GRUCell": "gru_after",
    "linen.LSTMCell": "lstm",
    "linen.OptimizedLSTMCell": "lstm",
    "linen.SimpleCell": "rnn_tanh",
    "nnx.GRUCell": "gru_after",
    "nnx.LSTMCell": "lstm",
    "nnx.OptimizedLSTMCell": "lstm",
    "nnx.SimpleCell": "rnn_tanh",
    "haiku.GRU": "gru_before",
    "haiku.LSTM": "lstm",
    "haiku.VanillaRNN": "rnn_relu",
    "haiku.VanillaRNN(double_bias=False)": "rnn_relu",
    "equinox.GRUCell": "gru_after",
    "equinox.LSTMCell": "lstm",
}
"""The variant of `tests.oracles` that is the same as each of `LAYOUTS`."""

Carry = tuple[np.ndarray, ...]
Result = tuple[Any, Any, Carry]


def make(variant: str, hidden_size: int, **options: Any) -> Any:
    """Our cell."""
    return getattr(gr, VARIANTS[variant].kind)(hidden_size, **VARIANTS[variant].options, **options)


def ours(layer: str, input_size: int, hidden_size: int, dtype: str = "float64", seed: int = 0) -> dict[str, np.ndarray]:
    """Random parameters that the library can hold: NNX's GRU has no hidden bias."""
    found = parameters(COMPUTES[layer], input_size, hidden_size, seed)
    params = {name: value.astype(jnp.dtype(dtype)) for name, value in found.items()}
    return params | {"c_n": np.zeros_like(params["c_n"])} if layer == "nnx.GRUCell" else params


def need(module: str) -> Any:
    """The library; without it the test skips, or fails where REQUIRE_PEERS=1 is set."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        reason = f"{module} isn't installed: {error}"
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(f"REQUIRE_PEERS=1, and {reason}")
    return pytest.skip(reason)


def randomized(tree: Any, seed: int = 5) -> Any:
    """The same tree, in the same order, with normal numbers in place of the arrays'."""
    rng = np.random.default_rng(seed)

    def fill(node: Any) -> Any:
        if isinstance(node, Mapping):
            return {name: fill(child) for name, child in node.items()}
        return [fill(child) for child in node] if isinstance(node, list) else rng.normal(0, 0.6, np.shape(node))

    return fill(tree)


def dtype(layer: str) -> str:
    """Keras on jax multiplies float64 in float32 (keras/src/backend/common/dtypes.py, 3.15)."""
    return "float32" if layer.startswith("keras") else "float64"


def class_and_options(layer: str) -> tuple[str, dict[str, bool]]:
    """`"keras.GRU(reset_after=False)"` as "GRU" and `{"reset_after": False}`."""
    found = re.fullmatch(r"\w+\.(\w+)(?:\((\w+)=False\))?", layer)
    assert found is not None
    return found[1], {found[2]: False} if found[2] else {}


def steps(step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, xs: np.ndarray) -> tuple[Any, np.ndarray]:
    """Outputs and final carry of `step(carry, x) -> (carry, y)`, a time step after another."""
    ys = []
    for t in range(xs.shape[1]):
        carry, y = step(carry, xs[:, t])
        ys.append(np.asarray(y))
    return carry, np.stack(ys, 1)


def flip(carry: Carry) -> Carry:
    """(c, h) as (h, c), the order of all but Flax, and back; (h,) as it is."""
    return tuple(reversed(carry))


def run_torch(layer: str, weights: Any, xs: np.ndarray, carry: Carry, **options: Any) -> Result:
    torch = need("torch")
    name, _ = class_and_options(layer)
    alone = name.endswith("Cell")
    size = carry[0].shape[-1]
    if not alone:
        options["batch_first"] = True
    module = getattr(torch.nn, name)(xs.shape[-1], size, dtype=torch.float64, **options)
    own = randomized({k: v.numpy() for k, v in module.state_dict().items()}) if weights is None else weights
    module.load_state_dict({k: torch.from_numpy(v) for k, v in own.items()})
    state = tuple(torch.from_numpy(a) for a in flip(carry))
    with torch.no_grad():
        if alone:

            def step(state: Any, x: np.ndarray) -> tuple[Any, Any]:
                new = module(torch.from_numpy(x), state if len(state) > 1 else state[0])
                new = new if isinstance(new, tuple) else (new,)
                return new, new[0]

            final, ys = steps(step, state, xs)
        else:
            # Torch's states have a leading axis for layers and directions.
            state = tuple(a if a.ndim == 3 else a[None] for a in state)
            ys, final = module(torch.from_numpy(xs), state if len(state) > 1 else state[0])
            final = final if isinstance(final, tuple) else (final,)
            final = tuple(a[0] if len(a) == 1 else a for a in final)
    return module.state_dict(), np.asarray(ys), flip(tuple(np.asarray(a) for a in final))


def run_keras(layer: str, weights: Any, xs: np.ndarray, carry: Carry, **options: Any) -> Result:
    keras = need("keras")
    name, variant = class_and_options(layer)
    with jax.enable_x64(False):  # its zeros would be float64
        real = getattr(keras.layers, name)(
            carry[0].shape[-1], return_sequences=True, return_state=True, **variant, **options
        )
        real.build(xs.shape)
        real.set_weights(randomized(real.get_weights()) if weights is None else list(weights.values()))
        ys, *final = real(jnp.asarray(xs), initial_state=[jnp.asarray(a) for a in flip(carry)])
    return {v.name: v for v in real.weights}, np.asarray(ys), flip(tuple(np.asarray(a) for a in final))


def run_linen(layer: str, weights: Any, xs: np.ndarray, carry: Carry, **options: Any) -> Result:
    from flax import linen

    name, _ = class_and_options(layer)
    cell = getattr(linen, name)(carry[0].shape[-1], param_dtype=jnp.float64, **options)
    first = carry if len(carry) > 1 else carry[0]
    if weights is None:
        weights = randomized(jax.eval_shape(cell.init, jax.random.key(0), first, xs[:, 0])["params"])
    final, ys = steps(lambda carry, x: cell.apply({"params": weights}, carry, x), first, xs)
    return weights, ys, final if len(carry) > 1 else (final,)


def run_nnx(layer: str, weights: Any, xs: np.ndarray, carry: Carry, **options: Any) -> Result:
    from flax import nnx

    name, _ = class_and_options(layer)
    if name == "SimpleCell":
        options["dtype"] = jnp.float64  # float32 by itself, unlike the other cells'
    size = carry[0].shape[-1]
    cell = getattr(nnx, name)(xs.shape[-1], size, param_dtype=jnp.float64, rngs=nnx.Rngs(0), **options)
    own = nnx.to_pure_dict(nnx.state(cell, nnx.Param))
    nnx.update(cell, jax.tree.map(jnp.asarray, randomized(own) if weights is None else weights))
    final, ys = steps(cell, carry if len(carry) > 1 else carry[0], xs)
    return nnx.state(cell, nnx.Param), ys, final if len(carry) > 1 else (final,)


def run_haiku(layer: str, weights: Any, xs: np.ndarray, carry: Carry) -> Result:
    haiku = need("haiku")
    name, options = class_and_options(layer)
    size = carry[0].shape[-1]

    def call(x: Any, state: Any) -> Any:
        return getattr(haiku, name)(size, **options)(x, state)

    function = haiku.without_apply_rng(haiku.transform(call))
    first = haiku.LSTMState(hidden=carry[1], cell=carry[0]) if len(carry) > 1 else carry[0]
    if weights is None:
        weights = randomized(jax.eval_shape(function.init, jax.random.key(0), xs[:, 0], first))
    final, ys = steps(lambda state, x: flip(function.apply(weights, x, state)), first, xs)
    return weights, ys, (final.cell, final.hidden) if len(carry) > 1 else (final,)


def run_equinox(layer: str, weights: Any, xs: np.ndarray, carry: Carry, **options: Any) -> Result:
    equinox = need("equinox")
    name, _ = class_and_options(layer)
    size = carry[0].shape[-1]
    cell = getattr(equinox.nn, name)(xs.shape[-1], size, key=jax.random.key(0), **options)
    names = [n for n in ("weight_ih", "weight_hh", "bias", "bias_n") if getattr(cell, n, None) is not None]
    own = {n: getattr(cell, n) for n in names}
    new = randomized(own) if weights is None else weights
    assert list(new) == names
    cell = equinox.tree_at(lambda c: [getattr(c, n) for n in names], cell, [jnp.asarray(a) for a in new.values()])

    def step(state: Any, x: Any) -> tuple[Any, Any]:
        state = jax.vmap(cell)(x, state)
        return state, state[0] if isinstance(state, tuple) else state

    final, ys = steps(step, flip(carry) if len(carry) > 1 else carry[0], xs)
    own = {n: getattr(cell, n, None) for n in ("weight_ih", "weight_hh", "bias", "bias_n")}
    return own, ys, flip(final) if len(carry) > 1 else (final,)


RUN: dict[str, Callable[..., Result]] = {
    "torch": run_torch,
    "keras": run_keras,
    "linen": run_linen,
    "nnx": run_nnx,
    "haiku": run_haiku,
    "equinox": run_equinox,
}


def run(layer: str, weights: Any, xs: np.ndarray, carry: Carry, **options: Any) -> Result:
    xs, carry = jax.tree.map(lambda a: np.asarray(a, dtype(layer)), (xs, carry))
    return RUN[layer.split(".")[0]](layer, weights, xs, carry, **options)

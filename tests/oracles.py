"""Reference cells and sequences in NumPy float64, written from the papers as plain loops, without code of the package.

A step takes the parameters, a carry (always a tuple of vectors `(H,)`), one input `(I,)` and the gates
that are held fixed. It returns the new carry, the output and all gates by name. `sequence` runs a step
over `xs (B, T, I)` row by row, with lengths, mask, resets and direction as in the design.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Carry = tuple[Vector, ...]
Step = Callable[..., tuple[Carry, Vector, dict[str, Vector]]]


def sigmoid(a: Vector) -> Vector:
    return 1 / (1 + np.exp(-a))


def gru_step(
    params: Mapping[str, Any], carry: Carry, x: Vector, fixed: Mapping[str, Vector], reset: str
) -> tuple[Carry, Vector, dict[str, Vector]]:
    """Cho et al. 2014, equations 5 to 8 (reset="before"); cuDNN's guide, CUDNN_GRU ("after"); no reset gate ("none").

    r_j = sigma([W_r x]_j + [U_r h]_j), z_j likewise, h_j = z_j h_j + (1 - z_j) n_j.
    """
    (h,) = carry
    g = {}
    if reset != "none":
        g["r"] = fixed.get("r", sigmoid(params["W_r"].T @ x + params["U_r"].T @ h + params["b_r"]))
    g["z"] = fixed.get("z", sigmoid(params["W_z"].T @ x + params["U_z"].T @ h + params["b_z"]))
    if reset == "before":
        from_state = params["U_n"].T @ (g["r"] * h)
    elif reset == "after":
        from_state = g["r"] * (params["U_n"].T @ h + params["c_n"])
    else:
        from_state = params["U_n"].T @ h
    g["n"] = fixed.get("n", np.tanh(params["W_n"].T @ x + from_state + params["b_n"]))
    h = g["z"] * h + (1 - g["z"]) * g["n"]
    return (h,), h, g


def lstm_step(
    params: Mapping[str, Any], carry: Carry, x: Vector, fixed: Mapping[str, Vector], peepholes: bool
) -> tuple[Carry, Vector, dict[str, Vector]]:
    """Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; peepholes of Gers et al. 2002."""
    c_prev, h_prev = carry

    def net(gate: str) -> Vector:
        return params["W_" + gate].T @ x + params["U_" + gate].T @ h_prev + params["b_" + gate]

    def peep(gate: str, c: Vector) -> Vector:
        return params["p_" + gate] * c if peepholes else np.zeros_like(c)

    i = fixed.get("i", sigmoid(net("i") + peep("i", c_prev)))
    f = fixed.get("f", sigmoid(net("f") + peep("f", c_prev)))
    g = fixed.get("g", np.tanh(net("g")))
    c = f * c_prev + i * g
    o = fixed.get("o", sigmoid(net("o") + peep("o", c)))
    h = o * np.tanh(c)
    return (c, h), h, {"i": i, "f": f, "g": g, "o": o}


def elman_step(
    params: Mapping[str, Any], carry: Carry, x: Vector, fixed: Mapping[str, Vector], activation: str
) -> tuple[Carry, Vector, dict[str, Vector]]:
    """Elman 1990: the new state is a function of the input and the old state."""
    net = params["W_h"].T @ x + params["U_h"].T @ carry[0] + params["b_h"]
    h = fixed.get("h", np.tanh(net) if activation == "tanh" else np.where(net > 0, net, 0.0))
    return (h,), h, {"h": h}


def mgu_step(
    params: Mapping[str, Any], carry: Carry, x: Vector, fixed: Mapping[str, Vector], reset: str, keep: str
) -> tuple[Carry, Vector, dict[str, Vector]]:
    """Zhou et al. 2016, equations 11 to 13 (reset="before", keep="1-f"); Flax's MGUCell (keep="f")."""
    (h,) = carry
    f = fixed.get("f", sigmoid(params["W_f"].T @ x + params["U_f"].T @ h + params["b_f"]))
    if reset == "before":
        from_state = params["U_n"].T @ (f * h)
    elif reset == "after":
        from_state = f * (params["U_n"].T @ h + params["c_n"])
    else:
        from_state = params["U_n"].T @ h
    n = fixed.get("n", np.tanh(params["W_n"].T @ x + from_state + params["b_n"]))
    h = f * h + (1 - f) * n if keep == "f" else (1 - f) * h + f * n
    return (h,), h, {"f": f, "n": n}


def min_gru_step(
    params: Mapping[str, Any], carry: Carry, x: Vector, fixed: Mapping[str, Vector]
) -> tuple[Carry, Vector, dict[str, Vector]]:
    """Feng et al. 2024, section 3.1, with z as the weight of the old state."""
    z = fixed.get("z", sigmoid(params["W_z"].T @ x + params["b_z"]))
    n = fixed.get("n", params["W_n"].T @ x + params["b_n"])
    h = z * carry[0] + (1 - z) * n
    return (h,), h, {"z": z, "n": n}


def min_lstm_step(
    params: Mapping[str, Any], carry: Carry, x: Vector, fixed: Mapping[str, Vector]
) -> tuple[Carry, Vector, dict[str, Vector]]:
    """Feng et al. 2024, section 3.2, with the gates normalised to sum to 1."""
    i, f = (sigmoid(params["W_" + gate].T @ x + params["b_" + gate]) for gate in "if")
    i, f = fixed.get("i", i / (f + i)), fixed.get("f", f / (f + i))
    g = fixed.get("g", params["W_g"].T @ x + params["b_g"])
    h = f * carry[0] + i * g
    return (h,), h, {"i": i, "f": f, "g": g}


def block_gru_step(
    params: Mapping[str, Any], carry: Carry, x: Vector, fixed: Mapping[str, Vector], reset: str
) -> tuple[Carry, Vector, dict[str, Vector]]:
    """The GRU with its blocks expanded to kernels (H, H)."""
    dense = {key: scipy.linalg.block_diag(*a) if key.startswith("U_") else a for key, a in params.items()}
    return gru_step(dense, carry, x, fixed, reset)


def layer_norm(a: Vector) -> Vector:
    """Ba, Kiros and Hinton 2016, equation 4, with 1e-5 under the root, as in their code."""
    return (a - np.mean(a)) / np.sqrt(np.var(a) + 1e-5)


def stacked(params: Mapping[str, Any], matrix: str, gain: str, gates: str, a: Vector) -> dict[str, Vector]:
    """Returns `gain * LN(a W)` by gate, computed with the gates' kernels concatenated, as in the papers."""
    kernel = np.concatenate([params[f"{matrix}_{gate}"] for gate in gates], 1)
    gains = np.concatenate([params[f"{gain}_{gate}"] for gate in gates])
    return dict(zip(gates, np.split(gains * layer_norm(kernel.T @ a), len(gates)), strict=True))


def layer_norm_gru_step(
    params: Mapping[str, Any], carry: Carry, x: Vector, fixed: Mapping[str, Vector]
) -> tuple[Carry, Vector, dict[str, Vector]]:
    """Ba et al. 2016, supplement, GRU: r and z stacked, the candidate separate, reset after the product."""
    (h,) = carry
    from_x = stacked(params, "W", "alpha", "rz", x) | stacked(params, "W", "alpha", "n", x)
    from_h = stacked(params, "U", "gamma", "rz", h) | stacked(params, "U", "gamma", "n", h)
    r, z = (fixed.get(gate, sigmoid(from_x[gate] + from_h[gate] + params["b_" + gate])) for gate in "rz")
    n = fixed.get("n", np.tanh(from_x["n"] + params["b_n"] + r * (from_h["n"] + params["c_n"])))
    h = z * h + (1 - z) * n
    return (h,), h, {"r": r, "z": z, "n": n}


def layer_norm_lstm_step(
    params: Mapping[str, Any], carry: Carry, x: Vector, fixed: Mapping[str, Vector]
) -> tuple[Carry, Vector, dict[str, Vector]]:
    """Ba et al. 2016, supplement, LSTM: normalises all four gates stacked, and the cell state before h."""
    c_prev, h_prev = carry
    from_x, from_h = stacked(params, "W", "alpha", "ifgo", x), stacked(params, "U", "gamma", "ifgo", h_prev)
    net = {gate: from_x[gate] + from_h[gate] + params["b_" + gate] for gate in "ifgo"}
    i, f, o = (fixed.get(gate, sigmoid(net[gate])) for gate in "ifo")
    g = fixed.get("g", np.tanh(net["g"]))
    c = f * c_prev + i * g
    m = fixed.get("m", params["alpha_m"] * layer_norm(c) + params["b_m"])
    h = o * np.tanh(m)
    return (c, h), h, {"i": i, "f": f, "g": g, "o": o, "m": m}


class Variant(NamedTuple):
    """A cell of `gru_research`, by name and options, and the oracle step that it must equal.

    `recurrent` is the shape of `U_g`: "full", "blocks" (with the option `heads`) or "none".
    `vectors` are the parameters `(H,)` besides the gates' biases. Gates in `without_kernels` have no W and U.
    """

    kind: str
    options: dict[str, Any]
    step: Step
    gates: str
    states: tuple[str, ...]
    recurrent: str = "full"
    vectors: tuple[str, ...] = ()
    without_kernels: str = ""


def _gru(reset: str) -> Variant:
    gates = "zn" if reset == "none" else "rzn"
    step, vectors = functools.partial(gru_step, reset=reset), ("c_n",) if reset == "after" else ()
    return Variant("GRU", {"reset": reset}, step, gates, ("h_0",), vectors=vectors)


def _lstm(peepholes: bool) -> Variant:
    step = functools.partial(lstm_step, peepholes=peepholes)
    vectors = ("p_i", "p_f", "p_o") if peepholes else ()
    return Variant("LSTM", {"peepholes": peepholes}, step, "ifgo", ("c_0", "h_0"), vectors=vectors)


def _elman(activation: str) -> Variant:
    step = functools.partial(elman_step, activation=activation)
    return Variant("VanillaRNN", {"activation": activation}, step, "h", ("h_0",))


def _mgu(reset: str, keep: str) -> Variant:
    step = functools.partial(mgu_step, reset=reset, keep=keep)
    return Variant(
        "MGU", {"reset": reset, "keep": keep}, step, "fn", ("h_0",), vectors=("c_n",) if reset == "after" else ()
    )


def _block_gru(reset: str, heads: int) -> Variant:
    step = functools.partial(block_gru_step, reset=reset)
    return Variant(
        "BlockGRU",
        {"reset": reset, "heads": heads},
        step,
        "rzn",
        ("h_0",),
        "blocks",
        ("c_n",) if reset == "after" else (),
    )


def _gains(gates: str) -> tuple[str, ...]:
    return tuple(f"{gain}_{gate}" for gate in gates for gain in ("alpha", "gamma"))


VARIANTS = {
    "gru_after": _gru("after"),
    "gru_before": _gru("before"),
    "gru_none": _gru("none"),
    "lstm": _lstm(False),
    "lstm_peepholes": _lstm(True),
    "rnn_tanh": _elman("tanh"),
    "rnn_relu": _elman("relu"),
    "mgu_after": _mgu("after", "f"),
    "mgu_before": _mgu("before", "1-f"),
    "block_gru": _block_gru("after", 5),
    "min_gru": Variant("MinGRU", {}, min_gru_step, "zn", ("h_0",), "none"),
    "min_lstm": Variant("MinLSTM", {}, min_lstm_step, "ifg", ("h_0",), "none"),
    "layer_norm_gru": Variant(
        "LayerNormGRU", {}, layer_norm_gru_step, "rzn", ("h_0",), vectors=("c_n", *_gains("rzn"))
    ),
    "layer_norm_lstm": Variant(
        "LayerNormLSTM",
        {},
        layer_norm_lstm_step,
        "ifgom",
        ("c_0", "h_0"),
        vectors=("alpha_m", *_gains("ifgo")),
        without_kernels="m",
    ),
}


def parameters(name: str, input_size: int, hidden_size: int, seed: int = 0, learned: bool = False) -> dict[str, Any]:
    """Returns random float64 parameters of a variant, no entry 0, in our layout. `learned` adds the carry."""
    variant = VARIANTS[name]
    shapes: dict[str, tuple[int, ...]] = {}
    for gate in variant.gates:
        if gate not in variant.without_kernels:
            shapes |= {f"W_{gate}": (input_size, hidden_size), f"U_{gate}": (hidden_size, hidden_size)}
        shapes[f"b_{gate}"] = (hidden_size,)
        if variant.recurrent == "blocks":
            heads = variant.options["heads"]
            shapes[f"U_{gate}"] = (heads, hidden_size // heads, hidden_size // heads)
        elif variant.recurrent == "none":
            del shapes[f"U_{gate}"]
    shapes |= {name: (hidden_size,) for name in variant.vectors}
    if learned:
        shapes |= {state: (hidden_size,) for state in variant.states}
    rng = np.random.default_rng(seed)
    return {key: rng.normal(0, 0.6, shape) for key, shape in shapes.items()}


def first_carry(name: str, params: Mapping[str, Any]) -> Carry:
    """Returns a segment's initial carry: the learned carry, or zeros."""
    size = next(value for key, value in params.items() if key.startswith("b_")).shape
    return tuple(params.get(state, np.zeros(size)) for state in VARIANTS[name].states)


def random_carry(name: str, batch: tuple[int, ...], hidden_size: int, seed: int = 1) -> Carry:
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(0, 0.8, (*batch, hidden_size)) for _ in VARIANTS[name].states)


def pack(carry: Carry) -> Any:
    """Returns a carry in the form of `gru_research`: a tuple, or the array itself if there is only one."""
    return carry if len(carry) > 1 else carry[0]


def sequence(
    name: str,
    params: Mapping[str, Any],
    xs: NDArray[Any],
    *,
    initial_carry: Carry | None = None,
    lengths: NDArray[Any] | None = None,
    mask: NDArray[Any] | None = None,
    resets: NDArray[Any] | None = None,
    reverse: bool = False,
) -> tuple[Carry, NDArray[Any], dict[str, NDArray[Any]]]:
    """Returns a variant's final carry (arrays `(B, H)`), outputs and gates `(B, T, H)` over `xs (B, T, I)`."""
    step, first = VARIANTS[name].step, first_carry(name, params)
    batch, time, _ = xs.shape
    ys = np.zeros((batch, time, first[0].size))
    gates = {gate: np.zeros_like(ys) for gate in VARIANTS[name].gates}
    finals = []
    for b in range(batch):
        carry = first if initial_carry is None else tuple(part[b] for part in initial_carry)
        order: Iterable[int] = reversed(range(time)) if reverse else range(time)
        for t in order:
            new_segment = resets is not None and resets[b, t]
            if new_segment and not reverse:
                carry = first
            real = (lengths is None or t < lengths[b]) and (mask is None or mask[b, t])
            if real:
                carry, ys[b, t], g = step(params, carry, xs[b, t], {})
                for gate, value in g.items():
                    gates[gate][b, t] = value
            if new_segment and reverse and t > 0:
                carry = first
        finals.append(carry)
    return tuple(np.stack(parts) for parts in zip(*finals, strict=True)), ys, gates

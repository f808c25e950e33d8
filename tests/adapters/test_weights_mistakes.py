"""What doesn't fit is refused by name, all of it at once, and what can't be represented says why."""

import types
from typing import Any

import jax
import numpy as np
import pytest

import gru_research as gr
from gru_research.adapters.weights import from_library, to_library
from tests.adapters.peers import ours
from tests.faults import fault, seen

GRU = gr.GRU(2)


def torch_gru(**changes: Any) -> dict[str, Any]:
    weights = to_library("torch.GRU", GRU, ours("torch.GRU", 3, 2, "float32"))
    return {k: v for k, v in (weights | changes).items() if v is not None}


def assert_says(caught: Any, *parts: str) -> None:
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message


@fault("weights", "names, shapes and types that don't fit")
def test_everything_amiss_is_named_at_once_with_the_nearest_name() -> None:
    weights = torch_gru(weight_ih_l0=None, weight_ihl0=np.zeros((6, 3)), bias_hh_l0=np.zeros(4), head=np.zeros(1))
    weights["bias_ih_l0"] = np.arange(6)
    with pytest.raises(ValueError, match=r"don't fit torch\.GRU") as caught:
        from_library("torch.GRU", GRU, weights)
    assert_says(
        caught,
        "weight_ih_l0 is missing (nearest: weight_ihl0)",
        "weight_ihl0 is left over (nearest: weight_ih_l0)",
        "head is left over",
        "bias_hh_l0 has the shape (4,), not (6,)",
        "bias_ih_l0 has the type int",
    )
    seen(caught)


def test_the_nearest_name_shows_a_forgotten_prefix_and_a_forgotten_layer() -> None:
    weights = {f"encoder.{name}": array for name, array in torch_gru().items()}
    with pytest.raises(ValueError, match=r"weight_hh_l0 is missing \(nearest: encoder\.weight_hh_l0\)"):
        from_library("torch.GRU", GRU, weights)
    with pytest.raises(ValueError, match=r"decoder\.weight_hh_l0 is missing \(nearest: encoder\.weight_hh_l0\)"):
        from_library("torch.GRU", GRU, weights, prefix="decoder")
    with pytest.raises(ValueError, match=r"weight_hh_l1 is missing"):
        from_library("torch.GRU", [GRU, GRU], torch_gru())
    with pytest.raises(ValueError, match=r"weight_hh_l0 is left over \(nearest: weight_hh\)"):
        from_library("torch.GRUCell", GRU, torch_gru())


@pytest.mark.parametrize(
    ("name", "shape", "wanted"),
    [
        pytest.param("weight_ih_l0", (3, 6), "(6, 6)", marks=fault("weights", "a kernel that isn't transposed")),
        ("weight_ih_l0", (6,), "(6, I)"),
        ("weight_ih_l0", (6, 0), "(6, I)"),
        ("weight_hh_l0", (12, 4), "(6, 2)"),
        ("bias_hh_l0", (2, 6), "(6,)"),
    ],
)
def test_shapes(name: str, shape: tuple[int, ...], wanted: str) -> None:
    with pytest.raises(ValueError, match=name) as caught:
        from_library("torch.GRU", GRU, torch_gru(**{name: np.zeros(shape)}))
    assert_says(caught, f"{name} has the shape {shape}, not {wanted}")
    seen(caught)


def test_the_shape_of_a_kernel_for_input_and_state_together() -> None:
    weights = {"lstm/linear": {"w": np.zeros((2, 8)), "b": np.zeros(8)}}
    with pytest.raises(ValueError, match=r"lstm/linear/w has the shape \(2, 8\), not \(I \+ 2, 8\)"):
        from_library("haiku.LSTM", gr.LSTM(2), weights)


def test_an_upper_layer_reads_what_the_lower_gives() -> None:
    low, high = (ours("torch.GRU", size, 2, "float32") for size in (3, 3))
    with pytest.raises(ValueError, match=r"1\.W_r has the shape \(3, 2\), not \(2, 2\)"):
        to_library("torch.GRU", [GRU, GRU], [low, high])
    weights = torch_gru() | {name.replace("l0", "l1"): array for name, array in torch_gru().items()}
    with pytest.raises(ValueError, match=r"weight_ih_l1 has the shape \(6, 3\), not \(6, 2\)"):
        from_library("torch.GRU", [GRU, GRU], weights)


def test_what_numpy_cant_read_is_named() -> None:
    class Strange:
        def __array__(self, *args: Any, **kwargs: Any) -> Any:
            raise TypeError("no such type here")

    with pytest.raises(ValueError, match=r"bias_ih_l0 can't be read as a NumPy array \(no such type here\)"):
        from_library("torch.GRU", GRU, torch_gru(bias_ih_l0=Strange()))


def test_a_list_of_another_length_and_a_name_given_twice() -> None:
    with pytest.raises(ValueError, match=r"list of 2; keras\.GRU has 3 arrays: kernel, recurrent_kernel, bias"):
        from_library("keras.GRU", GRU, [np.zeros((3, 6)), np.zeros((2, 6))])
    with pytest.raises(ValueError, match=r"two entries for rnn\.bias_hh_l0"):
        from_library("torch.GRU", GRU, {"rnn.bias_hh_l0": np.zeros(6), "rnn": {"bias_hh_l0": np.zeros(6)}})


def test_parameters_of_ours_are_checked_too() -> None:
    params = ours("torch.GRU", 3, 2, "float32")
    params["b_hn"] = params.pop("c_n")
    params["U_z"] = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="the parameters don't fit") as caught:
        to_library("torch.GRU", GRU, params)
    assert_says(caught, "c_n is missing", "b_hn is left over", "U_z has the shape (2, 3), not (2, 2)")
    both = {"forward": GRU, "backward": GRU}
    with pytest.raises(ValueError, match="nothing at 0 backward"):
        to_library("torch.GRU", [both], [{"forward": ours("torch.GRU", 3, 2, "float32")}])
    with pytest.raises(ValueError, match="a mapping by name, not a list"):
        to_library("torch.GRU", GRU, [ours("torch.GRU", 3, 2, "float32")])


# Classes and cells


@pytest.mark.parametrize(
    ("layer", "cell", "parts"),
    [
        pytest.param(
            "torch.GUR",
            GRU,
            ("layer='torch.GUR'", "nearest: torch.GRU", "linen.GRUCell"),
            marks=fault("weights", "an unknown layer of a library"),
        ),
        ("flax.GRUCell", GRU, ("layer='flax.GRUCell'", "nnx.GRUCell", "equinox.LSTMCell")),
        pytest.param(
            "torch.GRU",
            gr.LSTM(2),
            ("cell=LSTM(", "what GRU does", "torch.LSTM", "haiku.LSTM"),
            marks=fault("weights", "a cell that computes something else"),
        ),
        ("torch.GRU", gr.GRU(2, reset="before"), ("reset='before'", "'after' only", "keras.GRU(reset_after=False)")),
        ("linen.GRUCell", gr.GRU(2, reset="none"), ("reset='none'", "none that is known")),
        ("haiku.GRU", GRU, ("reset='after'", "'before' only", "equinox.GRUCell")),
        ("haiku.VanillaRNN", gr.VanillaRNN(2), ("activation='tanh'", "'relu' only", "torch.RNN")),
        ("torch.RNN", gr.VanillaRNN(2, "silu"), ("activation='silu'", "'tanh' or 'relu' only", "keras.SimpleRNN")),
        ("torch.LSTM", gr.LSTM(2, gate="hard_sigmoid"), ("gate='hard_sigmoid'", "keras.LSTM", "nnx.LSTMCell")),
        ("torch.GRU", "gru", ("cell='gru'", "what GRU does")),
    ],
)
def test_a_class_that_computes_something_else(layer: str, cell: Any, parts: tuple[str, ...]) -> None:
    for function in (from_library, to_library):
        with pytest.raises(ValueError, match=r"=") as caught:
            function(layer, cell, {})
        assert_says(caught, *parts)
    seen(caught)


@pytest.mark.parametrize(
    ("layer", "cell", "name", "shown"),
    [
        pytest.param(
            "nnx.GRUCell",
            gr.GRU(2),
            "c_n",
            "nnx.GRUCell has no place for c_n, which must be 0 and has 0.5",
            marks=fault("weights", "a parameter that the other layer lacks"),
        ),
        ("torch.LSTM", gr.LSTM(2, peepholes=True), "p_f", "torch.LSTM has no place for p_f"),
        ("linen.GRUCell", gr.GRU(2, learn_initial_carry=True), "h_0", "linen.GRUCell has no place for h_0"),
    ],
)
def test_a_parameter_without_a_place_must_be_zero(layer: str, cell: Any, name: str, shown: str) -> None:
    shapes = jax.eval_shape(lambda: cell.init(jax.random.key(0), 3))
    params = {n: np.zeros(a.shape, np.float32) for n, a in shapes.items()}
    to_library(layer, cell, params)
    with pytest.raises(ValueError, match="no place") as caught:
        to_library(layer, cell, params | {name: np.array([0, -0.5], np.float32)})
    assert_says(caught, shown)
    seen(caught)


@pytest.mark.parametrize("layer", ["torch.GRU", "keras.GRU", "equinox.GRUCell"])
def test_biases_have_no_place_in_a_layer_without(layer: str) -> None:
    params = ours(layer, 3, 2, "float32")
    with pytest.raises(ValueError, match="no place for") as caught:
        to_library(layer, GRU, params, bias=False)
    assert_says(caught, *(f"no place for {name}" for name in ("b_r", "b_z", "b_n", "c_n")))
    kernels = {name: array for name, array in params.items() if name[0] in "WU"}
    zeros = {name: np.zeros_like(array) for name, array in params.items() if name not in kernels}
    weights = to_library(layer, GRU, kernels | zeros, bias=False)
    assert not [name for name in weights if "bias" in name]
    with pytest.raises(ValueError, match="needs bias=False"):
        from_library(layer, GRU, weights)
    with pytest.raises(ValueError, match="is left over"):
        from_library(layer, GRU, to_library(layer, GRU, params), bias=False)


@pytest.mark.parametrize("layer", ["linen.LSTMCell", "nnx.LSTMCell", "haiku.LSTM"])
def test_some_classes_always_have_biases(layer: str) -> None:
    for function in (from_library, to_library):
        with pytest.raises(ValueError, match=r"bias=False.*always has biases"):
            function(layer, gr.LSTM(2), {}, bias=False)


def test_haikus_parameters_stand_under_a_module() -> None:
    params = ours("haiku.GRU", 3, 2, "float32")
    with pytest.raises(ValueError, match="prefix='': the parameters of a Haiku module"):
        to_library("haiku.GRU", gr.GRU(2, reset="before"), params, prefix="")


# Layers and directions


def model(**fields: Any) -> Any:
    """What a layer of this package is to the functions: its fields."""
    return types.SimpleNamespace(**fields)


@pytest.mark.parametrize(
    ("layer", "cell", "part"),
    [
        ("torch.GRUCell", [GRU], "one layer in one direction"),
        ("keras.GRU", {"forward": GRU, "backward": GRU}, "one layer in one direction"),
        ("torch.GRU", [GRU, gr.GRU(3)], "one hidden_size"),
        ("torch.GRU", {"forward": GRU, "backward": gr.GRU(3)}, "one hidden_size"),
        ("torch.GRU", [GRU, {"forward": GRU, "backward": GRU}], "or all of a forward and a backward cell"),
        ("torch.GRU", {"forward": [GRU, GRU], "backward": [GRU, GRU]}, "or all of a forward and a backward cell"),
        ("torch.GRU", [[GRU], [GRU]], "layers of one cell each"),
        ("torch.GRU", {"forward": GRU}, "forward and backward, not forward"),
        ("torch.GRU", [GRU, gr.LSTM(2)], "what GRU does"),
        ("torch.GRU", [], "layers of one cell each"),
        ("torch.GRU", model(forward=GRU, backward=GRU, merge="sum"), "merge='sum'"),
        ("torch.GRU", model(cells=(model(forward=GRU, backward=GRU, merge="mean"),)), "merge='mean'"),
        ("torch.GRU", model(cells=(GRU, GRU), connections="residual"), "connections='residual'"),
    ],
)
def test_structures_that_a_library_has_not(layer: str, cell: Any, part: str) -> None:
    for function in (from_library, to_library):
        with pytest.raises(ValueError, match=r".") as caught:
            function(layer, cell, {})
        assert_says(caught, part)

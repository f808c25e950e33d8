"""What a user of PyTorch may have in hand: a module, its parameters, tensors in 16 bits, computed parameters."""

import re
import warnings
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.adapters.weights import from_library, to_library
from tests.adapters.peers import need
from tests.faults import fault, seen

I, H = 3, 4  # noqa: E741
CELL = gr.GRU(H)
XS: Any = np.random.default_rng(0).normal(size=(2, 5, I)).astype(np.float32)


@pytest.fixture
def torch() -> Any:
    return need("torch")


def gru(torch: Any, seed: int = 0, **options: Any) -> Any:
    torch.manual_seed(seed)
    return torch.nn.GRU(I, H, batch_first=True, **options)


def assert_computes_as(torch: Any, module: Any, params: Any, cell: Any = CELL) -> None:
    expected = module(torch.from_numpy(XS))[0].detach().numpy()
    _, ys = gr.unroll(cell, params, XS)
    assert ys is not None
    np.testing.assert_allclose(ys, expected, atol=1e-6)


HELD: dict[str, Callable[[Any], Any]] = {
    "state dict": lambda module: module.state_dict(),
    "named parameters": lambda module: dict(module.named_parameters()),
    "a list of parameters": lambda module: list(module.parameters()),
    "state dict with a gradient": lambda module: module.state_dict(keep_vars=True),
}


@pytest.mark.parametrize("held", HELD)
def test_parameters_with_a_gradient_are_taken(torch: Any, held: str) -> None:
    module = gru(torch)
    params = from_library("torch.GRU", CELL, HELD[held](module))
    assert_computes_as(torch, module, params)
    before = params["W_r"].copy()
    with torch.no_grad():
        module.weight_ih_l0.zero_()
    np.testing.assert_array_equal(params["W_r"], before)  # no view of the module's memory


@pytest.mark.parametrize("held", HELD)
def test_16_bits_are_taken_to_the_bit(torch: Any, held: str) -> None:
    for name in ("bfloat16", "float16", "float64"):
        module = gru(torch).to(getattr(torch, name))
        params = from_library("torch.GRU", CELL, HELD[held](module))
        wide = from_library("torch.GRU", CELL, {n: a.double().numpy() for n, a in module.state_dict().items()})
        for key, array in params.items():
            assert array.dtype == jnp.dtype(name)
            if key not in ("b_r", "b_z"):  # the sum of two biases, rounded to the type
                np.testing.assert_array_equal(array.astype(np.float64), wide[key])
            else:
                np.testing.assert_array_equal(array, wide[key].astype(array.dtype))


def test_a_module_in_place_of_its_weights_is_told_what_to_give(torch: Any) -> None:
    module = gru(torch)
    for given in (module, module.named_parameters()):
        with pytest.raises(TypeError, match=r"for torch\.GRU, module\.state_dict\(\)") as caught:
            from_library("torch.GRU", CELL, given)
        assert str(caught.value).startswith(f"weights is a {type(given).__name__}; it must be a mapping")
    with pytest.raises(ValueError, match=r"weight_hh_l0 can't be read as a NumPy array \(it is a GRU\)"):
        from_library("torch.GRU", CELL, {**module.state_dict(), "weight_hh_l0": module})


@pytest.mark.parametrize("layer", ["keras.GRU", "linen.GRUCell", "nnx.GRUCell", "equinox.GRUCell"])
def test_other_libraries_modules_too(layer: str) -> None:
    give = {
        "keras": "layer.get_weights()",
        "nnx": "nnx.state(module, nnx.Param)",
        "linen": "the variables",
        "equinox": "bias_n",
    }
    with pytest.raises(TypeError, match="weights is a object; it must be a mapping of arrays by name") as caught:
        from_library(layer, CELL, object())  # type: ignore[arg-type]
    assert give[layer.split(".")[0]] in str(caught.value)


@fault("weights", "a PyTorch layer without biases")
def test_a_layer_without_biases(torch: Any) -> None:
    module = gru(torch, bias=False)
    with pytest.raises(ValueError, match="bias_ih_l0 is missing") as caught:
        from_library("torch.GRU", CELL, module.state_dict())
    assert str(caught.value).endswith("needs bias=False: from_library('torch.GRU', ..., bias=False)")
    seen(caught)
    assert_computes_as(torch, module, from_library("torch.GRU", CELL, module.state_dict(), bias=False))


def old_weight_norm(torch: Any, module: Any) -> None:
    with warnings.catch_warnings(action="ignore"):  # PyTorch's, that there is a newer one
        torch.nn.utils.weight_norm(module, "weight_hh_l0")


COMPUTED: dict[str, Callable[[Any, Any], Any]] = {
    "weight norm": lambda torch, m: torch.nn.utils.parametrizations.weight_norm(m, "weight_hh_l0"),
    "spectral norm": lambda torch, m: torch.nn.utils.parametrizations.spectral_norm(m, "weight_hh_l0"),
    "old weight norm": old_weight_norm,
    "old spectral norm": lambda torch, m: torch.nn.utils.spectral_norm(m, "weight_hh_l0"),
    "pruning": lambda torch, m: torch.nn.utils.prune.random_unstructured(m, "weight_hh_l0", 0.5),
}


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(how, marks=fault("weights", "parametrised weights") if i == 0 else ())
        for i, how in enumerate(COMPUTED)
    ],
)
def test_computed_parameters_are_told_the_call_that_makes_them_plain(torch: Any, how: str) -> None:
    import torch.nn.utils.prune  # not imported by torch itself

    module = gru(torch)
    COMPUTED[how](torch, module)
    module.eval()
    model = torch.nn.ModuleDict({"rnn": module})
    with pytest.raises(ValueError, match="don't fit") as caught:
        from_library("torch.GRU", CELL, model.state_dict(), prefix="rnn")
    message = re.fullmatch(
        r"the weights don't fit torch\.GRU: rnn\.weight_hh_l0 is computed from others: first call (torch\..*)",
        str(caught.value),
    )
    assert message is not None
    seen(caught)
    eval(message[1], {"torch": torch, "module": module})
    assert_computes_as(torch, module, from_library("torch.GRU", CELL, model.state_dict(), prefix="rnn"))


def test_what_has_no_counterpart_says_so(torch: Any) -> None:
    lstm = torch.nn.LSTM(I, H, proj_size=2)
    with pytest.raises(ValueError, match=r"proj_size of torch\.LSTM has no counterpart here"):
        from_library("torch.LSTM", gr.LSTM(H), lstm.state_dict())
    state = gru(torch).state_dict()
    with pytest.raises(ValueError, match=r"weight_hh_l0 can't be read as a NumPy array \(.*to_dense"):
        from_library("torch.GRU", CELL, state | {"weight_hh_l0": state["weight_hh_l0"].to_sparse()})
    with pytest.raises(ValueError, match="weight_hh_l0 has the type int8, which isn't floating-point"):
        from_library("torch.GRU", CELL, state | {"weight_hh_l0": state["weight_hh_l0"].to(torch.int8)})
    with pytest.raises(ValueError, match=r"weight_ih_l0 can't be read as a NumPy array \(.*meta") as caught:
        from_library("torch.GRU", CELL, torch.nn.GRU(I, H, device="meta").state_dict())
    assert "\n" not in str(caught.value)


def test_and_back(torch: Any) -> None:
    module, other = gru(torch), gru(torch, seed=1)
    weights = to_library("torch.GRU", CELL, from_library("torch.GRU", CELL, dict(module.named_parameters())))
    other.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    np.testing.assert_allclose(
        other(torch.from_numpy(XS))[0].detach().numpy(), module(torch.from_numpy(XS))[0].detach().numpy(), atol=1e-6
    )

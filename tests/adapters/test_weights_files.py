"""Safetensors files: PyTorch's are read from end to end, ours are read by PyTorch, types and layouts are kept."""

import pickle
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import gru_research as gr
from gru_research.adapters.weights import from_library, load_safetensors, save_safetensors, to_library
from tests.adapters import peers
from tests.faults import fault, seen

I, H = 3, 4  # noqa: E741


def torch_and_its_files() -> tuple[Any, Any]:
    return peers.need("torch"), peers.need("safetensors.torch")


@pytest.mark.usefixtures("x64")
def test_a_model_saved_by_torch(tmp_path: Path) -> None:
    torch, files = torch_and_its_files()
    model = torch.nn.ModuleDict({"rnn": torch.nn.GRU(I, H, batch_first=True), "head": torch.nn.Linear(H, 2)}).double()
    files.save_model(model, str(tmp_path / "model.safetensors"))
    weights = load_safetensors(tmp_path / "model.safetensors")
    cell = gr.GRU(H)
    params = from_library("torch.GRU", cell, weights, prefix="rnn")
    xs = np.random.default_rng(0).normal(size=(2, 3, I))
    with torch.no_grad():
        expected, state = model["rnn"](torch.from_numpy(xs))
    final, ys = gr.unroll(cell, params, jnp.asarray(xs))
    np.testing.assert_allclose(ys, expected.numpy(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(final, state[0].numpy(), rtol=0, atol=1e-12)


@pytest.mark.usefixtures("x64")
def test_a_model_loaded_by_torch(tmp_path: Path) -> None:
    torch, files = torch_and_its_files()
    cell = gr.GRU(H, bias_init=gr.Constant(0.3), param_dtype="float64")
    params = cell.init(jax.random.key(0), I)
    save_safetensors(to_library("torch.GRU", cell, params), tmp_path / "gru.safetensors")
    module = torch.nn.GRU(I, H, batch_first=True, dtype=torch.float64)
    files.load_model(module, str(tmp_path / "gru.safetensors"))
    xs = np.random.default_rng(0).normal(size=(2, 3, I))
    with torch.no_grad():
        ys, _ = module(torch.from_numpy(xs))
    np.testing.assert_allclose(ys.numpy(), gr.unroll(cell, params, jnp.asarray(xs))[1], rtol=0, atol=1e-12)


def test_torchs_bfloat16_which_numpy_lacks(tmp_path: Path) -> None:
    torch, files = torch_and_its_files()
    module = torch.nn.LSTM(I, H, dtype=torch.bfloat16)
    files.save_model(module, str(tmp_path / "lstm.safetensors"))
    weights = load_safetensors(tmp_path / "lstm.safetensors")
    assert {a.dtype for a in weights.values()} == {np.dtype(ml_dtypes.bfloat16)}
    for name, tensor in module.state_dict().items():
        np.testing.assert_array_equal(weights[name].astype(np.float32), tensor.float().numpy())
    params = from_library("torch.LSTM", gr.LSTM(H), weights)
    assert {a.dtype for a in params.values()} == {np.dtype(ml_dtypes.bfloat16)}
    direct = from_library("torch.LSTM", gr.LSTM(H), module.state_dict())
    assert set(direct) == set(params)
    for name, array in params.items():
        np.testing.assert_array_equal(direct[name], array)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_types_and_values_are_kept_whatever_lies_in_memory(tmp_path: Path, dtype: str) -> None:
    peers.need("safetensors")
    array = np.arange(6).reshape(2, 3).astype(jnp.dtype(dtype))
    saved = {"plain": array, "transposed": array.T, "strided": array[:, ::2], "empty": array[:0]}
    saved_jax = {"jax": jnp.asarray(array)} if dtype != "float64" else {}
    save_safetensors(saved | saved_jax, tmp_path / "a.safetensors")
    loaded = load_safetensors(tmp_path / "a.safetensors")
    assert set(loaded) == set(saved | saved_jax)
    for name, value in (saved | saved_jax).items():
        assert loaded[name].dtype == jnp.dtype(dtype)
        np.testing.assert_array_equal(loaded[name], value)


@fault("weights", "a nested mapping instead of a flat one")
def test_a_nested_mapping_is_refused(tmp_path: Path) -> None:
    weights = {"ir": {"kernel": np.zeros((2, 2))}, "bias": np.zeros(2)}
    with pytest.raises(ValueError, match="more than arrays under ir") as caught:
        save_safetensors(weights, tmp_path / "a.safetensors")
    seen(caught)
    assert not list(tmp_path.iterdir())


@fault("weights", "safetensors not installed")
def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for call in (lambda: load_safetensors(tmp_path / "a"), lambda: save_safetensors({}, tmp_path / "a")):
        with pytest.raises(ImportError, match=r"gru_research\[safetensors\]") as caught:
            call()
    seen(caught)


@fault(
    "weights",
    "a safetensors file that was cut short",
    "a safetensors file whose header is damaged",
    "a pickle instead of safetensors",
)
def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    peers.need("safetensors")
    path = tmp_path / "a.safetensors"
    save_safetensors({"x": np.ones(100)}, path)
    whole = path.read_bytes()
    for content in (whole[:-9], b"\xff" * 8 + whole[8:], pickle.dumps({"x": np.ones(3)})):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"a.safetensors can't be read as a safetensors file \(") as caught:
            load_safetensors(path)
        seen(caught)


def test_texts_beside_the_weights_are_written_too(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors")
    save_safetensors({"x": np.ones(2)}, tmp_path / "a.safetensors", metadata={"cell": "gru"})
    with safetensors.safe_open(tmp_path / "a.safetensors", "np") as file:
        assert file.metadata() == {"cell": "gru"} and file.get_tensor("x").tolist() == [1, 1]

"""Converts a user's weights to NumPy, PyTorch tensors included, and names the calls that return a layer's weights.

PyTorch isn't imported here: a user with a tensor has already imported it.
"""

from collections.abc import Collection
from typing import Any

import jax.numpy as jnp
import numpy as np

from .weight_mapping import Parts

GIVE = {
    "torch": "module.state_dict()",
    "keras": "layer.get_weights()",
    "linen": "the variables that init returned",
    "nnx": "nnx.state(module, nnx.Param)",
    "haiku": "the parameters that init returned",
    "equinox": "a dict of module.weight_ih, module.weight_hh, module.bias and, for a GRUCell, module.bias_n",
}
"""The expression for a layer's weights in each library."""
NUMPY_FLOATS = ("float16", "float32", "float64")


def as_numpy(value: Any) -> np.ndarray:
    """Returns `value` as a NumPy array of its own type, without a tensor's gradient and device.

    Raises TypeError, ValueError or RuntimeError if it isn't an array.
    """
    if not any((kind.__module__, kind.__name__) == ("torch", "Tensor") for kind in type(value).__mro__):
        array = np.asarray(value)
        if array.dtype == object:
            raise TypeError(f"it is a {type(value).__name__}")
        return array
    tensor = value.detach().cpu()
    name = str(tensor.dtype).removeprefix("torch.")
    if tensor.dtype.is_floating_point and name not in NUMPY_FLOATS:
        return tensor.float().numpy().astype(jnp.dtype(name))  # bfloat16 and narrower are exact in float32
    return tensor.numpy()


def wrong_type_message(layer: str, weights: Any) -> str:
    """Returns the message for `weights` that are neither a mapping nor a list."""
    return (
        f"weights is a {type(weights).__name__}; it must be a mapping of arrays by name, or a list in the library's "
        f"order: for {layer}, {GIVE[layer.split('.')[0]]}"
    )


def undo_call(name: Parts, given: Collection[Parts]) -> str | None:
    """Returns the call after which PyTorch stores `name` instead of computing it from tensors in `given`, or None."""
    module, last = name[:-1], name[-1]

    def there(*endings: str) -> bool:
        return all((*module, last + ending) in given for ending in endings)

    inside = (*module, "parametrizations", last)
    if any(other[: len(inside)] == inside for other in given):
        return f"torch.nn.utils.parametrize.remove_parametrizations(module, {last!r})"
    if there("_g", "_v"):
        return f"torch.nn.utils.remove_weight_norm(module, {last!r})"
    if there("_orig", "_mask"):
        return f"torch.nn.utils.prune.remove(module, {last!r})"
    return f"torch.nn.utils.remove_spectral_norm(module, {last!r})" if there("_orig", "_u") else None


def belongs(other: Parts, name: Parts) -> bool:
    """Returns whether PyTorch computes the parameter `name` from the tensor `other`, as recognised by `undo_call`."""
    module, last = name[:-1], name[-1]
    inside = (*module, "parametrizations", last)
    return other[: len(inside)] == inside or other in {
        (*module, last + end) for end in ("_g", "_v", "_orig", "_mask", "_u")
    }

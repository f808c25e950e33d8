"""The dimension key and the array aliases that every signature uses.

One letter names one dimension everywhere. Inside a function a suffix gives the shape of an array (`h_BH`, `xs_TBI`). A
new letter is declared here first.

    B  batch            T  time             I  input features    H  hidden units
    L  layers           C  classes/outputs  V  vocabulary        S  seeds
    K  beams            N  tokens of an answer, at most
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import jax
import numpy as np

Array: TypeAlias = jax.Array
ArrayLike: TypeAlias = jax.Array | np.ndarray
PRNGKey: TypeAlias = jax.Array
DType: TypeAlias = Any
Params: TypeAlias = Mapping[str, Any]
"""A pytree of arrays."""
Carry: TypeAlias = Any
"""The state that a cell carries from step to step: `h [..., H]`, or `(c, h)` for an LSTM."""
Batch: TypeAlias = Mapping[str, Any]
"""Arrays by name with a leading batch axis: `inputs`, `targets` and others that a task needs."""

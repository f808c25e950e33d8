"""The dimension key and the array aliases that every signature uses.

One letter names one dimension everywhere. Inside a function a suffix gives the shape of an array (`h_BH`, `xs_TBI`).
Declare a new letter here first.

    B  batch            T  time             I  input features    H  hidden units
    L  layers           C  classes/outputs  V  vocabulary        S  seeds
    K  beams            N  largest number of tokens of an answer
    U  steps forecast, or targets in one stream     Q  quantile levels
    R  answers of one stream                        G  generated words
    A  attention
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import jax
import numpy as np

Array: TypeAlias = jax.Array
ArrayLike: TypeAlias = jax.Array | np.ndarray
PRNGKey: TypeAlias = jax.Array
DType: TypeAlias = Any
Arrays: TypeAlias = Mapping[str, Array]
"""Arrays by name, such as the gates of a cell."""
Params: TypeAlias = Mapping[str, Any]
"""A pytree of arrays."""
Carry: TypeAlias = Any
"""The state that a cell carries from step to step: `h [..., H]`, or `(c, h)` for an LSTM."""
Batch: TypeAlias = Mapping[str, Any]
"""Arrays by name with a leading batch axis: `inputs`, `targets` and what else a task needs."""

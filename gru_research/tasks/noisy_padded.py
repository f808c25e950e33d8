"""Noise-padded sequences, generated, after noise-padded CIFAR-10 (Chang et al. 2019, arXiv 1902.09689, section 5.3)."""

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.spec import Spec
from gru_research.types import Batch, PRNGKey

from .base import ACCURACY, Generated, Task, check_at_least, check_share, class_loss


def prototypes(classes: int, signal: int, features: int) -> np.ndarray:
    """Returns prototypes `[C, signal, features]` float32. Over the classes, each number has mean 0 and variance 1.

    They are the same on every machine, because NumPy guarantees RandomState's stream.
    """
    drawn = np.random.RandomState(0).standard_normal((classes, signal, features))
    return ((drawn - drawn.mean(0)) / drawn.std(0)).astype(np.float32)


def noisy_padded(
    length: int = 100,
    signal: int = 8,
    features: int = 8,
    classes: int = 10,
    noise: float = 1.0,
    validation_size: int = 1000,
    test_size: int = 5000,
    threshold: float = 0.9,
) -> Task:
    """Classify the pattern in the first `signal` steps, which are followed by noise.

    The class is uniform. The first `signal` of `length` steps, of `features` numbers each, are the class's fixed
    prototype (see `prototypes`) plus Gaussian noise of standard deviation `noise`, divided by sqrt(1 + noise ** 2).
    The later steps are standard Gaussian noise, drawn for each sequence. Each number of each step therefore has mean 0
    and variance 1: its scale doesn't distinguish signal from padding. The answer is given after the last step.

    Two prototypes are about sqrt(2 signal features) apart. With 8 x 8 numbers and a noise of 1, the nearest prototype
    is wrong less than once in 100,000. With few numbers or much noise the threshold can be out of reach.
    The source pads the 32 rows of a CIFAR-10 image with noise to 1000 steps: an LSTM reached 11.6 %, a gated
    antisymmetric RNN 54.7 % (its table 2). The patterns here are easy to recognise, so the task tests memory alone.
    """
    check_at_least(1, signal=signal, features=features)
    check_at_least(2, classes=classes)
    if length < signal:
        raise ValueError(f"length={length!r} must be at least signal={signal!r}")
    if not 0 <= noise < float("inf"):
        raise ValueError(f"noise={noise!r} must be at least 0 and finite")
    check_share("threshold", threshold)
    patterns = prototypes(classes, signal, features)
    scale = (1 + noise**2) ** -0.5

    def make(key: PRNGKey, batch_size: int) -> Batch:
        """Returns `inputs [B, T, I]`, `targets [B]`."""
        classes_key, noise_key = jax.random.split(key)
        targets_B = jax.random.randint(classes_key, (batch_size,), 0, classes, jnp.int32)
        inputs_BTI = jax.random.normal(noise_key, (batch_size, length, features))
        shown = scale * (jnp.asarray(patterns)[targets_B] + noise * inputs_BTI[:, :signal])
        return {"inputs": inputs_BTI.at[:, :signal].set(shown), "targets": targets_B}

    return Task(
        name="noisy_padded",
        data=Generated(make, validation_size, test_size),
        spec=Spec({"inputs": jax.ShapeDtypeStruct((length, features), jnp.float32)}, classes, "last"),
        loss=class_loss,
        metrics=ACCURACY,
        metric="accuracy",
        threshold=threshold,
        trivial={"always the same class": 1 / classes},
        length=length,
        scaling=f"The baseline is the same at every length; the class must survive length - {signal} steps of noise.",
    )

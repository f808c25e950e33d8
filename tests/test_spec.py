"""`Spec`, a model's view of a task, and its invalid values."""

import jax
import jax.numpy as jnp
import pytest

from gru_research.spec import Generation, Spec

INPUTS = {"inputs": jax.ShapeDtypeStruct((7, 2), jnp.float32)}
PAIR = {"inputs": jax.ShapeDtypeStruct((7,), jnp.int32), "targets": jax.ShapeDtypeStruct((5,), jnp.int32)}


@pytest.mark.parametrize(
    ("answers", "shape"), [("last", (3,)), ("mean", (3,)), ("every", (7, 3)), (None, None)], ids=str
)
def test_the_shape_of_outputs(answers: str | None, shape: tuple[int, ...] | None) -> None:
    assert Spec(INPUTS, 3, answers).output_shape() == shape  # pyright: ignore[reportArgumentType]


def test_generated_outputs_are_logits_of_each_target() -> None:
    assert Spec(PAIR, 9, "generated", 4, Generation(0, 1, 5)).output_shape() == (5, 9)


def test_what_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^answers='first' must be one of last, mean, every, generated, or None$"):
        Spec(INPUTS, 3, "first")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"^generation=None belongs to answers='generated', here 'generated'$"):
        Spec(PAIR, 9, "generated")
    with pytest.raises(ValueError, match="must have tokens below output_size=9"):
        Spec(PAIR, 9, "generated", 4, Generation(0, 9, 5))
    with pytest.raises(ValueError, match=r"^end=-1 must be a token: 0 or more$"):
        Generation(0, -1, 5)
    with pytest.raises(ValueError, match=r"^longest=0 must be at least 1$"):
        Generation(0, 1, 0)

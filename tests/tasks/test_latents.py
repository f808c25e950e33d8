"""A task's latent quantities, which a solver has to carry: at the last step they determine the target."""

import jax
import numpy as np
import pytest

from gru_research.tasks import TASKS


def batch_and_latents(name: str, **options: object) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    task = TASKS[name](**options)
    batch = jax.jit(task.data.make, static_argnums=1)(jax.random.key(0), 8)
    return (
        {field: np.asarray(a) for field, a in batch.items()},
        {field: np.asarray(a) for field, a in task.latents(batch).items()},
    )


@pytest.mark.parametrize(("name", "total"), [("adding", "running sum"), ("multiplication", "running product")])
def test_marked_numbers_are_gathered_where_they_are_marked(name: str, total: str) -> None:
    batch, latents = batch_and_latents(name, length=12)
    np.testing.assert_array_equal(latents["marker"].sum(-1), 2)
    np.testing.assert_allclose(latents[total][:, -1:], batch["targets"], rtol=1e-6)
    changes = np.diff(latents[total], axis=-1) != 0
    assert not (changes & (latents["marker"][:, 1:] == 0)).any()


@pytest.mark.parametrize(("name", "state"), [("parity", "parity so far"), ("cycle_navigation", "place so far")])
def test_a_language_s_state_at_a_string_s_end_is_its_class(name: str, state: str) -> None:
    batch, latents = batch_and_latents(name, length=9)
    ends = np.take_along_axis(latents[state], batch["lengths"][:, None] - 1, -1)[:, 0]
    np.testing.assert_array_equal(ends, batch["targets"])


def test_other_tasks_name_none() -> None:
    assert TASKS["copy_memory"]().latents is None

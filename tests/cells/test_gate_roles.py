"""The roles of cells' gates: `kept` is the derivative of the state by the previous state, with the gates held."""

import dataclasses
from typing import Any, ClassVar

import jax
import numpy as np
import pytest

import gru_research as gr
from gru_research.cells import CELLS
from gru_research.cells.gate_roles import gate_title, is_candidate, kept_share

H = 4
OPTIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "gru": ({}, {"reset": "before"}, {"update": "none"}),
    "lstm": ({}, {"peepholes": True}, {"without": "forget"}, {"without": "coupled"}),
    "mgu": ({}, {"keep": "1-f"}),
}


@pytest.mark.parametrize("name", CELLS)
def test_the_kept_share_is_the_derivative_of_the_state(name: str) -> None:
    for options in OPTIONS.get(name, ({},)):
        cell = CELLS[name](hidden_size=H, **options)
        params = cell.init(jax.random.key(0), 3)
        carry = jax.tree.map(lambda a: a + 0.3, cell.initial_carry(params, (2,)))
        g = cell.gates(params, carry, cell.project(params, jax.random.normal(jax.random.key(1), (2, 3))))
        state = (lambda carry: carry[0]) if isinstance(carry, tuple) else (lambda carry: carry)
        ones = jax.tree.map(np.ones_like, carry)
        expected = jax.jvp(lambda carry: state(cell.combine(carry, g)[0]), (carry,), (ones,))[1]  # noqa: B023
        kept = kept_share(cell, g)
        if kept is None:  # nothing of the old state is left but what the candidate reads
            assert (np.asarray(expected) == 0).all(), options
        else:
            np.testing.assert_allclose(kept, expected, rtol=1e-6, err_msg=f"{name} {options}")


@dataclasses.dataclass(frozen=True)
class Renamed(gr.MinGRU):
    """A cell that calls its candidate c."""

    gate_titles: ClassVar[dict[str, str]] = {"z": "keeping gate", "c": "proposal"}
    candidates: ClassVar[tuple[str, ...]] = ("c",)


def test_a_cell_declares_its_own_titles_and_candidates() -> None:
    assert gate_title(gr.GRU(H), "z") == "update gate z" and gate_title(Renamed(H), "z") == "keeping gate"
    assert gate_title(Renamed(H), "n") == "n"  # the name alone where it has no title
    assert is_candidate(gr.GRU(H), "n") and not is_candidate(gr.GRU(H), "z")
    assert is_candidate(Renamed(H), "c") and not is_candidate(Renamed(H), "n")

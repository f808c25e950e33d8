"""docs/migrating_from_flax.py runs, and prints what it says: the same losses from Flax's modules and ours."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest


def test_the_script_trains_both_to_the_same_losses(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[2] / "docs" / "migrating_from_flax.py"
    spec = importlib.util.spec_from_file_location("migrating_from_flax", path)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    results = script.main(["--steps=4", "--batch=4", "--time=6", "--hidden=5"])
    for theirs, ours in results.values():
        assert len(np.unique(theirs.losses)) == 4
        np.testing.assert_allclose(ours.losses, theirs.losses, atol=1e-6)
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]} == {"nnx", "linen"}

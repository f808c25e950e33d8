"""A real Slurm for all tests of this folder."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.crash_tests.local_slurm import LocalSlurm, missing
from experiments.slurm import jobs as slurm_jobs

ROOT = Path(__file__).parents[2]


def require_slurm() -> None:
    """Skips the test where there can be no Slurm; fails if REQUIRE_SLURM=1."""
    if reason := missing():
        if os.environ.get("REQUIRE_SLURM") == "1":
            pytest.fail(f"REQUIRE_SLURM=1, and {reason}")
        pytest.skip(reason)


@pytest.fixture(scope="session")
def running_slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSlurm]:
    require_slurm()
    running = LocalSlurm(tmp_path_factory.mktemp("slurm"))
    yield running
    running.stop()


@pytest.fixture
def slurm(running_slurm: LocalSlurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalSlurm]:
    """A real Slurm without jobs, which commands find in the environment and are quick to ask."""
    monkeypatch.setattr(slurm_jobs, "POLL_SECONDS", 0.3)
    monkeypatch.setenv("SLURM_CONF", str(running_slurm.conf))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield running_slurm
    for number, handler in before.items():
        signal.signal(number, handler)
    running_slurm.cancel_all()

"""The compilation cache persists between test runs, drops damaged entries and stays within its bound."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from jax._src.compilation_cache import compress_executable

from tests import compilation_cache

ROOT = Path(__file__).resolve().parents[1]


def entry(folder: Path, name: str, content: bytes | None = None) -> Path:
    path = folder / "version" / f"{name}-cache"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(compress_executable(os.urandom(1000)) if content is None else content)
    return path


def test_half_an_entry_is_deleted(tmp_path: Path) -> None:
    whole = entry(tmp_path, "whole")
    compilation_cache.clean(tmp_path)
    half = entry(tmp_path, "half", whole.read_bytes()[:-20])
    compilation_cache.clean(tmp_path)
    assert whole.exists() and not half.exists()


def test_entries_read_last_are_kept(tmp_path: Path) -> None:
    first, second, third = (entry(tmp_path, name) for name in "abc")
    compilation_cache.clean(tmp_path)  # which reads what is new
    for path, read in ((first, 30), (second, 10), (third, 20)):
        os.utime(path, (read, path.stat().st_mtime))
    compilation_cache.clean(tmp_path, limit=2500)
    assert first.exists() and not second.exists() and third.exists()
    compilation_cache.clean(tmp_path, limit=1500)
    assert first.exists() and not third.exists()


COUNTING = """
import sys, jax, jax.numpy as jnp
misses = []
jax.monitoring.register_event_listener(lambda event, **_: event.endswith("cache_misses") and misses.append(event))
print(jax.jit(lambda x: jnp.tanh(x) @ x.T)(jnp.ones((3, 7))).sum())
print(len(misses), file=sys.stderr)
"""


def test_a_second_process_compiles_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setattr(compilation_cache, "root", lambda: tmp_path)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    compilation_cache.use()
    folder = Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    assert folder == tmp_path / compilation_cache.version()
    misses, printed = [], []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", COUNTING], env=os.environ, cwd=ROOT, capture_output=True, check=True, text=True
        )
        printed.append(done.stdout)
        misses.append(int(done.stderr.split()[-1]))
    assert printed[0] == printed[1] and misses[0] > 0 and misses[1] == 0
    assert any("lambda" in path.name for path in folder.glob("*-cache"))

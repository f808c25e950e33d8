"""Stands where the package wandb would be found, and keeps what it is told."""

import types
from typing import Any


class Run:
    def __init__(self, calls: list[tuple[str, Any]], fails: str):
        self._calls, self._fails = calls, fails

    def _call(self, name: str, said: Any) -> None:
        if name == self._fails:
            raise ConnectionError(f"no network\nin {name}")
        self._calls.append((name, said))

    def define_metric(self, name: str, step_metric: str | None = None) -> None:
        self._call("define_metric", (name, step_metric))

    def log(self, values: dict[str, Any]) -> None:
        self._call("log", values)

    def finish(self, exit_code: int | None = None) -> None:
        self._call("finish", exit_code)


def wandb(calls: list[tuple[str, Any]], fails: str = "") -> types.ModuleType:
    """A module `wandb` whose run raises in the method that `fails` names."""
    module = types.ModuleType("wandb")

    def init(**said: Any) -> Run:
        run = Run(calls, fails)
        run._call("init", said)
        return run

    module.init = init  # pyright: ignore[reportAttributeAccessIssue]
    return module

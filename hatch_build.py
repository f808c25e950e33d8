"""Compiles the native CPU engine when a wheel is built, which `pip install` does too.

Without a compiler, or with one that fails, the wheel is pure Python and holds the reason: gru_research/native/build.py.
"""

import importlib.util
import platform
import re
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = "gru_research/native"


class Engine(BuildHookInterface):
    """An editable installation has the library in its checkout; a wheel is given it from a temporary folder."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build = _build_module(Path(self.root) / NATIVE / "build.py")
        if version == "editable":
            missing = build.build_or_say_why(Path(self.root) / NATIVE)
        else:
            self._folder = tempfile.TemporaryDirectory()  # until the wheel is written
            missing = build.build_or_say_why(Path(self._folder.name))
            for made in Path(self._folder.name).iterdir():
                build_data["force_include"][str(made)] = f"{NATIVE}/{made.name}"
            if missing is None:
                build_data["pure_python"] = False
                build_data["tag"] = f"py3-none-{_platform_tag()}"
        if missing is not None:
            self.app.display_warning(f"the native CPU engine is left out: {missing}")


def _build_module(path: Path) -> Any:
    # By its path: importing the package would import jax, which a build environment doesn't have.
    spec = importlib.util.spec_from_file_location("gru_research_native_build", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _platform_tag() -> str:
    name = sysconfig.get_platform()
    if sys.platform == "darwin":  # a Python for both of Apple's architectures; the library is for one, from macOS 11 on
        name = re.sub(r"macosx-.*", f"macosx-11.0-{platform.machine()}", name)
    return re.sub(r"[-.]", "_", name)

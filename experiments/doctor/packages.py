"""Checks Python, packages and extras against pyproject.toml, with the command that installs each.

The only package it imports is `packaging`, so that it can report others as missing.
"""

import platform
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from experiments.doctor.findings import Finding, Settings

ROOT = Path(__file__).parents[2]
INSTALL = "pip install -c constraints.txt"


def check(settings: Settings) -> list[Finding]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {})
    return [_python(project), *_required(project["dependencies"]), *(_extra(name, extras[name]) for name in extras)]


def _python(project: dict[str, Any]) -> Finding:
    version, bounds = platform.python_version(), project["requires-python"]
    if SpecifierSet(bounds).contains(version, prereleases=True):
        return Finding("ok", "Python", version)
    return Finding("problem", "Python", f"{version}, but {bounds} is needed", "make an environment with another Python")


def _required(texts: list[str]) -> list[Finding]:
    requirements = [Requirement(text) for text in texts]
    faults = {r.name: fault for r in requirements if (fault := fault_of(r))}
    good = [f"{r.name} {metadata.version(r.name)}" for r in requirements if r.name not in faults and _applies(r)]
    bad = [Finding("problem", "package", fault, f"{INSTALL} -e .") for fault in faults.values()]
    return [Finding("ok", "packages", ", ".join(good)), *bad]


def _extra(name: str, texts: list[str]) -> Finding:
    """A partly installed extra counts as missing; a wrong version is a warning."""
    requirements, command = [Requirement(text) for text in texts], f"{INSTALL} -e '.[{name}]'"
    faults = [fault for r in requirements if (fault := fault_of(r))]
    if not faults:
        own = [f"{r.name} {metadata.version(r.name)}" for r in requirements if not r.extras and _applies(r)]
        return Finding("ok", f"extra {name}", ", ".join(own) or "installed")
    missing = [fault for fault in faults if fault.endswith(_MISSING)]
    if missing:
        return Finding("optional", f"extra {name}", ", ".join(missing), command)
    return Finding("warning", f"extra {name}", ", ".join(faults), command)


_MISSING = " isn't installed"


def fault_of(requirement: Requirement) -> str | None:
    """Returns why a requirement, or one that its extras add, isn't met; None if it is."""
    if not _applies(requirement):
        return None
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name}{_MISSING}"
    if not requirement.specifier.contains(found, prereleases=True):
        return f"{requirement.name} {found} is installed, but {requirement.specifier} is needed"
    brought = [Requirement(text) for text in metadata.requires(requirement.name) or []] if requirement.extras else []
    for extra in requirement.extras:
        for inner in brought:
            of_extra = inner.marker and inner.marker.evaluate({"extra": extra}) and not _applies(inner)
            if of_extra and (fault := fault_of(Requirement(str(inner).split(";")[0]))):
                return fault
    return None


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})

"""Finds the object that a config names: a key of a literal dict, `path/to/file.py:Name`, or `module:Name`.

Naming a file or a module runs its code (docs/safety.md). A file is run once, and again after it has changed. Its
recorded check sum is computed from the bytes that are run. The file's folder is importable only while the file runs.
Modules imported from there are visible to that file alone, so files of the same name in two folders don't conflict.
"""

import contextlib
import hashlib
import importlib
import sys
import sysconfig
import traceback
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from gru_research.config import UserError, choose, split_own

T = TypeVar("T")
_OURS = str(Path(__file__).parent)
_PACKAGES = tuple(sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib"))
"""Folders of installed packages; their frames are left out of error descriptions."""
_LOADED: dict[str, tuple[types.ModuleType, dict[str, str]]] = {}
"""The module of each file by path, with the check sums of all files of its folder that were run."""


def find(field: str, name: str, known: Mapping[str, T]) -> T | Any:
    """Returns what a config's `field` names: one of `known`, or an attribute of a file or a module.

    Raises:
      UserError: there is no such name, file or module, or running it fails. The message has field, name and choices.
    """
    own = split_own(name)
    if own is None:
        return known[choose(field, name, [*known, "path/to/file.py:Name"])]
    place, wanted = own
    module = _of_file(field, name, Path(place))[0] if place.endswith(".py") else _of_module(field, name, place)
    if not hasattr(module, wanted):
        there = [key for key, value in vars(module).items() if _is_own(value, module)]
        has = f": it has {', '.join(there)}" if there else ""
        raise UserError(f"{field}={name!r}: {place} has no {wanted!r}{has}")
    return getattr(module, wanted)


def checksums(name: str) -> dict[str, str]:
    """Returns the sha256 of all files of a name's code by absolute path; empty for a key of a literal dict."""
    own = split_own(name)
    if own is None:
        return {}
    if own[0].endswith(".py"):
        return dict(_LOADED[own[0]][1])
    # The code of a module is all imported modules of its package.
    top = own[0].partition(".")[0]
    modules = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] == top]
    files = {file for module in modules if (file := _file_of(module))}
    return {file: file_sha256(Path(file)) for file in sorted(files) if not file.startswith((_OURS, *_PACKAGES))}


def changed_files(files: Mapping[str, str]) -> dict[str, str]:
    """Returns the files that differ from their check sums: "has changed" or "is gone", by path."""
    found = {}
    for file, known in files.items():
        try:
            if file_sha256(Path(file)) != known:
                found[file] = "has changed"
        except OSError:
            found[file] = "is gone"
    return found


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def file_sha256(file: Path) -> str:
    """Returns the sha256 of a file, which may be larger than memory."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def first_line(error: BaseException) -> str:
    """Returns the type of an error and the first line of its text."""
    return f"{type(error).__name__}: {_first_text(error)}"


def describe_error(error: BaseException) -> str:
    """Returns where in the user's code an error was raised, and its first line; errors of our checks have no place."""
    if isinstance(error, SyntaxError):
        return f"{Path(error.filename or '').name}, line {error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, ValueError) and frames and frames[-1].filename.startswith(_OURS):
        return _first_text(error)
    theirs = [f for f in frames if not f.filename.startswith((*_PACKAGES, "<"))]
    where = f"{Path(theirs[-1].filename).name}, line {theirs[-1].lineno}: " if theirs else ""
    return f"{where}{first_line(error)}"


def _first_text(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")


def _is_own(value: Any, module: types.ModuleType) -> bool:
    """Whether a module's value is a function or a class that the module defines."""
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _of_file(field: str, name: str, path: Path) -> tuple[types.ModuleType, dict[str, str]]:
    key = str(path)
    try:
        content = path.read_bytes()
    except OSError as e:
        why = "no such file" if isinstance(e, FileNotFoundError) else f"can't be read: {e.strerror}"
        raise UserError(f"{field}={name!r}: {path}: {why}") from e
    if key in _LOADED and not changed_files(_LOADED[key][1]):
        return _LOADED[key]
    module = types.ModuleType(f"{path.stem}_{sha256(key.encode())[:8]}")
    module.__file__ = key
    # Dataclasses and type hints look for their module there.
    sys.modules[module.__name__] = module
    try:
        with _importable(path.parent) as imported:
            exec(compile(content, key, "exec"), module.__dict__)
    except (Exception, SystemExit) as e:  # a user's file may raise anything; the user sees it
        del sys.modules[module.__name__]
        raise UserError(f"{field}={name!r}: the file can't be run ({describe_error(e)})") from e
    read = {key: sha256(content)} | {file: file_sha256(Path(file)) for file in imported}
    _LOADED[key] = module, read
    return _LOADED[key]


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[list[str]]:
    """Makes a folder importable, and collects the files of the modules imported from it.

    Modules that were imported from it before are removed during the block, so that files are read again, then restored.
    """
    imported: list[str] = []
    aside = {name: module for name, module in sys.modules.items() if _lies_in(name, module, folder)}
    for name in aside:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # no files are written to a user's folder
    try:
        yield imported
    finally:
        sys.dont_write_bytecode = writes
        sys.path.remove(str(folder))
        fresh = {name: module for name, module in sys.modules.items() if _lies_in(name, module, folder)}
        for name, module in fresh.items():
            del sys.modules[name]
            imported += filter(None, [_file_of(module)])
        sys.modules.update(aside)


def _lies_in(name: str, module: Any, folder: Path) -> bool:
    """Whether a module is the user's and located in `folder`; a package may have no file of its own."""
    if name.partition(".")[0] in ("__main__", "gru_research", "experiments", "tests") or module is None:
        return False
    # Read from __dict__: some modules, such as torch.classes, return something for any attribute.
    known = getattr(module, "__dict__", {})
    places = [_file_of(module) or "", *map(str, known.get("__path__") or ())]
    found = [place for place in places if place and not place.startswith((_OURS, *_PACKAGES))]
    return any(Path(place).is_relative_to(folder) for place in found)


def _file_of(module: Any) -> str | None:
    file = getattr(module, "__dict__", {}).get("__file__")
    return file if isinstance(file, str) else None


def _of_module(field: str, name: str, module: str) -> types.ModuleType:
    if module.partition(".")[0] in sys.stdlib_module_names:
        # A task is any function with options: another person's run could name one that executes commands.
        raise UserError(f"{field}={name!r} must be of a module of yours: {module} is Python's own")
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as e:
        # Otherwise the module exists, and an import inside it fails.
        if e.name and f"{module}.".startswith(f"{e.name}."):
            raise UserError(f"{field}={name!r} can't be found: there is no module {e.name!r}") from e
        raise UserError(f"{field}={name!r} can't be imported ({describe_error(e)})") from e
    except (Exception, SystemExit) as e:  # a user's module may raise anything; the user sees it
        raise UserError(f"{field}={name!r} can't be imported ({describe_error(e)})") from e

"""Reads config files named as `FILE.py[:variant,field=value]`; a mistake in one becomes a one-line error."""

import ast
import re
import runpy
import traceback
from pathlib import Path
from typing import Any

from gru_research.config import UserError


def split_spec(named: str, spec: str) -> tuple[str, str, list[str]]:
    """Splits `FILE.py:variant,field=value,...` into file, variant and fields; commas within brackets belong to a value.

    Raises:
      UserError: more than one variant; `named` is how the user named the config.
    """
    path, _, argument = spec.partition(":")
    parts = [part for part in re.split(r",(?![^(\[]*[)\]])", argument) if part]
    variants, fields = [part for part in parts if "=" not in part], [part for part in parts if "=" in part]
    if len(variants) > 1:
        raise UserError(f"{named} names {len(variants)} variants: one at most")
    return path, "".join(variants), fields


def literal(text: str) -> Any:
    """Parses a Python literal; any other text stays a text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"true": True, "false": False}.get(text, text)


def load(path: str, variant: str, named: str = "", among: str = "configs") -> Any:
    """Returns the ConfigDict of a config file; `named` is its flag. Raises UserError with the line of a mistake."""
    if not Path(path).is_file():
        known = ", ".join(sorted(str(p) for p in Path(among).glob("*.py")))
        raise UserError(f"{named}{path}: no such file" + (f"; there are {known}" if known else ""))
    try:
        get_config = runpy.run_path(path).get("get_config")
        if not callable(get_config):
            raise UserError(f"{path} has no function get_config")
        made: Any = get_config(variant) if variant else get_config()
    except UserError:
        raise
    except Exception as e:  # whatever a user's config raises is for the user to read
        raise UserError(_message(path, e)) from e
    if not hasattr(made, "to_dict"):
        raise UserError(f"get_config of {path} must return a ConfigDict, not {type(made).__name__}")
    return made


def _message(path: str, error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"{path}, line {error.lineno}: {error.msg}"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name == Path(path).name
    ]
    where = f", line {lines[-1]}" if lines else ""
    return str(error) if isinstance(error, ValueError) else f"{path}{where}: {type(error).__name__}: {error}"

"""Checks whether a directory is new or holds the requested run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gru_research import records
from gru_research.config import ExperimentConfig, UserError, experiment, to_mapping
from gru_research.run_files import LEARNED, VOCABULARIES
from gru_research.training.build import with_model_options

from .directory import SUBMISSIONS, check_files, differences
from .lock import FILE_NAME as LOCK_FILE

CONFIG_FILE = "config.json"
HARMLESS = ("only",)
"""Fields that choose which cells are trained, and don't change their numbers."""
IGNORED = ("trackers",)
"""Fields that change nothing in a run's records."""


def check_workdir(
    workdir: Path, config: ExperimentConfig, allow_change: bool = False, files: Mapping[str, str] | None = None
) -> records.Run | None:
    """Returns the directory's run of this config, finished or not; None where the directory is new or empty.

    Args:
      config: the requested config, or the run's own with its measured values.
      allow_change: lets fields differ that change no number.
      files: check sums of the user's own files by path, compared with the run's; None: no comparison.

    Raises:
      UserError: the directory holds something else, a run of another config, or a run of files that have changed.
    """
    path = workdir / records.FILE_NAME
    try:
        if workdir.exists() and not workdir.is_dir():
            raise UserError(f"workdir={str(workdir)!r} is a file: choose another")
        begun = path.is_file()
        names = {p.name for p in workdir.iterdir()} if workdir.is_dir() else set()
    except OSError as e:  # a name that is too long, or no permission
        raise UserError(f"workdir={str(workdir)!r} can't be read: {e.strerror}") from e
    if not begun:
        # A run that was killed before its header was written leaves only these files.
        whole = (CONFIG_FILE, VOCABULARIES, LEARNED)
        ours = {LOCK_FILE, *whole, *(f".{name}.new" for name in (*whole, records.FILE_NAME))}
        names -= {SUBMISSIONS}
        if not names or (LOCK_FILE in names and names <= ours):
            return None
        raise UserError(
            f"workdir={str(workdir)!r} holds something else: choose another, or leave --workdir out for a new one"
        )
    run = records.read(path)
    _check_config(workdir, run, config, allow_change)
    if files is not None:
        check_files(workdir, run.header.files, files)
    return run


def _check_config(workdir: Path, run: records.Run, config: ExperimentConfig, allow_change: bool) -> None:
    changed = changes(run, config)
    harmful = [name for name in changed if name.partition(".")[0] not in HARMLESS]
    said = "; ".join(f"{name} was {old!r}, now {new!r}" for name, (old, new) in changed.items())
    if changed and (harmful or not allow_change):
        hint = "choose another" if harmful else "--allow_config_change lets it go on with this one"
        raise UserError(f"workdir={str(workdir)!r} holds a run of another config ({said}): {hint}")


def changes(run: records.Run, config: ExperimentConfig) -> dict[str, tuple[Any, Any]]:
    """Returns the fields in which a config differs from a run's, by name, as (then, now). Fields added since then have
    their defaults; `IGNORED` fields are left out."""
    wanted = _completed(records.to_json(to_mapping(config)))
    there = [known for known in (run.header.asked, run.header.config) if known is not None]
    found = [differences(_completed(known), wanted) for known in there]
    return {name: values for name, values in min(found, key=len).items() if name not in IGNORED}


def _completed(mapping: Mapping[str, Any]) -> Any:
    """Adds the fields of later versions to a header's config; returns it unchanged where this version can't read it."""
    try:
        return records.to_json(to_mapping(with_model_options(experiment(mapping))))
    except UserError:
        return mapping

"""Functions that all launchers share: parsing of flags and configs, and error reports.

Exit status: 0 done, 1 a bug of this package (with a traceback), 2 a user's mistake or a full disk (one line on stderr),
130 after Ctrl-C, 143 after SIGTERM or SIGUSR2.
"""

import errno
import functools
import logging as std_logging
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import jax
import ml_collections
from absl import app, flags, logging
from ml_collections import config_flags

from experiments.cli import config_files, flag_help
from gru_research.config import ExperimentConfig, UserError, experiment, with_fields
from gru_research.full_disk import OF_THE_MACHINE
from gru_research.records import RecordsError


def launch(main: Callable[[], int | None], *, config: bool = False) -> NoReturn:
    """Parses the flags, runs `main()` and exits with its status; `config` adds the flag `--config`."""
    if config:
        config_flags.DEFINE_config_file(
            "config",
            None,
            "path of a config file, as configs/FILE.py[:variant,field=value]; --config.field=value overrides a field.",
            lock_config=False,
            accept_new_attributes=True,
        )
    _GIVEN[:] = sys.argv
    try:
        parse = functools.partial(_parse, doc=main.__globals__["__doc__"])
        app.run(lambda argv: main(), argv=sys.argv, flags_parser=parse)
    except (UserError, RecordsError) as e:
        print(f"error: {' '.join(str(e).split())}", file=sys.stderr)
        sys.exit(2)
    except OSError as e:
        if e.errno == errno.ENAMETOOLONG:
            print(f"error: {e.strerror}: {str(e.filename)[:100]}...", file=sys.stderr)
            sys.exit(2)
        if e.errno not in OF_THE_MACHINE:
            raise
        where = f" ({e.filename})" if e.filename else ""
        print(
            f"error: {e.strerror}{where}: everything written before is intact, and --workdir resumes from it",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except SystemExit as e:
        asked_for_help = any(re.fullmatch(r"--?help(full|xml)", a) for a in sys.argv[1:])
        sys.exit(0 if e.code == 1 and asked_for_help else e.code)
    raise AssertionError("app.run exits")


def command() -> list[str]:
    """Returns the words of this process's command as the user gave them, to be repeated in the checkout."""
    spec = sys.modules["__main__"].__spec__  # the module that `python -m` runs
    program, *arguments = _GIVEN or sys.argv
    return ["python", *(["-m", spec.name.removesuffix(".__main__")] if spec else [program]), *arguments]


_GIVEN: list[str] = []
"""`sys.argv`, before `_parse` changes it."""


def _without_orbax_s_own_words() -> None:
    """Silences Orbax's threads, which print long copies of errors that Orbax also raises."""
    logging.get_absl_logger().addFilter(lambda record: f"{os.sep}orbax{os.sep}" not in record.pathname)
    std_logging.getLogger("asyncio").addFilter(
        lambda record: "exception was never retrieved" not in record.getMessage()
    )
    sys.unraisablehook = _unraisable


def _unraisable(what: "sys.UnraisableHookArgs") -> None:
    """Drops tensorstore's errors from writes that end after Orbax has closed its event loop.

    Orbax closes it at the first failed write, whose error is raised.
    """
    if not (isinstance(what.exc_value, RuntimeError) and str(what.exc_value) == "Event loop is closed"):
        sys.__unraisablehook__(what)


def read_config() -> ExperimentConfig:
    """Returns the experiment that `--config` and its overrides describe. Raises UserError."""
    return experiment(read_mapping("configs/adding.py"))


def read_mapping(example: str) -> dict[str, Any]:
    """Returns `--config` with its overrides as nested dicts. Raises UserError, which suggests `example`."""
    value = flags.FLAGS["config"].value
    if value is None:
        raise UserError(f"--config is missing: name a config file, e.g. --config={example}")
    return with_fields(value.to_dict(), _NEW_FIELDS)


def experiment_from(field: str, spec: Any, shared: Mapping[str, Any]) -> ExperimentConfig:
    """Returns the experiment of the config `spec`, `FILE.py[:variant,field=value]`. `shared` overrides its fields.

    Raises:
      UserError: no such file, a mistake in it, or a field or value that doesn't exist. The message names `field`.
    """
    if not isinstance(spec, str):
        raise UserError(f"{field}={spec!r} must name a config, as FILE.py[:variant,field=value]")
    path, variant, changes = config_files.split_spec(f"{field}={spec!r}", spec)
    try:
        fields = {name: config_files.literal(value) for name, _, value in (change.partition("=") for change in changes)}
        return experiment(_merged(with_fields(config_files.load(path, variant).to_dict(), fields), shared))
    except UserError as e:
        raise UserError(f"{field}={spec!r}: {e}") from e


def load_mapping(named: str, spec: str, among: str) -> dict[str, Any]:
    """Returns the `get_config()` of the file `spec`, `FILE.py[:variant]`, as nested dicts. `named` is its flag.

    Raises:
      UserError: no such file (the message lists the files of the folder `among`), or a mistake in it.
    """
    path, variant, fields = config_files.split_spec(f"{named}{spec}", spec)
    if fields:
        raise UserError(f"{named}{spec}: fields behind the variant are for --config; edit {path} instead")
    return config_files.load(path, variant, named, among).to_dict()


def _merged(mapping: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `mapping` overridden by `changes`, which merge into nested groups."""
    merged = dict(mapping)
    for name, value in changes.items():
        old = merged.get(name)
        merged[name] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def config_path() -> str:
    """Returns the config as the user named it: `FILE.py` or `FILE.py:variant`."""
    flag: Any = flags.FLAGS["config"]  # its class, of config_flags, isn't public
    return flag.config_filename


def use_cores(seeds: int, parts: int = 1, processes: int = 1) -> None:
    """Makes each CPU core a device, but no more devices than the seeds need. Must run before JAX starts.

    Each seed takes `parts` devices, even if there are fewer cores. The processes share the devices equally.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    at_once = max(1, min(seeds, cores * processes // parts))
    jax.config.update("jax_num_cpu_devices", -(-at_once * parts // processes))


def _parse(argv: Sequence[str], doc: str | None) -> list[str]:
    """Parses the flags; a user's mistake becomes a UserError. `doc` is the launcher's docstring."""
    if flag_help.is_asked_for(argv):
        print(flag_help.text(doc))
        sys.exit(0)
    config: Any = {}
    logging.set_verbosity(logging.WARNING)
    _without_orbax_s_own_words()
    if any(a.startswith(("--config", "-config")) for a in argv[1:]):
        argv = _spell_out_variants(argv)
        config = _check_config_file(argv)
        argv = _take_new_groups(argv, config)
        sys.argv[:] = argv  # config_flags looks for overrides there
    try:
        rest = flags.FLAGS(argv)
    except (flags.Error, ValueError, TypeError, AttributeError, KeyError) as e:
        raise UserError(_flag_message(e, config)) from e
    if len(rest) > 1:
        raise UserError(f"{rest[1]!r} is not a flag: flags are --name=value")
    return rest


def _spell_out_variants(argv: Sequence[str]) -> list[str]:
    """Turns `--config=FILE:variant,field=value` into `--config=FILE:variant --config.field=value`, at the front.

    `--config` comes first, since an override before it is an error of config_flags.
    """
    words = list(argv[1:])
    for i, word in enumerate(words):
        if word in ("--config", "-config") and i + 1 < len(words):
            words[i : i + 2] = [f"--config={words[i + 1]}"]
            break
    chosen = [word for word in words if re.match(r"--?config=", word)]
    others = [word for word in words if word not in chosen]
    if not chosen:
        raise UserError("--config is missing: name a config file, e.g. --config=configs/adding.py")
    spec = chosen[-1].split("=", 1)[1]
    path, variant, fields = config_files.split_spec(f"--config={spec}", spec)
    selected = f"--config={path}" + (f":{variant}" if variant else "")
    return [argv[0], selected, *(f"--config.{field}" for field in fields), *others]


def _take_new_groups(argv: Sequence[str], config: Any) -> list[str]:
    """Removes from `argv` overrides of groups that the config file leaves out, which config_flags can't parse."""
    rest = []
    for word in _with_equals_signs(argv):
        found = re.fullmatch(r"--?config\.([\w-]+(?:\.[\w-]+)+)=(.*)", word, re.DOTALL)
        if found and _is_new(config, found[1].split(".")):
            _NEW_FIELDS[found[1]] = config_files.literal(found[2])
        else:
            rest.append(word)
    return rest


def _is_new(config: Any, path: Sequence[str]) -> bool:
    """Returns whether config_flags can't override a field: its group is missing or None, or its path is unreadable.

    Raises:
      UserError: a value is in the place of a group.
    """
    for depth, name in enumerate(path[:-1]):
        if config.get(name) is None:
            return True
        config = config[name]
        if not isinstance(config, ml_collections.ConfigDict):
            above = ".".join(path[: depth + 1])
            raise UserError(f"config.{above}={config!r} is a value: it has no field {path[depth + 1]!r}")
    return not all(map(str.isidentifier, path))


def _with_equals_signs(argv: Sequence[str]) -> list[str]:
    """Turns `--config.field value` into `--config.field=value`."""
    words: list[str] = []
    for word in argv:
        if words and re.fullmatch(r"--?config\.[\w.-]+", words[-1]) and not word.startswith("-"):
            words[-1] += f"={word}"
        else:
            words.append(word)
    return words


_NEW_FIELDS: dict[str, Any] = {}
"""Overrides in groups that the config file leaves out, by dotted name."""


def _check_config_file(argv: Sequence[str]) -> Any:
    """Runs the config file once by itself, so that an error names its file and line."""
    path, _, variant = argv[1].split("=", 1)[1].partition(":")
    return config_files.load(path, variant, named="--config=")


def _flag_message(error: Exception, config: Any) -> str:
    if isinstance(error, flags.UnrecognizedFlagError):
        return flag_help.unknown(error.flagname, config.to_dict() if config else {})
    message = str(error).removeprefix("flag ")
    for pattern, said in _SAID_BY_PARSERS.items():
        message = re.sub(pattern, said, message)
    return message


_SAID_BY_PARSERS = {
    r": invalid literal for int\(\) with base 10: .*": " must be a whole number",
    r": could not convert string to float: .*": " must be a number",
    r": \('Non-boolean argument to boolean flag', .*\)": " must be true or false",
}

"""Checks the installation, the machine, the prepared data and training, and prints what to do about problems.

python -m experiments.doctor
python -m experiments.doctor --data_dir=DIR --json

One line per finding: ok, optional (missing, and not needed), warning or problem, with the command that helps. Exit
status: 0, or 2 if there is a problem.
"""

import importlib
import sys

from experiments.doctor.findings import Finding, Settings, conclusion, line, one_line, to_json, worst

CHECKS = ("packages", "checkout", "machine", "data_sets", "training")
"""Modules of experiments.doctor, in order."""


def examine(settings: Settings, as_json: bool) -> int:
    """Runs every check, prints its findings at once, and returns the exit status."""
    findings: list[Finding] = []
    for name in CHECKS:
        found = run_check(name, settings)
        findings += found
        if not as_json:
            print("\n".join(map(line, found)), flush=True)
    print(to_json(findings) if as_json else f"\n{conclusion(findings)}")
    return 2 if worst(findings) == "problem" else 0


def run_check(name: str, settings: Settings) -> list[Finding]:
    """Imports and runs a check. It is imported only now, since what it imports may be broken."""
    try:
        return importlib.import_module(f"experiments.doctor.{name}").check(settings)
    except (Exception, SystemExit) as e:
        advice = "the lines above may say why; else report it"
        return [Finding("problem", name.replace("_", " "), f"fails with {one_line(e)}", advice)]


def main() -> None:
    try:
        # Not at the top: they import jax, and this command is for installations where that fails.
        from absl import flags

        from experiments.cli.launcher import launch
    except Exception:
        sys.exit(examine(Settings(), "--json" in sys.argv[1:]))
    data_dir = flags.DEFINE_string("data_dir", "", "where prepared data sets lie; default: as for other commands.")
    manual_dir = flags.DEFINE_string("manual_dir", "", "folder with raw files, for machines without a network.")
    as_json = flags.DEFINE_bool("json", False, "print JSON instead of lines.")
    launch(lambda: examine(Settings(data_dir.value, manual_dir.value), as_json.value))


if __name__ == "__main__":
    main()

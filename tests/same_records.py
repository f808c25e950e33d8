"""Do two versions of the code give the same numbers? Not a test: a command, for changes that are to change none.

    git worktree add ../before HEAD~1
    python -m tests.same_records --before=../before [--data_dir=DIR] [--manual_dir=DIR] [--updates=40]

Each config is trained for a few updates by either version, in processes of their own, and every number that both record
is compared, bit for bit; what may vary between equal runs (`time`, `env`) is left out. Exit status 1: some differ.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.parent
FEW = ("--config.seeds=2", "--config.eval_every=20")
TUNED = (*FEW, "--config.tune.draws=2")
CONFIGS: dict[str, tuple[str, ...]] = {
    "adding": ("--config=configs/adding.py", *FEW),
    "adding tuned": ("--config=configs/adding.py", *FEW, "--config.tune.draws=2", "--config.select=best"),
    "rows": ("--config=configs/smnist.py:rows", *FEW),
    "music": ("--config=configs/music.py", *FEW),
    "parity": ("--config=configs/parity.py", *FEW),
    "copy": ("--config=configs/copy_memory.py", *FEW),
    "recall": ("--config=configs/associative_recall.py", *FEW),
    "words": ("--config=configs/word_problem.py", *FEW),
    "selective copy": ("--config=configs/selective_copy.py", *FEW),
    "characters": ("--config=configs/characters.py", *FEW),
    # The quick suite's configs.
    "quick adding": ("--config=configs/adding.py:task.length=50", *TUNED),
    "quick parity": ("--config=configs/parity.py:task.length=20,task.test_length=100", *TUNED),
    "quick order": ("--config=configs/temporal_order.py:short", *TUNED),
    "quick copy": (
        "--config=configs/selective_copy.py:task.length=16,task.symbols=2,cells.gru.hidden_size=48",
        *TUNED,
    ),
    "quick recall": ("--config=configs/associative_recall.py", *TUNED),
    "trained on few": ("--config=configs/smnist.py:rows", *FEW, "--config.train_examples=200"),
}
VARYING = ("time", "env", "config", "asked", "schema", "warnings", "task")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="a checkout of the older version")
    parser.add_argument("--after", type=Path, default=HERE, help="a checkout of the newer version; default: this one")
    parser.add_argument("--updates", type=int, default=40)
    parser.add_argument("--data_dir", default="")
    parser.add_argument("--manual_dir", default="")
    parser.add_argument("--only", default="", help=f"some of {', '.join(CONFIGS)}, separated by commas")
    given = parser.parse_args()
    chosen = [name.strip() for name in given.only.split(",") if name.strip()] or list(CONFIGS)
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            flags = [*CONFIGS[name], f"--config.updates={given.updates}"]
            flags += [f"--{f}={getattr(given, f)}" for f in ("data_dir", "manual_dir") if getattr(given, f)]
            made = [_records(v, flags, Path(folder) / f"{name}-{i}") for i, v in enumerate((given.before, given.after))]
            compared, different = _compare(*made)
            print(f"{name}: {compared} numbers in both, {len(different)} differ", flush=True)
            for line in different[:5]:
                print(f"    {line}")
            worst = max(worst, len(different), not compared)
    return 1 if worst else 0


def _records(checkout: Path, flags: list[str], workdir: Path) -> list[dict[str, Any]]:
    """What a version of the code records of a run."""
    command = [sys.executable, "-m", "experiments.compare", *flags, f"--workdir={workdir}"]
    env = os.environ | {"PYTHONPATH": str(checkout.absolute())}
    done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{checkout}: {' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return [json.loads(line) for line in (workdir / "records.jsonl").read_text().splitlines()]


def _compare(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """How many numbers both have, and which of them differ."""
    old, new = dict(_numbers(before)), dict(_numbers(after))
    both = old.keys() & new.keys()
    return len(both), [f"{at}: {old[at]!r}, then {new[at]!r}" for at in sorted(both) if old[at] != new[at]]


def _numbers(lines: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Every number of the records, by where it stands."""
    for line in lines:
        place = ".".join(str(line.get(field)) for field in ("kind", "cell", "draw", "seed", "step", "name"))
        yield from _leaves({name: value for name, value in line.items() if name not in VARYING}, place)


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _leaves(part, f"{place}.{name}")
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from _leaves(part, f"{place}[{i}]")
    elif value is None or isinstance(value, bool | int | float):
        yield place, value


if __name__ == "__main__":
    sys.exit(main())

"""The benchmark: its numbers from known times, its flags, and the launcher as a command beside broken peers."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import pytest
import rich.console

from experiments.benchmarks import jobs, memory, results, tables
from experiments.benchmarks.jobs import Job, Shape
from experiments.benchmarks.results import Result
from gru_research.config import UserError

ROOT = Path(__file__).parents[2]
TINY = Shape(2, 3, 2, 4)
FAST_COMPILATION = "JAX_DISABLE_MOST_OPTIMIZATIONS"
TINY_FLAGS = ["--cells=gru", f"--shapes={TINY}", "--rounds=2", "--budget=0.01"]


def result(system: str, *round_seconds: float, way: str = "", machine_flops: float = 1e9, **fields: Any) -> Result:
    job = Job(system, way, "gru", TINY)
    return Result(job, "forward", round_seconds=round_seconds, machine_flops=machine_flops, **fields)


# Numbers


def test_flops_count_the_products_that_each_mode_needs() -> None:
    batch, steps, inputs, hidden = 2, 3, 5, 7
    shape = Shape(batch, steps, inputs, hidden)
    for cell, gates in (("gru", 3), ("lstm", 4), ("rnn", 1)):
        product_x, product_h = 2 * batch * inputs * hidden, 2 * batch * hidden * hidden
        assert jobs.flops(cell, shape, "forward") == steps * gates * (product_x + product_h)
        assert jobs.flops(cell, shape, "train") == steps * gates * (2 * product_x + 3 * product_h)


def test_a_time_is_the_median_over_rounds_of_their_medians() -> None:
    assert results.round_time([5.0, 1.0, 2.0]) == 2.0
    made = result("ours", 0.4, 0.1, 0.2)
    assert made.seconds == 0.2 and made.spread == pytest.approx(1.5)


def test_the_share_is_of_the_rate_of_matrix_products() -> None:
    made = result("ours", 2e-6, machine_flops=1e9)
    assert made.flops == 2 * 2 * 3 * 3 * 4 * (2 + 4)
    assert made.share == pytest.approx(864 / 2e-6 / 1e9)
    assert result("ours", 1.0, machine_flops=0.0).share is None


def test_ratios_are_to_the_best_peer_and_never_to_ours() -> None:
    found = results.ratios({"ours": 1.0, "ours[unroll=2]": 6.0, "linen": 4.0, "torch": 8.0, "keras": None})
    assert found == {"ours": 0.25, "ours[unroll=2]": 1.5, "linen": 1.0, "torch": 2.0, "keras": None}
    assert results.ratios({"ours": 1.0, "keras": None}) == {"ours": None, "keras": None}


def printed(table: Any) -> list[str]:
    out = io.StringIO()
    rich.console.Console(file=out, width=80).print(table)
    return out.getvalue().splitlines()


def test_the_summary_ends_with_the_geometric_mean_over_shapes() -> None:
    other = Job("ours", "", "gru", Shape(8, 3, 2, 4)), Job("linen", "", "gru", Shape(8, 3, 2, 4))
    found = [result("ours", 1.0), result("linen", 2.0)]
    assert "mean" not in "".join(printed(tables.summary_table(found)))
    found += [Result(job, "forward", round_seconds=(seconds,)) for job, seconds in zip(other, (1.0, 8.0), strict=True)]
    last = printed(tables.summary_table(found))[-1]
    assert last.split() == ["gru", "mean", "of", "2", "forward", "0.25"]  # of 1/2 and 1/8


def test_tables_fit_80_columns() -> None:
    job = Job("equinox", "", "gru", Shape(64, 256, 128, 512))
    found = [
        Result(job, mode, round_seconds=(1.0, 1.1), machine_flops=1e12, peak_bytes=2**31)
        for mode in ("forward", "train")
    ]
    lines = printed(tables.shape_table(found))
    row = next(line for line in lines if "equinox" in line)
    assert row.split()[-1] == "2,048" and len(row.split()) == 10
    assert sum("forward" in line for line in lines) == 1  # no heading is broken


@pytest.mark.parametrize(("call", "expected"), [(0.01, 60), (0.29, 2), (7.0, 1), (1e-7, 200)])
def test_repetitions_fill_the_budget(call: float, expected: int) -> None:
    assert results.repetitions(call, budget=3.0, rounds=5) == expected


def test_the_fastest_way_of_a_peer_counts_and_the_others_stay_on_record() -> None:
    failed = Result(Job("linen", "a", "gru", TINY), "forward", "failed", "why")
    ways = [failed, result("linen", 2.0, way="b"), result("linen", 1.0, way="c"), result("ours", 3.0)]
    assert [r.job.way for r in results.best_ways(ways)] == ["c", ""]
    records = results.records(ways)
    assert [r["counts"] for r in records] == [False, False, True, True]
    assert [r["ratio_to_best_peer"] for r in records] == [None, None, 1.0, 3.0]
    assert records[0]["reason"] == "why" and records[0]["ms"] is None
    assert "linen, forward: c is its fastest" in tables.notes(ways)


def test_a_failed_system_has_its_reason_below_the_table() -> None:
    failed = Result(Job("keras", "", "gru", TINY), "forward", "not installed", "no module keras")
    assert tables.notes([result("ours", 1.0), failed]) == ["keras: not installed (no module keras)"]


# Flags


def test_systems_with_options_and_shapes_by_index_or_numbers() -> None:
    systems = jobs.parse_systems("ours, ours[backend=autodiff,unroll=2,hoist=true],torch")
    assert systems == ("ours", "ours[backend=autodiff,unroll=2,hoist=true]", "torch")
    name, options = jobs.split_system(systems[1])
    assert jobs.is_ours(systems[1]) and name == "ours"
    made = jobs.our_options(options, outputs="none")
    assert (made.backend, made.unroll, made.hoist, made.outputs) == ("autodiff", 2, True, "none")
    assert jobs.parse_shapes("2;1,2,3,4") == (jobs.SHAPES[2], Shape(1, 2, 3, 4))


def test_a_job_survives_its_command_line() -> None:
    job = Job("ours[unroll=2]", "", "lstm", Shape(1, 2, 3, 4), "bfloat16", "time", "gpu")
    pairs = (flag.removeprefix("--").split("=", 1) for flag in job.to_flags())
    assert jobs.job_from_flags(dict(pairs)) == job


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (jobs.parse_systems, "ours,line", "'linen'"),
        (jobs.parse_systems, "ours[unrol=2]", "'unroll'"),
        (jobs.parse_systems, "ours[unroll=0]", "at least 1"),
        (jobs.parse_systems, "ours[outputs=none]", "outputs"),
        (jobs.parse_systems, "torch[unroll=2]", "only ours"),
        (jobs.parse_systems, "ours[unroll=2", "name[option=value"),
        (jobs.parse_systems, "ours,ours", "twice"),
        (jobs.parse_systems, "", "names none"),
        (jobs.parse_shapes, "1,2,3", "B,T,D,H"),
        (jobs.parse_shapes, "0,1,2,3", "at least 1"),
        (jobs.parse_shapes, "5", "index"),
        (jobs.parse_shapes, "axb", "whole numbers"),
    ],
)
def test_a_mistake_in_a_flag_is_named(parse: Any, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text)
    assert said in str(caught.value)


# The command


def environment(*folders: Path) -> dict[str, str]:
    path = os.pathsep.join(map(str, [*folders, ROOT, ROOT / "tests" / "stand_ins"]))
    return os.environ | {"PYTHONPATH": path, "COLUMNS": "160", "JAX_PLATFORMS": "cpu", FAST_COMPILATION: "1"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "experiments.benchmark", *arguments]


def test_systems_take_turns_and_broken_ones_are_reported(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "haiku.py").write_text("raise ModuleNotFoundError(\"No module named 'haiku'\", name='haiku')\n")
    (broken / "equinox.py").write_text(
        "import os, sys\nsys.stderr.write('out of luck')\nsys.stderr.flush()\nos._exit(7)\n"
    )
    workdir = tmp_path / "run"
    done = subprocess.run(
        command("--suite=cpu", *TINY_FLAGS, "--systems=ours,linen,haiku,equinox", f"--workdir={workdir}"),
        cwd=ROOT, env=environment(broken), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "haiku: not installed (no module haiku)" in done.stdout
    assert "equinox: failed (ended with status 7: out of luck)" in done.stdout
    assert "ours against the best peer" in done.stdout
    assert (workdir / "figures" / "ratios-gru.png").stat().st_size > 1_000

    written = json.loads((workdir / "benchmark.json").read_text())
    assert written["schema"] == results.SCHEMA and written["settings"]["rounds"] == 2
    assert written["env"]["backend"] == "cpu" and written["machine"]["gflops_per_second"]["jax float32"] > 0
    found = {(r["system"], r["mode"]): r for r in written["results"]}
    assert set(found) == {(s, m) for s in ("ours", "linen", "haiku", "equinox") for m in ("forward", "train")}
    for (system, mode), record in found.items():
        assert record["shape"] == {"batch": 2, "time": 3, "input_size": 2, "hidden_size": 4}
        if system in ("haiku", "equinox"):
            assert record["status"] in ("not installed", "failed") and record["ms"] is None
            continue
        assert record["status"] == "ok" and len(record["round_ms"]) == 2 and record["ms"] > 0
        assert record["peak_mib"] >= record["baseline_mib"] > 0
        assert record["about"]["parameters"] == 3 * 4 * (2 + 4) + 4 * 4
        assert record["ratio_to_best_peer"] == pytest.approx(record["ms"] / found["linen", mode]["ms"])


def test_a_step_beyond_the_memory_limit_is_planned_and_a_tenth_of_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FAST_COMPILATION, "1")
    wide = Shape(100_000, 10, 2, 32)  # 12.8 MB for each step's h
    settings = memory.Settings(("gru",), (wide,), (0,), "float32", limit=700, rounds=1)
    assert memory.run(settings, tmp_path / "run", {}, rich.console.Console(quiet=True)) == 0
    refused, ran = json.loads((tmp_path / "run" / "benchmark.json").read_text())["results"]
    assert refused["status"] == "not run" and "700 MiB" in refused["reason"]
    assert refused["ms"] is None and refused["peak_mib"] is None and refused["planned_mib"] > 700
    assert ran["status"] == "ok" and ran["shape"]["time"] == 1 and ran["ms"] > 0
    assert ran["system"] == "ours[checkpoint=0]" and 12 < ran["planned_mib"] < refused["planned_mib"] / 5
    assert ran["peak_mib"] > ran["baseline_mib"] + 12


def test_ctrl_c_ends_the_workers_too(tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    arguments = command("--suite=cpu", *TINY_FLAGS, "--systems=ours", f"--workdir={workdir}")
    with subprocess.Popen(
        arguments, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 120
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not (workers := children.read_text().split()):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130 and stderr.decode().strip() == "interrupted"
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_an_unknown_system_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = subprocess.run(
        command("--suite=cpu", "--systems=ours,torhc", f"--workdir={tmp_path}/run"),
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 2 and "did you mean 'torch'" in line and not (tmp_path / "run").exists()


@pytest.mark.skipif(jax.default_backend() == "gpu", reason="there is a GPU")
def test_without_a_gpu_its_suite_says_what_is_missing(tmp_path: Path) -> None:
    arguments = command("--suite=gpu", *TINY_FLAGS, f"--workdir={tmp_path / 'run'}")
    done = subprocess.run(arguments, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120)
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 2 and "no GPU that jax can use" in line and "cuda12" in line
    assert str(tmp_path / "run" / "logs" / "machine.txt") in line

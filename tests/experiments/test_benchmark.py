"""The benchmark: its numbers from known times, its flags, and the launcher as a command beside broken peers."""

import dataclasses
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
import numpy as np
import pytest
import rich.console

from experiments.benchmarks import cases, cpu_usage, memory, results, round_robin, tables, vmap_contention
from experiments.benchmarks.busy_processes import BusyProcesses
from experiments.benchmarks.cases import BenchmarkCase, Shape
from experiments.benchmarks.programs import JaxProgram, stack_parameter_sets
from experiments.benchmarks.results import Result
from experiments.benchmarks.round_robin import Settings, TimingSettings
from gru_research.config import UserError
from gru_research.native import Library, describe

ROOT = Path(__file__).parents[2]
TINY = Shape(2, 3, 2, 4)
TINY_FLAGS = ["--cells=gru", f"--shapes={TINY}", "--rounds=2", "--budget=0.01"]


def result(system: str, *round_seconds: float, variant: str = "", machine_flops: float = 1e9, **fields: Any) -> Result:
    case = BenchmarkCase(system, variant, "gru", TINY)
    return Result(case, "forward", round_seconds=round_seconds, machine_flops=machine_flops, **fields)


# Numbers


def test_flops_count_the_products_that_each_mode_needs() -> None:
    batch, steps, inputs, hidden = 2, 3, 5, 7
    shape = Shape(batch, steps, inputs, hidden)
    for cell, gates in (("gru", 3), ("lstm", 4), ("rnn", 1)):
        product_x, product_h = 2 * batch * inputs * hidden, 2 * batch * hidden * hidden
        assert cases.flops(cell, shape, "forward") == steps * gates * (product_x + product_h)
        assert cases.flops(cell, shape, "train") == steps * gates * (2 * product_x + 3 * product_h)


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
    tables.show(rich.console.Console(file=out, width=80), table)
    return out.getvalue().splitlines()


def test_the_summary_ends_with_the_geometric_mean_over_shapes() -> None:
    other = BenchmarkCase("ours", "", "gru", Shape(8, 3, 2, 4)), BenchmarkCase("linen", "", "gru", Shape(8, 3, 2, 4))
    found = [result("ours", 1.0), result("linen", 2.0)]
    assert "mean" not in "".join(printed(tables.summary_table(found)))
    found += [
        Result(case, "forward", round_seconds=(seconds,)) for case, seconds in zip(other, (1.0, 8.0), strict=True)
    ]
    last = printed(tables.summary_table(found))[-1]
    assert last.split() == ["gru", "mean", "of", "2", "forward", "0.25"]  # of 1/2 and 1/8


def test_tables_fit_80_columns() -> None:
    case = BenchmarkCase("equinox", "", "gru", Shape(64, 256, 128, 512))
    found = [
        Result(case, mode, round_seconds=(1.0, 1.1), machine_flops=1e12, peak_bytes=2**31)
        for mode in ("forward", "train")
    ]
    lines = printed(tables.shape_table(found))
    row = next(line for line in lines if "equinox" in line)
    assert row.split()[-1] == "2,048" and len(row.split()) == 10
    assert sum("forward" in line for line in lines) == 1  # no heading is broken


@pytest.mark.parametrize(("call", "expected"), [(0.01, 60), (0.29, 2), (7.0, 1), (1e-7, 200)])
def test_repetitions_fill_the_budget(call: float, expected: int) -> None:
    assert results.repetitions(call, budget=3.0, rounds=5) == expected


def test_the_fastest_variant_of_a_peer_counts_and_the_others_stay_on_record() -> None:
    failed = Result(BenchmarkCase("linen", "a", "gru", TINY), "forward", "failed", "why")
    variants = [failed, result("linen", 2.0, variant="b"), result("linen", 1.0, variant="c"), result("ours", 3.0)]
    assert [r.case.variant for r in results.fastest_variants(variants)] == ["c", ""]
    records = results.records(variants)
    assert [r["counts"] for r in records] == [False, False, True, True]
    assert [r["ratio_to_best_peer"] for r in records] == [None, None, 1.0, 3.0]
    assert records[0]["reason"] == "why" and records[0]["ms"] is None
    assert "linen, forward: c is its fastest" in tables.notes(variants)


def test_a_failed_system_has_its_reason_below_the_table() -> None:
    failed = Result(BenchmarkCase("keras", "", "gru", TINY), "forward", "not installed", "no module keras")
    assert tables.notes([result("ours", 1.0), failed]) == ["keras: not installed (no module keras)"]


# Flags


def test_systems_with_options_and_shapes_by_index_or_numbers() -> None:
    systems = cases.parse_systems("ours, ours[backend=autodiff,unroll=2,hoist=true],torch")
    assert systems == ("ours", "ours[backend=autodiff,unroll=2,hoist=true]", "torch")
    name, options = cases.split_system(systems[1])
    assert cases.is_ours(systems[1]) and name == "ours"
    made = cases.our_options(options, outputs="none")
    assert (made.backend, made.unroll, made.hoist, made.outputs) == ("autodiff", 2, True, "none")
    assert cases.parse_shapes("2;1,2,3,4") == (cases.SHAPES[2], Shape(1, 2, 3, 4))


def test_a_case_survives_its_command_line() -> None:
    case = BenchmarkCase("ours[unroll=2]", "", "lstm", Shape(1, 2, 3, 4), "bfloat16", "gpu", sets=4, busy_processes=2)
    pairs = (flag.removeprefix("--").split("=", 1) for flag in case.to_flags())
    assert cases.case_from_flags(dict(pairs)) == case


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (cases.parse_systems, "ours,line", "'linen'"),
        (cases.parse_systems, "ours[unrol=2]", "'unroll'"),
        (cases.parse_systems, "ours[unroll=0]", "at least 1"),
        (cases.parse_systems, "ours[outputs=none]", "outputs"),
        (cases.parse_systems, "torch[unroll=2]", "only ours"),
        (cases.parse_systems, "ours[unroll=2", "name[option=value"),
        (cases.parse_systems, "ours,ours", "twice"),
        (cases.parse_systems, "", "names none"),
        (cases.parse_shapes, "1,2,3", "B,T,D,H"),
        (cases.parse_shapes, "0,1,2,3", "at least 1"),
        (cases.parse_shapes, "5", "index"),
        (cases.parse_shapes, "axb", "whole numbers"),
    ],
)
def test_a_mistake_in_a_flag_is_named(parse: Any, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text)
    assert said in str(caught.value)


# Quiet rounds


def counted(monkeypatch: pytest.MonkeyPatch, folder: Path, others: int, own: int, elsewhere: int = 0) -> bool:
    """Whether 2 s on the first two cores of four were disturbed, where Linux counted these ticks meanwhile."""
    monkeypatch.setattr(cpu_usage, "PROC", folder)
    monkeypatch.setattr(cpu_usage, "_tick", lambda: 0.01)
    monkeypatch.setattr(cpu_usage.time, "perf_counter", lambda: clock)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr(os, "getpid", lambda: 7)
    (folder / "7").mkdir(parents=True)
    (folder / "8").mkdir()

    def write(own: int, others: int, elsewhere: int) -> None:
        # user nice system idle iowait irq softirq steal guest guest_nice
        lines = ["cpu 1 2 3 4 5 6 7 8 0 0", f"cpu0 {500 + own} 0 0 9999 77 0 0 0 9 9"]
        lines += [f"cpu1 3 0 0 5 0 0 0 {others} 0 0", f"cpu2 {elsewhere} 0 0 0 0 0 0 0 0 0", "intr 12"]
        (folder / "stat").write_text("\n".join(lines))
        for pid, ticks in ((7, 4), (8, own)):  # user and system time are the 14th and the 15th field
            (folder / str(pid) / "stat").write_text(f"{pid} (a b) c) R {' '.join('0' * 10)} {ticks - 1} 1 0 0")

    clock = 10.0
    write(5, 50, 3)
    before = cpu_usage.read([8])
    clock = 12.0
    write(5 + own, 50 + others, 3 + elsewhere)
    return cpu_usage.disturbed(before, cpu_usage.read([8]))


@pytest.mark.parametrize(
    ("others", "own", "elsewhere", "expected"),
    [(0, 400, 0, False), (13, 200, 0, False), (15, 200, 0, True), (200, 0, 0, True), (0, 0, 400, False)],
)
def test_a_round_is_disturbed_where_others_take_three_percent_of_our_cores(
    others: int, own: int, elsewhere: int, expected: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # 3 % of two cores' 4 s, and two ticks: 14 ticks.
    assert counted(monkeypatch, tmp_path, others, own, elsewhere) is expected


def test_without_linux_quiet_rounds_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cpu_usage, "PROC", tmp_path)
    with pytest.raises(UserError, match="--exclusive needs Linux"):
        cpu_usage.check()


class StandIn:
    """A worker that takes 1 s the first time, 2 s the second, and so on."""

    pid, baseline_bytes = 1, 100
    about: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, case: BenchmarkCase, log: Path):
        self.case, self.runs = case, 0

    def __enter__(self) -> "StandIn":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ask(self, **request: Any) -> dict[str, Any]:
        if "run" in request and request["repetitions"] == 1:
            self.runs += 1
        made = {"seconds": [float(self.runs)], "peak_bytes": 200, "device_peak_bytes": None, "planned_bytes": 0}
        return made | ({"seconds": 10.0, "engine": "native test, 1 thread"} if "run" not in request else {})


def turns_with(monkeypatch: pytest.MonkeyPatch, disturbed: list[bool], rounds: int, exclusive: bool = True) -> Result:
    """The result of a worker whose rounds were disturbed as listed, and from the end of the list on as at its end."""
    left = list(disturbed)
    monkeypatch.setattr(round_robin, "WorkerProcess", StandIn)
    monkeypatch.setattr(round_robin.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(cpu_usage, "read", lambda pids: tuple(pids))
    monkeypatch.setattr(cpu_usage, "disturbed", lambda before, after: left.pop(0) if len(left) > 1 else left[0])
    timing = TimingSettings(rounds, budget=1.0, exclusive=exclusive)
    (found,) = round_robin.measure(
        [BenchmarkCase("ours", shape=TINY)], ("train",), timing, None, Path(), lambda line: None
    )
    return found


def test_disturbed_rounds_are_thrown_away_and_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    found = turns_with(monkeypatch, [True, False, False, True, True, False], rounds=3)
    assert found.round_seconds == (2.0, 3.0, 6.0)
    assert (found.discarded, found.disturbed) == (3, 0)
    said = "ours, training, 2,3,2,4: 3 rounds discarded, as other processes used the cores"
    assert tables.notes([found]) == ["ours: native test, 1 thread", said]
    (record,) = results.records([found])
    assert (record["discarded_rounds"], record["disturbed_rounds"]) == (3, 0)
    assert record["engine"] == "native test, 1 thread"


def test_a_machine_that_is_never_quiet_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = turns_with(monkeypatch, [True], rounds=2)
    most = round_robin.MOST_REPEATS
    assert found.round_seconds == (most + 1.0, 2 * most + 2.0)
    assert (found.discarded, found.disturbed) == (2 * most, 2)
    assert "40 rounds discarded, 2 counted although disturbed" in tables.notes([found])[-1]
    of_four = dataclasses.replace(found, case=dataclasses.replace(found.case, sets=4))
    assert tables.notes([of_four])[-1].startswith("ours, training, 2,3,2,4, 4 sets: 40 rounds")


def test_without_the_flag_every_round_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = turns_with(monkeypatch, [True], rounds=2, exclusive=False)
    assert found.round_seconds == (1.0, 2.0) and (found.discarded, found.disturbed) == (0, 0)


# vmap over parameter sets, and contention


def test_parameter_sets_side_by_side_compute_what_each_computes_alone() -> None:
    case = BenchmarkCase("ours", shape=Shape(2, 9, 2, 3), sets=3)
    program = JaxProgram(case)
    for mode in ("forward", "train"):
        program.compile(mode)
        program.check(mode)
    stacked, xs = program._arguments
    assert jax.tree.leaves(stacked)[0].shape[0] == 3
    losses, gradients = program._compiled["train"](stacked, xs)
    one = jax.jit(program._function("train"))
    for k in range(3):
        loss, gradient = one(jax.tree.map(lambda a, k=k: a[k], stacked), xs)
        assert losses[k] == pytest.approx(float(loss), rel=1e-5)
        for name, a in gradient.items():
            np.testing.assert_allclose(gradients[name][k], a, rtol=1e-4, atol=1e-6)
    assert losses[0] != losses[1]


def test_parameter_sets_differ() -> None:
    made = stack_parameter_sets({"W": jax.numpy.ones(2)}, 3)
    np.testing.assert_allclose(made["W"], [[1, 1], [1.1, 1.1], [1.2, 1.2]], rtol=1e-6)


def test_the_engine_is_the_compiled_program_s(native_engine: Library) -> None:
    del native_engine
    for system, expected in (("ours", describe()), (cases.OURS_BY_XLA, "XLA")):
        program = JaxProgram(BenchmarkCase(system, shape=Shape(2, 9, 2, 3)))
        program.compile("forward")
        assert program.engine("forward") == expected
    program = JaxProgram(BenchmarkCase("linen", shape=TINY))
    program.compile("forward")
    assert program.engine("forward") is None


def of_suite(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """The printed lines and the written results of a suite of ours, whose times are all known."""
    seconds = {("ours", 1, 0): 1.0, ("ours", 4, 0): 3.0, ("ours", 1, 2): 5.0}
    seconds |= {(cases.OURS_BY_XLA, 1, 0): 2.0, (cases.OURS_BY_XLA, 4, 0): 12.0, (cases.OURS_BY_XLA, 1, 2): 10.0}

    def measure(given: list[BenchmarkCase], modes: Any, timing: TimingSettings, *_: Any) -> list[Result]:
        assert not (timing.exclusive and given[0].busy_processes)
        times = [(case, mode, seconds[case.system, case.sets, case.busy_processes]) for case in given for mode in modes]
        return [Result(case, mode, round_seconds=(s, s), engine=f"E{s}") for case, mode, s in times]

    class NobodySpins(BusyProcesses):
        def __enter__(self) -> BusyProcesses:
            self.processes: list[Any] = [None, None]
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(vmap_contention, "measure", measure)
    monkeypatch.setattr(vmap_contention, "BusyProcesses", NobodySpins)
    out = io.StringIO()
    systems, timing = ("ours", cases.OURS_BY_XLA), TimingSettings(2, 1.0, exclusive=True)
    settings = Settings(name, systems, ("gru",), (TINY,), "float32", timing, sets=4)
    assert vmap_contention.run(settings, tmp_path / "run", {}, rich.console.Console(file=out, width=80)) == 0
    return out.getvalue().splitlines(), json.loads((tmp_path / "run" / "benchmark.json").read_text())["results"]


def test_vmap_is_held_against_one_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines, written = of_suite("vmap", monkeypatch, tmp_path)
    rows = [line.split() for line in lines if line.startswith("gru")]
    assert rows[0] == ["gru", "2,3,2,4", "forward", "ours", "1,000", "3,000", "3.00"]
    assert [row[-4:] for row in rows if row[2] == "training"] == [
        ["ours", "1,000", "3,000", "3.00"],
        ["ours[backend=vjp]", "2,000", "12,000", "6.00"],
    ]
    assert len(written) == 8 and all(record["counts"] for record in written)
    assert {(r["sets"], r["ms"]) for r in written if r["system"] == "ours"} == {(1, 1000.0), (4, 3000.0)}
    assert all(record["ratio_to_best_peer"] is None for record in written)


def test_contention_is_held_against_xla_s_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines, written = of_suite("contention", monkeypatch, tmp_path)
    rows = [line.split() for line in lines if line.startswith("gru")]
    assert [row[-4:] for row in rows if row[2] == "training"] == [
        ["ours", "1,000", "5,000", "0.50"],
        ["ours[backend=vjp]", "2,000", "10,000", "1.00"],
    ]
    assert {r["busy_processes"] for r in written} == {0, 2}


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system can't choose cores")
def test_a_process_spins_on_each_core_and_ends() -> None:
    with BusyProcesses() as busy:
        pids = [process.pid for process in busy.processes]
        assert [os.sched_getaffinity(pid) for pid in pids] == [{core} for core in sorted(os.sched_getaffinity(0))]
        assert all(process.poll() is None for process in busy.processes)
    assert all(process.poll() == -signal.SIGKILL for process in busy.processes)


# The command


def environment(*folders: Path) -> dict[str, str]:
    path = os.pathsep.join(map(str, [*folders, ROOT, ROOT / "tests" / "stand_ins"]))
    return os.environ | {"PYTHONPATH": path, "COLUMNS": "160", "JAX_PLATFORMS": "cpu"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "experiments.benchmark", *arguments]


@pytest.mark.processes
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


@pytest.mark.processes
def test_a_step_beyond_the_memory_limit_is_planned_and_a_tenth_of_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = Shape(100_000, 12, 2, 32)  # 12.8 MB for each step's h
    settings = memory.Settings(("gru",), (wide,), (0,), "float32", limit=700, rounds=1)
    assert memory.run(settings, tmp_path / "run", {}, rich.console.Console(quiet=True)) == 0
    refused, ran = json.loads((tmp_path / "run" / "benchmark.json").read_text())["results"]
    assert refused["status"] == "not run" and "700 MiB" in refused["reason"]
    assert refused["ms"] is None and refused["peak_mib"] is None and refused["planned_mib"] > 700
    assert ran["status"] == "ok" and ran["shape"]["time"] == 1 and ran["ms"] > 0
    assert ran["system"] == "ours[checkpoint=0]" and 12 < ran["planned_mib"] < refused["planned_mib"] / 5
    assert ran["peak_mib"] > ran["baseline_mib"] + 12


@pytest.mark.processes
def test_ctrl_c_ends_the_workers_too(tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    arguments = command("--suite=cpu", *TINY_FLAGS, "--systems=ours", f"--workdir={workdir}")
    # A shell's background case, such as the tests may be, ignores the signal and hands that on.
    arguments = ["env", "--default-signal=INT", *arguments]
    with subprocess.Popen(
        arguments, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 120
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not (workers := children.read_text().split()):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.001)  # the moment the worker exists is the hardest one
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


@pytest.mark.parametrize("suite", ["vmap", "contention"])
def test_the_suites_of_ours_refuse_others(suite: str, tmp_path: Path) -> None:
    arguments = command(f"--suite={suite}", "--systems=ours,torch", f"--workdir={tmp_path}/run")
    done = subprocess.run(arguments, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 2 and f"--suite={suite} measures ours alone" in line


@pytest.mark.skipif(jax.default_backend() == "gpu", reason="there is a GPU")
def test_without_a_gpu_its_suite_says_what_is_missing(tmp_path: Path) -> None:
    arguments = command("--suite=gpu", *TINY_FLAGS, f"--workdir={tmp_path / 'run'}")
    done = subprocess.run(arguments, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120)
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 2 and "no GPU that jax can use" in line and "cuda12" in line
    assert str(tmp_path / "run" / "logs" / "machine.txt") in line

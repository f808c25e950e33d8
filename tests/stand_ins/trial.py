"""Stands in for `experiments.compare` as a sweep's trial: writes records as it does, and behaves as its config says.

x, seeds     the metric falls towards (x - 0.3)^2
evaluations  that many, `seconds` apart
crashes      so many times it ends with a traceback before it writes anything
megabytes    it takes that much memory
"""

import json
import sys
import time
from pathlib import Path

arguments = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
asked, workdir = Path(arguments["config"].partition(":")[2]), Path(arguments["workdir"])
config = {"evaluations": 2, "seconds": 0.0, "crashes": 0, "megabytes": 0, "seeds": 2}
config |= json.loads((asked / "config.json").read_text())

started = workdir.parent / f"{workdir.name}.started"
count = int(started.read_text()) + 1 if started.exists() else 1
started.write_text(str(count))
print(f"start {count} of trial {workdir.name}", flush=True)
if count <= config["crashes"]:
    raise RuntimeError(f"crash {count}")

workdir.mkdir(parents=True, exist_ok=True)
ballast = b"x" * (1_000_000 * config["megabytes"])
with (workdir / "records.jsonl").open("w") as file:

    def write(kind: str, **fields: object) -> None:
        file.write(json.dumps({"kind": kind, **fields}) + "\n")
        file.flush()

    write("run", schema="gru_research.records/2", config=config)
    for step in range(1, config["evaluations"] + 1):
        time.sleep(config["seconds"])
        metric = (config["x"] - 0.3) ** 2 + 1 / step
        for seed in range(config["seeds"]):
            write("evaluation", task="toy", cell="gru", seed=seed, step=step, validation_metric=metric)
    for seed in range(config["seeds"]):
        diverged = config["x"] < 0
        metric = None if diverged else (config["x"] - 0.3) ** 2
        write("result", task="toy", cell="gru", seed=seed, validation_metric=metric, test_metric=0.0)
    write("end", status="finished")

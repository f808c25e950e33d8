"""Writes the texts beside an exported function: a description, a README, and a program that calls it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gru_research.records import to_json

ABOUT = "export.json"
EXAMPLE = "example.py"
PAGE = "README.md"
FUNCTION = "{name}.jax"
WEIGHTS = "weights-seed{seed}.safetensors"
STEPS, ROWS = 10, 2
"""Sizes of the example's batch where they are free."""

PROGRAM = '''"""Calls the exported function, with nothing of gru_research: pip install jax flatbuffers safetensors"""

{json}from pathlib import Path

import jax
import numpy as np
from safetensors.numpy import load_file

here = Path(__file__).parent
function = jax.export.deserialize(bytearray((here / "{file}").read_bytes()))
weights = load_file(here / "{weights}")
batch = {batch}
{scale}outputs = jax.tree.map(np.asarray, function.call(weights, batch))
{scale_back}print(outputs)
'''
LOAD = 'scaling = json.loads((here / "{about}").read_text(encoding="utf-8"))["scaling"]\n'
SCALE = """# The inputs above have the units of the training file, and the model reads scaled ones.
mean, std = (np.array(scaling["inputs"][name]) for name in ("mean", "std"))
batch["inputs"] = ((batch["inputs"] - mean) / std).astype("float32")
"""
SCALE_BACK = """# Back to the units of the training file.
mean, std = (np.array(scaling["outputs"][name]) for name in ("mean", "std"))
outputs = outputs * std + mean
"""
TEXT = """# {cell}, trained on {task}

Written by `python -m experiments.export`. `{example}` calls it; {packages}.

{functions}

{meaning}

Weights are named by their place in the model's parameters, with dots between; every seed has a file:

{weights}

`{about}` has the config, the versions, the vocabularies, what the task took from training (`learned`),
and all shapes again.
"""


def write_texts(folder: Path, about: Mapping[str, Any]) -> None:
    """Writes `export.json`, `README.md` and `example.py`."""
    (folder / ABOUT).write_text(json.dumps(to_json(about), indent=2) + "\n", encoding="utf-8")
    shown = about["functions"].get("answer") or about["functions"]["apply"]
    weights = list(about["weights"].values())
    (folder / EXAMPLE).write_text(_program(shown, weights[0], about["scaling"]), encoding="utf-8")
    page = TEXT.format(
        cell=about["cell"],
        task=about["task"],
        example=EXAMPLE,
        packages="it needs jax, flatbuffers and safetensors, and nothing of gru_research",
        functions="\n\n".join(map(_section, about["functions"].values())),
        meaning="\n\n".join(about["meaning"].values()),
        weights="\n".join(f"- `{name}`" for name in weights),
        about=ABOUT,
    )
    (folder / PAGE).write_text(page, encoding="utf-8")


def _program(function: Mapping[str, Any], weights: str, scaling: Mapping[str, Any]) -> str:
    return PROGRAM.format(
        json="import json\n" if scaling else "",
        file=function["file"],
        weights=weights,
        batch=_batch(function["inputs"]),
        scale=(LOAD.format(about=ABOUT) if scaling else "") + (SCALE if "inputs" in scaling else ""),
        scale_back=SCALE_BACK if "outputs" in scaling else "",
    )


def _section(function: Mapping[str, Any]) -> str:
    lines = [f"`{function['file']}`: {function['says']}. `call(weights, batch)` takes the batch", ""]
    lines += [f"- `{name}` {_shape(a)}" for name, a in function["inputs"].items()]
    lines += ["", "and gives", "", *(f"- `{name}` {_shape(a)}" for name, a in function["outputs"].items())]
    open_sizes = {size for a in function["inputs"].values() for size in a["shape"] if isinstance(size, str)}
    meanings = {"b": "b is the number of examples", "t": "t of steps", "u": "u of the answers' tokens"}
    notes = [text for symbol, text in meanings.items() if symbol in open_sizes]
    lines += ["", f"where {', '.join(notes)}. It runs on {', '.join(function['platforms'])}."]
    return "\n".join([*lines, *(f"Here {limit}." for limit in function["limits"])])


def _shape(array: Mapping[str, Any]) -> str:
    return f"`[{', '.join(map(str, array['shape']))}]` {array['dtype']}"


def _batch(inputs: Mapping[str, Any]) -> str:
    """Returns Python code for a batch that any model takes: zeros, full lengths, no padding."""
    steps = next((size for size in inputs.get("inputs", {"shape": [0, STEPS]})["shape"][1:2]), STEPS)
    steps = steps if isinstance(steps, int) else STEPS
    made = []
    for name, a in inputs.items():
        shape = tuple(ROWS if size == "b" else size if isinstance(size, int) else STEPS for size in a["shape"])
        value = {"lengths": steps, "target_lengths": 1, "mask": True}.get(name, 0)
        made.append(f'"{name}": np.full({shape}, {value}, "{a["dtype"]}")')
    return "{" + ", ".join(made) + "}"

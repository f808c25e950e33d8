"""docs/models.md: its tables have the options that there are, its example prints what it says, its commands plan."""

import ast
import contextlib
import io
import re
from typing import Any

import pytest

import gru_research as gr
from experiments.cli.launcher import experiment_from
from gru_research.models import MODELS, options_of
from gru_research.training import make_plan
from tests import pages

TEXT = pages.text("models.md")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("kind", MODELS)
def test_a_table_has_the_options_with_their_defaults(kind: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| .+ \|$", SECTIONS[kind], re.MULTILINE)
    defaults = options_of(kind)
    assert [name for name, _ in rows] == list(defaults)
    for name, default in rows:
        if name == "unroll":
            assert default == "`UnrollOptions()`" and defaults[name] == gr.UnrollOptions()
        else:
            assert ast.literal_eval(default.strip("`")) == defaults[name], name


def test_its_kinds_are_all() -> None:
    kinds = re.findall(r"^\| \[`(\w+)`\]\(#\1\)", TEXT, re.MULTILINE)
    assert kinds == list(MODELS) and all(kind in SECTIONS for kind in kinds)


def test_its_example_prints_what_it_says() -> None:
    (example,) = pages.blocks("models.md")
    (printed,) = re.findall(r"^```\n(\d+ parameters.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        pages.module("models", example, "models.md")
    assert out.getvalue() == printed


def test_its_commands_name_what_there_is() -> None:
    commands = re.findall(r"^python -m experiments\.compare --config=(\S+)(.*)$", TEXT, re.MULTILINE)
    assert len(commands) == 3
    for config, flags in commands:
        given: dict[str, Any] = {}
        for path, value in re.findall(r"--config\.([\w.]+)=(\S+)", flags):
            *groups, name = path.split(".")
            group = given
            for part in groups:
                group = group.setdefault(part, {})
            group[name] = ast.literal_eval(value) if value[0].isdigit() else value
        made = make_plan(experiment_from("the page", config, given))
        assert made.config.model.kind == given["model"].get(
            "kind", "encoder_decoder" if "scan" in config else "sequence"
        )

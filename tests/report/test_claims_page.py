"""The page of claims from synthetic findings: its contents, and the errors of damaged files."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gru_research import records
from gru_research.report import claims, exhibits, figure_settings
from gru_research.report.claims import findings
from gru_research.tables import Table
from tests.report.test_exhibits import EXAMPLES

ENV = {
    "backend": "cpu", "devices": ["cpu:0"], "cores": 2, "platform": "Linux", "python": "3.11", "versions": {"jax": "1"},
    "git_commit": "abc", "git_dirty": False,
}  # fmt: skip
HEADER: dict[str, Any] = {
    "config": {"a": "<b>"}, "claims": ["size", "speed", "memory"], "command": ["python", "-m", "x", "--a=b c"],
    "started": "2026-01-01", "env": ENV,
}  # fmt: skip
SIZE = findings.Finding("size", "A GRU is <small>", "It was counted.", "holds", "0.75 | exactly", "A rule.", EXAMPLES,
                        "More.", ("runs/a", "runs/b"), 61.0)  # fmt: skip
MEMORY = findings.Finding("memory", "It remembers", "Nothing.", "not run", "no data")


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    (tmp_path / findings.FILE_NAME).write_text(json.dumps({"schema": findings.SCHEMA, **HEADER}))
    for finding in (SIZE, MEMORY):
        findings.write(tmp_path, finding)
    return tmp_path


def test_findings_come_back_as_they_were_in_the_config_s_order(workdir: Path) -> None:
    found = findings.read(workdir)
    assert found.findings == (SIZE, MEMORY) and found.missing == ("speed",)
    assert found.header["command"] == HEADER["command"]


def test_the_page_holds_every_claim_with_its_verdict_and_links_that_lead_somewhere(workdir: Path) -> None:
    (workdir / "runs" / "a").mkdir(parents=True)
    (workdir / "runs" / "a" / "report.html").write_text("")
    text = claims.write(workdir).read_text()
    assert "A GRU is &lt;small&gt;" in text and "<small>" not in text and "&lt;b&gt;" in text
    assert 'class="verdict holds"' in text and 'class="verdict not-run"' in text
    assert "Not finished: speed." in text and "1 holds, 1 wasn&#x27;t run" in text
    anchors, ids = set(re.findall(r'href="#(\w+)"', text)), set(re.findall(r'id="(\w+)"', text))
    assert anchors == {"size", "memory"} <= ids
    assert 'href="runs/a/report.html"' in text and "runs/b/report.html" not in text
    assert "1.0 min" in text and "x &#x27;--a=b c&#x27;" in text
    assert {path.name for path in (workdir / "figures").iterdir()} == {
        f"{shown.name}.png" for shown in EXAMPLES if not isinstance(shown, Table | exhibits.Sound)
    }


def test_the_markdown_has_the_same_and_its_tables_stay_tables(workdir: Path) -> None:
    claims.write(workdir)
    text = (workdir / "claims.md").read_text()
    assert r"0.75 \| exactly" in text and r"| a\|b | - |" in text
    for row in re.findall(r"^\|.*\|$", text, re.MULTILINE):
        assert len(re.findall(r"(?<!\\)\|", row)) in (3, 4)
    assert all((workdir / path).is_file() for path in re.findall(r"\]\((figures/[^)]+)\)", text))
    assert '<a id="size"></a>' in text and "[A GRU is <small>](#size)" in text


def test_the_markdown_links_to_figures_of_the_formats_that_were_asked_for(workdir: Path) -> None:
    with figure_settings.FigureSettings(("svg", "pdf")).applied():
        claims.write(workdir)
    linked = re.findall(r"\]\((figures/[^)]*)\)", (workdir / "claims.md").read_text())
    assert linked and all((workdir / path).suffix == ".svg" and (workdir / path).is_file() for path in linked)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("claims.json", "{", "claims.json is damaged"),
        ("claims.json", '{"schema": "x"}', "schema 'x' can't be read"),
        ("findings/size.json", "[" * 100_000, "size.json is damaged"),
        ("findings/size.json", '{"name": "size", "shown": [{"kind": "film"}], "runs": []}', "size.json is damaged"),
        ("findings/size.json", '{"shown": [], "runs": []}', "the same command makes it again"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(workdir: Path, name: str, content: str, said: str) -> None:
    (workdir / name).write_text(content)
    with pytest.raises(records.RecordsError, match=said) as caught:
        claims.write(workdir)
    assert "\n" not in str(caught.value)


def test_without_claims_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(records.RecordsError, match=r"claims\.json doesn't exist"):
        findings.read(tmp_path)


def test_counts_are_in_words() -> None:
    held = [findings.Finding("a", "", "", verdict, "") for verdict in ("holds", "holds", "doesn't hold", "holds when")]
    assert findings.counted(held) == "2 hold, 1 holds under a condition, 1 doesn't hold"

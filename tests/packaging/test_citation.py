"""CITATION.cff: what its schema, version 1.2.0, asks for, and the same as the package says of itself."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

import gru_research

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def citation() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_it_has_what_the_schema_requires(citation: dict[str, Any]) -> None:
    for name in ("cff-version", "message", "title"):
        assert isinstance(citation[name], str) and citation[name]
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] in ("software", "dataset")
    assert citation["authors"]
    for author in citation["authors"]:  # an entity has a name, a person other fields
        assert author.get("name") or author.get("family-names") or author.get("given-names") or author.get("alias")
    known = {
        "abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers", "keywords",
        "license", "license-url", "message", "preferred-citation", "references", "repository", "repository-artifact",
        "repository-code", "title", "type", "url", "version",
    }  # fmt: skip
    assert set(citation) <= known  # the schema allows no others


def test_it_says_what_the_package_says(citation: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["title"] == project["name"]
    assert citation["version"] == gru_research.__version__
    assert citation["license"] == project["license"]
    assert citation["abstract"].rstrip(".") == project["description"].rstrip(".")
    assert {word.lower() for word in citation["keywords"]} <= {word.lower() for word in project["keywords"]}

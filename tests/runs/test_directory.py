"""A directory that a JSON file describes: claimed by several at a time, and refused where it is another one."""

import concurrent.futures
import json
from pathlib import Path

import pytest

from gru_research.config import UserError
from gru_research.runs.directory import claim

CONTENT = {"schema": "test/1", "fields": {"a": 1, "b": [1, 2]}}


def test_several_may_claim_one_directory_at_a_time(tmp_path: Path) -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(claim, tmp_path / "it", "it.json", CONTENT, "thing") for _ in range(200)]:
            done.result()
    assert [path.name for path in (tmp_path / "it").iterdir()] == ["it.json"]
    assert json.loads((tmp_path / "it" / "it.json").read_text()) == CONTENT


def test_another_one_is_refused_with_what_differs(tmp_path: Path) -> None:
    claim(tmp_path, "it.json", CONTENT, "thing")
    with pytest.raises(
        UserError, match=r"holds another thing: fields.a is 1 there, and 2 was asked for; choose another"
    ):
        claim(tmp_path, "it.json", CONTENT | {"fields": {"a": 2, "b": [1, 2]}}, "thing")
    claim(tmp_path, "it.json", CONTENT | {"more": 3}, "thing", lambda content: content["fields"])
    assert json.loads((tmp_path / "it.json").read_text())["more"] == 3
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(UserError, match="holds something else: choose another"):
        claim(tmp_path / "other", "it.json", CONTENT, "thing")

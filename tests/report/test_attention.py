"""Attention in the report, from synthetic arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gru_research import records, report, run_files
from gru_research.report import attention, files
from gru_research.report.drawing import figure_style
from gru_research.run_files import AttentionExamples
from tests.report.synthetic import Cell, Page, write_run
from tests.report.test_escaping import EVIL, assert_harmless

VOCABULARIES = {"inputs": ("walk", "twice"), "targets": ("WALK", "RUN", "<end>")}


def attended(**changes: Any) -> AttentionExamples:
    """Returns two examples: "walk twice" answered by WALK WALK, and "walk" answered wrongly by RUN."""
    fields: dict[str, Any] = {
        "seed": 4,
        "examples": np.array([0, 17]),
        "inputs": np.array([[0, 1], [0, 0]]),
        "lengths": np.array([2, 1]),
        "answers": np.array([[0, 0, 2], [1, 2, 2]]),
        "answer_lengths": np.array([3, 2]),
        "targets": np.array([[0, 0, 2], [0, 2, 2]]),
        "target_lengths": np.array([3, 2]),
        "weights": np.array([[[1, 0], [0.25, 0.75], [0.375, 0.625]], [[1, 0], [1, 0], [9, 9]]], np.float32),
        "right": np.array([True, False]),
        "wrong_one": np.array([False, True]),
    }
    return AttentionExamples(**fields | changes)


def with_attention(
    workdir: Path, found: AttentionExamples | None = None, label: str = "GRU", words: Any = VOCABULARIES
) -> Path:
    write_run(workdir, {label: Cell([[0.1, 0.01]], [0.01])})
    run_files.save_attention(workdir, label, found or attended())
    run_files.save_vocabularies(workdir, words)
    return workdir


def test_a_map_for_each_example_and_cell(tmp_path: Path) -> None:
    found = attention.read([(with_attention(tmp_path / "run"), {"GRU": "GRU", "LSTM": "LSTM"})])
    first, second = attention.grids(found)
    assert (first.rows, first.columns) == (("WALK", "WALK", "<end>"), ("walk", "twice"))
    assert first.values == ((1.0, 0.0), (0.25, 0.75), (0.375, 0.625))
    assert (second.rows, second.columns, second.values) == (("RUN", "<end>"), ("walk",), ((1.0,), (1.0,)))
    assert first.words.title == "GRU, test example 0: right" and second.words.title == "GRU, test example 17: wrong"
    assert first.words.caption == "Input: walk twice. The answer is right: the target is WALK WALK <end>."
    assert second.words.caption == (
        "Input: walk. The answer is wrong: the target is WALK <end>. It is the first test example that GRU answers "
        "wrongly."
    )
    assert first.words.alt == (
        "Heat map of the weights with which GRU reads 2 words of the input, across, for 3 tokens of its answer, down. "
        "Read most: WALK reads walk with 1; WALK reads twice with 0.75; <end> reads twice with 0.62."
    )
    assert "GRU with seed 4" in attention.notes(found)[0]


def test_the_page_has_a_section_of_them_with_their_figures(tmp_path: Path) -> None:
    paths = report.write(with_attention(tmp_path / "run"))
    page = Page(paths.page)
    assert page.headings.index("Attention") == page.headings.index("Figures") + 2  # after the time to solve
    assert "The answer is right: the target is WALK WALK <end>." in page.text
    assert [path.stem for path in paths.figures[-2:]] == ["attention-GRU-0", "attention-GRU-17"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths.figures)
    assert not page.of("script")
    images = [image for image in page.of("img") if "Heat map" in (image["alt"] or "")]
    assert len(images) == 2


def test_without_what_was_saved_the_report_is_as_it_was(tmp_path: Path) -> None:
    with_attention(tmp_path / "run")
    (tmp_path / "run" / "arrays" / "attention-GRU.npz").unlink()
    (tmp_path / "run" / run_files.VOCABULARIES).write_text("[")  # nobody asks for words then
    paths = report.write(tmp_path / "run")
    write_run(tmp_path / "plain", {"GRU": Cell([[0.1, 0.01]], [0.01])})
    assert paths.page.read_bytes() == report.write(tmp_path / "plain").page.read_bytes()
    assert "Attention" not in Page(paths.page).headings


@pytest.mark.parametrize("name", ["arrays/attention-GRU.npz", run_files.VOCABULARIES])
def test_where_it_is_damaged_nothing_is_with_attention(name: str, tmp_path: Path) -> None:
    with_attention(tmp_path / "run")
    (tmp_path / "run" / name).write_text("no")
    with pytest.raises(records.RecordsError, match=name.rpartition("/")[2]):
        report.write(tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"arrays", "records.jsonl", run_files.VOCABULARIES}


def test_tokens_without_words_are_numbers_and_vectors_steps(tmp_path: Path) -> None:
    (first, _) = attention.grids(
        attention.read([(with_attention(tmp_path / "run", words={"targets": ("WALK",)}), {"GRU": "GRU"})])
    )
    assert (first.rows, first.columns) == (("WALK", "WALK", "2"), ("0", "1"))
    vectors = attended(inputs=np.zeros((2, 2, 5), np.float32))
    (first, _) = attention.grids(attention.AttentionMaps({"GRU": vectors}, VOCABULARIES))
    assert first.columns == ("0", "1") and first.words.caption.startswith("Input: 0 1. ")
    # Nor are words that nobody would see.
    (first, _) = attention.grids(
        attention.AttentionMaps({"GRU": attended()}, {"inputs": (" ", "a\nb"), "targets": ("",)})
    )
    assert first.columns == ("' '", "'a\\nb'") and first.rows == ("''", "''", "2")


def test_an_example_without_words_and_weights_that_are_not_finite(tmp_path: Path) -> None:
    weights = attended().weights.copy()
    weights[0, 1] = np.nan
    found = attention.AttentionMaps({"GRU": attended(lengths=np.array([2, 0]), weights=weights)}, VOCABULARIES)
    (only,) = attention.grids(found)
    assert only.values[1] == (None, None) and "WALK reads what isn't finite; <end>" in only.words.alt
    files.Figures(tmp_path / "figures").add(only)


@pytest.mark.parametrize(("steps", "tokens"), [(1, 1), (9, 49), (30, 300), (400, 2)])
def test_sequences_of_any_length_are_drawn(steps: int, tokens: int, tmp_path: Path) -> None:
    long = attended(
        examples=np.array([0]),
        inputs=np.arange(steps)[None],
        lengths=np.array([steps]),
        answers=np.arange(tokens)[None],
        answer_lengths=np.array([tokens]),
        targets=np.arange(tokens)[None],
        target_lengths=np.array([tokens]),
        weights=np.full((1, tokens, steps), 1 / steps, np.float32),
        right=np.array([True]),
        wrong_one=np.array([False]),
    )
    words = {name: tuple(f"word_number_{n}" for n in range(400)) for name in ("inputs", "targets")}
    (shown,) = attention.grids(attention.AttentionMaps({"GRU": long}, words))
    assert len(shown.words.alt) < 60 * 60 and ("and 240 more" in shown.words.alt) == (tokens == 300)
    figures = files.Figures(tmp_path / "figures")
    figures.add(shown)
    with figures.paths[0].open("rb") as file:
        width, height = np.frombuffer(file.read(24)[16:], ">u4") / 200
    assert width == pytest.approx(5.2, abs=0.01) and height < 11.1


def test_words_that_the_font_lacks_are_boxes_without_a_warning(tmp_path: Path) -> None:
    assert figure_style.text("a\u6b69$\n_") == "a\u25a1\\$\n_"
    words = {"inputs": ("\u6b69\u304f", "\u4e8c\u56de"), "targets": ("\u6b69\u304f\uff01", "", "")}
    paths = report.write(with_attention(tmp_path / "run", words=words))
    assert "Input: \u6b69\u304f \u4e8c\u56de." in Page(paths.page).text


def test_hostile_words_and_labels_are_text(tmp_path: Path) -> None:
    hostile = {field: tuple(f"{word}{EVIL}" for word in words) for field, words in VOCABULARIES.items()}
    label = "<img src=x onerror=alert(2)>"  # without a slash, so that a file can have it in its name
    found = attended(wrong_one=np.array([True, True]))
    paths = report.write(with_attention(tmp_path / "run", found, label, hostile))
    page = assert_harmless(paths.page)
    assert f"Input: walk{EVIL} twice{EVIL}." in page.text.replace("\xa0", " ")
    assert f"{label}, test example 0: right" in page.text
    assert [path.name for path in paths.figures[-2:]] == [
        "attention-_img_src_x_onerror_alert_2_-0.png", "attention-_img_src_x_onerror_alert_2_-17.png",
    ]  # fmt: skip

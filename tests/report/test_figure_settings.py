"""The settings of figures: formats, sizes, styles, reproducible files, and invalid values."""

import re
import struct
from pathlib import Path

import matplotlib
import pytest

from gru_research import report
from gru_research.report import figure_settings
from gru_research.report.drawing import figure_style
from tests.faults import fault, seen
from tests.report.synthetic import two_cells, write_run


@pytest.fixture(scope="module")
def workdir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("settings")
    cells = two_cells(2)
    write_run(folder, {"GRU": cells["GRU"], "a_bidirectional_lstm": cells["RNN"]})
    return folder


def figures(workdir: Path, chosen: figure_settings.FigureSettings) -> dict[str, bytes]:
    with chosen.applied():
        return {path.name: path.read_bytes() for path in report.write(workdir).figures}


def inches(png: bytes) -> tuple[float, float]:
    width, height = struct.unpack(">II", png[16:24])
    return width / 200, height / 200


def test_a_paper_has_vector_files_with_embedded_letters_and_the_same_bytes_each_time(workdir):
    chosen = figure_settings.FigureSettings(("pdf", "svg"), "paper")
    made = figures(workdir, chosen)
    kinds = [name.partition(".")[2] for name in made]
    assert kinds.count("pdf") == kinds.count("svg") == 4 and len(kinds) == 8
    for name, content in made.items():
        if name.endswith("pdf"):
            assert content.startswith(b"%PDF")
            assert b"/Type3" not in content
            assert b"/FontFile2" in content  # Type 42: the outlines of TrueType
            assert b"STIXGeneral" in content
            assert b"CreationDate" not in content
        else:
            assert b"<svg" in content and b"<text" not in content
            assert b"<dc:date>" not in content
    assert figures(workdir, chosen) == made


def test_png_alone_is_usual_and_a_users_own_settings_of_matplotlib_are_not_ours(workdir):
    usual = figures(workdir, figure_settings.SCREEN)
    assert {Path(name).suffix for name in usual} == {".png"}
    assert inches(usual["learning_curves.png"])[0] == figure_settings.WIDTH
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black"}):
        assert figures(workdir, figure_settings.SCREEN) == usual
        assert matplotlib.rcParams["font.size"] == 20  # left as it was


def test_width_and_size_of_text_are_what_was_asked_for(workdir):
    made = figures(workdir, figure_settings.FigureSettings(width_inches=3.0, font_size=7.0))
    usual = figures(workdir, figure_settings.SCREEN)
    for name, content in made.items():
        width, height = inches(content)
        assert width == 3.0
        # As high as its text needs: a legend that takes a row more makes up for some of it.
        assert 0.65 <= height / inches(usual[name])[1] < 0.9
    with figure_settings.FigureSettings(width_inches=3.0, font_size=7.0).applied():
        assert figure_style.points(10) == 7.0
        assert figure_style.points(9) == pytest.approx(6.3)
    assert figure_settings.current() is figure_settings.SCREEN


def test_a_style_file_is_put_over_the_usual_style(workdir, tmp_path):
    path = tmp_path / "mine.mplstyle"
    path.write_text("# mine\nfigure.figsize: 4, 3\naxes.facecolor: 123456  # a comment\n")
    made = figures(workdir, figure_settings.FigureSettings(("svg",), str(path)))
    assert all(b"#123456" in content for content in made.values())
    assert re.search(rb'width="288pt"', made["learning_curves.svg"])  # 4 inches
    assert figure_settings.FigureSettings(style=str(path), width_inches=6.0).inches == 6.0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param(
            {"formats": ("png", "jpeg")},
            "formats='jpeg' is unknown; known: png, pdf, svg",
            marks=fault("reports", "an unknown format of figures"),
        ),
        ({"formats": ()}, "formats=.* must name at least one"),
        pytest.param(
            {"width_inches": 0.5},
            "width_inches=0.5 must be from 2 to 20",
            marks=fault("reports", "a width or a size of text out of range"),
        ),
        ({"font_size": 100.0}, "font_size=100.0 must be from 4 to 24"),
        ({"width_inches": 2.0, "font_size": 20.0}, "width_inches=2 must be at least 3 for text of 20 points"),
        pytest.param(
            {"style": "papper"},
            "style='papper' must be screen, paper or the path of a FILE.mplstyle",
            marks=fault("reports", "an unknown style of figures"),
        ),
        ({"style": "none.mplstyle"}, "style='none.mplstyle' can't be read: No such file"),
    ],
)
def test_what_cannot_be_is_refused(fields, message):
    with pytest.raises(ValueError, match=message) as error:
        figure_settings.FigureSettings(**fields)
    seen(error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "font.size: 9\nfont.sise: 8\n",
            "line 2: 'font.sise: 8' sets no parameter of Matplotlib",
            marks=fault("reports", "a style file with a mistake in it"),
        ),
        ("text.usetex: True\n", "text.usetex must be False"),
        ("font.size: large-ish\n", "font.size|large-ish"),
        ("nothing here\n", "line 1: 'nothing here' sets no parameter"),
    ],
)
def test_a_style_file_with_a_mistake_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.mplstyle"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        figure_settings.FigureSettings(style=str(path))
    assert "\n" not in str(error.value)
    seen(error)

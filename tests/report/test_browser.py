"""Every kind of page in a real headless browser: no errors or requests, narrow and wide layouts, and the slider.

Texts that a user can set contain HTML.
"""

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import rich.console

from gru_research import report
from gru_research.report import claims, diagnosis_page, exhibits
from gru_research.report.claims import findings
from tests.browser import opened
from tests.report.synthetic import Cell, constant, falling, flat, two_cells, write_run, write_study
from tests.report.test_attention import VOCABULARIES, with_attention
from tests.report.test_claims_page import HEADER
from tests.report.test_escaping import EVIL, poison
from tests.report.test_exhibits import EXAMPLES

# With such a long metric name, a figure has no room for its axes.
pytestmark = [pytest.mark.processes, pytest.mark.filterwarnings("ignore:constrained_layout not applied")]
KINDS = ("run", "attention", "suite", "horizon", "sweep", "claims", "why")
STEPS = 40


def hostile(texts: Sequence[str]) -> list[str]:
    return [f"{text}{EVIL}" for text in texts]


def heat() -> exhibits.Heat:
    """Returns a heat map of two units over 40 steps, with HTML in their names."""
    steps = range(STEPS)
    return exhibits.Heat(
        "gates",
        exhibits.Words(*hostile(["Gates", "What is in it", "What to see"])),
        {f"number{EVIL}": tuple(step / 100 for step in steps)},
        {f"update gate z{EVIL}": (tuple(step / 40 for step in steps), tuple(1 - step / 40 for step in steps))},
        (3, 1),
        {"sum": tuple(step / 10 for step in steps)},
    )


def write_pages(folder: Path) -> dict[str, Path]:
    """Writes a page of each kind."""
    quiet = rich.console.Console(quiet=True)
    cells = two_cells(6) | {
        "tuned": Cell([falling(0)] * 6, [0.1] * 6, draws=((1e-3, 0.2), (1e-2, None)), chosen=0),
        "lost": Cell([flat(s) for s in range(6)], [None] * 6, diverged={0: 300}),
    }
    (folder / "run").mkdir()
    write_run(folder / "run", cells, planned=[*cells, "idle"], length=9)
    poison(folder / "run", warnings=["a warning"])
    pages = {"run": report.write(folder / "run", quiet).page}
    words = {field: tuple(hostile(of)) for field, of in VOCABULARIES.items()}
    pages["attention"] = report.write(with_attention(folder / "attention", words=words), quiet).page
    seeds = (0.01, 0.02, 0.03, 0.04, 0.05)
    for kind in ("suite", "horizon"):
        names = ["one", "two"]
        for name in names:
            (folder / kind / name).mkdir(parents=True)
            write_run(folder / kind / name, {"GRU": constant(*seeds, solved=4), "RNN": constant(*seeds)})
            poison(folder / kind / name)
            report.write(folder / kind / name, quiet)
        fields = {"field": f"task.length{EVIL}", "values": [4, 5], "solved": 0.5} if kind == "horizon" else {}
        write_study(folder / kind, kind, names, title=f"All{EVIL}", **fields)
        pages[kind] = report.write_study(folder / kind, quiet).page
    pages["sweep"] = write_sweep(folder / "sweep")
    exhibits_of_all_kinds = (*(shown for shown in EXAMPLES if not isinstance(shown, exhibits.Heat)), heat())
    finding = findings.Finding(
        "size", *hostile(["A claim", "It was run"]), "holds when", *hostile(["It says", "A rule"]),
        exhibits_of_all_kinds,
    )  # fmt: skip
    (folder / "claims").mkdir()
    header = {"schema": findings.SCHEMA, **HEADER, "claims": ["size"], "command": [f"x{EVIL}"]}
    (folder / "claims" / findings.FILE_NAME).write_text(json.dumps(header))
    findings.write(folder / "claims", finding)
    pages["claims"] = claims.write(folder / "claims")
    header = {"command": [f"x{EVIL}"], "made": "2026-01-01", "about": f"About{EVIL}"}
    (folder / "why").mkdir()
    diagnosis_page.save(
        folder / "why", header, [diagnosis_page.Part(f"gru{EVIL}", (f"a note{EVIL}",), exhibits_of_all_kinds)]
    )
    pages["why"] = diagnosis_page.write(folder / "why")
    (folder / "why" / "report.html").write_text("<!DOCTYPE html>")
    return pages


def write_sweep(path: Path) -> Path:
    """Writes a sweep of three trials, one of which failed."""
    for package in ("optuna", "submitit"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"a sweep needs {package}")
    from experiments.sweeps import directory, journal, search_space
    from experiments.sweeps import report as sweep_report

    sweep = search_space.parse_sweep({"fields": {f"x{EVIL}": (f"a{EVIL}", f"b{EVIL}", "c")}})
    description = directory.SweepDescription(sweep, {"first_seed": 0, "seeds": 2}, f"mse{EVIL}", "min", f"title{EVIL}")
    made = journal.TrialJournal(directory.claim(path, description), description)
    made.add_missing_attempts()
    for value in (0.5, 0.25, None):
        trial = made.claim_attempt()
        assert trial is not None and made.values(trial)
        made.fail(trial, EVIL, f"why{EVIL}") if value is None else made.complete(trial, value, seconds=1.0)
    sweep_report.write(made, rich.console.Console(quiet=True))
    return path / "report.html"


@pytest.fixture(scope="module")
def pages(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    del browser  # without one nothing is written
    return write_pages(tmp_path_factory.mktemp("pages"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_whole_quiet_and_alone(browser: Any, pages: dict[str, Path], kind: str) -> None:
    it = opened(browser, pages[kind])
    page = it.page
    assert page.locator("h1").is_visible()
    decoded = page.evaluate("Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))")
    assert len(decoded) >= 1 and all(width > 100 for width in decoded)
    assert all(page.locator("img").evaluate_all("images => images.map(i => i.alt.length > 10)"))
    for width in (1200, 360):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
    for link in page.locator("a").evaluate_all("links => links.map(a => a.getAttribute('href'))"):
        if link.startswith("#"):
            assert page.locator(f'[id="{link[1:]}"]').count() == 1, link
        else:
            assert (pages[kind].parent / link).is_file(), link
    assert it.told == []
    assert [address for address in it.asked if not address.startswith("data:")] == [pages[kind].as_uri()]
    assert EVIL.split()[0] in page.locator("main").inner_text()
    page.context.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_prints(browser: Any, pages: dict[str, Path], kind: str) -> None:
    it = opened(browser, pages[kind])
    assert it.page.pdf(format="A4").startswith(b"%PDF")
    it.page.emulate_media(media="print")
    assert not any(it.page.locator(".stepper, .line").evaluate_all("all => all.map(e => e.checkVisibility())"))
    assert it.told == []
    it.page.context.close()


@pytest.mark.parametrize("kind", ["run", "why"])
def test_no_other_script_runs(browser: Any, pages: dict[str, Path], kind: str) -> None:
    it = opened(browser, pages[kind])
    it.page.evaluate("""() => {
      const script = document.createElement("script");
      script.textContent = "document.title = 'taken over'";
      document.body.append(script);
    }""")
    assert "taken over" not in it.page.title()
    assert "Content Security Policy" in it.told[0]
    it.page.context.close()


def at(page: Any) -> tuple[str, float]:
    """Returns the text at the slider's step and the line's position in steps."""
    figure = page.locator("figure[data-texts]")
    left, right = (float(figure.get_attribute(f"data-{side}")) for side in ("left", "right"))
    image, line = figure.locator("img").bounding_box(), figure.locator(".line").bounding_box()
    place = (line["x"] + line["width"] / 2 - image["x"]) / image["width"]
    assert image["y"] < line["y"] and line["y"] + line["height"] < image["y"] + image["height"]
    return figure.locator("output").inner_text(), (place - left) / (right - left) * STEPS - 0.5


def test_a_slider_says_what_is_at_its_step(browser: Any, pages: dict[str, Path]) -> None:
    it = opened(browser, pages["why"])
    page, slider = it.page, it.page.locator("input[type=range]")
    for step, key in enumerate(["Home", "ArrowRight", "ArrowRight"]):
        slider.press(key)
        said, place = at(page)
        assert said.splitlines()[0] == f"Step {step} of 0 to 39" and place == pytest.approx(step, abs=0.1)
        assert f"number{EVIL} = {step / 100:g}" in said and f"sum = {step / 10:g}" in said
        assert f"update gate z{EVIL}: mean 0.50, from {step / 40:.2f} (unit 3) to {1 - step / 40:.2f} (unit 1)" in said
        assert (slider.get_attribute("aria-valuetext") or "").startswith(f"Step {step} of 0 to 39; number")
    box = page.locator("figure[data-texts] img").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    said, place = at(page)
    assert 5 < place < 35 and said.startswith(f"Step {place:.0f} of")
    assert it.told == []
    page.context.close()


def test_a_slider_plays_pauses_and_ends(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page()
    page.clock.install(time=0)
    page.clock.pause_at(1_000)  # time goes on only where the test says so
    page.goto(pages["claims"].as_uri())
    play = page.get_by_role("button")
    play.click()
    assert play.inner_text() == "Pause"
    page.clock.run_for(2_600)  # 40 steps in 20 s
    assert at(page)[0].startswith("Step 5 of")
    play.click()
    page.clock.run_for(5_000)
    assert at(page)[0].startswith("Step 5 of") and play.inner_text() == "Play"
    play.click()
    page.clock.run_for(30_000)
    assert at(page)[0].startswith("Step 39 of") and play.inner_text() == "Play"
    play.click()
    assert at(page)[0].startswith("Step 0 of")  # from the beginning
    page.close()


def test_where_motion_isnt_wanted_nothing_plays_and_without_scripts_the_picture_stays(
    browser: Any, pages: dict[str, Path]
) -> None:
    still = opened(browser, pages["why"], reduced_motion="reduce")
    assert still.page.locator(".stepper").is_visible() and not still.page.locator(".stepper button").is_visible()
    still.page.context.close()
    plain = opened(browser, pages["why"], java_script_enabled=False)
    shown = [plain.page.locator(f"figure {part}").last.is_visible() for part in ("img", ".stepper", ".line")]
    assert shown == [True, False, False]
    plain.page.context.close()

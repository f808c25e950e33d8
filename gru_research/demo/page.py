"""Makes the page of a run's trained cells."""

import base64
import bisect
import hashlib
import html
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gru_research.config import UserError
from gru_research.runs.loaded_run import LoadedRun
from gru_research.runs.predict import best_seed

from . import forecasts, sentiment
from .content import Content, Trained
from .description import describe
from .weights import Type, pack

LIMIT = 5_000_000
"""The most bytes of a page."""
FORMS: Mapping[str, Callable[[LoadedRun], Content]] = {"forecasts": forecasts.content, "sentiment": sentiment.content}
"""By the form of an application's answers."""
_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; padding: 1.2rem 1rem 4rem; max-width: 52rem; color: #1d1d1f; background: #fff;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .4rem; }
p, li { max-width: 44rem; }
label { display: block; font-weight: 600; margin: 1rem 0 .3rem; }
textarea, select { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; border: 1px solid #8e8e96;
  border-radius: .3rem; background: #fff; color: inherit; }
:focus-visible { outline: 3px solid #0072b2; outline-offset: 1px; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .82rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .3rem; color: #3a3a40; white-space: nowrap; }
th, td { padding: .25rem .4rem; text-align: center; border: 1px solid #fff; }
th[scope=row] { text-align: left; white-space: nowrap; font-weight: 400; position: sticky; left: 0; background: #fff; }
ul { padding-left: 1.2rem; }
svg { width: 100%; height: auto; touch-action: none; border: 1px solid #d5d5da; border-radius: .3rem;
  cursor: crosshair; }
.known { fill: none; stroke: #1d1d1f; stroke-width: 1.5; }
.line { fill: none; stroke-width: 2; }
.grid { stroke: #e3e3e8; }
.tick { font-size: 11px; fill: #55555c; }
#legend { list-style: none; padding: 0; }
#legend li { border-left: .4rem solid; padding-left: .5rem; margin: .2rem 0; }
.about { color: #55555c; font-size: .9rem; }
"""


def write(run: LoadedRun, path: Path, cells: Sequence[str] = ()) -> str:
    """Writes the page of a run's `cells` (all if there are none), each with the seed of the best validation metric.

    Returns:
      A sentence on what the page holds.

    Raises:
      UserError: the run's answers have no page, a model can't be run by one, the page would be too large, or it can't
        be written.
    """
    form = "" if run.task.application is None else run.task.application.form
    if form not in FORMS:
        raise UserError(f"a page runs models of {', '.join(FORMS)}; {run.task.name} has no page")
    if not run.cells:
        raise UserError("the run has no parameters: none of its cells was trained, or its checkpoints are gone")
    content = FORMS[form](run)
    trained = []
    for label in cells or run.cells:
        seed = best_seed(run, label)
        trained.append(Trained(label, seed, describe(label, run.model(label)), run.parameters(label, seed)))
    text, dtype, content = fitted(content, trained)
    if not fits(text):
        raise UserError(f"the page would have {len(text.encode()):,} bytes, more than {LIMIT:,}: choose fewer cells")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise UserError(f"{path} can't be written: {e.strerror or e}") from e
    return f"{path}: {len(text.encode()):,} bytes, weights in {dtype}, {content.about}"


def fits(text: str) -> bool:
    """Returns whether a page is small enough."""
    return len(text.encode()) <= LIMIT


def fitted(content: Content, trained: Sequence[Trained]) -> tuple[str, Type, Content]:
    """Returns the page, the type of its weights, and the content that is left.

    The whole is tried in float32, then in float16, then with as many words in float16 as the page has room for. Where
    nothing fits, the whole page in float16 is returned.
    """
    for dtype in ("float32", "float16"):
        text = document(content, trained, dtype)
        if fits(text):
            return text, dtype, content

    def with_words(count: int) -> tuple[str, Content]:
        assert content.shorten is not None
        shorter, others = content.shorten(trained, count)
        return document(shorter, others, "float16"), shorter

    words = range(1, content.words + 1)
    count = bisect.bisect_left(words, True, key=lambda n: not fits(with_words(n)[0]))
    text, content = with_words(count) if count else (document(content, trained, "float16"), content)
    return text, "float16", content


def document(content: Content, trained: Sequence[Trained], dtype: Type) -> str:
    """Returns the page as HTML."""
    cells = []
    for one in trained:
        shapes, numbers = pack(one.params, dtype)
        described = {"label": one.label, "seed": one.seed, "model": one.model}
        cells.append(described | {"shapes": shapes, "numbers": numbers})
    data = {"type": dtype, "cells": cells, **content.data}
    # "<" could end the element that holds the data.
    plain = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    files = (Path(__file__).parent / f"{name}.js" for name in ("network", content.form))
    script = "\n".join(file.read_text(encoding="utf-8") for file in files)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    seeds = ", ".join(f"{one.label} with seed {one.seed}" for one in trained)
    title = html.escape(content.title)
    about = html.escape(f"{content.about[0].upper()}{content.about[1:]}. Shown: {seeds}. Nothing is loaded or sent.")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{content.body}
<p class="about">{about}</p>
</main>
<script type="application/json" id="data">{plain}</script>
<script>{script}</script>
</body>
</html>
"""

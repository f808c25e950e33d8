"""The page that forecasts a series which the reader pastes or draws."""

import numpy as np

from gru_research.runs.loaded_run import LoadedRun

from .content import Content

BODY = """<p>Draw on the picture, or paste numbers.</p>
<svg id="picture" viewBox="0 0 720 320" role="img" aria-label="The series and the forecasts of each cell"></svg>
<ul id="legend" aria-live="polite"></ul>
<p id="note"></p>
<label for="series">Forecast it like</label>
<select id="series"></select>
<label for="values">Numbers, oldest first</label>
<textarea id="values" rows="5" spellcheck="false"></textarea>"""


def content(run: LoadedRun) -> Content:
    """Returns the page's content for a run of the task `forecasting`.

    The page begins with a sine at the scale of the first series, so that it holds none of the data.
    """
    scale = run.task.learned["scale"]
    columns = list(run.task.decode.columns)  # pyright: ignore[reportFunctionMemberAccess]
    steps = int(run.task.spec.example["inputs"].shape[0])
    horizon = int(run.task.spec.example["targets"].shape[0])
    wave = scale["mean"][0] + scale["std"][0] * np.sin(2 * np.pi * np.arange(steps) / 24)
    data = {
        "columns": columns,
        "mean": scale["mean"],
        "deviation": scale["std"],
        "steps": steps,
        "horizon": horizon,
        "start": wave.round(4).tolist(),
    }
    about = f"{steps} steps are read and {horizon} forecast, for {len(columns)} series"
    return Content("forecasts", f"Forecasts by models of {run.task.name}", about, BODY, data)

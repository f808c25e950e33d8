"""The slider over the steps of a heat map."""

from matplotlib.figure import Figure

from gru_research.report import formatting, markup
from gru_research.report.exhibits import Heat, Number


def steps(shown: Heat, figure: Figure) -> markup.Slider:
    """Returns the slider of a drawn heat map, whose layout is done."""
    top = figure.axes[0]
    places = [axes.get_position() for axes in figure.axes]
    of_steps = top.get_position()  # the maps share its x axis, with half a step of margin at both ends
    return markup.Slider(
        left=of_steps.x0,
        right=of_steps.x1,
        top=1 - of_steps.y1,
        bottom=1 - min(place.y0 for place in places),
        texts=tuple(text(shown, step) for step in range(shown.steps)),
    )


def text(shown: Heat, step: int) -> str:
    """Returns, in lines, the step, the inputs and readings, and each gate's mean and extreme units."""
    named = {**shown.inputs, **shown.readings}
    values = ", ".join(f"{name} = {_number(of[step])}" for name, of in named.items())
    lines = [f"Step {step} of 0 to {shown.steps - 1}", values]
    lines += [f"{gate}: {_gate([row[step] for row in rows], shown.units)}" for gate, rows in shown.gates.items()]
    return "\n".join(lines)


def _gate(column: list[Number], units: tuple[int, ...]) -> str:
    """Returns a gate's mean and extremes over `units` at one step, as text."""
    known = [(value, unit) for value, unit in zip(column, units, strict=True) if value is not None]
    if not known:
        return formatting.UNKNOWN
    (low, lowest), (high, highest) = min(known), max(known)
    mean = sum(value for value, _ in known) / len(known)
    return f"mean {mean:.2f}, from {low:.2f} (unit {lowest}) to {high:.2f} (unit {highest})"


def _number(value: Number) -> str:
    return formatting.UNKNOWN if value is None else formatting.number(value, 3)

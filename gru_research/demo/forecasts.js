// Forecasts the end of a series that the reader pastes or draws, with every cell.

const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];
const [WIDTH, HEIGHT, MARGIN] = [720, 320, 44];
let values = [...DATA.start];

/** Numbers of a text, divided by anything else. */
const numbersOf = (text) => (text.match(/[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?/gi) ?? []).map(Number);

/** The forecast of one series in its own units: [U][Q]. */
function forecast(cell, given, series) {
  const [mean, deviation] = [DATA.mean[series], DATA.deviation[series]];
  const scaled = given.slice(-DATA.steps).map((v) => (v - mean) / deviation);
  return applySegments(cell.model, cell.params, scaled, series).forecast.map((step) => step.map((v) => v * deviation + mean));
}

const SVG = "http://www.w3.org/2000/svg";
function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const picture = document.getElementById("picture");
let scale = null;

function show() {
  const note = document.getElementById("note");
  const series = Number(document.getElementById("series").value);
  if (values.length < DATA.steps) {
    note.textContent = `${values.length} numbers; the models read ${DATA.steps}.`;
    return;
  }
  const given = values.slice(-DATA.steps);
  const found = CELLS.map((cell) => forecast(cell, given, series));
  const middle = (step) => step[Math.floor(step.length / 2)];
  const all = [...given, ...found.flatMap((steps) => steps.flat())];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const span = high - low || 1;
  const count = given.length + DATA.horizon;
  const x = (t) => MARGIN + ((WIDTH - MARGIN - 8) * t) / (count - 1);
  const y = (v) => 8 + (HEIGHT - 36) * (1 - (v - low) / span);
  scale = { value: (top) => low + span * (1 - (top - 8) / (HEIGHT - 36)), step: (left) => Math.round(((left - MARGIN) * (count - 1)) / (WIDTH - MARGIN - 8)) };
  const points = (steps, start) => steps.map((v, t) => `${x(start + t).toFixed(1)},${y(v).toFixed(1)}`).join(" ");
  const made = [];
  for (const v of [low, (low + high) / 2, high]) {
    const text = shape("text", { x: MARGIN - 6, y: y(v) + 4, "text-anchor": "end", class: "tick" });
    text.textContent = v.toPrecision(3);
    made.push(text, shape("line", { x1: MARGIN, x2: WIDTH - 8, y1: y(v), y2: y(v), class: "grid" }));
  }
  found.forEach((steps, n) => {
    if (steps[0].length > 1) {
      const upper = points(steps.map((step) => step.at(-1)), given.length);
      const lower = points(steps.map((step) => step[0]), given.length).split(" ").reverse().join(" ");
      made.push(shape("polygon", { points: `${upper} ${lower}`, fill: COLOURS[n % 4], opacity: 0.12 }));
    }
  });
  made.push(shape("polyline", { points: points(given, 0), class: "known" }));
  found.forEach((steps, n) =>
    made.push(shape("polyline", { points: points([given.at(-1), ...steps.map(middle)], given.length - 1), stroke: COLOURS[n % 4], class: "line" })));
  picture.replaceChildren(...made);
  document.getElementById("legend").replaceChildren(
    ...CELLS.map((cell, n) => element("li", { style: `border-color: ${COLOURS[n % 4]}` },
      `${cell.label}: ${middle(found[n][0]).toPrecision(4)} next, ${middle(found[n].at(-1)).toPrecision(4)} after ${DATA.horizon} steps`)));
  note.textContent = `The last ${DATA.steps} of ${values.length} numbers are read; ${DATA.horizon} steps are forecast. Bands are between the outermost quantiles.`;
}

let drawing = null;
function draw(event) {
  if (!drawing || !scale) return;
  const box = picture.getBoundingClientRect();
  const left = ((event.clientX - box.left) * WIDTH) / box.width;
  const top = ((event.clientY - box.top) * HEIGHT) / box.height;
  const first = Math.max(0, values.length - DATA.steps);
  const t = Math.min(values.length - 1, Math.max(first, first + scale.step(left)));
  const v = scale.value(top);
  const from = drawing.t ?? t;
  for (let s = Math.min(from, t); s <= Math.max(from, t); s++) values[s] = v;
  drawing.t = t;
}
picture.addEventListener("pointerdown", (event) => {
  drawing = { t: null };
  picture.setPointerCapture(event.pointerId);
  draw(event);
});
picture.addEventListener("pointermove", draw);
picture.addEventListener("pointerup", () => {
  drawing = null;
  document.getElementById("values").value = values.map((v) => Number(v.toPrecision(5))).join(" ");
  show();
});
document.getElementById("values").addEventListener("input", (event) => {
  values = numbersOf(event.target.value);
  show();
});
document.getElementById("series").addEventListener("change", show);
document.getElementById("series").replaceChildren(...DATA.columns.map((name, n) => element("option", { value: n }, name)));
document.getElementById("values").value = values.map((v) => Number(v.toPrecision(5))).join(" ");
show();
globalThis.demo = { answer: (label, given, series) => forecast(CELLS.find((cell) => cell.label === label), given, series) };

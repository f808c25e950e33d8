"use strict";
// The forward passes of trained models. Numbers are added up in float64; weights are float16 or float32.
// A matrix is {data, shape: [rows, columns]}, row after row. Names of parameters are those of the Python code.

const ACTIVATIONS = {
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  tanh: Math.tanh,
  relu: (a) => Math.max(0, a),
};

/** Adds the product of a vector and a matrix to `sums`, in place. */
function addProduct(sums, x, { data, shape: [rows, columns] }) {
  for (let i = 0; i < rows; i++) {
    const xi = x[i];
    if (xi === 0) continue;
    for (let j = 0, k = i * columns; j < columns; j++, k++) sums[j] += xi * data[k];
  }
  return sums;
}

const affine = (x, weights, bias) => addProduct(Float64Array.from(bias.data), x, weights);
const row = ({ data, shape: [, columns] }, n) => data.subarray(n * columns, (n + 1) * columns);
const zeros = (size) => new Float64Array(size);

function softmax(scores) {
  const most = Math.max(...scores);
  const powers = Array.from(scores, (a) => Math.exp(a - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((a) => a / total);
}

/** What a cell computes in one step from its carry and the input x: {carry, h, gates}. */
const STEPS = {
  gru({ reset, update, gate, activation }, p, { h }, x) {
    const [open, curve] = [ACTIVATIONS[gate], ACTIVATIONS[activation]];
    const gates = {};
    for (const name of ["r", "z"]) {
      if (`W_${name}` in p) {
        gates[name] = addProduct(affine(x, p[`W_${name}`], p[`b_${name}`]), h, p[`U_${name}`]).map(open);
      }
    }
    const candidate = affine(x, p.W_n, p.b_n);
    if (reset === "after") {
      const memory = addProduct(Float64Array.from(p.c_n.data), h, p.U_n);
      gates.n = candidate.map((a, i) => curve(a + gates.r[i] * memory[i]));
    } else {
      const memory = reset === "before" ? Float64Array.from(h, (a, i) => a * gates.r[i]) : h;
      gates.n = addProduct(candidate, memory, p.U_n).map(curve);
    }
    const z = update === "gate" ? gates.z : zeros(h.length);
    const next = gates.n.map((n, i) => z[i] * h[i] + (1 - z[i]) * n);
    return { carry: { h: next }, h: next, gates };
  },

  lstm({ without, gate, activation }, p, { c, h }, x) {
    const [open, curve] = [ACTIVATIONS[gate], ACTIVATIONS[activation]];
    const gates = {};
    const evaluate = (name, apply, state) => {
      if (!(`W_${name}` in p)) return;
      const sums = addProduct(affine(x, p[`W_${name}`], p[`b_${name}`]), h, p[`U_${name}`]);
      const peephole = p[`p_${name}`];
      gates[name] = sums.map((a, i) => apply(a + (peephole ? peephole.data[i] * state[i] : 0)));
    };
    evaluate("i", open, c);
    evaluate("f", open, c);
    evaluate("g", curve);
    const kept = (i) => (gates.f ? gates.f[i] : 1);
    const written = (i) => (gates.i ? gates.i[i] : without === "coupled" ? 1 - gates.f[i] : 1);
    const next = gates.g.map((g, i) => kept(i) * c[i] + written(i) * g);
    evaluate("o", open, next);
    const shown = next.map((a, i) => (gates.o ? gates.o[i] : 1) * curve(a));
    return { carry: { c: next, h: shown }, h: shown, gates };
  },

  rnn({ activation }, p, { h }, x) {
    const next = addProduct(affine(x, p.W_h, p.b_h), h, p.U_h).map(ACTIVATIONS[activation]);
    return { carry: { h: next }, h: next, gates: {} };
  },
};

function firstCarry(cell, p) {
  const of = (name) => (p[`${name}_0`] ? Float64Array.from(p[`${name}_0`].data) : zeros(cell.size));
  return cell.kind === "lstm" ? { c: of("c"), h: of("h") } : { h: of("h") };
}

/** A cell over the vectors xs: {carry, hs, gates}, gates by name with one vector a step. */
function unroll(cell, p, xs, carry = firstCarry(cell, p)) {
  const [hs, gates] = [[], {}];
  for (const x of xs) {
    const found = STEPS[cell.kind](cell, p, carry, x);
    carry = found.carry;
    hs.push(found.h);
    for (const [name, values] of Object.entries(found.gates)) (gates[name] ??= []).push(values);
  }
  return { carry, hs, gates };
}

const MERGES = {
  concat: (a, b) => Float64Array.from([...a, ...b]),
  sum: (a, b) => a.map((v, i) => v + b[i]),
  mean: (a, b) => a.map((v, i) => (v + b[i]) / 2),
  product: (a, b) => a.map((v, i) => v * b[i]),
};

/** A layer over xs: {last, ys, gates}; "last" is the state after the last step that each direction takes. */
function runLayer({ cell, merge }, p, xs) {
  if (!merge) {
    const { carry, hs, gates } = unroll(cell, p, xs);
    return { last: carry.h, ys: hs, gates };
  }
  const forward = unroll(cell, p.forward, xs);
  const backward = unroll(cell, p.backward, [...xs].reverse());
  const back = [...backward.hs].reverse();
  return {
    last: MERGES[merge](forward.carry.h, backward.carry.h),
    ys: forward.hs.map((h, t) => MERGES[merge](h, back[t])),
    gates: forward.gates,
  };
}

/** The mean of vectors, weighted by `weights`. */
function weighted(ys, weights) {
  const sums = zeros(ys[0].length);
  ys.forEach((y, t) => y.forEach((v, i) => (sums[i] += weights[t] * v)));
  return sums;
}

/** An embedding, layers and a readout of one answer: {logits, gates of the first layer, attention or null}. */
function applySequence(model, p, tokens) {
  let xs = tokens.map((token) => {
    if (model.embedding === "table") return row(p.embedding.E, token);
    const one = zeros(model.vocabulary);
    one[token] = 1;
    return one;
  });
  let last = null;
  let gates = null;
  model.layers.forEach((layer, n) => {
    const found = runLayer(layer, p.stack[n], xs);
    [xs, last, gates] = [found.ys, found.last, gates ?? found.gates];
  });
  let attention = null;
  if (model.readout === "mean") last = weighted(xs, xs.map(() => 1 / xs.length));
  if (model.readout === "attention") {
    const { W, b, v } = p.readout.attention;
    attention = softmax(xs.map((y) => affine(y, W, b).reduce((sum, a, i) => sum + Math.tanh(a) * v.data[i], 0)));
    last = weighted(xs, attention);
  }
  return { logits: affine(last, p.readout.W, p.readout.b), gates, attention };
}

/** Forecasts of one series among several, scaled values [T] to [U][Q]; see models/segrnn.py. */
function applySegments(model, p, values, series) {
  const { cell, segment, horizon, outputs } = model;
  const last = values[values.length - 1];
  const xs = [];
  for (let start = 0; start < values.length; start += segment) {
    const part = values.slice(start, start + segment).map((v) => v - last);
    xs.push(affine(part, p.embedding.W, p.embedding.b).map(ACTIVATIONS.relu));
  }
  const { carry, gates } = unroll(cell, p.cell, xs);
  const steps = [];
  for (let j = 0; j < p.positions.shape[0]; j++) {
    const position = [...row(p.positions, j), ...(p.series ? row(p.series, series) : [])];
    const { h } = STEPS[cell.kind](cell, p.cell, carry, position);
    const y = affine(h, p.readout.W, p.readout.b);
    for (let k = 0; k < segment; k++) steps.push(Array.from(y.subarray(k * outputs, (k + 1) * outputs), (v) => v + last));
  }
  return { forecast: steps.slice(0, horizon), gates };
}

/** Parameters from the page: `shapes` has {offset, shape} in numbers of the buffer where a parameter is. */
function unpack(shapes, numbers) {
  if (Array.isArray(shapes)) return shapes.map((part) => unpack(part, numbers));
  if ("offset" in shapes && "shape" in shapes) {
    const count = shapes.shape.reduce((a, b) => a * b, 1);
    return { data: numbers.subarray(shapes.offset, shapes.offset + count), shape: shapes.shape };
  }
  return Object.fromEntries(Object.entries(shapes).map(([name, part]) => [name, unpack(part, numbers)]));
}

/** Base64 of little-endian float16 or float32 to a Float32Array. */
function decodeNumbers(text, type) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const size = type === "float16" ? 2 : 4;
  const numbers = new Float32Array(bytes.length / size);
  for (let n = 0; n < numbers.length; n++) {
    numbers[n] = size === 4 ? view.getFloat32(4 * n, true) : half(view.getUint16(2 * n, true));
  }
  return numbers;
}

function half(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

const DATA = JSON.parse(document.getElementById("data").textContent);
const CELLS = DATA.cells.map(({ label, seed, model, shapes, numbers }) => ({
  label, seed, model, params: unpack(shapes, decodeNumbers(numbers, DATA.type)),
}));

/** An element with attributes and children, which are elements or texts. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Classifies the text that the reader types, with every cell, after each of its words.

const KNOWN = new Map(DATA.words.map((word, n) => [word, n]));
const UNKNOWN = DATA.words.length - 1;
const LETTER = "[\\p{L}\\p{N}_]";
const TAIL = `'(?:s|re|ve|d|ll|m)(?!${LETTER})`;
const WORD = new RegExp(
  `<${LETTER}+>|\\[${LETTER}+\\]|${LETTER}+?(?=n't(?!${LETTER})|${TAIL})|n't(?!${LETTER})|${TAIL}` +
    `|${LETTER}+(?:[-./,']${LETTER}+)*|[.!?]{2,}|[^\\p{L}\\p{N}_\\s]`,
  "gu",
);

/** The words and punctuation marks of a text, as in tasks/sentiment/words.py. */
function splitWords(text) {
  const parts = text.toLowerCase().replace(/[\u2018\u2019]/g, "'").split(/\s+/u).filter(Boolean);
  const words = parts.flatMap((part) => (KNOWN.has(part) ? [part] : part.match(WORD) ?? []));
  return DATA.most ? words.slice(0, DATA.most) : words;
}

const tokensOf = (words) => words.map((word) => KNOWN.get(word) ?? UNKNOWN);
const logits = (cell, text) => Array.from(applySequence(cell.model, cell.params, tokensOf(splitWords(text))).logits);
const shares = (values) => (DATA.several ? Array.from(values, ACTIVATIONS.sigmoid) : softmax(values));

const cache = new Map();
/** What a cell says after the first words of a text; a beginning is computed once. */
function after(cell, words) {
  const key = `${cell.label}\n${words.join(" ")}`;
  if (!cache.has(key)) {
    if (cache.size > 1000) cache.clear();
    const found = applySequence(cell.model, cell.params, tokensOf(words));
    cache.set(key, { ...found, shares: shares(found.logits) });
  }
  return cache.get(key);
}

const field = (value) => `background: rgba(0, 90, 170, ${(0.85 * value).toFixed(3)}); color: ${value > 0.75 ? "#fff" : "#1d1d1f"}`;
const percent = (share) => `${Math.round(100 * share)}%`;

/** A table of numbers from 0 to 1: a row for each name, a column for each word. */
function map(caption, words, rows) {
  const head = element("tr", {}, element("th", { scope: "col" }, ""), ...words.map((word) => element("th", { scope: "col" }, word)));
  const body = rows.map(([name, values, texts]) =>
    element("tr", {}, element("th", { scope: "row" }, name),
      ...values.map((v, t) => element("td", { style: field(v) }, texts ? texts[t] : v.toFixed(2)))));
  return element("div", { class: "scroll" },
    element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...body)));
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

function show() {
  const text = document.getElementById("text").value;
  const words = splitWords(text);
  const place = document.getElementById("answers");
  if (!words.length) {
    place.replaceChildren(element("p", {}, "Type a sentence."));
    return;
  }
  const missing = words.filter((word) => !KNOWN.has(word));
  const whole = CELLS.map((cell) => after(cell, words));
  const first = whole[0].shares;
  const best = first.indexOf(Math.max(...first));
  const rows = CELLS.map((cell, n) => {
    const order = [...whole[n].shares.keys()].sort((a, b) => whole[n].shares[b] - whole[n].shares[a]).slice(0, 3);
    return element("li", {}, element("b", {}, `${cell.label}: `),
      order.map((k) => `${DATA.labels[k]} ${percent(whole[n].shares[k])}`).join(", "));
  });
  const curve = CELLS.map((cell) => {
    const values = words.map((_, t) => after(cell, words.slice(0, t + 1)).shares[best]);
    return [cell.label, values, values.map(percent)];
  });
  const gates = CELLS.flatMap((cell, n) => {
    const { gates: found, attention } = whole[n];
    const open = Object.entries(found).filter(([name]) => !["n", "g"].includes(name));
    const most = attention ? Math.max(...attention) : 1;
    return [
      ...open.map(([name, steps]) => [`${cell.label} ${name}`, steps.map((values) => mean(Array.from(values)))]),
      ...(attention ? [[`${cell.label} attention`, attention.map((a) => a / most)]] : []),
    ];
  });
  place.replaceChildren(
    element("ul", { "aria-live": "polite" }, ...rows),
    map(`Probability of "${DATA.labels[best]}" after each word`, words, curve),
    map("Gates of the first layer, as means over units, and attention divided by its highest", words, gates),
    ...(missing.length ? [element("p", {}, `Read as unknown: ${[...new Set(missing)].join(", ")}.`)] : []),
  );
}

document.getElementById("text").addEventListener("input", show);
show();
globalThis.demo = { answer: (label, text) => logits(CELLS.find((cell) => cell.label === label), text), splitWords };

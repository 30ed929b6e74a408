// Two entries on one base model: differences with intervals, from the estimates of the tables.
"use strict";

// Formulas, as ilp_bench/leaderboard/estimate.py has them; tests/leaderboard/test_javascript.py compares both.
// An estimate is [value, low, high]; byDataset maps a data seed to a value; quantiles are those of t by freedom, from 1.
const FEWEST_DATASETS = 3;
const raised = ([value, low, high]) => Math.max(high + low - 2 * value, 0);
const difference = (first, second, quantiles) => {
  const value = first.estimate[0] - second.estimate[0], seeds = Object.keys(first.by_dataset);
  const same = seeds.length === Object.keys(second.by_dataset).length && seeds.every((seed) => seed in second.by_dataset);
  if (seeds.length < FEWEST_DATASETS || !same) {
    return [value, first.estimate[1] - second.estimate[2], first.estimate[2] - second.estimate[1]];
  }
  const each = seeds.map((seed) => first.by_dataset[seed] - second.by_dataset[seed]);
  const mean = each.reduce((sum, one) => sum + one, 0) / each.length;
  const variance = each.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (each.length - 1);
  const half = quantiles[Math.min(each.length - 1, quantiles.length) - 1] * Math.sqrt(variance / each.length);
  return [value, value - half - raised(second.estimate), value + half + raised(first.estimate)];
};

// Numbers as ilp_bench/leaderboard/formatting.py writes them.
const formatNumber = (value, digits = 2) => {
  const text = (Math.abs(value) + 1e-9).toFixed(digits);
  return (value < 0 && Number(text) !== 0 ? "\u2212" : "") + text;
};
const shareText = ([value, low, high]) => [formatNumber(value), `[${formatNumber(low)}, ${formatNumber(high)}]`];
const points = (value) => formatNumber(100 * value, 1);
const pointsText = ([value, low, high]) => [points(value), `[${points(low)}, ${points(high)}]`];

const models = new Map();
window.ilp = (name, data) => models.set(name, data);
const load = (name) => new Promise((resolve) => {
  if (models.has(name)) return resolve(models.get(name));
  const script = document.createElement("script");
  script.src = `compare/${encodeURIComponent(name)}.js`;
  script.onload = () => resolve(models.get(name));
  document.head.append(script);
});
const field = (name) => document.getElementById(name);
const node = (tag, className, ...content) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content);
  return element;
};
const estimateCell = (text, soft) => node("td", soft ? "num soft" : "num", text[0], " ", node("span", "ends", text[1]));
const missingCell = () => node("td", "num", "no value");

// A row of the result: both estimates and their difference, or what is lacking.
const row = (title, first, second, textOf, quantiles, comparable = true) => {
  const cells = [first, second].map((one) => (one?.estimate ? estimateCell(textOf(one.estimate)) : missingCell()));
  if (!first?.estimate || !second?.estimate) cells.push(missingCell());
  else if (!comparable) cells.push(node("td", "num", "over other causes"));
  else {
    const found = difference(first, second, quantiles);
    cells.push(estimateCell(textOf(found), found[1] <= 0 && found[2] >= 0));
  }
  for (const arm of [1, 0]) {
    const arms = [first, second].map((one) => (one?.arms ? points(one.arms[arm]) : "–"));
    cells.push(node("td", "num", first && "arms" in first ? arms.join(" / ") : ""));
  }
  const head = node("th", "", title);
  head.scope = "row";
  return node("tr", "", head, ...cells);
};
const table = (kind, entries, { quantiles, titles }) => {
  const [first, second] = entries.map((entry) => entry.kinds[kind]), caption = node("caption", "", kind);
  const names = [kind, "First", "Second", "First minus second", "Control, both", "Treated, both"];
  const heads = names.map((name, index) => {
    const head = node("th", index ? "num" : "", index ? name : "Score");
    head.scope = "col";
    return head;
  });
  const comparable = [...first.counted].sort().join() === [...second.counted].sort().join();
  const rows = [row("H", first.share, second.share, shareText, quantiles, comparable)];
  for (const cause of Object.keys(first.causes)) {
    rows.push(row(`G, ${titles[cause]}`, first.causes[cause], second.causes[cause], pointsText, quantiles));
  }
  const result = node("table", "plain", caption, node("thead", "", node("tr", "", ...heads)), node("tbody", "", ...rows));
  const scroll = node("div", "scroll", result);
  Object.assign(scroll, { tabIndex: 0, role: "region", ariaLabel: `Comparison, ${kind}` });
  return scroll;
};

// The entry that is meant: by its whole name or slug, else by the only name with that part.
const pick = (entries, text) => {
  const exact = entries.find(({ name, slug }) => name === text || slug === text);
  if (exact || !text.trim()) return exact;
  const matching = entries.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase().trim()));
  return matching.length === 1 ? matching[0] : undefined;
};
const showComparison = async () => {
  const data = await load(field("model").value), texts = [field("a").value, field("b").value];
  const chosen = texts.map((text) => pick(data.entries, text));
  field("entries").replaceChildren(...data.entries.map(({ name }) => Object.assign(node("option"), { value: name })));
  field("result").replaceChildren();
  const unclear = texts.findIndex((text, index) => text && !chosen[index]);
  if (unclear >= 0) field("said").textContent = `No entry, or several, on ${data.title} have “${texts[unclear]}” in their name.`;
  else if (!chosen[0] || !chosen[1]) field("said").textContent = chosen[0] || chosen[1] ? "Now choose the other entry." : "";
  else if (chosen[0] === chosen[1]) field("said").textContent = `Both are ${chosen[0].name}: choose another one.`;
  else {
    field("said").textContent = `${chosen[0].name} and ${chosen[1].name}. Grey: the interval of the difference holds 0.`;
    const kinds = Object.keys(chosen[0].kinds);
    field("result").replaceChildren(...kinds.map((kind) => table(kind, chosen, data)));
    const state = new URLSearchParams({ model: field("model").value, a: chosen[0].slug, b: chosen[1].slug });
    history.replaceState(null, "", `#${state}`);
  }
};
const restore = async () => {
  const state = new URLSearchParams(location.hash.slice(1)), model = state.get("model");
  if (model && [...field("model").options].some((option) => option.value === model)) field("model").value = model;
  const { entries } = await load(field("model").value);
  for (const name of ["a", "b"]) field(name).value = entries.find(({ slug }) => slug === state.get(name))?.name || "";
  showComparison();
};
if (field("model")) {
  field("model").addEventListener("change", () => { field("a").value = field("b").value = ""; });
  for (const name of ["model", "a", "b"]) field(name).addEventListener("change", showComparison);
  window.addEventListener("hashchange", restore);
  restore();
}

// Search, filter and sort the standings, with the state in the address. Without this file all pages read as well.
"use strict";

// Data files. Each calls ilp(name, data): a page opened from a disk may load scripts, but not JSON.
const loadedData = new Map(), waitingForData = new Map();
window.ilp = (name, data) => {
  loadedData.set(name, data);
  (waitingForData.get(name) || []).forEach((resolve) => resolve(data));
  waitingForData.delete(name);
};
const root = document.body.dataset.root;
const load = (folder, name) => new Promise((resolve, reject) => {
  if (loadedData.has(name)) return resolve(loadedData.get(name));
  if (waitingForData.has(name)) return waitingForData.get(name).push(resolve);
  waitingForData.set(name, [resolve]);
  const script = document.createElement("script");
  script.src = `${root}/${folder}/${encodeURIComponent(name)}.js`;
  script.onerror = () => { waitingForData.delete(name); reject(new Error(name)); };
  document.head.append(script);
});
// The rows of a group's data file as objects: the file names the fields of its rows.
const loadStandings = async (group) => {
  const data = await load("standings", group);
  const named = (row) => Object.fromEntries(data.fields.map((field, index) => [field, row[index]]));
  return { causes: data.causes, rows: data.rows.map(named) };
};

// The state of the page, such as {q: "llama", sort: "-overall"}, in the address after #.
const readState = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
const changeState = (changes) => {
  const state = readState();
  for (const [key, value] of Object.entries(changes)) value ? state.set(key, value) : state.delete(key);
  const text = state.toString();
  history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
};

// Numbers as ilp_bench/leaderboard/formatting.py writes them; tests/leaderboard/test_javascript.py compares both.
const UNITS_PER_ONE = 100000; // numbers in data files are whole numbers of this unit
const AXIS_LOW = -0.5, AXIS_HIGH = 1.25; // the recovery axis; what lies beyond is drawn at its ends
const formatNumber = (units, digits = 2) => {
  const text = (Math.abs(units) / UNITS_PER_ONE + 1e-9).toFixed(digits);
  return (units < 0 && Number(text) !== 0 ? "\u2212" : "") + text;
};
const formatEnds = ([, low, high]) => `[${formatNumber(low)}, ${formatNumber(high)}]`;
const axisPercent = (units) => {
  const inside = Math.min(Math.max(units / UNITS_PER_ONE, AXIS_LOW), AXIS_HIGH);
  return Math.floor(1000 * (inside - AXIS_LOW) / (AXIS_HIGH - AXIS_LOW) + 0.5) / 10;
};
const shadeClass = (units) => {
  const value = units / UNITS_PER_ONE;
  if (value < -0.05) return `n${Math.min(3, 1 + Math.trunc((-value - 0.05) * 5))}`;
  return `p${Math.min(9, Math.max(0, Math.trunc(value * 10 + 0.5)))}`;
};

// Elements, as templates/parts/marks.html writes them. An estimate is [value, low, high] in units.
const makeElement = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};
const makeSvg = (tag, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};
const makeBar = (estimate) => {
  const [center, left, right] = estimate.map(axisPercent);
  const box = { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none" };
  const svg = makeSvg("svg", { ...box, "aria-hidden": "true", focusable: "false" });
  const width = Math.max(right - left, 0.4).toFixed(1);
  const dot = Math.min(Math.max(center - 1.2, 0), 97.6).toFixed(1);
  svg.append(
    makeSvg("rect", { class: "reach", x: left.toFixed(1), y: 3.5, width, height: 3 }),
    makeSvg("rect", { class: "dot", x: dot, y: 1, width: 2.4, height: 8 }),
  );
  return svg;
};
const makeEnds = (estimate) => makeElement("span", "ends", formatEnds(estimate));
const makeRecovery = (estimate) => {
  if (estimate === null) return [makeElement("span", "chip missing", "missing")];
  if (!estimate) return [makeElement("span", "chip none", "not expressed")];
  const chip = makeElement("span", `chip ${shadeClass(estimate[0])}`, formatNumber(estimate[0]));
  return [chip, makeEnds(estimate), makeBar(estimate)];
};

// A row of a table of standings, as templates/parts/board.html writes it.
const makeRow = (standing, causes) => {
  const row = makeElement("tr", standing.state === "ranked" ? "" : "out");
  row.setAttribute("role", "row");
  row.dataset.slug = standing.slug;
  const addCell = (className, label, ...nodes) => {
    const isHeader = className === "who", cell = makeElement(isHeader ? "th" : "td", className);
    cell.setAttribute("role", isHeader ? "rowheader" : "cell");
    if (label) cell.dataset.label = label;
    if (isHeader) cell.scope = "row";
    cell.append(...nodes);
    row.append(cell);
  };
  const rank = [makeElement("span", "place", standing.rank || "–")];
  if (!standing.rank) rank.push(makeElement("span", "sr", "not ranked"));
  else if (standing.shared) rank.push(makeElement("span", "tie", "="), makeElement("span", "sr", " shared"));
  addCell("rank", "Rank", ...rank);

  const link = makeElement("a", "", standing.model);
  link.href = `${root}/runs/${standing.slug}.html`;
  const badge = standing.state === "ranked" ? [] : [makeElement("span", `badge ${standing.state}`, standing.state)];
  const seeds = standing.replicates > 1 ? ` · ${standing.replicates} seeds` : "";
  const about = makeElement("span", "sub", `${standing.org} · ${standing.recipe || "own recipe"}${seeds}`);
  addCell("who", "", link, ...badge, about);

  const overall = standing.overall;
  if (!overall) addCell("overall", "Overall", makeElement("span", "chip none", "no overall"));
  else {
    const value = makeElement("span", "big", formatNumber(overall[0]));
    addCell("overall", "Overall", value, makeEnds(overall), makeBar(overall));
  }
  standing.causes.forEach((estimate, index) => addCell("cause", causes[index].short_title, ...makeRecovery(estimate)));

  const arrow = makeElement("span", "", "→");
  arrow.ariaHidden = "true";
  const average = [`${formatNumber(standing.average)} `, arrow, makeElement("span", "sr", " on average, "), " "];
  const worst = makeElement("strong", "", formatNumber(standing.worst));
  const worstCause = makeElement("span", "sub", causes[standing.worst_cause].short_title);
  addCell("hides", "Average hides", ...average, worst, worstCause);
  const tokens = standing.token_factor
    ? [`×${standing.token_factor.toFixed(1)}`]
    : ["–", makeElement("span", "sr", "not recorded")];
  addCell("tokens", "Tokens", ...tokens);
  addCell("rerun", "Re-run", standing.rerun);
  return row;
};

// Sorting: keys by column, smaller first; Infinity where there is no value.
const sortKeys = {
  rank: (standing) => standing.rank || Infinity,
  name: (standing) => standing.model.toLowerCase(),
  overall: (standing) => (standing.overall ? -standing.overall[0] : Infinity),
  worst: (standing) => -standing.worst,
  tokens: (standing) => standing.token_factor || Infinity,
  rerun: (standing) => standing.rerun,
};
const causeSortKey = (index) => (standing) => (standing.causes[index] ? -standing.causes[index][0] : Infinity);
const compareKeys = (left, right) => (left < right ? -1 : left > right ? 1 : 0);
const sorted = (rows, key, descending) => {
  const keyed = rows.map((standing) => [key(standing), standing]), direction = descending ? -1 : 1;
  // What has no value comes last in either direction.
  const order = ([left], [right]) =>
    (left === Infinity || right === Infinity ? 1 : direction) * compareKeys(left, right);
  return keyed.sort(order).map(([, standing]) => standing);
};
const matches = (standing, query) => {
  const { model, org, recipe, state, slug } = standing;
  const text = `${model} ${org} ${recipe} ${state} ${slug}`.toLowerCase();
  return query.split(/\s+/).every((word) => text.includes(word));
};

// The tables of the page. ``elements`` are rows by slug, ``initial`` the slugs shown at first, and ``standings`` what
// the data file says, once it is needed.
const MOST_ROWS = 100;
const CONTROLS = ["q", "base", "division"];
const boards = [...document.querySelectorAll("table.board")].map((table) => {
  const elements = new Map([...table.tBodies[0].rows].map((row) => [row.dataset.slug, row]));
  return { table, group: table.closest(".group"), elements, initial: [...elements.keys()], standings: null };
});
const markSortedColumn = (table, column, descending) => {
  for (const cell of table.querySelectorAll("th[data-key]")) {
    if (cell.dataset.key !== column) cell.removeAttribute("aria-sort");
    else cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
  }
};
// Show a board's rows that match, in order; returns how many match.
const showMatches = (board, query, column, descending) => {
  const { causes, rows } = board.standings;
  const cause = causes.findIndex(({ name }) => name === column);
  const key = cause >= 0 ? causeSortKey(cause) : sortKeys[column];
  const matching = rows.filter((standing) => matches(standing, query));
  const shown = (key ? sorted(matching, key, descending) : matching).slice(0, MOST_ROWS);
  for (const standing of shown) {
    if (!board.elements.has(standing.slug)) board.elements.set(standing.slug, makeRow(standing, causes));
  }
  if (query) board.group.hidden = !matching.length && boards.length > 1;
  if (query && matching.length && board.group.tagName === "DETAILS") board.group.open = true;
  board.table.tBodies[0].replaceChildren(...shown.map(({ slug }) => board.elements.get(slug)));
  return matching.length;
};
const showInitial = (board) => {
  board.table.tBodies[0].replaceChildren(...board.initial.map((slug) => board.elements.get(slug)));
  return Number(board.table.dataset.total);
};
const show = async () => {
  const state = readState(), query = (state.get("q") || "").toLowerCase().trim(), sort = state.get("sort") || "";
  const base = state.get("base"), division = state.get("division");
  const column = sort.replace(/^-/, ""), descending = sort.startsWith("-"), rearranged = query || sort;
  let count = 0;
  for (const board of boards) {
    const { table, group } = board;
    group.hidden = Boolean((base && group.dataset.base !== base) || (division && group.dataset.division !== division));
    markSortedColumn(table, column, descending);
    if (group.hidden) continue;
    if (rearranged && !board.standings) {
      board.standings = await loadStandings(table.dataset.group).catch(() => ({ causes: [], rows: [] }));
    }
    if (rearranged && board.standings.rows.length) count += showMatches(board, query, column, descending);
    else count += showInitial(board);
  }
  const status = document.getElementById("found"), noun = count === 1 ? "entry" : "entries";
  if (status) status.textContent = rearranged || base || division ? `${count.toLocaleString("en")} ${noun}` : "";
};
const addSortButton = (cell) => {
  const button = makeElement("button", "sorter", cell.textContent.trim());
  button.type = "button";
  button.addEventListener("click", () => {
    const key = cell.dataset.key, sort = readState().get("sort");
    changeState({ sort: sort === key ? `-${key}` : sort === `-${key}` ? "" : key });
    show();
  });
  cell.replaceChildren(button);
};
const restoreControls = () => {
  for (const name of CONTROLS) {
    const control = document.getElementById(name);
    if (control) control.value = readState().get(name) || "";
  }
  show();
};
if (boards.length) {
  for (const { table } of boards) {
    table.classList.add("js-sortable");
    for (const cell of table.tHead.rows[0].cells) addSortButton(cell);
  }
  for (const name of CONTROLS) {
    const control = document.getElementById(name);
    control?.addEventListener("input", () => { changeState({ [name]: control.value }); show(); });
  }
  window.addEventListener("hashchange", restoreControls);
  if (/[=]/.test(location.hash)) restoreControls();
}

// The plain tables sort by themselves; numbers may have a minus sign and words after them.
const leadingNumber = (text) => {
  const number = parseFloat(text.replace("\u2212", "-"));
  return Number.isNaN(number) ? -Infinity : number;
};
const startsWithNumber = (text) => /^[\u2212-]?[\d.]/.test(text);
Tablesort.extend("number", startsWithNumber, (left, right) => leadingNumber(right) - leadingNumber(left));
document.querySelectorAll("table.sortable").forEach((table) => new Tablesort(table));
document.querySelectorAll(".js").forEach((element) => { element.hidden = false; });

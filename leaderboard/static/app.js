// Search, filter and sort for the tables of standings, with the state in the address. Without this file all pages read as well.
"use strict";
const data = new Map(), waiting = new Map();
// Data files call this: a page from a disk may load scripts, but not JSON.
window.ilp = (name, found) => { data.set(name, found); (waiting.get(name) || []).forEach((done) => done(found)); waiting.delete(name); };
const root = document.body.dataset.root;
const load = (folder, name) => new Promise((done, failed) => {
  if (data.has(name)) return done(data.get(name));
  if (waiting.has(name)) return waiting.get(name).push(done);
  waiting.set(name, [done]);
  const script = document.createElement("script");
  script.src = `${root}/${folder}/${encodeURIComponent(name)}.js`;
  script.onerror = () => { waiting.delete(name); failed(new Error(name)); };
  document.head.append(script);
});
const state = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
const remember = (changes) => {
  const now = state();
  for (const [key, value] of Object.entries(changes)) value ? now.set(key, value) : now.delete(key);
  const text = now.toString();
  history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
};
// Numbers come as whole numbers of this unit, and are rounded as text.py rounds.
const UNIT = 100000;
const number = (units, digits = 2) => {
  const text = (Math.abs(units) / UNIT + 1e-9).toFixed(digits);
  return (units < 0 && Number(text) !== 0 ? "\u2212" : "") + text;
};
const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};
const LOW = -0.5, HIGH = 1.25, SHOWN = 100;
const place = (value) => Math.floor(1000 * (Math.min(Math.max(value, LOW), HIGH) - LOW) / (HIGH - LOW) + 0.5) / 10;
const bar = ([value, low, high]) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, text] of Object.entries({ class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" })) svg.setAttribute(key, text);
  const [x, left, right] = [value, low, high].map((one) => place(one / UNIT));
  for (const shape of [{ class: "reach", x: left.toFixed(1), y: 3.5, width: Math.max(right - left, 0.4).toFixed(1), height: 3 }, { class: "dot", x: Math.min(Math.max(x - 1.2, 0), 97.6).toFixed(1), y: 1, width: 2.4, height: 8 }]) {
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [key, one] of Object.entries(shape)) rect.setAttribute(key, one);
    svg.append(rect);
  }
  return svg;
};
const ends = ([, low, high]) => make("span", "ends", `[${number(low)}, ${number(high)}]`);
const shade = (units) => {
  const value = units / UNIT;
  return value < -0.05 ? `n${Math.min(3, 1 + Math.trunc((-value - 0.05) * 5))}` : `p${Math.min(9, Math.max(0, Math.trunc(value * 10 + 0.5)))}`;
};
const chip = (found) => found === null ? [make("span", "chip missing", "missing")] : !found ? [make("span", "chip none", "not expressed")] : [make("span", `chip ${shade(found[0])}`, number(found[0])), ends(found), bar(found)];

const tables = [...document.querySelectorAll("table.board")].map((table) => {
  const heads = [...table.tHead.rows[0].cells].map((cell) => [cell.dataset.key, cell.textContent.trim()]);
  const shown = new Map([...table.tBodies[0].rows].map((row) => [row.dataset.slug, row]));
  return { table, heads, causes: heads.slice(3, 8), shown, first: [...shown.keys()], rows: null, group: table.closest(".group") };
});
// The fields of a row, as pages.row writes them.
const keyed = ([slug, model, org, recipe, rank, shared, overall, causes, average, worst, worstCause, tokens, state, rerun, seeds]) =>
  ({ slug, model, org, recipe, rank, shared, overall, causes, average, worst, worstCause, tokens, state, rerun, seeds, words: `${model} ${org} ${recipe} ${state} ${slug}`.toLowerCase() });
const built = (one, owner) => {
  const row = make("tr", one.state === "ranked" ? "" : "out");
  row.setAttribute("role", "row");
  row.dataset.slug = one.slug;
  const cell = (name, label, ...nodes) => {
    const td = make(name === "who" ? "th" : "td", name);
    td.setAttribute("role", name === "who" ? "rowheader" : "cell");
    if (label) td.dataset.label = label;
    if (name === "who") td.scope = "row";
    td.append(...nodes);
    row.append(td);
  };
  const rank = one.rank ? [make("span", "place", one.rank)] : [make("span", "place", "–"), make("span", "sr", "not ranked")];
  if (one.rank && one.shared) rank.push(make("span", "tie", "="), make("span", "sr", " shared"));
  cell("rank", "Rank", ...rank);
  const link = make("a", "", one.model);
  link.href = `${root}/runs/${one.slug}.html`;
  const sub = make("span", "sub", `${one.org} · ${one.recipe || "own recipe"}${one.seeds > 1 ? ` · ${one.seeds} seeds` : ""}`);
  cell("who", "", link, ...(one.state === "ranked" ? [] : [make("span", `badge ${one.state}`, one.state)]), sub);
  cell("overall", "Overall", ...(one.overall ? [make("span", "big", number(one.overall[0])), ends(one.overall), bar(one.overall)] : [make("span", "chip none", "no overall")]));
  one.causes.forEach((found, n) => cell("cause", owner.causes[n][1], ...chip(found)));
  const arrow = make("span", "", "→");
  arrow.ariaHidden = "true";
  cell("hides", "Average hides", `${number(one.average)} `, arrow, make("span", "sr", " on average, "), " ", make("strong", "", number(one.worst)), make("span", "sub", owner.causes[one.worstCause][1]));
  cell("tokens", "Tokens", ...(one.tokens ? [`×${one.tokens.toFixed(1)}`] : ["–", make("span", "sr", "not recorded")]));
  cell("rerun", "Re-run", one.rerun);
  return row;
};
const sorters = {
  rank: (one) => one.rank || Infinity, name: (one) => one.model.toLowerCase(), overall: (one) => one.overall ? -one.overall[0] : Infinity,
  worst: (one) => -one.worst, tokens: (one) => one.tokens || Infinity, rerun: (one) => one.rerun,
};
const compare = (left, right) => left < right ? -1 : left > right ? 1 : 0;
const show = async () => {
  const now = state(), q = (now.get("q") || "").toLowerCase().trim(), sort = now.get("sort") || "", key = sort.replace(/^-/, "");
  const touched = q || sort;
  let found = 0;
  for (const owner of tables) {
    const { table, group, shown, causes } = owner;
    const hidden = (now.get("base") && group.dataset.base !== now.get("base")) || (now.get("division") && group.dataset.division !== now.get("division"));
    group.hidden = Boolean(hidden);
    table.querySelectorAll("th[data-key]").forEach((cell) => { cell.dataset.key === key ? cell.setAttribute("aria-sort", sort.startsWith("-") ? "descending" : "ascending") : cell.removeAttribute("aria-sort"); });
    if (hidden) continue;
    if (touched && !owner.rows) {
      try { owner.rows = (await load("standings", table.dataset.group)).rows.map(keyed); } catch { owner.rows = []; }
    }
    let order = owner.first;
    if (touched && owner.rows.length) {
      let rows = owner.rows.filter((one) => q.split(/\s+/).every((word) => one.words.includes(word)));
      const cause = causes.findIndex(([name]) => name === key);
      const by = cause >= 0 ? (one) => one.causes[cause] ? -one.causes[cause][0] : Infinity : sorters[key];
      if (by) {
        const value = new Map(rows.map((one) => [one, by(one)])), back = sort.startsWith("-") ? -1 : 1;
        // What has no value comes last in either direction.
        rows.sort((a, b) => { const [x, y] = [value.get(a), value.get(b)]; return x === Infinity || y === Infinity ? compare(x, y) : back * compare(x, y); });
      }
      found += rows.length;
      rows = rows.slice(0, SHOWN);
      for (const one of rows) if (!shown.has(one.slug)) shown.set(one.slug, built(one, owner));
      order = rows.map((one) => one.slug);
      if (q) group.hidden = !rows.length && tables.length > 1;
      if (q && rows.length && group.tagName === "DETAILS") group.open = true;
    } else found += Number(table.dataset.total);
    table.tBodies[0].replaceChildren(...order.map((slug) => shown.get(slug)));
  }
  const said = document.getElementById("found");
  if (said) said.textContent = touched || now.get("base") || now.get("division") ? `${found.toLocaleString("en")} ${found === 1 ? "entry" : "entries"}` : "";
};
if (tables.length) {
  for (const { table } of tables) {
    table.classList.add("js-sortable");
    for (const cell of table.tHead.rows[0].cells) {
      const button = make("button", "sorter", cell.textContent.trim());
      button.type = "button";
      button.addEventListener("click", () => {
        const key = cell.dataset.key, before = state().get("sort");
        remember({ sort: before === key ? `-${key}` : before === `-${key}` ? "" : key });
        show();
      });
      cell.replaceChildren(button);
    }
  }
  for (const name of ["q", "base", "division"]) {
    const control = document.getElementById(name);
    if (!control) continue;
    control.addEventListener("input", () => { remember({ [name]: control.value }); show(); });
  }
  const restore = () => { for (const name of ["q", "base", "division"]) { const control = document.getElementById(name); if (control) control.value = state().get(name) || ""; } show(); };
  window.addEventListener("hashchange", restore);
  if (/[=]/.test(location.hash)) restore();
}
Tablesort.extend("number", (text) => /^[\u2212-]?[\d.]/.test(text), (a, b) => {
  const value = (text) => { const found = parseFloat(text.replace("\u2212", "-")); return Number.isNaN(found) ? -Infinity : found; };
  return value(b) - value(a);
});
document.querySelectorAll("table.sortable").forEach((table) => new Tablesort(table));
document.querySelectorAll(".js").forEach((node) => { node.hidden = false; });

// Search and sort the tables of a page, copy its commands. Without this file all pages read as well.
"use strict";

// Sorting: a cell's value is its data-sort, else its text; numbers may have a minus sign and words after them.
const sortValue = (cell) => {
  const text = (cell.dataset.sort ?? cell.textContent).trim().replace("\u2212", "-");
  if (text === "" || text === "–") return null;
  return /^-?\d*\.?\d/.test(text) ? parseFloat(text) : text.toLowerCase();
};
// What has no value comes last in either direction; words come after numbers.
const compareValues = (left, right, direction) => {
  if (left === null || right === null) return (left === null) - (right === null);
  if (typeof left !== typeof right) return typeof left === "number" ? -1 : 1;
  return direction * (left < right ? -1 : left > right ? 1 : 0);
};
const NEXT = { none: "first", first: "second", second: "none" };
const addSorting = (table) => {
  const original = [...table.tBodies[0].rows], heads = [...table.tHead.rows[0].cells];
  for (const [index, head] of heads.entries()) {
    if (head.dataset.sortMethod === "none") continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sorter";
    button.ariaLabel = `Sort by ${head.textContent.trim()}`;
    button.addEventListener("click", () => {
      const state = NEXT[head.dataset.state || "none"];
      for (const other of heads) { delete other.dataset.state; other.removeAttribute("aria-sort"); }
      let rows = original;
      if (state !== "none") {
        const keyed = original.map((row) => [sortValue(row.cells[index]), row]);
        // Numbers begin with the highest, ranks and words with the lowest.
        const falling = keyed.some(([value]) => typeof value === "number") && !head.classList.contains("rank");
        const direction = falling === (state === "first") ? -1 : 1;
        keyed.sort(([left], [right]) => compareValues(left, right, direction));
        rows = keyed.map(([, row]) => row);
        head.dataset.state = state;
        head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      }
      table.tBodies[0].append(...rows);
    });
    head.append(button);
  }
};

// Filters: what a control's value asks of a row. Their values stand in the address, so that they can be shared.
const boards = [...document.querySelectorAll("table.board")], search = document.getElementById("q");
const matches = (text, query) => query.toLowerCase().split(/\s+/).every((word) => text.toLowerCase().includes(word));
const FILTERS = {
  q: (row, query) => matches(`${row.textContent} ${row.dataset.search}`, query),
  trained: (row, kind) => row.dataset.trained.startsWith(kind),
  size: (row, ends) => {
    const [from, below] = ends.split("-").map(Number);
    return from <= Number(row.dataset.size) && Number(row.dataset.size) < below;
  },
  retention: (row, least) => row.dataset.retention !== "" && Number(row.dataset.retention) >= Number(least),
  since: (row, date) => row.dataset.date >= date,
};
const controls = Object.keys(FILTERS).map((name) => document.getElementById(name)).filter(Boolean); // as far as they have a use
const show = () => {
  const asking = controls.filter(({ value }) => value.trim() !== ""), asked = asking.length > 0;
  let count = 0;
  for (const board of boards) {
    let matching = 0;
    for (const row of board.tBodies[0].rows) {
      row.hidden = !asking.every(({ id, value }) => FILTERS[id](row, value.trim()));
      matching += !row.hidden;
    }
    board.dataset.matching = matching;
    count += matching;
  }
  for (const model of document.querySelectorAll("section.model")) {
    const tabs = [...model.querySelectorAll(".tabs > input")];
    const found = [...model.querySelectorAll("table.board")].map((board) => Number(board.dataset.matching));
    model.hidden = asked && !found.some((number) => number > 0);
    if (asked && !found[tabs.findIndex((tab) => tab.checked)] && !model.hidden) {
      tabs[found.findIndex((number) => number > 0)].checked = true;
    }
  }
  const entries = `${count.toLocaleString("en")} ${count === 1 ? "entry" : "entries"}`;
  document.getElementById("found").textContent = !asked ? "" : count ? entries : "No entry matches: clear the filters.";
  const state = new URLSearchParams(asking.map(({ id, value }) => [id, value.trim()]));
  history.replaceState(null, "", asked ? `#${state}` : location.pathname + location.search);
};
if (search && boards.length) {
  for (const control of controls) control.addEventListener("input", show);
  const restore = () => {
    const target = location.hash.slice(1), isPlace = !target.includes("=");
    if (isPlace && controls.every(({ value }) => value === "")) return;
    const state = new URLSearchParams(isPlace ? "" : target); // a place on the page: without filters, which may hide it
    for (const control of controls) control.value = state.get(control.id) || "";
    show();
    if (isPlace && target) location.hash = target;
  };
  window.addEventListener("hashchange", restore);
  restore();
}
// What stands in a block can be copied, where the browser allows it.
const addCopying = (block) => {
  const around = document.createElement("div"), button = document.createElement("button");
  const say = (text) => { button.textContent = text; };
  around.className = "copyable";
  Object.assign(button, { type: "button", className: "copy", textContent: "Copy" });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.textContent).then(() => say("Copied"), () => say("Not allowed"));
    setTimeout(say, 2000, "Copy");
  });
  block.replaceWith(around);
  around.append(block, button);
};
if (globalThis.navigator?.clipboard) document.querySelectorAll("pre").forEach(addCopying);
document.querySelectorAll("table.sortable").forEach(addSorting);
document.querySelectorAll(".js").forEach((element) => { element.hidden = false; });

// Two to four entries pair by pair: the bootstrap of the page "Method", on the learned rates in each entry's data file.
"use strict";
(() => {
  const DRAWS = 2000, NAMES = [...document.querySelectorAll("footer a[href*='causes/']")].map((link) => [link.getAttribute("href").match(/causes\/(\w+)/)[1], link.textContent]);
  const table = document.getElementById("table"), pick = document.getElementById("pick"), options = document.getElementById("entries");
  const chosen = document.getElementById("chosen"), said = document.getElementById("said"), result = document.getElementById("result");
  let first = []; // what is compared before anything is chosen
  const slugs = () => (state().has("runs") ? state().get("runs").split(",") : first).filter(Boolean).slice(0, 4);
  const listed = new Map();
  // A small generator with a fixed seed, so that a comparison shows the same numbers to everybody.
  const generator = (seed) => () => { seed = (seed + 0x6d2b79f5) | 0; let t = Math.imul(seed ^ (seed >>> 15), 1 | seed); t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t; return ((t ^ (t >>> 14)) >>> 0) / 4294967296; };
  const rates = (found) => {
    const bytes = Uint8Array.from(atob(found.rates), (one) => one.charCodeAt(0));
    const all = new Uint16Array(bytes.buffer), size = all.length / 4;
    return [0, 1, 2, 3].map((n) => Float64Array.from(all.subarray(n * size, (n + 1) * size), (one) => one / 65535));
  };
  const interval = (value, draws) => {
    const sorted = Float64Array.from(draws).sort();
    const at = (q) => { const x = q * (sorted.length - 1), low = Math.floor(x); return sorted[low] + (x - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]); };
    return { value, low: at(0.025), high: at(0.975) };
  };
  const clip = (value) => Math.min(1, Math.max(-1, value));
  // Recovery by cause and overall of every entry: the point and DRAWS draws, all with the same weights over pairs.
  const bootstrap = (entries) => {
    const decoded = entries.map((one) => rates(one)), causes = new Map();
    NAMES.forEach(([name], number) => {
      const pairs = [];
      for (const [cause, start, end] of entries[0].spans) if (cause === name) for (let n = start; n < end; n++) if (entries[0].active[n] === "1") pairs.push(n);
      if (!pairs.length) return;
      const random = generator(20260 + number), picks = new Uint32Array(DRAWS * pairs.length);
      for (let n = 0; n < picks.length; n++) picks[n] = pairs[Math.floor(random() * pairs.length)];
      const recovery = ([s, , v, control], some, from, to) => { let a = 0, b = 0, c = 0; for (let n = from; n < to; n++) { const at = some[n]; a += s[at]; b += v[at]; c += control[at]; } return (a - b) / (c - b); };
      causes.set(name, decoded.map((one) => ({
        point: recovery(one, pairs, 0, pairs.length),
        draws: Float64Array.from({ length: DRAWS }, (_, n) => recovery(one, picks, n * pairs.length, (n + 1) * pairs.length)),
        pairs, treated: one[0],
      })));
    });
    return causes;
  };
  const said2 = (one) => `${number(UNIT * one.value)} [${number(UNIT * one.low)}, ${number(UNIT * one.high)}]`;
  const line = (head, cells) => { const row = make("tr"); const th = make("th", "", head); th.scope = "row"; row.append(th, ...cells); return row; };
  const render = (entries, rows) => {
    const causes = bootstrap(entries), places = entries.map((_, n) => n), body = make("tbody");
    const scored = NAMES.filter(([name], n) => causes.has(name) && rows.every((row) => row && row.causes[n]));
    const whole = rows.every((row) => row && row.overall);
    const add = (title, found) => {
      const values = places.map((n) => make("td", "num", said2(interval(found[n].point, found[n].draws))));
      const differences = places.slice(1).map((n) => {
        const gap = interval(found[0].point - found[n].point, found[0].draws.map((one, d) => one - found[n].draws[d]));
        const clear = gap.low > 0 || gap.high < 0, cell = make("td", `num delta ${clear ? "yes" : "soft"}`, said2(gap));
        cell.append(make("span", "sub", clear ? (gap.value > 0 ? " A is better" : ` ${"ABCD"[n]} is better`) : " not resolvable"));
        return cell;
      });
      body.append(line(title, [...values, ...differences]));
    };
    if (whole) add("Overall", places.map((n) => {
      const all = scored.map(([name]) => causes.get(name)[n]);
      return { point: all.reduce((sum, one) => sum + clip(one.point), 0) / all.length, draws: all[0].draws.map((_, d) => all.reduce((sum, one) => sum + clip(one.draws[d]), 0) / all.length) };
    }));
    for (const [name, title] of NAMES) {
      if (scored.some(([one]) => one === name)) add(title, causes.get(name));
      else body.append(line(title, [Object.assign(make("td", "soft", causes.has(name) ? "not expressed" : "missing"), { colSpan: 2 * entries.length - 1 })]));
    }
    const counts = (name) => {
      const all = causes.get(name), only = places.map((n) => all[0].pairs.filter((pair) => all.every((one, m) => (one.treated[pair] >= 0.5) === (m === n))).length);
      return [...only, all[0].pairs.filter((pair) => all.every((one) => one.treated[pair] >= 0.5)).length, all[0].pairs.filter((pair) => all.every((one) => one.treated[pair] < 0.5)).length];
    };
    const frame = (caption, heads, rowsBody) => {
      const box = make("div", "scroll"), view = make("table", "plain"), head = make("thead"), row = make("tr");
      box.tabIndex = 0; box.setAttribute("role", "region"); box.setAttribute("aria-label", caption);
      row.append(...heads.map((text, n) => { const th = make("th", n ? "num" : "", text); th.scope = "col"; return th; }));
      head.append(row); view.append(make("caption", "", caption), head, rowsBody); box.append(view);
      return box;
    };
    const letters = places.map((n) => "ABCD"[n]), items = make("tbody");
    for (const [name, title] of NAMES) if (causes.has(name)) items.append(line(title, counts(name).map((count) => make("td", "num", count))));
    result.replaceChildren(
      frame("Recovery, and how far A is ahead: paired differences with 95 % intervals", ["Cause", ...letters, ...letters.slice(1).map((one) => `A − ${one}`)], body),
      frame("Treated items learned by whom", ["Cause", ...letters.map((one) => `only ${one}`), "all", "none"], items),
    );
  };
  const update = async () => {
    const now = slugs();
    try {
      const entries = await Promise.all(now.map((slug) => load("runs", slug)));
      chosen.replaceChildren(...entries.map((one, n) => {
        const item = make("li"), link = make("a", "", one.title), button = make("button", "", "×");
        link.href = `${root}/${one.page}`;
        button.type = "button"; button.setAttribute("aria-label", `Remove ${one.title}`);
        button.addEventListener("click", () => { first = []; remember({ runs: slugs().filter((slug) => slug !== now[n]).join(",") }); update(); });
        item.append(make("span", "n", "ABCD"[n]), link, button);
        return item;
      }));
      result.replaceChildren();
      if (now.length < 2) { said.textContent = now.length ? "Choose one more." : ""; return; }
      if (entries.some((one) => one.group !== entries[0].group)) { said.textContent = "These entries stand on other base models, data or divisions: a difference between them would mean nothing."; return; }
      const rows = (await load("standings", entries[0].group)).rows;
      render(entries, now.map((slug) => { const row = rows.find((one) => one[0] === slug); return row && { overall: row[6], causes: row[7] }; }));
      said.textContent = `${now.length} entries compared.`;
    } catch (error) { said.textContent = `No such entry: ${error.message}`; }
  };
  const list = async () => {
    const found = await load("standings", table.value).catch(() => ({ rows: [] }));
    listed.clear();
    for (const row of found.rows) { const name = `${row[1]} (${row[2]}, ${row[0].slice(-6)})`; listed.set(name, row[0]); }
    options.replaceChildren(...[...listed.keys()].map((name) => { const option = make("option"); option.value = name; return option; }));
  };
  const add = () => {
    const text = pick.value.trim().toLowerCase();
    const slug = listed.get(pick.value.trim()) || [...listed].filter(([name]) => text && name.toLowerCase().startsWith(text)).map(([, one]) => one)[0];
    const now = slugs();
    if (!slug) said.textContent = "No entry of that name in this table.";
    else if (now.includes(slug)) said.textContent = "Already chosen.";
    else if (now.length === 4) said.textContent = "Four at most: remove one first.";
    else { remember({ runs: [...now, slug].join(",") }); pick.value = ""; update(); }
  };
  table.addEventListener("change", list);
  document.getElementById("add").addEventListener("click", add);
  pick.addEventListener("keydown", (event) => { if (event.key === "Enter") add(); });
  window.addEventListener("hashchange", update);
  if (table.options.length) list().then(() => { first = [...listed.values()].slice(0, 2); update(); });
})();

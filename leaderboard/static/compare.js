// Two to four entries pair by pair: the bootstrap of the page "Method", on the learned rates in each entry's data file.
"use strict";

// Formulas, as ilp_bench/scoring and ilp_bench/leaderboard/ranking.py have them; tests/leaderboard/test_javascript.py
// compares both. A run's data file has the rates of all pairs under four conditions, in the order of Conditions in
// ilp_bench/leaderboard/stored_rates.py, in 16 bits each.
const DRAWS = 2000, LEARNED = 0.5, STORED_ONE = 65535, BOOTSTRAP_SEED = 20260;
const decodeRates = (base64) => {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stored = new Uint16Array(bytes.buffer), pairs = stored.length / 4;
  const condition = (index) =>
    Float64Array.from(stored.subarray(index * pairs, (index + 1) * pairs), (rate) => rate / STORED_ONE);
  return { treated: condition(0), control: condition(1), vanillaTreated: condition(2), vanillaControl: condition(3) };
};
// Indexes of the pairs of a cause that count, over all datasets.
const activePairs = (run, cause) => {
  const pairs = [];
  for (const [name, start, end] of run.spans) {
    if (name !== cause) continue;
    for (let pair = start; pair < end; pair++) if (run.active[pair] === "1") pairs.push(pair);
  }
  return pairs;
};
// Recovery over some pairs (from start to end in a list of indexes); NaN where vanilla leaves no gap.
const recovery = (rates, pairs, start = 0, end = pairs.length) => {
  let treated = 0, vanillaTreated = 0, vanillaControl = 0;
  for (let index = start; index < end; index++) {
    const pair = pairs[index];
    treated += rates.treated[pair];
    vanillaTreated += rates.vanillaTreated[pair];
    vanillaControl += rates.vanillaControl[pair];
  }
  const gap = vanillaControl - vanillaTreated;
  return gap > 0 ? (treated - vanillaTreated) / gap : NaN;
};
const clip = (value) => Math.min(1, Math.max(-1, value));
// Overall recovery: the mean over causes, each held within -1 and 1. An estimate is {value, draws}.
const meanOverCauses = (estimates) => {
  const mean = (pick) => estimates.reduce((sum, estimate) => sum + clip(pick(estimate)), 0) / estimates.length;
  const draws = estimates[0].draws.map((_, draw) => mean((estimate) => estimate.draws[draw]));
  return { value: mean((estimate) => estimate.value), draws };
};
const difference = (left, right) => ({
  value: left.value - right.value,
  draws: left.draws.map((drawn, draw) => drawn - right.draws[draw]),
});
// The 95 % percentile interval; draws without a value are left out.
const percentileInterval = ({ value, draws }) => {
  const sorted = Float64Array.from(draws.filter((drawn) => !Number.isNaN(drawn))).sort();
  const quantile = (share) => {
    const position = share * (sorted.length - 1), below = Math.floor(position);
    return sorted[below] + (position - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
  };
  return { value, low: quantile(0.025), high: quantile(0.975) };
};
// A small generator of random numbers in [0, 1) with a fixed seed, so that everybody sees the same numbers.
const randomGenerator = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
};
// Recovery from one cause of each run, as value and DRAWS draws, all with the same resampled pairs; null without pairs.
const bootstrapCause = (runs, rates, cause) => {
  const pairs = activePairs(runs[0], cause.name);
  if (!pairs.length) return null;
  const random = randomGenerator((BOOTSTRAP_SEED + cause.stream) | 0);
  const picks = Uint32Array.from({ length: DRAWS * pairs.length }, () => pairs[Math.floor(random() * pairs.length)]);
  const draw = (one, index) => recovery(one, picks, index * pairs.length, (index + 1) * pairs.length);
  return rates.map((one) => ({
    value: recovery(one, pairs),
    draws: Float64Array.from({ length: DRAWS }, (_, index) => draw(one, index)),
  }));
};
// How many treated items of a cause only the first run learned, only the second, ..., all of them, none of them.
const countLearned = (rates, pairs) => {
  const learned = pairs.map((pair) => rates.map((one) => one.treated[pair] >= LEARNED));
  const only = rates.map((_, run) => learned.filter((who) => who.every((is, other) => is === (other === run))).length);
  const all = learned.filter((who) => who.every((is) => is)).length;
  return [...only, all, learned.filter((who) => !who.some((is) => is)).length];
};

(() => {
  const MOST_RUNS = 4, LETTERS = "ABCD";
  const byId = (id) => document.getElementById(id);
  const groupSelect = byId("table"), nameInput = byId("pick"), nameOptions = byId("entries");
  const chosenList = byId("chosen"), status = byId("said"), result = byId("result");
  const slugsByName = new Map(); // the names that can be typed
  let suggested = []; // what is compared before anything is chosen
  const chosenSlugs = () => {
    const state = readState();
    return (state.has("runs") ? state.get("runs").split(",") : suggested).filter(Boolean).slice(0, MOST_RUNS);
  };

  const formatEstimate = ({ value, low, high }) => {
    const [center, ...ends] = [value, low, high].map((number) => UNITS_PER_ONE * number);
    return `${formatNumber(center)} ${formatEnds([center, ...ends])}`;
  };
  const makeLine = (title, cells) => {
    const row = makeElement("tr"), head = makeElement("th", "", title);
    head.scope = "row";
    row.append(head, ...cells);
    return row;
  };
  const makeTable = (caption, titles, body) => {
    const box = makeElement("div", "scroll"), table = makeElement("table", "plain");
    const head = makeElement("thead"), row = makeElement("tr");
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", caption);
    row.append(...titles.map((title, index) => {
      const cell = makeElement("th", index ? "num" : "", title);
      cell.scope = "col";
      return cell;
    }));
    head.append(row);
    table.append(makeElement("caption", "", caption), head, body);
    box.append(table);
    return box;
  };
  const makeDifference = (first, other, letter) => {
    const gap = percentileInterval(difference(first, other)), resolved = gap.low > 0 || gap.high < 0;
    const cell = makeElement("td", `num delta ${resolved ? "yes" : "soft"}`, formatEstimate(gap));
    const better = gap.value > 0 ? " A is better" : ` ${letter} is better`;
    cell.append(makeElement("span", "sub", resolved ? better : " not resolvable"));
    return cell;
  };
  const makeEstimates = (title, estimates) => {
    const values = estimates.map((one) => makeElement("td", "num", formatEstimate(percentileInterval(one))));
    const others = estimates.slice(1).map((one, index) => makeDifference(estimates[0], one, LETTERS[index + 1]));
    return makeLine(title, [...values, ...others]);
  };
  // ``standings`` are the rows of the runs in their group's data file, ``causes`` that file's causes.
  const showComparison = (runs, standings, causes) => {
    const rates = runs.map((run) => decodeRates(run.rates));
    const estimates = causes.map((cause) => bootstrapCause(runs, rates, cause));
    const isScored = (index) => estimates[index] && standings.every((row) => row && row.causes[index]);
    const recoveries = makeElement("tbody"), items = makeElement("tbody");
    if (standings.every((row) => row && row.overall)) {
      const scored = estimates.filter((_, index) => isScored(index));
      const overall = runs.map((_, run) => meanOverCauses(scored.map((ofRuns) => ofRuns[run])));
      recoveries.append(makeEstimates("Overall", overall));
    }
    causes.forEach(({ name, title }, index) => {
      if (isScored(index)) recoveries.append(makeEstimates(title, estimates[index]));
      else {
        const cell = makeElement("td", "soft", estimates[index] ? "not expressed" : "missing");
        cell.colSpan = 2 * runs.length - 1;
        recoveries.append(makeLine(title, [cell]));
      }
      if (!estimates[index]) return;
      const counts = countLearned(rates, activePairs(runs[0], name));
      items.append(makeLine(title, counts.map((count) => makeElement("td", "num", count))));
    });
    const letters = [...LETTERS.slice(0, runs.length)];
    const differences = letters.slice(1).map((letter) => `A − ${letter}`);
    const caption = "Recovery, and how far A is ahead: paired differences with 95 % intervals";
    const onlyOne = letters.map((letter) => `only ${letter}`);
    result.replaceChildren(
      makeTable(caption, ["Cause", ...letters, ...differences], recoveries),
      makeTable("Treated items learned by whom", ["Cause", ...onlyOne, "all", "none"], items),
    );
  };

  const makeChosen = (run, slug, index) => {
    const item = makeElement("li"), link = makeElement("a", "", run.title), button = makeElement("button", "", "×");
    link.href = `${root}/${run.page}`;
    button.type = "button";
    button.setAttribute("aria-label", `Remove ${run.title}`);
    button.addEventListener("click", () => {
      suggested = [];
      changeState({ runs: chosenSlugs().filter((other) => other !== slug).join(",") });
      update();
    });
    item.append(makeElement("span", "n", LETTERS[index]), link, button);
    return item;
  };
  const update = async () => {
    const slugs = chosenSlugs();
    try {
      const runs = await Promise.all(slugs.map((slug) => load("runs", slug)));
      chosenList.replaceChildren(...runs.map((run, index) => makeChosen(run, slugs[index], index)));
      result.replaceChildren();
      if (slugs.length < 2) { status.textContent = slugs.length ? "Choose one more." : ""; return; }
      if (runs.some((run) => run.group !== runs[0].group)) {
        status.textContent = "These entries stand on other base models, data or divisions: "
          + "a difference between them would mean nothing.";
        return;
      }
      const { causes, rows } = await loadStandings(runs[0].group);
      showComparison(runs, slugs.map((slug) => rows.find((row) => row.slug === slug)), causes);
      status.textContent = `${slugs.length} entries compared.`;
    } catch (error) { status.textContent = `No such entry: ${error.message}`; }
  };
  const listNames = async () => {
    const { rows } = await loadStandings(groupSelect.value).catch(() => ({ rows: [] }));
    slugsByName.clear();
    for (const { slug, model, org } of rows) slugsByName.set(`${model} (${org}, ${slug.slice(-6)})`, slug);
    nameOptions.replaceChildren(...[...slugsByName.keys()].map((name) => {
      const option = makeElement("option");
      option.value = name;
      return option;
    }));
  };
  const addTyped = () => {
    const typed = nameInput.value.trim(), start = typed.toLowerCase(), slugs = chosenSlugs();
    const name = [...slugsByName.keys()].find((known) => start && known.toLowerCase().startsWith(start));
    const slug = slugsByName.get(typed) || slugsByName.get(name);
    if (!slug) status.textContent = "No entry of that name in this table.";
    else if (slugs.includes(slug)) status.textContent = "Already chosen.";
    else if (slugs.length === MOST_RUNS) status.textContent = "Four at most: remove one first.";
    else {
      changeState({ runs: [...slugs, slug].join(",") });
      nameInput.value = "";
      update();
    }
  };
  groupSelect.addEventListener("change", listNames);
  byId("add").addEventListener("click", addTyped);
  nameInput.addEventListener("keydown", (event) => { if (event.key === "Enter") addTyped(); });
  window.addEventListener("hashchange", update);
  const start = async () => {
    await listNames();
    suggested = [...slugsByName.values()].slice(0, 2);
    update();
  };
  if (groupSelect.options.length) start();
})();

"use strict";
const rows = [...document.querySelectorAll("#worst tbody tr")], found = document.getElementById("found"), whole = found.textContent;
document.getElementById("search").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    count += !row.hidden;
  }
  found.textContent = words.length ? `${count} of ${rows.length} rows shown` : whole;
});

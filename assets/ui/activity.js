// The page of changes: new ones come in at the top.

import { follow } from "./live.js";

const MAX_ROWS = 200;
const SVG = "http://www.w3.org/2000/svg";

const place = /** @type {HTMLElement} */ (document.querySelector(".live"));
const table = /** @type {HTMLTableElement} */ (document.querySelector(".changes"));
const rows = table.tBodies[0];
const button = document.createElement("button");
button.className = "btn";
button.type = "button";
const state = document.createElement("span");
place.append(state, " ", button);

/** @type {import("./live.js").Change[]} */
let waiting = [];
let isPaused = false;

/** @param {import("./live.js").Change} change */
function row(change) {
  const it = document.createElement("tr");
  const cells = [0, 1, 2, 3].map(() => it.insertCell());
  const name = document.createElement(change.link ? "a" : "span");
  name.className = "name";
  if (change.link) name.setAttribute("href", change.link);
  if (change.kind) {
    const glyph = document.createElementNS(SVG, "svg");
    for (const [key, value] of Object.entries({
      class: `kind ${change.kind}`, viewBox: "0 0 16 16", width: "16", height: "16", role: "img", "aria-label": change.kind,
    })) glyph.setAttribute(key, value);
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", change.glyph);
    glyph.append(path);
    name.append(glyph);
  }
  const [text, type] = [document.createElement("bdi"), document.createElement("bdi")];
  text.textContent = change.text;
  type.textContent = change.type;
  name.append(text);
  cells[0].className = cells[2].className = "muted";
  cells[0].textContent = change.time;
  cells[1].append(name);
  cells[2].append(type);
  cells[3].textContent = change.word;
  return it;
}

function show() {
  if (!isPaused) {
    for (const change of waiting) rows.prepend(row(change));
    waiting = [];
    while (rows.rows.length > MAX_ROWS) rows.deleteRow(-1);
  }
  button.textContent = isPaused ? `Resume (${waiting.length} newer)` : "Pause";
}

button.addEventListener("click", () => {
  isPaused = !isPaused;
  show();
});
follow(place.dataset.stream ?? "", place.dataset.cursor ?? "", ({ changes }) => {
  waiting = [...waiting, ...changes].slice(-MAX_ROWS);
  show();
}, (isOn) => { state.textContent = isOn ? "● live" : "○ not connected"; });
show();

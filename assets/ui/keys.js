// Keys that every page has: the search, ways to other pages, and help.

import { isTyping, say } from "./page.js";

/** What each key does, for the help. */
const KEYS = [
  ["/", "search"],
  ["g, then h a e c t y", "home, artifacts, executions, contexts, types, activity"],
  ["?", "this help"],
];
const PICTURE_KEYS = [
  ["← →", "along the edges: to inputs, to outputs"],
  ["↑ ↓", "within a layer"],
  ["Enter", "tell about a figure"],
  ["x", "draw what is around a figure or in it; again: take it back"],
  ["o", "open the page of a node"],
  ["c", "show the lineage of a node"],
  ["p", "show the path to another node"],
  ["f, + and −", "fit, zoom in and out"],
  ["n and N", "next and last highlighted figure"],
  ["l", "graph or list"],
  ["r", "draw again what has changed"],
  ["Esc", "leave the picture"],
];

/** The end of the address of each page. */
const PLACES = { h: "/", a: "/artifacts", e: "/executions", c: "/contexts", t: "/types", y: "/activity" };

let isGoing = false;

/** Goes to the page that a letter stands for. @param {string} letter */
function go(letter) {
  const path = PLACES[/** @type {keyof typeof PLACES} */ (letter)];
  const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll(".bar nav a")]);
  links.find((link) => path && link.pathname.endsWith(path))?.click();
}

function help() {
  const dialog = document.createElement("dialog");
  dialog.className = "help";
  dialog.setAttribute("aria-label", "Keys");
  const list = document.createElement("dl");
  const keys = document.querySelector(".lin") ? [...KEYS, ...PICTURE_KEYS] : KEYS;
  for (const [key, meaning] of keys) {
    const [name, text] = [document.createElement("dt"), document.createElement("dd")];
    name.textContent = key;
    text.textContent = meaning;
    list.append(name, text);
  }
  const close = document.createElement("button");
  close.className = "btn";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  dialog.append(list, close);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener("keydown", (event) => {
  if (isTyping(event)) return;
  if (isGoing) {
    isGoing = false;
    go(event.key);
  } else if (event.key === "g") {
    isGoing = true;
    say("Go to: h home, a artifacts, e executions, c contexts, t types, y activity");
  } else if (event.key === "/") {
    /** @type {HTMLInputElement | null} */ (document.querySelector(".big input, .find input"))?.focus();
  } else if (event.key === "?") {
    help();
  } else {
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
});

// The page of a lineage: links within it change the picture instead of the page, a click on a
// figure tells about it, and keys do both. What scripts do here, the links do without them.

import { follow } from "./live.js";
import { morph } from "./morph.js";
import { announce, isTyping, readPage, say } from "./page.js";
import { figureOf, neighbour, Picture, rove } from "./picture.js";

/** When a page takes longer than this, it is said to be busy. */
const BUSY_MILLISECONDS = 150;

/** How long a zoom lasts before it is in the address. */
const ZOOM_MILLISECONDS = 200;

const main = /** @type {HTMLElement} */ (document.querySelector("main"));
/** @type {Picture | null} */
let picture = null;
let reading = new AbortController();
/** The key of the figure from which a path begins, while its end is chosen. */
let pathStart = "";
let shown = location.pathname + location.search;

/** @param {EventTarget | null} target @returns {SVGGElement | null} */
const figureAt = (target) => target instanceof Element ? target.closest(".figure") : null;
const keyOf = (/** @type {SVGGElement | null} */ figure) => figure?.dataset.key;
const focused = () => figureAt(document.activeElement);
const selected = () => /** @type {SVGGElement | null} */ (main.querySelector(".scene .selected"));

/** How many changes touched what is traced here since it was drawn. */
let changes = 0;
let isLive = false;
let isFollowing = false;

/** Whether a key is in ranges such as `a1-40.a44.e7`. @param {string} ranges @param {string} key */
function isWithin(ranges, key) {
  const id = Number(key.slice(1));
  return ranges.split(".").some((range) => {
    const [first, last] = range.slice(1).split("-").map(Number);
    return range[0] === key[0] && first <= id && id <= (last ?? first);
  });
}

/** Shows whether the page is live, and what has changed. */
function showLive() {
  const place = main.querySelector(".live");
  if (!place) return;
  place.replaceChildren(isLive ? "● live" : "");
  if (changes === 0) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn";
  button.textContent = `${changes} ${changes === 1 ? "change" : "changes"} here: redraw`;
  button.addEventListener("click", redraw);
  place.append(button);
}

/** Follows the changes from the first page on that has a place to tell of them. */
function listen() {
  const { stream } = /** @type {HTMLElement | null} */ (main.querySelector(".live"))?.dataset ?? {};
  if (isFollowing || !stream) return;
  isFollowing = true;
  follow(stream, "", hear, (isOn) => {
    if (isOn === isLive) return;
    isLive = isOn;
    showLive();
  });
}

function redraw() {
  show(new URL(location.href), { anchor: keyOf(focused() ?? selected()), isBack: true });
}

/** @param {import("./live.js").News} news */
function hear(news) {
  const traced = /** @type {HTMLElement | null} */ (main.querySelector(".live"))?.dataset.traced ?? "";
  const here = news.changes.filter((change) => change.touched.some((key) => isWithin(traced, key)));
  if (here.length === 0) return;
  changes += here.length;
  showLive();
}

/** Takes what the page shows over; its picture grows out of the one before. @param {string} [anchor] */
function begin(anchor) {
  const frame = /** @type {HTMLElement | null} */ (main.querySelector(".canvas > .frame"));
  const svg = /** @type {SVGSVGElement | null} */ (frame?.querySelector("svg.scene") ?? null);
  const before = picture;
  changes = 0;
  listen();
  showLive();
  picture = frame && svg ? new Picture(frame, svg) : null;
  if (!picture || !svg) return;
  const start = selected() ?? svg.querySelector(".focus");
  if (before) morph(before, picture, anchor);
  else picture.open(/** @type {SVGGElement | null} */ (start), Number(askedZoom()) / 100);
  picture.onZoom = noteZoom;
  rove(svg, figureOf(svg, anchor) ?? start ?? svg.querySelector(".figure"));
}

const askedZoom = () => new URL(location.href).searchParams.get("zoom");
let zoomTimer = 0;

/** Puts the scale of the picture into the address, when it has come to rest. */
function noteZoom() {
  clearTimeout(zoomTimer);
  zoomTimer = setTimeout(() => {
    if (picture) replaceInAddress("zoom", String(Math.round(picture.scale * 100)));
  }, ZOOM_MILLISECONDS);
}

/** Changes the address without a step to go back to. @param {string} name @param {string} value */
function replaceInAddress(name, value) {
  const url = new URL(location.href);
  url.hash = "";
  url.searchParams.set(name, value);
  history.replaceState(null, "", url);
  shown = url.pathname + url.search;
  return url;
}

/** What has the focus, in words that find the same in the next page. */
function focusMark() {
  const it = document.activeElement;
  if (!it || !main.contains(it)) return null;
  const key = keyOf(figureAt(it));
  const words = (/** @type {Element} */ other) =>
    [other.tagName, other.getAttribute("name"), other.getAttribute("aria-label"), other.textContent].join();
  const mark = it instanceof HTMLSelectElement ? [it.tagName, it.name].join() : words(it);
  const isSame = (/** @type {Element} */ other) =>
    mark === (other instanceof HTMLSelectElement ? [other.tagName, other.name].join() : words(other));
  return () => {
    const figure = key && picture ? figureOf(picture.svg, key)?.querySelector("a") : null;
    const same = [...main.querySelectorAll("a, button, input, select")].find(isSame);
    const stop = picture?.svg.querySelector('a[tabindex="0"]') ?? main.querySelector("h1");
    const next = /** @type {HTMLElement} */ (figure ?? same ?? stop);
    if (next?.tagName === "H1") next.tabIndex = -1;
    next?.focus({ preventScroll: true });
  };
}

/**
 * Shows another view of the lineage.
 * @param {URL} url @param {{ anchor?: string, isBack?: boolean }} how
 */
async function show(url, { anchor, isBack = false }) {
  url.hash = "";
  const zoom = askedZoom();
  if (zoom && !isBack) url.searchParams.set("zoom", zoom);
  reading.abort();
  reading = new AbortController();
  const { signal } = reading;
  const busy = setTimeout(() => main.setAttribute("aria-busy", "true"), BUSY_MILLISECONDS);
  try {
    const page = await readPage(url, signal);
    if (signal.aborted) return;
    const next = /** @type {HTMLElement} */ (page.querySelector("main"));
    const count = figures();
    const focus = focusMark();
    document.title = page.title;
    main.replaceChildren(...next.childNodes);
    if (!isBack) history.pushState(null, "", url);
    shown = url.pathname + url.search;
    begin(anchor);
    focus?.();
    tell(count);
  } catch {
    // The page itself says what is wrong.
    if (!signal.aborted) location.assign(url);
  } finally {
    clearTimeout(busy);
    main.removeAttribute("aria-busy");
  }
}

const figures = () => picture ? picture.svg.querySelectorAll(".figure").length : 0;

/** Says what has changed. @param {number} before */
function tell(before) {
  const now = figures();
  const change = Math.abs(now - before);
  const noun = change === 1 ? "figure" : "figures";
  if (!picture) say(`A list of ${main.querySelectorAll("tbody tr").length} rows.`);
  else if (now > before) say(`${change} more ${noun}, ${now} in all.`);
  else if (now < before) say(`${change} ${noun} less, ${now} in all.`);
  else say(`${now} in all.`);
}

/** Ends a path at a figure if one has begun, and tells about it otherwise. @param {SVGGElement} figure */
function choose(figure) {
  if (!pathStart) {
    select(figure);
    return;
  }
  const url = new URL(location.href);
  url.searchParams.set("path", `${pathStart}.${keyOf(figure)}`);
  // Paths are those of now.
  url.searchParams.delete("at");
  pathStart = "";
  show(url, {});
}

/** Tells about a figure in the panel. Nothing in the picture moves. @param {SVGGElement} figure */
async function select(figure) {
  const key = keyOf(figure);
  if (!key || !picture) return;
  for (const other of picture.svg.querySelectorAll(".selected")) other.classList.remove("selected");
  figure.classList.add("selected");
  rove(picture.svg, figure);
  const url = replaceInAddress("selected", key);
  reading.abort();
  reading = new AbortController();
  const { signal } = reading;
  try {
    const part = await readPage(`${url.pathname}/panel${url.search}`, signal);
    const panel = part.querySelector(".side");
    if (signal.aborted || !panel) return;
    const old = main.querySelector(".side");
    if (old) old.replaceWith(panel);
    else main.querySelector(".canvas")?.after(panel);
    announce(figure.querySelector("title")?.textContent ?? "");
  } catch {
    if (!signal.aborted) location.assign(url);
  }
}

/** Draws what is around a figure or in it, or takes it back. @param {SVGGElement} figure */
function expand(figure) {
  const key = keyOf(figure) ?? "";
  const url = new URL(location.href);
  const open = (url.searchParams.get("open") ?? "").split(".").filter(Boolean);
  const own = open.filter((it) => it === key || it === `${key}l` || it === `${key}r`);
  const kept = open.filter((it) => !own.includes(it));
  if (own.length === 0) {
    if (figure.classList.contains("fold")) own.push(key);
    else for (const more of figure.querySelectorAll(".more")) own.push(key + /** @type {SVGElement} */ (more).dataset.side);
    if (own.length === 0) {
      say("All that is around it is drawn.");
      return;
    }
    kept.push(...own);
  }
  if (kept.length > 0) url.searchParams.set("open", kept.join("."));
  else url.searchParams.delete("open");
  show(url, { anchor: key });
}

/** Goes to a highlighted figure. @param {1 | -1} step */
function goToHighlighted(step) {
  if (!picture) return;
  const isOn = picture.svg.querySelector(".faded") !== null;
  const found = isOn ? [...picture.svg.querySelectorAll(".figure:not(.faded)")] : [];
  if (found.length === 0) {
    say("Nothing is highlighted.");
    return;
  }
  const at = found.indexOf(/** @type {Element} */ (focused()));
  const next = at < 0 ? 0 : (at + step + found.length) % found.length;
  found[next].querySelector("a")?.focus();
}

/** What a key does to a figure; false for other keys. @param {string} key @param {SVGGElement} figure */
function pressOn(figure, key) {
  const { page, centre } = figure.dataset;
  if (key.startsWith("Arrow") && picture) {
    neighbour(picture.svg, figure, key)?.querySelector("a")?.focus({ preventScroll: true });
  } else if (key === "x") {
    expand(figure);
  } else if (key === "p" && !figure.classList.contains("fold")) {
    pathStart = keyOf(figure) ?? "";
    say("Choose where the path ends: go to a figure and press Enter, or click on it.");
  } else if (key === "o" && page) {
    location.assign(page);
  } else if (key === "c" && centre) {
    location.assign(centre);
  } else {
    return false;
  }
  return true;
}

main.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!link || !isPlain || link.hasAttribute("download")) return;
  const figure = figureAt(link);
  const href = link.getAttribute("href") ?? "";
  const url = new URL(href, location.href);
  if (href.startsWith("#") || url.origin !== location.origin || url.pathname !== location.pathname) return;
  event.preventDefault();
  if (figure && picture && !link.classList.contains("more")) {
    choose(figure);
    return;
  }
  show(url, { anchor: keyOf(figure ?? selected() ?? focused()) });
});

main.addEventListener("dblclick", (event) => {
  const page = figureAt(event.target)?.dataset.page;
  if (page) location.assign(page);
});

main.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.matches(".lin-tools")) return;
  event.preventDefault();
  const url = new URL(form.action);
  for (const [name, value] of new FormData(form)) if (value) url.searchParams.append(name, String(value));
  show(url, { anchor: keyOf(selected()) });
});

main.addEventListener("change", (event) => {
  if (event.target instanceof HTMLSelectElement) event.target.form?.requestSubmit();
});

main.addEventListener("focusin", (event) => {
  const figure = figureAt(event.target);
  if (!figure || !picture) return;
  rove(picture.svg, figure);
  // Under a pointer nothing moves.
  if (/** @type {Element} */ (event.target).matches(":focus-visible")) picture.reveal(figure);
});

document.addEventListener("keydown", (event) => {
  const { key } = event;
  if (isTyping(event)) return;
  const figure = figureAt(event.target);
  if (picture && (picture.press(key) || figure && pressOn(figure, key))) {
    // Done.
  } else if (picture && (key === "n" || key === "N")) {
    goToHighlighted(key === "n" ? 1 : -1);
  } else if (key === "r" && changes > 0) {
    redraw();
  } else if (key === "l") {
    /** @type {HTMLElement | null} */ (main.querySelector('[aria-label="View"] a:not([aria-current])'))?.click();
  } else if (key === "Escape" && pathStart) {
    pathStart = "";
    say("No path.");
  } else if (key === "Escape" && figure) {
    picture?.frame.focus();
  } else {
    return;
  }
  event.preventDefault();
});

addEventListener("popstate", () => {
  const url = new URL(location.href);
  if (url.pathname + url.search === shown) return;
  show(url, { anchor: keyOf(focused() ?? selected()), isBack: true });
});

begin();

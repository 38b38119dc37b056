// One picture becomes the next: what was there slides, what is new grows out of a figure.

import { corner, figureOf } from "./picture.js";

const MORPH_MILLISECONDS = 200;

/**
 * Shows a new picture so that a figure of both stays where it is on the screen.
 * @param {import("./picture.js").Picture} before @param {import("./picture.js").Picture} after
 * @param {string | undefined} anchor the key of the figure
 */
export function morph(before, after, anchor) {
  const old = figureOf(before.svg, anchor);
  const kept = figureOf(after.svg, anchor);
  after.scale = before.scale;
  if (!old || !kept) {
    after.open(kept ?? after.svg.querySelector("#focus"));
    return;
  }
  const [from, to] = [corner(old), corner(kept)];
  const [x, y] = [to.x - from.x, to.y - from.y];
  after.x = before.x + x;
  after.y = before.y + y;
  after.draw();
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const timing = { duration: MORPH_MILLISECONDS, easing: "ease-out" };
  const at = (/** @type {{x: number, y: number}} */ it) => `translate(${it.x}px, ${it.y}px)`;
  for (const figure of /** @type {NodeListOf<SVGGElement>} */ (after.svg.querySelectorAll(".figure"))) {
    const known = figureOf(before.svg, figure.dataset.key);
    const now = corner(figure);
    if (known) {
      const was = corner(known);
      figure.animate([{ transform: at({ x: was.x + x, y: was.y + y }) }, { transform: at(now) }], timing);
    } else {
      figure.animate([{ transform: at(to), opacity: 0 }, { transform: at(now), opacity: 1 }], timing);
    }
  }
  for (const edge of after.svg.querySelectorAll(".edge")) {
    edge.animate([{ opacity: 0 }, { opacity: 0, offset: 0.5 }, { opacity: 1 }], timing);
  }
}

// Comfort on top of pages that work without it. It makes no markup from data.

import "./keys.js";
import "./printed.js";
import "./theme-choice.js";
import { neighbour } from "./picture.js";

if (document.querySelector(".lin")) import("./lineage.js");
if (document.querySelector(".live[data-cursor]")) import("./activity.js");

// The small picture on the page of a node.
for (const svg of /** @type {NodeListOf<SVGSVGElement>} */ (document.querySelectorAll(".frame.small svg.scene"))) {
  const frame = /** @type {HTMLElement} */ (svg.parentElement);
  const focus = svg.querySelector("#focus");
  if (focus) {
    const [at, box] = [frame.getBoundingClientRect(), focus.getBoundingClientRect()];
    frame.scrollLeft += box.left + box.width / 2 - at.left - at.width / 2;
    frame.scrollTop += box.top + box.height / 2 - at.top - at.height / 2;
  }
  svg.addEventListener("keydown", (event) => {
    const figure = event.target instanceof Element ? event.target.closest(".figure") : null;
    if (!figure || !event.key.startsWith("Arrow")) return;
    event.preventDefault();
    neighbour(svg, /** @type {SVGGElement} */ (figure), event.key)?.querySelector("a")?.focus();
  });
}

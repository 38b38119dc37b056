// Comfort on top of pages that work without it: zoom and pan of pictures, arrow keys along edges,
// and "/" for the search. It makes no markup from data, and asks the server for nothing.

/** @param {SVGSVGElement} svg @param {HTMLElement} frame */
function zoomable(svg, frame) {
  const natural = [svg.width.baseVal.value, svg.height.baseVal.value];
  let scale = 1;
  /** Scales the picture; the point of the frame at (x, y) stays where it is. */
  const zoom = (next, x = frame.clientWidth / 2, y = frame.clientHeight / 2) => {
    const box = svg.getBoundingClientRect();
    const at = frame.getBoundingClientRect();
    const [left, top] = [(at.left + x - box.left) / scale, (at.top + y - box.top) / scale];
    scale = Math.min(2, Math.max(0.2, next));
    svg.setAttribute("width", String(natural[0] * scale));
    svg.setAttribute("height", String(natural[1] * scale));
    const moved = svg.getBoundingClientRect();
    frame.scrollLeft += moved.left + left * scale - (at.left + x);
    frame.scrollTop += moved.top + top * scale - (at.top + y);
  };
  const fit = () => zoom(Math.min(1, frame.clientWidth / natural[0], frame.clientHeight / natural[1]));
  frame.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const at = frame.getBoundingClientRect();
    zoom(scale * Math.exp(-event.deltaY * 0.0015), event.clientX - at.left, event.clientY - at.top);
  }, { passive: false });
  let last = null;
  frame.addEventListener("pointerdown", (event) => {
    if (event.button === 0 && !event.target.closest("a")) {
      last = [event.clientX, event.clientY];
      frame.setPointerCapture(event.pointerId);
    }
  });
  frame.addEventListener("pointermove", (event) => {
    if (!last) return;
    frame.scrollLeft -= event.clientX - last[0];
    frame.scrollTop -= event.clientY - last[1];
    last = [event.clientX, event.clientY];
  });
  frame.addEventListener("pointerup", () => { last = null; });
  const bar = document.createElement("div");
  bar.className = "zoom";
  for (const [word, name, act] of [
    ["+", "Zoom in", () => zoom(scale * 1.25)],
    ["−", "Zoom out", () => zoom(scale / 1.25)],
    ["Fit", "Fit the whole picture", fit],
  ]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = word;
    button.setAttribute("aria-label", name);
    button.addEventListener("click", act);
    bar.append(button);
  }
  frame.parentElement.append(bar);
  return { zoom: (factor) => zoom(scale * factor), fit };
}

/** The figure nearest to another one in a direction: along edges, or up and down. */
function neighbour(svg, figure, key) {
  const middle = (it) => {
    const box = it.querySelector(".body").getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  };
  const [x, y] = middle(figure);
  const by = (name) => svg.querySelector(`.figure[data-key="${CSS.escape(name)}"]`);
  let found;
  if (key === "ArrowLeft" || key === "ArrowRight") {
    const [here, there] = key === "ArrowLeft" ? ["to", "from"] : ["from", "to"];
    const edges = svg.querySelectorAll(`.edge[data-${here}="${CSS.escape(figure.dataset.key)}"]`);
    found = [...edges].map((edge) => by(edge.dataset[there]));
  } else {
    const sign = key === "ArrowUp" ? -1 : 1;
    found = [...svg.querySelectorAll(".figure")].filter((it) => {
      const [column, row] = middle(it);
      return Math.abs(column - x) < 40 && (row - y) * sign > 1;
    });
  }
  const far = (it) => Math.abs(middle(it)[1] - y);
  return found.sort((one, other) => far(one) - far(other))[0];
}

for (const frame of document.querySelectorAll(".frame")) {
  const svg = frame.querySelector("svg.scene");
  if (!svg) continue;
  const view = frame.closest(".canvas") ? zoomable(svg, frame) : null;
  const focus = svg.querySelector(".selected") ?? svg.querySelector("#focus");
  if (focus) {
    const [at, box] = [frame.getBoundingClientRect(), focus.getBoundingClientRect()];
    frame.scrollLeft += box.left + box.width / 2 - at.left - at.width / 2;
    frame.scrollTop += box.top + box.height / 2 - at.top - at.height / 2;
  }
  svg.addEventListener("keydown", (event) => {
    const figure = event.target.closest(".figure");
    if (view && (event.key === "+" || event.key === "-")) {
      view.zoom(event.key === "+" ? 1.25 : 0.8);
    } else if (view && event.key === "f") {
      view.fit();
    } else if (figure && event.key.startsWith("Arrow")) {
      neighbour(svg, figure, event.key)?.querySelector("a")?.focus();
    } else {
      return;
    }
    event.preventDefault();
  });
}

for (const form of document.querySelectorAll("form.lin-tools")) {
  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLSelectElement) form.requestSubmit();
  });
}

// Clients of MLflow print addresses with what they mean behind a "#", which no server sees.
const printed = location.hash.match(/^#(\/(?:experiments|models)\/[^?#]+)/);
const home = document.querySelector("a.brand");
if (printed && home && new URL(home.href).pathname === location.pathname) {
  location.replace(home.href.replace(/\/$/, "") + printed[1]);
}

// The choice of a theme, which the browser keeps. theme.js sets it before anything is drawn.
const foot = document.querySelector("footer.end");
if (foot) {
  const choice = document.createElement("select");
  choice.setAttribute("aria-label", "Theme");
  for (const theme of ["system", "light", "dark"]) {
    choice.append(new Option(`Theme: ${theme}`, theme));
  }
  choice.value = document.documentElement.dataset.theme ?? "system";
  choice.addEventListener("change", () => {
    const theme = choice.value === "system" ? "" : choice.value;
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    try {
      if (theme) localStorage.setItem("theme", theme);
      else localStorage.removeItem("theme");
    } catch {
      // It holds for this page.
    }
  });
  foot.append(" ", choice);
}

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    document.querySelector(".big input, .find input").focus();
  }
});

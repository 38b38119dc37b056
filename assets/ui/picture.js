// A picture in its frame: zoom and pan, and the way from figure to figure.

const LEAST_SCALE = 0.1;
const MOST_SCALE = 2;
/** The least scale at which labels have eleven pixels. */
const READABLE_SCALE = 0.88;
/** The width of the map of a picture. */
const MAP_WIDTH = 190;
const SVG = "http://www.w3.org/2000/svg";

/** A rectangle of SVG. @param {string} name its class @param {{ x: number, y: number, width: number, height: number }} box */
function rectangle(name, box) {
  const it = document.createElementNS(SVG, "rect");
  it.setAttribute("class", name);
  place(it, box);
  return it;
}

/** @param {SVGRectElement} it @param {{ x: number, y: number, width: number, height: number }} box */
function place(it, { x, y, width, height }) {
  for (const [name, value] of Object.entries({ x, y, width, height })) it.setAttribute(name, String(value));
}
const STEP_FACTOR = 1.25;

/** @param {Element} figure @returns {[number, number]} the middle of a figure on the screen */
function middle(figure) {
  const box = /** @type {Element} */ (figure.querySelector(".body")).getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
}

/** @param {SVGSVGElement} svg @param {string | undefined} key @returns {SVGGElement | null} */
export function figureOf(svg, key) {
  return key ? svg.querySelector(`.figure[data-key="${CSS.escape(key)}"]`) : null;
}

/** The upper left corner of a figure, in the picture. @param {SVGGElement} figure */
export function corner(figure) {
  const { e, f } = figure.transform.baseVal.getItem(0).matrix;
  return { x: e, y: f };
}

/**
 * The figure nearest to another one in a direction: along edges, or up and down.
 * @param {SVGSVGElement} svg @param {SVGGElement} figure @param {string} key
 */
export function neighbour(svg, figure, key) {
  const [x, y] = middle(figure);
  let found;
  if (key === "ArrowLeft" || key === "ArrowRight") {
    const [here, there] = key === "ArrowLeft" ? ["to", "from"] : ["from", "to"];
    const name = CSS.escape(figure.dataset.key ?? "");
    const edges = svg.querySelectorAll(`.edge[data-${here}="${name}"]`);
    found = [...edges].map((edge) => figureOf(svg, /** @type {SVGElement} */ (edge).dataset[there]));
    found = found.filter((it) => it !== null);
  } else {
    const sign = key === "ArrowUp" ? -1 : 1;
    found = [...svg.querySelectorAll(".figure")].filter((it) => {
      const [column, row] = middle(it);
      return Math.abs(column - x) < 40 && (row - y) * sign > 1;
    });
  }
  const far = (/** @type {Element} */ it) => Math.abs(middle(it)[1] - y);
  return found.sort((one, other) => far(one) - far(other))[0];
}

/** Makes the picture one stop of the tab key. @param {SVGSVGElement} svg @param {Element | null} figure */
export function rove(svg, figure) {
  for (const link of svg.querySelectorAll("a")) link.setAttribute("tabindex", "-1");
  figure?.querySelector("a")?.setAttribute("tabindex", "0");
}

/** A picture that fills its frame. */
export class Picture {
  /** @param {HTMLElement} frame @param {SVGSVGElement} svg */
  constructor(frame, svg) {
    const { x, y, width, height } = svg.viewBox.baseVal;
    this.frame = frame;
    this.svg = svg;
    this.natural = { x, y, width, height };
    /** Pixels of the screen for a pixel of the picture. */
    this.scale = 1;
    /** What of the picture is in the upper left corner of the frame. */
    this.x = x;
    this.y = y;
    /** What happens after the reader has zoomed. */
    this.onZoom = () => {};
    frame.classList.add("moves");
    frame.tabIndex = -1;
    this.seen = rectangle("seen", this.natural);
    this.map = this.addMap();
    this.watchSize();
    this.watchPointer();
    this.addButtons();
  }

  get width() { return this.frame.clientWidth / this.scale; }
  get height() { return this.frame.clientHeight / this.scale; }

  /** Moves and scales the picture as a whole: another view box would place every text again. */
  draw() {
    const { svg, natural, scale } = this;
    const [x, y] = [(natural.x - this.x) * scale, (natural.y - this.y) * scale];
    svg.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    place(this.seen, this);
    const isWhole = this.x <= natural.x && this.y <= natural.y && this.x + this.width >= natural.x + natural.width
      && this.y + this.height >= natural.y + natural.height;
    this.map.toggleAttribute("hidden", isWhole);
  }

  /** Moves the picture by pixels of the screen; its middle stays within the frame. @param {number} x @param {number} y */
  pan(x, y) {
    const within = (/** @type {number} */ at, /** @type {number} */ least, /** @type {number} */ size,
      /** @type {number} */ shown) => Math.min(least + size - shown / 2, Math.max(least - shown / 2, at));
    const { natural } = this;
    this.x = within(this.x - x / this.scale, natural.x, natural.width, this.width);
    this.y = within(this.y - y / this.scale, natural.y, natural.height, this.height);
    this.draw();
  }

  /** Scales the picture; the point of the frame at (x, y) stays where it is. @param {number} factor */
  zoom(factor, x = this.frame.clientWidth / 2, y = this.frame.clientHeight / 2) {
    const [left, top] = [this.x + x / this.scale, this.y + y / this.scale];
    this.scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, this.scale * factor));
    this.x = left - x / this.scale;
    this.y = top - y / this.scale;
    this.draw();
    this.onZoom();
  }

  /** Puts a point of the picture into the middle of the frame. @param {number} x @param {number} y */
  centre(x, y) {
    this.x = x - this.width / 2;
    this.y = y - this.height / 2;
    this.draw();
  }

  /** The scale at which the frame has room for all of the picture. */
  get fittingScale() {
    const { width, height } = this.natural;
    return Math.min(1, this.frame.clientWidth / width, this.frame.clientHeight / height);
  }

  /** Shows all of the picture. */
  fit() {
    const { x, y, width, height } = this.natural;
    this.scale = Math.max(LEAST_SCALE, this.fittingScale);
    this.centre(x + width / 2, y + height / 2);
  }

  /**
   * Shows a picture for the first time: all of it, or what is around a figure, or its upper end.
   * @param {SVGGElement | null} figure @param {number} [scale] the asked one
   */
  open(figure, scale) {
    if (scale) this.scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, scale));
    if (!scale && this.fittingScale >= READABLE_SCALE) this.fit();
    else if (figure) this.centreOn(figure);
    else this.showTop();
  }

  /** Shows the upper end of the picture: the middle of it, or the left if it is wider than the frame. */
  showTop() {
    const { x, y, width } = this.natural;
    this.x = Math.min(x, x + (width - this.width) / 2);
    this.y = y;
    this.draw();
  }

  /** Shows all of the picture, as the reader asks. */
  fitAsAsked() {
    this.fit();
    this.onZoom();
  }

  /** @param {SVGGElement} figure */
  centreOn(figure) {
    const at = corner(figure);
    const box = /** @type {SVGGraphicsElement} */ (figure.querySelector(".body")).getBBox();
    this.centre(at.x + box.width / 2, at.y + box.height / 2);
  }

  /** Moves the picture if a figure is not in the frame as a whole. @param {SVGGElement} figure */
  reveal(figure) {
    const box = /** @type {Element} */ (figure.querySelector(".halo")).getBoundingClientRect();
    const at = this.frame.getBoundingClientRect();
    const isWhole = box.left >= at.left && box.right <= at.right && box.top >= at.top && box.bottom <= at.bottom;
    if (!isWhole) this.centreOn(figure);
  }

  watchSize() {
    let [width, height] = [this.frame.clientWidth, this.frame.clientHeight];
    new ResizeObserver(() => {
      // What was in the middle stays there.
      this.x += (width - this.frame.clientWidth) / this.scale / 2;
      this.y += (height - this.frame.clientHeight) / this.scale / 2;
      [width, height] = [this.frame.clientWidth, this.frame.clientHeight];
      this.draw();
    }).observe(this.frame);
  }

  watchPointer() {
    const { frame } = this;
    frame.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (!event.ctrlKey && !event.metaKey) {
        this.pan(-event.deltaX, -event.deltaY);
        return;
      }
      const at = frame.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY * 0.0015), event.clientX - at.left, event.clientY - at.top);
    }, { passive: false });
    /** @type {[number, number] | null} */
    let last = null;
    frame.addEventListener("pointerdown", (event) => {
      const target = /** @type {Element} */ (event.target);
      if (event.button === 0 && !target.closest("a")) {
        last = [event.clientX, event.clientY];
        frame.setPointerCapture(event.pointerId);
      }
    });
    frame.addEventListener("pointermove", (event) => {
      if (!last) return;
      this.pan(event.clientX - last[0], event.clientY - last[1]);
      last = [event.clientX, event.clientY];
    });
    for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, () => { last = null; });
  }

  /** A small map of all figures and of what is seen; a click on it goes there. */
  addMap() {
    const { x, y, width, height } = this.natural;
    const map = document.createElementNS(SVG, "svg");
    map.setAttribute("class", "map");
    map.setAttribute("aria-hidden", "true");
    map.setAttribute("viewBox", [x, y, width, height].join(" "));
    map.setAttribute("width", String(MAP_WIDTH));
    map.setAttribute("height", String(Math.min(MAP_WIDTH / 2, Math.max(24, MAP_WIDTH * height / width))));
    for (const figure of /** @type {NodeListOf<SVGGElement>} */ (this.svg.querySelectorAll(".figure"))) {
      const box = /** @type {SVGGraphicsElement} */ (figure.querySelector(".body")).getBBox();
      const kind = figure.classList.contains("execution") ? "execution" : "artifact";
      map.append(rectangle(kind, { ...corner(figure), width: box.width, height: box.height }));
    }
    map.append(this.seen);
    map.addEventListener("click", (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM()?.inverse());
      this.centre(at.x, at.y);
    });
    this.frame.after(map);
    return map;
  }

  addButtons() {
    const bar = document.createElement("div");
    bar.className = "zoom";
    for (const [word, name, act] of /** @type {[string, string, () => void][]} */ ([
      ["+", "Zoom in", () => this.zoom(STEP_FACTOR)],
      ["−", "Zoom out", () => this.zoom(1 / STEP_FACTOR)],
      ["Fit", "Fit the whole picture", () => this.fitAsAsked()],
    ])) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = word;
      button.setAttribute("aria-label", name);
      button.addEventListener("click", act);
      bar.append(button);
    }
    this.frame.after(bar);
  }

  /** What a key does to the picture; false for other keys. @param {string} key */
  press(key) {
    if (key === "+") this.zoom(STEP_FACTOR);
    else if (key === "-") this.zoom(1 / STEP_FACTOR);
    else if (key === "f") this.fitAsAsked();
    else return false;
    return true;
  }
}

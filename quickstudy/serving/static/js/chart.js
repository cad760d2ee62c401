// Line charts in SVG.

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 520;
const HEIGHT = 330;
const EDGE = { left: 44, right: 12, top: 12, bottom: 34 };

function shape(tag, attributes, text) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Chart in an element, with fixed or growing ranges of its axes. */
export class Chart {
  constructor(place, { xName, yName, label }) {
    Object.assign(this, { xName, yName });
    this.svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
    place.replaceChildren(this.svg);
  }

  /** Describe what is drawn, for people who do not see it. */
  describe(text) { this.svg.setAttribute("aria-label", text); }

  /**
   * Draw lines {points, style, name} and dots.
   * x and y are ranges of the axes; a name stands at the end of its line.
   */
  draw({ x, y, lines = [], dots = [] }) {
    const across = (value) => EDGE.left + ((value - x[0]) / (x[1] - x[0] || 1)) * (WIDTH - EDGE.left - EDGE.right);
    const up = (value) => HEIGHT - EDGE.bottom - ((value - y[0]) / (y[1] - y[0] || 1)) * (HEIGHT - EDGE.top - EDGE.bottom);
    const parts = [];
    for (const tick of ticks(y)) {
      parts.push(shape("line", { class: "axis", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: up(tick), y2: up(tick) }));
      parts.push(shape("text", { x: EDGE.left - 7, y: up(tick) + 4, "text-anchor": "end" }, short(tick)));
    }
    for (const tick of ticks(x)) parts.push(shape("text", { x: across(tick), y: HEIGHT - EDGE.bottom + 16, "text-anchor": "middle" }, short(tick)));
    parts.push(shape("text", { x: WIDTH - EDGE.right, y: HEIGHT - 4, "text-anchor": "end" }, this.xName));
    parts.push(shape("text", { x: EDGE.left + 5, y: EDGE.top + 10 }, this.yName));
    for (const { points, style, opacity = 1 } of lines) {
      const path = points.map(([a, b], i) => `${i ? "L" : "M"}${across(a).toFixed(1)} ${Math.min(HEIGHT, Math.max(0, up(b))).toFixed(1)}`).join("");
      parts.push(shape("path", { class: `line ${style}`, d: path, opacity }));
    }
    for (const [a, b] of dots) parts.push(shape("circle", { class: "dot", cx: across(a), cy: up(b), r: 4 }));
    for (const { points, style, name } of lines) {
      if (!name || !points.length) continue;
      const [a, b] = points.at(-1);
      parts.push(shape("text", { class: `name ${style}`, x: Math.min(across(a), WIDTH - EDGE.right - 4), y: up(b) - 8, "text-anchor": "end" }, name));
    }
    this.svg.replaceChildren(...parts);
  }
}

/** Return about five round numbers of a range. */
function ticks([low, high]) {
  const rough = (high - low) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

const short = (value) => (Math.abs(value) >= 1000 ? `${value / 1000}k` : String(Number(value.toFixed(2))));

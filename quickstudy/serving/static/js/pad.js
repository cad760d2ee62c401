// A pad to draw on, by pointer or by keyboard.

import { paint, SIDE } from "./drawing.js";

const STEP = 0.04; // of the side, one arrow key
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HELP = "Drawing pad. Arrow keys move the pen, Space puts it down and lifts it, Control Z takes a stroke back.";

/** Pad that fires "start" before a stroke, "move" during it, and "stroke" after it and after every other change. */
export class Pad extends EventTarget {
  constructor(canvas, label = "") {
    super();
    this.canvas = canvas;
    canvas.width = canvas.height = SIDE;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", label ? `${label}. ${HELP}` : HELP);
    this.strokes = [];
    this.past = []; // strokes before each change
    this.pen = null; // the stroke in progress
    this.cursor = null; // the place of the keyboard's pen
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => this.#up());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => { this.#up(); this.cursor = null; this.#show(); });
    this.#show();
  }

  get empty() { return this.strokes.length === 0; }

  /** Show other strokes; undo brings the present ones back. */
  set(strokes, { undoable = true } = {}) {
    if (undoable) this.past.push(this.strokes);
    this.strokes = strokes;
    this.#changed();
  }

  clear() { if (!this.empty) this.set([]); }

  /** Take the last change back; return whether there was one. */
  undo() {
    this.#up();
    if (!this.past.length) return false;
    this.strokes = this.past.pop();
    this.#changed();
    return true;
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  #begin(point) {
    this.dispatchEvent(new Event("start"));
    this.past.push(this.strokes);
    this.pen = [point];
    this.strokes = [...this.strokes, this.pen];
    this.#show();
  }

  #down(event) {
    if (event.button !== 0 || this.pen) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.cursor = null;
    this.#begin(this.#point(event));
  }

  #move(event) {
    if (!this.pen || this.cursor) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.pen.push(this.#point(each));
    this.#show();
    this.dispatchEvent(new Event("move"));
  }

  #up() {
    if (!this.pen) return;
    this.pen = null;
    this.#changed();
  }

  #key(event) {
    const arrow = ARROWS[event.key];
    if ((event.ctrlKey || event.metaKey) && event.key === "z") {
      this.undo();
    } else if (arrow) {
      this.cursor = (this.cursor ?? [0.5, 0.5]).map((at, i) => Math.min(0.96, Math.max(0.04, at + STEP * arrow[i])));
      if (this.pen) {
        this.pen.push(this.cursor);
        this.dispatchEvent(new Event("move"));
      }
      this.#show();
    } else if (event.key === " ") {
      this.cursor ??= [0.5, 0.5];
      if (this.pen) this.#up();
      else this.#begin(this.cursor);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #changed() {
    this.#show();
    this.dispatchEvent(new Event("stroke"));
  }

  #show() {
    const context = this.canvas.getContext("2d");
    paint(context, this.strokes);
    if (!this.cursor) return;
    context.beginPath(); // the keyboard's pen is shown, and not part of the picture
    context.arc(this.cursor[0] * SIDE, this.cursor[1] * SIDE, 7, 0, 7);
    context.lineWidth = 3;
    context.strokeStyle = this.pen ? "#c2410c" : "#555";
    context.stroke();
  }
}

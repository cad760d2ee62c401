// Draw: a pad in each class, and one to ask.

import { Answer } from "./answer.js";
import { Classes } from "./classes.js";
import { picture } from "./drawing.js";
import { el, fill } from "./dom.js";
import { Pad } from "./pad.js";
import { Pile } from "./pile.js";
import { DRAWINGS } from "./starters.js";
import { ofTab, setOfTab } from "./storage.js";

const BETWEEN = 100; // milliseconds between two questions during a stroke, and at least twice the time of an answer

/** Return the examples that a new classifier of drawings begins with. */
export const starters = async () => Object.entries(DRAWINGS).map(([label, strokes]) => (
  { blob: picture(strokes), name: `${label}.png`, label, key: `start-${label}` }));

const fresh = () => `drawing-${Date.now().toString(36)}.png`;
const button = (text, run, className = "") => el("button", { type: "button", textContent: text, onclick: run, className });

/** Build the page for drawings. */
export async function build(places, classifier) {
  new Classes(places.classes, classifier, (label) => adder(label, classifier));
  const canvas = el("canvas", { className: "pad", id: "ask-pad" });
  const pad = new Pad(canvas, "Draw here to ask");
  const answerPlace = el("div", { className: "answer" });
  const pilePlace = el("section", { className: "pile-place" });
  const later = button("Keep for later", () => { pile.add({ blob: answer.question.blob, name: fresh() }); pad.set([]); }, "later");
  fill(places.ask,
    el("div", { className: "pad-place" }, canvas,
      el("div", { className: "row" }, button("Undo stroke", () => pad.undo()), button("Clear", () => pad.clear()), later)),
    answerPlace, pilePlace);
  const answer = new Answer(answerPlace, classifier, "drawing");
  let shown = null; // the question of the pile that is shown
  const pile = new Pile(pilePlace, classifier, (item) => { shown = item; answer.ask(question(item)); });
  const question = (item) => ({ ...item, onlearned: () => { if (shown === item) pile.remove(item); } });
  let due = 0; // the time of the next question during a stroke

  const ask = (passing) => {
    const asked = performance.now();
    shown = null;
    later.disabled = pad.empty;
    if (pad.empty) return answer.ask(null);
    return answer.ask({ blob: picture(pad.strokes), name: fresh(), asked: passing ? undefined : asked, passing });
  };
  pad.addEventListener("start", () => { if (!classifier.ready) classifier.wake(); });
  pad.addEventListener("move", async () => {
    const begun = performance.now();
    if (begun < due || !classifier.ready) return;
    due = Infinity;
    await ask(true);
    due = performance.now() + Math.max(BETWEEN, 2 * (performance.now() - begun)); // so that the stroke's end seldom waits
  });
  pad.addEventListener("stroke", () => { setOfTab(`strokes:${classifier.name}`, pad.strokes); ask(false); });
  pad.set(ofTab(`strokes:${classifier.name}`, []), { undoable: false });
  await pile.load();
  return { undo: () => document.activeElement === canvas && pad.undo() };
}

/** Return a button that opens a pad for one more example of a class. */
function adder(label, classifier) {
  const canvas = el("canvas", { className: "pad small-pad" });
  const pad = new Pad(canvas, `One more ${label}`);
  const place = el("div", { className: "pad-place", hidden: true });
  const open = button("Draw more", () => { place.hidden = false; open.hidden = true; canvas.focus(); });
  const close = () => { place.hidden = true; open.hidden = false; pad.set([]); pad.past = []; open.focus(); };
  const learn = button("Learn it", () => {
    if (pad.empty) return canvas.focus();
    const { strokes } = pad;
    pad.set([]); // at once, so that the next drawing can begin
    canvas.focus();
    return classifier.add([{ blob: picture(strokes), name: fresh(), label }], `learn one more ${label}`);
  }, "primary");
  fill(place, canvas, el("div", { className: "row" }, learn, button("Undo stroke", () => pad.undo()), button("Done", close)));
  open.setAttribute("aria-label", `Draw more of ${label}`);
  return [open, place];
}

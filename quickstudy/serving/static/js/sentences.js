// Sentences: classes with a few lines each; type and watch.

import { Answer } from "./answer.js";
import { Classes } from "./classes.js";
import { debounced, el, fill } from "./dom.js";
import { Pile } from "./pile.js";
import { LINES } from "./starters.js";
import { ofTab, setOfTab } from "./storage.js";

const PAUSE = 150; // milliseconds without a key

/** Return the examples that a new classifier of sentences begins with. */
export const starters = async () => Object.entries(LINES).flatMap(([label, lines]) =>
  lines.map((text, i) => ({ text, label, key: `start-${label}-${i}` })));

/** Build the page for sentences. */
export async function build(places, classifier) {
  new Classes(places.classes, classifier, (label) => adder(label, classifier));
  const input = el("textarea", { id: "ask-text", rows: 3, maxLength: 2000, placeholder: "Type a sentence" });
  const answerPlace = el("div", { className: "answer" });
  const pilePlace = el("section", { className: "pile-place" });
  const later = el("button", { type: "button", textContent: "Keep for later", onclick: () => { pile.add({ text: input.value.trim() }); input.value = ""; changed(); input.focus(); } });
  fill(places.ask,
    el("div", {}, el("label", { htmlFor: "ask-text", textContent: "Your sentence" }), input, el("div", { className: "row" }, later)),
    answerPlace, pilePlace);
  const answer = new Answer(answerPlace, classifier, "sentence");
  const pile = new Pile(pilePlace, classifier, (item) => { input.value = item.text; changed(); });
  const ask = debounced((text) => answer.ask(text ? {
    text, onlearned: () => { const item = pile.items.find((each) => each.text === text); if (item) pile.remove(item); } } : null), PAUSE);
  const changed = () => {
    const text = input.value.trim();
    setOfTab(`text:${classifier.name}`, input.value);
    later.disabled = !text;
    ask(text);
  };
  input.addEventListener("input", changed);
  input.value = ofTab(`text:${classifier.name}`, "");
  changed();
  await pile.load();
  return {};
}

/** Return a field that adds lines to a class; several pasted lines are several examples. */
function adder(label, classifier) {
  const input = el("textarea", { rows: 1, maxLength: 100000, placeholder: "Add a line", "aria-label": `Add a line to ${label}`,
    onkeydown: (event) => { if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); add(); } } });
  const add = () => {
    const known = new Set([...classifier.examples, ...classifier.waiting].filter((each) => each.label === label).map((each) => each.text ?? each.input));
    const lines = [...new Set(input.value.split("\n").map((line) => line.trim()))].filter((line) => line && !known.has(line));
    input.value = "";
    if (lines.length) classifier.add(lines.map((text) => ({ text, label })));
  };
  return [el("div", { className: "adder" }, input, el("button", { type: "button", textContent: "Add", "aria-label": `Add the line to ${label}`, onclick: add }))];
}

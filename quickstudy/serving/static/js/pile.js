// Inputs that were answered and have no label yet: shown again, answered anew, and ranked by what to label next.

import * as api from "./api.js";
import { el, fill, notify, percent } from "./dom.js";
import { store, stored } from "./storage.js";

const MOST = 60;

/** List of unlabelled inputs; `choose(question)` shows one above. */
export class Pile {
  constructor(root, classifier, choose) {
    Object.assign(this, { root, classifier, choose, items: [], best: null });
    classifier.addEventListener("change", () => this.#answerAll());
  }

  async load() {
    this.items = (await stored(`pile:${this.classifier.name}`)) ?? [];
    this.show();
    this.#answerAll();
  }

  /** Add questions, the newest first. */
  add(...questions) {
    for (const { text, blob, name } of questions) {
      if (text !== undefined && this.items.some((item) => item.text === text)) continue;
      this.items.unshift({ text, blob, name, key: crypto.getRandomValues(new Uint32Array(1))[0] });
    }
    this.items.splice(MOST);
    this.#changed();
    this.#answerAll(true);
  }

  /** Take a question out, for example because it was learned. */
  remove(item) {
    this.items = this.items.filter((each) => each !== item && each.key !== item.key);
    this.#changed();
  }

  #changed() {
    const plain = this.items.map(({ text, blob, name, key }) => ({ text, blob, name, key }));
    store(`pile:${this.classifier.name}`, plain.length ? plain : null);
    this.show();
  }

  async #answerAll(force = false) {
    const version = this.classifier.state?.version;
    if (!this.items.length || !version || (version === this.version && !force)) return;
    this.version = version;
    const { items } = this;
    const result = await this.classifier.predict(items);
    result?.answers.forEach((answer, i) => { items[i].answer = answer; });
    this.show();
  }

  show() {
    const { items } = this;
    const ask = items.length < 2 ? null : el("button", { type: "button", textContent: "Which one to label next?", onclick: () => this.next() });
    fill(this.root, items.length ? el("h3", { textContent: "Not labelled yet" }) : null,
      el("ul", { className: items[0]?.text === undefined ? "pile" : "pile lines" }, items.map((item) => this.#entry(item))), ask);
    this.root.hidden = !items.length;
  }

  #entry(item) {
    const { answer } = item;
    const word = answer ? `${answer.label}${answer.none ? "" : ` ${percent(answer.confidence)}`}` : "…";
    item.url ??= item.blob && URL.createObjectURL(item.blob);
    const what = item.blob ? el("img", { src: item.url, alt: "", className: `${this.classifier.kind} large` }) : el("span", { textContent: item.text });
    const best = item.key === this.best;
    return el("li", { className: best ? "best" : "" },
      el("button", { type: "button", className: "entry", "data-key": `pile-${item.key}`, "aria-label": `${item.text ?? item.name}: ${word}. Show it above.`,
        onclick: () => this.choose(item) }, what, el("span", { className: "tag", textContent: word }),
      best ? el("strong", { className: "small", textContent: "label this next" }) : null),
      el("button", { type: "button", className: "icon", "aria-label": `Leave out ${item.text ?? item.name}`, textContent: "×", onclick: () => this.remove(item) }));
  }

  /** Mark the input whose label would teach most. */
  async next() {
    if (!this.classifier.ready) return;
    try {
      const [number] = await api.next(this.classifier.name, this.items);
      this.best = this.items[number].key;
      this.choose(this.items[number]);
      this.show();
      notify("This one would teach most: press its class above.");
    } catch (error) {
      if (!(error instanceof api.Refusal || error instanceof api.Unreachable)) throw error;
      notify(error.message, { wrong: true });
    }
  }
}

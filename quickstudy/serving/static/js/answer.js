// The answer to one question: how sure, the set that holds it, why; a click on the right class corrects it.

import { GUARANTEE } from "./classifier.js";
import { announce, debounced, el, fill, notify, percent } from "./dom.js";
import { Why } from "./why.js";

const NONE = "none of these";
const MOST = 8; // bars
const PAUSE = 800; // milliseconds without a new answer until it is explained, which keeps the server busy

/** Return a line of the server as a sentence. */
const sentence = (line) => `${line[0].toUpperCase()}${line.slice(1)}.`;

/** Panel with the answer to the latest question. */
export class Answer {
  constructor(root, classifier, noun) {
    this.classifier = classifier;
    this.noun = noun; // "drawing", "picture" or "sentence"
    this.rows = new Map();
    this.headline = el("p", { className: "headline" });
    this.detail = el("p", { className: "soft" });
    this.bars = el("ul", { className: "bars", "aria-label": "How sure, by class. Press the right class to correct the answer." });
    this.hint = el("div", { className: "soft small" });
    this.other = el("input", { type: "text", maxLength: 100, placeholder: "Another class", "aria-label": "Another class, which is the right one" });
    this.otherForm = el("form", { className: "other", hidden: true, onsubmit: (event) => { event.preventDefault(); this.#correctOther(); } },
      this.other, el("button", { type: "submit", textContent: "Learn it" }));
    this.whyPlace = el("div", { className: "why" });
    fill(root, this.headline, this.bars, this.hint, this.otherForm, this.detail, this.whyPlace);
    this.why = new Why(this.whyPlace, classifier);
    this.say = debounced(() => announce(this.headline.textContent), 700);
    this.explain = debounced(() => { if (!this.question?.passing) this.why.show(this.question); }, PAUSE);
    classifier.addEventListener("change", () => { if (classifier.state?.version !== this.version) this.again(); });
    this.ask(null);
  }

  /** Answer a question; null clears the panel. While an answer is on its way, only the latest question waits. */
  ask(question) {
    this.question = question;
    this.wanted = true;
    if (!question) this.#clear();
    else if (!this.running) this.running = this.#run().finally(() => { this.running = null; });
    return this.running;
  }

  /** Answer the same question by what has been learned since. */
  again() { if (this.question) this.ask(this.question); }

  async #run() {
    while (this.wanted && this.question) {
      this.wanted = false;
      const { question } = this;
      const version = this.classifier.state?.version;
      const result = await this.classifier.predict([question]);
      if (this.question === null) break;
      if (result) {
        this.version = result.version;
        this.#show(result.answers[0], question, result.warnings);
      } else if (!this.classifier.ready) {
        fill(this.headline, "Two classes are needed");
        fill(this.detail, "Add an example to another class; then there is a choice.");
      } else if (version === this.classifier.state?.version) {
        break; // refused, which the page says elsewhere
      }
    }
  }

  #clear() {
    this.answer = null;
    fill(this.headline, `Your ${this.noun} will be answered here`);
    fill(this.detail);
    fill(this.bars);
    fill(this.hint);
    this.otherForm.hidden = true;
    this.rows.clear();
    this.why.clear();
  }

  #show(answer, question, warnings) {
    this.answer = answer;
    fill(this.headline, el("strong", { textContent: answer.label }),
      answer.none ? null : el("span", { className: "soft", textContent: ` ${percent(answer.confidence)} sure` }));
    this.headline.classList.toggle("none", Boolean(answer.none));
    fill(this.detail, this.#detail(answer), warnings.length ? el("span", { className: "warning", textContent: ` ${warnings.map(sentence).join(" ")}` }) : null);
    this.#bars(answer);
    fill(this.hint, "Wrong? Press the right class, and it learns this one; or name another.");
    this.otherForm.hidden = false;
    if (question.asked !== undefined) {
      performance.measure("stroke to bars", { start: question.asked, end: performance.now() });
      question.asked = undefined;
    }
    this.say();
    this.explain();
    question.onanswer?.(answer);
  }

  /** Return a line about the set that holds the answer, or about what it needs. */
  #detail(answer) {
    const { classifier } = this;
    if (answer.set) {
      const best = Object.entries(answer.probabilities).toSorted((a, b) => b[1] - a[1])[0][0];
      if (answer.none) return `It is unlike all examples; the nearest class is ${best}.`;
      return `In ${percent(GUARANTEE.coverage)} of cases, the right one is in this set: ${answer.set.join(", ")}.`;
    }
    if (classifier.refusedAt === classifier.state.version) return `No set: ${classifier.refusal}.`;
    const more = classifier.missing().map(([label, n]) => `${n} of ${label}`).join(", ");
    return `“None of these” needs at least 9 examples, two or more of each label. Still missing: ${more}.`;
  }

  #bars(answer) {
    const { labels } = this.classifier;
    const order = Object.entries(answer.probabilities).toSorted(([a], [b]) => labels.indexOf(a) - labels.indexOf(b));
    if (order.length > MOST) order.sort((a, b) => b[1] - a[1]).splice(MOST);
    for (const [label, row] of this.rows) if (!order.some(([other]) => other === label)) { row.item.remove(); this.rows.delete(label); }
    const best = Math.max(...order.map(([, p]) => p));
    order.forEach(([label, p], i) => {
      if (!this.rows.has(label)) this.rows.set(label, this.#row(label));
      const row = this.rows.get(label);
      if (this.bars.children[i] !== row.item) this.bars.insertBefore(row.item, this.bars.children[i] ?? null);
      row.level.style.transform = `scaleX(${p.toFixed(4)})`;
      row.number.textContent = percent(p);
      row.item.classList.toggle("best", p === best && !answer.none);
      row.button.setAttribute("aria-label", `${label}, ${percent(p)}. Learn that this is ${label}.`);
    });
  }

  #row(label) {
    const level = el("span", { className: "level" });
    const number = el("span", { className: "number" });
    const button = el("button", { type: "button", className: "bar", title: `Learn that this is ${label}`, onclick: () => this.correct(label) },
      el("span", { className: "name", textContent: label }), el("span", { className: "track" }, level), number);
    return { item: el("li", {}, button), button, level, number };
  }

  #correctOther() {
    const label = this.other.value.trim();
    this.other.value = "";
    if (label) this.correct(label);
    else this.other.focus();
  }

  /** Learn the question with its right class. */
  async correct(label) {
    const { question } = this;
    if (!question) return;
    const { text, blob, name } = question;
    const before = this.answer?.label;
    await this.classifier.add([text === undefined ? { blob, name, label } : { text, label }], `learn one more ${label}`);
    question.onlearned?.(label);
    notify(before === label ? `Learned one more example of ${label}.` : `Learned: this is ${label}${before === NONE ? "" : `, not ${before}`}.`,
      { action: { text: "Undo", run: () => this.classifier.undo() } });
  }
}

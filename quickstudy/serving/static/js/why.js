// Why an answer: the examples that it rests on, and the heat map or the coloured words.

import * as api from "./api.js";
import { el, fill } from "./dom.js";

const EXAMPLES = 4;
const SLIGHT = 0.01; // change of the answer's probability by an example that is not shown

/** Explanation of the latest answer. One is asked for at a time: the server would finish the others, though nobody waits. */
export class Why {
  constructor(root, classifier) {
    Object.assign(this, { root, classifier, wanted: null });
  }

  clear() {
    this.wanted = null;
    fill(this.root);
  }

  /** Explain the answer to a question, unless another one comes in between. */
  async show(question) {
    this.wanted = question;
    if (this.running || !this.classifier.ready) return;
    this.running = true;
    try {
      for (let next = question; next; next = this.wanted === next ? null : this.wanted) await this.#explain(next);
    } finally {
      this.running = false;
    }
  }

  async #explain(question) {
    try {
      const why = await this.classifier.explain(question);
      if (this.wanted === question) this.#render(why, question);
    } catch (error) {
      if (error instanceof api.Refusal) fill(this.root, el("p", { className: "soft small", textContent: error.message }));
      else if (!(error instanceof api.Unreachable)) throw error;
    }
  }

  #render(why, question) {
    const supporting = why.supporting.filter((i) => why.influence[i] >= SLIGHT).slice(0, EXAMPLES);
    const against = why.misleading.filter((i) => why.influence[i] <= -SLIGHT).slice(0, 2);
    const list = (title, which) => [el("h3", { textContent: title }),
      el("ul", { className: question.text === undefined ? "thumbs" : "lines" }, which.map((i) => this.#example(why, i, question)))];
    fill(this.root,
      ...this.#parts(why, question),
      ...(supporting.length ? list("The examples that it rests on", supporting) : list("The nearest examples; it rests on no single one", why.nearest.slice(0, EXAMPLES))),
      ...(against.length ? list("Examples that speak against it", against) : []));
  }

  #example(why, i, question) {
    const label = why.label_of[i];
    if (question.text !== undefined) {
      return el("li", {}, el("span", { textContent: why.examples[i] }), el("span", { className: "tag", textContent: label }));
    }
    const image = el("img", { alt: `Example of ${label}`, width: 56, height: 56, className: this.classifier.kind });
    this.classifier.picture(why.ids[i]).then((url) => { image.src = url; }, () => {});
    return el("li", {}, image, el("span", { className: "small", textContent: label }));
  }

  /** Return what of the question supports the answer: words with colours and numbers, or the heat map. */
  #parts(why, question) {
    if (question.text === undefined) {
      if (!why.heat) return [];
      const alt = `The ${this.classifier.kind === "drawings" ? "drawing" : "picture"}: green parts support ${why.label}, red ones oppose it.`;
      return [el("h3", { textContent: "The parts that matter" }),
        el("figure", { className: "heat" },
          el("img", { src: `data:image/png;base64,${why.heat}`, alt, width: 140, height: 140 }),
          el("figcaption", { className: "small soft" },
            el("span", { className: "key for", textContent: "supports" }), " ", el("span", { className: "key against", textContent: "opposes" }), ` ${why.label}`))];
    }
    if (!why.parts.length) return [];
    const most = Math.max(...why.parts.map(([, share]) => Math.abs(share))) || 1;
    return [el("h3", { textContent: "The words that matter" }),
      el("p", { className: "words" }, why.parts.flatMap(([word, share]) => {
        const mark = el("span", { className: share < 0 ? "against" : "for", title: `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)} %` },
          word, el("span", { className: "hidden", textContent: ` (${(100 * share).toFixed(0)} percent) ` }));
        mark.style.setProperty("--strength", `${Math.round((55 * Math.abs(share)) / most)}%`);
        return [mark, " "];
      })),
      el("p", { className: "small soft" }, el("span", { className: "key for", textContent: "supports" }), " ",
        el("span", { className: "key against", textContent: "opposes" }), ` ${why.label}`)];
  }
}

// What it costs to know more: which examples look wrong, which classes are confused, and what would help.

import * as api from "./api.js";
import { counted, debounced, el, fill, percent } from "./dom.js";

const PAUSE = 900; // milliseconds after a change
const MOST = 5; // lines of one kind

/** Panel of faults of the examples, each with a way to mend it. */
export class Advice {
  constructor(root, classifier) {
    Object.assign(this, { root, classifier });
    const look = debounced(() => this.look(), PAUSE);
    classifier.addEventListener("change", () => { if (classifier.state?.version !== this.version) look(); });
    this.#show([]);
  }

  /** Check the examples. */
  async look() {
    const { classifier } = this;
    if (!classifier.ready) return;
    const { version } = classifier.state;
    try {
      const report = await classifier.check();
      this.version = version;
      this.#show(this.#lines(report));
    } catch (error) {
      if (!(error instanceof api.Refusal || error instanceof api.Unreachable)) throw error;
    }
  }

  #show(lines) {
    const missing = this.classifier.missing().map(([label, n]) => `${n} of ${label}`);
    const all = [...lines];
    if (this.classifier.ready && missing.length) all.unshift(this.#line(`To tell “none of these”, and the set that holds the answer: add ${missing.join(", ")}.`));
    if (this.classifier.ready && !all.length) all.push(this.#line("Nothing looks wrong. More examples of any class make it surer."));
    if (!all.length) all.push(this.#line("When it has learned, this says which examples look wrong, and what to add."));
    fill(this.root, el("ul", { className: "advice" }, all));
  }

  #line(text, ...actions) { return el("li", {}, el("span", { textContent: text }), ...actions); }

  #button(text, run, about) {
    return el("button", { type: "button", textContent: text, "aria-label": about ? `${text}: ${about}` : undefined, onclick: run });
  }

  #example(id) {
    const { classifier } = this;
    const example = classifier.examples.find((each) => each.id === id);
    if (!example) return null;
    if (classifier.kind === "sentences") return el("q", { textContent: example.caption });
    const image = el("img", { alt: example.caption, width: 44, height: 44, className: classifier.kind });
    classifier.picture(id).then((url) => { image.src = url; }, () => {});
    return image;
  }

  #lines(report) {
    const { classifier } = this;
    const lines = [];
    if (report.doubt) lines.push(this.#line(`${report.doubt}.`));
    for (const each of report.suspects.filter((suspect) => suspect.id).slice(0, MOST)) {
      lines.push(el("li", {}, this.#example(each.id),
        el("span", { textContent: `is in ${each.label}, but looks like ${each.better} (${percent(each.probability)}).` }),
        this.#button(`Move to ${each.better}`, () => classifier.move(each.id, each.better), each.input)));
    }
    for (const each of report.duplicates.slice(0, MOST)) {
      lines.push(el("li", {}, this.#example(each.first_id), this.#example(each.second_id),
        el("span", { textContent: each.exact ? "are copies; one is enough." : "are nearly the same." }),
        this.#button("Remove one", () => classifier.forget(each.second_id), each.second)));
    }
    for (const each of report.confusable.slice(0, MOST)) {
      lines.push(this.#line(`${each.first} and ${each.second} are easily confused (${percent(each.probability)}). Examples that show how they differ help most.`));
    }
    for (const labels of report.spellings.slice(0, MOST)) lines.push(this.#line(`${labels.join(" and ")} are different classes; spell them alike if they are one.`));
    for (const label of report.unbalanced.slice(0, MOST)) lines.push(this.#line(`${label} has few examples beside the others; add some.`));
    if (report.blank.length) lines.push(this.#line(`${counted(report.blank.length, "example")} of nothing: ${report.blank.slice(0, MOST).join(", ")}.`));
    return lines;
  }
}

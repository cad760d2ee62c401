// The boxes of the classes: name, examples, and what a kind of input adds to them.

import { counted, el, fill, notify } from "./dom.js";

const MOST = 24; // examples that a box shows until all are asked for

/** Boxes of all classes. `adder(label)` returns the elements by which a kind adds examples to a class. */
export class Classes {
  constructor(root, classifier, adder) {
    Object.assign(this, { root, classifier, adder, boxes: new Map(), open: new Set() });
    this.list = el("ul", { className: "classes", "aria-label": "Classes" });
    this.input = el("input", { type: "text", maxLength: 100, "aria-label": "Name of a new class", placeholder: "New class" });
    const form = el("form", { className: "new-class", onsubmit: (event) => { event.preventDefault(); this.addClass(); } },
      this.input, el("button", { type: "submit", textContent: "Add a class" }));
    fill(root, this.list, form);
    classifier.addEventListener("change", () => this.show());
    this.show();
  }

  addClass() {
    const label = this.input.value.trim();
    if (!label) return this.input.focus();
    if (!this.classifier.addClass(label)) notify(`There is a class ${label} already.`, { wrong: true });
    this.input.value = "";
    return undefined;
  }

  show() {
    const { labels } = this.classifier;
    for (const [label, box] of this.boxes) if (!labels.includes(label)) { box.item.remove(); this.boxes.delete(label); }
    labels.forEach((label, i) => {
      if (!this.boxes.has(label)) this.boxes.set(label, this.#box(label));
      const { item } = this.boxes.get(label);
      if (this.list.children[i] !== item) this.list.insertBefore(item, this.list.children[i] ?? null);
      this.#examples(label);
    });
  }

  #box(label) {
    const { classifier } = this;
    const name = el("input", { type: "text", className: "title", value: label, maxLength: 100, spellcheck: false, "aria-label": `Name of class ${label}`,
      onchange: () => this.#rename(label, name), onkeydown: (event) => { if (event.key === "Enter") name.blur(); } });
    const number = el("span", { className: "small soft" });
    const remove = el("button", { type: "button", className: "icon", "aria-label": `Remove class ${label}`, title: "Remove this class", textContent: "×",
      onclick: () => this.#remove(label) });
    const examples = el("ul", { className: classifier.kind === "sentences" ? "lines" : "thumbs" });
    const item = el("li", { className: "class" }, el("div", { className: "class-head" }, name, number, remove), examples, ...this.adder(label));
    item.dataset.label = label;
    return { item, number, examples };
  }

  #rename(label, input) {
    const to = input.value.trim();
    if (to === label) return;
    if (!to || this.classifier.labels.includes(to)) {
      if (to) notify(`There is a class ${to} already.`, { wrong: true });
      input.value = label;
      return;
    }
    this.classifier.rename(label, to);
  }

  #remove(label) {
    const { classifier } = this;
    const rest = Object.keys(classifier.state?.labels ?? {}).filter((each) => each !== label);
    if (classifier.state?.labels[label] && rest.length < 2) {
      notify("One class would be left, which is not a choice; add another class first.", { wrong: true });
      return;
    }
    classifier.forgetClass(label);
    notify(`Removed ${label}.`, { action: { text: "Undo", run: () => classifier.undo() } });
  }

  #examples(label) {
    const { classifier } = this;
    const { number, examples } = this.boxes.get(label);
    const n = classifier.count(label);
    number.textContent = n ? counted(n, "example") : "no example yet";
    const saved = classifier.examples.filter((each) => each.label === label);
    const waiting = classifier.waiting.filter((each) => each.label === label);
    const all = [...saved.map((each) => this.#saved(each)), ...waiting.map((each) => this.#waiting(each))];
    const hidden = this.open.has(label) ? 0 : Math.max(0, all.length - MOST);
    fill(examples, all.slice(hidden), hidden ? el("li", {}, el("button", { type: "button", className: "quiet", textContent: `Show ${hidden} more`,
      onclick: () => { this.open.add(label); this.show(); } })) : null);
  }

  #saved({ id, label, caption }) {
    const { classifier } = this;
    const remove = () => {
      const alone = classifier.state.labels[label] === 1 && Object.keys(classifier.state.labels).length < 3;
      if (alone) notify("One class would be left, which is not a choice; add another class first.", { wrong: true });
      else classifier.forget(id);
    };
    if (classifier.kind === "sentences") return this.#line(id, caption, remove);
    const image = el("img", { alt: "", width: 56, height: 56, className: classifier.kind });
    classifier.picture(id).then((url) => { image.src = url; }, () => {});
    return this.#thumb(id, image, caption, remove);
  }

  #waiting(item) {
    const { classifier } = this;
    const remove = () => classifier.withdraw(item.key);
    if (item.text !== undefined) return this.#line(item.key, item.text, remove, true);
    item.url ??= URL.createObjectURL(item.blob);
    const image = el("img", { alt: "", width: 56, height: 56, src: item.url, className: classifier.kind });
    return this.#thumb(item.key, image, item.name, remove, !classifier.asleep);
  }

  #thumb(key, image, caption, remove, waiting = false) {
    const button = el("button", { type: "button", className: "thumb", "aria-label": `Example ${caption}. Remove it.`, title: `${caption}: remove`, onclick: remove, "data-key": key }, image);
    return el("li", { className: waiting ? "waiting" : "" }, button);
  }

  #line(key, text, remove, waiting = false) {
    return el("li", { className: waiting ? "waiting" : "" }, el("span", { textContent: text }),
      el("button", { type: "button", className: "icon", "aria-label": `Remove “${text}”`, title: "Remove", textContent: "×", onclick: remove, "data-key": key }));
  }
}

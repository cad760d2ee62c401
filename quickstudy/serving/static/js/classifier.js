// One classifier: what the server has, what it is still to get, and the changes that can be taken back.

import * as api from "./api.js";
import { counted } from "./dom.js";
import { ofTab, setOfTab, store, stored } from "./storage.js";

const AT_ONCE = 50; // examples of a request
const BYTES = 16e6; // of a request
const AGAIN = 2000; // milliseconds until an unreachable server is tried again

/** Share of inputs whose set includes the right class, and of known inputs that are called "none of these". */
export const GUARANTEE = { coverage: 0.9, false_alarms: 0.1 };
/** Examples that the guarantee needs in total, two or more of each class. */
export const ENOUGH = 9;

let serial = 0;

/** Classifier that fires "change" after every change, "problem" with a message, and "reach" when the server is lost or back. */
export class Classifier extends EventTarget {
  constructor(name, kind) {
    super();
    Object.assign(this, { name, kind, state: null, examples: [], waiting: [], empties: [], order: [], reachable: true });
    this.work = Promise.resolve(); // changes go one after another
    this.pictures = new Map(); // example's id: promise of an object URL
    this.asleep = false; // examples that the page begins with are sent at the first need
  }

  /** Load what the server and the browser have; `starters` are the examples of a new classifier. */
  async load(starters = []) {
    this.history = ofTab(`history:${this.name}`, []);
    this.empties = ofTab(`empties:${this.name}`, []);
    this.order = ofTab(`order:${this.name}`, []);
    this.waiting = (await stored(`waiting:${this.name}`)) ?? [];
    await this.#reach(async () => {
      const there = (await api.list()).find((each) => each.name === this.name);
      if (there?.error) throw new api.Refusal(422, there.error);
      if (there) await this.#take(await api.about(this.name));
    });
    if (!this.state && !this.waiting.length) {
      this.waiting = starters;
      this.asleep = starters.length > 0;
    }
    this.#changed();
    if (!this.asleep) this.flush();
  }

  /** Names of all classes, in the order in which they came to this tab. */
  get labels() {
    const labels = new Set([...Object.keys(this.state?.labels ?? {}), ...this.waiting.map((item) => item.label), ...this.empties]);
    return [...this.order.filter((label) => labels.delete(label)), ...labels];
  }

  /** Number of examples of a class, with those that wait. */
  count(label) {
    return (this.state?.labels[label] ?? 0) + this.waiting.filter((item) => item.label === label).length;
  }

  get ready() { return this.state !== null; }

  /** Learn examples: items with a label, and a text or a blob with a name. */
  add(items, what = `add ${counted(items.length, "example")}`) {
    const group = ++serial;
    const names = new Set([...this.examples, ...this.waiting].map((each) => each.input ?? each.name));
    for (const item of items) {
      if (item.blob === undefined) continue;
      const [, stem, end] = /^(.*?)(\.[^.]*)?$/.exec(item.name);
      for (let i = 2; names.has(item.name); i += 1) item.name = `${stem} (${i})${end ?? ""}`;
      names.add(item.name); // so that what was learned is known by its name
    }
    this.waiting.push(...items.map((item) => ({ ...item, key: `${Date.now()}-${++serial}`, group, what })));
    this.empties = this.empties.filter((label) => !items.some((item) => item.label === label));
    this.#changed();
    return this.wake();
  }

  /** Send what waits, starters included. */
  wake() {
    this.asleep = false;
    return this.flush();
  }

  /** Send examples that wait, as soon as they are of two classes. */
  flush() {
    return this.#queue(async () => {
      for (let batch = this.#batch(); batch.length; batch = this.#batch()) {
        try {
          await this.#learn(batch);
        } catch (error) {
          if (!(error instanceof api.Refusal)) throw error;
          await this.#learnEach(batch, error);
        }
      }
    });
  }

  /** Add a class that has no examples yet. */
  addClass(label) {
    if (this.labels.includes(label)) return false;
    this.empties.push(label);
    this.#changed();
    return true;
  }

  /** Give a class another name. */
  rename(label, to) {
    this.empties = this.empties.map((each) => (each === label ? to : each));
    this.order = this.order.map((each) => (each === label ? to : each));
    for (const item of this.waiting) if (item.label === label) item.label = to;
    if (!this.state?.labels[label]) return this.#changed();
    return this.#queue(() => this.#change(`rename ${label} to ${to}`, [() => api.renameLabel(this.name, label, to)]));
  }

  /** Give an example another class. */
  move(id, label) {
    return this.#queue(() => this.#change(`move an example to ${label}`, [() => api.relabel(this.name, id, label)]));
  }

  /** Forget an example of the server. */
  forget(id) {
    return this.#queue(() => this.#change("forget an example", [() => api.forgetExample(this.name, id)]));
  }

  /** Forget an example that waits. */
  withdraw(key) {
    this.waiting = this.waiting.filter((item) => item.key !== key);
    this.#changed();
  }

  /** Forget a class. */
  forgetClass(label) {
    this.empties = this.empties.filter((each) => each !== label);
    this.waiting = this.waiting.filter((item) => item.label !== label);
    if (!this.state?.labels[label]) return this.#changed();
    return this.#queue(() => this.#change(`remove ${label}`, [() => api.forgetLabel(this.name, label)]));
  }

  /** Say what the next undo takes back; null if there is nothing. */
  get undoable() {
    const last = this.waiting.at(-1);
    if (last && last.group) return last.what;
    return this.history.at(-1)?.what ?? (this.state?.can_undo ? "the last change" : null);
  }

  /** Take the last change back. */
  undo() {
    const last = this.waiting.at(-1);
    if (last && last.group) {
      this.waiting = this.waiting.filter((item) => item.group !== last.group);
      return this.#changed();
    }
    return this.#queue(async () => {
      const { steps } = this.history.at(-1) ?? { steps: 1 };
      for (let i = 0; i < steps; i += 1) this.state = await api.undo(this.name);
      this.history.pop();
      await this.#take(this.state);
    });
  }

  /** Answer items; null if there are no two classes to choose from. The guarantee is left out where it is refused. */
  async predict(items) {
    if (!this.ready) await this.wake();
    if (!this.ready) return null;
    const enough = this.missing().length === 0 && this.refusedAt !== this.state.version;
    return this.#reach(async () => {
      try {
        return await api.predict(this.name, items, enough ? GUARANTEE : {});
      } catch (error) {
        if (!enough || !(error instanceof api.Refusal)) throw error;
        const plain = await api.predict(this.name, items, {});
        this.refusedAt = this.state.version; // the input is good, so the guarantee is what was refused
        this.refusal = error.message;
        return plain;
      }
    });
  }

  /** Return what the guarantee still needs, as pairs of a class and a number of examples. */
  missing() {
    const counts = Object.entries(this.state?.labels ?? {});
    const needs = new Map(counts.map(([label, n]) => [label, Math.max(0, 2 - n)]));
    const sum = () => counts.reduce((total, [label, n]) => total + n + needs.get(label), 0);
    while (counts.length && sum() < ENOUGH) {
      const [fewest] = counts.toSorted(([a, n], [b, m]) => n + needs.get(a) - m - needs.get(b))[0];
      needs.set(fewest, needs.get(fewest) + 1);
    }
    return [...needs].filter(([, n]) => n > 0);
  }

  explain(item) { return api.explain(this.name, item); }

  /** Return the address of an example's picture. */
  picture(id) {
    if (!this.pictures.has(id)) {
      this.pictures.set(id, api.picture(this.name, id).then((blob) => URL.createObjectURL(blob)));
      this.pictures.get(id).catch(() => this.pictures.delete(id));
    }
    return this.pictures.get(id);
  }

  /** Return the faults of the examples. */
  async check() { return (await api.about(this.name, true)).check; }

  /** Delete it on the server; the way back is `api.undo`. */
  drop() { return this.state ? api.drop(this.name) : Promise.resolve(); }

  /** Return the examples of the next request: first one of each class, so that a new classifier has two. */
  #batch() {
    if (!this.state && new Set(this.waiting.map((item) => item.label)).size < 2) return [];
    const first = this.waiting.filter((item, i) => this.waiting.findIndex((each) => each.label === item.label) === i);
    const order = this.state ? this.waiting : [...first, ...this.waiting.filter((item) => !first.includes(item))];
    let bytes = 0;
    return order.slice(0, AT_ONCE).filter((item, i) => {
      bytes += item.blob?.size ?? 0;
      return i < 2 || bytes < BYTES;
    });
  }

  async #learn(batch) {
    const state = await api.learn(this.name, this.kind, batch, !this.state);
    const isNew = !this.state;
    const done = new Set(batch.map((item) => item.key));
    this.waiting = this.waiting.filter((item) => !done.has(item.key));
    const last = this.history.at(-1);
    if (!isNew && last && last.group === batch[0].group) last.steps += 1;
    else if (!isNew) this.history.push({ what: batch[0].what, group: batch[0].group, steps: 1 });
    for (const line of state.warnings) this.#tell(line);
    await this.#take(state);
  }

  /** Learn one by one what was refused together, and leave out what cannot be learned. */
  async #learnEach(batch, error) {
    const lines = new Set();
    if (this.state && batch.length > 1) {
      for (const item of batch) {
        try {
          await this.#learn([item]);
        } catch (refusal) {
          if (!(refusal instanceof api.Refusal)) throw refusal;
          this.withdraw(item.key);
          lines.add(refusal.message);
        }
      }
    } else {
      const bad = batch.filter((item) => item.name && error.message.includes(item.name));
      for (const item of bad.length ? bad : batch) this.withdraw(item.key);
      lines.add(error.message);
    }
    for (const line of lines) this.#tell(line);
  }

  async #change(what, requests) {
    let steps = 0;
    try {
      for (const request of requests) {
        this.state = await request();
        steps += 1;
      }
    } finally {
      if (steps) this.history.push({ what, steps });
      if (steps) await this.#take(this.state);
    }
  }

  /** Take over the server's state, and its examples. */
  async #take(state) {
    this.examples = await api.examples(this.name);
    this.state = state;
    this.history = this.history.slice(-20);
    this.#changed();
  }

  #queue(run) {
    this.work = this.work.then(() => this.#reach(run));
    return this.work;
  }

  /** Run something that asks the server; where it cannot be reached, try again later. */
  async #reach(run) {
    try {
      const result = await run();
      if (!this.reachable) {
        this.reachable = true;
        this.dispatchEvent(new Event("reach"));
      }
      return result;
    } catch (error) {
      if (error instanceof api.Unreachable) this.#lost();
      else if (error instanceof api.Refusal) this.#tell(error.message);
      else throw error;
      return null;
    }
  }

  #lost() {
    if (this.reachable) {
      this.reachable = false;
      this.dispatchEvent(new Event("reach"));
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#queue(() => this.#recover()), AGAIN);
  }

  /** Compare with the server, which may have learned what it could not confirm, and send the rest. */
  async #recover() {
    const there = (await api.list()).some((each) => each.name === this.name);
    if (there) {
      const state = await api.about(this.name);
      const has = new Set((await api.examples(this.name)).map((each) => `${each.label}\n${each.input}`));
      this.waiting = this.waiting.filter((item) => !has.has(`${item.label}\n${item.name ?? item.text}`));
      await this.#take(state);
    }
    if (!this.asleep) setTimeout(() => this.flush());
  }

  #tell(message) { this.dispatchEvent(new CustomEvent("problem", { detail: message })); }

  #changed() {
    setOfTab(`history:${this.name}`, this.history ?? []);
    setOfTab(`empties:${this.name}`, this.empties);
    setOfTab(`order:${this.name}`, (this.order = this.labels));
    store(`waiting:${this.name}`, this.waiting.length && !this.asleep ? this.waiting : null);
    this.dispatchEvent(new Event("change"));
  }
}

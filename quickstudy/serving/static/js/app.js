// The page: one mode at a time, with the classifier of this tab.

import { Advice } from "./advice.js";
import { Classifier } from "./classifier.js";
import * as draw from "./draw.js";
import { byId, notify, settle } from "./dom.js";
import * as photos from "./photos.js";
import * as sentences from "./sentences.js";
import { addressed, KINDS, nameOf, own, randomName, setName, show, takeToken } from "./session.js";
import * as shelf from "./shelf.js";
import { ofTab, setOfTab } from "./storage.js";

const MODES = { draw, photos, sentences };
const MADE_HERE = /^c-[0-9a-f]{12}$/;
let current = null; // {mode, classifier, view}
let turn = 0;

/** Go to a mode, and to a classifier in it; without a name, to this tab's own. */
async function go(mode, wanted) {
  turn += 1;
  const mine = turn;
  const name = await own(wanted ?? nameOf(mode)).catch(() => wanted ?? nameOf(mode));
  if (mine !== turn) return;
  current?.view?.close?.();
  delete document.body.dataset.ready;
  setName(mode, name);
  setOfTab("mode", mode);
  show(mode, name);
  for (const link of document.querySelectorAll("[data-mode]")) {
    if (link.dataset.mode === mode) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.body.dataset.mode = mode;
  const classifier = new Classifier(name, KINDS[mode]);
  current = { mode, classifier };
  classifier.addEventListener("change", () => { if (current.classifier === classifier) buttons(classifier); });
  classifier.addEventListener("problem", (event) => notify(event.detail, { wrong: true }));
  classifier.addEventListener("reach", () => {
    if (classifier.reachable) { settle(); notify("The server answers again; nothing was lost."); }
    else notify("The server does not answer. Nothing is lost; the page tries again.", { wrong: true });
  });
  await classifier.load(await MODES[mode].starters());
  if (mine !== turn) return;
  const view = await MODES[mode].build({ classes: byId("classes"), ask: byId("ask") }, classifier);
  new Advice(byId("advice"), classifier);
  classifier.dispatchEvent(new Event("change"));
  current.view = view;
  document.body.dataset.ready = name;
}

function buttons(classifier) {
  const undo = byId("undo");
  undo.disabled = !classifier.undoable;
  undo.title = classifier.undoable ? `Undo: ${classifier.undoable}` : "Nothing to undo";
}

async function undo() {
  if (current.view?.undo?.()) return;
  const what = current.classifier.undoable;
  if (!what) return;
  await current.classifier.undo();
  notify(`Taken back: ${what}.`);
}

/** Begin a new classifier; the old one stays on the server. */
function restart() {
  const { mode, classifier } = current;
  go(mode, randomName());
  notify("A new classifier. The one before is kept.", { action: { text: "Go back", run: () => go(mode, classifier.name) } });
}

/** Return the mode and name to begin with: in the address, of this tab, or the only classifier that has a name of its own. */
async function first() {
  const there = addressed();
  if (there.mode) return there;
  const mode = ofTab("mode", null);
  if (mode) return { mode, name: null };
  const { list } = await import("./api.js");
  const all = await list().catch(() => []);
  const modes = Object.fromEntries(Object.entries(KINDS).map(([key, kind]) => [kind, key]));
  if (all.length === 1 && !MADE_HERE.test(all[0].name) && modes[all[0].kind]) return { mode: modes[all[0].kind], name: all[0].name };
  return { mode: "draw", name: null };
}

takeToken();
for (const link of document.querySelectorAll("[data-mode]")) {
  link.addEventListener("click", (event) => { event.preventDefault(); go(link.dataset.mode); });
}
byId("undo").addEventListener("click", undo);
byId("save").addEventListener("click", () => shelf.save(current.classifier, "zip"));
byId("onnx").addEventListener("click", () => shelf.save(current.classifier, "onnx"));
byId("open").addEventListener("click", () => shelf.open(current.classifier, go));
byId("new").addEventListener("click", restart);
byId("shelf-close").addEventListener("click", () => byId("shelf").close());
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea");
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && !typing) { event.preventDefault(); undo(); }
});
window.addEventListener("hashchange", () => {
  takeToken();
  const { mode, name } = addressed();
  if (mode && (mode !== current?.mode || (name && name !== current?.classifier.name))) go(mode, name);
});
first().then(({ mode, name }) => go(mode, name));

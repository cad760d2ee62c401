// Save, open and export, and the list of classifiers on the server.

import * as api from "./api.js";
import { byId, counted, el, fill, notify } from "./dom.js";
import { KINDS, randomName } from "./session.js";

const MODES = Object.fromEntries(Object.entries(KINDS).map(([mode, kind]) => [kind, mode]));

/** Let the browser save a file. */
function download(blob, name) {
  const url = URL.createObjectURL(blob);
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Save a classifier as a file of a kind: "zip" or "onnx". */
export async function save(classifier, kind) {
  if (!classifier.ready) await classifier.wake();
  if (!classifier.ready) return notify("Nothing is learned yet; add examples of two classes.", { wrong: true });
  if (kind === "onnx") notify("Exporting, which takes some seconds …");
  return tried(async () => download(await api.file(classifier.name, kind), `${classifier.name}.${kind}`));
}

/** Open the dialog of classifiers; `show(mode, name)` goes to one. */
export async function open(classifier, show) {
  const dialog = byId("shelf");
  const input = el("input", { type: "file", accept: ".zip,application/zip", hidden: true, id: "zip-file", onchange: () => {
    const [file] = input.files;
    input.value = "";
    if (file) tried(async () => { await unpack(file, show); dialog.close(); });
  } });
  const items = await tried(api.list) ?? [];
  fill(byId("shelf-body"),
    el("button", { type: "button", className: "primary", textContent: "Choose a .zip file", onclick: () => input.click() }), input,
    el("h3", { textContent: "On this server" }),
    items.length ? el("ul", { className: "shelf-list" }, items.map((item) => entry(item, dialog, classifier, show))) : el("p", { className: "soft", textContent: "None yet." }));
  if (!dialog.open) dialog.showModal();
}

/** Open a saved classifier under a new name. */
async function unpack(file, show) {
  const name = randomName();
  const state = await api.open(name, file);
  const mode = MODES[state.kind];
  if (mode) return show(mode, name);
  return notify(`The page shows drawings, photographs and sentences. This classifier of ${state.noun}s is on the server as ${name}, for other programs.`);
}

function entry({ name, kind, labels, error }, dialog, classifier, show) {
  const here = name === classifier.name;
  const mode = MODES[kind];
  const about = error ?? `${kind}: ${labels.slice(0, 6).join(", ")}${labels.length > 6 ? ` and ${counted(labels.length - 6, "other")}` : ""}`;
  const remove = () => tried(async () => {
    await api.drop(name);
    notify(`Deleted ${name}.`, { action: { text: "Undo", run: () => tried(() => api.undo(name)) } });
    await open(classifier, show);
  });
  return el("li", {}, el("div", {}, el("strong", { textContent: name }), el("span", { className: "small soft", textContent: here ? `${about} (shown now)` : about })),
    mode && !here ? el("button", { type: "button", textContent: "Open", "aria-label": `Open ${name}`, onclick: () => { dialog.close(); show(mode, name); } }) : null,
    here ? null : el("button", { type: "button", className: "quiet", textContent: "Delete", "aria-label": `Delete ${name}`, onclick: remove }));
}

/** Run something that asks the server, and say what went wrong. */
async function tried(run) {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof api.Refusal || error instanceof api.Unreachable)) throw error;
    notify(error.message, { wrong: true });
    return null;
  }
}

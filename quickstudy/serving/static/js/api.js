// Requests to the server that sent this page. No other address is ever used.

const ROOT = "v1/classifiers";

/** The server does not answer; what was sent is not lost, because the caller keeps it. */
export class Unreachable extends Error {}

/** The server refused a request; the message is its own line. */
export class Refusal extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

/** Send a request, and return the response. */
export async function send(path, { method = "GET", body, signal } = {}) {
  const headers = {};
  const token = sessionStorage.getItem("token");
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined && !(body instanceof FormData) && !(body instanceof Blob)) {
    headers["content-type"] = "application/json";
    body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, { method, headers, body, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable("the server does not answer");
  }
  if (response.ok) return response;
  const text = await response.text();
  let message = text || `the server answers ${response.status}`;
  try { message = JSON.parse(text).error ?? message; } catch { /* it is no JSON: the text is the message */ }
  throw new Refusal(response.status, message);
}

/** Return the address of a classifier, or of something below it. */
export const at = (name, ...rest) => [`${ROOT}/${name}`, ...rest.map(encodeURIComponent)].join("/");

const json = async (path, options) => (await send(path, options)).json();

export const list = async () => (await json(ROOT)).classifiers;
export const about = (name, check = false) => json(`${at(name)}?check=${check}`);
export const examples = async (name) => (await json(at(name, "examples"))).examples;
export const picture = async (name, id) => (await send(at(name, "examples", id, "picture"))).blob();
export const file = async (name, kind) => (await send(`${at(name)}.${kind}`)).blob();
export const open = (name, blob) => json(`${at(name)}.zip`, { method: "PUT", body: blob });
export const drop = (name) => json(at(name), { method: "DELETE" });
export const undo = (name) => json(at(name, "undo"), { method: "POST" });
export const forgetExample = (name, id) => json(at(name, "examples", id), { method: "DELETE" });
export const forgetLabel = (name, label) => json(at(name, "labels", label), { method: "DELETE" });
export const renameLabel = (name, label, to) =>
  json(at(name, "labels", label), { method: "PATCH", body: { label: to } });
export const relabel = (name, id, label) =>
  json(at(name, "examples", id), { method: "PATCH", body: { label } });

/** Make a classifier of labelled items, or add them to one. */
export function learn(name, kind, items, isNew) {
  const fields = isNew ? { name, kind } : {};
  return json(isNew ? ROOT : at(name, "examples"), { method: "POST", body: bodyOf(items, "examples", fields) });
}

/** Answer items. */
export const predict = (name, items, options) =>
  json(at(name, "predict"), { method: "POST", body: bodyOf(items, "inputs", options) });

/** Explain the answer to one item. */
export const explain = (name, item) => json(at(name, "explain"), { method: "POST", body: bodyOf([item], "input", {}) });

/** Return which of some items to label next, by their numbers. */
export const next = async (name, items) =>
  (await json(at(name, "next"), { method: "POST", body: bodyOf(items, "inputs", { n: 1 }) })).label_next;

/** Return a body: a form with files for pictures, JSON for sentences. */
function bodyOf(items, key, fields) {
  if (items[0].blob === undefined) {
    const plain = items.map(({ text, label }) => (key === "examples" ? { text, label } : { text }));
    return { ...fields, [key]: key === "input" ? plain[0] : plain };
  }
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const { blob, name, label } of items) {
    form.append("files", blob, name.replaceAll("/", "_"));
    if (key === "examples") form.append("labels", label);
  }
  return form;
}

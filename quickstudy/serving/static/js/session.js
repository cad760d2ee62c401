// Which classifiers belong to this tab: one per kind, with a random name, in the address and in the tab's own store.

import * as api from "./api.js";
import { setOfTab, ofTab } from "./storage.js";

export const KINDS = { draw: "drawings", photos: "photos", sentences: "sentences" };
const HASH = /^#\/(draw|photos|sentences)(?:\/([A-Za-z0-9][A-Za-z0-9_-]{0,63}))?$/;
const WAIT = 700; // milliseconds in which a tab that is being reloaded gives up its name

/** Take the token out of the address, where it must not stay, and keep it for this tab. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  sessionStorage.setItem("token", token);
  history.replaceState(null, "", location.pathname);
}

/** Return a new random name. */
export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return `c-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Return the mode and the name of the classifier in the address; a null where there is none. */
export function addressed() {
  const match = HASH.exec(location.hash);
  return { mode: match?.[1] ?? null, name: match?.[2] ?? null };
}

/** Return the classifier of a mode in this tab; a new name if there is none. */
export function nameOf(mode) {
  const names = ofTab("names", {});
  if (!names[mode]) setName(mode, randomName());
  return ofTab("names", {})[mode];
}

/** Remember the classifier of a mode. */
export const setName = (mode, name) => setOfTab("names", { ...ofTab("names", {}), [mode]: name });

/** Show the mode and the name in the address. */
export const show = (mode, name) => history.replaceState(null, "", `#/${mode}/${name}`);

const locks = new Map();

/** Return whether this tab alone uses a classifier from now on; true where the browser cannot say. */
export function hold(name) {
  if (!navigator.locks || locks.has(name)) return Promise.resolve(true);
  return new Promise((resolve) => {
    navigator.locks
      .request(`quickstudy:${name}`, { signal: AbortSignal.timeout(WAIT) }, () => {
        resolve(true);
        return new Promise((release) => locks.set(name, release));
      })
      .catch(() => resolve(false));
  });
}

/** Let other tabs use a classifier. */
export function release(name) {
  locks.get(name)?.();
  locks.delete(name);
}

/** Return a name under which this tab alone has a classifier: the same, or that of a copy if another tab uses it. */
export async function own(name) {
  if (await hold(name)) return name;
  const copy = randomName();
  try {
    if ((await api.list()).some((each) => each.name === name)) await api.open(copy, await api.file(name, "zip"));
  } catch (error) {
    if (error instanceof api.Refusal && error.status === 409) return name; // the server has this one alone
    throw error;
  }
  await hold(copy);
  return copy;
}

// What the server does not have yet is kept in the browser, so that a reload loses nothing.

let database;

function opened() {
  database ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("quickstudy", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("items");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return database;
}

async function done(mode, act) {
  try {
    const store = (await opened()).transaction("items", mode).objectStore("items");
    return await new Promise((resolve, reject) => {
      const request = act(store);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  } catch {
    return undefined; // a private window may have no such store; the page works without it
  }
}

/** Return what is stored under a key; files and other data. */
export const stored = (key) => done("readonly", (place) => place.get(key));

/** Store a value under a key; null forgets it. */
export const store = (key, value) =>
  done("readwrite", (place) => (value === null ? place.delete(key) : place.put(value, key)));

/** Return small data of this tab. */
export const ofTab = (key, other) => JSON.parse(sessionStorage.getItem(key) ?? "null") ?? other;

/** Store small data of this tab. */
export const setOfTab = (key, value) => sessionStorage.setItem(key, JSON.stringify(value));

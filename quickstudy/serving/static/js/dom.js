// Elements of the page: made, filled, announced.

/** Return a new element. Properties that start with "on" are listeners; others are properties or, with "-", attributes. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Replace the children of an element; the element that had the focus gets it back if one with its key is there. */
export function fill(parent, ...children) {
  const key = parent.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  parent.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  if (key) parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** Return an element by its id. */
export const byId = (id) => document.getElementById(id);

/** Say something to people who use a screen reader, without moving the focus. */
export function announce(text) {
  const region = byId("announcer");
  if (region && region.textContent !== text) region.textContent = text;
}

/** Show one line at the foot of the page: news, or what went wrong. */
export function notify(text, { wrong = false, action = null } = {}) {
  const place = byId(wrong ? "problem" : "news");
  const button = action && el("button", { type: "button", className: "quiet", textContent: action.text,
    onclick: () => { place.replaceChildren(); action.run(); } });
  fill(place, el("span", { textContent: text }), button,
    el("button", { type: "button", className: "quiet", textContent: "Close", onclick: () => place.replaceChildren() }));
  clearTimeout(place.timer);
  place.timer = wrong ? undefined : setTimeout(() => place.replaceChildren(), 8000);
}

/** Clear the line about what went wrong. */
export const settle = () => byId("problem").replaceChildren();

/** Return a share as whole percent; nothing is quite certain, and nothing quite excluded. */
export const percent = (share) => (share > 0.99 && share < 1 ? "> 99 %" : share > 0 && share < 0.01 ? "< 1 %" : `${Math.round(100 * share)} %`);

/** Return a number with its noun: "1 example", "2 examples". */
export const counted = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

/** Return a function that runs another one after a pause without calls. */
export function debounced(run, milliseconds) {
  let timer;
  return (...values) => { clearTimeout(timer); timer = setTimeout(() => run(...values), milliseconds); };
}

// Photographs: dropped, chosen, pasted, or from the webcam.

import { Answer } from "./answer.js";
import { Classes } from "./classes.js";
import { counted, el, fill, notify } from "./dom.js";
import { chosen, dropped, prepared } from "./pictures.js";
import { Pile } from "./pile.js";
import { Webcam } from "./webcam.js";

const BETWEEN = 250; // milliseconds between two answers to the webcam

/** A new classifier of photographs has two empty classes. */
export const starters = async () => [];
const FIRST = ["class 1", "class 2"];

const button = (text, run, about) => el("button", { type: "button", textContent: text, "aria-label": about, onclick: run });

/** Build the page for photographs. */
export async function build(places, classifier) {
  if (!classifier.labels.length) FIRST.forEach((label) => classifier.addClass(label));
  const camera = new Webcam(el("video", { className: "camera", muted: true, playsInline: true, hidden: true, "aria-label": "Webcam" }));
  places.classes.classList.toggle("camera-on", false);
  new Classes(places.classes, classifier, (label) => adder(label, classifier, camera));
  const shownPicture = el("img", { className: "asked", alt: "", hidden: true });
  const answerPlace = el("div", { className: "answer" });
  const pilePlace = el("section", { className: "pile-place" });
  const toggle = button("Use the webcam", () => (camera.on ? stop() : start()));
  const drop = el("div", { className: "drop" },
    el("p", { textContent: "Drop a picture, or paste one. Folders become classes." }),
    el("div", { className: "row" },
      picker("Choose pictures", {}, (found) => ask(found)),
      picker("Choose a folder of classes", { webkitdirectory: true }, (found) => learn(found)), toggle));
  fill(places.ask, el("div", {}, drop, camera.video, shownPicture), answerPlace, pilePlace);
  const answer = new Answer(answerPlace, classifier, "picture");
  let live = null; // the timer that asks about the webcam

  const show = (item) => {
    shownPicture.hidden = camera.on;
    shownPicture.src = item.url ??= URL.createObjectURL(item.blob);
    shownPicture.alt = item.name;
    answer.ask({ ...item, onlearned: () => pile.remove(item) });
  };
  const pile = new Pile(pilePlace, classifier, (item) => { stop(); show(item); });

  /** Answer new pictures at once: the first above, all in the list. */
  async function ask(found) {
    const pictures = await Promise.all(found.map(({ file }) => prepared(file)));
    if (!pictures.length) return notify("These are not pictures; give PNG, JPEG, WebP or other picture files.", { wrong: true });
    pile.add(...pictures);
    stop();
    return show(pile.items[0]);
  }

  /** Learn pictures that lie in folders, and ask about the others. */
  async function learn(found) {
    const labelled = found.filter(({ label }) => label !== null);
    const others = found.filter(({ label }) => label === null);
    if (labelled.length) {
      notify(`Learning ${counted(labelled.length, "picture")} …`);
      const items = await Promise.all(labelled.map(async ({ file, label }) => ({ ...(await prepared(file)), label })));
      classifier.empties = classifier.empties.filter((label) => !FIRST.includes(label));
      await classifier.add(items);
    }
    if (others.length || !labelled.length) await ask(others);
  }

  async function start() {
    try {
      await camera.start();
    } catch (error) {
      notify(`The webcam cannot be used: ${error.message}.`, { wrong: true });
      return;
    }
    camera.video.hidden = false;
    shownPicture.hidden = true;
    toggle.textContent = "Stop the webcam";
    places.classes.classList.add("camera-on");
    const look = async () => {
      if (classifier.ready) await answer.ask({ ...(await camera.take()), passing: true });
      if (camera.on) live = setTimeout(look, BETWEEN);
    };
    look();
  }

  function stop() {
    clearTimeout(live);
    if (!camera.on) return;
    camera.stop();
    camera.video.hidden = true;
    toggle.textContent = "Use the webcam";
    places.classes.classList.remove("camera-on");
    answer.ask(null);
  }

  const target = (event) => event.target.closest?.(".class")?.dataset.label;
  const listeners = {
    dragover: (event) => { event.preventDefault(); document.body.classList.add("dropping"); },
    dragleave: () => document.body.classList.remove("dropping"),
    drop: async (event) => {
      event.preventDefault();
      document.body.classList.remove("dropping");
      const label = target(event);
      const found = await dropped(event.dataTransfer);
      if (label === undefined) await learn(found);
      else await learn(found.map((each) => ({ ...each, label: each.label ?? label })));
    },
    paste: (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length) ask(chosen(files));
    },
  };
  for (const [name, listener] of Object.entries(listeners)) document.addEventListener(name, listener);
  await pile.load();
  return {
    close: () => {
      stop();
      for (const [name, listener] of Object.entries(listeners)) document.removeEventListener(name, listener);
    },
  };
}

/** Return a button that opens the browser's choice of files. */
function picker(text, options, take, about) {
  const input = el("input", { type: "file", multiple: true, accept: "image/*,.heic,.heif", hidden: true, ...options,
    onchange: () => { take(chosen(input.files)); input.value = ""; } });
  return el("span", {}, button(text, () => input.click(), about), input);
}

/** Return the buttons that add examples to a class: files, and the webcam while it is on. */
function adder(label, classifier, camera) {
  const add = async (found) => classifier.add(await Promise.all(found.map(async ({ file }) => ({ ...(await prepared(file)), label }))));
  let held = false;
  const shoot = async (event) => {
    if (held || (event.type === "keydown" && ![" ", "Enter"].includes(event.key))) return;
    event.preventDefault();
    held = true;
    const pictures = await camera.burst(() => held, (n) => { hold.textContent = `${n} of 10`; });
    held = false;
    hold.textContent = "Hold to take ten";
    await classifier.add(pictures.map((each) => ({ ...each, label })));
  };
  const hold = el("button", { type: "button", className: "hold", textContent: "Hold to take ten", "aria-label": `Hold to take up to ten pictures of ${label}`,
    onpointerdown: shoot, onkeydown: shoot });
  for (const end of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) hold.addEventListener(end, () => { held = false; });
  return [el("div", { className: "row" }, picker("Add pictures", {}, (found) => found.length && add(found), `Add pictures to ${label}`), hold)];
}

// The page of the two loops: starts a run on the server, and draws what it sends.

import { Refusal, send, Unreachable } from "./api.js";
import { Chart } from "./chart.js";
import { announce, byId, notify, percent } from "./dom.js";
import { takeToken } from "./session.js";
import { ofTab, setOfTab } from "./storage.js";

const ABOUT = {
  maml: "MAML asks, of each task: how well does a step from here answer new points of the task? It follows the gradient of that, through the step.",
  reptile: "Reptile takes the inner steps, and moves its start a little towards where they ended. It needs no second derivatives.",
  prototypical: "Prototypical networks have no inner steps: a class is the mean of its examples. The outer loop learns what to look at. Here: five invented characters, one example of each.",
};
let events = []; // of the run that is shown
let request = null;

const inner = new Chart(byId("inner").querySelector(".chart"), { xName: "x", yName: "y", label: "One task. Press Start." });
const outer = new Chart(byId("outer").querySelector(".chart"), { xName: "outer steps", yName: "", label: "Outer loop. Press Start." });
const learner = () => document.querySelector("[name=learner]:checked").value;

/** Show the text and the charts that belong to a learner. */
function prepare() {
  stop();
  events = [];
  byId("about").textContent = ABOUT[learner()];
  const glyphs = learner() === "prototypical";
  byId("inner").hidden = glyphs;
  byId("charts").classList.toggle("single", glyphs);
  byId("measure").textContent = glyphs ? "right answers on ten new tasks" : "squared error on ten new tasks";
  byId("state").textContent = "Press Start.";
  inner.draw({ x: [-5, 5], y: [-6, 6] });
  outer.draw({ x: [0, 100], y: glyphs ? [0, 1] : [0, 5] });
}

/** Start a run; a run of this tab that goes on is ended by the server. */
async function start(event) {
  event.preventDefault();
  prepare();
  const mine = new AbortController();
  request = mine;
  byId("stop").disabled = false;
  byId("state").textContent = "Starting …";
  const seed = Math.trunc(Number(byId("seed").value)) || 0;
  try {
    const response = await send(`v1/loops/${learner()}?tab=${tab()}&seed=${seed}`, { signal: mine.signal });
    for await (const each of received(response.body)) {
      if (request !== mine) return;
      events.push(each);
      draw();
    }
    announce(byId("state").textContent);
  } catch (error) {
    if (error instanceof Refusal || error instanceof Unreachable) notify(error.message, { wrong: true });
    else if (error.name === "TypeError") notify("The server ended the run.", { wrong: true });
    else if (error.name !== "AbortError") throw error;
  } finally {
    if (request === mine) stop();
  }
}

function stop() {
  request?.abort();
  request = null;
  byId("stop").disabled = true;
}

/** Return a name of this tab, by which it has one run at most. */
function tab() {
  const name = ofTab("loops", null) ?? Math.random().toString(36).slice(2, 14);
  setOfTab("loops", name);
  return name;
}

/** Yield the server-sent events of a body. */
async function* received(body) {
  let text = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const parts = text.split("\n\n");
    text = parts.pop();
    for (const part of parts) yield JSON.parse(part.replace(/^data: /, ""));
  }
}

/** Draw the last event, and the course of all. */
function draw() {
  const last = events.at(-1);
  if (!last) return;
  const x = [0, Math.max(10, last.step)];
  const course = (key) => events.map((each) => [each.step, each[key]]);
  if (last.accuracy !== undefined) {
    outer.draw({ x, y: [0, 1], lines: [
      { points: [[0, last.chance], [x[1], last.chance]], style: "dashed", name: "guessing" }, { points: course("accuracy"), style: "strong", name: "five-way, one example" }] });
    byId("state").textContent = `After ${last.step} outer steps, ${percent(last.accuracy)} of answers on new characters are right; guessing gives ${percent(last.chance)}.`;
    outer.describe(byId("state").textContent);
    return;
  }
  const top = Math.max(1, 1.4 * events[0].error_before, ...events.map((each) => each.error));
  outer.draw({ x, y: [0, 1.1 * top], lines: [
    { points: course("error_before"), style: "", name: "before the inner loop" }, { points: course("error"), style: "strong", name: "after ten inner steps" }] });
  byId("state").textContent = `After ${last.step} outer steps, ten inner steps bring the error from ${last.error_before.toFixed(2)} to ${last.error.toFixed(2)}.`;
  outer.describe(byId("state").textContent);
  drawInner(last);
}

/** Draw a task: the wave to find, the points that are given, and the predictions up to the chosen inner step. */
function drawInner(last) {
  const n = Number(byId("inner-step").value);
  byId("inner-number").textContent = n;
  const line = (values) => values.map((value, i) => [last.grid[i], value]);
  inner.draw({
    x: [-5, 5], y: [-6, 6],
    lines: [{ points: line(last.truth), style: "dashed" },
      ...last.curves.slice(0, n).map((curve, i) => ({ points: line(curve), style: "", opacity: 0.35 + (0.5 * i) / last.curves.length })),
      { points: line(last.curves[n]), style: "strong" }],
    dots: last.x.map((value, i) => [value, last.y[i]]),
  });
  inner.describe(`A sine wave, ten points of it, and the prediction after ${n} inner steps.`);
}

takeToken();
byId("controls").addEventListener("submit", start);
byId("controls").addEventListener("change", (event) => { if (event.target.name === "learner") prepare(); });
byId("stop").addEventListener("click", stop);
byId("inner-step").addEventListener("input", () => { byId("inner-number").textContent = byId("inner-step").value; if (events.length && events.at(-1).curves) drawInner(events.at(-1)); });
prepare();

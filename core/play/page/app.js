// The page: what is shown when, and what each control does.

import { Api, connect } from "./api.js";
import { Edits } from "./edits.js";
import { number as written, say, translate } from "./say.js";
import { Stage, forget, painted } from "./stage.js";

const $ = (id) => document.getElementById(id);
const VIEWS = ["start", "looking", "work"];

translate();
document.body.dataset.drop = say("Drop it anywhere"); // for the style sheet, which shows both
$("tag-after").dataset.drawing = say("drawing");

let api = null; // there once egao has said hello
let hello = { expressions: [] };
let photo = null; // what egao told of the one that is open
let stopping = new AbortController(); // of what takes seconds: looking at a photo, learning a face
const stage = new Stage({ pick: (number) => choose(number) });
const edits = new Edits({ stage, says, told, made, refused, called });

const socket = connect({
  hello(data) {
    hello = data;
    api = new Api(data.tab);
    edits.api = api;
    $("choose").disabled = false;
    $("sample").hidden = !data.sample;
    offerExpressions();
  },
  lost(sentence) {
    stopping.abort();
    reset();
    api = null;
    $("lost").textContent = sentence;
    $("lost").hidden = false;
    for (const one of [$("choose"), $("sample")]) one.disabled = true;
  },
});
addEventListener("pagehide", () => socket.close()); // egao forgets the photo then
addEventListener("pageshow", (event) => event.persisted && location.reload());

/* ---- a photo comes ---- */

$("choose").addEventListener("click", () => $("file").click());
$("another").addEventListener("click", () => $("file").click());
$("sample").addEventListener("click", () => open((signal) => api.giveSample(signal)));
$("stop-looking").addEventListener("click", () => stopping.abort());
$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  if (file) give(file);
  $("file").value = "";
});
addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (file) give(file);
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.toggle("over", api !== null);
});
addEventListener("dragleave", (event) => event.relatedTarget === null && document.body.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) give(file);
  else alarm(say("That was no file. Save the picture first, then drop its file here."));
});

function give(file) {
  return open((signal) => api.give(file, signal));
}

/** Show what `ask` brings; whatever was open before is gone. */
async function open(ask) {
  if (api === null) return;
  stopping.abort();
  const { signal } = (stopping = new AbortController());
  reset();
  show("looking");
  announce(say("Looking for faces…"));
  $("stop-looking").focus();
  try {
    const found = await ask(signal);
    await stage.open(found, await api.picture("photo", signal));
    photo = found;
  } catch (error) {
    if (stopping.signal !== signal) return; // another photo came meanwhile
    show("start");
    $("choose").focus();
    if (error.name === "AbortError") announce(say("Cancelled."));
    else alarm(error.message);
    return;
  }
  show("work");
  offerFaces(signal);
  $("left-out").textContent = photo.left_out.length ? say("The result leaves out: {what}.", { what: photo.left_out.join(", ") }) : "";
  if (photo.faces.length === 1) await choose(0);
  else {
    says(say("Faces found: {count}. Choose one; each keeps its own strength.", { count: photo.faces.length }));
    $("faces").firstChild.focus();
  }
}

/** Name an expression in the page's language. */
function called(expression) {
  return hello.expressions.find(({ name }) => name === expression)?.said ?? expression;
}

/* ---- whose face, which expression ---- */

function offerFaces(signal) {
  $("people").hidden = photo.faces.length === 1;
  const buttons = photo.faces.map((_, number) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.append(document.createElement("img"), document.createElement("span"));
    button.firstChild.alt = "";
    button.lastChild.textContent = say("Face {number}", { number: number + 1 });
    button.addEventListener("click", () => choose(number));
    return button;
  });
  $("faces").replaceChildren(...buttons);
  for (const [number, button] of buttons.entries()) {
    api.picture(`faces/${number}`, signal).then((blob) => painted(button.firstChild, blob, "")).catch(() => {});
  }
}

function offerExpressions() {
  const offered = hello.expressions.map(({ name, said }, index) => {
    const label = document.createElement("label");
    const radio = document.createElement("input");
    Object.assign(radio, { type: "radio", name: "expression", value: name, checked: index === 0 });
    radio.addEventListener("change", () => edits.express(name) || choose(edits.active));
    const text = document.createElement("span");
    text.textContent = said;
    label.append(radio, text);
    return label;
  });
  $("expressions").replaceChildren($("expressions").querySelector("legend"), ...offered);
  $("expressions").hidden = offered.length < 2;
}

/** Change this face from now on; learn it first where that was not done. */
async function choose(number) {
  stopping.abort();
  const { signal } = (stopping = new AbortController());
  const expression = expressionChosen(number);
  edits.leave();
  told("");
  mark(number);
  $("people").hidden = photo.faces.length === 1;
  if (edits.knows(number, expression)) return ready(number, expression);
  enable(false);
  learning(true);
  try {
    const learned = await api.learn(number, expression, (line) => learns(line), signal);
    edits.learned(number, expression, learned);
    ready(number, expression);
  } catch (error) {
    if (stopping.signal !== signal || photo === null) return;
    if (error.name !== "AbortError") told(error.message);
    else says(say("Cancelled. Choose the face again to learn it."));
    learning(false);
    mark(null);
    $("people").hidden = false; // to choose the face again, the only one too
    $("faces").children[number].focus();
  } finally {
    if (stopping.signal === signal) learning(false);
  }
}

function expressionChosen(number) {
  const kept = edits.expressionOf(number) ?? document.querySelector("input[name=expression]:checked").value;
  document.querySelector(`input[name=expression][value="${kept}"]`).checked = true;
  return kept;
}

function ready(number, expression) {
  edits.take(number, expression);
  enable(true);
  const { said, strength } = hello.expressions.find((one) => one.name === expression);
  $("strength-label").textContent = say("Strength of the {expression}", { expression: said });
  $("hint").textContent = `${strength}.`;
  reflect();
  announce(say("The face is learned. Change the strength."));
  $("strength").focus();
}

function mark(number) {
  stage.active(number);
  [...$("faces").children].forEach((button, index) => button.setAttribute("aria-pressed", index === number));
}

/* ---- learning ---- */

$("stop-learning").addEventListener("click", () => stopping.abort());

function learning(on) {
  $("learning").hidden = !on;
  if (!on) return forget($("likeness"));
  $("progress").removeAttribute("value");
  $("learning-says").textContent = say("Learning this face…");
  announce(say("Learning this face. That takes some seconds."));
  $("stop-learning").focus();
}

function learns({ share, eta, picture }) {
  $("progress").value = Math.max(share, $("progress").value);
  $("learning-says").textContent = eta > 0 ? say("Learning this face…") : say("Trying how it moves…");
  if (!picture) return;
  const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
  painted($("likeness"), new Blob([bytes], { type: "image/jpeg" }), "").catch(() => {});
}

/* ---- strength ---- */

$("strength").addEventListener("input", () => edits.drag(Number($("strength").value)));
$("strength").addEventListener("input", reflect);
$("strength").addEventListener("change", () => edits.release());
for (const button of $("presets").children) {
  const { strength } = button.dataset;
  button.addEventListener("click", () => {
    edits.drag(strength === "neutral" ? strength : Number(strength));
    reflect();
    edits.release();
  });
}

/** Let the controls say what the face's strength is. */
function reflect() {
  const { strength, number } = edits;
  const text = signed(number);
  if (strength === "neutral") $("strength").value = number;
  else if (Number($("strength").value) !== number) $("strength").value = number;
  $("value").textContent = text;
  $("strength").setAttribute("aria-valuetext", strength === "neutral" ? say("neutral, {strength}", { strength: text }) : text);
  for (const button of $("presets").children) button.setAttribute("aria-pressed", button.dataset.strength === String(strength));
  [...$("faces").children].forEach((button, index) => {
    const label = edits.labelOf(index);
    const face = say("Face {number}", { number: index + 1 });
    button.lastChild.textContent = label ? `${face} ${label}` : face;
  });
}

function signed(number) {
  const text = written(Math.abs(number), 1);
  return Math.abs(number) < 0.05 ? "0" : `${number > 0 ? "+" : "−"}${text}`;
}

function enable(on) {
  for (const one of [$("strength"), ...$("presets").children]) one.disabled = !on;
}

/* ---- results ---- */

/** A result is there in full quality, or none: nothing is edited any more. */
function made(version) {
  const kind = $("kind").value;
  const on = version !== null;
  $("download").setAttribute("aria-disabled", String(!on));
  if (on) $("download").href = api.address(`file/${version}${kind ? `?kind=${kind}` : ""}`);
  else $("download").removeAttribute("href");
}

$("kind").addEventListener("change", () => made(edits.version));
$("delete").addEventListener("click", async () => {
  stopping.abort();
  edits.leave();
  try {
    await api.delete();
  } catch (error) {
    return alarm(error.message);
  }
  reset();
  show("start");
  announce(say("Deleted: egao holds neither the photo nor its faces any more."));
  $("choose").focus();
});

function refused(error) {
  if (error.name === "AbortError") return;
  if (error.code === "NotHeld") {
    reset();
    show("start");
    alarm(error.message);
  } else told(error.message);
}

/* ---- what is said ---- */

function says(text, working = false) {
  $("says").textContent = text;
  $("says").toggleAttribute("data-working", working);
  stage.working(working);
  if (text && !working) announce(text);
}

function told(text) {
  $("told").textContent = text;
  $("told").hidden = !text;
}

function alarm(text) {
  $("alert").textContent = text;
  $("alert").hidden = false;
}

function announce(text) {
  $("status").textContent = text;
}

function show(name) {
  for (const view of VIEWS) $(view).hidden = view !== name;
}

/** Forget the photo here in the page. */
function reset() {
  photo = null;
  edits.reset();
  stage.clear();
  learning(false);
  enable(false);
  made(null);
  told("");
  says("");
  $("alert").hidden = true;
  $("value").textContent = "0";
  $("strength").value = 0;
  for (const image of $("faces").querySelectorAll("img")) forget(image);
  $("faces").replaceChildren();
  show("start");
}

// The picture: before and after in one place, and the frames around faces.

import { say } from "./say.js";

const $ = (id) => document.getElementById(id);

const WHOLE = { zoom: 1, dx: 0, dy: 0 };
const CLOSE = 0.55; // share of the stage that a face takes up in a close-up
const LARGE = 1.3; // a face that is as large already as to gain no more than this has none

/** How much larger, and how far moved, in shares of the stage, a photo is for a close-up of a box. */
function zoomed([left, top, right, bottom]) {
  const zoom = Math.min(8, CLOSE / Math.max(right - left, bottom - top));
  const moved = (from, to) => Math.min(0, Math.max(1 - zoom, 0.5 - (zoom * (from + to)) / 2));
  return { zoom, dx: moved(left, right), dy: moved(top, bottom) };
}

export class Stage {
  boxes = []; // of the faces: left, top, right, bottom in shares of the photo
  box = null; // of the face that is being changed

  constructor({ pick }) {
    this.pick = pick;
    this.stage = $("stage");
    for (const radio of document.querySelectorAll("input[name=view]")) {
      radio.addEventListener("change", () => this.view(radio.value));
    }
    $("split").addEventListener("input", () => this.#split($("split").value / 100));
    $("close").addEventListener("click", () => this.closeUp($("close").ariaPressed !== "true"));
  }

  /** Show a photo that nothing was done to yet. */
  async open({ width, height, faces }, before) {
    this.stage.style.setProperty("--ratio", width / height);
    this.clear();
    this.boxes = faces.map(({ box }) => box);
    await painted($("before"), before, say("The photo as it was"));
    if (faces.length > 1) $("frames").append(...faces.map((face, number) => this.#frame(face, number)));
  }

  #frame({ box: [left, top, right, bottom] }, number) {
    const frame = document.createElement("button");
    frame.type = "button";
    frame.tabIndex = -1; // the same faces are buttons beside the picture, for keyboards and screen readers
    const label = document.createElement("span");
    label.textContent = number + 1;
    frame.append(label);
    Object.assign(frame.style, {
      left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%`,
    });
    frame.addEventListener("click", () => this.pick(number));
    return frame;
  }

  /** Mark the face that is being changed. */
  active(number) {
    [...$("frames").children].forEach((frame, index) => frame.toggleAttribute("data-active", index === number));
    this.box = this.boxes[number] ?? null;
    $("close").hidden = this.box === null || zoomed(this.box).zoom < LARGE;
    this.closeUp($("close").ariaPressed === "true" && !$("close").hidden);
  }

  /** Show the face that is being changed larger, or the whole photo again. */
  closeUp(on) {
    const { zoom, dx, dy } = on && this.box ? zoomed(this.box) : WHOLE;
    for (const [name, value] of Object.entries({ zoom, dx, dy })) this.stage.style.setProperty(`--${name}`, value);
    $("close").ariaPressed = String(on);
    this.stage.toggleAttribute("data-close", on);
    if (this.box) this.#split(dx + (zoom * (this.box[0] + this.box[2])) / 2); // the line runs through the face
  }

  #split(share) {
    this.stage.style.setProperty("--v", share);
    $("split").value = 100 * share;
  }

  /** Hide the frame of the face that is looked at while it changes. */
  steady(on) {
    this.stage.toggleAttribute("data-steady", on);
  }

  working(on) {
    this.stage.toggleAttribute("data-working", on);
  }

  /** Show an edit; `says` is its text for whoever does not see it. */
  async edited(blob, says) {
    await painted($("after"), blob, says);
    $("edited").hidden = false;
    $("compare").disabled = false;
    if (this.stage.dataset.view === "") this.view("after");
  }

  /** Back to the photo as it was. */
  clear() {
    forget($("before"));
    forget($("after"));
    $("frames").replaceChildren();
    $("edited").hidden = true;
    $("compare").disabled = true;
    this.boxes = [];
    this.active(null);
    document.querySelector("input[name=view][value=after]").checked = true;
    this.view("");
    this.steady(false);
    this.working(false);
  }

  /** "before", "split", "after", or "" where there is nothing to compare. */
  view(name) {
    this.stage.dataset.view = name;
    $("split").hidden = name !== "split";
  }

  /** Show the edit, whatever was looked at: somebody changes it. */
  changing() {
    if (this.stage.dataset.view !== "before") return;
    document.querySelector("input[name=view][value=after]").checked = true;
    this.view("after");
  }
}

/** Put a picture into an element once it is decoded, so that nothing flickers between two. */
export async function painted(image, blob, says) {
  const address = URL.createObjectURL(blob);
  const ready = new Image();
  ready.src = address;
  try {
    await ready.decode();
  } catch (error) {
    URL.revokeObjectURL(address);
    throw error;
  }
  const before = image.src;
  image.src = address;
  image.alt = says;
  if (before.startsWith("blob:")) URL.revokeObjectURL(before);
}

/** Take a picture out of an element and out of the browser's memory. */
export function forget(image) {
  if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
  image.removeAttribute("src");
  image.alt = "";
}

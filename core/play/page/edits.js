// What is asked of each face, and the two ways to see it: quickly while a slider moves, in full quality once it rests.

import { number as written, say } from "./say.js";

const REST = 350; // milliseconds without a change after which a keyboard's arrows count as let go
const KEPT = 120; // quick pictures: one for each strength of the slider, and those of a second face

export class Edits {
  constructor({ stage, says, told, made, refused, called }) {
    Object.assign(this, { stage, says, told, made, refused, called });
    this.api = null;
    this.reset();
  }

  reset() {
    this.leave();
    this.faces = new Map(); // number -> { expression, strength, learned: Map of expression -> { neutral, now } }
    this.active = null;
    this.version = null;
    this.pictures = new Map(); // what was asked, as text -> blob
  }

  /** Stop drawing. */
  leave() {
    clearTimeout(this.resting);
    this.drawing?.abort();
    this.wanted = null;
  }

  knows(number, expression) {
    return this.faces.get(number)?.learned.has(expression) ?? false;
  }

  expressionOf(number) {
    return this.faces.get(number)?.expression;
  }

  learned(number, expression, { neutral, now }) {
    const face = this.faces.get(number) ?? { expression, strength: 0, learned: new Map() };
    face.learned.set(expression, { neutral, now });
    this.faces.set(number, face);
  }

  /** Change this face from now on. */
  take(number, expression) {
    const face = this.faces.get(number);
    const other = face.expression !== expression;
    Object.assign(face, { expression });
    this.active = number;
    if (other && face.strength !== 0) {
      this.drag(face.strength);
      this.release();
    }
  }

  /** Another expression for the face; false where it has to be learned first. */
  express(expression) {
    if (this.active === null) return true;
    this.faces.get(this.active).expression = expression;
    return false;
  }

  get face() {
    return this.faces.get(this.active);
  }

  get strength() {
    return this.face?.strength ?? 0;
  }

  /** The strength as a number. */
  get number() {
    return this.#number(this.face);
  }

  #number(face) {
    if (!face) return 0;
    return face.strength === "neutral" ? (face.learned.get(face.expression)?.neutral ?? 0) : face.strength;
  }

  labelOf(number) {
    const face = this.faces.get(number);
    if (!face || face.strength === 0) return "";
    return face.strength === "neutral" ? say("neutral") : (face.strength > 0 ? "+" : "−") + written(Math.abs(face.strength), 1);
  }

  get choices() {
    return [...this.faces]
      .filter(([, face]) => face.strength !== 0 && face.learned.has(face.expression))
      .sort(([a], [b]) => a - b)
      .map(([face, { expression, strength }]) => ({ face, expression, strength }));
  }

  /** Show the face at this strength as soon as it can be drawn; of many asked for meanwhile, the last. */
  drag(strength) {
    this.face.strength = strength;
    clearTimeout(this.resting);
    this.drawing?.abort();
    this.stage.changing();
    this.stage.steady(true);
    this.told("");
    this.says("");
    this.made((this.version = null)); // what could be downloaded is not what is seen any more
    this.wanted = { choices: this.choices, face: this.active };
    if (!this.following) this.following = this.#follow().finally(() => (this.following = null));
  }

  async #follow() {
    while (this.wanted !== null) {
      const { choices, face } = this.wanted;
      this.wanted = null;
      const key = JSON.stringify([choices, face]);
      try {
        if (!this.pictures.has(key)) {
          const start = performance.now();
          this.#keep(key, await this.api.quick(choices, face));
          performance.measure("quick", { start });
        }
        if (this.wanted === null && this.pictures.has(key)) await this.stage.edited(this.pictures.get(key), this.#text(choices));
      } catch (error) {
        this.refused(error);
      }
    }
  }

  #keep(key, blob) {
    this.pictures.set(key, blob);
    if (this.pictures.size > KEPT) this.pictures.delete(this.pictures.keys().next().value);
  }

  /** The strength is let go: draw it in full quality. */
  release() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.#make(), REST);
  }

  async #make() {
    const { signal } = (this.drawing = new AbortController());
    const choices = this.choices;
    this.says(say("Drawing in full quality…"), true);
    try {
      const { version, edited, faces } = await this.api.make(choices, signal);
      const picture = await this.api.picture(`picture/${version}`, signal);
      await this.following;
      if (signal.aborted) return;
      await this.stage.edited(picture, this.#text(choices));
      this.stage.steady(false);
      this.version = edited ? version : null;
      this.made(this.version);
      this.told(faces.filter((one) => one.told).map((one) => this.#named(one.face) + one.told).join(" "));
      this.says(this.#scored(faces));
    } catch (error) {
      if (signal.aborted) return;
      this.says("");
      this.refused(error);
    }
  }

  #named(face) {
    return this.faces.size > 1 ? `${say("Face {number}", { number: face + 1 })}: ` : "";
  }

  /** How the face that was changed came out. */
  #scored(faces) {
    const one = faces.find(({ face }) => face === this.active);
    if (!one) return say("As it was.");
    if (one.told) return "";
    const score = (value) => (value === null ? say("unseen") : written(value, 2));
    return say("Full quality. Score of the {expression}: {before} before, {after} now.", {
      expression: this.called(this.face.expression), before: score(one.before), after: score(one.after),
    });
  }

  #text(choices) {
    if (!choices.length) return say("The photo as it was");
    const each = choices.map(({ face, expression, strength }) =>
      say("face {number}, {expression} {strength}", {
        number: face + 1, expression: this.called(expression), strength: strength === "neutral" ? say("neutral") : strength,
      }));
    return say("The photo edited by AI: {faces}", { faces: each.join("; ") });
  }
}

// What the page asks of egao. Every path is below the page's own address, which holds the token: no request goes elsewhere.

import { say } from "./say.js";

/** Why there is no answer: one sentence for whoever looks at the page. */
export class Told extends Error {
  constructor(code, sentence) {
    super(sentence);
    this.code = code;
  }
}

const GONE = say("egao does not answer any more. Start it again in the terminal, and open the address that it shows.");

/** The connection that lives as long as the page; once it ends, egao has forgotten the page's photo. */
export function connect({ hello, lost }) {
  const address = new URL("tab", location.href);
  address.protocol = "ws:";
  const socket = new WebSocket(address);
  socket.addEventListener("message", (event) => hello(JSON.parse(event.data)));
  socket.addEventListener("close", () => lost(GONE));
  return socket;
}

/** One page's photo, by the name that egao gave the page. */
export class Api {
  constructor(tab) {
    this.root = new URL(`tab/${tab}/`, location.href);
  }

  address(path) {
    return new URL(path, this.root).href;
  }

  give(file, signal) {
    const name = encodeURIComponent(file.name ?? "");
    return this.#json(`photo?name=${name}`, { method: "POST", body: file, signal });
  }

  giveSample(signal) {
    return this.#json("sample", { method: "POST", signal });
  }

  delete() {
    return this.#json("photo", { method: "DELETE", keepalive: true });
  }

  /** Learn a face; `step` is called with every line until the last, which is returned. */
  async learn(face, expression, step, signal) {
    const answer = await this.#ask("learn", asked({ face, expression }, signal));
    let last = null;
    for await (const line of lines(answer.body)) {
      if (line.error) throw new Told(line.error, line.sentence);
      last = line;
      if (line.share !== undefined) step(line);
    }
    if (last?.neutral === undefined) throw new Told("Gone", GONE);
    return last;
  }

  async quick(choices, face, signal) {
    return (await this.#ask("quick", asked({ choices, face }, signal))).blob();
  }

  make(choices, signal) {
    return this.#json("picture", asked({ choices }, signal));
  }

  async picture(path, signal) {
    return (await this.#ask(path, { signal })).blob();
  }

  async #json(path, options) {
    return (await this.#ask(path, options)).json();
  }

  async #ask(path, options) {
    let answer;
    try {
      answer = await fetch(this.address(path), options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Told("Gone", GONE);
    }
    if (answer.ok) return answer;
    const said = await answer.json().catch(() => null);
    throw new Told(said?.error ?? "Gone", said?.sentence ?? GONE);
  }
}

function asked(data, signal) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(data), signal };
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

// What the page says, in the language that egao chose by what the browser asks for.

import said from "./words.js"; // written by the server: its words by their English

/** Say it in the page's language, with the facts that stand in {braces}. */
export function say(english, facts = {}) {
  return (said.words[english] ?? english).replace(/\{(\w+)\}/g, (whole, name) => facts[name] ?? whole);
}

/** Write a number with so many digits behind the sign, as the page's language does. */
export function number(value, digits) {
  return value.toLocaleString(said.language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Put index.html, whose own words are English, into the page's language. */
export function translate() {
  document.documentElement.lang = said.language;
  for (const one of document.querySelectorAll("[data-say]")) one.textContent = say(one.textContent.replace(/\s+/g, " ").trim());
  for (const one of document.querySelectorAll("[aria-label]")) one.setAttribute("aria-label", say(one.getAttribute("aria-label")));
}

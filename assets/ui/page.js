// Pages of this server as documents, and what is said to people who do not see the screen.

// The only place where a text becomes markup: an answer of this server, whose texts of users are
// escaped. Scripts in a document that is made so never run.
const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy("pedigree", {
  createHTML: (/** @type {string} */ text) => text,
});

/**
 * Reads a page, or a part of one.
 * @param {string | URL} url @param {AbortSignal} [signal]
 * @returns {Promise<Document>}
 */
export async function readPage(url, signal) {
  const answer = await fetch(url, { signal, headers: { Accept: "text/html" } });
  const isPage = answer.headers.get("content-type")?.startsWith("text/html");
  if (!answer.ok || !isPage) throw new Error(`${answer.status} for ${url}`);
  const text = await answer.text();
  const markup = /** @type {string} */ (policy ? policy.createHTML(text) : text);
  return new DOMParser().parseFromString(markup, "text/html");
}

const status = document.createElement("p");
status.className = "status";
status.setAttribute("role", "status");
document.body.append(status);

/** Says a sentence aloud, where the screen is read. @param {string} text */
export function announce(text) {
  status.className = "status quiet";
  status.textContent = text;
}

/** Says a sentence aloud, and for a while on the screen. @param {string} text */
export function say(text) {
  announce(text);
  status.className = "status";
  clearTimeout(say.end);
  say.end = setTimeout(() => { status.textContent = ""; }, 4000);
}
say.end = 0;

/** Whether keys of an event are text for a field, or have another meaning. @param {KeyboardEvent} event */
export function isTyping(event) {
  const target = /** @type {Element} */ (event.target);
  const isField = target.closest("input, select, textarea, dialog[open]");
  return Boolean(isField) || event.ctrlKey || event.metaKey || event.altKey;
}

// Clients of MLflow print addresses with what they mean behind a "#", which no server sees.
const printed = location.hash.match(/^#(\/(?:experiments|models)\/[^?#]+)/);
const home = /** @type {HTMLAnchorElement | null} */ (document.querySelector("a.brand"));
if (printed && home && new URL(home.href).pathname === location.pathname) {
  location.replace(home.href.replace(/\/$/, "") + printed[1]);
}

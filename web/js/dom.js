// Ways into the document whose answers have a type.

// byId is the element with that id; kind is the interface that the caller relies on.
/**
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} [kind]
 * @returns {T}
 */
export function byId(id, kind) {
  const el = document.getElementById(id);
  if (kind && !(el instanceof kind)) throw new TypeError(`#${id} is no ${kind.name}`);
  return /** @type {T} */ (el);
}

// beside is the address of a file that lies beside the folder of the scripts: their
// place has another name after each change.
/** @param {string} file */
export const beside = (file) => new URL(`../${file}`, import.meta.url).href;

// every is a list of all elements that a selector means.
/**
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {HTMLElement[]}
 */
export const every = (selector, root = document) => /** @type {HTMLElement[]} */ ([...root.querySelectorAll(selector)]);

// input is the field that an event comes from.
/** @param {Event} e */
export const input = (e) => /** @type {HTMLInputElement} */ (e.target);

// where is the element that an event comes from, or the document.
/** @param {Event} e */
export const where = (e) => /** @type {HTMLElement} */ (e.target);

/** focused is the element that has the focus. */
export const focused = () => /** @type {HTMLElement} */ (document.activeElement);

/** Small helpers for the page's elements. */

/** The element with an id. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found as T;
}

/** A new element with these properties and children. */
export function create<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Draw a picture on a canvas, which becomes as large. */
export function draw(canvas: HTMLCanvasElement, picture: ImageData): void {
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d")?.putImageData(picture, 0, 0);
}

/** Show a text, or hide the element if there is none. */
export function say(id: string, text: string | null): void {
  element(id).hidden = !text;
  element(id).textContent = text;
}

/** What goes on; `share` of it that is done, if that is known. */
export function tell(text: string | null, share?: number): void {
  element("status").hidden = !text;
  element("status-text").textContent = text;
  const progress = element<HTMLProgressElement>("progress");
  progress.hidden = share === undefined;
  progress.value = share ?? 0;
}

/** Tell readers of the screen something once. */
export function announce(text: string): void {
  element("announcement").textContent = text;
}

/** Scroll to an element whose beginning is not to be seen. */
export function bringIntoView(id: string): void {
  const { top } = element(id).getBoundingClientRect();
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (top < 0 || top > 0.6 * innerHeight) element(id).scrollIntoView({ behavior: calm ? "auto" : "smooth" });
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}

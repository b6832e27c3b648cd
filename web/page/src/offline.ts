/** Keeping the page and what it downloads, so that it works without a network. */

import { element } from "./dom";
import type { Progress } from "./priors";

const PATIENCE = 3000; // milliseconds that the page waits for its service worker to begin, and to write what it keeps

/** Whether what is downloaded is kept: not at all here, not in this visit (a reload that goes past the service worker), or yes. */
export type Keeping = "never" | "next time" | "now";

export async function startKeeping(): Promise<Keeping> {
  if (!("serviceWorker" in navigator)) return "never"; // on pages without https, or in private windows
  const { serviceWorker } = navigator;
  const known = Boolean(serviceWorker.controller);
  const controlled = new Promise<void>((resolve) => {
    const changed = () => {
      resolve();
      // a later build keeps other files than this page's; a page on which something was opened is left alone
      if (known && element("main").dataset.state === "ready") location.reload();
    };
    serviceWorker.addEventListener("controllerchange", changed, { once: true });
  });
  try {
    const registration = await serviceWorker.register("sw.js");
    const late = new Promise<void>((resolve) => setTimeout(resolve, PATIENCE));
    if (!serviceWorker.controller && registration.active?.state !== "activated") await Promise.race([controlled, late]);
    if (serviceWorker.controller) return "now";
    return registration.active ? "next time" : "never";
  } catch {
    return serviceWorker.controller ? "now" : "never"; // without a network it is not registered anew
  }
}

/** Download a file, which the service worker keeps. */
export async function download(address: string, progress: Progress): Promise<void> {
  const response = await fetch(address);
  const reader = response.body?.getReader();
  if (!response.ok || !reader) throw new Error(`${address}: ${response.status}`);
  let loaded = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) progress((loaded += next.value.length));
}

/** Wait until files that were downloaded are kept. Throws if they are not, as where there is no room. */
export async function whenKept(addresses: string[]): Promise<void> {
  for (let waited = 0; ; waited += 100) {
    const found = await Promise.all(addresses.map((address) => caches.match(new URL(address, document.baseURI).href)));
    if (found.every(Boolean)) return;
    if (waited >= PATIENCE) throw new Error("the browser does not keep it");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

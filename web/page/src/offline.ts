/** Keeping the page and what it downloads, so that it works without a network. */

import type { Progress } from "./priors";

const PATIENCE = 3000; // milliseconds that the page waits for its service worker to begin, and to write what it keeps

/** Whether what is downloaded from now on is kept. */
export async function startKeeping(): Promise<boolean> {
  if (!("serviceWorker" in navigator)) return false; // not on pages without https, or in private windows
  try {
    const controlled = new Promise<void>((resolve) => {
      navigator.serviceWorker.addEventListener("controllerchange", () => resolve(), { once: true });
    });
    await navigator.serviceWorker.register("sw.js");
    const late = new Promise<void>((resolve) => setTimeout(resolve, PATIENCE));
    if (!navigator.serviceWorker.controller) await Promise.race([controlled, late]);
    return Boolean(navigator.serviceWorker.controller);
  } catch {
    return false;
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

/** The service worker: keeps the page from the start, and runtimes and priors once they were downloaded. */

/// <reference lib="webworker" />
export {};
declare const self: ServiceWorkerGlobalScope;
/** `version` of the page; `shell`: the files that it is made of; `large`: those that are kept once they are used. */
declare const __FILES__: { version: string; shell: string[]; large: string[] };

const FILES = __FILES__;
const PREFIX = `invcomp ${self.registration.scope} `; // other pages of this origin have caches too
const SHELL = `${PREFIX}page ${FILES.version}`;
const LARGE = `${PREFIX}large`; // names of these files change with what is in them

const absolute = (address: string) => new URL(address, self.registration.scope).href;
const large = new Set(FILES.large.map(absolute));

self.addEventListener("install", (event) => {
  const requests = FILES.shell.map((address) => new Request(address, { cache: "reload" }));
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll(requests)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([dropOld(), self.clients.claim()]));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  event.respondWith(answer(event));
});

async function dropOld(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(PREFIX) && name !== SHELL && name !== LARGE);
  await Promise.all(old.map((name) => caches.delete(name)));
  const cache = await caches.open(LARGE);
  const gone = (await cache.keys()).filter(({ url }) => !large.has(url));
  await Promise.all(gone.map((request) => cache.delete(request)));
}

async function answer(event: FetchEvent): Promise<Response> {
  const { request } = event;
  const wanted = request.mode === "navigate" ? absolute("./") : request.url;
  for (const name of [SHELL, LARGE]) {
    const kept = await (await caches.open(name)).match(wanted);
    if (kept) return kept;
  }
  const response = await fetch(request);
  if (response.status === 200 && large.has(request.url)) {
    const copy = response.clone();
    const kept = caches.open(LARGE).then((cache) => cache.put(request.url, copy));
    event.waitUntil(kept.catch(() => {})); // no room, or broken off: it is fetched again
  }
  return response;
}

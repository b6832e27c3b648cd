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
const shell = new Set(FILES.shell.map(absolute));
const page = absolute("./");
/** Addresses that change with what is behind them. */
const lasting = new Set([...large, ...FILES.shell.filter((name) => name.startsWith("assets/")).map(absolute)]);

self.addEventListener("install", (event) => {
  const requests = FILES.shell.map((address) => new Request(address, { cache: "reload" }));
  event.waitUntil(
    caches
      .open(SHELL)
      .then((cache) => cache.addAll(requests))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([dropOld(), self.clients.claim()]));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const wanted = request.mode === "navigate" ? pageAt(request.url) : request.url;
  if (request.method !== "GET" || !(shell.has(wanted) || large.has(wanted))) return; // not of this page
  event.respondWith(lasting.has(wanted) ? answer(event, wanted) : fromNetwork(request, wanted));
});

async function dropOld(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(PREFIX) && name !== SHELL && name !== LARGE);
  await Promise.all(old.map((name) => caches.delete(name)));
  const cache = await caches.open(LARGE);
  const gone = (await cache.keys()).filter(({ url }) => !large.has(url));
  await Promise.all(gone.map((request) => cache.delete(request)));
}

/** The page's own address if that is what is navigated to, whatever is asked of it. */
function pageAt(address: string): string {
  const plain = address.replace(/[?#].*$/, "");
  return plain === absolute("./index.html") ? page : plain;
}

/** What may have changed since: a later build of the page, or another site in its place. Without a network what is kept. */
async function fromNetwork(request: Request, wanted: string): Promise<Response> {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await (await caches.open(SHELL)).match(wanted);
    if (kept) return kept;
    throw error;
  }
}

/** What is kept; else what the network has, and large files are kept from then on. */
async function answer(event: FetchEvent, wanted: string): Promise<Response> {
  for (const name of [SHELL, LARGE]) {
    const kept = await (await caches.open(name)).match(wanted);
    if (kept) return kept;
  }
  const response = await fetch(event.request);
  if (response.status === 200 && large.has(wanted)) {
    const copy = response.clone();
    const kept = caches.open(LARGE).then((cache) => cache.put(wanted, copy));
    event.waitUntil(kept.catch(() => {})); // no room, or broken off: it is fetched again
  }
  return response;
}

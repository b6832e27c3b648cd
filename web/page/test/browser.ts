/** A headless Chromium and a server of the built page, for tests. */

import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { extname, join, normalize } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";

export const DIST = join(import.meta.dirname, "..", "..", "dist");
const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
};
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** WebGPU on the CPU, by SwiftShader. */
export const SOFTWARE_GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];

/** Where Chromium is; null if it is nowhere. */
export function chromiumPath(): string | null {
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const places = [process.env.CHROMIUM ?? "", ...names.map((name) => `/usr/bin/${name}`)];
  return places.find((place) => place && existsSync(place)) ?? null;
}

export function launch(more = ["--disable-gpu"]): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath()!, headless: true, args: [...ARGUMENTS, ...more] });
}

/** Serves the page in a folder, as any web server would, until it is stopped. */
export class PageServer {
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  private server: Server | null = null;
  private port = 0;

  /** `folder` is what it serves; `isolated`: with the headers that allow threads. */
  constructor(
    public folder = DIST,
    private readonly isolated = false,
  ) {}

  async start(): Promise<string> {
    this.server = createServer((request, response) => {
      const path = decodeURIComponent(new URL(request.url!, "http://x").pathname);
      this.asked.push(path);
      const within = path.startsWith("/some/folder/") ? path.slice("/some/folder/".length) || "index.html" : "?";
      const file = join(this.folder, normalize(within));
      if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return response.writeHead(404).end();
      const type = TYPES[extname(file)] ?? "application/octet-stream";
      const data = readFileSync(file);
      const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
      response.writeHead(200, { "Content-Type": type, "Content-Length": data.length, ...(this.isolated && isolation) });
      response.end(data);
    });
    await new Promise<void>((resolve) => this.server!.listen(this.port, "127.0.0.1", resolve));
    this.port = (this.server.address() as { port: number }).port;
    return `http://127.0.0.1:${this.port}/some/folder/`;
  }

  async stop(): Promise<void> {
    const server = this.server;
    this.server = null;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }
}

/** Wait until the page shows a picture or a sentence; gives the sentence, or null. */
export async function settled(page: Page): Promise<string | null> {
  await page.waitForSelector("#main[data-state=done], #main[data-state=error]", { timeout: 60_000 });
  const error = page.locator("#error");
  return (await error.isVisible()) ? error.textContent() : null;
}

/** Open the page, and wait until files can be shown. */
export async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await page.waitForSelector("#main[data-state=ready], #main[data-state=done]");
}

/** Choose a file, as with the page's button. */
export async function choose(page: Page, name: string, data: Uint8Array): Promise<string | null> {
  await page.setInputFiles("#file", { name, mimeType: "application/octet-stream", buffer: Buffer.from(data) });
  return settled(page);
}

/** The pixels on the large canvas, 4 bytes each. */
export async function pixels(page: Page): Promise<{ width: number; height: number; data: number[] }> {
  return page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>("#picture")!;
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, width, height);
    return { width, height, data: Array.from(data) };
  });
}

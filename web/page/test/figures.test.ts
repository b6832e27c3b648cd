/** The figures of `web/README.md`: printed, not compared with anything, since they are those of this machine. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { readArchitecture } from "../../decoder/src/architecture";
import { readFactors } from "../../decoder/src/factors";
import { FACES, FACES_64, goldenFile } from "../../decoder/test/helpers";
import { choose, chromiumPath, DIST, launch, open, PageServer, settled } from "./browser";

const TIMES = 10;

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Sizes of files of the page, as they are and compressed. */
function size(...names: string[]): string {
  const data = names.map((name) => readFileSync(join(DIST, name)));
  const sum = (lengths: number[]) => megabytes(lengths.reduce((total, length) => total + length));
  return `${sum(data.map(({ length }) => length))}, gzip ${sum(data.map((file) => gzipSync(file).length))}`;
}

test("sizes of what is downloaded", () => {
  const assets = readdirSync(join(DIST, "assets")).map((name) => `assets/${name}`);
  const shell = assets.filter((name) => !name.endsWith(".wasm"));
  const figures: Record<string, string> = {
    page: size("index.html", "sw.js", "priors/index.json", "runtimes.json", ...shell),
  };
  for (const name of assets.filter((name) => name.endsWith(".wasm"))) figures[name.slice(7)] = size(name);
  for (const { name, address, files } of JSON.parse(readFileSync(join(DIST, "priors", "index.json"), "utf-8"))) {
    figures[name] = size(...files.map((file: string) => address + file));
  }
  console.table(figures);
});

test("times of filling levels that are missing, in Node", () => {
  const figures: Record<string, string> = {};
  for (const { name, address, files } of JSON.parse(readFileSync(join(DIST, "priors", "index.json"), "utf-8"))) {
    if (!files.includes("factors.safetensors")) continue;
    const read = (file: string) => readFileSync(join(DIST, address, file));
    const architecture = readArchitecture(JSON.parse(read("tables.json").toString()).architecture);
    const side = architecture.imageSize!;
    const levels = architecture.latentShapes({ width: side, height: side }).map((shape) => {
      return { shape, symbols: new Int32Array(shape.reduce((size, length) => size * length)) };
    });
    const times = Array.from({ length: TIMES }, () => {
      const factors = readFactors(read("factors.safetensors"), architecture);
      const missing = levels.map((_, n) => n >= factors.levels - 1); // the most that are looked at
      return ["first", "again"].map(() => {
        const began = performance.now();
        factors.fill(levels, missing, 0);
        return performance.now() - began;
      });
    });
    const typical = (n: number) => `${median(times.map((both) => both[n])).toFixed(0)} ms`;
    figures[name] = `${typical(0)} at first, ${typical(1)} later; the very first ${times[0][0].toFixed(0)} ms`;
  }
  console.table(figures);
});

test.skipIf(chromiumPath() === null)("times in Chromium, on the CPU", async () => {
  const server = new PageServer();
  const address = await server.start();
  const browser = await launch();
  const context = await browser.newContext({ reducedMotion: "reduce" });
  const file = Buffer.from(goldenFile(`v1-${FACES}-own-size`)).toString("base64url");
  const figures: Record<string, string> = {};
  try {
    for (const kind of ["nothing kept", "everything kept, no network"]) {
      const page = await context.newPage();
      const began = performance.now();
      await page.goto(`${address}#${file}`);
      await page.waitForFunction(() => document.querySelector<HTMLElement>("#result")?.hidden === false, null, {
        polling: 10,
      });
      figures[`from address to picture, ${kind}`] = `${((performance.now() - began) / 1000).toFixed(2)} s`;
      expect(await settled(page)).toBeNull();
      await page.getByText("this page works offline.").waitFor({ timeout: 60_000 });
      await page.close();
      await server.stop();
    }
    await server.start();
    for (const [prior, stem] of [
      ["faces", `v1-${FACES}-own-size`],
      ["faces-64", `v1-${FACES_64}-q36-1`],
    ]) {
      const page = await context.newPage();
      await open(page, address);
      for (let n = 0; n <= TIMES; n++) {
        expect(await choose(page, "x.inv", goldenFile(stem))).toBeNull();
        if (!n) await page.evaluate(() => performance.clearMeasures()); // the first compiles
      }
      for (const step of ["read", "paint"]) {
        const times = await page.evaluate(
          (name) => performance.getEntriesByName(name).map(({ duration }) => duration),
          step,
        );
        figures[`${prior}: ${step === "read" ? "bytes to symbols" : "symbols to picture"}`] =
          `${median(times).toFixed(0)} ms`;
      }
      await page.close();
    }
  } finally {
    await browser.close();
    await server.stop();
  }
  console.table(figures);
});

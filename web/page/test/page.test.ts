/** The built page in headless Chromium. */

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, devices, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { checksum } from "../../decoder/src/checksums";
import { type Cut, GOLDEN, goldenFile, largestDifference, pictureOf } from "../../decoder/test/helpers";
import { FACES, FACES_64, IDS, png, priorFiles, SHIPPED, vectors } from "../../decoder/test/helpers";
import { choose, chromiumPath, DIST, launch, open, PageServer, pixels, settled, SOFTWARE_GPU } from "./browser";

const SCREENSHOTS = join(import.meta.dirname, "..", "..", "build", "screenshots");
const none = chromiumPath() === null;
if (none) console.warn("the page is not tested: there is no Chromium; install it, or name it in CHROMIUM");

const NO_ADAPTER = "this Chromium has no WebGPU, not even in software";
const hasAdapter = (page: Page): Promise<boolean> =>
  page.evaluate(async () => Boolean(await (navigator as any).gpu?.requestAdapter()));

const RUNTIME = 14_239_897; // bytes of ONNX Runtime's WebAssembly

/** What the page says of the download of priors, with `more` bytes. */
function downloaded(keys: string[], more = 0): string {
  const files = keys.flatMap((key) => Object.values(priorFiles(key)));
  return `${(files.reduce((sum, file) => sum + file.length, more) / 1e6).toFixed(1)} MB`;
}

describe.skipIf(none)("the page", () => {
  const server = new PageServer();
  const strangers: string[] = []; // requests that go anywhere else
  const complaints: string[] = []; // in the console
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let address: string;

  beforeAll(async () => {
    rmSync(SCREENSHOTS, { recursive: true, force: true });
    mkdirSync(SCREENSHOTS, { recursive: true });
    address = await server.start();
    browser = await launch();
    context = await browser.newContext({ reducedMotion: "reduce" });
    page = await context.newPage();
    context.on("request", (request) => {
      if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(address)) strangers.push(request.url());
    });
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    await open(page, address);
  });

  afterAll(async () => {
    await browser?.close();
    await server.stop();
  });

  test("says what is downloaded, how large it is, and when it is there", async () => {
    const table = page.locator("#priors");
    for (const text of [
      "faces",
      IDS.faces.slice(0, 12),
      "human faces, aligned as in FFHQ",
      "Apache-2.0",
      downloaded([FACES]),
      "faces-64",
      downloaded([FACES_64]),
      downloaded([], RUNTIME),
    ]) {
      await table.getByText(text).first().waitFor();
    }
    await page.getByText("this page works offline.").waitFor({ timeout: 60_000 });
    await page.getByText(`${downloaded([FACES, FACES_64], RUNTIME)} in all are kept by your browser`).waitFor();
  });

  describe("pixels of golden files lie within 2 of Python's", () => {
    test.each(SHIPPED)("%s", async (stem) => {
      const error = await choose(page, `${stem}.inv`, goldenFile(stem));
      if (stem.endsWith("jxl") && error) {
        expect(error).toBe(
          `${stem}.inv holds a JPEG XL picture, which this browser cannot decode; use invcomp decompress`,
        );
        return;
      }
      expect(error).toBeNull();
      // browsers have a JPEG XL decoder of their own: 1 off, and 3 where the picture is enlarged
      const most = stem.endsWith("jxl") ? 3 : 2;
      expect(largestDifference(await pixels(page), png(GOLDEN, `${stem}.png`))).toBeLessThanOrEqual(most);
    });
  });

  test.each(vectors<Cut[]>("cuts"))("$stem, cut off after $bytes bytes, is within 2 of Python's", async (cut) => {
    expect(await choose(page, "cut.inv", goldenFile(cut.stem).subarray(0, cut.bytes))).toBeNull();
    expect(await page.locator("#note").innerText()).toContain("cut.inv is truncated or damaged");
    expect(largestDifference(await pixels(page), pictureOf(cut))).toBeLessThanOrEqual(2);
  });

  test("says what a file is, and shows its levels and their bytes", async () => {
    const stem = `v1-${FACES}-progressive`;
    const data = goldenFile(stem);
    const least = Math.min(...vectors<Cut[]>("cuts").flatMap((cut) => (cut.stem === stem ? [cut.bytes] : [])));
    expect(await choose(page, "face.inv", data)).toBeNull();
    const facts = await page.locator("#facts").innerText();
    for (const text of [
      `${data.length} bytes`,
      "64 × 64 pixels",
      `faces (${IDS.faces.slice(0, 12)})`,
      "Apache-2.0",
      "16 bits a level",
      "the CPU (WebAssembly)",
    ]) {
      expect(facts).toContain(text);
    }
    const levels = await page.locator("#levels button").allInnerTexts();
    expect(levels).toHaveLength(5);
    expect(levels[0]).toMatch(new RegExp(`1 level\\s+${least} bytes`));
    expect(levels[4]).toMatch(new RegExp(`5 levels\\s+${data.length} bytes`));
    const whole = await pixels(page);
    await page.locator("#levels button").first().click();
    expect(largestDifference(await pixels(page), whole)).toBeGreaterThan(10);
    await page.screenshot({ path: join(SCREENSHOTS, "levels.png"), fullPage: true });
  });

  test("saves a PNG that says which prior made it", async () => {
    expect(await choose(page, "face.inv", goldenFile(`v1-${FACES}-progressive`))).toBeNull();
    for (const [level, some] of [
      [4, false],
      [1, true],
    ] as const) {
      await page.locator("#levels button").nth(level).click();
      await page.waitForTimeout(300);
      const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
      expect(download.suggestedFilename()).toBe("face.png");
      const path = await download.path();
      expect(largestDifference(png(path), await pixels(page))).toBe(0); // and its checksums are right
      const text = readFileSync(path, "latin1");
      expect(text).toContain(`invcomp-prior\x00${IDS.faces}`);
      expect(text).toContain("digitalsourcetype/trainedAlgorithmicMedia");
      expect(text.includes("invcomp-levels\x002 of 5")).toBe(some);
    }
  });

  test("shows a truncated progressive file as far as it goes, and says so", async () => {
    const data = goldenFile(`v1-${FACES}-progressive`);
    expect(await choose(page, "face.inv", data.subarray(0, 200))).toBeNull();
    expect(await page.locator("#note").innerText()).toBe(
      "face.inv is truncated or damaged: 3 of its 5 levels are there; the prior fills in the rest.",
    );
    expect(await page.locator("#levels button").count()).toBe(3);
    await page.screenshot({ path: join(SCREENSHOTS, "truncated.png"), fullPage: true });
  });

  test("shows a file that claims a hundred million pixels, smaller", async () => {
    const { id } = JSON.parse(readFileSync(join(import.meta.dirname, "../../build/priors/faces/prior.json"), "utf-8"));
    const short = parseInt(id.slice(0, 3), 16) >> 1;
    const body = Uint8Array.from([0xa0, 0x80 | (short >> 8), short & 255, 0x03, 0x90, 0x4e]); // 10,000 a side
    const sum = checksum(Uint8Array.from(Buffer.from(id, "hex")), body);
    expect(await choose(page, "x.inv", Uint8Array.from([...body, sum >> 8, sum & 255]))).toBeNull();
    expect(await page.locator("#caption").innerText()).toBe("10000 × 10000 pixels, shown at 2048 × 2048");
  });

  test.each([
    [["dropped.inv"], "dropped.inv"],
    [["dropped.inv", "b.inv", "c.inv"], "dropped.inv (the first of 3 files)"],
  ])("takes what is dropped, %j", async (names, title) => {
    const bytes = Array.from(goldenFile(`v1-${FACES}-q36-1`));
    await page.evaluate(
      ([values, names]) => {
        const transfer = new DataTransfer();
        for (const name of names) transfer.items.add(new File([Uint8Array.from(values)], name));
        document.querySelector("h1")!.dispatchEvent(new DragEvent("drop", { bubbles: true, dataTransfer: transfer }));
      },
      [bytes, names] as const,
    );
    expect(await settled(page)).toBeNull();
    expect(await page.locator("#result-title").innerText()).toBe(title);
    expect(largestDifference(await pixels(page), png(GOLDEN, `v1-${FACES}-q36-1.png`))).toBeLessThanOrEqual(2);
  });

  const base64 = Buffer.from(goldenFile(`v1-${FACES}-q36-1`)).toString("base64");
  test.each([
    ["plain", base64],
    ["in lines", base64.replace(/.{60}/g, "$&\r\n") + "\n"],
    ["a data: URL", `data:application/octet-stream;base64,${base64}`],
    ["for addresses, without padding", Buffer.from(base64, "base64").toString("base64url")],
    [
      "the page's own link",
      `https://example.org/invcomp/?device=wasm#${Buffer.from(base64, "base64").toString("base64url")}`,
    ],
    ["escaped", encodeURIComponent(base64.replace(/.{60}/g, "$&\r\n"))],
    ["with spaces of no width", `\ufeff${base64.replace(/.{20}/g, "$&\u200b")}`],
    ["quoted", base64.replace(/.{60}/g, "$&\n").replace(/^/gm, "> > ")],
  ])("takes base64, %s", async (_, text) => {
    await page.fill("#text", text);
    await page.click("#paste button");
    expect(await settled(page)).toBeNull();
    expect(largestDifference(await pixels(page), png(GOLDEN, `v1-${FACES}-q36-1.png`))).toBeLessThanOrEqual(2);
  });

  test("takes what is pasted anywhere", async () => {
    await page.evaluate((text) => {
      const data = new DataTransfer();
      data.setData("text", text);
      document.body.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, clipboardData: data }));
    }, base64);
    expect(await settled(page)).toBeNull();
    expect(largestDifference(await pixels(page), png(GOLDEN, `v1-${FACES}-q36-1.png`))).toBeLessThanOrEqual(2);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
    expect(download.suggestedFilename()).toBe("picture.png");
  });

  test("says that it fetches no address that is dropped", async () => {
    await page.evaluate(() => {
      const transfer = new DataTransfer();
      transfer.setData("text", "https://example.org/face.inv");
      document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, dataTransfer: transfer }));
    });
    expect(await settled(page)).toBe(
      "what was dropped is an address, and this page fetches none; save what is there, and open that file",
    );
  });

  test("takes a file in the address", async () => {
    const other = await context.newPage();
    await open(other, `${address}#${Buffer.from(base64, "base64").toString("base64url")}`);
    expect(await settled(other)).toBeNull();
    expect(largestDifference(await pixels(other), png(GOLDEN, `v1-${FACES}-q36-1.png`))).toBeLessThanOrEqual(2);
    expect(await choose(other, "x.inv", goldenFile(`v1-${FACES}-q0-0`))).toBeNull();
    expect(new URL(other.url()).hash).toBe("");
    await other.close();
  });

  describe("refuses with one sentence, and keeps the picture before", () => {
    let former: Awaited<ReturnType<typeof pixels>>;
    beforeAll(async () => {
      expect(await choose(page, "good.inv", goldenFile(`v1-${FACES}-progressive`))).toBeNull();
      former = await pixels(page);
    });

    afterEach(async () => {
      expect(await page.locator("#result").isVisible()).toBe(true);
      expect(await page.locator("#result-title").innerText()).toBe("good.inv");
      expect(await page.locator("#levels button").count()).toBe(5);
      expect(largestDifference(await pixels(page), former)).toBe(0);
    });

    const face = goldenFile(`v1-${FACES}-q0-0`);
    const damaged = face.slice();
    damaged[20] ^= 1;
    const version = face.slice();
    version[0] |= 8;
    test.each([
      ["a picture", new TextEncoder().encode("\x89PNG\r\n\x1a\n 0000"), "x.inv is not an invcomp file"],
      ["an empty file", new Uint8Array(), "x.inv is empty"],
      [
        "a truncated file",
        face.subarray(0, 30),
        "x.inv is truncated or damaged: its checksum does not agree; get it again",
      ],
      ["a damaged file", damaged, "x.inv is truncated or damaged: its checksum does not agree; get it again"],
      ["a later version", version, "x.inv has format version 2; this program reads version 1"],
      [
        "a file of a prior that is not here",
        goldenFile("v1-b6402a70-q0-0"),
        /^x\.inv needs a prior whose id begins with 0x5b2 .* which this page does not have \(it has faces, faces-64\); build/,
      ],
    ])("%s", async (_, data, sentence) => {
      expect(await choose(page, "x.inv", data)).toMatch(sentence);
    });

    test.each([
      ["text that is no base64", "hello, world!", "the pasted text is no base64; make it with `base64 face.inv`"],
      ["base64 of something else", "aGVsbG8=", "the pasted text is not an invcomp file"],
      ["nothing", "  ", "the pasted text is empty; paste the base64 of an .inv file"],
    ])("%s", async (_, text, sentence) => {
      await page.fill("#text", text);
      await page.click("#paste button");
      expect(await settled(page)).toBe(sentence);
    });
  });

  test("shows files that are given before it is ready", async () => {
    const other = await (await browser.newContext({ serviceWorkers: "block", reducedMotion: "reduce" })).newPage();
    let go = () => {};
    const held = new Promise<void>((resolve) => (go = resolve));
    await other.route("**/priors/index.json", async (route) => {
      await held;
      await route.continue();
    });
    const own = new PageServer();
    await other.goto(await own.start());
    const shown = choose(other, "early.inv", goldenFile(`v1-${FACES}-q36-1`));
    await other.waitForSelector("#main[data-state=busy]");
    go();
    expect(await shown).toBeNull();
    expect(await other.locator("#result-title").innerText()).toBe("early.inv");
    await other.context().close();
    await own.stop();
  });

  test("does not wait for what a hard reload goes past, and says so", async () => {
    const other = await context.newPage();
    await open(other, address);
    const session = await context.newCDPSession(other);
    await session.send("Page.reload", { ignoreCache: true });
    await other.getByText("This visit went past what your browser keeps of this page").waitFor({ timeout: 2500 });
    await other.reload();
    await other.getByText("this page works offline.").waitFor();
    await other.close();
  });

  test("works after the server is gone", async () => {
    await server.stop();
    await page.goto("about:blank");
    await open(page, address);
    for (const stem of [`v1-${FACES}-own-size`, `v1-${FACES_64}-q36-1`]) {
      expect(await choose(page, `${stem}.inv`, goldenFile(stem))).toBeNull();
      expect(largestDifference(await pixels(page), png(GOLDEN, `${stem}.png`))).toBeLessThanOrEqual(2);
    }
    await page.getByText("this page works offline.").waitFor();
    await server.start();
  });

  test("asks no other server, and complains of nothing", () => {
    expect(strangers).toEqual([]);
    expect(complaints).toEqual([]);
    expect(server.asked.filter((path) => path.endsWith(".wasm"))).toHaveLength(1);
  });

  test("is looked at", async () => {
    for (const [name, options] of Object.entries({
      light: { viewport: { width: 1100, height: 900 }, colorScheme: "light" as const },
      dark: { viewport: { width: 1100, height: 900 }, colorScheme: "dark" as const },
      phone: devices["Pixel 7"],
    })) {
      const fresh = await browser.newContext({ ...options, reducedMotion: "reduce" });
      const view = await fresh.newPage();
      await open(view, address);
      await view.screenshot({ path: join(SCREENSHOTS, `${name}-first.png`), fullPage: true });
      await view.getByRole("button", { name: "progressive" }).click();
      expect(await settled(view)).toBeNull();
      const top = await view.evaluate(() => document.querySelector("#result")!.getBoundingClientRect().top);
      expect(top).toBeGreaterThanOrEqual(-1);
      expect(top).toBeLessThan(options.viewport.height);
      expect(await view.locator("#announcement").innerText()).toBe("face-3.inv is shown, 128 × 128 pixels.");
      expect(await view.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
      await view.getByText("this page works offline.").waitFor({ timeout: 60_000 });
      await view.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
      await fresh.close();
    }
    expect(readdirSync(SCREENSHOTS).length).toBeGreaterThanOrEqual(6);
  });
});

describe.skipIf(none)("elsewhere", () => {
  test("a GPU that fails gives way to WebAssembly", async () => {
    const server = new PageServer();
    const browser = await launch();
    try {
      const page = await browser.newPage({ reducedMotion: "reduce" });
      await page.addInitScript(() => {
        Object.defineProperty(navigator, "gpu", { value: { requestAdapter: async () => ({ features: new Set() }) } });
      });
      await open(page, await server.start());
      expect(await choose(page, "x.inv", goldenFile(`v1-${FACES}-q36-1`))).toBeNull();
      expect(await page.locator("#facts").innerText()).toContain("the CPU (WebAssembly)");
    } finally {
      await browser.close();
      await server.stop();
    }
  });

  test("a page that may use threads decodes too", async () => {
    const server = new PageServer(DIST, true);
    const browser = await launch();
    try {
      const page = await browser.newPage({ reducedMotion: "reduce" });
      await open(page, await server.start());
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
      expect(await choose(page, "x.inv", goldenFile(`v1-${FACES}-own-size`))).toBeNull();
      expect(largestDifference(await pixels(page), png(GOLDEN, `v1-${FACES}-own-size.png`))).toBeLessThanOrEqual(2);
    } finally {
      await browser.close();
      await server.stop();
    }
  });

  test("a page that keeps nothing says so, and one with another prior's generator refuses it", async () => {
    const server = new PageServer();
    const browser = await launch();
    try {
      const context = await browser.newContext({ serviceWorkers: "block", reducedMotion: "reduce" });
      const page = await context.newPage();
      await page.route("**/priors/faces-64-*/generator.onnx", async (route) => {
        const [other] = server.asked.filter((path) => /faces-[0-9a-f]{8}.*generator/.test(path));
        await route.continue({ url: new URL(other, page.url()).href });
      });
      await open(page, await server.start());
      await page.getByText("so each is downloaded when a file needs it.").waitFor();
      expect(await choose(page, "x.inv", goldenFile(`v1-${FACES}-q36-1`))).toBeNull();
      expect(await choose(page, "x.inv", goldenFile(`v1-${FACES_64}-q36-1`))).toMatch(
        /^generator.onnx is damaged or of another prior than faces-64: its SHA-256 is not the one in prior.json; export/,
      );
    } finally {
      await browser.close();
      await server.stop();
    }
  });
});

describe.skipIf(none)("where its service worker runs", () => {
  const folder = mkdtempSync(join(tmpdir(), "invcomp-page-"));
  const server = new PageServer();
  let browser: Browser;
  let page: Page;

  /** A folder with a copy of the page, under another title. */
  function build(title: string, version: string): string {
    const copy = join(folder, version);
    cpSync(DIST, copy, { recursive: true });
    const edit = (name: string, pattern: RegExp, text: string) =>
      writeFileSync(join(copy, name), readFileSync(join(copy, name), "utf-8").replace(pattern, text));
    edit("index.html", /<title>.*<\/title>/, `<title>${title}</title>`);
    edit("sw.js", /(version['"]?:\s*['"])\w+/, `$1${version}`);
    return copy;
  }

  const kept = (): Promise<string[]> => page.evaluate(() => caches.keys());
  const versions = async () => (await kept()).flatMap((name) => / page (.*)/.exec(name)?.[1] ?? []);

  beforeAll(async () => {
    browser = await launch();
    page = await browser.newPage({ reducedMotion: "reduce" });
    server.folder = build("the first build", "one");
    await open(page, await server.start());
    await page.getByText("this page works offline.").waitFor({ timeout: 60_000 });
  });

  afterAll(async () => {
    await browser?.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("a reload gets a later build, also when there is no network from then on", async () => {
    expect([await page.title(), await versions()]).toEqual(["the first build", ["one"]]);
    server.folder = build("the second build", "two");
    await page.reload();
    expect(await page.title()).toBe("the second build");
    await expect.poll(versions, { timeout: 20_000 }).toEqual(["two"]);
    await page.getByText("this page works offline.").waitFor({ timeout: 60_000 });
    await server.stop();
    await page.reload();
    expect(await page.title()).toBe("the second build");
    expect(await choose(page, "x.inv", goldenFile(`v1-${FACES}-q36-1`))).toBeNull();
    await server.start();
  });

  test("other pages in its folder, and another site in its place, are not hidden by it", async () => {
    const site = join(folder, "another");
    mkdirSync(site);
    writeFileSync(join(site, "index.html"), "<title>another site</title>");
    writeFileSync(join(site, "other.html"), "<title>another page</title>");
    server.folder = site;
    const address = new URL("./", page.url()).href;
    for (const [name, title] of [
      ["other.html", "another page"],
      ["", "another site"],
      ["?device=wasm", "another site"],
    ]) {
      await page.goto(address + name);
      expect(await page.title()).toBe(title);
    }
  });
});

describe.skipIf(none)("with WebGPU", () => {
  test.for(["with JSPI", "without JSPI"])("%s, several decodes at once all arrive", async (kind, { skip }) => {
    const web = join(import.meta.dirname, "..", "..");
    const server = new PageServer(web);
    const browser = await launch(SOFTWARE_GPU);
    try {
      const page = await browser.newPage();
      if (kind === "without JSPI") await page.addInitScript("delete WebAssembly.Suspending");
      const bundle = (name: string) => `./node_modules/onnxruntime-web/dist/ort.${name}.bundle.min.mjs`;
      const imports = {
        "onnxruntime-web/jspi": bundle("jspi"),
        "onnxruntime-web/webgpu": bundle("webgpu"),
        "invcomp-decoder": "./decoder/dist/index.js",
      };
      const html =
        `<script type="importmap">${JSON.stringify({ imports })}</script>` +
        '<script type="module">import * as decoder from "invcomp-decoder"; window.decoder = decoder</script>';
      await page.route("**/decodes.html", (route) => route.fulfill({ contentType: "text/html", body: html }));
      await page.goto(`${await server.start()}decodes.html`);
      if (!(await hasAdapter(page))) skip(NO_ADAPTER);
      const names = ["23x10", "64x64", "1x9"];
      const pictures = await page.evaluate(async (names) => {
        const { decode, loadPrior } = (window as any).decoder as typeof import("invcomp-decoder");
        const prior = await loadPrior("build/golden/free", { devices: ["webgpu"] });
        const files = names.map(async (name) => (await fetch(`build/golden/free/${name}.inv`)).arrayBuffer());
        const decoded = (await Promise.all(files)).map((file) => decode(file, prior));
        return (await Promise.all(decoded)).map(({ width, height, data }) => ({
          width,
          height,
          data: Array.from(data),
        }));
      }, names);
      for (const [n, name] of names.entries()) {
        const expected = png(web, "build", "golden", "free", `${name}.png`);
        expect(largestDifference(pictures[n], expected)).toBeLessThanOrEqual(2);
      }
    } finally {
      await browser.close();
      await server.stop();
    }
  });

  test.for(["with JSPI", "without JSPI"])("%s, the GPU paints within 2 of Python's pixels", async (kind, { skip }) => {
    const server = new PageServer();
    const browser = await launch(SOFTWARE_GPU);
    try {
      const page = await browser.newPage({ reducedMotion: "reduce" });
      if (kind === "without JSPI") await page.addInitScript("delete WebAssembly.Suspending");
      await open(page, `${await server.start()}?device=webgpu`);
      if (!(await hasAdapter(page))) skip(NO_ADAPTER);
      const stem = `v1-${FACES_64}-levels`;
      expect(await choose(page, `${stem}.inv`, goldenFile(stem))).toBeNull();
      expect(await page.locator("#facts").innerText()).toContain("the GPU (WebGPU)");
      expect(largestDifference(await pixels(page), png(GOLDEN, `${stem}.png`))).toBeLessThanOrEqual(2);
      const build = kind === "with JSPI" ? "jspi" : "asyncify";
      expect(server.asked.filter((path) => path.endsWith(".wasm")).join()).toContain(build);
    } finally {
      await browser.close();
      await server.stop();
    }
  });
});

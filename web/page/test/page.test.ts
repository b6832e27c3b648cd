/** The built page in headless Chromium. */

import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, devices, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checksum } from "../../decoder/src/checksums";
import { GOLDEN, goldenFile, largestDifference, png, SHIPPED } from "../../decoder/test/helpers";
import { choose, chromiumPath, launch, open, PageServer, pixels, settled, SOFTWARE_GPU } from "./browser";

const SCREENSHOTS = join(import.meta.dirname, "..", "..", "build", "screenshots");
const none = chromiumPath() === null;
if (none) console.warn("the page is not tested: there is no Chromium; install it, or name it in CHROMIUM");

describe.skipIf(none)("the page", () => {
  const server = new PageServer();
  const strangers: string[] = []; // requests that go anywhere else
  const complaints: string[] = []; // in the console
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let address: string;

  beforeAll(async () => {
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
      "829ec0351b84",
      "human faces, aligned as in FFHQ",
      "Apache-2.0",
      "10.3 MB",
      "faces-64",
      "9.5 MB",
      "14.2 MB",
    ]) {
      await table.getByText(text).first().waitFor();
    }
    await page.getByText("this page works offline.").waitFor({ timeout: 60_000 });
    await page.getByText("34.0 MB in all are kept by your browser").waitFor();
  });

  describe("pixels of golden files lie within 2 of Python's", () => {
    test.each(SHIPPED)("%s", async (stem) => {
      const error = await choose(page, `${stem}.inv`, goldenFile(stem));
      if (stem.endsWith("jxl") && error) {
        expect(error).toBe(
          `${stem}.inv holds a JPEG XL picture, which this browser cannot decode; use invcomp decompress`,
        );
        complaints.length = 0;
        return;
      }
      expect(error).toBeNull();
      // browsers have a JPEG XL decoder of their own: 1 off, and 3 where the picture is enlarged
      const most = stem.endsWith("jxl") ? 3 : 2;
      expect(largestDifference(await pixels(page), png(GOLDEN, `${stem}.png`))).toBeLessThanOrEqual(most);
    });
  });

  test("says what a file is, and shows its levels and their bytes", async () => {
    const data = goldenFile("v1-829ec035-progressive");
    expect(await choose(page, "face.inv", data)).toBeNull();
    const facts = await page.locator("#facts").innerText();
    for (const text of [
      "326 bytes",
      "64 × 64 pixels",
      "faces (829ec0351b84)",
      "Apache-2.0",
      "16 bits a level",
      "the CPU (WebAssembly)",
    ]) {
      expect(facts).toContain(text);
    }
    const levels = await page.locator("#levels button").allInnerTexts();
    expect(levels).toHaveLength(5);
    expect(levels[0]).toMatch(/1 level\s+11 bytes/);
    expect(levels[4]).toMatch(/5 levels\s+326 bytes/);
    const whole = await pixels(page);
    await page.locator("#levels button").first().click();
    expect(largestDifference(await pixels(page), whole)).toBeGreaterThan(10);
    await page.screenshot({ path: join(SCREENSHOTS, "levels.png"), fullPage: true });
  });

  test("saves a PNG that says which prior made it", async () => {
    expect(await choose(page, "face.inv", goldenFile("v1-829ec035-progressive"))).toBeNull();
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
      expect(text).toContain("invcomp-prior\x00829ec0351b8470d1c05b805338daf0778e8eebf8e88bf62df1f522d116cc4dd3");
      expect(text).toContain("digitalsourcetype/trainedAlgorithmicMedia");
      expect(text.includes("invcomp-levels\x002 of 5")).toBe(some);
    }
  });

  test("shows a truncated progressive file as far as it goes, and says so", async () => {
    const data = goldenFile("v1-829ec035-progressive");
    expect(await choose(page, "face.inv", data.subarray(0, 200))).toBeNull();
    expect(await page.locator("#note").innerText()).toBe(
      "face.inv is truncated or damaged: 3 of its 5 levels are there.",
    );
    expect(await page.locator("#levels button").count()).toBe(3);
  });

  test("shows a file that claims a hundred million pixels, smaller", async () => {
    const { id } = JSON.parse(readFileSync(join(import.meta.dirname, "../../build/priors/faces/prior.json"), "utf-8"));
    const body = Uint8Array.from([0xa0, 0x80 | 0x04, 0x14, 0x03, 0x90, 0x4e]); // 10,000 a side
    const sum = checksum(Uint8Array.from(Buffer.from(id, "hex")), body);
    expect(await choose(page, "x.inv", Uint8Array.from([...body, sum >> 8, sum & 255]))).toBeNull();
    expect(await page.locator("#caption").innerText()).toBe("10000 × 10000 pixels, shown at 2048 × 2048");
  });

  test("takes a file that is dropped", async () => {
    const bytes = Array.from(goldenFile("v1-829ec035-q36-1"));
    await page.evaluate((values) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(values)], "dropped.inv"));
      document.querySelector("h1")!.dispatchEvent(new DragEvent("drop", { bubbles: true, dataTransfer: transfer }));
    }, bytes);
    expect(await settled(page)).toBeNull();
    expect(await page.locator("#result-title").innerText()).toBe("dropped.inv");
    expect(largestDifference(await pixels(page), png(GOLDEN, "v1-829ec035-q36-1.png"))).toBeLessThanOrEqual(2);
  });

  const base64 = Buffer.from(goldenFile("v1-829ec035-q36-1")).toString("base64");
  test.each([
    ["plain", base64],
    ["in lines", base64.replace(/.{60}/g, "$&\r\n") + "\n"],
    ["a data: URL", `data:application/octet-stream;base64,${base64}`],
    ["for addresses, without padding", Buffer.from(base64, "base64").toString("base64url")],
  ])("takes base64, %s", async (_, text) => {
    await page.fill("#text", text);
    await page.click("#paste button");
    expect(await settled(page)).toBeNull();
    expect(largestDifference(await pixels(page), png(GOLDEN, "v1-829ec035-q36-1.png"))).toBeLessThanOrEqual(2);
  });

  test("takes what is pasted anywhere", async () => {
    await page.evaluate((text) => {
      const data = new DataTransfer();
      data.setData("text", text);
      document.body.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, clipboardData: data }));
    }, base64);
    expect(await settled(page)).toBeNull();
  });

  test("takes a file in the address", async () => {
    const other = await context.newPage();
    await open(other, `${address}#${Buffer.from(base64, "base64").toString("base64url")}`);
    expect(await settled(other)).toBeNull();
    expect(largestDifference(await pixels(other), png(GOLDEN, "v1-829ec035-q36-1.png"))).toBeLessThanOrEqual(2);
    await other.close();
  });

  describe("refuses with one sentence", () => {
    const face = goldenFile("v1-829ec035-q0-0");
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
      expect(await page.locator("#result").isVisible()).toBe(false);
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

  test("works after the server is gone", async () => {
    await server.stop();
    await page.goto("about:blank");
    await open(page, address);
    for (const stem of ["v1-829ec035-own-size", "v1-067fd180-q36-1"]) {
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
      expect(await choose(page, "x.inv", goldenFile("v1-829ec035-q36-1"))).toBeNull();
      expect(await page.locator("#facts").innerText()).toContain("the CPU (WebAssembly)");
    } finally {
      await browser.close();
      await server.stop();
    }
  });

  test("a page that may use threads decodes too", async () => {
    const server = new PageServer(true);
    const browser = await launch();
    try {
      const page = await browser.newPage({ reducedMotion: "reduce" });
      await open(page, await server.start());
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
      expect(await choose(page, "x.inv", goldenFile("v1-829ec035-own-size"))).toBeNull();
      expect(largestDifference(await pixels(page), png(GOLDEN, "v1-829ec035-own-size.png"))).toBeLessThanOrEqual(2);
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
      expect(await choose(page, "x.inv", goldenFile("v1-829ec035-q36-1"))).toBeNull();
      expect(await choose(page, "x.inv", goldenFile("v1-067fd180-q36-1"))).toMatch(
        /^generator.onnx is damaged or of another prior than faces-64: its SHA-256 is not the one in prior.json; export/,
      );
    } finally {
      await browser.close();
      await server.stop();
    }
  });
});

describe.skipIf(none)("with WebGPU", () => {
  test.each(["with JSPI", "without JSPI"])("%s, the GPU paints within 2 of Python's pixels", async (kind) => {
    const server = new PageServer();
    const browser = await launch(SOFTWARE_GPU);
    try {
      const page = await browser.newPage({ reducedMotion: "reduce" });
      if (kind === "without JSPI") await page.addInitScript("delete WebAssembly.Suspending");
      await open(page, `${await server.start()}?device=webgpu`);
      if (!(await page.evaluate(async () => Boolean(await (navigator as any).gpu?.requestAdapter())))) {
        return console.warn("WebGPU is not tested: this Chromium has none, not even in software");
      }
      const stem = "v1-067fd180-levels";
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

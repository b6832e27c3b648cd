/** The package as npm packs it, installed into an empty folder: it is imported, decodes, and its types are found. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FACES_64, GOLDEN, PRIORS, ROOT } from "./helpers.js";

const PACKAGE = join(ROOT, "web", "decoder");
const folder = mkdtempSync(join(tmpdir(), "invcomp-decoder-"));

const SCRIPT = `
import { readFileSync } from "node:fs";
import { decode, info, InvcompError, loadPrior, namesOf } from "invcomp-decoder";

const [, , priorFolder, file] = process.argv;
const read = (name) => readFileSync(priorFolder + "/" + name);
const names = namesOf(JSON.parse(read("prior.json")));
const prior = await loadPrior(Object.fromEntries(names.map((name) => [name, read(name)])));
const picture = await decode(readFileSync(file), prior);
const refusal = await decode(readFileSync(file).subarray(1), prior, { name: "x.inv" }).catch((error) => error);
const { prior: name } = info(readFileSync(file), prior);
console.log(JSON.stringify([picture.width, picture.height, picture.data.length, name]));
console.log(refusal instanceof InvcompError, refusal.message);
`;

const TYPED = `
import { type Architecture, decode, type Generator, type LevelTables, loadPrior, type Prior } from "invcomp-decoder";

export async function show(bytes: Uint8Array, address: string): Promise<ImageData> {
  const onProgress = (loaded: number, total: number | null) => console.log(loaded, total);
  const prior: Prior = await loadPrior(address, { devices: ["wasm"], onProgress });
  return decode(bytes, prior, { levels: 2, partial: true });
}
export const parts = (prior: Prior): [Architecture, Generator, LevelTables[]] => [prior.architecture, prior.generator, prior.tables];
// @ts-expect-error: the number of levels is a number
export const wrong = (bytes: Uint8Array, prior: Prior) => decode(bytes, prior, { levels: "2" });
`;

function npm(cwd: string, ...args: string[]): string {
  return execFileSync("npm", args, { cwd, encoding: "utf-8", stdio: ["ignore", "pipe", "ignore"] });
}

beforeAll(() => {
  npm(PACKAGE, "pack", "--pack-destination", folder);
  const [tarball] = readdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
  npm(folder, "install", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", `./${tarball}`);
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("holds the code, its types, a README and the licence, and no more", () => {
  const installed = join(folder, "node_modules", "invcomp-decoder");
  expect(readdirSync(installed).sort()).toEqual(["LICENSE", "README.md", "dist", "package.json"]);
  expect(readdirSync(join(installed, "dist")).every((name) => /\.(js|d\.ts)$/.test(name))).toBe(true);
  expect(existsSync(join(folder, "node_modules", "onnxruntime-web"))).toBe(true); // the only other thing it needs
});

test("is imported and decodes", () => {
  writeFileSync(join(folder, "decode.js"), SCRIPT);
  const file = join(GOLDEN, `v1-${FACES_64}-wide.inv`);
  const printed = execFileSync("node", ["decode.js", join(PRIORS, FACES_64), file], {
    cwd: folder,
    encoding: "utf-8",
  });
  expect(printed.trim().split("\n")).toEqual(['[90,40,14400,"faces-64"]', "true x.inv is not an invcomp file"]);
});

test.each(["NodeNext", "Bundler"])("has types that tsc checks, with module resolution %s", (resolution) => {
  writeFileSync(join(folder, "typed.ts"), TYPED);
  const tsc = join(ROOT, "web", "node_modules", ".bin", "tsc");
  const module = resolution === "Bundler" ? "ESNext" : resolution;
  const options = ["--noEmit", "--strict", "--target", "ES2022", "--module", module, "--moduleResolution", resolution];
  try {
    execFileSync(tsc, [...options, "typed.ts"], { cwd: folder, encoding: "utf-8", stdio: "pipe" });
  } catch (error) {
    expect.fail((error as { stdout: string }).stdout);
  }
});

import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decode, loadPrior, PriorError, type PriorSource } from "../src/index.js";
import { sha256 } from "../src/sha256.js";
import { FACES, FACES_64, priorFiles, PRIORS } from "./helpers.js";

const text = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const parsed = (data: Uint8Array) => JSON.parse(new TextDecoder().decode(data));

/** A prior of free size, its tables changed, and the hashes made right again. */
async function changed(change: (tables: any) => void): Promise<PriorSource> {
  const files = priorFiles("free");
  const tables = parsed(files["tables.json"]);
  change(tables);
  const data = text(tables);
  const info = parsed(files["prior.json"]);
  info.files["tables.json"] = await sha256(data);
  return { ...files, "tables.json": data, "prior.json": text(info) };
}

test("an ONNX file, or tables, of another prior are refused", async () => {
  const files = priorFiles(FACES);
  const other = priorFiles(FACES_64);
  await expect(loadPrior({ ...files, "generator.onnx": other["generator.onnx"] })).rejects.toThrow(
    /^generator.onnx is damaged or of another prior than faces: its SHA-256 is not the one in prior.json; export/,
  );
  await expect(loadPrior({ ...files, "tables.json": other["tables.json"] })).rejects.toThrow(
    /^tables.json is damaged or of/,
  );
});

test("files chosen by a user are taken by their names", async () => {
  const files = Object.entries(priorFiles("free")).map(([name, data]) => new File([data as BlobPart], name));
  expect((await loadPrior(files)).info.name).toBe("free");
  await expect(loadPrior(files.slice(0, 2))).rejects.toThrow(PriorError);
});

describe("what is no prior is refused with one sentence", () => {
  test.each([
    ["", /^prior.json is damaged: it is no JSON/],
    ["[]", /^prior.json is damaged: a part of it is of another kind/],
    [{}, /^prior.json is damaged: it does not say name, id, domain and licence/],
    [{ name: "x", id: "12", domain: "", licence: "", files: {} }, /^prior.json is damaged: it does not say/],
    [
      { name: "x", id: "0".repeat(64), domain: "", licence: "", files: {} },
      /^tables.json is damaged or of another prior/,
    ],
  ])("prior.json: %j", async (value, sentence) => {
    await expect(loadPrior({ ...priorFiles("free"), "prior.json": text(value) })).rejects.toThrow(sentence);
  });

  test.each<[string, (tables: any) => void]>([
    ["another format", (tables) => (tables.format = 2)],
    ["no tensors", (tables) => delete tables.tensors],
    ["a missing table", (tables) => delete tables.tensors["tables.0.index"]],
    ["a table of another type", (tables) => (tables.tensors["tables.0.index"].type = "i32")],
    ["a wrong shape", (tables) => (tables.tensors["tables.1.cumulative"].shape[0] += 1)],
    ["a shape that is none", (tables) => (tables.tensors["tables.1.cumulative"].shape = ["a"])],
    ["numbers out of range", (tables) => (tables.tensors["tables.0.index"].data[0] = 300)],
    ["numbers that are none", (tables) => (tables.tensors["tables.0.index"].data[0] = null)],
    ["an index outside the tables", (tables) => (tables.tensors["tables.0.index"].data[0] = 200)],
    ["a frequency of zero", (tables) => (tables.tensors["tables.0.cumulative"].data[2] = 0)],
    ["contexts of what is not decoded", (tables) => (tables.tensors["tables.0.context.lean"].data[1] = 1)],
    ["weights that are too large", (tables) => tables.tensors["tables.0.context.lean"].data.fill(32_000, 3 * 3)],
    ["bins out of order", (tables) => tables.tensors["tables.0.context.lean_bounds"].data.reverse()],
    ["no levels", (tables) => (tables.architecture.latent_channels = [])],
    ["channels that are none", (tables) => (tables.architecture.latent_channels = [3, -2])],
    ["too many channels", (tables) => (tables.architecture.latent_channels = [3, 4096])],
    ["another size", (tables) => (tables.architecture.image_size = 33)],
    ["one rate", (tables) => (tables.architecture.rates = 1)],
  ])("tables.json: %s", async (_, change) => {
    await expect(loadPrior(await changed(change))).rejects.toBeInstanceOf(PriorError);
  });

  test("a generator that is none", async () => {
    const files = priorFiles("free");
    const info = parsed(files["prior.json"]);
    info.files["generator.onnx"] = await sha256(text("not a model") as Uint8Array<ArrayBuffer>);
    const prior = await loadPrior({ ...files, "generator.onnx": text("not a model"), "prior.json": text(info) });
    const data = new Uint8Array(readFileSync(join(PRIORS, "free", "23x10.inv")));
    await expect(decode(data, prior)).rejects.toThrow(/^generator.onnx cannot be run: /);
  });
});

describe("a prior at an address", () => {
  const files: Record<string, Uint8Array> = { ...priorFiles("free") };

  /** Runs a server of a folder `free` while it is used; `length`: of what is said and sent of the generator. */
  async function served<T>(use: (url: string) => Promise<T>, cut = false): Promise<T> {
    const server = createServer((request, response) => {
      const name = request.url!.replace("/free/", "");
      if (!files[name]) return response.writeHead(404).end();
      response.writeHead(200, { "Content-Length": files[name].length });
      if (!cut || name !== "generator.onnx") return response.end(files[name]);
      response.write(files[name].subarray(0, 100), () => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    try {
      return await use(`http://127.0.0.1:${port}`);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  test("is downloaded, and progress told in bytes", async () => {
    const seen: [number, number | null][] = [];
    const onProgress = (loaded: number, total: number | null) => seen.push([loaded, total]);
    const prior = await served((url) => loadPrior(`${url}/free`, { onProgress }));
    const total = Object.values(files).reduce((sum, { length }) => sum + length, 0);
    expect(prior.info.name).toBe("free");
    expect(seen.at(-1)).toEqual([total, total]);
  });

  test("is asked for the factors that its prior.json names", async () => {
    const card = files["prior.json"];
    const info = parsed(card);
    info.files["factors.safetensors"] = await sha256(text("no factors") as Uint8Array<ArrayBuffer>);
    files["prior.json"] = text(info);
    try {
      const load = () => served((url) => loadPrior(`${url}/free`));
      await expect(load()).rejects.toThrow(/factors.safetensors cannot be had: the server answers 404$/);
      files["factors.safetensors"] = text("no factors");
      await expect(load()).rejects.toThrow(/^factors.safetensors is damaged: its header is longer/);
    } finally {
      files["prior.json"] = card;
      delete files["factors.safetensors"];
    }
  });

  test("that is not there is refused, and one that breaks off", async () => {
    await expect(served((url) => loadPrior(`${url}/other/`))).rejects.toThrow(
      /prior.json cannot be had: the server answers 404$/,
    );
    await expect(served((url) => loadPrior(`${url}/free/`), true)).rejects.toThrow(
      /^generator.onnx did not arrive whole/,
    );
    await expect(loadPrior("http://127.0.0.1:9/free")).rejects.toThrow(/cannot be had: there is no connection/);
  });
});

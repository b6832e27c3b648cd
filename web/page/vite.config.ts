/** The static page: `build/priors/*` go into it, and a list of all its files into its service worker. */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { namesOf } from "invcomp-decoder";
import { defineConfig, type Plugin } from "vite";

const PRIORS = join(import.meta.dirname, "..", "build", "priors");

/**
 * Copies exported priors (those that WEB_PRIORS names, or all), and says in `priors/index.json` what they are;
 * `runtimes.json` says the same of onnxruntime-web.
 */
function contents(): Plugin {
  return {
    name: "contents",
    generateBundle(_, bundle) {
      const wanted = process.env.WEB_PRIORS?.split(" ").filter(Boolean);
      const names = wanted ?? (existsSync(PRIORS) ? readdirSync(PRIORS) : []);
      if (!names.length || !names.every((name) => existsSync(join(PRIORS, name))))
        this.error(`there are no such priors in ${PRIORS}: run make web`);
      const emit = (fileName: string, source: string | Uint8Array) =>
        this.emitFile({ type: "asset", fileName, source });
      const priors = names.map((folder) => {
        const card = readFileSync(join(PRIORS, folder, "prior.json"));
        const { name, id, domain, licence, files: hashes } = JSON.parse(card.toString());
        const files = namesOf({ files: hashes });
        const hash = createHash("sha256").update(card).digest("hex"); // of what names the others' hashes
        const address = `priors/${name}-${hash.slice(0, 8)}/`; // what changes has another address, since it is kept
        let bytes = 0;
        for (const file of files) {
          const data = readFileSync(join(PRIORS, folder, file));
          emit(address + file, data);
          bytes += data.length;
        }
        return { name, id, domain, licence, address, files, bytes };
      });
      emit("priors/index.json", JSON.stringify(priors, null, 1));
      const runtimes = Object.values(bundle).flatMap((file) => {
        const build = /ort-wasm-simd-threaded(?:\.(jspi|asyncify))?-.*\.wasm$/.exec(file.fileName);
        const data = build && file.type === "asset" && file.source;
        return data ? [[build[1] ?? "wasm", { address: file.fileName, bytes: data.length }]] : [];
      });
      emit("runtimes.json", JSON.stringify(Object.fromEntries(runtimes), null, 1));
    },
  };
}

/** Writes into the service worker what it keeps from the start, and what once it was used. */
function offline(): Plugin {
  return {
    name: "offline",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const names = Object.keys(bundle)
          .filter((name) => name !== "sw.js")
          .sort();
        const large = names.filter((name) => name.endsWith(".wasm") || /^priors\/.+\//.test(name));
        const hash = createHash("sha256");
        for (const name of names) {
          const file = bundle[name];
          if (!large.includes(name)) hash.update(name).update(file.type === "chunk" ? file.code : file.source);
        }
        const shell = ["./", ...names.filter((name) => !large.includes(name) && name !== "index.html")];
        const worker = bundle["sw.js"];
        if (worker?.type !== "chunk") this.error("there is no service worker");
        const said = JSON.stringify({ version: hash.digest("hex").slice(0, 8), shell, large });
        worker.code = worker.code.replace("__FILES__", said);
      },
    },
  };
}

export default defineConfig({
  base: "./",
  assetsInclude: ["**/*.inv"],
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    chunkSizeWarningLimit: 1000,
    rollupOptions: {
      input: ["index.html", "src/sw.ts"],
      output: { entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
  plugins: [contents(), offline()],
});

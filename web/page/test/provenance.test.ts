import { PNG } from "pngjs";
import { expect, test } from "vitest";
import { withProvenance } from "../src/provenance";

test.each([
  ["faces", "tEXtDescription\0Generated likeness, decoded by invcomp with the prior faces (id 000000000000)."],
  ["Köpfe", "iTXtDescription\0\0\0\0\0Generated likeness, decoded by invcomp with the prior Köpfe (id 000000000000)."],
])("a PNG file names the prior %s in letters that its readers understand", async (name, expected) => {
  const plain = PNG.sync.write(new PNG({ width: 2, height: 2 }));
  const prior = { name, id: "0".repeat(64), domain: "", licence: "", files: {} };
  const marked = await withProvenance(new Blob([new Uint8Array(plain)]), prior, 1, 1);
  const data = Buffer.from(await marked.arrayBuffer());
  expect(data.toString("utf-8")).toContain(expected);
  expect(PNG.sync.read(data).width).toBe(2); // and the checksums are right
});

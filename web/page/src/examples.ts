/**
 * Files to try, of the faces in `examples/faces` of the repository: `invcomp compress face-1.png --max-bytes 120`,
 * likewise face-2 with 200, and face-3 with 400 and `--progressive`. They need the prior `faces`.
 */

import { idBytes, readHeader, shortId } from "invcomp-decoder";
import { fromBase64 } from "./base64";
import first from "./examples/face-1.inv?inline";
import second from "./examples/face-2.inv?inline";
import third from "./examples/face-3.inv?inline";
import type { Entry } from "./priors";
import type { Given } from "./result";

export interface Example extends Given {
  title: string;
}

/** Those whose prior the page has. */
export function examples(entries: Entry[]): Example[] {
  const known = new Set(entries.map(({ id }) => shortId(idBytes(id))));
  const files = [first, second, third].map((address) => fromBase64(address));
  const found = files.map((data, n) => {
    const kind = n === 2 ? ", progressive" : "";
    return { title: `a face in ${data.length} bytes${kind}`, name: `face-${n + 1}.inv`, stem: `face-${n + 1}`, data };
  });
  return found.filter(({ data }) => known.has(readHeader(data).shortId));
}

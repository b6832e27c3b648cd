/** What people paste: base64 of a file, in any of its spellings. */

import { InvcompError } from "invcomp-decoder";

const INVISIBLE = /[\u00ad\u200b-\u200f\u2060\ufeff]/g; // characters that programs put into long words
const QUOTED = /^[ \t]*(>[ \t]?)+/gm; // as in answers to letters

/**
 * Bytes of base64 or base64url, also without padding, with white space, escaped with %, behind `data:` or behind the `#`
 * of this page's address. `name` is what messages call the text. Throws `InvcompError`.
 */
export function fromBase64(text: string, name = "the pasted text"): Uint8Array {
  const plain = text.replace(INVISIBLE, "").replace(QUOTED, "").trim();
  const address = /^[a-z]+:\/\/[^\s#]*(#?)/i.exec(plain);
  if (address && !address[1]) {
    throw new InvcompError(`${name} is an address, and this page fetches none; save what is there, and open that file`);
  }
  const letters = plain
    .slice(address?.[0].length ?? 0)
    .replace(/^data:[^,]*,/i, (head) => (/;base64,$/i.test(head) ? "" : "!"))
    .replace(/%([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
    .replace(/[\s"']/g, "")
    .replace(/=+$/, "")
    .replaceAll("-", "+")
    .replaceAll("_", "/");
  if (!letters) throw new InvcompError(`${name} is empty; paste the base64 of an .inv file`);
  if (!/^[A-Za-z0-9+/]*$/.test(letters) || letters.length % 4 === 1) {
    throw new InvcompError(`${name} is no base64; make it with \`base64 face.inv\``);
  }
  return Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0));
}

/** For addresses: without padding, and with letters that need no escapes. */
export function toBase64url(data: Uint8Array): string {
  const letters = btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(""));
  return letters.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

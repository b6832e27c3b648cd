/** What people paste: base64 of a file, in any of its spellings. */

import { InvcompError } from "invcomp-decoder";

/** Bytes of base64 or base64url, with or without padding, `data:` before it and white space in it. Throws `InvcompError`. */
export function fromBase64(text: string): Uint8Array {
  const letters = text
    .trim()
    .replace(/^data:[^,]*,/i, (head) => (/;base64,$/i.test(head) ? "" : "!"))
    .replace(/%3D/gi, "=")
    .replace(/[\s"']/g, "")
    .replace(/=+$/, "")
    .replaceAll("-", "+")
    .replaceAll("_", "/");
  if (!letters) throw new InvcompError("the pasted text is empty; paste the base64 of an .inv file");
  if (!/^[A-Za-z0-9+/]*$/.test(letters) || letters.length % 4 === 1) {
    throw new InvcompError("the pasted text is no base64; make it with `base64 face.inv`");
  }
  return Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0));
}

/** For addresses: without padding, and with letters that need no escapes. */
export function toBase64url(data: Uint8Array): string {
  const letters = btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(""));
  return letters.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

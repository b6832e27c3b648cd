/** Which prior made a picture, told in its PNG file as Python's `invcomp.provenance` tells it. */

import type { PriorInfo } from "invcomp-decoder";
import { version } from "../package.json";

const SOFTWARE = `invcomp ${version}`;
const HEADER = 8 + 25; // bytes of a PNG's signature and of its first chunk, behind which text may stand
const GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";

/** A PNG file that says that a prior made it, and that it shows `used` of the `coded` levels of its file. */
export async function withProvenance(png: Blob, prior: PriorInfo, used: number, coded: number): Promise<Blob> {
  const some =
    used < coded ? ` Only ${used} of ${coded} levels, the coarsest, are its own; the rest is filled in.` : "";
  const made = `Generated likeness, decoded by invcomp with the prior ${prior.name} (id ${prior.id.slice(0, 12)}).`;
  const texts: [string, string][] = [
    ["Software", SOFTWARE],
    ["Description", `${made}${some} Details may be invented.`],
    ["invcomp-prior", prior.id],
  ];
  if (some) texts.push(["invcomp-levels", `${used} of ${coded}`]);
  const chunks = texts.map(([key, text]) => textChunk(key, text));
  chunks.push(chunk("iTXt", `XML:com.adobe.xmp\0\0\0\0\0${xmp(prior.id)}`));
  return new Blob([png.slice(0, HEADER), ...chunks, png.slice(HEADER)], { type: "image/png" });
}

/** An XMP packet (ISO 16684-1) with the IPTC's mark of generated media. */
function xmp(priorId: string): string {
  return (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">' +
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""' +
    ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"' +
    ` xmlns:invcomp="urn:invcomp" xmp:CreatorTool="${SOFTWARE}" invcomp:prior="${priorId}"` +
    ` Iptc4xmpExt:DigitalSourceType="${GENERATED}"/>` +
    '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
  );
}

/** Text is Latin-1 in `tEXt`, and UTF-8 in `iTXt`. */
function textChunk(key: string, text: string): Uint8Array<ArrayBuffer> {
  const plain = /^[\x20-\x7e]*$/.test(text);
  return plain ? chunk("tEXt", `${key}\0${text}`) : chunk("iTXt", `${key}\0\0\0\0\0${text}`);
}

/** A chunk of a PNG file: length, kind, text, checksum. */
function chunk(kind: string, text: string): Uint8Array<ArrayBuffer> {
  const body = new TextEncoder().encode(kind + text);
  const data = new Uint8Array(body.length + 8);
  const view = new DataView(data.buffer);
  view.setUint32(0, body.length - kind.length);
  data.set(body, 4);
  view.setUint32(4 + body.length, crc32(body));
  return data;
}

function crc32(data: Uint8Array): number {
  let state = 0xffffffff;
  for (const byte of data) {
    state ^= byte;
    for (let n = 0; n < 8; n++) state = (state >>> 1) ^ (state & 1 ? 0xedb88320 : 0);
  }
  return ~state >>> 0;
}

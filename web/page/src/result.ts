/** A decoded file on the page: the picture, its facts, and its levels arriving one after another. */

import { type Device, FormatError, paint, type Prior, type PriorInfo, read, type Reading } from "invcomp-decoder";
import { toBase64url } from "./base64";
import { announce, bringIntoView, counted, create, draw, element, say, tell } from "./dom";
import { withProvenance } from "./provenance";

const MOST_SHOWN = 2048; // pixels, of the longer side: every level is kept
const PAUSE = 350; // milliseconds between levels, so that one sees them arrive
const DEVICES: Record<Device, string> = { webgpu: "the GPU (WebGPU)", wasm: "the CPU (WebAssembly)" };

/** A file that somebody gave. */
export interface Given {
  /** What the page calls it. */
  name: string;
  /** What a picture of it is called when saved, without suffix. */
  stem: string;
  data: Uint8Array;
  /** Whether the address of the page holds it. */
  linked?: boolean;
}

/** A file as far as it can be read; `note` says what is missing. */
export function readAll({ name, data }: Given, prior: Prior): { reading: Reading; note: string | null } {
  try {
    return { reading: read(data, prior, { name }), note: null };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    let reading: Reading;
    try {
      reading = read(data, prior, { name, partial: true });
    } catch {
      throw error;
    }
    const there = reading.content.parts?.length ?? 0;
    const note = `${name} is truncated or damaged: ${there} of its ${reading.coded} levels are there; the prior fills in the rest.`;
    return { reading, note };
  }
}

let results = 0; // that were shown

/** Show a file. `current` says, and is asked once it can be shown, whether it is still the one that is wanted. */
export async function showResult(file: Given, prior: Prior, current: () => boolean): Promise<void> {
  const began = performance.now();
  const { reading, note } = readAll(file, prior);
  performance.measure("read", { start: began });
  const { content, size } = reading;
  const device = content.foreign ? null : await prior.generator.start();
  if (!current()) return;
  const shown = Math.max(size.width, size.height) > MOST_SHOWN ? MOST_SHOWN : undefined;
  const started = performance.now();
  const picture = await paint(reading, prior, { name: file.name, size: shown });
  const seconds = performance.measure("paint", { start: started }).duration / 1000;
  if (!current()) return;

  const mine = ++results;
  say("result-title", file.name);
  say("note", note);
  element("levels").replaceChildren();
  element("levels-part").hidden = Boolean(content.foreign);
  element("warning").hidden = Boolean(content.foreign);
  element("facts").replaceChildren(...facts(file, prior, reading, device, seconds));
  const smaller = shown ? `, shown at ${picture.width} × ${picture.height}` : "";
  say("caption", `${size.width} × ${size.height} pixels${smaller}`);
  element("link").onclick = () => copyLink(file.data);
  if (!file.linked && location.hash) history.replaceState(null, "", location.pathname + location.search);
  tell(null);
  element("result").hidden = false;
  bringIntoView("result");
  announce(`${file.name} is shown, ${size.width} × ${size.height} pixels.`);
  const saved = { name: `${file.stem}.png`, maker: content.foreign ? null : prior.info, coded: reading.coded };
  await show(picture, saved, 0);
  const options = { name: file.name, size: shown };
  if (!content.foreign) await arrive(reading, prior, picture, options, saved, () => mine === results);
}

let turn = 0; // of pictures on the large canvas

/** What is said of pictures of a file that are saved. */
interface Saved {
  name: string;
  /** Null if no prior made it. */
  maker: PriorInfo | null;
  /** Levels of the whole file. */
  coded: number;
}

/** Put a picture on the large canvas, and behind the button that saves it; see `withProvenance`. */
async function show(picture: ImageData, { name, maker, coded }: Saved, used: number): Promise<void> {
  const mine = ++turn;
  const canvas = element<HTMLCanvasElement>("picture");
  const save = element<HTMLAnchorElement>("save");
  draw(canvas, picture);
  const png = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve));
  const marked = png && maker ? await withProvenance(png, maker, used, coded) : png;
  if (!marked || mine !== turn) return;
  URL.revokeObjectURL(save.href);
  save.href = URL.createObjectURL(marked);
  save.download = name;
}

/** Show the picture with one level, two, …, until another file is shown. */
async function arrive(
  reading: Reading,
  prior: Prior,
  whole: ImageData,
  options: { name: string; size: number | undefined },
  saved: Saved,
  shown: () => boolean,
): Promise<void> {
  const coded = reading.levels.flatMap((level, n) => (level.coded ? [n] : []));
  const exact = reading.content.parts !== null;
  say(
    "levels-note",
    exact
      ? "Cut after so many bytes, the file still shows this much."
      : "Bytes are the ideal length of each level’s code.",
  );
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  for (const [count, level] of coded.entries()) {
    if (!shown()) return;
    const last = count === coded.length - 1;
    const earliest = performance.now() + (calm || !count ? 0 : PAUSE);
    const picture = last ? whole : await paint(reading, prior, { ...options, levels: level + 1 });
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, earliest - performance.now())));
    if (!shown()) return;
    const took = exact
      ? `${reading.content.cutPoints[count]} bytes`
      : `+ ${(reading.levels[level].bits / 8).toFixed(1)} bytes`;
    await addLevel(picture, counted(count + 1, "level"), took, () => show(picture, saved, count + 1));
  }
}

async function addLevel(picture: ImageData, title: string, took: string, show: () => Promise<void>): Promise<void> {
  const canvas = create("canvas");
  draw(canvas, picture);
  const button = create("button", { type: "button" }, canvas, title, create("span", {}, took));
  const choose = () => {
    for (const other of element("levels").querySelectorAll("button")) other.ariaPressed = String(other === button);
    return show();
  };
  button.addEventListener("click", choose);
  element("levels").append(create("li", {}, button));
  await choose();
}

function facts({ data }: Given, prior: Prior, reading: Reading, device: Device | null, seconds: number): HTMLElement[] {
  const { content, size } = reading;
  const bits = (8 * data.length) / (size.width * size.height);
  const rows: [string, string][] = [
    ["Size", counted(data.length, "byte")],
    ["Picture", `${size.width} × ${size.height} pixels, ${bits.toPrecision(2)} bits each`],
  ];
  if (content.foreign)
    rows.push(["Stored as", { webp: "WebP", jxl: "JPEG XL" }[content.foreign] + ", which no prior made"]);
  rows.push(
    ["Prior", `${prior.info.name} (${prior.info.id.slice(0, 12)})`],
    ["Domain", prior.info.domain],
    ["Licence", prior.info.licence],
  );
  if (!content.foreign)
    rows.push(["Rate index", `${content.rate}, of 0 (smallest) to ${prior.architecture.rates - 1}`]);
  if (content.placement) {
    const { width, height } = content.placement.size;
    rows.push(["Cut from", `a picture of ${width} × ${height} pixels`]);
  }
  rows.push(["Checksum", `${8 * content.checksum} bits${content.parts ? " a level" : ""}`]);
  if (device) rows.push(["Painted by", `${DEVICES[device]} in ${seconds.toFixed(2)} s`]);
  return rows.flatMap(([term, text], n) => [
    create("dt", {}, term),
    create("dd", { className: n ? "" : "large" }, text),
  ]);
}

/** A link to this page with the file in it. */
async function copyLink(data: Uint8Array): Promise<void> {
  const link = new URL(location.href);
  link.hash = toBase64url(data);
  history.replaceState(null, "", link);
  const button = element("link");
  try {
    await navigator.clipboard.writeText(link.href);
    button.textContent = "Copied";
  } catch {
    button.textContent = "The link is in the address bar";
  }
  setTimeout(() => (button.textContent = "Copy link"), 2500);
}

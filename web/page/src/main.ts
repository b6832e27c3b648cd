/** The page: files come in by dropping, choosing, pasting or the address, and are shown. */

import { type Device, InvcompError, MAX_BYTES } from "invcomp-decoder";
import { fromBase64 } from "./base64";
import { announce, bringIntoView, create, element, megabytes, say, tell } from "./dom";
import { Downloads } from "./downloads";
import { examples } from "./examples";
import { startKeeping } from "./offline";
import { Priors } from "./priors";
import { type Given, showResult } from "./result";

const asked = new URLSearchParams(location.search).get("device");
const DEVICES: readonly Device[] = asked === "wasm" || asked === "webgpu" ? [asked] : ["webgpu", "wasm"];

let opened = 0; // of files, so that an earlier one does not overwrite a later one

/** A file, when it is read. */
type Opening = () => Promise<Given> | Given;
/** What decodes files. */
type Page = { priors: Priors; downloads: Downloads };

async function start(): Promise<void> {
  const page = prepare();
  const open = (file: Opening) => show(file, page);
  listen(open);
  const { priors, downloads } = await page;
  for (const { title, ...file } of examples(priors.entries)) {
    element("examples").hidden = false;
    const button = create("button", { type: "button" }, title);
    button.addEventListener("click", () => open(() => file));
    element("examples").append(button);
  }
  if (!opened) element("main").dataset.state = "ready";
  await downloads.fetchAll();
}

async function prepare(): Promise<Page> {
  const keeping = await startKeeping();
  const priors = await Priors.ofPage(DEVICES);
  return { priors, downloads: new Downloads(priors, DEVICES, keeping) };
}

/** Decode a file and show it, or say in a sentence why not, and what was shown before stays. */
async function show(file: Opening, page: Promise<Page>): Promise<void> {
  const turn = ++opened;
  const current = () => turn === opened;
  const main = element("main");
  main.dataset.state = "busy";
  say("error", null);
  try {
    const given = await file();
    const { priors, downloads } = await page;
    const entry = priors.entryFor(given.data, given.name);
    let told = false;
    const prior = await downloads.load(entry, (loaded) => {
      if (!current()) return;
      if (!told) announce(`Downloading the prior ${entry.name}, ${megabytes(entry.bytes)}.`);
      told = true;
      const text = `Downloading the prior ${entry.name}: ${megabytes(loaded)} of ${megabytes(entry.bytes)}`;
      tell(text, loaded / entry.bytes);
    });
    if (current()) tell("Starting ONNX Runtime …");
    await showResult(given, prior, current);
    if (current()) main.dataset.state = "done";
  } catch (error) {
    if (!current()) return;
    if (!(error instanceof InvcompError)) console.error(error);
    const reason = error instanceof Error ? error.message : String(error);
    say("error", error instanceof InvcompError ? reason : `the picture cannot be shown: ${reason}`);
    bringIntoView("error");
    main.dataset.state = "error";
  } finally {
    if (current()) tell(null);
  }
}

/** Take files that are dropped anywhere, chosen or pasted, and pasted text. */
function listen(open: (file: Opening) => void): void {
  const openFiles = (files: FileList | undefined | null): boolean => {
    const [file] = files ?? [];
    if (file) open(() => readFile(file, files!.length));
    return Boolean(file);
  };
  const openText = (text: string, name?: string) => open(() => fromText(text, name));
  const chooser = element<HTMLInputElement>("file");
  const area = element<HTMLTextAreaElement>("text");
  chooser.addEventListener("change", () => {
    openFiles(chooser.files);
    chooser.value = ""; // the same file may be chosen again
  });
  element("paste").addEventListener("submit", (event) => {
    event.preventDefault();
    openText(area.value);
  });
  document.addEventListener("paste", (event) => {
    if (openFiles(event.clipboardData?.files)) return;
    if (event.target === area) setTimeout(() => openText(area.value));
    else openText((area.value = event.clipboardData?.getData("text") ?? ""));
  });
  for (const kind of ["dragover", "dragleave", "drop"] as const) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.toggle("dragging", kind === "dragover");
      if (kind !== "drop") return;
      const { dataTransfer } = event;
      if (!openFiles(dataTransfer?.files)) openText(dataTransfer?.getData("text") ?? "", "what was dropped");
    });
  }
  const openLink = () =>
    location.hash.length > 1 && open(() => ({ ...fromText(location.hash.slice(1), "the link"), linked: true }));
  window.addEventListener("hashchange", openLink);
  openLink();
}

function fromText(text: string, name = "the pasted text"): Given {
  return { name, stem: "picture", data: fromBase64(text, name) };
}

/** The file, the first of `count` that were given at once. */
async function readFile(file: File, count: number): Promise<Given> {
  const name = count > 1 ? `${file.name} (the first of ${count} files)` : file.name;
  if (file.size > MAX_BYTES) {
    throw new InvcompError(`${name} is larger than the ${MAX_BYTES >> 20} MB that an invcomp file has at most`);
  }
  try {
    return { name, stem: file.name.replace(/\.inv$/i, ""), data: new Uint8Array(await file.arrayBuffer()) };
  } catch {
    throw new InvcompError(`${name} cannot be read; choose a file, not a folder`);
  }
}

start().catch((error: unknown) => {
  if (!(error instanceof InvcompError)) console.error(error);
  element("main").dataset.state = "error";
  say("error", error instanceof Error ? error.message : String(error));
});

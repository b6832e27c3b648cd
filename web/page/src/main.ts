/** The page: files come in by dropping, choosing, pasting or the address, and are shown. */

import { type Device, InvcompError } from "invcomp-decoder";
import { fromBase64 } from "./base64";
import { create, element, megabytes, say } from "./dom";
import { Downloads } from "./downloads";
import { examples } from "./examples";
import { startKeeping } from "./offline";
import { Priors } from "./priors";
import { type File as Named, showResult } from "./result";

const MAX_BYTES = 1 << 26; // of a file: what is larger is not read at all
const asked = new URLSearchParams(location.search).get("device");
const DEVICES: readonly Device[] = asked === "wasm" || asked === "webgpu" ? [asked] : ["webgpu", "wasm"];

let shown = 0; // of files, so that an earlier one does not overwrite a later one

async function start(): Promise<void> {
  const kept = await startKeeping();
  const priors = await Priors.ofPage(DEVICES);
  const downloads = new Downloads(priors, DEVICES, kept);
  const open = (file: () => Promise<Named> | Named) => show(file, priors, downloads);
  listen(open);
  for (const { title, name, data } of examples(priors.entries)) {
    element("examples").hidden = false;
    const button = create("button", { type: "button" }, title);
    button.addEventListener("click", () => open(() => ({ name, data })));
    element("examples").append(button);
  }
  element("main").dataset.state = "ready";
  const linked = () => location.hash.length > 1 && open(() => ({ name: "the link", data: fromBase64(location.hash.slice(1)) }));
  window.addEventListener("hashchange", linked);
  const opening = linked();
  await downloads.fetchAll();
  await opening;
}

/** Decode a file and show it, or a sentence that says why not. */
async function show(file: () => Promise<Named> | Named, priors: Priors, downloads: Downloads): Promise<void> {
  const turn = ++shown;
  const current = () => turn === shown;
  const main = element("main");
  main.dataset.state = "busy";
  say("error", null);
  try {
    const opened = await file();
    const entry = priors.entryFor(opened.data, opened.name);
    const prior = await downloads.load(entry, (loaded) => {
      if (current()) tell(`Downloading the prior ${entry.name}: ${megabytes(loaded)} of ${megabytes(entry.bytes)}`, loaded / entry.bytes);
    });
    if (current()) tell("Starting ONNX Runtime …");
    await showResult(opened, prior, () => {
      if (current()) tell(null);
      return current();
    });
    if (current()) main.dataset.state = "done";
  } catch (error) {
    if (!current()) return;
    if (!(error instanceof InvcompError)) console.error(error);
    const reason = error instanceof Error ? error.message : String(error);
    element("result").hidden = true;
    say("error", error instanceof InvcompError ? reason : `the picture cannot be shown: ${reason}`);
    main.dataset.state = "error";
  } finally {
    if (current()) tell(null);
  }
}

/** What goes on; `share` of it that is done, if that is known. */
function tell(text: string | null, share?: number): void {
  element("status").hidden = !text;
  element("status-text").textContent = text;
  const progress = element<HTMLProgressElement>("progress");
  progress.hidden = share === undefined;
  progress.value = share ?? 0;
}

/** Take files that are dropped anywhere, chosen or pasted, and pasted text. */
function listen(open: (file: () => Promise<Named> | Named) => void): void {
  const openFiles = (files: FileList | undefined | null): boolean => {
    const file = files?.[0];
    if (file) open(() => readFile(file));
    return Boolean(file);
  };
  const openText = (text: string) => open(() => ({ name: "the pasted text", data: fromBase64(text) }));
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
      if (!openFiles(event.dataTransfer?.files)) openText(event.dataTransfer?.getData("text") ?? "");
    });
  }
}

async function readFile(file: File): Promise<Named> {
  if (file.size > MAX_BYTES) {
    throw new InvcompError(`${file.name} is larger than the ${MAX_BYTES >> 20} MB that an invcomp file has at most`);
  }
  try {
    return { name: file.name, data: new Uint8Array(await file.arrayBuffer()) };
  } catch {
    throw new InvcompError(`${file.name} cannot be read; choose a file, not a folder`);
  }
}

start().catch((error: unknown) => {
  console.error(error);
  element("main").dataset.state = "error";
  say("error", "the page's list of priors cannot be had; reload the page when there is a connection");
});

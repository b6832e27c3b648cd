/** onnxruntime-web: which of its builds runs the generator. Each is downloaded only where it is used. */

import type { InferenceSession, Tensor } from "onnxruntime-web";
import { PriorError } from "./errors.js";

/** What computes. */
export type Device = "webgpu" | "wasm";
/** Builds of onnxruntime-web: for the CPU, and for WebGPU with and without the browser's help to wait for it (JSPI). */
export type Build = "wasm" | "jspi" | "asyncify";

/** A network that is ready to run. */
export interface Network {
  device: Device;
  session: InferenceSession;
  tensor(data: Float32Array, shape: readonly number[]): Tensor;
}

/** A session of an ONNX file on the first of the devices that is there and takes it. Throws `PriorError`. */
export async function startNetwork(model: Uint8Array, devices: readonly Device[]): Promise<Network> {
  let reason = `there is no ${devices.join(" or ")} here`;
  for (const device of devices) {
    if (device === "webgpu" && !(await hasWebgpu(devices.length === 1))) continue;
    try {
      const ort = await importRuntime(device);
      if (typeof window === "undefined") ort.env.wasm.numThreads = 1; // threads would keep Node from ending
      ort.env.logLevel = "error";
      const session = await ort.InferenceSession.create(model, { executionProviders: [device] });
      return { device, session, tensor: (data, shape) => new ort.Tensor("float32", data, shape) };
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  throw new PriorError(`generator.onnx cannot be run: ${reason.split("\n")[0]}`);
}

/** Whether there is a GPU that the browser lets pages compute on; `software`: also one that a program stands in for. */
export async function hasWebgpu(software = false): Promise<boolean> {
  type Adapter = { info?: { isFallbackAdapter?: boolean } };
  const gpu = (globalThis.navigator as { gpu?: { requestAdapter(): Promise<Adapter | null> } } | undefined)?.gpu;
  try {
    const adapter = await gpu?.requestAdapter();
    return Boolean(adapter && (software || !adapter.info?.isFallbackAdapter));
  } catch {
    return false;
  }
}

/** The build that a device takes; that without JSPI is 10 MB larger. */
export function buildFor(device: Device): Build {
  if (device === "wasm") return "wasm";
  return "Suspending" in WebAssembly ? "jspi" : "asyncify";
}

function importRuntime(device: Device): Promise<typeof import("onnxruntime-web")> {
  switch (buildFor(device)) {
    case "wasm":
      return import("onnxruntime-web/wasm");
    case "jspi":
      return import("onnxruntime-web/jspi");
    case "asyncify":
      return import("onnxruntime-web/webgpu");
  }
}

/** The generator: symbols of all levels → a picture, by onnxruntime-web. */

import type { Architecture } from "./architecture.js";
import { PriorError } from "./errors.js";
import type { LevelValues } from "./factors.js";
import { Queue } from "./queue.js";
import { type Device, type Network, startNetwork } from "./runtime.js";

/** A painted picture: (3, H, W) in [0, 1], not clamped. */
export interface Painted {
  planes: Float32Array;
  width: number;
  height: number;
}

/** The runtime, which all generators share, does not come back from two calls at once on a GPU. */
const queue = new Queue();

/** Started when it is first asked to paint. */
export class Generator {
  private network: Promise<Network> | null = null;

  constructor(
    private readonly model: Uint8Array,
    private readonly architecture: Architecture,
    private devices: readonly Device[],
  ) {}

  /** Load the runtime and compile the network; says what runs it. Throws `PriorError`. */
  start(): Promise<Device> {
    return queue.run(async () => (await this.started()).device);
  }

  /** The picture of symbols at a rate index, `side` pixels large or more if several sizes are painted. */
  paint(levels: readonly LevelValues[], rate: number, side: number): Promise<Painted> {
    return queue.run(() => this.painted(levels, rate, side));
  }

  private async started(): Promise<Network> {
    this.network ??= startNetwork(this.model, this.devices);
    try {
      return await this.network;
    } catch (error) {
      this.network = null; // may go better another time
      throw error;
    }
  }

  private async painted(levels: readonly LevelValues[], rate: number, side: number): Promise<Painted> {
    const network = await this.started();
    try {
      return await this.run(network, levels, rate, side);
    } catch (error) {
      if (network.device === "webgpu" && this.devices.includes("wasm")) {
        this.devices = ["wasm"]; // the GPU was lost, or cannot do it after all
        this.network = null;
        return this.painted(levels, rate, side);
      }
      const reason = error instanceof Error ? error.message : String(error);
      throw new PriorError(`generator.onnx cannot be run: ${reason.split("\n")[0]}`);
    }
  }

  private async run(
    { session, tensor }: Network,
    levels: readonly LevelValues[],
    rate: number,
    side: number,
  ): Promise<Painted> {
    const feeds = Object.fromEntries(
      levels.map(({ shape, symbols }, n) => [`level_${n}`, tensor(Float32Array.from(symbols), [1, ...shape])]),
    );
    feeds.rate = tensor(Float32Array.of(rate), [1]);
    const { sizes, outputs } = this.architecture;
    const found = sizes.findIndex((size) => size >= side);
    const output = outputs[found < 0 ? outputs.length - 1 : found];
    const picture = (await session.run(feeds, [output]))[output];
    const [, , height, width] = picture.dims;
    return { planes: (await picture.getData()) as Float32Array, width, height };
  }
}

/**
 * Safetensors files (https://github.com/huggingface/safetensors): the header's length (8 bytes, little-endian), the
 * header (JSON: type, shape and place of every tensor), the tensors' bytes.
 */

const MAX_HEADER = 1 << 20; // bytes
const MAX_TENSORS = 1 << 14;
const KINDS = { F32: Float32Array, I8: Int8Array };
const SIZES: Record<string, number> = { F32: 4, I8: 1, U8: 1, F16: 2, U16: 2, I16: 2, I32: 4, I64: 8 };
type Kind = keyof typeof KINDS;
type Numbers<K extends Kind> = InstanceType<(typeof KINDS)[K]>;

/** What is wrong with a file, without its name. */
export class TensorError extends Error {}

interface Entry {
  name: string;
  kind: string;
  shape: number[];
  /** First byte, and the one after the last, counted from the header's end. */
  begin: number;
  end: number;
}

/** The tensors of a file that lie where they should, and fill it. */
export class TensorFile {
  private readonly entries: Map<string, Entry>;
  private readonly body: Uint8Array;

  /** Throws `TensorError`. */
  constructor(data: Uint8Array) {
    const { header, first } = readHeader(data);
    const entries = Object.entries(header).filter(([name]) => name !== "__metadata__");
    if (entries.length > MAX_TENSORS) throw new TensorError("it names too many tensors");
    this.body = data.subarray(first);
    const described = entries.map(([name, entry]) => readEntry(name, entry));
    described.sort((a, b) => a.begin - b.begin || a.end - b.end);
    let at = 0;
    for (const { name, kind, shape, begin, end } of described) {
      if (begin !== at || end - begin !== product(shape) * SIZES[kind] || end > this.body.length) {
        throw new TensorError(`the tensor ${name.slice(0, 80)} does not lie where it should`);
      }
      at = end;
    }
    if (at !== this.body.length) throw new TensorError("it has bytes that belong to no tensor");
    this.entries = new Map(described.map((entry) => [entry.name, entry]));
  }

  /** Shape and numbers of a tensor. Throws `TensorError` if it is not there, or of another type. */
  take<K extends Kind>(name: string, kind: K): { shape: number[]; data: Numbers<K> } {
    const entry = this.entries.get(name);
    if (entry?.kind !== kind) throw new TensorError(`${name} is missing or of another type than ${kind}`);
    const { shape, begin, end } = entry;
    if (kind === "I8") return { shape, data: new Int8Array(this.body.slice(begin, end).buffer) as Numbers<K> };
    const view = new DataView(this.body.buffer, this.body.byteOffset + begin, end - begin);
    const data = Float32Array.from({ length: view.byteLength / 4 }, (_, n) => view.getFloat32(4 * n, true));
    return { shape, data: data as Numbers<K> };
  }
}

/** The header's JSON object, and where it ends. */
function readHeader(data: Uint8Array): { header: Record<string, unknown>; first: number } {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const length = data.length < 8 ? NaN : view.getUint32(0, true) + 2 ** 32 * view.getUint32(4, true);
  if (!(length <= Math.min(MAX_HEADER, data.length - 8))) {
    throw new TensorError("its header is longer than the file, or than any");
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data.subarray(8, 8 + length)));
  } catch {
    throw new TensorError("its header is no JSON");
  }
  if (!isObject(header)) throw new TensorError("its header is no JSON object");
  return { header, first: 8 + length };
}

function readEntry(name: string, entry: unknown): Entry {
  const { dtype, shape, data_offsets: places } = isObject(entry) ? entry : {};
  const known = typeof dtype === "string" && Object.hasOwn(SIZES, dtype);
  if (!known || !isCounts(shape) || shape.length > 8 || !isCounts(places) || places.length !== 2) {
    throw new TensorError(`the tensor ${name.slice(0, 80)} has no known type, or an impossible shape or place`);
  }
  return { name, kind: dtype, shape, begin: places[0], end: places[1] };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isInteger(count) && count >= 0 && count < 2 ** 40);
}

function product(shape: number[]): number {
  return shape.reduce((size, side) => size * side, 1);
}

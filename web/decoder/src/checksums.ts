/** The checksums of the container: CRC-16 or CRC-8 over all bytes before, started from the full prior id. */

/** Bytes of a checksum. */
export type ChecksumSize = 1 | 2;

/** The bit of a file's first byte that says which checksum it has. */
const ONE_BYTE = 0b100;

const TABLES = { 1: tableOf(8, 0x1d), 2: tableOf(16, 0x1021) };

/** What a CRC of so many bits and one polynomial (without its highest term) makes of every byte. */
function tableOf(bits: number, polynomial: number): Uint16Array {
  const table = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let state = byte << (bits - 8);
    for (let n = 0; n < 8; n++) {
      const out = (state >> (bits - 1)) & 1;
      state = ((state << 1) ^ (out ? polynomial : 0)) & ((1 << bits) - 1);
    }
    table[byte] = state;
  }
  return table;
}

/** The state of the checksum of `size` bytes after more data. */
function advance(size: ChecksumSize, state: number, data: Uint8Array): number {
  const table = TABLES[size];
  if (size === 1) for (const byte of data) state = table[state ^ byte];
  else for (const byte of data) state = ((state << 8) & 0xffff) ^ table[(state >> 8) ^ byte];
  return state;
}

/** How many bytes every checksum of a file has; `data` begins with the file's first byte. */
export function sizeOf(data: Uint8Array): ChecksumSize {
  return data[0] & ONE_BYTE ? 1 : 2;
}

/** The checksum of a file's bytes before it; `priorId` has 32 bytes. */
export function checksum(priorId: Uint8Array, data: Uint8Array, size: ChecksumSize = sizeOf(data)): number {
  return advance(size, advance(size, size === 1 ? 0xff : 0xffff, priorId), data);
}

/** Whether the checksum at the end of a file agrees with its bytes and the prior. */
export function intact(priorId: Uint8Array, data: Uint8Array): boolean {
  const size = sizeOf(data);
  const end = data.length - size;
  const stated = size === 1 ? data[end] : (data[end] << 8) | data[end + 1];
  return checksum(priorId, data.subarray(0, end), size) === stated;
}

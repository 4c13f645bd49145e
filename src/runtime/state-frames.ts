/** Frames on a byte stream: the length of a header, the header as JSON, and as many bytes after it as it says in `byteCount`. */

import type { Duplex, Writable } from 'node:stream';

/** Enough for the names of some hundred thousand states. */
const HEADER_BYTES_MAX = 16 * 1024 * 1024;
/** One write; the next waits until the other end has taken it. */
const CHUNK_BYTES = 1024 * 1024;
const LENGTH_BYTES = 4;

export interface FrameHeader {
  readonly type: string;
  readonly byteCount?: number;
}

/** Writes one frame, with back-pressure. */
export async function writeFrame(stream: Writable, header: FrameHeader, body?: Uint8Array): Promise<void> {
  const text = Buffer.from(JSON.stringify({ ...header, byteCount: body?.byteLength ?? 0 }));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(text.byteLength);
  await write(stream, Buffer.concat([length, text]));
  for (let at = 0; body !== undefined && at < body.byteLength; at += CHUNK_BYTES) {
    await write(stream, body.subarray(at, at + CHUNK_BYTES));
  }
}

export interface FrameReader {
  header(): Promise<FrameHeader>;
  /** The bytes that came with the last header. */
  body(byteCount: number): Promise<Uint8Array>;
}

/** Reads frames, in whatever pieces they arrive.
 *  Errors: a stream that ends in the middle, a header that can't be one. */
export function createFrameReader(stream: Pick<Duplex, typeof Symbol.asyncIterator>): FrameReader {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest: Buffer = Buffer.alloc(0);
  const read = async (byteCount: number): Promise<Buffer> => {
    const whole = Buffer.allocUnsafeSlow(byteCount);
    for (let filled = 0; filled < byteCount;) {
      if (rest.byteLength === 0) {
        const next = await chunks.next();
        if (next.done === true) throw new Error('the other process hung up in the middle');
        rest = next.value;
      }
      const taken = rest.copy(whole, filled);
      rest = rest.subarray(taken);
      filled += taken;
    }
    return whole;
  };
  return {
    async header() {
      const byteCount = (await read(LENGTH_BYTES)).readUInt32LE();
      if (byteCount > HEADER_BYTES_MAX)
        throw new Error(`a header of ${byteCount} bytes came, and ${HEADER_BYTES_MAX} is the limit`);
      return JSON.parse((await read(byteCount)).toString()) as FrameHeader;
    },
    body: read,
  };
}

async function write(stream: Writable, chunk: Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  stream.write(chunk, (error) => (error ? reject(error) : resolve()));
  await promise;
}

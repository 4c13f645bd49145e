/**
 * What the sender of a WebSocket writes to once the connection is on its way: work that began here may still answer.
 *
 * state     | event                  | next      | what becomes of a frame
 * keeping   | a frame                | keeping   | kept, in order
 * keeping   | the new process has it | passing   | those kept, then each message and close, are passed on
 * keeping   | taken back             | (dropped) | those kept are written to the connection
 */

import type { FrameWriter } from './ws-internals.ts';

type OnFrames = (frames: Uint8Array) => void;

const FIN = 0x80;
const OPCODE = 0x0f;
export const CLOSE_OPCODE = 0x8;
const PING_OPCODE = 0x9;

export class LateFrames implements FrameWriter {
  readonly destroyed = false;
  #kept: Buffer[] = [];
  #pass: OnFrames | null = null;
  #isCorked = false;
  /** The chunks of the frame that is being written. */
  #frame: Buffer[] = [];
  /** The frames of a message that is not complete. */
  #message: Buffer[] = [];

  cork(): void {
    this.#isCorked = true;
  }

  uncork(): void {
    this.#isCorked = false;
    this.#endFrame();
  }

  write(chunk: Uint8Array | string, callback?: (error?: Error | null) => void): void {
    this.#frame.push(Buffer.from(chunk as string));
    if (!this.#isCorked) this.#endFrame();
    if (callback !== undefined) process.nextTick(callback, null);
  }

  /** The connection is not ours: a sender that failed has nothing to end. */
  end(): void {}

  /** What was kept, for the connection itself. */
  take(): Buffer[] {
    return this.#kept.splice(0);
  }

  /** From now on whole messages go to the new process. */
  passOn(pass: OnFrames): void {
    this.#pass = pass;
    for (const frame of this.take()) this.#passFrame(frame, pass);
  }

  #endFrame(): void {
    const frame = Buffer.concat(this.#frame);
    this.#frame = [];
    if (frame.length === 0) return;
    if (this.#pass === null) this.#kept.push(frame);
    else this.#passFrame(frame, this.#pass);
  }

  #passFrame(frame: Buffer, pass: OnFrames): void {
    const [first = 0] = frame;
    // A heartbeat here would not hear the answer.
    if ((first & OPCODE) >= PING_OPCODE) return;
    if ((first & OPCODE) === CLOSE_OPCODE) {
      if (!isEnding()) pass(frame);
      return;
    }
    this.#message.push(frame);
    if ((first & FIN) === 0) return;
    pass(Buffer.concat(this.#message));
    this.#message = [];
  }
}

let isTerminated = false;
let isWatching = false;

/** Code that is run by SIGTERM closes the WebSockets of its process, and those that have gone are not of it. */
function isEnding(): boolean {
  return isTerminated;
}

/** Call before a connection leaves. Without a listener of the app, SIGTERM ends the process at once, and so it stays. */
export function watchForEnd(): void {
  if (isWatching || process.listenerCount('SIGTERM') === 0) return;
  isWatching = true;
  process.prependOnceListener('SIGTERM', () => {
    isTerminated = true;
  });
}

/**
 * What the app prints, in files of bounded size: `app.log`, and what it was called before, `app.<time>.<pid>.log`.
 *
 * Invariants:
 * 1. A file ends with a line: lines are written whole, and a file is changed between two writes only.
 * 2. Whoever writes looks before each write whether `app.log` is still the file that it has open: the keeper and what outlives one
 *    may write beside each other, and an operator may move the file away.
 * 3. A name is never used twice, so that two who change files at once overwrite nothing.
 * 4. A failed write loses lines, says how many bytes when writing works again, and throws nothing.
 */

import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';

/** Some hundred thousand lines: an editor still opens that. */
export const APP_LOG_BYTES_MAX = 16 * 1024 * 1024;
/** Besides app.log. */
export const APP_LOG_KEPT_MAX = 4;
/** A line that is longer is cut; until it ends it is in memory. */
export const LINE_BYTES_MAX = 1024 * 1024;

const NEWLINE = 0x0a;

export interface AppLogOptions {
  readonly file: string;
  readonly bytesMax?: number;
  readonly keptMax?: number;
}

/** What one process prints into one of its descriptors. */
export interface LineStream {
  write(chunk: Buffer): void;
  /** A line that was begun is ended. */
  end(): void;
}

export interface AppLog {
  readonly file: string;
  openStream(): LineStream;
}

/** The file is there from now on, if it can be. */
export function createAppLog({
  file,
  bytesMax = APP_LOG_BYTES_MAX,
  keptMax = APP_LOG_KEPT_MAX,
}: AppLogOptions): AppLog {
  const writer = new Writer(file, bytesMax, keptMax);
  writer.write(Buffer.alloc(0));
  return { file, openStream: () => createLineStream((lines) => writer.write(lines)) };
}

/** The files that were `app.log` once, oldest first. */
export function listRotated(file: string): readonly string[] {
  const { dir, name, ext } = path.parse(file);
  try {
    return readdirSync(dir)
      .filter((entry) => entry.startsWith(`${name}.`) && rotatedPattern.test(entry.slice(name.length)))
      .filter((entry) => entry.endsWith(ext))
      .toSorted()
      .map((entry) => path.join(dir, entry));
  } catch {
    // Nothing has been printed here yet.
    return [];
  }
}

/** `.20261121T153210123Z.4242.log`; the names of one app sort by time. */
const rotatedPattern = /^\.(\d{8}T\d{9}Z)\.\d+\.log$/;

function createLineStream(write: (lines: Buffer) => void): LineStream {
  let begun: Buffer[] = [];
  let begunBytes = 0;
  const flush = (end: Buffer): void => {
    write(begun.length === 0 ? end : Buffer.concat([...begun, end]));
    begun = [];
    begunBytes = 0;
  };
  return {
    write(chunk) {
      const end = chunk.lastIndexOf(NEWLINE) + 1;
      if (end > 0) flush(chunk.subarray(0, end));
      if (end === chunk.length) return;
      begun.push(Buffer.from(chunk.subarray(end)));
      begunBytes += chunk.length - end;
      if (begunBytes >= LINE_BYTES_MAX) flush(Buffer.from('\n'));
    },
    end() {
      if (begunBytes > 0) flush(Buffer.from('\n'));
    },
  };
}

class Writer {
  readonly #file: string;
  readonly #bytesMax: number;
  readonly #keptMax: number;
  #fd: number | null = null;
  #lostBytes = 0;
  /** The last write has ended in the middle of a line. */
  #isCut = false;

  constructor(file: string, bytesMax: number, keptMax: number) {
    this.#file = file;
    this.#bytesMax = bytesMax;
    this.#keptMax = keptMax;
  }

  write(lines: Buffer): void {
    try {
      const fd = this.#open(lines.length);
      if (this.#isCut || this.#lostBytes > 0) this.#tellLoss(fd);
      this.#writeAll(fd, lines);
    } catch {
      // The disk is full, or the folder is gone. There is nowhere to say so but here, later.
      this.#lostBytes += lines.length;
    }
  }

  #tellLoss(fd: number): void {
    const notice = `${this.#isCut ? '\n' : ''}midflight: ${this.#lostBytes} bytes that were printed here could not be written\n`;
    this.#writeAll(fd, Buffer.from(notice));
    this.#isCut = false;
    this.#lostBytes = 0;
  }

  #writeAll(fd: number, bytes: Buffer): void {
    for (let from = 0; from < bytes.length;) {
      from += writeSync(fd, bytes, from);
      this.#isCut = bytes[from - 1] !== NEWLINE;
    }
  }

  /** The file that the next line belongs into. */
  #open(addedBytes: number): number {
    const sizeBytes = this.#sizeBytes();
    if (sizeBytes !== null && sizeBytes > 0 && sizeBytes + addedBytes > this.#bytesMax) this.#rotate();
    if (this.#fd === null) {
      mkdirSync(path.dirname(this.#file), { recursive: true });
      this.#fd = openSync(this.#file, 'a');
    }
    return this.#fd;
  }

  /** Null where there is no file yet. Lets go of one that has another name by now. */
  #sizeBytes(): number | null {
    const there = statSync(this.#file, { throwIfNoEntry: false });
    if (this.#fd !== null && (there === undefined || fstatSync(this.#fd).ino !== there.ino)) this.#close();
    return there?.size ?? null;
  }

  #rotate(): void {
    const rotated = listRotated(this.#file);
    const { dir, name, ext } = path.parse(this.#file);
    // The clock may have been set back.
    const afterMs = toTimeMs(path.basename(rotated.at(-1) ?? '').slice(name.length)) + 1;
    const time = new Date(Math.max(Date.now(), afterMs)).toISOString().replaceAll(/[-:.]/g, '');
    renameSync(this.#file, path.join(dir, `${name}.${time}.${process.pid}${ext}`));
    this.#close();
    for (const old of rotated.slice(0, Math.max(0, rotated.length + 1 - this.#keptMax)))
      rmSync(old, { force: true });
  }

  #close(): void {
    const fd = this.#fd;
    this.#fd = null;
    this.#isCut = false;
    if (fd !== null) closeSync(fd);
  }
}

function toTimeMs(suffix: string): number {
  const [, time = ''] = rotatedPattern.exec(suffix) ?? [];
  const iso = time.replace(/^(....)(..)(..T..)(..)(..)(...)Z$/, '$1-$2-$3:$4:$5.$6Z');
  return Date.parse(iso) || 0;
}

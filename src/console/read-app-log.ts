/** What the app has printed, across the files that its log is in: the last lines, and what comes. Needs nothing that runs. */

import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { listRotated } from '../supervisor/app-log.ts';

const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
/** As `tail -f` looks; a watch would need what some file systems lack. */
const FOLLOW_INTERVAL_MS = 200;

export interface ReadAppLogOptions {
  readonly file: string;
  readonly lineCount: number;
  /** Whole lines. Awaited, so that a slow reader is not run over. */
  readonly write: (lines: Buffer) => Promise<void> | void;
}

/** The last lines. */
export async function readAppLog(options: ReadAppLogOptions): Promise<void> {
  const position = await writeLast(options);
  if (position.fd !== null) closeSync(position.fd);
}

/** The last lines, and then what is printed until the signal; each line once, through any change of files. */
export async function followAppLog(options: ReadAppLogOptions, signal: AbortSignal): Promise<void> {
  const position = await writeLast(options);
  try {
    while (!signal.aborted) {
      await writeNew(position, options);
      if (isReplaced(position, options.file)) {
        // What was written between the two looks.
        await writeNew(position, options);
        moveOn(position, options.file);
      } else await sleep(FOLLOW_INTERVAL_MS, null, { signal }).catch(() => null);
    }
  } finally {
    if (position.fd !== null) closeSync(position.fd);
  }
}

interface Position {
  /** Null where there is no file yet. */
  fd: number | null;
  offset: number;
  /** The newest of the files that come before this one. */
  before: string;
}

async function writeLast({ file, lineCount, write }: ReadAppLogOptions): Promise<Position> {
  const position = openNewest(file);
  const { fd } = position;
  const blocks: Buffer[] = [];
  let left = lineCount;
  if (fd !== null) {
    position.offset = fstatSync(fd).size;
    left = readBack(fd, position.offset, left, blocks);
  }
  for (const name of listRotated(file).toReversed()) {
    if (left <= 0) break;
    // It became one of these just now, or is gone.
    if (name > position.before) continue;
    const rotated = open(name);
    if (rotated === null) continue;
    left = readBack(rotated, fstatSync(rotated).size, left, blocks);
    closeSync(rotated);
  }
  for (const block of blocks.toReversed()) await write(block);
  return position;
}

/** Adds blocks, last first, with that many lines from the end; returns how many lines are missing. */
function readBack(fd: number, sizeBytes: number, lineCount: number, blocks: Buffer[]): number {
  let left = lineCount;
  if (left <= 0) return 0;
  for (let end = sizeBytes; end > 0;) {
    const start = Math.max(0, end - BLOCK_BYTES);
    const block = readBlock(fd, start, end - start);
    // The newline at the end of the file ends its last line.
    for (let at = block.length - 1; at >= 0; at--) {
      if (block[at] !== NEWLINE || start + at + 1 === sizeBytes) continue;
      if (--left > 0) continue;
      blocks.push(block.subarray(at + 1));
      return 0;
    }
    blocks.push(block);
    end = start;
  }
  return sizeBytes > 0 ? left - 1 : left;
}

async function writeNew(position: Position, { write }: ReadAppLogOptions): Promise<void> {
  const { fd } = position;
  if (fd === null) return;
  // Emptied by hand.
  if (fstatSync(fd).size < position.offset) position.offset = 0;
  for (;;) {
    const block = readBlock(fd, position.offset, BLOCK_BYTES);
    if (block.length === 0) return;
    position.offset += block.length;
    await write(block);
  }
}

function isReplaced({ fd }: Position, file: string): boolean {
  const there = statSync(file, { throwIfNoEntry: false });
  return there !== undefined && (fd === null || fstatSync(fd).ino !== there.ino);
}

/** To the file after this one: that may be one that is not app.log any more, either. */
function moveOn(position: Position, file: string): void {
  const ino = position.fd === null ? null : fstatSync(position.fd).ino;
  const rotated = listRotated(file).filter((name) => name > position.before);
  const own = rotated.findIndex((name) => statSync(name, { throwIfNoEntry: false })?.ino === ino);
  const next = rotated[own + 1];
  const newest = next === undefined ? openNewest(file) : null;
  const fd = newest === null ? open(next ?? '') : newest.fd;
  if (fd === null) return;
  if (position.fd !== null) closeSync(position.fd);
  Object.assign(position, { fd, offset: 0, before: newest?.before ?? rotated[own] ?? position.before });
}

/** `app.log`, and for certain what came right before it. */
function openNewest(file: string): Position {
  for (;;) {
    const before = listRotated(file).at(-1) ?? '';
    const fd = open(file);
    if ((listRotated(file).at(-1) ?? '') === before) return { fd, offset: 0, before };
    if (fd !== null) closeSync(fd);
  }
}

function open(file: string): number | null {
  try {
    return openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function readBlock(fd: number, offset: number, lengthBytes: number): Buffer {
  const block = Buffer.allocUnsafe(lengthBytes);
  return block.subarray(0, readSync(fd, block, 0, lengthBytes, offset));
}

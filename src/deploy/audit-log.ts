/**
 * `.midflight/audit.log`: who did what to the releases of an app, a line each, only ever appended to. Supervisor and command line
 * write it, one at a time; a line is on the disk when `append` returns.
 * What it defends against and what not: docs/design/security/design.md#audit-log.
 */

import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  NO_HASH,
  parseAuditLine,
  toAuditText,
  toTornEntry,
  verifyAudit,
  type AuditEnd,
  type AuditEntry,
  type AuditReport,
} from './audit-chain.ts';

/** An entry that would be longer loses the end of its detail, so that the last line can be found from the end of the file. */
const DETAIL_LENGTH_MAX = 4_000;
const TAIL_BYTES = 256 * 1024;
/** Who writes needs some milliseconds. */
const LOCK_TIMEOUT_MS = 5_000;

/** Appends an entry, and comes back when it is on the disk. After a crash that left half a line, says so first. */
export function appendAudit(file: string, entry: AuditEntry, now: Date = new Date()): void {
  withLock(`${file}.lock`, () => {
    const isNew = !existsSync(file);
    const fd = openSync(file, 'a+', 0o600);
    try {
      const { end, half, isWhole } = readEnd(fd);
      const texts: string[] = [];
      let last = end;
      const add = (next: AuditEntry): void => {
        const text = toAuditText(next, last, now);
        texts.push(text);
        last = { lineCount: last.lineCount + 1, hash: parseAuditLine(text)?.hash ?? NO_HASH };
      };
      if (half !== null) add(toTornEntry(half, entry.actor));
      add(shorten(entry));
      writeSync(fd, `${isWhole ? '' : '\n'}${texts.join('\n')}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (isNew) syncDirectory(path.dirname(file));
  });
}

/** Reads and checks the log; of a missing one nothing. */
export function readAudit(file: string): AuditReport {
  return verifyAudit(existsSync(file) ? readFileSync(file, 'utf8') : '');
}

interface FoundEnd {
  readonly end: AuditEnd;
  /** What is there of a line that a crash has cut. */
  readonly half: string | null;
  /** Ends with a newline. */
  readonly isWhole: boolean;
}

function readEnd(fd: number): FoundEnd {
  const { size } = fstatSync(fd);
  const length = Math.min(size, TAIL_BYTES);
  const buffer = Buffer.alloc(length);
  readSync(fd, buffer, 0, length, size - length);
  const texts = buffer.toString('utf8').split('\n');
  const rest = texts.pop() ?? '';
  const isWhole = rest === '';
  const restLine = isWhole ? null : parseAuditLine(rest);
  // Only its newline is missing.
  if (restLine !== null)
    return { end: { lineCount: restLine.line, hash: restLine.hash }, half: null, isWhole };
  for (const [back, text] of texts.toReversed().entries()) {
    const line = parseAuditLine(text);
    // What is no line, before the end, is for `midflight audit --verify` to tell of.
    if (line === null) continue;
    const lineCount = line.line + back + (isWhole ? 0 : 1);
    return { end: { lineCount, hash: line.hash }, half: isWhole ? null : rest, isWhole };
  }
  const lineCount = texts.length + (isWhole ? 0 : 1);
  return { end: { lineCount, hash: NO_HASH }, half: isWhole ? null : rest, isWhole };
}

function shorten(entry: AuditEntry): AuditEntry {
  const { detail } = entry;
  if (detail === undefined || detail.length <= DETAIL_LENGTH_MAX) return entry;
  return { ...entry, detail: `${detail.slice(0, DETAIL_LENGTH_MAX)}…` };
}

/** SQLite's file lock: the kernel drops it with the process that held it. */
function withLock(file: string, act: () => void): void {
  const database = new DatabaseSync(file);
  try {
    database.exec(`PRAGMA busy_timeout = ${LOCK_TIMEOUT_MS}; BEGIN EXCLUSIVE`);
    act();
  } finally {
    database.close();
  }
}

function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

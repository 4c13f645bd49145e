/** Who has the lock of a directory, as far as the file beside it says; the lock itself is asked only by who wants it. */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/** This process. Returns what takes it back. */
export function noteHolder(lockFile: string): () => void {
  const file = toFile(lockFile);
  writeFileSync(file, String(process.pid));
  return () => rmSync(file, { force: true });
}

/** The pid, or `unknown`. */
export function readHolder(lockFile: string): string {
  try {
    return readFileSync(toFile(lockFile), 'utf8') || 'unknown';
  } catch {
    // Its owner has not got that far yet, or there is none.
    return 'unknown';
  }
}

/** Whether a process with its pid is there; that may be another by now. */
export function isHolderThere(lockFile: string): boolean {
  try {
    // Not a number where nothing is known: 0 would be this process's own group.
    return process.kill(Number.parseInt(readHolder(lockFile), 10), 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function toFile(lockFile: string): string {
  return `${lockFile}.pid`;
}

/** One supervisor a directory. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { lockFile } from '../release/file-lock.ts';

export interface Lock {
  dispose(): void;
}

/** Takes the lock, or says who has it. Errors: ERR_MIDFLIGHT_ALREADY_RUNNING. */
export function acquireLock(file: string): Lock {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const lock = lockFile(file, 'alone');
  if (lock === null)
    throw new MidflightError('ERR_MIDFLIGHT_ALREADY_RUNNING', [
      path.dirname(path.dirname(file)),
      readPid(file),
    ]);
  writeFileSync(`${file}.pid`, String(process.pid));
  return {
    dispose() {
      rmSync(`${file}.pid`, { force: true });
      lock.dispose();
    },
  };
}

function readPid(file: string): string {
  try {
    return readFileSync(`${file}.pid`, 'utf8');
  } catch {
    // Its owner has not got that far yet.
    return 'unknown';
  }
}

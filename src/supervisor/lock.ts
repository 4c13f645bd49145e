/** One supervisor a directory. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { explainDiskProblem } from '../release/disk-problem.ts';
import { lockFile } from '../release/file-lock.ts';

export interface Lock {
  dispose(): void;
}

/** Takes the lock, or says who has it. Errors: ERR_MIDFLIGHT_ALREADY_RUNNING; those of the disk. */
export function acquireLock(file: string): Lock {
  const directory = path.dirname(file);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw explainDiskProblem(error, directory);
  }
  const lock = lockFile(file, 'alone');
  if (lock === null)
    throw new MidflightError('ERR_MIDFLIGHT_ALREADY_RUNNING', [path.dirname(directory), readPid(file)]);
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

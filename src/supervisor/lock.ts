/** One supervisor a directory. */

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { explainDiskProblem } from '../release/disk-problem.ts';
import { lockFile, type FileLock } from '../release/file-lock.ts';
import { noteHolder, readHolder } from './lock-holder.ts';

export interface Lock {
  dispose(): void;
}

/** Takes the lock, or says who has it. Errors: ERR_MIDFLIGHT_ALREADY_RUNNING; those of the disk. */
export function acquireLock(file: string): Lock {
  const directory = path.dirname(file);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const lock = lockFile(file, 'alone');
    if (lock === null)
      throw new MidflightError('ERR_MIDFLIGHT_ALREADY_RUNNING', [path.dirname(directory), readHolder(file)]);
    return hold(lock, file);
  } catch (error) {
    throw explainDiskProblem(error, directory);
  }
}

function hold(lock: FileLock, file: string): Lock {
  try {
    const forget = noteHolder(file);
    return {
      dispose() {
        forget();
        lock.dispose();
      },
    };
  } catch (error) {
    lock.dispose();
    throw error;
  }
}

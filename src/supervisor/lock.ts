/** One supervisor a directory. The lock is SQLite's file lock, so the kernel drops it with the process that held it. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { MidflightError } from '../errors.ts';

export interface Lock {
  dispose(): void;
}

/** Takes the lock, or says who has it. Errors: ERR_MIDFLIGHT_ALREADY_RUNNING. */
export function acquireLock(file: string): Lock {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw new MidflightError(
      'ERR_MIDFLIGHT_ALREADY_RUNNING',
      [path.dirname(path.dirname(file)), readPid(file)],
      {
        cause: error,
      },
    );
  }
  writeFileSync(`${file}.pid`, String(process.pid));
  return {
    dispose() {
      rmSync(`${file}.pid`, { force: true });
      database.close();
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

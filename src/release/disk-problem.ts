/** What an error of the disk means for whoever deploys, wherever it was met. */

import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';

/** Of Node, of git and tar, and of SQLite. */
const full = /ENOSPC|No space left on device|EDQUOT|database or disk is full/;
const readOnly = /EROFS|Read-only file system/;

/** The error of our own that it is where `directory` is full or can't be written; others are returned as they are. */
export function explainDiskProblem(error: unknown, directory: string): unknown {
  const text =
    error instanceof Error ? `${(error as NodeJS.ErrnoException).code ?? ''} ${error.message}` : '';
  if (full.test(text)) return new MidflightError('ERR_MIDFLIGHT_DISK_FULL', [directory], { cause: error });
  // An app's own build may say so of another place.
  if (error instanceof MidflightError && !readOnly.test(text)) return error;
  const problem = findProblem(directory);
  if (problem === null) return error;
  return new MidflightError('ERR_MIDFLIGHT_DISK_UNWRITABLE', [directory, problem], { cause: error });
}

/** Asked anew: Node's `mkdir` with `recursive` says ENOENT of a read-only disk, and SQLite no more than that it can't open. */
function findProblem(directory: string): string | null {
  let present = directory;
  while (!existsSync(present) && present !== path.dirname(present)) present = path.dirname(present);
  try {
    accessSync(present, constants.W_OK);
    return null;
  } catch (found) {
    return (found as Error).message;
  }
}

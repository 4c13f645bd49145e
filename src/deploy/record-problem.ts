/** What SQLite's errors mean for whoever deploys. */

import path from 'node:path';
import { MidflightError } from '../errors.ts';

const READONLY = 8;
const IO_ERROR = 10;
/** SQLITE_CORRUPT. */
export const CORRUPT = 11;
const FULL = 13;
const CANT_OPEN = 14;
const NOT_A_DATABASE = 26;

/** Whether the file is no database, or is not whole. */
export function isCorrupt(error: unknown): boolean {
  return [CORRUPT, NOT_A_DATABASE].includes(toResult(error));
}

/** The error of our own that an error of the database is; others are returned as they are. */
export function explainRecordProblem(error: unknown, file: string): unknown {
  switch (toResult(error)) {
    case CORRUPT:
    case NOT_A_DATABASE:
      return new MidflightError('ERR_MIDFLIGHT_RECORD_CORRUPT', [file, String(error)], { cause: error });
    case FULL:
      return new MidflightError('ERR_MIDFLIGHT_DISK_FULL', [path.dirname(file)], { cause: error });
    case READONLY:
    case CANT_OPEN:
    case IO_ERROR:
      return new MidflightError('ERR_MIDFLIGHT_RECORD_UNWRITABLE', [file, String(error)], { cause: error });
    default:
      return error;
  }
}

/** SQLite's result code without what extends it; 0 for what is no error of SQLite. */
function toResult(error: unknown): number {
  return (Number((error as { errcode?: unknown } | null)?.errcode) || 0) & 0xff;
}

/** `midflight backup`: a copy of the record, whole at every moment, also while deploys write. */

import { accessSync, constants, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import type { Home } from '../release/home.ts';
import { openHistory } from './history.ts';

export interface Backup {
  readonly file: string;
  readonly sizeBytes: number;
}

/** Copies the record into a file that is not there yet; half of it is never there.
 *  Errors: ERR_MIDFLIGHT_USAGE where the file exists, or can't be, or nothing was deployed yet, ERR_MIDFLIGHT_DISK_FULL, ERR_MIDFLIGHT_RECORD_CORRUPT. */
export function backUp(home: Home, file: string): Backup {
  if (!existsSync(home.database))
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [`nothing was deployed in ${home.appDirectory} yet`]);
  if (existsSync(file))
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [`${file} is there already; name another file`]);
  requireWritable(path.dirname(path.resolve(file)));
  const staging = `${file}.${process.pid}.tmp`;
  const history = openHistory(home.database);
  try {
    history.check();
    history.copyTo(staging);
    renameSync(staging, file);
  } finally {
    history.close();
    rmSync(staging, { force: true });
  }
  return { file, sizeBytes: statSync(file).size };
}

function requireWritable(folder: string): void {
  try {
    // With the slash a file is no folder.
    accessSync(folder + path.sep, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [`no file can be made in ${folder} (${code})`], {
      cause: error,
    });
  }
}

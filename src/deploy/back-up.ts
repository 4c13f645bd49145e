/** `midflight backup`: a copy of the record, whole at every moment, also while deploys write. */

import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { MidflightError } from '../errors.ts';
import type { Home } from '../release/home.ts';
import { openHistory } from './history.ts';

export interface Backup {
  readonly file: string;
  readonly sizeBytes: number;
}

/** Copies the record into a file that is not there yet; half of it is never there.
 *  Errors: ERR_MIDFLIGHT_USAGE where the file exists or nothing was deployed yet, ERR_MIDFLIGHT_DISK_FULL, ERR_MIDFLIGHT_RECORD_CORRUPT. */
export function backUp(home: Home, file: string): Backup {
  if (!existsSync(home.database))
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [`nothing was deployed in ${home.appDirectory} yet`]);
  if (existsSync(file))
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [`${file} is there already; name another file`]);
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

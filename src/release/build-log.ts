/** What the commands of one build print, whole, in a file of its own below `logs/`. */

import { appendFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

/** Older ones are removed. */
const LOGS_MAX = 20;
/** A build that prints without end must not fill the disk. */
const LOG_BYTES_MAX = 16 * 1024 * 1024;

export interface BuildLog {
  /** Relative to the app's directory; null while nothing was printed. */
  readonly name: () => string | null;
  write(chunk: string): void;
  /** Says which command what follows is from. */
  begin(command: string): void;
}

/** Nothing is on disk before something was printed. */
export function createBuildLog(logs: string): BuildLog {
  const time = new Date().toISOString().replaceAll(/[-:.]/g, '');
  const base = `build-${time}-${process.pid}.log`;
  let heading = '';
  let sizeBytes = 0;
  const append = (text: string): void => {
    const isFirst = sizeBytes === 0;
    sizeBytes += Buffer.byteLength(text);
    if (sizeBytes > LOG_BYTES_MAX) return;
    try {
      if (isFirst) makeRoom(logs);
      appendFileSync(path.join(logs, base), text, { mode: 0o600 });
    } catch {
      // The log is for whoever reads it later; a build does not fail for it.
    }
  };
  return {
    name: () => (sizeBytes === 0 ? null : path.join('.midflight', 'logs', base)),
    begin: (command) => void (heading = `$ ${command}\n`),
    write(chunk) {
      append(heading + chunk);
      heading = '';
    },
  };
}

function makeRoom(logs: string): void {
  mkdirSync(logs, { recursive: true });
  const names = readdirSync(logs).filter((name) => /^build-.*\.log$/.test(name));
  for (const name of names.toSorted().slice(0, Math.max(0, names.length - LOGS_MAX + 1)))
    rmSync(path.join(logs, name), { force: true });
}

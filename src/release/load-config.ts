/** The value of a configuration file. Code is evaluated in a thread of its own, which ends: a configuration that does not, that exits or
 *  leaves something open is that of one release, and the supervisor goes on; nor does it keep a module of each deploy. */

import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { MidflightError } from '../errors.ts';

/** An object, and a few lines that make it. */
const EVALUATE_TIMEOUT_MS = 30_000;
const threadFile = new URL(
  import.meta.url.endsWith('.ts') ? './config-thread.ts' : './config-thread.js',
  import.meta.url,
);

/** That of the app's own directory is asked for at each deploy, and is mostly the same: a thread takes some 50 ms. */
const evaluated = new Map<string, unknown>();
const EVALUATED_MAX = 4;

/** Errors: ERR_MIDFLIGHT_CONFIG_UNREADABLE with the cause. */
export async function loadConfig(file: string, timeoutMs = EVALUATE_TIMEOUT_MS): Promise<unknown> {
  try {
    if (file.endsWith('.json')) return JSON.parse(await readFile(file, 'utf8')) as unknown;
    const key = `${file}?at=${(await stat(file)).mtimeMs}`;
    if (!evaluated.has(key)) evaluated.set(key, await evaluate(file, timeoutMs));
    for (const oldest of evaluated.keys()) if (evaluated.size > EVALUATED_MAX) evaluated.delete(oldest);
    return evaluated.get(key);
  } catch (error) {
    throw new MidflightError('ERR_MIDFLIGHT_CONFIG_UNREADABLE', [path.basename(file), String(error)], {
      cause: error,
    });
  }
}

async function evaluate(file: string, timeoutMs: number): Promise<unknown> {
  const thread = new Worker(threadFile, { workerData: pathToFileURL(file).href });
  const over = new AbortController();
  const { signal } = over;
  const late = sleep(timeoutMs, null, { signal }).then(() => {
    throw new Error(`it has no value after ${timeoutMs} ms`);
  });
  const ended = once(thread, 'exit', { signal }).then(([code]) => {
    throw new Error(`it has ended with exit code ${code}, and no value`);
  });
  try {
    const [value] = (await Promise.race([once(thread, 'message', { signal }), ended, late])) as [unknown];
    return value;
  } finally {
    over.abort();
    await Promise.allSettled([ended, late, thread.terminate()]);
  }
}

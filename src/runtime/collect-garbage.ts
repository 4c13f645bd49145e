/** A whole garbage collection, for when it has to be known whether something is still held. It stops the process for as long as
 *  the heap is large, so it is asked for rarely. */

import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { readonly type: 'major'; readonly execution: 'async' }) => Promise<void>;

let collect: Collect | null = null;

/** Collects when no code runs: what only the stack holds would stay. */
export async function collectGarbage(): Promise<void> {
  collect ??= findCollect();
  await collect({ type: 'major', execution: 'async' });
}

/** V8 gives it to contexts that are made under its flag; the app's own has been made before. */
function findCollect(): Collect {
  const own = (globalThis as { gc?: unknown }).gc;
  if (typeof own === 'function') return own as Collect;
  v8.setFlagsFromString('--expose-gc');
  const found = runInNewContext('gc') as Collect;
  v8.setFlagsFromString('--no-expose-gc');
  return found;
}

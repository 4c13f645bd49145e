/**
 * What caused the code that runs now: the evaluation of one module, with everything that follows from it, or a
 * connection's work. A listener or a timer that a shared module made must outlive the generation that evaluated the
 * module, and a timer of a request must not be silenced by a swap; the generation alone can't tell these apart.
 */

import { AsyncLocalStorage } from 'node:async_hooks';

/** One evaluated module instance. Compared by identity: a re-evaluation is another origin. */
export interface ModuleOrigin {
  readonly kind: 'module';
  readonly path: string;
}

export interface WorkOrigin {
  readonly kind: 'work';
}

export type Origin = ModuleOrigin | WorkOrigin;

const storage = new AsyncLocalStorage<Origin>();
const work: WorkOrigin = { kind: 'work' };

/** The origin of the code that runs now; undefined where nobody said. */
export function currentOrigin(): Origin | undefined {
  return storage.getStore();
}

/** Evaluates a module so that what it starts, now or later, is known to be its own. */
export function runAsModule<Result>(origin: ModuleOrigin, callback: () => Result): Result {
  return storage.run(origin, callback);
}

/** Runs a connection's or a request's code: what it starts belongs to that work, not to a module's evaluation. */
export function runAsWork<Result>(callback: () => Result): Result {
  return storage.run(work, callback);
}

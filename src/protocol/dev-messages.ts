/** What `midflight dev` and its worker say to each other, over the same channel as supervisor and worker. */

import type { ErrorReport } from './messages.ts';

export interface DevLoadOptions {
  /** Absolute path of the app's tree. */
  readonly root: string;
  /** Relative to `root`. */
  readonly entry: string;
  readonly ready: 'listen' | 'load';
  readonly readyTimeoutMs: number;
}

/** Parent → worker. Every one is answered by `done` or `failed`. */
export type DevRequest =
  | { readonly type: 'load'; readonly options: DevLoadOptions }
  /** These files may differ from what was loaded; null: any may. */
  | { readonly type: 'files'; readonly paths: readonly string[] | null }
  /** Back to the code before the last swap. */
  | { readonly type: 'undo' }
  /** Another process has taken over: stop accepting, watch no more. */
  | { readonly type: 'pause' }
  | { readonly type: 'drain'; readonly timeoutMs: number };

export interface DevLoaded {
  readonly durationMs: number;
  readonly moduleCount: number;
}

export interface DevSwap {
  /** The files that differ, relative to the root. */
  readonly changed: readonly string[];
  /** The modules that were evaluated again because of that, themselves among them. */
  readonly reevaluated: readonly string[];
  /** From the news of the change to the new code's first request. */
  readonly durationMs: number;
}

export interface DevProblem {
  readonly changed: readonly string[];
  readonly error: ErrorReport;
  /** From the module that is at fault up to the entry; empty where that is not known. */
  readonly importChain: readonly string[];
}

export interface DevHandoff {
  readonly changed: readonly string[];
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
}

/** Worker → parent, unasked. */
export type DevEvent =
  | { readonly type: 'hello'; readonly protocol: number; readonly pid: number }
  /** All files that the app consists of, so that a process that has died can be started again when one is mended. */
  | { readonly type: 'modules'; readonly paths: readonly string[] }
  | ({ readonly type: 'swapped' } & DevSwap)
  /** The files can't be loaded as they are; the code before goes on. */
  | ({ readonly type: 'failed' } & DevProblem)
  /** After `failed`: the files are again what is loaded. */
  | { readonly type: 'mended'; readonly changed: readonly string[] }
  /** Only a new process can take these changes. */
  | ({ readonly type: 'unswappable' } & DevHandoff);

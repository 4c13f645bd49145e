/** What `midflight dev` and its worker say to each other, over the same channel as supervisor and worker. */

import type { ErrorReport, StateFailure } from './messages.ts';
import type { ProtocolRange } from './versions.ts';

export interface DevLoadOptions {
  /** Absolute path of the app's tree. */
  readonly root: string;
  /** Relative to `root`. */
  readonly entry: string;
  /** `listen`: it takes over from another process, so it has to serve before that one stops. */
  readonly ready: 'listen' | 'load';
  readonly readyTimeoutMs: number;
  /** Asks for another process when more retired generations than this are still there. */
  readonly maxRetained: number;
}

/** Parent → worker. Every one is answered by `done` or `failed`. */
export type DevRequest =
  | { readonly type: 'load'; readonly options: DevLoadOptions }
  /** These files, relative to the root, may differ from what was loaded. */
  | { readonly type: 'files'; readonly paths: readonly string[] }
  /** Back to the code before the last swap. */
  | { readonly type: 'undo' }
  /** Answered by the imports that lead from the entry to each of these files, in their order. */
  | { readonly type: 'chains'; readonly paths: readonly string[] }
  /** Before `load`: listens at the path for the states of the process before; answered when it does. */
  | { readonly type: 'receiveState'; readonly path: string; readonly timeoutMs: number }
  /** Sends a copy of its states there, as far as they can be copied; answered by those that can't. */
  | { readonly type: 'sendState'; readonly path: string; readonly timeoutMs: number }
  /** Another process has taken over: answered when the last client has left, or at the deadline. */
  | { readonly type: 'leave'; readonly timeoutMs: number };

/** The files can't be loaded as they are. */
export interface DevProblem {
  readonly error: ErrorReport;
  /** From the entry to the module that is at fault; empty where that is not known. */
  readonly importChain: readonly string[];
}

/** The answer to `load`. */
export type DevLoadAnswer =
  | { readonly status: 'loaded'; readonly durationMs: number; readonly moduleCount: number }
  | ({ readonly status: 'failed' } & DevProblem);

/** The answer to `sendState`. */
export type DevStateAnswer = readonly StateFailure[];

export interface DevSwap {
  /** The files that differ, relative to the root. */
  readonly changed: readonly string[];
  /** The modules that were evaluated because of that, the changed ones among them. */
  readonly evaluated: readonly string[];
  /** From the news of the change until the new code serves. */
  readonly durationMs: number;
}

/** Worker → parent, unasked. */
export type DevEvent =
  | { readonly type: 'hello'; readonly protocol: ProtocolRange; readonly pid: number }
  /** All files that the app consists of, so that a process that has died is started again when one of them is mended. */
  | { readonly type: 'modules'; readonly paths: readonly string[] }
  /** It is about to look at these files as they are with these stamps. */
  | { readonly type: 'seen'; readonly stamps: Readonly<Record<string, string>> }
  | ({ readonly type: 'swapped' } & DevSwap)
  /** The code before goes on. */
  | ({ readonly type: 'failed' } & DevProblem)
  /** After `failed`: the files are what runs again. */
  | { readonly type: 'mended' }
  /** The file changes again and again: the app writes it itself, and it is not looked at any more. */
  | { readonly type: 'restless'; readonly path: string }
  /** Only a new process can take these changes. */
  | { readonly type: 'unswappable'; readonly reasons: readonly string[] };

/** What `midflight dev` has to tell: one object for each thing that happens, whoever prints it. */

import type { DevProblem, DevSwap } from '../protocol/dev-messages.ts';

export type DevNotice =
  /** The app runs, for the first time or again. `modules` is 0 for a program that is not Node. */
  | {
      readonly type: 'serving';
      readonly addresses: readonly string[];
      readonly pid: number;
      readonly modules: number;
      readonly durationMs: number;
    }
  | ({ readonly type: 'swapped' } & DevSwap)
  /** The files can't be loaded as they are; the code before goes on. */
  | ({ readonly type: 'failed' } & DevProblem)
  | { readonly type: 'mended' }
  | { readonly type: 'undone' }
  | { readonly type: 'handoff'; readonly reasons: readonly string[] }
  | { readonly type: 'handed-off'; readonly pid: number; readonly durationMs: number }
  /** The process before goes on. */
  | ({ readonly type: 'handoff-failed' } & DevProblem)
  /** Nothing runs; the next save starts it again. */
  | ({ readonly type: 'start-failed' } & DevProblem)
  /** The app's process has ended by itself: `exit code 1`, `signal SIGSEGV`. The next save starts it again. */
  | { readonly type: 'ended'; readonly how: string }
  | { readonly type: 'building'; readonly changed: readonly string[] }
  /** Types that do not fit; the code runs all the same. */
  | { readonly type: 'types'; readonly errors: readonly TypeProblem[] }
  | { readonly type: 'types-right' }
  | { readonly type: 'log'; readonly message: string };

export interface TypeProblem {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** The lines around it. */
  readonly frame: string;
  /** From the entry to the file; empty where nothing leads there. */
  readonly importChain: readonly string[];
}

export type Say = (notice: DevNotice) => void;

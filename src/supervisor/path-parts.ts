/** What the paths of a deploy are made of, and how long they took. */

import type { Launcher } from './launcher.ts';
import type { Replacements } from './replacements.ts';
import type { Roster } from './roster.ts';
import type { StateHandover, StateTimings } from './state-handover.ts';
import type { WorkersEnv } from './workers-env.ts';

export interface PathParts {
  readonly env: WorkersEnv;
  readonly roster: Roster;
  readonly launcher: Launcher;
  readonly replacements: Replacements;
  readonly states: StateHandover;
}

export interface Timings extends Partial<StateTimings> {
  readonly prepareMs: number;
  readonly commitMs: number;
}

/** What the steps of a deploy work with. */

import type { Home } from '../release/home.ts';
import type { Workers } from '../supervisor/workers.ts';
import type { AtWork } from './at-work.ts';
import type { History } from './history.ts';

export interface DeployParts {
  readonly home: Home;
  readonly workers: Workers;
  readonly history: History;
  readonly atWork: AtWork;
  /** Says where it is, to everybody who follows. */
  tell(step: string, message: string): void;
}

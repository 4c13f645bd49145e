/** What the steps of a deploy work with. */

import type { Home } from '../release/home.ts';
import type { Workers } from '../supervisor/workers.ts';
import type { AtWork } from './at-work.ts';
import type { Audit } from './audit.ts';
import type { DeployRun } from './deploy-run.ts';
import type { History } from './history.ts';
import type { TrustGate } from './trust-gate.ts';

export interface DeployParts {
  readonly home: Home;
  readonly workers: Workers;
  readonly history: History;
  readonly atWork: AtWork;
  /** What every release has to pass. */
  readonly gate: TrustGate;
  readonly audit: Audit;
  /** Says where a run is, to everybody who follows; which one, only where it is not the one at work. */
  tell(step: string, message: string, run?: DeployRun): void;
}

/**
 * Who is at work on an app, and which run is in probation. Owns both.
 *
 * 1. One at a time is at work; the next waits or is refused.
 * 2. The run in probation is the one that was committed last, until it has ended.
 */

import { MidflightError } from '../errors.ts';
import type { DeployReport } from './deploy-request.ts';
import { describeWork, type DeployRun } from './deploy-run.ts';
import type { Intervention } from './probation.ts';
import { createTurns, type TurnWish } from './turns.ts';

export type Work = DeployRun | 'start' | 'scale';

/** The release that has been committed last, until it has passed. */
export interface Probation {
  readonly run: DeployRun;
  end(intervention: Intervention): void;
  readonly ended: Promise<DeployReport>;
}

export interface AtWork {
  readonly working: Work | null;
  readonly probation: Probation | null;
  /** The run that is at work, else the one in probation. */
  run(): DeployRun | null;
  isTaken(): boolean;
  /** Is at work from its turn on until `end`. Errors: ERR_MIDFLIGHT_DEPLOY_LOCKED where its turn did not come in time. */
  take<Mine extends Work>(wish: TurnWish, begin: () => Mine): Promise<{ readonly work: Mine; end(): void }>;
  /** Nobody is at work until the returned function is called. Errors: ERR_MIDFLIGHT_DEPLOY_LOCKED, also in probation. */
  rest(): Promise<() => void>;
  /** Errors: ERR_MIDFLIGHT_DEPLOY_LOCKED in probation. */
  requireNoProbation(): void;
  /** From here on `probation` is this one, until it has ended. */
  enter(probation: Probation): void;
}

/** Makes it; nobody is at work. */
export function createAtWork(): AtWork {
  const turns = createTurns(() => describeWork(working));
  let working: Work | null = null;
  let probation: Probation | null = null;

  function requireNoProbation(): void {
    if (probation !== null)
      throw new MidflightError('ERR_MIDFLIGHT_DEPLOY_LOCKED', [describeWork(probation.run), '']);
  }

  return {
    get working() {
      return working;
    },
    get probation() {
      return probation;
    },
    run: () => (working === null || typeof working === 'string' ? (probation?.run ?? null) : working),
    isTaken: () => turns.isTaken(),
    async take(wish, begin) {
      const giveBack = await turns.take(wish);
      const end = (): void => {
        working = null;
        giveBack();
      };
      try {
        const work = begin();
        working = work;
        return { work, end };
      } catch (error) {
        end();
        throw error;
      }
    },
    requireNoProbation,
    async rest() {
      requireNoProbation();
      return turns.take({ waitMs: 0 });
    },
    enter(entered) {
      probation = entered;
      const leave = (): void => {
        if (probation === entered) probation = null;
      };
      entered.ended.then(leave, leave);
    },
  };
}

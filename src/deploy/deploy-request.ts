/** What is asked of a deployer, and what it answers. */

import type { Failure } from '../errors.ts';
import type { Policy } from '../plan/plan.ts';
import type { DeployPath, Reason } from '../plan/reason.ts';
import type { Signer } from './admission.ts';
import type { Actor } from './audit-chain.ts';
import type { DeployAction, DeployResult } from './history.ts';

export interface DeployRequest {
  readonly ref: string;
  readonly isDirty: boolean;
  /** Not a commit but the release in this file, an absolute path. */
  readonly bundle?: string | undefined;
  readonly path: Policy['path'];
  /** The id of a plan that was shown; nothing is applied where what is to be done is another one. */
  readonly plan?: string | null;
  /** Answer at commit and leave probation to itself. */
  readonly detach: boolean;
  /** How long to wait for the end of another deploy that is at work; 0 is not at all. */
  readonly waitMs: number;
}

/** Of whoever asks for a deploy. */
export interface DeployCaller {
  /** For the audit log. */
  readonly actor: Actor;
  /** Signs what is about to be brought in; null where nobody does. */
  readonly signer: Signer | null;
  /** Nobody wants it any more, if it has not begun yet. */
  readonly signal?: AbortSignal;
  /** Called where it has to wait, with what is at work. */
  onWait?(holder: string): void;
  onBegin?(run: number): void;
}

export interface DeployReport {
  readonly release: string | null;
  readonly previous: string | null;
  readonly path: DeployPath;
  readonly result: DeployResult;
  readonly reasons: readonly Reason[];
  readonly generation: number;
  readonly workers: number;
  readonly timings: Readonly<Record<string, number>>;
  /** What failed, with the end of its output; null where nothing did. */
  readonly error: Failure | null;
  /** What a process that could not take over had printed last; not said by older supervisors. */
  readonly output?: string;
}

export interface Progress {
  readonly step: string;
  readonly message: string;
  /** Of the deploy that is there; null where it is of none. */
  readonly run: number | null;
  /** Since that has begun. */
  readonly atMs: number;
}

/** A deploy that is under way, for whoever joins it. */
export interface Following {
  readonly run: number;
  /** What it has told so far. */
  readonly told: readonly Progress[];
  readonly ended: Promise<DeployReport>;
}

/** Who wants to change something, and how. */
export interface DeployWish extends DeployCaller {
  readonly what: string;
  readonly action: DeployAction;
  readonly detach: boolean;
  readonly waitMs: number;
}

/**
 * What a supervisor has the keeper know of its workers, so that the next one can go on where it was killed. It is written
 * whole, before each step that changes something outside; JSON.
 */

import type { ProtocolRange } from '../protocol/versions.ts';
import type { Crew, Member } from './crew.ts';

export interface CrewNote {
  readonly generation: number;
  readonly release: string;
  readonly members: readonly MemberNote[];
}

export interface MemberNote {
  /** The keeper's number of it. */
  readonly process: number;
  /** What its agent speaks; null for a program that is not Node. */
  readonly protocol: ProtocolRange | null;
  /** Of a program its own, not that of the parent that it was given. */
  readonly pid: number;
}

export interface LeavingNote extends MemberNote {
  /** In milliseconds since 1970: what is in flight may take until then. */
  readonly deadlineAt: number;
}

export interface Notebook {
  readonly generationCount: number;
  readonly proved: CrewNote | null;
  /** What serves; another than `proved` only in probation. */
  readonly current: CrewNote | null;
  /** What is to follow. `committing`: its processes may serve already. */
  readonly next: (CrewNote & { readonly phase: Phase }) | null;
  /** Of the last handoff: who has passed its states to whom. */
  readonly successions: readonly { readonly from: number; readonly to: number }[];
  readonly leaving: readonly LeavingNote[];
  readonly isStopping: boolean;
}

/** `passing`: what serves may have stopped to accept, for its states to be passed. */
export type Phase = 'preparing' | 'passing' | 'committing';

export function toCrewNote({ generation, release, members }: Crew): CrewNote {
  return {
    generation,
    release: release.manifest.id,
    members: [...members].map(toMemberNote),
  };
}

export function toMemberNote({ worker }: Member): MemberNote {
  const protocol = worker.kind === 'node' ? worker.protocol() : null;
  return { process: worker.id, protocol, pid: worker.pid };
}

/** What the workers of an app tell whoever deploys it. */

export interface WorkersEvents {
  /** Something speaks against the release that runs as this generation. */
  fault: [error: Error, generation: number];
  /** A worker has outgrown what the release allows: fresh ones should take over. */
  outgrown: [reason: Outgrown, generation: number];
  /** Work that still ran in an old process has written to states that had been passed already, or who had been passed them ended
   *  before it served. */
  stateLost: [message: string, by: StateLoser];
}

/** The generation of the process that has written; null where none has, and it is about the handoff at work. */
export type StateLoser = number | null;

/** Why fresh processes should take over, in the form of a plan's reason. */
export interface Outgrown {
  readonly code: string;
  readonly path: 'handoff';
  readonly message: string;
}

/** Why a plan takes the path that it takes. */

export const deployPaths = ['none', 'swap', 'handoff', 'restart', 'rejected'] as const;
/** The way a release gets in, lightest first. */
export type DeployPath = (typeof deployPaths)[number];

export interface Reason {
  /** Stable: MF1xxx swap, MF2xxx handoff, MF3xxx rejected. */
  readonly code: string;
  /** The lightest path that this reason allows. */
  readonly path: DeployPath;
  readonly message: string;
}

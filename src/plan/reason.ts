/** Why a plan takes the path that it takes. */

export const deployPaths = ['none', 'swap', 'handoff', 'restart', 'rejected'] as const;
/** The way a release gets in, lightest first. */
export type DeployPath = (typeof deployPaths)[number];

export interface Reason {
  /** Stable: MF1xxx swap, MF2xxx handoff, MF3xxx rejected, MF5xxx a warning; MF4xxx are of probation. */
  readonly code: string;
  /** The lightest path that this reason allows; `none` for a warning. */
  readonly path: DeployPath;
  readonly message: string;
  /** What to do about it; absent where there is nothing to do. */
  readonly fix?: string;
}

const weight: Record<DeployPath, number> = { none: 0, swap: 1, handoff: 2, restart: 3, rejected: 4 };

/** True when `path` is more than `other`. */
export function isHeavier(path: DeployPath, other: DeployPath): boolean {
  return weight[path] > weight[other];
}

/** The path that all of these reasons allow. */
export function toHeaviest(reasons: readonly Reason[]): DeployPath {
  return reasons.reduce<DeployPath>(
    (heaviest, { path }) => (isHeavier(path, heaviest) ? path : heaviest),
    'none',
  );
}

/** As many names as a person reads in one line. */
const NAMES_SHOWN_MAX = 5;

/** `a, b, c, d, e and 2 more`. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN_MAX).join(', ');
  return names.length > NAMES_SHOWN_MAX ? `${shown} and ${names.length - NAMES_SHOWN_MAX} more` : shown;
}

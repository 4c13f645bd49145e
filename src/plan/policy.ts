/** What the configuration of a release makes of what the rules found: `strict`, `stateLoss`, `allow`. */

import type { ReleaseSettings } from '../protocol/manifest.ts';
import type { Reason } from './reason.ts';

export type PlanPolicy = Pick<ReleaseSettings['policy'], 'strict' | 'stateLoss' | 'allow'>;

/** True where a person has said that this code rejects nothing. */
export function isAllowed({ code }: Pick<Reason, 'code'>, { allow }: PlanPolicy): boolean {
  return allow.some((allowed) => allowed === code);
}

/** A rule of the release that is allowed is a warning. */
export function weighRelease(reason: Reason, policy: PlanPolicy): Reason {
  if (isAllowed(reason, policy)) return { ...reason, path: 'none', message: `${reason.message} (allowed)` };
  return { ...reason, fix: `${reason.fix === undefined ? '' : `${reason.fix}; or `}${toAllow(reason)}` };
}

/** The warnings of a swap because of which new processes are to take over. */
export function toHandoff(warnings: readonly Reason[], policy: PlanPolicy): readonly Reason[] {
  if (policy.stateLoss !== 'handoff') return [];
  return warnings
    .filter((warning) => warning.code === 'MF5001' && !isAllowed(warning, policy))
    .map(({ message, ...warning }) => ({
      ...warning,
      path: 'handoff',
      message: `${message}; by "stateLoss": "handoff" the whole process starts anew instead`,
    }));
}

/** A warning as it is, or as the rejection that the policy makes of it. */
export function weighWarning(warning: Reason, policy: PlanPolicy): Reason {
  const key = rejectingKey(warning, policy);
  if (key === null || isAllowed(warning, policy)) return warning;
  return {
    ...warning,
    path: 'rejected',
    message: `${warning.message}; ${key} rejects that`,
    fix: `${warning.fix === undefined ? '' : `${warning.fix}; or `}${toAllow(warning)}`,
  };
}

function rejectingKey({ code }: Reason, { strict, stateLoss }: PlanPolicy): string | null {
  if (code === 'MF5001' && stateLoss === 'reject') return '"stateLoss": "reject"';
  return strict ? '"strict": true' : null;
}

function toAllow({ code }: Reason): string {
  return `accept it by "allow": ["${code}"] in "policy"`;
}

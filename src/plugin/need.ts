/** Whether a version is what somebody needs who has the plugin open. */

import semver from 'semver';
import { MidflightError } from '../errors.ts';
import type { Need } from './plugin-source.ts';

/** Errors: ERR_MIDFLIGHT_PLUGIN_VERSION_UNSATISFIED. */
export function requireRange(name: string, version: string | null, need: Need): void {
  if (isInRange(version, need)) return;
  const { by, range } = need;
  const details = [name, version ?? 'without a version', range ?? '', by];
  throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_VERSION_UNSATISFIED', details);
}

export function isInRange(version: string | null, { range }: Need): boolean {
  return range === null || (version !== null && semver.satisfies(version, range));
}

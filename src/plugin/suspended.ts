/** What every call throws while a plugin rests. */

import { MidflightError } from '../errors.ts';
import type { RunningVersion } from './running-version.ts';
import type { SharedOptions } from './shared-options.ts';

/** A new one each time: each has the stack of its call. */
export function toSuspended(
  { label }: RunningVersion,
  { failures, restMs }: SharedOptions['breaker'],
  error: Error,
): () => Error {
  const details = [label, failures, restMs, error.message];
  return () => new MidflightError('ERR_MIDFLIGHT_PLUGIN_SUSPENDED', details, { cause: error });
}

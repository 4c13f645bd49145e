/** Ctrl-C, or a request to end, for a command that has something to end itself; the second one ends the command at once. */

import { MidflightError } from '../errors.ts';

export function watchInterrupt(): AbortSignal {
  const interrupted = new AbortController();
  const abort = (): void => interrupted.abort(new MidflightError('ERR_MIDFLIGHT_BUILD_ABORTED', []));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, abort);
  return interrupted.signal;
}

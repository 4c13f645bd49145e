/** A deploy in the record that nothing was wrong with. */

import type { History } from '../../src/deploy/history.ts';

export function recordCommitted(history: History, release: string): void {
  const id = history.begin('deploy', null);
  history.end(id, {
    release,
    previous: null,
    path: 'swap',
    result: 'committed',
    reasons: [],
    timings: {},
    evidence: null,
  });
}

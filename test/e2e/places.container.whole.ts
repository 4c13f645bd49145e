/**
 * PID 1 of a PID namespace, which takes root and the right to make namespaces; `npm test` has what needs neither.
 *
 *   node --test test/e2e/places.container.whole.ts
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { childrenOf, testContainer } from './places.container-run.ts';

testContainer({
  name: 'PID 1',
  launcher: ['unshare', '--fork', '--kill-child', '--pid', '--mount-proc'],
  findInit(unshare) {
    const [init = 0] = childrenOf(unshare.pid ?? 0);
    assert.match(readFileSync(`/proc/${init}/status`, 'utf8'), /^NSpid:\s+\d+\s+1$/m);
    return init;
  },
});

/** The benchmark of handoffs still measures what it says; its peers are left to the nightly run. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claim } from '../../bench/handoff-drops.ts';

test('the benchmark of handoffs sees requests, streams, uploads and WebSockets over a handoff, and no failure', async () => {
  // Nothing is cut, however slow the machine is.
  const sizes = { ...claim.smokeSizes, warmUpMs: 500, steadyMs: 500, periodMs: 1_000, drainMs: 60_000 };
  const log: string[] = [];
  const results = await claim.measure((line) => log.push(line), {
    sizes,
    isWanted: (system) => system === 'Midflight, handoff',
  });
  assert.ok(typeof results !== 'string');
  assert.deepEqual(log, ['Midflight, handoff']);
  const { row, detail } = results[0] ?? assert.fail('nothing was measured');
  const { versions, webSockets } = detail as { versions: number; webSockets: { messages: number } };
  assert.equal(row['failed'], 0);
  assert.equal(versions, 2);
  assert.ok(Number(row['requests']) > 50);
  assert.ok(webSockets.messages > 20);
});

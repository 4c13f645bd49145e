import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createAccepted, findAccepted } from '../../src/deploy/accepted.ts';
import { appendAudit } from '../../src/deploy/audit-log.ts';
import { openHistory } from '../../src/deploy/history.ts';

test('the newest statement that was accepted is known from the record, and from the audit log where the record is gone or older', (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-accepted-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const log = path.join(directory, 'audit.log');
  const history = openHistory(path.join(directory, 'midflight.db'));
  t.after(() => history.close());
  const actor = { by: 'client', uid: 1, user: null, pid: 2 } as const;
  assert.equal(findAccepted(history, log), null);
  for (const [counter, result] of [
    [7, 'begun'],
    [9, 'refused'],
    [5, 'begun'],
  ] as const)
    appendAudit(log, { action: 'deploy', actor, result, counter, digest: `digest ${counter}` });
  assert.deepEqual(findAccepted(history, log), { counter: 7, digest: 'digest 7' });
  history.setHighestAccepted({ counter: 6, digest: 'restored' });
  const accepted = createAccepted(history, log);
  assert.deepEqual(accepted(), { counter: 7, digest: 'digest 7' });
  history.setHighestAccepted({ counter: 8, digest: 'other' });
  assert.deepEqual(accepted(), { counter: 8, digest: 'other' });
  assert.deepEqual(findAccepted(history, log), { counter: 8, digest: 'other' });
});

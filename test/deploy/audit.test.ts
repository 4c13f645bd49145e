import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createAudit } from '../../src/deploy/audit.ts';

test("what is not done yet is not done where the audit log can't be written, and what is done goes on and says what is missing", (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-audit-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(path.join(directory, 'file'), '');
  const log: string[] = [];
  const audit = createAudit(path.join(directory, 'file', 'audit.log'), (message) => log.push(message));
  const actor = { by: 'signal', uid: 1, user: null, pid: 2 } as const;
  const entry = { action: 'deploy', actor, release: 'release-1', result: 'begun' };
  assert.throws(() => audit(entry, { isRequired: true }), { code: 'ERR_MIDFLIGHT_AUDIT_UNWRITABLE' });
  assert.deepEqual(log, []);
  audit({ ...entry, result: 'committed' });
  assert.match(
    log.join('\n'),
    /^the audit log can't be written: .*; missing in it: deploy release-1 committed$/,
  );
});

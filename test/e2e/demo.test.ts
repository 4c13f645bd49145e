/** The README's first command: it ends as it promises, and leaves nothing behind. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { repository } from '../support/app.ts';

test('the demo ends with no failed request and leaves nothing behind', (t) => {
  const temporary = mkdtempSync(path.join(tmpdir(), 'midflight-demo-test-'));
  t.after(() => rmSync(temporary, { recursive: true, force: true }));
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/demo.ts'], {
    cwd: repository,
    encoding: 'utf8',
    env: { ...process.env, TMPDIR: temporary },
  });
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  assert.equal(stdout.trimEnd().split('\n').at(-1), 'failed requests: 0');
  for (const row of ['changed module +swap +committed', 'rollback by hand +handoff +committed']) {
    assert.match(stdout, new RegExp(row));
  }
  const left = readdirSync(temporary).filter((name) => name !== 'node-compile-cache');
  assert.deepEqual(left, []);
});

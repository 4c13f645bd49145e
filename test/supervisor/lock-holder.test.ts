import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { isHolderThere, readHolder } from '../../src/supervisor/lock-holder.ts';
import { acquireLock } from '../../src/supervisor/lock.ts';

test('who has a lock is there as long as it has it, and nobody is where a full disk has left no pid', (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-lock-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = path.join(directory, 'home/supervisor.lock');
  assert.ok(!isHolderThere(file));
  const lock = acquireLock(file);
  assert.ok(isHolderThere(file));
  assert.throws(() => acquireLock(file), {
    code: 'ERR_MIDFLIGHT_ALREADY_RUNNING',
    details: [directory, `${process.pid}`],
  });
  writeFileSync(`${file}.pid`, '');
  assert.ok(!isHolderThere(file));
  assert.equal(readHolder(file), 'unknown');
  lock.dispose();
  assert.ok(!isHolderThere(file));
});

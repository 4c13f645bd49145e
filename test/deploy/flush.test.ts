import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { flush } from '../../src/deploy/flush.ts';

/** A folder that is flushed by a `sync` of this test's own. */
function makePlace(t: TestContext, script: string): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-flush-'));
  const before = process.env['PATH'];
  t.after(() => {
    process.env['PATH'] = before;
    rmSync(directory, { recursive: true, force: true });
  });
  writeFileSync(path.join(directory, 'sync'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  process.env['PATH'] = `${directory}:${before}`;
  return directory;
}

test('what is written is flushed by the file system that it is on', async (t) => {
  const place = makePlace(t, 'echo "$@" > said; test "$#" = 2 -a "$1" = -f -a "$2" = "$PWD"');
  assert.equal(await flush(place), null);
});

test('why it could not be flushed is said', async (t) => {
  assert.match((await flush(makePlace(t, 'echo broken; exit 5'))) ?? '', /sync ended with 5: broken/);
});

test('a disk that does not answer is not waited for without end', async (t) => {
  const problem = await flush(makePlace(t, 'trap "" TERM; while :; do sleep 1; done'), 50);
  assert.equal(problem, 'no end after 50 ms');
});

/** What the README of the time service says of its process. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestApp, readRepositoryFile } from '../support/app.ts';

test('time-service becomes friendlier in the process that runs', async (t) => {
  const app = await createTestApp({
    from: 'examples/time-service',
    files: {},
    config: { probationMs: 200 },
  });
  t.after(() => app.dispose());
  await app.start();
  const before = await app.status();
  app.commit({ 'format.ts': readRepositoryFile('examples/time-service/friendlier/format.ts') });
  const { json } = await app.midflight('deploy', '--json');
  assert.deepEqual([json['path'], json['result']], ['swap', 'committed']);
  assert.match(await app.get(), /^It is /);
  const after = await app.status();
  assert.deepEqual(
    after.workers.map(({ pid }) => pid),
    before.workers.map(({ pid }) => pid),
  );
});

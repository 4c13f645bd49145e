/** Kills the supervisor before each change that its `gc` makes: what serves and what is kept are whole, and the next one ends the work. */

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { collect } from '../../src/console/collect.ts';
import { toHome, type Home } from '../../src/release/home.ts';
import { verifyRelease } from '../../src/release/verify.ts';
import { createTestApp, repository } from '../support/app.ts';

const server = `import { createServer } from 'node:http';
createServer((request, response) => response.end('one')).listen(Number(process.env.PORT), '127.0.0.1');
`;
/** Releases that nobody has deployed, built so long ago that nobody will. Two are kept: the newer of these, and the one that serves. */
const OLD = '20200101T000000000Z-00000000';
const OLD_KEPT = '20200102T000000000Z-00000000';

function litter(home: Home, serving: string): void {
  for (const id of [OLD, OLD_KEPT]) {
    const old = path.join(home.releases, id);
    if (existsSync(old)) continue;
    cpSync(path.join(home.releases, serving), old, { recursive: true, verbatimSymlinks: true });
    utimesSync(old, 0, 0);
  }
  mkdirSync(path.join(home.dependencies, 'old/node_modules'), { recursive: true });
  writeFileSync(path.join(home.store, 'old.js'), '');
}

test('a supervisor that is killed before any step of gc leaves what it keeps whole, no lock, and the next one ends the work', async (t) => {
  const app = await createTestApp({
    files: { 'server.mjs': server },
    config: { entry: 'server.mjs', probationMs: 0, keep: 2 },
    startFile: path.join(repository, 'test/fault/sweeping/midflight.js'),
  });
  t.after(() => app.dispose());
  await app.start();
  const home = toHome(app.directory);
  const killFile = path.join(home.directory, 'kill-at');
  const { release } = await app.status();
  const isDryRun = false;
  // The one that follows a start, which nobody waits for, is over then.
  await collect(home, { isDryRun });
  litter(home, release);
  writeFileSync(killFile, 'never');
  assert.deepEqual((await collect(home, { isDryRun })).removed, {
    releases: [OLD],
    store: 1,
    cache: 0,
    dependencies: 1,
  });
  const steps = readFileSync(path.join(home.directory, 'steps'), 'utf8').trimEnd().split('\n');
  assert.deepEqual(steps.toSorted(), ['renameSync', 'renameSync', 'rm', 'rm', 'rmSync']);
  for (const [index, step] of steps.entries()) {
    litter(home, release);
    writeFileSync(killFile, String(index));
    // The next supervisor answers.
    assert.equal((await collect(home, { isDryRun })).deferred, null, step);
    assert.ok(!existsSync(killFile), step);
    assert.equal(await app.get(), 'one');
    assert.deepEqual((await verifyRelease(home, release)).problems, [], step);
    assert.deepEqual(readdirSync(home.releases).toSorted(), [OLD_KEPT, release], step);
    assert.deepEqual(readdirSync(home.dependencies), []);
    assert.ok(!existsSync(path.join(home.store, 'old.js')));
  }
});

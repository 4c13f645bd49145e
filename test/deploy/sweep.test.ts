/** What a sweep removes, and what it leaves whatever it is told. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { collectGarbage, collectGarbageOffline } from '../../src/deploy/collect-garbage.ts';
import type { DeployParts } from '../../src/deploy/deploy-parts.ts';
import { openHistory } from '../../src/deploy/history.ts';
import type { ReleaseRoot } from '../../src/deploy/live-releases.ts';
import { setPin } from '../../src/deploy/pins.ts';
import { removeLeftovers, sweep, type SweepReport } from '../../src/deploy/sweep.ts';
import { buildRelease } from '../../src/release/build.ts';
import { toHome, type Home } from '../../src/release/home.ts';
import { takeBuildTurn, takeSweepTurn } from '../../src/release/store-turn.ts';
import { verifyRelease } from '../../src/release/verify.ts';
import { recordCommitted } from './committed-deploy.ts';

interface Built {
  readonly home: Home;
  /** Oldest first; each has one module of its own, and one that all have. */
  readonly ids: readonly string[];
}

async function buildReleases(t: TestContext, count: number): Promise<Built> {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-sweep-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const home = toHome(directory);
  writeFileSync(path.join(directory, 'midflight.config.json'), '{"entry":"server.js"}');
  writeFileSync(path.join(directory, 'shared.js'), 'export const a = 1;');
  const ids: string[] = [];
  for (let version = 0; version < count; version++) ids.push(await build(home, version));
  return { home, ids };
}

async function build(home: Home, version: number): Promise<string> {
  writeFileSync(
    path.join(home.appDirectory, 'server.js'),
    `import './shared.js'; export default ${version};`,
  );
  const { manifest } = await buildRelease({ home, ref: '', isDirty: true, onStep: () => undefined });
  return manifest.id;
}

function sweepTo(home: Home, live: readonly string[], isDryRun = false): Promise<SweepReport> {
  const roots = new Map(live.map((id): [string, readonly ReleaseRoot[]] => [id, ['newest']]));
  return sweep({ home, isDryRun, findLive: () => roots });
}

async function assertWhole(home: Home, ids: readonly string[]): Promise<void> {
  assert.deepEqual(readdirSync(home.releases).toSorted(), ids.toSorted());
  for (const id of ids) assert.deepEqual((await verifyRelease(home, id)).problems, []);
}

test('releases that are not live go with the modules and dependencies that only they have; a dry run removes nothing', async (t) => {
  const { home, ids } = await buildReleases(t, 4);
  mkdirSync(path.join(home.dependencies, 'old/node_modules'), { recursive: true });
  const [, second = '', , last = ''] = ids;
  const before = readdirSync(home.store).length;
  const dry = await sweepTo(home, [second, last], true);
  await assertWhole(home, ids);
  const done = await sweepTo(home, [second, last]);
  assert.deepEqual({ ...dry, isDryRun: false }, done);
  assert.deepEqual(done.removed, { releases: [ids[0], ids[2]], store: 2, cache: 0, dependencies: 1 });
  assert.equal(done.deferred, null);
  assert.ok(done.freedBytes > 0);
  await assertWhole(home, [second, last]);
  assert.equal(readdirSync(home.store).length, before - 2);
  assert.deepEqual(readdirSync(home.dependencies), []);
  assert.deepEqual((await sweepTo(home, [second, last])).removed.releases, []);
});

test('nothing shared goes where a manifest of what stays cannot be read', async (t) => {
  const { home, ids } = await buildReleases(t, 3);
  const [first = '', second = '', third = ''] = ids;
  // What was read once is looked at again when it differs.
  assert.equal((await sweepTo(home, [second, third], true)).deferred, null);
  writeFileSync(path.join(home.releases, second, 'manifest.json'), '{');
  const unread = await sweepTo(home, [second, third]);
  assert.deepEqual([unread.removed.releases, unread.removed.store], [[first], 0]);
  assert.match(unread.deferred ?? '', /can't be read/);
});

/** A process that builds, or copies a release, until it is killed. */
const builder = (home: Home): string => `
import { mkdirSync } from 'node:fs';
import { takeBuildTurn, takeSweepTurn } from ${JSON.stringify(import.meta.resolve('../../src/release/store-turn.ts'))};
const home = ${JSON.stringify(home)};
await takeBuildTurn(home, async () => {
  mkdirSync(home.releases + '/.staging-' + process.pid + '-1');
  console.log('builds');
  await new Promise(() => setInterval(() => {}, 1e6));
});`;

test('while another process builds nothing goes, its own least of all; when it was killed, what it has left does', async (t) => {
  const { home, ids } = await buildReleases(t, 3);
  const [first = '', ...others] = ids;
  const child = spawn(process.execPath, ['--input-type=module', '-e', builder(home)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const staging = path.join(home.releases, `.staging-${child.pid}-1`);
  const beside = await sweepTo(home, others);
  assert.deepEqual([beside.removed.releases, beside.removed.store, beside.freedBytes], [[], 0, 0]);
  assert.match(beside.deferred ?? '', /another process builds/);
  // As a start does.
  await removeLeftovers(home);
  assert.ok(existsSync(staging));
  // A build of this one needs not wait for it.
  await takeBuildTurn(home, async () => build(home, 2));
  child.kill('SIGKILL');
  await once(child, 'exit');
  await removeLeftovers(home);
  assert.ok(!existsSync(staging));
  const after = await sweepTo(home, others);
  assert.ok(after.removed.releases.includes(first));
  assert.equal(after.deferred, null);
});

test('where it cannot be told what lives, nothing goes; where that is so only later, nothing more goes', async (t) => {
  const { home, ids } = await buildReleases(t, 3);
  assert.notEqual((await sweep({ home, isDryRun: false, findLive: () => null })).deferred, null);
  let asked = 0;
  // The first question is for the report, two more are for each release.
  const findLive = (): Map<string, []> | null => (asked++ < 3 ? new Map() : null);
  assert.deepEqual((await sweep({ home, isDryRun: false, findLive })).removed.releases, [ids[0]]);
  await assertWhole(home, ids.slice(1));
});

test('a supervisor that does not know its workers yet removes nothing', async (t) => {
  const { home, ids } = await buildReleases(t, 2);
  const history = openHistory(home.database);
  t.after(() => history.close());
  const workers = {
    currentRelease: () => null,
    warmRelease: () => null,
    generation: () => 1,
    status: async () => [],
  };
  const parts = {
    home,
    workers,
    history,
    atWork: { working: null, probation: null },
  } as unknown as DeployParts;
  for (const id of ids) utimesSync(path.join(home.releases, id), 0, 0);
  const report = await collectGarbage(parts, { isDryRun: false });
  assert.match(report.deferred ?? '', /nothing serves yet/);
  await assertWhole(home, ids);
});

test('a release that becomes live while it is looked at stays', async (t) => {
  const { home, ids } = await buildReleases(t, 2);
  let asked = 0;
  const findLive = (): Map<string, readonly ReleaseRoot[]> =>
    new Map(asked++ < 2 ? [] : ids.map((id) => [id, ['at-work']]));
  assert.deepEqual((await sweep({ home, isDryRun: false, findLive })).removed.releases, []);
  await assertWhole(home, ids);
});

test('a sweep waits for a build that is under way, whose modules nobody names yet', async (t) => {
  const { home, ids } = await buildReleases(t, 2);
  const held = Promise.withResolvers<void>();
  const live = ids.slice(1);
  const building = takeBuildTurn(home, async () => {
    await held.promise;
    // The same as the first release, whose module the sweep would remove.
    live.push(await build(home, 0));
  });
  const sweeping = sweep({
    home,
    isDryRun: false,
    findLive: () => new Map(live.map((id) => [id, ['newest']])),
  });
  held.resolve();
  await building;
  assert.deepEqual((await sweeping).removed.releases, [ids[0]]);
  await assertWhole(home, live);
});

test('a release that is to be pinned while it is removed is unknown, and not pinned for nothing', async (t) => {
  const { home, ids } = await buildReleases(t, 2);
  const [first = '', second = ''] = ids;
  const held = Promise.withResolvers<void>();
  const sweeping = takeSweepTurn(home, async () => {
    await held.promise;
    rmSync(path.join(home.releases, first), { recursive: true });
  });
  const pinned = [first, second].map((id) => setPin(home, id, { isPinned: true }));
  const refused = assert.rejects(pinned[0] ?? sweeping, { code: 'ERR_MIDFLIGHT_RELEASE_UNKNOWN' });
  held.resolve();
  await Promise.all([sweeping, refused]);
  assert.deepEqual(await pinned[1], [second]);
});

test('what a killed sweep had begun is never taken for a release, and the next one ends it', async (t) => {
  const { home, ids } = await buildReleases(t, 2);
  const [first = '', second = ''] = ids;
  const begun = path.join(home.releases, `.removing-${first}`);
  cpSync(path.join(home.releases, first), begun, { recursive: true, verbatimSymlinks: true });
  rmSync(path.join(begun, 'app'), { recursive: true });
  await sweepTo(home, [first, second]);
  assert.ok(!existsSync(begun));
  await assertWhole(home, ids);
});

test('without a supervisor the record and the pins say what stays, and the lock keeps others out', async (t) => {
  const { home, ids } = await buildReleases(t, 14);
  const [current = '', pinned = ''] = ids;
  const history = openHistory(home.database);
  for (const release of ids) recordCommitted(history, release);
  history.setCurrent(current);
  history.setProved(current);
  history.close();
  await setPin(home, pinned, { isPinned: true });
  const { removed, kept } = await collectGarbageOffline(home, { isDryRun: false });
  assert.deepEqual(removed.releases, ids.slice(2, 4));
  assert.deepEqual(kept[0], { release: current, roots: ['current', 'proved'] });
  assert.deepEqual(kept[1], { release: pinned, roots: ['pinned'] });
  assert.deepEqual(await setPin(home, pinned, { isPinned: false }), []);
  await assert.rejects(setPin(home, 'nothing', { isPinned: true }), {
    code: 'ERR_MIDFLIGHT_RELEASE_UNKNOWN',
  });
  await assert.rejects(setPin(home, '../proved', { isPinned: false }), {
    code: 'ERR_MIDFLIGHT_RELEASE_UNKNOWN',
  });
  const again = await collectGarbageOffline(home, { isDryRun: false });
  assert.deepEqual(again.removed.releases, [pinned]);
});

/**
 * A build, and a sweep, that end before each of their changes of the disk, as by kill -9: the steps are those that a whole run takes,
 * so that a new one is covered by itself. What is left has no half release in it, and the next build and sweep work.
 */

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { sweep } from '../../src/deploy/sweep.ts';
import { buildRelease, removeStaging } from '../../src/release/build.ts';
import { toHome, type Home } from '../../src/release/home.ts';
import { verifyRelease } from '../../src/release/verify.ts';
import { installer, putInstaller } from '../support/installer.ts';

const asyncSteps = ['mkdir', 'writeFile', 'rename', 'symlink', 'rm', 'cp'] as const;
const syncSteps = ['renameSync', 'rmSync'] as const;

class Killed extends Error {}

/** Runs `work` until it is about to take the step with that index; the steps that it has come to. What it would do after that,
 *  cleaning up included, never happens: the step never ends. One of a sweep, which cleans nothing up, throws, so that its turn ends. */
async function runUntil(
  index: number,
  work: () => Promise<unknown>,
  end: 'hang' | 'throw' = 'hang',
): Promise<readonly string[]> {
  const steps: string[] = [];
  const killed = Promise.withResolvers<void>();
  const originals = Object.fromEntries(syncSteps.map((name) => [name, fs[name]]));
  const originalPromises = Object.fromEntries(asyncSteps.map((name) => [name, fsPromises[name]]));
  const isReached = (name: string): boolean => steps.push(name) - 1 >= index;
  for (const name of asyncSteps) {
    const original = originalPromises[name] as (...args: unknown[]) => Promise<unknown>;
    const stepping = async (...args: unknown[]): Promise<unknown> => {
      if (!isReached(name)) return original(...args);
      if (end === 'throw') throw new Killed();
      killed.resolve();
      return new Promise(() => undefined);
    };
    Object.assign(fsPromises, { [name]: stepping });
  }
  for (const name of syncSteps) {
    const original = originals[name] as (...args: unknown[]) => unknown;
    const stepping = (...args: unknown[]): unknown => {
      if (!isReached(name)) return original(...args);
      throw new Killed();
    };
    Object.assign(fs, { [name]: stepping });
  }
  syncBuiltinESMExports();
  try {
    await Promise.race([work(), killed.promise]);
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
  } finally {
    Object.assign(fs, originals);
    Object.assign(fsPromises, originalPromises);
    syncBuiltinESMExports();
  }
  return steps;
}

function createHome(t: TestContext): Home {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-steps-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  putInstaller(t, directory);
  const app = path.join(directory, 'app');
  mkdirSync(app);
  writeFileSync(path.join(app, 'midflight.config.json'), '{"entry":"server.js","shared":["data"]}');
  writeFileSync(path.join(app, 'bun.lock'), '');
  return toHome(app);
}

/** Each version has a module and dependencies of its own. */
async function build(home: Home, version: number): Promise<string> {
  writeFileSync(path.join(home.appDirectory, 'server.js'), `export default ${version};`);
  const dependencies = { dep: String(version) };
  writeFileSync(path.join(home.appDirectory, 'package.json'), JSON.stringify({ dependencies }));
  const { manifest } = await buildRelease({ home, ref: '', isDirty: true, onStep: () => undefined });
  return manifest.id;
}

/** All that has the name of a release. */
function releasesOf(home: Home): readonly string[] {
  if (!existsSync(home.releases)) return [];
  return readdirSync(home.releases).filter((name) => !name.startsWith('.'));
}

async function assertWhole(home: Home): Promise<void> {
  for (const id of releasesOf(home)) assert.deepEqual((await verifyRelease(home, id)).problems, []);
}

async function sweepAll(home: Home, live: readonly string[]): Promise<void> {
  await sweep({ home, isDryRun: false, findLive: () => new Map(live.map((id) => [id, ['newest']])) });
}

/** Nothing is left of what was killed. */
function assertClean(home: Home, count: number): void {
  assert.equal(readdirSync(home.releases).length, count);
  assert.equal(readdirSync(home.dependencies).length, count);
  for (const directory of [home.store, home.cache])
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.endsWith('.tmp')),
      [],
    );
}

test('a build that is killed before any of its steps leaves no half release, and the next one works', async (t) => {
  const whole = await runUntil(Infinity, async () => build(createHome(t), 0));
  assert.ok(whole.includes('rename') && whole.includes('symlink'), whole.join());
  const home = createHome(t);
  const kept = await build(home, 0);
  for (let index = 0; index < whole.length; index++) {
    const version = index + 1;
    await runUntil(index, async () => build(home, version));
    await assertWhole(home);
    // As the next start does.
    await removeStaging(home);
    const next = await build(home, version);
    await sweepAll(home, [kept, next]);
    assert.deepEqual(releasesOf(home).toSorted(), [kept, next].toSorted(), `killed before ${whole[index]}`);
    await assertWhole(home);
    assertClean(home, 2);
    await sweepAll(home, [kept]);
  }
});

test('a sweep that is killed before any of its steps leaves what it keeps whole, and the next one ends it', async (t) => {
  const home = createHome(t);
  const kept = await build(home, 0);
  let version = 1;
  const prepare = async (): Promise<void> => void (await build(home, version++));
  await prepare();
  const whole = await runUntil(Infinity, async () => sweepAll(home, [kept]));
  assert.deepEqual(whole, ['renameSync', 'rm', 'rmSync', 'renameSync', 'rm']);
  for (let index = 0; index < whole.length; index++) {
    await prepare();
    await runUntil(index, async () => sweepAll(home, [kept]), 'throw');
    assert.ok(releasesOf(home).includes(kept));
    await assertWhole(home);
    await sweepAll(home, [kept]);
    assert.deepEqual(releasesOf(home), [kept]);
    await assertWhole(home);
    assertClean(home, 1);
  }
});

test('dependencies that a build of another process has installed meanwhile are taken', async (t) => {
  const home = createHome(t);
  // The other one is quicker by as much as possible.
  const quicker = `${installer}cp -r . "${'${PWD%.*.tmp}'}"\n`;
  writeFileSync(path.join(path.dirname(home.appDirectory), 'bin/bun'), quicker, { mode: 0o755 });
  await build(home, 0);
  await assertWhole(home);
  assertClean(home, 1);
});

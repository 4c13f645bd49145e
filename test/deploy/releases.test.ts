/** Releases on disk, read back. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { readRelease } from '../../src/deploy/releases.ts';
import { FORMAT_VERSION } from '../../src/protocol/manifest.ts';
import { toHome, type Home } from '../../src/release/home.ts';

function writeManifest(t: TestContext, manifest: object): Home {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-releases-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const home = toHome(directory);
  mkdirSync(path.join(home.releases, 'one'), { recursive: true });
  writeFileSync(
    path.join(home.releases, 'one', 'manifest.json'),
    JSON.stringify({ modules: {}, settings: { policy: { maxRetained: 3 } }, ...manifest }),
  );
  return home;
}

test('a release is read by its id, and one that is not there is unknown', async (t) => {
  const home = writeManifest(t, { formatVersion: FORMAT_VERSION, id: 'one' });
  assert.equal((await readRelease(home, 'one')).manifest.id, 'one');
  for (const id of ['two', '', '../releases/one'])
    await assert.rejects(readRelease(home, id), { code: 'ERR_MIDFLIGHT_RELEASE_UNKNOWN' });
});

test('settings that there were not yet when a release was built have their defaults', async (t) => {
  const home = writeManifest(t, { formatVersion: FORMAT_VERSION, id: 'one' });
  const { stopSignal, policy } = (await readRelease(home, 'one')).manifest.settings;
  assert.equal(stopSignal, 'SIGTERM');
  assert.equal(policy.maxRetained, 3);
  assert.equal(policy.maxRssMib, null);
  assert.deepEqual([policy.strict, policy.stateLoss, policy.allow], [false, 'warn', []]);
});

test('a release of another format is refused with the commit to deploy again', async (t) => {
  const home = writeManifest(t, { formatVersion: FORMAT_VERSION - 1, id: 'one', commit: 'abc123' });
  await assert.rejects(readRelease(home, 'one'), {
    code: 'ERR_MIDFLIGHT_RELEASE_OUTDATED',
    details: ['one', 'abc123'],
  });
});

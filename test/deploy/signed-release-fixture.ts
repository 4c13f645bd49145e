/** An app with a key and a release of which there is but the manifest: enough to be signed, and to be let in by its statement. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { FORMAT_VERSION } from '../../src/protocol/manifest.ts';
import { toHome, toReleaseLocation, type Home } from '../../src/release/home.ts';
import { generateKey, readSigningKey, type SigningKey } from '../../src/release/signing-key.ts';
import { addKey } from '../../src/release/trust.ts';

export interface SignedPlace {
  readonly home: Home;
  readonly key: SigningKey;
  /** Nobody trusts it. */
  readonly otherKey: SigningKey;
  readonly release: string;
}

export function makeSignedPlace(t: TestContext): SignedPlace {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-signed-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const home = toHome(path.join(directory, 'shop'));
  for (const name of ['key', 'other']) generateKey(path.join(directory, name));
  addKey(home.trust, path.join(directory, 'key.pub'));
  const release = '1-a';
  const { root, manifestFile } = toReleaseLocation(home, release);
  mkdirSync(root, { recursive: true });
  const manifest = {
    formatVersion: FORMAT_VERSION,
    id: release,
    createdAt: '2026-11-21T12:00:00.000Z',
    commit: null,
    isDirty: true,
    dependenciesHash: null,
    modules: {},
    settings: { health: null, policy: {} },
  };
  writeFileSync(manifestFile, JSON.stringify(manifest));
  return {
    home,
    key: readSigningKey(path.join(directory, 'key')),
    otherKey: readSigningKey(path.join(directory, 'other')),
    release,
  };
}

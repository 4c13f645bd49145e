import assert from 'node:assert/strict';
import { cpSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { toOwnActor } from '../../src/deploy/actor.ts';
import type { AuditEntry } from '../../src/deploy/audit-chain.ts';
import { signOnDisk } from '../../src/deploy/sign-release.ts';
import { createTrustGate } from '../../src/deploy/trust-gate.ts';
import { toReleaseLocation } from '../../src/release/home.ts';
import { toDigest, writeEnvelope } from '../../src/release/statement.ts';
import { makeSignedPlace } from './signed-release-fixture.ts';

test('a signed release gets in by its own name only, and what is refused is in the log', async (t) => {
  const { home, key, release } = makeSignedPlace(t);
  const { manifestFile } = toReleaseLocation(home, release);
  writeEnvelope(
    manifestFile,
    signOnDisk({ home, release, keys: [key], action: 'deploy', highestCounter: 0 }),
  );
  cpSync(path.join(home.releases, release), path.join(home.releases, '2-b'), { recursive: true });
  const entries: AuditEntry[] = [];
  const gate = createTrustGate({
    home,
    history: { highestAccepted: () => null, setHighestAccepted: () => undefined },
    audit: (entry) => void entries.push(entry),
  });
  const digest = toDigest(readFileSync(manifestFile));
  const options = { actor: toOwnActor('command'), again: false, files: false };
  const verified = await gate.check({ ...toReleaseLocation(home, release), digest }, options);
  assert.deepEqual(verified?.signers, [key.id]);
  await assert.rejects(gate.check({ ...toReleaseLocation(home, '2-b'), digest }, options), {
    code: 'ERR_MIDFLIGHT_STATEMENT_INVALID',
    message: /about release 1-a, not 2-b/,
  });
  assert.deepEqual(
    entries.map(({ action, result, release: refused }) => [action, result, refused]),
    [['verify', 'refused', '2-b']],
  );
});

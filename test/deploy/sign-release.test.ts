import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { signOnDisk } from '../../src/deploy/sign-release.ts';
import { toReleaseLocation } from '../../src/release/home.ts';
import { parseStatement, signStatement, writeEnvelope, type Statement } from '../../src/release/statement.ts';
import type { SigningKey } from '../../src/release/signing-key.ts';
import { makeSignedPlace, type SignedPlace } from './signed-release-fixture.ts';

interface Signed {
  readonly statement: Statement;
  readonly keyIds: readonly string[];
}

function sign({ home, key, release }: SignedPlace, highestCounter = 0): Signed {
  const envelope = signOnDisk({ home, release, keys: [key], action: 'deploy', highestCounter });
  return { statement: parseStatement(envelope), keyIds: envelope.signatures.map(({ keyid }) => keyid) };
}

/** What somebody has put beside the release. */
function plant(
  { home, release }: SignedPlace,
  { statement, by }: { readonly statement: Statement; readonly by: SigningKey },
): void {
  writeEnvelope(toReleaseLocation(home, release).manifestFile, signStatement(statement, by));
}

function makeOpen(t: TestContext): { place: SignedPlace; statement: Statement } {
  const place = makeSignedPlace(t);
  return { place, statement: sign(place).statement };
}

test('a statement that a trusted key has signed, and that was not accepted yet, gets the signature beside that', (t) => {
  const { place, statement } = makeOpen(t);
  plant(place, { statement, by: place.key });
  const signed = sign(place);
  assert.deepEqual(signed, { statement, keyIds: [place.key.id] });
  assert.ok(
    sign(place, statement.predicate.counter).statement.predicate.counter > statement.predicate.counter,
  );
});

test('what no trusted key has said is not signed as it stands, but anew', (t) => {
  const { place, statement } = makeOpen(t);
  plant(place, { statement, by: place.otherKey });
  assert.deepEqual(sign(place).keyIds, [place.key.id]);
});

test('a statement for another app, or from far ahead, is not signed for whoever has put it there', (t) => {
  const { place, statement } = makeOpen(t);
  const { predicate } = statement;
  const tomorrowAndMore = predicate.counter + 2 * 86_400_000;
  for (const planted of [
    { ...predicate, app: 'bank' },
    { ...predicate, commit: 'c0ffee' },
    { ...predicate, counter: tomorrowAndMore },
  ]) {
    plant(place, { statement: { ...statement, predicate: planted }, by: place.key });
    const signed = sign(place).statement.predicate;
    assert.deepEqual([signed.app, signed.commit], ['shop', null]);
    assert.ok(signed.counter < tomorrowAndMore);
  }
});

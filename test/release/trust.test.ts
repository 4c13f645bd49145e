import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { cosign, toPreAuthEncoding, type Envelope } from '../../src/release/dsse.ts';
import { generateKey, readSigningKey, type SigningKey } from '../../src/release/signing-key.ts';
import {
  parseEnvelope,
  parseStatement,
  signStatement,
  toDigest,
  toStatement,
  type SignOptions,
} from '../../src/release/statement.ts';
import {
  addKey,
  assertNewer,
  readTrust,
  removeKey,
  setThreshold,
  verifyStatement,
  type Claim,
  type Trust,
  type Verified,
} from '../../src/release/trust.ts';

const digest = toDigest(Buffer.from('manifest'));
const now = new Date('2026-11-21T12:00:00.000Z');
const claim: Claim = { release: 'release-1', digest, app: 'shop', now };
const manifest = {
  id: 'release-1',
  commit: 'c0ffee',
  isDirty: false,
  createdAt: now.toISOString(),
  dependenciesHash: null,
};
const signing = {
  manifest,
  digest,
  app: 'shop',
  builder: 'ada@build',
  action: 'deploy',
  counterBefore: 0,
  now,
} as const;

const signRelease = (options: SignOptions, key: SigningKey): Envelope =>
  signStatement(toStatement(options), key);

interface Place {
  readonly directory: string;
  readonly trust: string;
  key(name: string): SigningKey;
  readTrust(): Trust;
}

function makePlace(t: TestContext, trusted: readonly string[], threshold = 1): Place {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-trust-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const name of ['a', 'b', 'c']) generateKey(path.join(directory, name));
  const trust = path.join(directory, 'trust');
  for (const name of trusted) addKey(trust, path.join(directory, `${name}.pub`));
  if (threshold > 1) setThreshold(trust, threshold);
  return {
    directory,
    trust,
    key: (name) => readSigningKey(path.join(directory, name)),
    readTrust() {
      const read = readTrust(trust);
      assert.ok(read !== null);
      return read;
    },
  };
}

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'nothing was thrown';
};

test('a pre-authentication encoding is that of the specification of DSSE', () => {
  const encoded = toPreAuthEncoding({
    payloadType: 'http://example.com/HelloWorld',
    payload: Buffer.from('hello world'),
  });
  assert.equal(encoded.toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
});

test('a release that a trusted key has signed is verified, with who has signed and what', (t) => {
  const place = makePlace(t, ['a', 'b']);
  const { statement, signers } = verifyStatement(
    place.readTrust(),
    signRelease(signing, place.key('a')),
    claim,
  );
  assert.deepEqual(signers, [place.key('a').id]);
  assert.equal(statement.predicate.commit, 'c0ffee');
  assert.equal(statement.predicate.counter, now.getTime());
});

const edited = (envelope: Envelope, edit: (payload: string) => string): Envelope => ({
  ...envelope,
  payload: Buffer.from(edit(Buffer.from(envelope.payload, 'base64').toString())).toString('base64'),
});

const refusals: Readonly<
  Record<
    string,
    { code: string; envelope: (place: Place) => Envelope | null; threshold?: number; claim?: Partial<Claim> }
  >
> = {
  'nobody has signed': { code: 'RELEASE_UNSIGNED', envelope: () => null },
  'a key signed that is not trusted': {
    code: 'RELEASE_UNSIGNED',
    envelope: (place) => signRelease(signing, place.key('c')),
  },
  'an untrusted key signed under the name of a trusted one': {
    code: 'RELEASE_UNSIGNED',
    envelope: (place) => signRelease(signing, { ...place.key('c'), id: place.key('a').id }),
  },
  'one of two keys is missing': {
    code: 'RELEASE_UNSIGNED',
    threshold: 2,
    envelope: (place) => signRelease(signing, place.key('a')),
  },
  'one key has signed twice for two': {
    code: 'RELEASE_UNSIGNED',
    threshold: 2,
    envelope: (place) => cosign(signRelease(signing, place.key('a')), { ...place.key('a'), id: 'another' }),
  },
  'the statement was changed': {
    code: 'RELEASE_UNSIGNED',
    envelope: (place) =>
      edited(signRelease(signing, place.key('a')), (text) => text.replace('c0ffee', 'decade')),
  },
  'the payload has another type': {
    code: 'RELEASE_UNSIGNED',
    envelope: (place) => ({ ...signRelease(signing, place.key('a')), payloadType: 'text/plain' }),
  },
  'the manifest was changed': {
    code: 'RELEASE_ALTERED',
    envelope: (place) => signRelease(signing, place.key('a')),
    claim: { digest: toDigest(Buffer.from('other')) },
  },
  'it is about another release': {
    code: 'STATEMENT_INVALID',
    envelope: (place) => signRelease(signing, place.key('a')),
    claim: { release: 'release-2' },
  },
  'it is about another app': {
    code: 'STATEMENT_INVALID',
    envelope: (place) => signRelease(signing, place.key('a')),
    claim: { app: 'bank' },
  },
  'it comes from a clock that is two days ahead': {
    code: 'STATEMENT_INVALID',
    envelope: (place) =>
      signRelease({ ...signing, now: new Date(now.getTime() + 2 * 86_400_000) }, place.key('a')),
  },
};

for (const [name, { code, envelope, threshold, claim: other }] of Object.entries(refusals)) {
  test(`a release is refused where ${name}`, (t) => {
    const place = makePlace(t, ['a', 'b'], threshold);
    const verify = (): Verified =>
      verifyStatement(place.readTrust(), envelope(place), { ...claim, ...other });
    assert.equal(codeOf(verify), `ERR_MIDFLIGHT_${code}`);
  });
}

test('two keys of three are enough where two are asked for', (t) => {
  const place = makePlace(t, ['a', 'b', 'c'], 2);
  const envelope = cosign(signRelease(signing, place.key('c')), place.key('a'));
  const { signers } = verifyStatement(place.readTrust(), envelope, claim);
  assert.deepEqual(signers.toSorted(), [place.key('a').id, place.key('c').id].toSorted());
});

test('a statement older than the accepted one is a replay, and the accepted one itself is not', (t) => {
  const place = makePlace(t, ['a']);
  const verified = verifyStatement(place.readTrust(), signRelease(signing, place.key('a')), claim);
  const counter = now.getTime();
  assertNewer(verified, null);
  assertNewer(verified, { counter: counter - 1, digest: 'other' });
  assertNewer(verified, { counter, digest });
  const replay = 'ERR_MIDFLIGHT_STATEMENT_REPLAYED';
  assert.equal(
    codeOf(() => assertNewer(verified, { counter, digest: 'other' })),
    replay,
  );
  assert.equal(
    codeOf(() => assertNewer(verified, { counter: counter + 1, digest })),
    replay,
  );
});

test('a counter grows also where the clock has gone back', (t) => {
  const place = makePlace(t, []);
  const counterBefore = now.getTime() + 5_000;
  const { predicate } = parseStatement(signRelease({ ...signing, counterBefore }, place.key('a')));
  assert.equal(predicate.counter, counterBefore + 1);
});

test('what is no envelope, or no statement, is refused', (t) => {
  const place = makePlace(t, []);
  assert.equal(
    codeOf(() => parseEnvelope('{')),
    'ERR_MIDFLIGHT_STATEMENT_INVALID',
  );
  assert.equal(
    codeOf(() => parseEnvelope('{"payload":"","payloadType":"x","signatures":[]}')),
    'ERR_MIDFLIGHT_STATEMENT_INVALID',
  );
  const other = edited(signRelease(signing, place.key('a')), (text) =>
    text.replace('Statement/v1', 'Statement/v9'),
  );
  assert.equal(
    codeOf(() => parseStatement(other)),
    'ERR_MIDFLIGHT_STATEMENT_INVALID',
  );
});

test('a key pair is never overwritten, and its private half is for its owner only', (t) => {
  const { directory } = makePlace(t, []);
  const before = readFileSync(path.join(directory, 'a'), 'utf8');
  assert.equal(
    codeOf(() => generateKey(path.join(directory, 'a'))),
    'ERR_MIDFLIGHT_KEY_EXISTS',
  );
  rmSync(path.join(directory, 'a.pub'));
  assert.equal(
    codeOf(() => generateKey(path.join(directory, 'a'))),
    'ERR_MIDFLIGHT_KEY_EXISTS',
  );
  assert.equal(readFileSync(path.join(directory, 'a'), 'utf8'), before);
  assert.equal(statSync(path.join(directory, 'a')).mode & 0o777, 0o600);
});

test('a key that others may read signs nothing, and a private one is not trusted', (t) => {
  const { directory, trust } = makePlace(t, []);
  const file = path.join(directory, 'a');
  assert.equal(
    codeOf(() => addKey(trust, file)),
    'ERR_MIDFLIGHT_KEY_INVALID',
  );
  chmodSync(file, 0o644);
  assert.equal(
    codeOf(() => readSigningKey(file)),
    'ERR_MIDFLIGHT_KEY_INVALID',
  );
});

test('no key is trusted that others could have put there', (t) => {
  const { trust, readTrust: read } = makePlace(t, ['a', 'b'], 2);
  const policy = path.join(trust, 'policy.json');
  chmodSync(policy, 0o666);
  assert.equal(codeOf(read), 'ERR_MIDFLIGHT_TRUST_UNSAFE');
  chmodSync(policy, 0o600);
  chmodSync(trust, 0o777);
  assert.equal(codeOf(read), 'ERR_MIDFLIGHT_TRUST_UNSAFE');
  chmodSync(trust, 0o700);
  writeFileSync(policy, '{}');
  assert.equal(codeOf(read), 'ERR_MIDFLIGHT_TRUST_UNSAFE');
});

test('a key is removed by its file or the beginning of its id, but not so that too few are left', (t) => {
  const { directory, trust, key } = makePlace(t, ['a', 'b', 'c'], 2);
  assert.equal(removeKey(trust, path.join(directory, 'a.pub')), key('a').id);
  assert.equal(
    codeOf(() => removeKey(trust, key('b').id)),
    'ERR_MIDFLIGHT_USAGE',
  );
  assert.equal(
    codeOf(() => setThreshold(trust, 3)),
    'ERR_MIDFLIGHT_USAGE',
  );
  setThreshold(trust, 1);
  removeKey(trust, key('b').id.slice(0, 12));
  assert.equal(
    codeOf(() => removeKey(trust, 'zz')),
    'ERR_MIDFLIGHT_USAGE',
  );
  removeKey(trust, key('c').id);
  assert.equal(readTrust(trust), null);
});

test('keys that are gone are not the same as none', (t) => {
  const { directory, trust } = makePlace(t, ['a', 'b'], 2);
  const linked = path.join(directory, 'linked');
  symlinkSync(path.join(directory, 'mounted'), linked);
  assert.equal(
    codeOf(() => readTrust(linked)),
    'ERR_MIDFLIGHT_TRUST_UNSAFE',
  );
  symlinkSync(trust, path.join(directory, 'mounted'));
  assert.equal(readTrust(linked)?.threshold, 2);
  for (const name of readdirSync(trust).filter((each) => each.endsWith('.pub')))
    rmSync(path.join(trust, name));
  assert.equal(
    codeOf(() => readTrust(trust)),
    'ERR_MIDFLIGHT_TRUST_UNSAFE',
  );
});

test('without a folder of keys nothing is asked for', (t) => {
  const { directory } = makePlace(t, []);
  const empty = path.join(directory, 'empty');
  mkdirSync(empty);
  assert.deepEqual([readTrust(empty), readTrust(path.join(directory, 'none'))], [null, null]);
});

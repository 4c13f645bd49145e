/** Signing a release that is here: what is signed is what lies on the disk, checked by whoever has the key. */

import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { parseManifest } from '../protocol/manifest.ts';
import { cosign, findSigners, type Envelope } from '../release/dsse.ts';
import { toReleaseLocation, type Home } from '../release/home.ts';
import type { SigningKey } from '../release/signing-key.ts';
import {
  isSameClaim,
  parseStatement,
  readEnvelope,
  signStatement,
  toDigest,
  toStatement,
  type Statement,
} from '../release/statement.ts';
import { isAhead, readTrust, verifyStatement } from '../release/trust.ts';
import { toOwnActor } from './actor.ts';

export interface SignRequest {
  readonly home: Home;
  readonly release: string;
  readonly keys: readonly SigningKey[];
  /** `deploy`: it is new, or whoever signs has looked at it. `rollback`: only what trusted keys have signed before. */
  readonly action: Statement['predicate']['action'];
  /** Of the newest statement that was accepted here. */
  readonly highestCounter: number;
  /** The name of the folder that it is for, where that is not this one. */
  readonly app?: string | undefined;
}

/** Signs by each key. A statement that is newer than what was accepted, and says what this would, gets their signatures beside those
 *  that it has; else it is a new one.
 *  Errors: ERR_MIDFLIGHT_RELEASE_UNKNOWN, ERR_MIDFLIGHT_RELEASE_ALTERED where other bytes were signed before. */
export function signOnDisk({ home, release, keys, action, highestCounter, app }: SignRequest): Envelope {
  const { manifestFile } = toReleaseLocation(home, release);
  if (path.basename(release) !== release || release.startsWith('.') || !existsSync(manifestFile))
    throw new MidflightError('ERR_MIDFLIGHT_RELEASE_UNKNOWN', [release]);
  const [first, ...others] = keys;
  if (first === undefined)
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', ['Nothing is signed without --sign <key>']);
  const bytes = readFileSync(manifestFile);
  const digest = toDigest(bytes);
  const before = readEnvelope(manifestFile);
  if (action === 'rollback') requireSignedBefore(home, release, before, digest);
  const known = before === null ? null : parseStatement(before);
  if (known !== null && known.subject[0]?.digest.sha256 !== digest)
    throw new MidflightError('ERR_MIDFLIGHT_RELEASE_ALTERED', [release, 'other bytes were signed before']);
  const own = toStatement({
    manifest: parseManifest(bytes.toString()),
    digest,
    app: app ?? path.basename(home.appDirectory),
    builder: `${toOwnActor('command').user ?? ''}@${hostname()}`,
    action,
    counterBefore: highestCounter,
    now: new Date(),
  });
  const isOpen = known !== null && known.predicate.counter > highestCounter;
  const signed =
    before !== null && isOpen && isOurs(home, { before, known, own })
      ? cosign(before, first)
      : signStatement(own, first);
  return others.reduce(cosign, signed);
}

interface Known {
  readonly before: Envelope;
  readonly known: Statement;
  readonly own: Statement;
}

/** A statement may have come with a bundle, from whoever had that in hands: what it says is signed only where we would say so
 *  ourselves, and where keys are trusted, one of them has. */
function isOurs({ trust }: Home, { before, known, own }: Known): boolean {
  if (!isSameClaim(known, own) || isAhead(known, new Date())) return false;
  const trusted = readTrust(trust);
  return trusted === null || findSigners(before, trusted.keys).length > 0;
}

/** Else somebody could put other bytes under an old name, and wait for a rollback to be signed in haste. */
function requireSignedBefore(home: Home, release: string, envelope: Envelope | null, digest: string): void {
  const trust = readTrust(home.trust);
  if (trust === null) return;
  verifyStatement(trust, envelope, {
    release,
    digest,
    app: path.basename(home.appDirectory),
    now: new Date(),
  });
}

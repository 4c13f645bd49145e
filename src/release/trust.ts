/**
 * Whose signatures count here: public keys in `.midflight/trust/`, and how many of them a release needs. They are not part of the
 * configuration, which comes with the release: a release that named its own keys would vouch for itself.
 *
 * Invariants:
 * 1. Without keys nothing is asked for; with keys, every release that is to be loaded needs a statement that `verifyStatement` accepts.
 * 2. What only its owner should write counts only where nobody else can write it.
 */

import type { KeyObject } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { MidflightError } from '../errors.ts';
import { findSigners, type Envelope } from './dsse.ts';
import { readPublicKey, toKeyId } from './signing-key.ts';
import { parseStatement, type Statement } from './statement.ts';

/** More keys than any team has. */
export const TRUSTED_KEYS_MAX = 64;
const OTHERS_MAY_WRITE = 0o022;
/** Clocks differ, but not by more. */
const CLOCK_SKEW_MS_MAX = 86_400_000;

export interface Trust {
  /** By id. */
  readonly keys: ReadonlyMap<string, KeyObject>;
  /** How many of them must have signed. */
  readonly threshold: number;
}

const policySchema = z.strictObject({ threshold: z.number().int().min(1).max(TRUSTED_KEYS_MAX) });

/** Reads the trust of an app; null where no key is configured.
 *  Errors: ERR_MIDFLIGHT_TRUST_UNSAFE, ERR_MIDFLIGHT_KEY_INVALID. */
export function readTrust(directory: string): Trust | null {
  const files = listKeyFiles(directory);
  if (files.length === 0) {
    if (!existsSync(toPolicyFile(directory))) return null;
    // With the last key, its removal takes the threshold away.
    throw new MidflightError('ERR_MIDFLIGHT_TRUST_UNSAFE', [directory, 'has a threshold and no key']);
  }
  assertOwned(directory);
  const keys = new Map<string, KeyObject>();
  for (const file of files) {
    assertOwned(file);
    const key = readPublicKey(file);
    keys.set(toKeyId(key), key);
  }
  return { keys, threshold: readThreshold(directory) };
}

/** Trusts one key more; returns its id. Errors: ERR_MIDFLIGHT_KEY_INVALID, ERR_MIDFLIGHT_USAGE where there are too many. */
export function addKey(directory: string, file: string): string {
  const key = readPublicKey(file);
  if (listKeyFiles(directory).length >= TRUSTED_KEYS_MAX)
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [
      `There are ${TRUSTED_KEYS_MAX} trusted keys already; remove one first`,
    ]);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const id = toKeyId(key);
  writeWhole(toKeyFile(directory, id), key.export({ type: 'spki', format: 'pem' }).toString());
  return id;
}

/** Trusts a key no longer: by its file, its id, or the beginning of that; returns its id.
 *  Errors: ERR_MIDFLIGHT_USAGE where no key or several are meant, or fewer would be left than have to sign. */
export function removeKey(directory: string, named: string): string {
  const wanted = existsSync(named) ? toKeyId(readPublicKey(named)) : named;
  const ids = listKeyFiles(directory).map((file) => path.basename(file, '.pub'));
  const found = ids.filter((id) => id.startsWith(wanted));
  const [id] = found;
  if (id === undefined || found.length > 1 || wanted === '')
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [
      `"${named}" names ${found.length === 0 ? 'none' : found.length} of the trusted keys; see "midflight trust list"`,
    ]);
  const left = ids.length - 1;
  const threshold = readThreshold(directory);
  if (left > 0 && left < threshold)
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [
      `${threshold} of ${ids.length} keys have to sign, and ${left} would be left; lower "midflight trust threshold" first`,
    ]);
  rmSync(toKeyFile(directory, id));
  if (left === 0) rmSync(toPolicyFile(directory), { force: true });
  return id;
}

/** How many of the keys have to sign. Errors: ERR_MIDFLIGHT_USAGE where there are not as many. */
export function setThreshold(directory: string, threshold: number): void {
  const count = listKeyFiles(directory).length;
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > count)
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [
      `The threshold is given as ${threshold}, and there are ${count} trusted keys; give a whole number from 1 to that`,
    ]);
  writeWhole(toPolicyFile(directory), `${JSON.stringify({ threshold })}\n`);
}

export interface Claim {
  readonly release: string;
  /** Hex sha256 of the manifest's bytes that are there. */
  readonly digest: string;
  readonly app: string;
  readonly now: Date;
}

export interface Verified {
  readonly statement: Statement;
  /** The trusted keys that have signed. */
  readonly signers: readonly string[];
}

/** Says who of the trusted has signed what, and that it is about this release.
 *  Errors: ERR_MIDFLIGHT_RELEASE_UNSIGNED, ERR_MIDFLIGHT_STATEMENT_INVALID, ERR_MIDFLIGHT_RELEASE_ALTERED. */
export function verifyStatement(trust: Trust, envelope: Envelope | null, claim: Claim): Verified {
  const { release, digest, app, now } = claim;
  const signers = envelope === null ? [] : findSigners(envelope, trust.keys);
  if (envelope === null || signers.length < trust.threshold)
    throw new MidflightError('ERR_MIDFLIGHT_RELEASE_UNSIGNED', [release, signers.length, trust.threshold]);
  const statement = parseStatement(envelope);
  const [subject] = statement.subject;
  const { predicate } = statement;
  const refuse = (problem: string): never => {
    throw new MidflightError('ERR_MIDFLIGHT_STATEMENT_INVALID', [problem]);
  };
  if (subject?.name !== release) refuse(`it is about release ${subject?.name}, not ${release}`);
  if (predicate.app !== app) refuse(`it is about the app "${predicate.app}", not "${app}"`);
  if (isAhead(statement, now))
    refuse(
      `it was signed at ${predicate.signedAt}, which is more than a day ahead; set the clocks right, and sign again`,
    );
  if (subject?.digest.sha256 !== digest)
    throw new MidflightError('ERR_MIDFLIGHT_RELEASE_ALTERED', [
      release,
      'its manifest is not the one that was signed',
    ]);
  return { statement, signers };
}

/** Whether it is from a clock that is further ahead than clocks are. */
export function isAhead({ predicate }: Statement, now: Date): boolean {
  return predicate.counter > now.getTime() + CLOCK_SKEW_MS_MAX;
}

/** The statement that was accepted last. */
export interface Accepted {
  readonly counter: number;
  readonly digest: string;
}

/** Errors: ERR_MIDFLIGHT_STATEMENT_REPLAYED for one that is older than what was accepted, or as old and of another release. */
export function assertNewer({ statement }: Verified, highest: Accepted | null): void {
  const { counter } = statement.predicate;
  const digest = statement.subject[0]?.digest.sha256;
  if (highest === null || counter > highest.counter) return;
  if (counter === highest.counter && digest === highest.digest) return;
  throw new MidflightError('ERR_MIDFLIGHT_STATEMENT_REPLAYED', [
    statement.subject[0]?.name ?? '',
    new Date(counter).toISOString(),
    new Date(highest.counter).toISOString(),
  ]);
}

/** None where nobody has ever trusted a key. A link to what is not there is something else: the keys are elsewhere, and can't be read. */
function listKeyFiles(directory: string): string[] {
  const isLink = lstatSync(directory, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  if (!existsSync(directory)) {
    if (!isLink) return [];
    throw new MidflightError('ERR_MIDFLIGHT_TRUST_UNSAFE', [directory, 'leads to what is not there']);
  }
  const names = readdirSync(directory).filter((name) => name.endsWith('.pub'));
  return names.toSorted().map((name) => path.join(directory, name));
}

function readThreshold(directory: string): number {
  const file = toPolicyFile(directory);
  if (!existsSync(file)) return 1;
  assertOwned(file);
  try {
    return policySchema.parse(JSON.parse(readFileSync(file, 'utf8'))).threshold;
  } catch (error) {
    throw new MidflightError('ERR_MIDFLIGHT_TRUST_UNSAFE', [file, 'does not say a threshold'], {
      cause: error,
    });
  }
}

/** Of root or of this user, and written by nobody else. */
function assertOwned(file: string): void {
  const { uid, mode } = statSync(file);
  const own = process.getuid?.() ?? uid;
  if (uid !== own && uid !== 0)
    throw new MidflightError('ERR_MIDFLIGHT_TRUST_UNSAFE', [
      file,
      `belongs to uid ${uid}, not to ${own} or root`,
    ]);
  if ((mode & OTHERS_MAY_WRITE) !== 0)
    throw new MidflightError('ERR_MIDFLIGHT_TRUST_UNSAFE', [
      file,
      `can be written by others (mode ${(mode & 0o777).toString(8)})`,
    ]);
}

const toKeyFile = (directory: string, id: string): string => path.join(directory, `${id}.pub`);
const toPolicyFile = (directory: string): string => path.join(directory, 'policy.json');

function writeWhole(file: string, text: string): void {
  const staging = `${file}.${process.pid}.tmp`;
  writeFileSync(staging, text, { mode: 0o600, flush: true });
  renameSync(staging, file);
}

/** Who is trusted, and what is signed by hand: each change is in the audit log. Needs nothing that runs. */

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { toReleaseLocation, type Home } from '../release/home.ts';
import { readSigningKey } from '../release/signing-key.ts';
import { readEnvelope, toDigest, writeEnvelope } from '../release/statement.ts';
import { addKey, readTrust, removeKey, setThreshold, verifyStatement } from '../release/trust.ts';
import { findAccepted } from './accepted.ts';
import { toOwnActor } from './actor.ts';
import type { AuditEntry } from './audit-chain.ts';
import { appendAudit } from './audit-log.ts';
import { openHistory } from './history.ts';
import { listReleases } from './releases.ts';
import { signOnDisk } from './sign-release.ts';
import { requireWhole } from './whole-release.ts';

export const trustActions = ['add', 'list', 'remove', 'threshold'] as const;
export type TrustAction = (typeof trustActions)[number];

export interface TrustReport {
  /** Ids. */
  readonly keys: readonly string[];
  readonly threshold: number;
  /** What would come up at the next start, where the trusted keys have not signed it; else null. */
  readonly unsigned: string | null;
}

/** Changes whom to trust, and says what holds then.
 *  Errors: ERR_MIDFLIGHT_KEY_INVALID, ERR_MIDFLIGHT_TRUST_UNSAFE, ERR_MIDFLIGHT_USAGE. */
export function keepTrust(home: Home, action: TrustAction, subject: string | undefined): TrustReport {
  if (action !== 'list') {
    if (subject === undefined)
      throw new MidflightError('ERR_MIDFLIGHT_USAGE', [
        `"midflight trust ${action}" needs ${action === 'threshold' ? 'a number' : 'a key: its .pub file, or its id'}`,
      ]);
    mkdirSync(home.directory, { recursive: true, mode: 0o700 });
    const detail = change(home, action, subject);
    note(home, { action: `trust ${action}`, result: 'done', detail });
  }
  const trust = readTrust(home.trust);
  return {
    keys: [...(trust?.keys.keys() ?? [])],
    threshold: trust?.threshold ?? 0,
    unsigned: findUnsigned(home),
  };
}

function change(home: Home, action: Exclude<TrustAction, 'list'>, subject: string): string {
  switch (action) {
    case 'add':
      return addKey(home.trust, subject);
    case 'remove':
      return removeKey(home.trust, subject);
    case 'threshold':
      setThreshold(home.trust, Number(subject));
      return subject;
  }
}

function findUnsigned(home: Home): string | null {
  const trust = readTrust(home.trust);
  const release = readRecord(home).proved;
  if (trust === null || release === null) return null;
  const { manifestFile } = toReleaseLocation(home, release);
  if (!existsSync(manifestFile)) return null;
  try {
    const digest = toDigest(readFileSync(manifestFile));
    const app = path.basename(home.appDirectory);
    verifyStatement(trust, readEnvelope(manifestFile), { release, digest, app, now: new Date() });
    return null;
  } catch {
    // Why is told by the start that refuses it.
    return release;
  }
}

export interface SignedRelease {
  readonly release: string;
  readonly digest: string;
  /** Ids of all keys that have signed. */
  readonly signers: readonly string[];
}

/** Signs a kept release, the newest where none is named. Its files are compared with its manifest first.
 *  Errors: ERR_MIDFLIGHT_RELEASE_UNKNOWN, ERR_MIDFLIGHT_RELEASE_ALTERED, ERR_MIDFLIGHT_KEY_INVALID. */
export async function signKept(
  home: Home,
  named: string | undefined,
  { keyFiles, app }: { readonly keyFiles: readonly string[]; readonly app?: string | undefined },
): Promise<SignedRelease> {
  const release = named ?? (await listReleases(home)).at(-1);
  if (release === undefined) throw new MidflightError('ERR_MIDFLIGHT_RELEASE_UNKNOWN', ['yet']);
  const keys = keyFiles.map(readSigningKey);
  const highestCounter = readRecord(home).highestCounter;
  const envelope = signOnDisk({ home, release, keys, action: 'deploy', highestCounter, app });
  await requireWhole(home, release);
  const { manifestFile } = toReleaseLocation(home, release);
  writeEnvelope(manifestFile, envelope);
  const digest = toDigest(readFileSync(manifestFile));
  const signers = envelope.signatures.map(({ keyid }) => keyid);
  note(home, { action: 'sign', result: 'done', release, digest, signers: keys.map(({ id }) => id) });
  return { release, digest, signers };
}

function readRecord({ database, auditLog }: Home): { proved: string | null; highestCounter: number } {
  if (!existsSync(database)) return { proved: null, highestCounter: 0 };
  const history = openHistory(database);
  try {
    return { proved: history.proved(), highestCounter: findAccepted(history, auditLog)?.counter ?? 0 };
  } finally {
    history.close();
  }
}

function note(home: Home, entry: Omit<AuditEntry, 'actor'>): void {
  appendAudit(home.auditLog, { actor: toOwnActor('command'), ...entry });
}

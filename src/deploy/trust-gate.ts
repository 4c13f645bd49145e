/**
 * What a release has to pass before anything of it is loaded, where keys are trusted.
 *
 * Invariants:
 * 1. Trust is read anew each time, so a key that was added or removed counts for the next release.
 * 2. A statement that is older than the newest one accepted gets in only where the release has proved itself here, and serves again.
 * 3. What is refused is in the audit log.
 */

import path from 'node:path';
import { MidflightError } from '../errors.ts';
import type { ReleaseLocation } from '../protocol/messages.ts';
import type { Home } from '../release/home.ts';
import { requireWhole } from './whole-release.ts';
import { readEnvelope } from '../release/statement.ts';
import { assertNewer, readTrust, verifyStatement, type Verified } from '../release/trust.ts';
import { createAccepted } from './accepted.ts';
import type { Audit } from './audit.ts';
import type { Actor, AuditEntry } from './audit-chain.ts';
import type { History } from './history.ts';

export interface TrustGate {
  /** Before anything of a source is built, since its install and build would run: who asks can sign.
   *  Errors: ERR_MIDFLIGHT_RELEASE_UNSIGNED, ERR_MIDFLIGHT_TRUST_UNSAFE. */
  expectSigner(keyIds: readonly string[], actor: Actor): void;
  /** Null where no key is trusted. `again`: it has proved itself here before.
   *  Errors: ERR_MIDFLIGHT_RELEASE_UNSIGNED, _RELEASE_ALTERED, _STATEMENT_INVALID, _STATEMENT_REPLAYED, _TRUST_UNSAFE. */
  check(location: ReleaseLocation, options: CheckOptions): Promise<Verified | null>;
  /** From now on nothing older is accepted. */
  accept(verified: Verified | null): void;
}

export interface CheckOptions {
  readonly actor: Actor;
  readonly again: boolean;
  /** Every byte, and not only what is signed. */
  readonly files: boolean;
}

export interface TrustGateOptions {
  readonly home: Home;
  /** The newest statement that was accepted, on disk. */
  readonly history: Pick<History, 'highestAccepted' | 'setHighestAccepted'>;
  readonly audit: Audit;
}

export function createTrustGate({ home, history, audit }: TrustGateOptions): TrustGate {
  const highest = createAccepted(history, home.auditLog);
  const refused = (error: unknown, entry: Omit<AuditEntry, 'action' | 'result'>): never => {
    const detail = error instanceof MidflightError ? error.message : String(error);
    audit({ action: 'verify', result: 'refused', ...entry, detail });
    throw error;
  };

  async function verify(
    { id, manifestFile, digest = '' }: ReleaseLocation,
    { again, files }: CheckOptions,
  ): Promise<Verified | null> {
    const trust = readTrust(home.trust);
    if (trust === null) return null;
    const claim = { release: id, digest, app: path.basename(home.appDirectory), now: new Date() };
    const verified = verifyStatement(trust, readEnvelope(manifestFile), claim);
    if (!again) assertNewer(verified, highest());
    if (files) await requireWhole(home, id);
    return verified;
  }

  return {
    expectSigner(keyIds, actor) {
      try {
        const trust = readTrust(home.trust);
        if (trust === null || keyIds.some((id) => trust.keys.has(id))) return;
        throw new MidflightError('ERR_MIDFLIGHT_RELEASE_UNSIGNED', [
          'What would be built',
          0,
          trust.threshold,
        ]);
      } catch (error) {
        refused(error, { actor });
      }
    },
    async check(location, options) {
      const about = { actor: options.actor, release: location.id, digest: location.digest ?? null };
      return verify(location, options).catch((error: unknown) => refused(error, about));
    },
    accept(verified) {
      if (verified === null) return;
      const { subject, predicate } = verified.statement;
      const before = highest()?.counter ?? 0;
      if (predicate.counter > before)
        history.setHighestAccepted({ counter: predicate.counter, digest: subject[0]?.digest.sha256 ?? '' });
    },
  };
}

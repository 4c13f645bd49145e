/** How a release is let in: signed by who can, verified, and noted in the audit log before it changes anything. */

import { readFileSync } from 'node:fs';
import type { Envelope } from '../release/dsse.ts';
import { toReleaseLocation, type Home } from '../release/home.ts';
import { toDigest, writeEnvelope, type Statement } from '../release/statement.ts';
import type { Manifest } from '../protocol/manifest.ts';
import type { RunnableRelease } from '../supervisor/process-host.ts';
import type { DeployParts } from './deploy-parts.ts';
import type { DeployRun } from './deploy-run.ts';

/** Whoever has keys: a client of the control socket, or this machine by its own. */
export interface Signer {
  /** Ids of the keys. */
  readonly ids: readonly string[];
  /** Null where it does not sign after all. */
  sign(release: string, action: Statement['predicate']['action']): Promise<Envelope | null>;
}

export interface Admission {
  readonly signer: Signer | null;
  readonly action: Statement['predicate']['action'];
  /** It has proved itself here, and only comes back. */
  readonly again: boolean;
}

/** A release that has just been written, with the digest of what was. */
export function toRunnable(home: Home, manifest: Manifest): RunnableRelease {
  const location = toReleaseLocation(home, manifest.id);
  return { manifest, location: { ...location, digest: toDigest(readFileSync(location.manifestFile)) } };
}

/** Has it signed, and lets it pass the gate. Errors: those of the gate. */
export async function admit(
  { gate, tell }: DeployParts,
  run: DeployRun,
  { release, signer, action, again }: Admission & { readonly release: RunnableRelease },
): Promise<void> {
  run.digest = release.location.digest ?? null;
  const startedAt = performance.now();
  if (signer !== null && signer.ids.length > 0) {
    tell('sign', `release ${release.manifest.id}, by ${signer.ids.join(', ')}`);
    const envelope = await signer.sign(release.manifest.id, action);
    if (envelope !== null) writeEnvelope(release.location.manifestFile, envelope);
  }
  run.verified = await gate.check(release.location, { actor: run.actor, again, files: true });
  if (run.verified === null) return;
  run.timings['verifyMs'] = performance.now() - startedAt;
  tell('verify', `signed by ${run.verified.signers.join(', ')}`);
}

/** Right before it is applied: without the line in the log, nothing is. */
export function noteBegin({ gate, audit }: DeployParts, run: DeployRun): void {
  audit({ ...toEntry(run), result: 'begun', detail: run.path }, { isRequired: true });
  gate.accept(run.verified);
}

/** What the audit log has of every run. */
export function toEntry({ action, actor, release, digest, verified }: DeployRun): {
  action: string;
  actor: DeployRun['actor'];
  release: string | null;
  digest: string | null;
  signers?: readonly string[];
  counter?: number;
} {
  const entry = { action, actor, release, digest };
  if (verified === null) return entry;
  return { ...entry, signers: verified.signers, counter: verified.statement.predicate.counter };
}

/**
 * What is signed of a version: an in-toto Statement v1 in a DSSE envelope, beside its manifest. Its subject is the digest of the
 * manifest's exact bytes, and the manifest lists every byte. It names no app: a shared registry serves several.
 */

import { hostname, userInfo } from 'node:os';
import { z } from 'zod';
import { MidflightError } from '../../errors.ts';
import { cosign, findSigners, signPayload, toPayload, type Envelope } from '../../release/dsse.ts';
import type { SigningKey } from '../../release/signing-key.ts';
import { PAYLOAD_TYPE, readEnvelope } from '../../release/statement.ts';
import type { Trust } from '../../release/trust.ts';
import { toLabelOf, type VersionName } from './registry.ts';

const statementSchema = z.object({
  _type: z.literal('https://in-toto.io/Statement/v1'),
  subject: z.array(z.object({ name: z.string(), digest: z.object({ sha256: z.string() }) })).length(1),
  predicateType: z.literal('urn:midflight:plugin:v1'),
  predicate: z.object({
    name: z.string(),
    version: z.string(),
    /** Who has signed first, as `user@host`. */
    builder: z.string(),
    /** ISO 8601, UTC. */
    signedAt: z.iso.datetime(),
  }),
});

type Statement = z.output<typeof statementSchema>;

/** A version, and the digest of its manifest. */
export interface Claim extends VersionName {
  readonly digest: string;
}

/** Signs by each key; beside the signatures that are there, where they are about the same bytes. Null without a key and without those. */
export function signVersion(
  claim: Claim,
  keys: readonly SigningKey[],
  before: Envelope | null,
): Envelope | null {
  const known = before !== null && findProblem(before, claim) === null ? before : null;
  const [first, ...others] = keys;
  if (first === undefined) return known;
  const payload = (): Buffer => Buffer.from(JSON.stringify(toStatement(claim)));
  const signed =
    known === null
      ? signPayload({ payloadType: PAYLOAD_TYPE, payload: payload() }, first)
      : cosign(known, first);
  return others.reduce(cosign, signed);
}

function toStatement({ name, version, digest }: Claim): Statement {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: toLabelOf({ name, version }), digest: { sha256: digest } }],
    predicateType: 'urn:midflight:plugin:v1',
    predicate: {
      name,
      version,
      builder: `${readUser()}@${hostname()}`,
      signedAt: new Date().toISOString(),
    },
  };
}

function readUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run a uid that has no name.
    return '';
  }
}

/** The trusted keys that have signed exactly this.
 *  Errors: ERR_MIDFLIGHT_PLUGIN_UNSIGNED, ERR_MIDFLIGHT_PLUGIN_ALTERED. */
export function requireSigned(trust: Trust, envelope: Envelope | null, claim: Claim): readonly string[] {
  const label = toLabelOf(claim);
  const signers = envelope === null ? [] : findSigners(envelope, trust.keys);
  if (envelope === null || signers.length < trust.threshold)
    throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_UNSIGNED', [label, signers.length, trust.threshold]);
  const problem = findProblem(envelope, claim);
  if (problem !== null) throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_ALTERED', [label, problem]);
  return signers;
}

/** Null where it is about exactly this. */
function findProblem(envelope: Envelope, { name, version, digest }: Claim): string | null {
  const { payloadType, payload } = toPayload(envelope);
  if (payloadType !== PAYLOAD_TYPE) return `its statement is a "${payloadType}"`;
  const statement = statementSchema.safeParse(parseJson(payload.toString())).data;
  if (statement === undefined) return 'its statement is none of a plugin';
  const [subject] = statement.subject;
  const { predicate } = statement;
  if (predicate.name !== name || predicate.version !== version)
    return `its statement is about ${toLabelOf(predicate)}`;
  return subject?.digest.sha256 === digest ? null : 'its manifest is not the one that was signed';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema says so.
    return null;
  }
}

export interface Signature {
  /** Hex sha256 of the public key; without trust, what the statement says. */
  readonly key: string;
  readonly isTrusted: boolean;
}

/** Who has signed a version, as far as that can be known here. */
export function readSignatures(manifestFile: string, claim: Claim, trust: Trust | null): Signature[] {
  const envelope = readEnvelope(manifestFile);
  if (envelope === null || findProblem(envelope, claim) !== null) return [];
  const trusted = trust === null ? [] : findSigners(envelope, trust.keys);
  const others = envelope.signatures.map(({ keyid }) => keyid).filter((key) => !trusted.includes(key));
  return [
    ...trusted.map((key) => ({ key, isTrusted: true })),
    ...others.map((key) => ({ key, isTrusted: false })),
  ];
}

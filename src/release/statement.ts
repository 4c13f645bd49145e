/**
 * What is signed of a release: an in-toto Statement v1 in a DSSE envelope, `releases/<id>/statement.json`. Its subject is the
 * digest of the manifest's exact bytes, and the manifest lists every file.
 * Why so: docs/design/security/design.md; how to check one without Midflight: docs/guide/trust.md.
 */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { MidflightError } from '../errors.ts';
import type { Manifest } from '../protocol/manifest.ts';
import { ENVELOPE_BYTES_MAX, envelopeSchema, signPayload, toPayload, type Envelope } from './dsse.ts';
import type { SigningKey } from './signing-key.ts';

export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
const PREDICATE_TYPE = 'urn:midflight:release:v1';

export const statementSchema = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z
    .array(z.object({ name: z.string(), digest: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }) }))
    .length(1),
  predicateType: z.literal(PREDICATE_TYPE),
  predicate: z.object({
    /** The name of the app's directory. */
    app: z.string(),
    /** Null for a working tree outside git. */
    commit: z.string().nullable(),
    isDirty: z.boolean(),
    /** Who signs, as `user@host`. */
    builder: z.string(),
    /** When the release was built, and when this was signed: ISO 8601, UTC. */
    builtAt: z.iso.datetime(),
    signedAt: z.iso.datetime(),
    /** Of the lockfile and of what package.json asks for; null without dependencies. */
    lockfileHash: z.string().nullable(),
    /** `rollback` where this release had been accepted before, and is to serve again. */
    action: z.enum(['deploy', 'rollback']),
    /** Higher than that of every statement before. */
    counter: z.number().int().positive(),
  }),
});

export type Statement = z.output<typeof statementSchema>;

export interface SignOptions {
  readonly manifest: Pick<Manifest, 'id' | 'commit' | 'isDirty' | 'createdAt' | 'dependenciesHash'>;
  readonly digest: string;
  readonly app: string;
  readonly builder: string;
  readonly action: Statement['predicate']['action'];
  /** The highest counter that is known. */
  readonly counterBefore: number;
  readonly now: Date;
}

/** What is said of a release. The counter is the time in milliseconds, so that who signs elsewhere needs to know nothing of the others;
 *  it is one more than the one before where a clock has gone back. */
export function toStatement(options: SignOptions): Statement {
  const { manifest, digest, app, builder, action, counterBefore, now } = options;
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: manifest.id, digest: { sha256: digest } }],
    predicateType: PREDICATE_TYPE,
    predicate: {
      app,
      commit: manifest.commit,
      isDirty: manifest.isDirty,
      builder,
      builtAt: manifest.createdAt,
      signedAt: now.toISOString(),
      lockfileHash: manifest.dependenciesHash,
      action,
      counter: Math.max(now.getTime(), counterBefore + 1),
    },
  };
}

/** Whether both are about the same bytes for the same app, whoever has said so, and when. */
export function isSameClaim(one: Statement, other: Statement): boolean {
  const toText = ({ subject, predicate }: Statement): string => {
    const { app, commit, isDirty, builtAt, lockfileHash } = predicate;
    return JSON.stringify([subject, app, commit, isDirty, builtAt, lockfileHash]);
  };
  return toText(one) === toText(other);
}

/** An envelope with one signature. */
export function signStatement(statement: Statement, key: SigningKey): Envelope {
  return signPayload({ payloadType: PAYLOAD_TYPE, payload: Buffer.from(JSON.stringify(statement)) }, key);
}

/** Hex sha256 of a manifest's bytes: the release digest without its `sha256:`. */
export function toDigest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Reads what an envelope states; whether its signatures hold is another question. Errors: ERR_MIDFLIGHT_STATEMENT_INVALID. */
export function parseStatement(envelope: Envelope): Statement {
  const { payloadType, payload } = toPayload(envelope);
  if (payloadType !== PAYLOAD_TYPE) throw invalid(`its payload is "${payloadType}", not "${PAYLOAD_TYPE}"`);
  return parse(statementSchema, payload.toString());
}

/** Reads an envelope. Errors: ERR_MIDFLIGHT_STATEMENT_INVALID. */
export function parseEnvelope(text: string): Envelope {
  return parse(envelopeSchema, text);
}

/** The envelope that lies beside a release; null where there is none. Errors: ERR_MIDFLIGHT_STATEMENT_INVALID. */
export function readEnvelope(manifestFile: string): Envelope | null {
  const file = toStatementFile(manifestFile);
  if (!existsSync(file)) return null;
  if (statSync(file).size > ENVELOPE_BYTES_MAX) throw invalid(`it has more than ${ENVELOPE_BYTES_MAX} bytes`);
  return parseEnvelope(readFileSync(file, 'utf8'));
}

/** Whole or not at all. */
export function writeEnvelope(manifestFile: string, envelope: Envelope): void {
  const file = toStatementFile(manifestFile);
  const staging = `${file}.${process.pid}.tmp`;
  writeFileSync(staging, `${JSON.stringify(envelope)}\n`, { mode: 0o600, flush: true });
  renameSync(staging, file);
}

function toStatementFile(manifestFile: string): string {
  return path.join(path.dirname(manifestFile), 'statement.json');
}

function parse<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(String(error));
  }
  const result = schema.safeParse(value);
  if (!result.success) throw invalid(z.prettifyError(result.error));
  return result.data;
}

function invalid(problem: string): MidflightError {
  return new MidflightError('ERR_MIDFLIGHT_STATEMENT_INVALID', [problem]);
}

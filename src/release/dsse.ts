/** DSSE: a payload with signatures over its type and its exact bytes. Source: github.com/secure-systems-lab/dsse, protocol.md, v1.0. */

import { sign, verify, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { SigningKey } from './signing-key.ts';

/** The largest envelope that is read: a statement is about a kilobyte. */
export const ENVELOPE_BYTES_MAX = 256 * 1024;
const SIGNATURES_MAX = 64;

const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/);

export const envelopeSchema = z.object({
  payload: base64,
  payloadType: z.string().min(1).max(200),
  signatures: z
    .array(z.object({ keyid: z.string().max(200), sig: base64 }))
    .min(1)
    .max(SIGNATURES_MAX),
});

export type Envelope = z.output<typeof envelopeSchema>;

export interface Payload {
  readonly payloadType: string;
  readonly payload: Buffer;
}

/** What is signed: `DSSEv1 <length> <type> <length> <bytes>`. */
export function toPreAuthEncoding({ payloadType, payload }: Payload): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** An envelope with one signature. */
export function signPayload(content: Payload, key: SigningKey): Envelope {
  return {
    payload: content.payload.toString('base64'),
    payloadType: content.payloadType,
    signatures: [toSignature(content, key)],
  };
}

/** The same payload with one more signature; a key that has signed already does so anew. */
export function cosign(envelope: Envelope, key: SigningKey): Envelope {
  const others = envelope.signatures.filter(({ keyid }) => keyid !== key.id);
  return { ...envelope, signatures: [...others, toSignature(toPayload(envelope), key)] };
}

/** The signed bytes; who has signed them is another question. */
export function toPayload({ payload, payloadType }: Envelope): Payload {
  return { payloadType, payload: Buffer.from(payload, 'base64') };
}

/** The ids of the keys of which there is a valid signature, each once. `keyid` of a signature is a hint that nothing relies on. */
export function findSigners(envelope: Envelope, keys: ReadonlyMap<string, KeyObject>): readonly string[] {
  const signed = toPreAuthEncoding(toPayload(envelope));
  const isSigned = (key: KeyObject): boolean =>
    envelope.signatures.some(({ sig }) => verify(null, signed, key, Buffer.from(sig, 'base64')));
  return [...keys].filter(([, key]) => isSigned(key)).map(([id]) => id);
}

function toSignature(content: Payload, key: SigningKey): Envelope['signatures'][number] {
  const sig = sign(null, toPreAuthEncoding(content), key.privateKey);
  return { keyid: key.id, sig: sig.toString('base64') };
}

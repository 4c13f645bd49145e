/**
 * The versions of what parts of Midflight say to each other. Parts of different releases of Midflight meet after
 * `upgrade-self`, and where the command line is newer than what runs. Each end says what it speaks, from `min` to `max`;
 * the highest that both speak is spoken, and where there is none one end refuses with a sentence.
 */

import { MidflightError } from '../errors.ts';

export interface ProtocolRange {
  readonly min: number;
  readonly max: number;
}

export const protocols = {
  /** Keeper and supervisor: `keeper-messages.ts`. */
  keeper: { min: 1, max: 1 },
  /** Supervisor and the agent in a worker: `messages.ts`. From 2 on it knows `sample`, `openDoor` and other health checks than a path. */
  worker: { min: 1, max: 2 },
  /** Command line and supervisor: HTTP on the control socket. */
  control: { min: 1, max: 1 },
} as const satisfies Record<string, ProtocolRange>;

export type ProtocolName = keyof typeof protocols;

/** What one installation of Midflight speaks, as `supervisor.js --protocols` prints it. */
export type Protocols = Readonly<Record<ProtocolName, ProtocolRange>>;

/** The header of a control call and of its answer. */
export const CONTROL_PROTOCOL_HEADER = 'midflight-protocol';

/** The version that both speak. Errors: ERR_MIDFLIGHT_PROTOCOL_MISMATCH. */
export function negotiate(name: ProtocolName, other: string, theirs: ProtocolRange): number {
  return negotiateAs(name, other, theirs, protocols[name]);
}

/** The same for another installation than this one and what runs here. */
export function negotiateAs(
  name: ProtocolName,
  other: string,
  theirs: ProtocolRange,
  ours: ProtocolRange,
): number {
  const version = Math.min(ours.max, theirs.max);
  if (version >= Math.max(ours.min, theirs.min)) return version;
  throw new MidflightError('ERR_MIDFLIGHT_PROTOCOL_MISMATCH', [
    other,
    `${name} protocol ${toRangeText(theirs)}`,
    toRangeText(ours),
  ]);
}

/** `1..3`. */
export function toRangeText({ min, max }: ProtocolRange): string {
  return `${min}..${max}`;
}

/** Null for what is no range. */
export function parseRange(text: string | undefined): ProtocolRange | null {
  const match = /^(\d{1,6})\.\.(\d{1,6})$/.exec(text ?? '');
  return match === null ? null : { min: Number(match[1]), max: Number(match[2]) };
}

/** What `state()` may be told, and how its versions lead to each other. */

import { MidflightError } from '../errors.ts';

/** How data of one version is made from that of the version before, and back. Steps get copies and return what they
 *  made; the types of their parameters are for the one who writes them to say. */
export interface StateStep<Data = unknown> {
  /** From the version before to this one. */
  up(older: unknown): Data;
  /** From this version to the one before: what a rollback needs. */
  down?(newer: Data): unknown;
}

/** Steps by the version that they lead up to. The last one makes what this code works with. */
export type StateSteps<Data, Version extends number> = {
  // Which one is the last is not known where version is any number.
  readonly [Step in Version as number extends Version ? never : Step]?: StateStep<Data>;
} & { readonly [step: number]: StateStep };

/** From any version before to this one, in one function, called with a copy; it knows no way down. */
export type StateUp<Data> = { up(older: unknown, olderVersion: number): Data }['up'];

/** What `state()` may be told. */
export interface StateOptions<T, Version extends number = number> {
  /** Another number than before means another shape, which `migrate` makes; 0 when absent. */
  readonly version?: Version;
  /** What leads here from versions before, by steps or by one function. */
  readonly migrate?: StateUp<T> | StateSteps<T, Version>;
  /** It belongs to the process, as a connection does: a handoff makes it anew by `init`. */
  readonly local?: boolean;
}

/** The same for a state that structured clone can't copy: it says what its data is, and migrations work on that. */
export interface EncodedStateOptions<T, Data, Version extends number = number> {
  readonly version?: Version;
  readonly migrate?: StateUp<Data> | StateSteps<Data, Version>;
  readonly local?: boolean;
  /** The data of a state: something that structured clone can copy. */
  encode(value: T): Data;
  /** A state from its data. */
  decode(data: Data): T;
}

/** The options of any state, as the registry keeps them. */
export interface AnyStateOptions {
  readonly version?: number;
  readonly migrate?: StateUp<unknown> | { readonly [step: number]: StateStep };
  readonly local?: boolean;
  encode?(value: unknown): unknown;
  decode?(data: unknown): unknown;
}

/** Errors: ERR_MIDFLIGHT_STATE_INVALID. */
export function checkStateOptions(
  name: string,
  { version = 0, migrate, encode, decode }: AnyStateOptions,
): void {
  const problem = [
    Number.isInteger(version) && version >= 0 ? null : `version is ${version}, and not a whole number from 0`,
    (encode === undefined) === (decode === undefined) ? null : 'encode and decode go together',
    typeof migrate === 'object' ? findWrongStep(migrate, version) : null,
  ].find((each) => each !== null);
  if (problem !== undefined) throw new MidflightError('ERR_MIDFLIGHT_STATE_INVALID', [name, problem]);
}

function findWrongStep(steps: { readonly [step: number]: StateStep }, version: number): string | null {
  const wrong = Object.keys(steps).find((key) => !(Number.isInteger(Number(key)) && Number(key) > 0));
  if (wrong !== undefined) return `migrate has a step "${wrong}", and steps are versions from 1`;
  const beyond = Object.keys(steps).find((key) => Number(key) > version);
  return beyond === undefined ? null : `migrate has a step ${beyond}, and version is ${version}`;
}

/** One state of the registry: its value with what made it, its conversion to another version, and its data. */

import v8 from 'node:v8';

import { MidflightError } from '../errors.ts';
import { copyData, isTransparent, replaceContents } from './state-contents.ts';
import { attempt, migrateData } from './state-migration.ts';
import type { AnyStateOptions } from './state-options.ts';

/** One state, as the registry keeps it. */
export interface Entry {
  readonly value: unknown;
  readonly version: number;
  readonly options: AnyStateOptions;
}

/** One state on its way to another process. */
export interface EncodedEntry {
  readonly version: number;
  readonly data: unknown;
}

/** A copy of an entry, in the shape that `options` want.
 *  Errors: ERR_MIDFLIGHT_STATE_UNMIGRATED, …_MIGRATION_FAILED, …_UNENCODABLE. */
export function convertEntry(name: string, known: Entry, options: AnyStateOptions): Entry {
  const { version = 0 } = options;
  const value = fromData({
    name,
    data: toData(name, known),
    from: known.version,
    options,
    wayDown: known.options.migrate,
  });
  if (!isTransparent(value) && options.encode === undefined) {
    const problem = `migrate makes it a ${(value as object).constructor.name}`;
    throw new MidflightError('ERR_MIDFLIGHT_STATE_UNENCODABLE', [name, problem]);
  }
  return { value, version, options };
}

interface Filling {
  readonly name: string;
  readonly staged: Entry;
  readonly value: unknown;
  readonly from: number;
}

/** Into the very object that the new code holds; a number or a string it has already, for good. */
export function fillEntry({ name, staged, value, from }: Filling): void {
  if (typeof staged.value !== 'object' || staged.value === null) return;
  const wanted = isTransparent(staged.value) ? null : v8.serialize(toData(name, { ...staged, value }));
  const isDone =
    replaceContents(staged.value, value) &&
    (wanted === null || wanted.equals(v8.serialize(toData(name, staged))));
  if (isDone) return;
  const problem =
    'what was written while the new code was prepared can not be put into the object that it holds already (another size or class, frozen, or with private fields); keep the data in a plain object, a Map or an array';
  throw new MidflightError('ERR_MIDFLIGHT_STATE_MIGRATION_FAILED', [name, from, staged.version, problem]);
}

/** A copy of what a state is made of.
 *  Errors: ERR_MIDFLIGHT_STATE_UNENCODABLE. */
export function toData(name: string, { value, options }: Entry): unknown {
  try {
    return copyData(options.encode ? options.encode(value) : value);
  } catch (cause) {
    const problem = (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, '');
    throw new MidflightError('ERR_MIDFLIGHT_STATE_UNENCODABLE', [name, problem], { cause });
  }
}

interface Received {
  readonly name: string;
  /** A copy. */
  readonly data: unknown;
  readonly from: number;
  /** Those of the code that is to have the state. */
  readonly options: AnyStateOptions;
  /** The `migrate` of the code that wrote it, which knows the way down; a process knows that of its own only. */
  readonly wayDown?: AnyStateOptions['migrate'];
}

/** A state from data of any version. */
export function fromData({ name, data, from, options, wayDown }: Received): unknown {
  const { version: to = 0, decode } = options;
  const migrate = to > from ? options.migrate : wayDown;
  const migrated = to === from ? data : migrateData({ name, data, from, to, migrate });
  return decode ? attempt({ name, from, to }, 'decode', () => decode(migrated)) : migrated;
}

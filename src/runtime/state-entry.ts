/** One state of the registry: its value with what made it, its conversion to another version, and its data. */

import v8 from 'node:v8';

import { MidflightError } from '../errors.ts';
import { copyData, isTransparent, replaceContents, requireGoodCopy } from './state-contents.ts';
import { attempt, migrateData } from './state-migration.ts';
import type { AnyStateOptions } from './state-options.ts';

/** One state, as the registry keeps it. */
export interface Entry {
  readonly value: unknown;
  readonly version: number;
  readonly options: AnyStateOptions;
}

/** One state on its way to another process. */
export interface EncodedState {
  readonly name: string;
  readonly version: number;
  /** Its data, by `v8.Serializer`. */
  readonly bytes: Uint8Array;
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
  if (isTransparent(staged.value) ? replaceContents(staged.value, value) : fillClass(name, staged, value))
    return;
  const problem =
    'what was written while the new code was prepared can not be put into the object that it holds already (another size or class, frozen, or with private fields); keep the data in a plain object, a Map or an array';
  throw new MidflightError('ERR_MIDFLIGHT_STATE_MIGRATION_FAILED', [name, from, staged.version, problem]);
}

/** What a class keeps to itself is not filled: then nothing is. */
function fillClass(name: string, staged: Entry, value: unknown): boolean {
  const wanted = v8.serialize(toData(name, { ...staged, value }));
  const before = toData(name, staged);
  if (replaceContents(staged.value, value) && wanted.equals(v8.serialize(toData(name, staged)))) return true;
  const { version: from, options } = staged;
  replaceContents(staged.value, fromData({ name, data: before, from, options }));
  return false;
}

/** A copy of what a state is made of.
 *  Errors: ERR_MIDFLIGHT_STATE_UNENCODABLE. */
export function toData(name: string, { value, options }: Entry): unknown {
  return attemptEncoding(name, () => copyData(options.encode ? options.encode(value) : value));
}

/** A state for another process; led down where that wants an older version.
 *  Errors: ERR_MIDFLIGHT_STATE_UNENCODABLE, …_UNMIGRATED, …_MIGRATION_FAILED. */
export function encodeEntry(name: string, entry: Entry, wanted = entry.version): EncodedState {
  const { version: from, options } = entry;
  if (wanted >= from) return { name, version: from, bytes: toBytes(name, entry) };
  const data = toData(name, entry);
  const lower = migrateData({ name, data, from, to: wanted, migrate: options.migrate });
  return { name, version: wanted, bytes: attemptEncoding(name, () => serialize(lower)) };
}

/** What is sent is what is looked at: another copy would double the time in which clients wait. */
function toBytes(name: string, { value, options }: Entry): Uint8Array {
  return attemptEncoding(name, () => {
    const data = options.encode ? options.encode(value) : value;
    const bytes = serialize(data);
    requireGoodCopy(data, deserialize(bytes));
    return bytes;
  });
}

/** Errors: ERR_MIDFLIGHT_STATE_UNMIGRATED, …_MIGRATION_FAILED. */
export function decodeEntry({ name, version, bytes }: EncodedState, options: AnyStateOptions): unknown {
  return fromData({ name, data: deserialize(bytes), from: version, options });
}

/** Not `v8.serialize`: what that makes of typed arrays is a view of the bytes when it is read again. */
function serialize(data: unknown): Uint8Array {
  const serializer = new v8.Serializer();
  serializer.writeHeader();
  serializer.writeValue(data);
  return serializer.releaseBuffer();
}

function deserialize(bytes: Uint8Array): unknown {
  const deserializer = new v8.Deserializer(bytes);
  deserializer.readHeader();
  return deserializer.readValue();
}

function attemptEncoding<Result>(name: string, act: () => Result): Result {
  try {
    return act();
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

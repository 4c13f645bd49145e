/**
 * A map that never changes, from which others are derived at the price of what differs. Unlike a LayeredMap it holds nothing that
 * has been replaced: its values are what a process runs, and the old ones of these must be collected.
 */

/** Of 10,000 keys a change copies a list of 100 chunks, and one chunk of 100 values. */
const CHUNK_SIZE = 100;

/** Where each key is; common to all maps that are derived from one, and only ever added to. */
interface Slots {
  readonly byKey: Map<string, number>;
  readonly keys: string[];
}

type Chunk<Value> = readonly (Value | undefined)[];

export class ChunkedMap<Value> implements Iterable<[string, Value]> {
  readonly #slots: Slots;
  readonly #chunks: readonly Chunk<Value>[];
  readonly size: number;

  private constructor(slots: Slots, chunks: readonly Chunk<Value>[], size: number) {
    this.#slots = slots;
    this.#chunks = chunks;
    this.size = size;
  }

  static of<Value>(entries: Iterable<readonly [string, Value]> = []): ChunkedMap<Value> {
    return new ChunkedMap<Value>({ byKey: new Map(), keys: [] }, [], 0).with(entries);
  }

  get(key: string): Value | undefined {
    const slot = this.#slots.byKey.get(key);
    return slot === undefined ? undefined : this.#at(slot);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** The same with these values; undefined takes one away. */
  with(changes: Iterable<readonly [string, Value | undefined]>): ChunkedMap<Value> {
    const chunks = [...this.#chunks];
    const own = new Map<number, (Value | undefined)[]>();
    let size = this.size;
    for (const [key, value] of changes) {
      const slot = this.#slotFor(key);
      const index = Math.floor(slot / CHUNK_SIZE);
      while (chunks.length <= index) chunks.push([]);
      const chunk = own.get(index) ?? [...(chunks[index] ?? [])];
      own.set(index, chunk);
      chunks[index] = chunk;
      size += Number(value !== undefined) - Number(chunk[slot % CHUNK_SIZE] !== undefined);
      chunk[slot % CHUNK_SIZE] = value;
    }
    if (own.size === 0) return this;
    const derived = new ChunkedMap(this.#slots, chunks, size);
    const isSparse = this.#slots.keys.length > CHUNK_SIZE + size * 2;
    return isSparse ? ChunkedMap.of(derived) : derived;
  }

  /** The keys whose values differ from those of a map before. */
  changedSince(before: ChunkedMap<Value>): string[] {
    if (this.#slots !== before.#slots) {
      const keys = new Set([...this.keys(), ...before.keys()]);
      return [...keys].filter((key) => this.get(key) !== before.get(key));
    }
    const changed: string[] = [];
    const count = Math.max(this.#chunks.length, before.#chunks.length);
    for (let index = 0; index < count; index++) {
      if (this.#chunks[index] === before.#chunks[index]) continue;
      const start = index * CHUNK_SIZE;
      for (const [offset, key] of this.#slots.keys.slice(start, start + CHUNK_SIZE).entries())
        if (this.#at(start + offset) !== before.#at(start + offset)) changed.push(key);
    }
    return changed;
  }

  *[Symbol.iterator](): Generator<[string, Value]> {
    for (const [slot, key] of this.#slots.keys.entries()) {
      const value = this.#at(slot);
      if (value !== undefined) yield [key, value];
    }
  }

  *keys(): Generator<string> {
    for (const [key] of this) yield key;
  }

  *values(): Generator<Value> {
    for (const [, value] of this) yield value;
  }

  #at(slot: number): Value | undefined {
    return this.#chunks[Math.floor(slot / CHUNK_SIZE)]?.[slot % CHUNK_SIZE];
  }

  #slotFor(key: string): number {
    const { byKey, keys } = this.#slots;
    const known = byKey.get(key);
    if (known !== undefined) return known;
    byKey.set(key, keys.length);
    return keys.push(key) - 1;
  }
}

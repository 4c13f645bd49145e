/** A map that never changes, from which others are derived at the price of what differs. Of 10,000 modules a swap changes few. */

/** More differences than this are made into a map of their own. */
const LAYER_SIZE_MAX = 256;

export class LayeredMap<Value> implements Iterable<[string, Value]> {
  readonly #base: ReadonlyMap<string, Value>;
  /** What differs from the base; undefined for what is gone. */
  readonly #layer: ReadonlyMap<string, Value | undefined>;

  private constructor(base: ReadonlyMap<string, Value>, layer: ReadonlyMap<string, Value | undefined>) {
    this.#base = base;
    this.#layer = layer;
  }

  static of<Value>(entries: Iterable<readonly [string, Value]> = []): LayeredMap<Value> {
    return new LayeredMap(new Map(entries), new Map());
  }

  get(key: string): Value | undefined {
    return this.#layer.has(key) ? this.#layer.get(key) : this.#base.get(key);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** The same with these values; undefined takes one away. */
  with(changes: ReadonlyMap<string, Value | undefined>): LayeredMap<Value> {
    if (changes.size === 0) return this;
    const derived = new LayeredMap(this.#base, new Map([...this.#layer, ...changes]));
    return derived.#layer.size > LAYER_SIZE_MAX ? LayeredMap.of(derived) : derived;
  }

  /** The keys whose values differ from those of a map before. */
  changedSince(before: LayeredMap<Value>): string[] {
    const isDerived = this.#base === before.#base;
    const candidates = isDerived ? [this.#layer, before.#layer] : [this, before];
    const keys = new Set(candidates.flatMap((map) => [...map.keys()]));
    return [...keys].filter((key) => this.get(key) !== before.get(key));
  }

  /** What is worked out of a base and of what differs from it: the former only once for all that is derived from it. */
  layers(): {
    readonly base: ReadonlyMap<string, Value>;
    readonly layer: ReadonlyMap<string, Value | undefined>;
  } {
    return { base: this.#base, layer: this.#layer };
  }

  *[Symbol.iterator](): Generator<[string, Value]> {
    for (const entry of this.#base) if (!this.#layer.has(entry[0])) yield entry;
    for (const [key, value] of this.#layer) if (value !== undefined) yield [key, value];
  }

  *keys(): Generator<string> {
    for (const [key] of this) yield key;
  }

  *values(): Generator<Value> {
    for (const [, value] of this) yield value;
  }

  /** As JSON it is an object, sorted by key. */
  toJSON(): Record<string, Value> {
    return Object.fromEntries([...this].toSorted(([left], [right]) => (left < right ? -1 : 1)));
  }
}

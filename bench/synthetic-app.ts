/** Apps of any size, for what depends on size: modules about as long as those of a service. */

/** The text of TypeScript module `index`, which imports the modules named; `version` is what an edit changes. */
export function toModuleText(index: number, imported: readonly number[], version = 0): string {
  return `${imported.map((at) => `import { create${at} } from './m${at}.ts';`).join('\n')}

export interface Item${index} {
  readonly id: number;
  readonly name: string;
  readonly tags: readonly string[];
}

const names: Record<string, number> = { one: 1, two: 2, three: 3, four: 4, five: 5 };
const creators: (() => unknown)[] = [${imported.map((at) => `create${at}`).join(', ')}];

export class Store${index} {
  readonly #items = new Map<number, Item${index}>();

  add(item: Item${index}): this {
    if (item.name === '') throw new RangeError('An item of ${index} needs a name');
    this.#items.set(item.id, item);
    return this;
  }

  find(name: string): Item${index} | null {
    for (const item of this.#items.values()) if (item.name === name) return item;
    return null;
  }

  count(tag: string): number {
    return [...this.#items.values()].filter(({ tags }) => tags.includes(tag)).length;
  }
}

export function create${index}(): Store${index} {
  const store = new Store${index}();
  for (const [name, id] of Object.entries(names)) store.add({ id: id + ${index + version}, name, tags: [name, 'all'] });
  return store;
}

export function describe${index}(): string {
  return \`store ${index} of \${creators.length} with \${create${index}().count('all')} items\`;
}
`;
}

/**
 * Random graphs with boundaries, and random edits of them: after each step the app answers as one that Node loads afresh from the
 * same sources, and what was evaluated is what the plan says.
 */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createRuntime, type PreparedSwap, type Runtime } from '../../src/deploy/create-runtime.ts';

const MODULE_COUNT_MAX = 6;

interface Shape {
  readonly version: number;
  /** Counted from the module after this one. */
  readonly imports: readonly { readonly offset: number; readonly form: Form }[];
  readonly star: number | null;
  readonly accepts: 'self' | 'exports' | 'value' | 'none';
  readonly privates: number;
  readonly isDerived: boolean;
  readonly awaits: boolean;
  /** Adds to its function, and wraps a method of its class. */
  readonly wraps: boolean;
}

type Form = (typeof forms)[number];
const forms = ['named', 'namespace', 'whole', 'dynamic', 'value'] as const;

/** What no module of a graph does may differ: what was captured from a dependency that is merely accepted stays as it was. */
type Mode = (typeof modes)[number];
const modes = ['captures', 'accepts dependencies', 'cycles'] as const;

interface Edit {
  readonly kind: (typeof edits)[number];
  readonly module: number;
  readonly shape: Shape;
}

const edits = [
  'swap',
  'swap',
  'swap',
  'bump',
  'bump',
  'abort',
  'throw',
  'syntax',
  'rollback',
  'same',
] as const;

const shapes: fc.Arbitrary<Shape> = fc.record({
  version: fc.nat(9),
  imports: fc.uniqueArray(fc.record({ offset: fc.nat(4), form: fc.constantFrom(...forms) }), {
    selector: ({ offset }) => offset,
    maxLength: 3,
  }),
  star: fc.option(fc.nat(3), { freq: 2 }),
  accepts: fc.constantFrom('self', 'self', 'exports', 'value', 'none', 'none'),
  privates: fc.nat(1),
  isDerived: fc.boolean(),
  awaits: fc.boolean(),
  wraps: fc.boolean(),
});

const cases = fc.record({
  mode: fc.constantFrom(...modes),
  graph: fc.array(shapes, { minLength: 2, maxLength: MODULE_COUNT_MAX }),
  edits: fc.array(
    fc.record({ kind: fc.constantFrom(...edits), module: fc.nat(MODULE_COUNT_MAX - 1), shape: shapes }),
    { minLength: 1, maxLength: 8 },
  ),
});

/** The text of module `at`; all it exports has its number in its name. */
function toSource(graph: readonly Shape[], at: number, mode: Mode): string {
  const shape = graph[at];
  if (shape === undefined) throw new Error(`there is no module ${at}`);
  const last = graph.length - 1 - at;
  const targets = shape.imports.filter(({ offset }) => offset < last);
  const head: string[] = [];
  const reads: string[] = [];
  const evaluated: string[] = [];
  for (const { offset, form } of targets) {
    const to = at + 1 + offset;
    const from = JSON.stringify(`./${sourceOf(graph, at, to)}.mjs`);
    if (form === 'named') {
      head.push(`import { f${to}, K${to} } from ${from};`);
      reads.push(`f${to}()`, `new K${to}().k()`, `K${to}.s`, `f${to}.note`);
      // What a boundary re-exports is not live by that.
      const isCaptured = mode === 'captures' && sourceOf(graph, at, to) === `m${to}`;
      if (isCaptured) evaluated.push(`const c${to} = f${to}, i${to} = new K${to}();`);
      if (isCaptured) reads.push(`c${to}()`, `i${to}.k()`, `i${to} instanceof K${to}`);
    } else if (form === 'value') {
      head.push(`import { v${to} as w${to} } from ${from};`);
      reads.push(`w${to}`);
    } else if (form === 'dynamic') reads.push(`(await import(${from})).v${to}`);
    else {
      head.push(`import * as n${to} from ${from};`);
      reads.push(form === 'namespace' ? `n${to}.f${to}()` : `{ ...n${to} }.v${to}`, `n${to}.v${to}`);
    }
  }
  if (mode === 'cycles' && at > 0) {
    head.push(`import { v0 } from './m0.mjs';`);
    reads.push('v0');
  }
  const stars = starsOf(graph, at).map((to) => `export * from './m${to}.mjs';`);
  const base = shape.isDerived
    ? targets.find(
        ({ offset, form }) =>
          form === 'named' && sourceOf(graph, at, at + 1 + offset) === `m${at + 1 + offset}`,
      )
    : undefined;
  const heritage = base === undefined || mode !== 'captures' ? '' : ` extends K${at + 1 + base.offset}`;
  const privates = shape.privates === 0 ? '' : '#p = 1; p() { return this.#p; }';
  return [
    ...head,
    ...stars,
    `see(${at});`,
    ...(shape.awaits && mode !== 'cycles' ? ['await null;'] : []),
    ...evaluated,
    `export const v${at} = ${shape.version};`,
    `export async function f${at}() { return [${at}, v${at}, ${reads.map((read) => `await ${read}`).join(', ')}]; }`,
    `export class K${at}${heritage} { ${privates} k() { return ['k${at}', v${at}${shape.privates === 0 ? '' : ', this.p()'}]; } static s = ${shape.version}; }`,
    ...(shape.wraps ? [wrapping(at, shape.version)] : []),
    acceptanceOf(graph, at, mode),
  ].join('\n');
}

function wrapping(at: number, version: number): string {
  return [
    `f${at}.note = ${version};`,
    `const { k } = K${at}.prototype;`,
    `K${at}.prototype.k = function () { return [...k.call(this), 'wrapped']; };`,
  ].join('\n');
}

/** The modules that one re-exports. */
function starsOf(graph: readonly Shape[], at: number): number[] {
  const star = graph[at]?.star ?? null;
  return star !== null && at + 1 + star < graph.length ? [at + 1 + star] : [];
}

/** The module to import another from: one that re-exports it, where there is one. */
function sourceOf(graph: readonly Shape[], at: number, to: number): string {
  const barrel = graph.findIndex((_, index) => index > at && starsOf(graph, index).includes(to));
  return `m${barrel === -1 ? to : barrel}`;
}

function acceptanceOf(graph: readonly Shape[], at: number, mode: Mode): string {
  const shape = graph[at];
  if (mode === 'accepts dependencies' && shape?.accepts === 'value') {
    const found = [...new Set(starsOf(graph, at).map((to) => `./m${to}.mjs`))];
    const named = shape.imports
      .filter(({ offset, form }) => at + 1 + offset < graph.length && form !== 'dynamic')
      .map(({ offset }) => `./${sourceOf(graph, at, at + 1 + offset)}.mjs`);
    return `import.meta.hot?.accept(${JSON.stringify([...found, ...named])});`;
  }
  if (shape?.accepts === 'self') return 'import.meta.hot?.accept();';
  if (shape?.accepts === 'exports') return `import.meta.hot?.acceptExports(['v${at}', 'f${at}', 'K${at}']);`;
  return shape?.accepts === 'value' ? `import.meta.hot?.acceptExports(['v${at}']);` : '';
}

type Sources = ReadonlyMap<string, string>;

function toSources(graph: readonly Shape[], mode: Mode): Sources {
  const sources = new Map(graph.map((_, at) => [`m${at}.mjs`, toSource(graph, at, mode)]));
  // Only the entry that is current hears it.
  return sources.set('m0.mjs', `${sources.get('m0.mjs')}\nimport.meta.hot?.on('ask', (give) => give(f0()));`);
}

const seen: string[] = [];
Object.assign(globalThis, { see: (at: number) => void seen.push(`m${at}.mjs`) });

/** What Node makes of the sources. */
async function loadFresh(directory: string, sources: Sources): Promise<unknown> {
  mkdirSync(directory);
  for (const [name, text] of sources) writeFileSync(path.join(directory, name), text);
  const entry = (await import(path.join(directory, 'm0.mjs'))) as { f0(): Promise<unknown> };
  return entry.f0();
}

/** The modules that others import, with these, leaving out `import()`. */
function reach(sources: Sources, from: readonly string[]): Set<string> {
  const reached = new Set(from);
  for (const name of reached)
    for (const [, target] of sources.get(name)?.matchAll(/from '?"?\.\/(m\d\.mjs)/g) ?? [])
      reached.add(target ?? '');
  return reached;
}

/** An app under random edits, with the sources that it should run. */
class RandomApp {
  readonly runtime: Runtime;
  readonly #root: string;
  readonly #history: Sources[] = [];
  readonly #ran = new Set<string>();
  #running: Sources;
  #disk: Sources;
  #count = 0;

  constructor(root: string, sources: Sources) {
    this.#root = root;
    this.#disk = this.#running = sources;
    this.runtime = createRuntime({ root, entry: 'm0.mjs', readSource: (at) => this.#disk.get(at) ?? null });
  }

  async start(): Promise<void> {
    await this.runtime.load();
    await this.check();
  }

  /** Answers as what Node loads afresh. */
  async check(): Promise<void> {
    this.#count += 1;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.runtime.send('ask', resolve);
    const actual = await promise;
    for (const name of seen.splice(0)) this.#ran.add(name);
    const expected = await loadFresh(path.join(this.#root, `fresh-${this.#count}`), this.#running);
    seen.length = 0;
    assert.deepEqual(actual, expected);
  }

  async swap(sources: Sources, isAborted: boolean): Promise<void> {
    const prepared = await this.#prepare(sources);
    const planned = this.#checkEvaluated(prepared, sources);
    await this.check();
    if (isAborted) {
      prepared.abort();
      return this.check();
    }
    await prepared.commit();
    for (const [name, isEvaluated] of planned)
      if (isEvaluated) this.#ran.add(name);
      else this.#ran.delete(name);
    if (prepared.plan.path === 'swap') this.#history.push(this.#running);
    this.#running = sources;
    await this.check();
  }

  /** Adds to a module what makes it fail. */
  async fail(at: string, addition: string): Promise<void> {
    const before = this.#disk;
    const sources = new Map(this.#running).set(at, `${this.#running.get(at)}\n${addition}`);
    const isImported = reach(sources, ['m0.mjs']).has(at);
    try {
      const prepared = await this.#prepare(sources);
      prepared.abort();
      assert.ok(!isImported, `${at} was prepared`);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
    }
    seen.length = 0;
    await this.check();
    const restored = await this.#prepare(before);
    restored.abort();
    seen.length = 0;
  }

  async rollback(): Promise<void> {
    const before = this.#history.pop();
    if (before === undefined) return;
    await this.runtime.rollback();
    this.#running = before;
    await this.check();
  }

  #prepare(sources: Sources): Promise<PreparedSwap> {
    const names = [...sources.keys()].filter((name) => this.#disk.get(name) !== sources.get(name));
    this.#disk = sources;
    seen.length = 0;
    return this.runtime.prepare(names);
  }

  /** What only `import()` leads to is evaluated by the swap where it was before; gives what was planned, and whether it ran. */
  #checkEvaluated({ plan }: PreparedSwap, sources: Sources): Map<string, boolean> {
    const planned = plan.modules.filter((module) => module.change !== 'removed');
    const names = new Set(planned.map((module) => module.path));
    const replaced = planned.filter((module) => module.isInPlace && this.#ran.has(module.path));
    const reached = reach(sources, ['m0.mjs', ...replaced.map((module) => module.path)]);
    const expected = [...reached].filter((name) => names.has(name) || !this.#ran.has(name));
    const evaluated = seen.splice(0);
    assert.deepEqual(evaluated.toSorted(byName), expected.toSorted(byName));
    for (const name of evaluated) if (!names.has(name)) this.#ran.add(name);
    return new Map([...names].map((name) => [name, evaluated.includes(name)]));
  }
}

function byName(left: string, right: string): number {
  return left < right ? -1 : 1;
}

/** The graph with one module changed: wholly, or only its version. */
function change(graph: readonly Shape[], { kind, module, shape }: Edit): Shape[] {
  return graph.map((before, at) => {
    if (at !== module % graph.length || kind === 'same') return before;
    return kind === 'bump' ? { ...before, version: before.version + 10 } : shape;
  });
}

test('random edits, failures, aborts and rollbacks leave an app as one that is loaded afresh', async () => {
  const root = mkdtempSync(path.join(tmpdir(), 'midflight-property-'));
  let count = 0;
  const property = fc.asyncProperty(cases, async ({ mode, graph, edits: list }) => {
    count += 1;
    const directory = path.join(root, String(count));
    mkdirSync(directory);
    let current: readonly Shape[] = graph;
    const app = new RandomApp(directory, toSources(current, mode));
    try {
      await app.start();
      for (const edit of list) {
        const at = `m${edit.module % graph.length}.mjs`;
        if (edit.kind === 'rollback') await app.rollback();
        else if (edit.kind === 'throw') await app.fail(at, `throw new Error('expected');`);
        else if (edit.kind === 'syntax') await app.fail(at, 'export const = ;');
        else {
          const next = change(current, edit);
          await app.swap(toSources(next, mode), edit.kind === 'abort');
          if (edit.kind !== 'abort') current = next;
        }
      }
    } finally {
      await app.runtime.close();
    }
  });
  try {
    await fc.assert(property, { numRuns: Number(process.env['RUNS'] ?? 80) });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

/** Stack traces name the places of the sources, whatever the compiled form looks like. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate as immediate } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import { change, createApp, graphOf, run, type App, type Files } from './module-graph-fixture.ts';

/** Frames of the app as `file:line:column`, the file relative to its root. */
function placesIn(stack: unknown, { root }: App): string[] {
  const frames = String(stack).matchAll(/\(?(?:file:\/\/)?(\/[^()\n]*:\d+:\d+)\)?$/gm);
  return [...frames].flatMap(([, place = '']) =>
    place.startsWith(root + path.sep) ? [place.slice(root.length + 1)] : [],
  );
}

const trace = `export const trace = (f) => { try { f(); return 'nothing thrown'; } catch (error) { return error.stack; } };`;
const boom = `export const boom = (..._) => { throw new Error('boom'); }; export const o = { boom }; export const tag = () => boom(); export default boom;`;

/** Each exports `stack`, which must have the places that Node itself gives. */
const cases: Readonly<Record<string, Files>> = {
  'calls of imports': {
    'main.js': `import { trace } from './trace.js'; import { boom } from './boom.js';
const again = () => { boom(); }; export const stack = trace(() => { const x = [boom, boom]; again(boom, x); });`,
  },
  'an imported default, a namespace, a tag, a method': {
    'main.js': `import { trace } from './trace.js'; import d, * as all from './boom.js'; import { tag, o } from './boom.js';
export const stack = [trace(() => d()), trace(() => all.boom()), trace(() => tag\`x\`), trace(() => o.boom()), trace(() => new (class { x = d() })())].join('\\n');`,
  },
  'an import over many lines': {
    'main.js': `import {
  trace,
} from './trace.js';
import { boom as b } from './boom.js'; /* comment */ export const stack = trace(() => b());`,
  },
  'writes of exports before it on the line': {
    'main.js': `import { trace } from './trace.js'; import { boom } from './boom.js';
export let a = 1, c = 2; export const stack = trace(() => { a = 2; a++; [a, c] = [1, 2]; ({ a, c } = { a, c }); boom(a, c); });`,
  },
  'default exports of every form': {
    'main.js': `import { trace } from './trace.js'; import f from './f.js'; import g from './g.js'; import K from './k.js'; export const stack = [trace(f), trace(g), trace(() => new K())].join('\\n');`,
    'f.js': `export default function () { throw new Error('f'); }`,
    'g.js': `export default /* c */ () => { throw new Error('g'); }`,
    'k.js': `export default class { constructor() { throw new Error('k'); } }`,
  },
  'timers, import.meta and computed names': {
    'main.js': `import { trace } from './trace.js';
export const stack = trace(() => { clearTimeout(setTimeout(() => {}, 0)); process.off('x', () => {}); const url = import.meta.url; url.nope.nope(); });`,
  },
  'an async function': {
    'main.js': `import { boom } from './boom.js';
const later = async () => { await null; boom(); }; export const stack = await later().catch((error) => error.stack);`,
  },
  'the body of a module': {
    'main.js': `export const stack = (await import('./throws.js').catch((error) => error)).stack.replace(/\\n.*at async .*/g, '');`,
    'throws.js': `#!/usr/bin/env node\nimport { boom } from './boom.js';\nconst a = 1; boom(a);`,
  },
  'CommonJS, also on its first line': {
    'main.cjs': `const later = setTimeout(() => {}, 0); clearTimeout(later); try { require('./f.cjs')(); } catch (error) { exports.stack = error.stack; }`,
    'f.cjs': `#!/usr/bin/env node
module.exports = () => { void import('node:fs'); throw new Error('f'); };`,
  },
  'JSON that can not be parsed': {
    'main.js': `import { trace } from './trace.js'; import { readFileSync } from 'node:fs';
export const stack = trace(() => { const text = readFileSync(import.meta.filename, 'utf8'); return JSON.parse(text); });`,
  },
  'TypeScript with types before it on the line': {
    'main.ts': `import { trace } from './trace.js'; import { boom } from './boom.js'; import type { X } from './boom.js';
interface A<T extends object = object> { readonly a: T }
type U = A | (typeof boom)[];

function f<T extends object>(this: void, a: A<T>, b?: Array<Map<string, T>>): asserts a is A<T> { const c: number = b!.length; boom(c satisfies number, <T>(x: T): T => x); }
export const stack: string = trace((): void => { const a = {} as unknown as A; f<object>(a, []); });`,
  },
  'TypeScript over many lines': {
    'main.ts': `import { trace } from './trace.js';
import { boom } from './boom.js';

abstract class Base<T> {
  declare readonly nothing: T;
  abstract name: string;
  private readonly list: T[] = [];

  protected run(
    first: T,
    ...rest: readonly T[]
  ): number {
    const text: string = \`
      \${String(first)}
    \`;
    return this.list.map((item: T): number => { boom(text, item, rest); return 1; })[0]!;
  }

  add(item: T): this { this.list.push(item); return this; }
}

class Own extends Base<string> {
  override name = 'own';
  start(): number {
    return this.add('x')
      .run('y');
  }
}

export const stack: string = trace(() => new Own().start());`,
  },
};

/** From a process of its own: in this one, traces are shown by the graph. */
function nativeStack({ root, entry }: App): string {
  const script = `import(process.argv[1]).then(({ stack }) => console.log(stack))`;
  return execFileSync(process.execPath, ['--no-warnings', '--eval', script, path.join(root, entry)], {
    encoding: 'utf8',
  });
}

for (const [name, files] of Object.entries(cases)) {
  test(`places as in Node: ${name}`, async (t) => {
    const app = createApp(t, { 'trace.js': trace, 'boom.js': boom, ...files });
    const actual = placesIn((await run(await graphOf(app)))['stack'], app);
    assert.ok(actual.length > 0);
    assert.deepEqual(actual, placesIn(nativeStack(app), app));
  });
}

const here = `export const here = (..._) => { throw new Error('here'); };`;

/** What Node can't run by itself: the word `here` in the source is where it must be. */
const marked: Readonly<Record<string, string>> = {
  'main.tsx': `const React = { createElement: (type: any, props: any, ...list: any[]) => [type, props, list] };
export const Page = ({ name }: { name: string }): unknown => (
  <main title={name}>
    <p className="x">text</p> {here(name)}
  </main>
);
export default () => Page({ name: 'x' });`,
  'main.ts': `enum Color { Red = 1, Green = Red << 1 }
namespace Names { export const own: string = 'own'; }
class K { constructor(private readonly a: Color, public b: string = Names.own) { const c: string = b; here(this.a, c); } }
export default (): K => new K(Color.Green);`,
};

for (const [name, source] of Object.entries(marked)) {
  test(`${name} that Node does not run is traced to its own place`, async (t) => {
    const tsconfig = '{"compilerOptions":{"jsx":"react","jsxFactory":"React.createElement"}}';
    const text = `import { here } from './here.js'; ${source}`;
    const app = createApp(t, { 'tsconfig.json': tsconfig, 'here.js': here, [name]: text });
    const namespace = await run(await graphOf(app));
    const lines = text.split('\n');
    const line = lines.findIndex((candidate) => candidate.includes(' here(') || candidate.includes('{here('));
    const expected = `${name}:${line + 1}:${(lines[line] ?? '').lastIndexOf('here(') + 1}`;
    assert.throws(namespace['default'] as () => unknown, (error: Error) => {
      assert.equal(placesIn(error.stack, app)[1], expected);
      return error.message === 'here';
    });
  });
}

type Thrower = () => never;

function stackOf(thrower: Thrower): string {
  try {
    return thrower();
  } catch (error) {
    return (error as Error).stack ?? '';
  }
}

test('code that two generations share is traced to the source that it was compiled from', async (t) => {
  const files = {
    'main.ts': `import { n } from './n.ts'; export const fail = (x?: { a: 1 }): never => { throw new Error(String(n)); };`,
  };
  const one = createApp(t, { ...files, 'n.ts': 'export const n = 1;' });
  const first = await graphOf(one);
  await run(first);
  // Only a type differs, so that the code is the same.
  const wider = { 'main.ts': files['main.ts'].replace('{ a: 1 }', '{ a: 1; b: 2 }') };
  const two = { ...createApp(t, { ...wider, 'n.ts': 'export const n = 2;' }), store: one.store };
  const second = await graphOf(two, { previous: first });
  const shared = (await run(second))['fail'] as Thrower;
  assert.equal(second.instances.get('main.ts')?.compiled, first.instances.get('main.ts')?.compiled);
  const column = files['main.ts'].indexOf('new Error') + 1;
  assert.deepEqual(placesIn(stackOf(shared), one), [`main.ts:1:${column}`]);
  // A process of its own compiles it from the second source.
  const own = (await run(await graphOf(two)))['fail'] as Thrower;
  assert.deepEqual(placesIn(stackOf(own), two), [`main.ts:1:${column + '; b: 2'.length}`]);
});

test('of two versions of one file each is traced by its own map', async (t) => {
  const toSource = (type: string): string =>
    `export const fail = (x?: ${type}): never => { throw new Error('${type}'); };`;
  const app = createApp(t, { 'main.ts': toSource('1') });
  const first = await graphOf(app);
  const before = (await run(first))['fail'] as Thrower;
  change(app, { 'main.ts': toSource('100') });
  const after = (await run(await graphOf(app, { previous: first })))['fail'] as Thrower;
  for (const [thrower, type] of [
    [before, '1'],
    [after, '100'],
  ] as const) {
    const expected = `main.ts:1:${toSource(type).indexOf('new Error') + 1}`;
    assert.deepEqual(placesIn(stackOf(thrower), app), [expected]);
  }
});

test('a trace outlives its store', async (t) => {
  const app = createApp(t, {
    'main.ts': `export const fail = (a?: string): never => { throw new Error(a); };`,
  });
  const fail = (await run(await graphOf(app)))['fail'] as Thrower;
  app.store.clear();
  rmSync(app.root, { recursive: true });
  assert.match(stackOf(fail), /main\.ts:1:\d+\)/);
});

test('code may format traces itself, and others before it', async (t) => {
  const source = `export const fail = () => { throw new Error('x'); };`;
  const app = createApp(t, { 'main.js': source });
  const fail = (await run(await graphOf(app)))['fail'] as Thrower;
  const { prepareStackTrace } = Error;
  Error.prepareStackTrace = (_, sites) => sites.map((site) => site.getLineNumber());
  const lines = stackOf(fail) as unknown as number[];
  Error.prepareStackTrace = prepareStackTrace;
  assert.equal(lines[0], 1);
  assert.deepEqual(placesIn(stackOf(fail), app), [`main.js:1:${source.indexOf('new') + 1}`]);
});

test('a message that looks like a frame is left as it is', async (t) => {
  const app = createApp(t, {
    'main.ts': `export const fail = (a?: string, place = ''): never => { throw new Error('x\\n    at ' + place); };`,
  });
  const fail = (await run(await graphOf(app)))['fail'] as (a: string, place: string) => never;
  const compiled = `${app.root}/main.ts:1:1`;
  const stack = stackOf(() => fail('', compiled));
  assert.ok(stack.startsWith(`Error: x\n    at ${compiled}\n    at fail (`), stack);
});

test('traces of many versions keep none of them', async (t) => {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  const app = createApp(t, { 'main.ts': '' });
  const toSource = (version: number): string =>
    `export const fail = (a?: string): never => { throw new Error('${version}'); };`;
  const column = toSource(0).indexOf('new') + 1;
  let graph = await graphOf(app);
  const old: WeakRef<object>[] = [];
  for (let version = 0; version < 5; version += 1) {
    change(app, { 'main.ts': toSource(version) });
    graph = await graphOf(app, { previous: graph });
    const fail = (await run(graph))['fail'] as Thrower;
    graph.adopt();
    assert.deepEqual(placesIn(stackOf(fail), app), [`main.ts:1:${column}`]);
    old.push(new WeakRef(fail));
  }
  const [, ...rest] = old.toReversed();
  for (let turn = 0; turn < 10 && rest.some((reference) => reference.deref() !== undefined); turn += 1) {
    await immediate();
    collect();
  }
  assert.deepEqual(
    rest.map((reference) => reference.deref()),
    [undefined, undefined, undefined, undefined],
  );
});

test('a frame in text that no source has keeps its line', async (t) => {
  const app = createApp(t, {
    'main.js': `const a = 1;\nexport const b = () => c();\nconst c = () => { throw new Error(a); };`,
  });
  const manifest = { mappings: ';;gBAAA' };
  const graph = await graphOf(app);
  const [name = ''] = [...app.store.keys()].filter((key) => key.endsWith('.map'));
  app.store.set(name, JSON.stringify({ version: 3, sources: ['main.js'], names: [], ...manifest }));
  const fail = (await run(graph))['b'] as Thrower;
  assert.match(stackOf(fail), /main\.js:1:1\)\n.*main\.js:2:\d\d\)/);
});

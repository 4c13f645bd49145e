import assert from 'node:assert/strict';
import { test } from 'node:test';
import { transformModule, type TransformedModule } from '../../src/release/transform/transform.ts';
import { readTypeScriptSettings } from '../../src/release/transform/typescript-settings.ts';

const settings = readTypeScriptSettings('/not-there');

function transform(source: string, path = 'a.js'): TransformedModule {
  return transformModule({ path, source, packageType: 'unknown', settings });
}

/** The compiled body, without the wrapper. */
function bodyOf(source: string, path?: string): string {
  const { code } = transform(source, path);
  return code.slice(code.indexOf('yield;') + 'yield;'.length, -2);
}

const rewritten: readonly (readonly [source: string, expected: string])[] = [
  [`import { b } from './x.js'; b; b(); ({ b });`, ` $0.b; ;(0,$1.b)(); ({ b:$0.b });`],
  [
    `import * as ns from './x.js'; ns.a; ns?.a.b; ns.a(); new ns.a(); f(ns); ns[a];`,
    ` $0.a; $0?.a.b; $1.a(); new $0.a(); f($2); $2[a];`,
  ],
  [
    `import * as ns from './x.js'; ns.a = 1; delete ns.a; [ns.a] = ns.b;`,
    ` $0.a = 1; delete $0.a; [$0.a] = $1.b;`,
  ],
  [`import * as t from 'timers'; t.setTimeout(f); t.promises;`, ` $m.timers.setTimeout(f); $0.promises;`],
  [`export let a = 1; a = 2; a++;`, `let a = 1;$e.a=a; ;($e.a=a = 2); $m.sync(a++,$e.a=a);`],
  [`export let a = 1, /*,*/ b = a;`, `let a = 1;$e.a=a;let  /*,*/ b = a;$e.b=b;`],
  [`export default () => {}`, `$e.default= {default: () => {}}.default;`],
  [
    `import.meta; import('x', o); setTimeout(f); export {}`,
    `$m.meta; $m.import('x', o); $m.timers.setTimeout(f); `,
  ],
  [`const setTimeout = 1; setTimeout; export {}`, `const setTimeout = 1; setTimeout; `],
  [`process.on('x', f); process.exit(); export {}`, `$m.process.on('x', f); process.exit(); `],
  [`import p from 'node:process'; p.once('x', f); p.pid;`, ` $m.process.once('x', f); $0.default.pid;`],
  [`import { a } from './x.js'; a = 1;`, ` $m.constant.a = 1;`],
];

for (const [source, expected] of rewritten) {
  test(`rewrites ${source}`, () => assert.equal(bodyOf(source), expected));
}

test('JavaScript keeps its lines, with hashbang, imports over many lines and comments', () => {
  const source = `#!/usr/bin/env node\nimport {\n  a,\n} from 'x';\n\n// c\nexport {\n  a,\n};\nfinal();`;
  assert.equal(transform(source).code.split('\n').indexOf('final();'), 9);
});

test('TypeScript keeps its lines', () => {
  const source = `import type { A } from './a';\ninterface I {\n  a: string;\n}\n\nexport class K {\n  constructor(\n    private readonly a: A,\n  ) {}\n\n  m(\n    a: I,\n  ) {\n    const text = \`1\n2\`;\n    return mark1(text);\n  }\n}\n\nexport enum E {\n  X = mark2(),\n}\n`;
  const lineOf = (text: string, word: string): number =>
    text.split('\n').findIndex((line) => line.includes(word));
  const { code } = transform(source, 'a.ts');
  for (const word of ['mark1', 'mark2', 'class K'])
    assert.equal(lineOf(code, word), lineOf(source, word), word);
});

test('the map names the source and does not repeat it', () => {
  const { map } = transform('const a: number = 1;\nexport { a };', 'src/a b.ts');
  const { sources, sourcesContent } = JSON.parse(map ?? '') as Record<string, unknown>;
  assert.deepEqual([sources, sourcesContent], [['src/a%20b.ts'], undefined]);
});

test('a source of which only columns differ is the same module with another map', () => {
  const one = transform('export const f = (a: 1) => { throw a; };', 'a.ts');
  const other = transform('export const f = (a: 100) => { throw a; };', 'a.ts');
  assert.equal(one.hash, other.hash);
  assert.notEqual(one.mapHash, other.mapHash);
});

const kinds: readonly (readonly [path: string, source: string, kind: string])[] = [
  ['a.mjs', '', 'esm'],
  ['a.cts', '', 'cjs'],
  ['a.json', '{}', 'json'],
  ['a.js', 'export {}', 'esm'],
  ['a.js', 'await null', 'esm'],
  ['a.js', 'import.meta', 'esm'],
  ['a.js', 'exports.a = 1', 'cjs'],
  ['a.js', `import('x'); return`, 'cjs'],
  ['a.ts', `import x from 'x'; x()`, 'esm'],
  ['bin/www', `#!/usr/bin/env node\nrequire('x')`, 'cjs'],
];

for (const [path, source, kind] of kinds) {
  test(`${path} with "${source}" is ${kind}`, () => assert.equal(transform(source, path).kind, kind));
}

test('exports are told apart: local, indirect, star', () => {
  const { localExports, indirectExports, starExports, imports, requests } = transform(
    `import { i } from 'i'; const a = 1; export { a, a as 'x y', i as j }; export default 1; export * from 's'; export * as n from 'n'; export { p as q } from 'p';`,
  );
  assert.deepEqual(localExports, ['a', 'x y', 'default']);
  assert.deepEqual(indirectExports, [
    { name: 'n', specifier: 'n', imported: '*' },
    { name: 'j', specifier: 'i', imported: 'i' },
    { name: 'q', specifier: 'p', imported: 'p' },
  ]);
  assert.deepEqual(starExports, ['s']);
  assert.deepEqual(imports, [{ specifier: 'i', name: 'i' }]);
  assert.deepEqual(
    requests.map(({ specifier }) => specifier),
    ['i', 's', 'n', 'p'],
  );
});

test('exports that never look at `this`, and never change, are found', () => {
  const { ignoresThis } = transform(
    `export function a() { return () => 1; } export function b() { return () => this; } export const c = () => this, d = function () {};
    export let e = () => {}; e = 1; export function f() {} f = 1; export function g() { eval('this'); } export function h() { function own() { return this; } }
    export class K {} export const i = wrap(a); export default function () {} export { a as z };`,
  );
  assert.deepEqual(ignoresThis, ['a', 'z', 'c', 'd', 'h', 'default']);
});

test('CommonJS exports and requests are found', () => {
  const module = transform(
    `exports.a = 1; module.exports.b = require('./b'); if (0) require(x); import('./c')`,
    'a.cjs',
  );
  assert.deepEqual([module.localExports, module.hasComputedRequest], [['a', 'b'], true]);
  assert.deepEqual(module.requests, [
    { specifier: './b', phase: 'require' },
    { specifier: './c', phase: 'dynamic' },
  ]);
  assert.deepEqual(transform(`module.exports = require('./d');`, 'a.cjs').starExports, ['./d']);
});

const broken: readonly (readonly [path: string, source: string, line: number])[] = [
  ['a.js', 'let a;\nlet a;\nexport {}', 1],
  ['a.ts', 'let a: number = ;', 1],
  ['a.mjs', 'ok();\nnot ok', 2],
  ['a.mjs', 'export { nothing }', 1],
  ['a.json', '{', 1],
  ['a.ts', '@dec class A {}', 1],
  ['a.cjs', '\n\nfor (', 3],
];

for (const [path, source, line] of broken) {
  test(`${path} with "${source}" is a syntax error`, () => {
    assert.throws(
      () => transform(source, path),
      ({ code, details }: { code: string; details: string[] }) =>
        code === 'ERR_MIDFLIGHT_SYNTAX' && details[0] === path && details[1] === String(line),
    );
  });
}

test('hazards are found with their lines', () => {
  const { hazards } = transform(
    [
      `import { Worker } from 'node:worker_threads'; import { fork } from 'child_process'; import './x.node';`,
      `let count = 0; const cache = new Map(); const fixed = new Map([[1, 2]]); let setOnce; setOnce = 1;`,
      `export const up = () => { count++; cache.set(1, 2); return fixed.get(1); };`,
      `setInterval(up, 1); process.on('SIGHUP', up);`,
      `const later = () => { setInterval(up, 1); };`,
      `new Worker('./w.js'); fork('./c.js'); later(setOnce);`,
    ].join('\n'),
  );
  assert.deepEqual(
    hazards.map(({ kind, line, detail }) => [kind, line, detail]),
    [
      ['native-addon', 1, './x.node'],
      ['module-state', 2, 'count'],
      ['module-state', 2, 'cache'],
      ['timer', 4, 'setInterval'],
      ['process-listener', 4, 'SIGHUP'],
      ['worker-entry', 6, './w.js'],
      ['worker-entry', 6, './c.js'],
    ],
  );
});

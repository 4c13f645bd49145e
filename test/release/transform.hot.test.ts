/** What the transform finds of `import.meta.hot`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { transformModule, type TransformedModule } from '../../src/release/transform/transform.ts';
import { readTypeScriptSettings } from '../../src/release/transform/typescript-settings.ts';
import type { ModuleHot } from '../../src/protocol/manifest.ts';

const settings = readTypeScriptSettings('/not-there');
const transform = (source: string, path = 'a.mjs'): TransformedModule =>
  transformModule({ path, source, packageType: 'module', settings });

const nothing: ModuleHot = {
  acceptsSelf: false,
  acceptedExports: null,
  acceptedDependencies: [],
  declines: false,
  live: [],
};
const self = { acceptsSelf: true };

const uses: readonly (readonly [source: string, expected: Partial<ModuleHot> | null])[] = [
  ['export const hot = 1; hot.accept();', null],
  ['import.meta.url; const text = "import.meta.hot.accept()";', null],
  ['import.meta.hot.dispose(() => {});', {}],
  ['import.meta.hot.accept();', self],
  ['import.meta.hot?.accept();', self],
  ['import.meta?.hot?.accept?.();', self],
  ['import.meta["hot"]["accept"]();', self],
  ['if (import.meta.hot) { import.meta.hot.accept((next) => next); }', self],
  ['import.meta.hot && import.meta.hot.accept(changed); function changed() {}', self],
  ['const hot = import.meta.hot; if (hot) hot.accept();', self],
  ['const hot = import.meta?.hot; hot?.accept();', self],
  ['if (import.meta.hot) { const h = import.meta.hot; h.accept(); }', self],
  ['const { hot } = import.meta; hot?.accept();', self],
  ['const { hot: mine = null } = import.meta; mine?.accept();', self],
  ['const meta = import.meta; const { hot } = meta; hot.accept();', self],
  ['function start() { hot.accept(); } const hot = import.meta.hot; start();', self],
  ['let hot = import.meta.hot; hot = other(); hot.accept();', {}],
  ['const hot = import.meta.hot; function f(hot) { hot.accept(); } f();', {}],
  ['import.meta.hot.accept("./b.js", () => {});', { acceptedDependencies: ['./b.js'] }],
  ['import.meta.hot.accept("./b.js");', { acceptedDependencies: ['./b.js'] }],
  [
    'import.meta.hot.accept([`./c.js`, "./b.js"], () => {}); import.meta.hot.accept("./b.js")',
    { acceptedDependencies: ['./b.js', './c.js'] },
  ],
  ['import.meta.hot.accept(name, () => {});', {}],
  ['import.meta.hot.accept(["./b.js", name], () => {});', {}],
  ['import.meta.hot.accept("./" + name);', {}],
  ['import.meta.hot.accept(...list);', {}],
  [
    'import.meta.hot.acceptExports("a"); import.meta.hot.acceptExports(["c", "b"], () => {});',
    { acceptedExports: ['a', 'b', 'c'] },
  ],
  ['import.meta.hot.acceptExports([]);', { acceptedExports: [] }],
  ['import.meta.hot.acceptExports(names);', {}],
  ['import.meta.hot.decline();', { declines: true }],
];

for (const [source, expected] of uses) {
  test(`${source} ${expected === null ? 'does not use it' : `says ${JSON.stringify(expected)}`}`, () => {
    assert.deepEqual(transform(source).hot, expected === null ? null : { ...nothing, ...expected });
  });
}

test('TypeScript says the same through its casts', () => {
  const { hot } = transform('import.meta.hot!.accept(); export {};', 'a.ts');
  assert.equal(hot?.acceptsSelf, true);
});

test('CommonJS and JSON say nothing', () => {
  assert.equal(transform('exports.hot = 1; exports.hot.accept();', 'a.cjs').hot, null);
  assert.equal(transform('{ "hot": true }', 'a.json').hot, null);
});

/** Which modules know the folder that they are in. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { transformModule } from '../../src/release/transform/transform.ts';

const settings = {
  hasLegacyDecorators: false,
  emitsDecoratorMetadata: false,
  keepsUnusedImports: false,
  definesClassFields: true,
  jsx: { runtime: 'automatic' },
} as const;
const usesLocation = (path: string, source: string): boolean =>
  transformModule({ path, source, packageType: 'module', settings }).usesLocation;

const sources: readonly (readonly [string, string, boolean])[] = [
  ['a.mjs', 'export const here = import.meta.dirname;', true],
  ['a.mjs', 'export const here = new URL("x", import.meta.url);', true],
  ['a.mjs', 'export const meta = import.meta;', true],
  ['a.mjs', 'export const found = () => import.meta.resolve("x");', true],
  ['a.ts', 'export const here: string = import.meta.filename;', true],
  ['a.mjs', 'export const isEntry = import.meta.main;', false],
  ['a.mjs', 'import.meta.hot?.accept();', false],
  ['a.mjs', 'import.meta["hot"]?.accept();', false],
  ['a.mjs', 'const { hot } = import.meta; hot?.accept();', false],
  ['a.mjs', 'const { main, hot: mine } = import.meta; mine.accept(main);', false],
  ['a.mjs', 'const hot = import.meta.hot; hot.accept();', false],
  ['a.mjs', 'const { hot, url } = import.meta; hot.data.url = url;', true],
  ['a.mjs', 'const { hot, ...rest } = import.meta; hot.data.rest = rest;', true],
  ['a.mjs', 'const { ["u" + "rl"]: here } = import.meta; export { here };', true],
  ['a.mjs', 'export const text = "import.meta.url";', false],
  ['a.cjs', 'module.exports = __dirname + "/x";', true],
  ['a.cjs', 'exports.f = () => __filename;', true],
  ['a.cjs', 'exports.found = require.resolve("x");', true],
  ['a.cjs', 'exports.name = module.filename;', true],
  ['a.cjs', 'exports.isEntry = require.main === module;', false],
  ['a.cjs', 'function f(__dirname) { return __dirname; } exports.f = f;', false],
  ['a.cjs', 'const x = { __dirname: 1 }; exports.x = x.__dirname;', false],
];

for (const [path, source, expected] of sources) {
  test(`${path} ${source} ${expected ? 'knows' : 'does not know'} where it is`, () => {
    assert.equal(usesLocation(path, source), expected);
  });
}

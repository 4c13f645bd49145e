/** import.meta. 13.3.12 Meta Properties; Node.js, ES modules: "import.meta" */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { createApp, graphOf, run } from './module-graph-fixture.ts';
import { testAsInNode } from './native-oracle.ts';

testAsInNode({
  // 13.3.12.1.1 HostGetImportMetaProperties
  'import.meta': {
    'main.js': `export const result = [import.meta.url, import.meta.filename, import.meta.dirname, import.meta.resolve('./x.js'), import.meta.resolve('fs'), Object.getPrototypeOf(import.meta)];`,
  },
  // 13.3.12.1 evaluation of import.meta, steps 4 to 6
  'it is one object without prototype, that can be extended': {
    'main.js': `import.meta.own = 1; const descriptor = Object.getOwnPropertyDescriptor(import.meta, 'url'); delete descriptor.value; export const result = [Object.keys(import.meta), import.meta === import.meta, Object.getPrototypeOf(import.meta), Object.isExtensible(import.meta), descriptor, import.meta.resolve.name, import.meta.own];`,
  },
  // Node.js, ES modules: "import.meta.resolve(specifier)"
  'resolve finds what import would': {
    'main.js': `const tried = (f) => { try { return f(); } catch (e) { return e.name + ': ' + (e.code ?? e.message); } };
const s = (x) => tried(() => import.meta.resolve(x).replace(new URL('.', import.meta.url).href, '')); export const result = [s('./nope.js'), s('node:fs'), s('fs'), s('dep'), s('nope'), s('#int'), s('#none'), s('self'), s('self/sub'), s('self/none'), s('data:text/javascript,1'), s('./a b.js'), s('/abs.js'), s('file:///x.js'), s('https://x.y/z'), s('./x.js?q#h')];`,
    'package.json': `{"name":"self","type":"module","exports":{".":"./a.js","./sub":"./a.js"},"imports":{"#int":"./a.js"}}`,
    'a.js': ``,
    'node_modules/dep/package.json': `{"name":"dep","exports":"./i.js"}`,
    'node_modules/dep/i.js': ``,
  },
});

test('main is true for the entry alone', async (t) => {
  // Node.js, ES modules: "import.meta.main"
  const app = createApp(t, {
    'main.js': `import { main } from './a.js'; export const result = [import.meta.main, main]; console.log(JSON.stringify(result));`,
    'a.js': `export const { main } = import.meta;`,
  });
  const printed = execFileSync(process.execPath, [path.join(app.root, app.entry)], { encoding: 'utf8' });
  t.mock.method(console, 'log', () => undefined);
  assert.deepEqual((await run(await graphOf(app)))['result'], JSON.parse(printed));
});

/** Modules that only run time names: a change of one reaches whatever has loaded it, and nobody gets a second copy. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestApp, type Files } from '../support/app.ts';

interface Kind {
  readonly name: string;
  readonly entry: string;
  readonly files: Files;
}

const listen = `.listen(Number(process.env.PORT), '127.0.0.1')`;

const kinds: readonly Kind[] = [
  {
    name: 'a folder of modules that are required by a loop',
    entry: 'server.js',
    files: {
      'package.json': '{}',
      'server.js': `
const { readdirSync } = require('node:fs');
const routes = readdirSync(__dirname + '/routes').map((name) => require('./routes/' + name));
require('node:http').createServer((request, response) => response.end(routes.map((route) => route()).join(' ')))${listen};
`,
      'routes/a.js': `const { count } = require('../shared'); module.exports = () => 'a one ' + count();\n`,
      'routes/b.js': `const { count } = require('../shared'); module.exports = () => 'b one ' + count();\n`,
      'shared.js': `let calls = 0; exports.count = () => ++calls;\n`,
    },
  },
  {
    name: 'a folder of modules that are imported by a loop',
    entry: 'server.js',
    files: {
      'package.json': '{ "type": "module" }',
      'server.js': `
import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
const names = readdirSync(new URL('./routes/', import.meta.url));
const routes = await Promise.all(names.map(async (name) => (await import('./routes/' + name)).default));
createServer((request, response) => response.end(routes.map((route) => route()).join(' ')))${listen};
`,
      'routes/a.js': `import { count } from '../shared.js'; export default () => 'a one ' + count();\n`,
      'routes/b.js': `import { count } from '../shared.js'; export default () => 'b one ' + count();\n`,
      'shared.js': `let calls = 0; export const count = () => ++calls;\n`,
    },
  },
  {
    name: 'a module that is required when it is first needed',
    entry: 'server.js',
    files: {
      'package.json': '{}',
      'server.js': `
require('./lib');
const lazy = require('./lazy');
require('node:http').createServer((request, response) => response.end(lazy('a') + ' ' + lazy('b')))${listen};
`,
      'lazy.js': `module.exports = (name) => require('./routes/' + name)();\n`,
      'lib.js': `exports.version = 'one';\n`,
      'routes/a.js': `const { count } = require('../shared'); module.exports = () => 'a one ' + count();\n`,
      'routes/b.js': `const { count } = require('../shared'); module.exports = () => 'b one ' + count();\n`,
      'shared.js': `let calls = 0; exports.count = () => ++calls;\n`,
    },
  },
];

for (const { name, entry, files } of kinds) {
  test(`${name}: a swap of one of them`, async (t) => {
    const app = await createTestApp({ files, config: { entry, probationMs: 50 } });
    t.after(() => app.dispose());
    await app.start();
    assert.equal(await app.get(), 'a one 1 b one 2');
    app.commit({ 'routes/a.js': (files['routes/a.js'] ?? '').replace('one', 'two') });
    const { json } = await app.midflight('deploy', '--json');
    assert.deepEqual([json['path'], json['result']], ['swap', 'committed'], JSON.stringify(json));
    // What is shared was not evaluated again, and there is one of it.
    assert.equal(await app.get(), 'a two 3 b one 4');
    app.commit({ 'README.md': 'Nothing that runs\n' });
    await app.midflight('deploy');
    assert.equal(await app.get(), 'a two 5 b one 6');
  });
}

test('a module that asks for others at run time finds them after a swap of something else', async (t) => {
  const { entry, files } = kinds[2] as Kind;
  const app = await createTestApp({ files, config: { entry, probationMs: 50 } });
  t.after(() => app.dispose());
  await app.start();
  app.commit({ 'lib.js': `exports.version = 'two';\n` });
  const { json } = await app.midflight('deploy', '--json');
  assert.equal(json['path'], 'swap');
  assert.equal(await app.get(), 'a one 1 b one 2');
});

/** Files that no module imports: what reads them gets those of the release that serves, for as long as it may read. */

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { createTestApp, type Files, type TestApp } from '../support/app.ts';

interface Kind {
  readonly name: string;
  readonly entry: string;
  readonly files: Files;
}

const answer = `(request, response) => response.end(page() + ' ' + count + ' ' + process.pid)`;
const listen = `.listen(Number(process.env.PORT), '127.0.0.1')`;

const kinds: readonly Kind[] = [
  {
    name: 'an ES module',
    entry: 'server.mjs',
    files: {
      'server.mjs': `
import { createServer } from 'node:http';
import { page } from './page.mjs';
import { count } from './version.mjs';
createServer(${answer})${listen};
`,
      'page.mjs': `
import { readFileSync } from 'node:fs';
const first = readFileSync(new URL('./page.html', import.meta.url), 'utf8').trim();
export const page = () => first + ' ' + readFileSync(import.meta.dirname + '/page.html', 'utf8').trim();
`,
    },
  },
  {
    name: 'a CommonJS module',
    entry: 'server.cjs',
    files: {
      'server.cjs': `
const { createServer } = require('node:http');
const { page } = require('./page.cjs');
const { count } = require('./version.mjs');
createServer(${answer})${listen};
`,
      'page.cjs': `
const { readFileSync } = require('node:fs');
const path = require('node:path');
const first = readFileSync(path.join(__dirname, 'page.html'), 'utf8').trim();
exports.page = () => first + ' ' + readFileSync(__dirname + '/page.html', 'utf8').trim();
`,
    },
  },
];

const toVersion = (count: number): Files => ({ 'version.mjs': `export const count = ${count};\n` });

async function startApp(t: TestContext, { entry, files }: Kind): Promise<TestApp> {
  const app = await createTestApp({
    files: { ...files, ...toVersion(1), 'page.html': 'old\n' },
    config: { entry, probationMs: 50, keep: 2 },
  });
  t.after(() => app.dispose());
  await app.start();
  return app;
}

for (const kind of kinds) {
  test(`${kind.name} that reads a file beside it has the file of the new release after a swap`, async (t) => {
    const app = await startApp(t, kind);
    const [first, later, , pid] = (await app.get()).split(' ');
    assert.deepEqual([first, later], ['old', 'old']);
    app.commit({ 'page.html': 'new\n' });
    const plan = await app.midflight('plan');
    assert.match(plan.stdout, /reached +page\.[cm]js because of page\.html/);
    const { json } = await app.midflight('deploy', '--json');
    assert.deepEqual([json['path'], json['result']], ['swap', 'committed']);
    assert.match(JSON.stringify(json['reasons']), /MF1002/);
    assert.equal(await app.get(), `new new 1 ${pid}`);
  });

  test(`${kind.name} that is shared for many releases finds its files in the one that it came with`, async (t) => {
    const app = await startApp(t, kind);
    for (let count = 2; count < 7; count++) {
      app.commit(toVersion(count));
      const { exitCode } = await app.midflight('deploy');
      assert.equal(exitCode, 0);
      assert.match(await app.get(), new RegExp(`^old old ${count} `));
    }
    // Nobody waits for the sweep after a deploy.
    const releases = (): string[] =>
      readdirSync(path.join(app.directory, '.midflight/releases')).filter((name) => !name.startsWith('.'));
    while (releases().length > 4) await sleep(10);
  });
}

/** hot-rules: carts that are there get the methods of the new version, in development and through a deploy. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestApp, readRepositoryFile } from '../support/app.ts';
import { createTestDev } from '../support/dev.ts';

const read = (name: string): string => readRepositoryFile(`examples/hot-rules/${name}`);
const discount = { 'rules.ts': read('discount/rules.ts') };

async function fill(get: (pathname: string) => Promise<string>): Promise<void> {
  for (const total of [20, 40, 60]) assert.equal(await get('/ann/20'), `ann: ${total}\n`);
}

test('hot-rules: a deploy replaces the class under its carts, rollback brings it back', async (t) => {
  const app = await createTestApp({ from: 'examples/hot-rules', files: {}, config: { probationMs: 200 } });
  t.after(() => app.dispose());
  await app.start();
  await fill(app.get);
  app.commit(discount);
  const plan = await app.midflight('plan');
  assert.match(plan.stdout, /^ {2}changed {2}rules\.ts, replaced in place$/m);
  assert.doesNotMatch(plan.stdout, /server\.ts/);
  const { json } = await app.midflight('deploy', '--json');
  assert.deepEqual([json['path'], json['result']], ['swap', 'committed']);
  assert.equal(await app.get('/ann'), 'ann: 54\n');
  const rollback = await app.midflight('rollback', '--json');
  assert.deepEqual([rollback.json['path'], rollback.json['result']], ['swap', 'committed']);
  assert.equal(await app.get('/ann'), 'ann: 60\n');
});

test('hot-rules: a save replaces the class under its carts, and they outlive a change of the server', async (t) => {
  const dev = await createTestDev({
    'package.json': read('package.json'),
    'server.ts': read('server.ts'),
    'rules.ts': read('rules.ts'),
  });
  t.after(() => dev.dispose());
  dev.start();
  await dev.next('serving');
  await fill(dev.get);
  dev.write(discount);
  assert.deepEqual((await dev.next('swapped')).evaluated, ['rules.ts']);
  assert.equal(await dev.get('/ann'), 'ann: 54\n');
  dev.write({ 'server.ts': read('server.ts').replace('}:', '} pays') });
  assert.deepEqual((await dev.next('swapped')).evaluated, ['server.ts']);
  assert.equal(await dev.get('/ann'), 'ann pays 54\n');
});

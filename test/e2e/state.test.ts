/** State over deploys by the command line: up, down, and refused. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createTestApp, type Files, type TestApp } from '../support/app.ts';

const server = `
import { createServer } from 'node:http';
import { add, names } from './guests.ts';
createServer((request, response) => {
  if (request.method === 'GET' && request.url !== '/') add(request.url.slice(1));
  response.end(JSON.stringify({ names: names(), pid: process.pid }));
}).listen(Number(process.env.PORT), '127.0.0.1');
`;

const one: Files = {
  'guests.ts': `
import { state } from 'midflight';
const guests = state('guests', () => [] as string[], { version: 1 });
export const add = (name: string): void => void guests.push(name);
export const names = (): string[] => guests;
`,
};

const toTwo = (up: string, down: string): Files => ({
  'guests.ts': `
import { state } from 'midflight';
interface Guest { name: string }
const guests = state('guests', () => new Map<string, Guest>(), {
  version: 2,
  migrate: { 2: { ${up}, ${down} } },
});
export const add = (name: string): void => void guests.set(name, { name });
export const names = (): string[] => [...guests.values()].map(({ name }) => name + '!');
`,
});

const up = 'up: (names: string[]) => new Map(names.map((name) => [name, { name }]))';
const down = 'down: (guests) => [...guests.keys()]';

async function startApp(t: TestContext): Promise<TestApp> {
  const app = await createTestApp({
    files: { 'server.ts': server, ...one },
    config: { entry: 'server.ts', probationMs: 200 },
  });
  t.after(() => app.dispose());
  await app.start();
  await app.get('/Ann');
  return app;
}

async function ask(app: TestApp, path = '/'): Promise<{ names: string[]; pid: number }> {
  return JSON.parse(await app.get(path)) as { names: string[]; pid: number };
}

async function run(app: TestApp, verb: 'deploy' | 'rollback'): Promise<Readonly<Record<string, unknown>>> {
  return (await app.midflight(verb, '--json')).json;
}

test('a deploy takes the state up, and a rollback takes it down with what was written since', async (t) => {
  const app = await startApp(t);
  const { pid } = await ask(app);
  app.commit(toTwo(up, down));
  const deployed = await run(app, 'deploy');
  assert.deepEqual([deployed['path'], deployed['result']], ['swap', 'committed']);
  assert.deepEqual(await ask(app, '/Bob'), { names: ['Ann!', 'Bob!'], pid });
  const back = await run(app, 'rollback');
  assert.deepEqual([back['path'], back['result']], ['swap', 'committed'], JSON.stringify(back));
  assert.deepEqual(await ask(app, '/Cid'), { names: ['Ann', 'Bob', 'Cid'], pid });
});

test('a migration that throws is refused, and the old code serves on with its state', async (t) => {
  const app = await startApp(t);
  const { pid } = await ask(app);
  app.commit(toTwo(`up: () => { throw new Error('no such guest'); }`, down));
  const { result, error } = await run(app, 'deploy');
  const { code, message } = error as { code: string; message: string };
  assert.deepEqual([result, code], ['rejected', 'ERR_MIDFLIGHT_STATE_MIGRATION_FAILED']);
  assert.match(
    message,
    /"guests" .* from version 1 to 2: up to 2 threw Error: no such guest \(.*guests\.ts:/,
  );
  assert.deepEqual(await ask(app, '/Bob'), { names: ['Ann', 'Bob'], pid });
});

test('a migration that throws at commit only is refused, and the next deploy goes on from the old release', async (t) => {
  const app = await startApp(t);
  const { pid } = await ask(app);
  const once = up.replace('new Map(', '(globalThis.tried ??= 0, globalThis.tried++) ? explode() : new Map(');
  app.commit(toTwo(once, down));
  const refused = await run(app, 'deploy');
  assert.equal(refused['result'], 'rejected');
  assert.match(JSON.stringify(refused['error']), /MIGRATION_FAILED.*explode is not defined/);
  assert.deepEqual(await ask(app, '/Bob'), { names: ['Ann', 'Bob'], pid });
  app.commit(toTwo(up, down));
  const deployed = await run(app, 'deploy');
  assert.deepEqual([deployed['path'], deployed['result']], ['swap', 'committed'], JSON.stringify(deployed));
  assert.deepEqual(await ask(app), { names: ['Ann!', 'Bob!'], pid });
});

test('a rollback that has no way down is refused, and says what to do', async (t) => {
  const app = await startApp(t);
  const { pid } = await ask(app);
  app.commit(toTwo(up, ''));
  await run(app, 'deploy');
  const { result, error } = await run(app, 'rollback');
  const { code, message } = error as { code: string; message: string };
  assert.deepEqual([result, code], ['rejected', 'ERR_MIDFLIGHT_STATE_UNMIGRATED']);
  assert.match(message, /no way down from 2; deploy that once more with a "down" in its step 2/);
  assert.deepEqual(await ask(app, '/Bob'), { names: ['Ann!', 'Bob!'], pid });
  app.commit(toTwo(up, down));
  await run(app, 'deploy');
  const { json } = await app.midflight('history', '--json');
  const first = (json as unknown as { release: string }[]).at(-1)?.release ?? '';
  const back = await app.midflight('rollback', first, '--json');
  assert.equal(back.json['result'], 'committed', JSON.stringify(back));
  assert.deepEqual(await ask(app), { names: ['Ann', 'Bob'], pid });
});

/** What is swapped out is collected: after some hundred swaps no version is there but the current one and the one before it. */

import assert from 'node:assert/strict';
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createTracked, type Tracked } from '../support/collected.ts';
import { runApp, type RunningApp } from '../deploy/runtime-fixture.ts';

const SWAPS = 200;
/** Node keeps its last response until the connection has another, and with it the version that gave it. */
const KEPT_MAX = 2;

function followVersions(): Tracked['collect'] {
  const { track, collect } = createTracked();
  Object.assign(globalThis, { track });
  return collect;
}

/** Code of one version: all that it starts holds its marker. */
function toText(number: number, more: string): string {
  return `const marker = { number: ${number} };
track(marker, ${number});
setInterval(() => marker, 1_000_000);
process.on('SIGUSR2', () => marker);
process.once('SIGUSR2', () => marker);
import.meta.hot.on('vite:afterUpdate', () => marker);
import.meta.hot.data.before = marker;
import.meta.hot.dispose((data) => { data.last = marker.number; });
${more}`;
}

interface Swapping {
  readonly app: RunningApp;
  readonly path: string;
  readonly more: string;
  /** What the code that runs says it is. */
  readonly ask: () => unknown;
}

async function swapOften({ app, path, more, ask }: Swapping): Promise<void> {
  for (let number = 1; number <= SWAPS; number++) {
    await app.swap({ [path]: toText(number, more) });
    assert.equal(String(await ask()), String(number));
    // What has ended is let go in a turn of its own.
    await turn();
  }
}

async function assertCollected(collect: Tracked['collect']): Promise<void> {
  const left = await collect((numbers) => numbers.length <= KEPT_MAX);
  assert.ok(left.length <= KEPT_MAX && left.includes(SWAPS), `there are still: ${left.join(', ')}`);
}

const plain = 'export const numberOf = () => marker.number;';

test('modules that are evaluated again leave nothing of the versions before', async (t) => {
  const collect = followVersions();
  const app = await runApp(t, {
    'package.json': '{"type":"module"}',
    'main.js': `import { numberOf } from './subject.js';
import './shared.js';
globalThis.ask = () => numberOf();`,
    'shared.js': 'setInterval(() => 0, 1_000_000);',
    'subject.js': toText(0, plain),
  });
  const listeners = process.listenerCount('SIGUSR2');
  await swapOften({ app, path: 'subject.js', more: plain, ask: askGlobal });
  assert.equal(process.listenerCount('SIGUSR2'), listeners);
  await assertCollected(collect);
});

test('a module that accepts itself leaves nothing, also where its functions, classes and their instances were captured', async (t) => {
  const collect = followVersions();
  const accepting = `${plain}
export class Holder {
  #number = marker.number;
  static current = marker;
  get number() { return marker.number; }
}
import.meta.hot.accept(() => {});`;
  const app = await runApp(t, {
    'package.json': '{"type":"module"}',
    'main.js': `import { numberOf, Holder } from './subject.js';
const captured = [numberOf, Holder];
globalThis.ask = () => {
  const numbers = new Set([captured[0](), new captured[1]().number, Holder.current.number]);
  return [...numbers].join();
};`,
    'subject.js': toText(0, accepting),
  });
  await swapOften({ app, path: 'subject.js', more: accepting, ask: askGlobal });
  await assertCollected(collect);
});

test('an HTTP server leaves nothing while a client stays connected', async (t) => {
  const collect = followVersions();
  const app = await runApp(t, {
    'package.json': '{"type":"module"}',
    'main.js': `import { once } from 'node:events';
import http from 'node:http';
import { numberOf } from './subject.js';
const server = http.createServer((request, response) => response.end(String(numberOf())));
server.on('upgrade', (request, socket) => socket.end('HTTP/1.1 101 Switching Protocols\\r\\n\\r\\n'));
await once(server.listen(0, '127.0.0.1'), 'listening');
globalThis.port = server.address().port;`,
    'subject.js': toText(0, plain),
  });
  const ask = keptAlive(t);
  await swapOften({ app, path: 'subject.js', more: plain, ask });
  await assertCollected(collect);
});

test('versions that fail, are aborted or rolled back leave nothing', async (t) => {
  const collect = followVersions();
  const app = await runApp(t, {
    'package.json': '{"type":"module"}',
    'main.js': `import { numberOf } from './subject.js';
globalThis.ask = () => numberOf();`,
    'subject.js': toText(0, plain),
  });
  for (let number = 1; number < SWAPS - 3; number += 3) {
    const failing = toText(number, `${plain} throw new Error('no');`);
    await assert.rejects(app.swap({ 'subject.js': failing }), /no/);
    const prepared = await app.prepare({ 'subject.js': toText(number + 1, plain) });
    prepared.abort();
    await app.swap({ 'subject.js': toText(number + 2, plain) });
    if (number > 1) await app.runtime.rollback();
    await turn();
  }
  await app.swap({ 'subject.js': toText(SWAPS, plain) });
  await turn();
  await assertCollected(collect);
});

function askGlobal(): unknown {
  return (globalThis as { ask?: () => unknown }).ask?.();
}

/** Asks the app's server, over one connection for the whole test. */
function keptAlive(t: TestContext): () => Promise<string> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  return async () => {
    const { port } = globalThis as { port?: number };
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    http.get({ host: '127.0.0.1', port, agent }, resolve).on('error', reject);
    return text(await promise);
  };
}

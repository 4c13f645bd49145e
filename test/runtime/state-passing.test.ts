/** One worker's end when states are passed: held until it hears how it went on, and serving again where it does not. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';

import { state } from '../../src/index.ts';
import { createStatePassing, type SendRequest, type StatePassing } from '../../src/runtime/state-passing.ts';
import { receiveStates, type ReceiveOptions } from '../../src/runtime/state-transfer.ts';
import { createStateRegistry } from '../../src/runtime/state.ts';
import { createClient, createWorld, type World } from './servers-fixture.ts';

const TIMEOUT_MS = 30_000;

interface Worker {
  readonly world: World;
  readonly passing: StatePassing;
  readonly lost: readonly string[][];
  readonly request: SendRequest;
  /** Resolves when a request to /slow has come. */
  whenSlow(): Promise<unknown>;
  /** Answers those, which write to the state. */
  endSlow(): void;
  receive(options?: Partial<ReceiveOptions>): Promise<void>;
}

async function startWorker(t: TestContext): Promise<Worker> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'mf-passing-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const world = createWorld();
  t.after(() => world[Symbol.dispose]());
  const states = createStateRegistry();
  const names = state('names', (): string[] => []);
  state('other', () => ({ isTouched: false }));
  const started = new net.Server();
  const waiting: http.ServerResponse[] = [];
  await world.deploy(() =>
    http
      .createServer((request, response) => {
        if (request.url !== '/slow') return void response.end('quick');
        waiting.push(response);
        started.emit('slow');
      })
      .listen(0, '127.0.0.1'),
  );
  const lost: string[][] = [];
  const passing = createStatePassing({
    servers: world.adoption,
    states,
    prepareAgain: async () => undefined,
    keepAlive: () => () => undefined,
    onLost: (each) => lost.push([...each]),
  });
  const at = path.join(directory, 'state.sock');
  return {
    world,
    passing,
    lost,
    request: {
      path: at,
      mode: 'handoff',
      timeoutMs: TIMEOUT_MS,
      quiesceTimeoutMs: TIMEOUT_MS,
      commitTimeoutMs: TIMEOUT_MS,
    },
    whenSlow: () => once(started, 'slow'),
    endSlow() {
      names.push('late');
      for (const response of waiting.splice(0)) response.end('slow');
    },
    async receive(options = {}) {
      const take = async (): Promise<never[]> => [];
      await receiveStates({ path: at, timeoutMs: TIMEOUT_MS, wanted: () => new Map(), take, ...options });
    },
  };
}

test('one that does not hear of a commit reads again from its connections', async (t) => {
  const { world, passing, request, receive } = await startWorker(t);
  using client = createClient(world.port());
  await client.get();
  await receive();
  t.mock.method(console, 'error', () => undefined);
  const { states } = await passing.send({ ...request, commitTimeoutMs: 20 });
  assert.deepEqual(
    states.map(({ name }) => name),
    ['names', 'other'],
  );
  assert.equal((await client.get()).body, 'quick');
});

test('one whose states are refused serves on at once, and says why', async (t) => {
  const { world, passing, request, receive } = await startWorker(t);
  using client = createClient(world.port());
  await client.get();
  await receive({ take: () => Promise.reject(new Error('no room')) });
  await assert.rejects(passing.send(request), /no room/);
  assert.equal((await client.get()).body, 'quick');
  using fresh = createClient(world.port());
  assert.equal((await fresh.get()).body, 'quick');
});

test('one that holds when its keeper is killed serves on at once, also new connections, and tells of what is written to what it has passed', async (t) => {
  const { world, passing, lost, request, receive, endSlow } = await startWorker(t);
  using client = createClient(world.port());
  await client.get();
  await receive();
  await passing.send(request);
  const waiting = client.get();
  await passing.serveAlone();
  assert.equal((await waiting).body, 'quick');
  using fresh = createClient(world.port());
  assert.equal((await fresh.get()).body, 'quick');
  endSlow();
  passing.noteLost();
  assert.deepEqual(lost, [['names']]);
});

test('one that leaves when its keeper is killed reads again from what it still has, and accepts no more', async (t) => {
  const { world, passing, request, receive } = await startWorker(t);
  const port = world.port();
  using client = createClient(port);
  await client.get();
  await receive();
  await passing.send(request);
  passing.pause();
  const waiting = client.get();
  await passing.serveAlone();
  assert.equal((await waiting).body, 'quick');
  await assert.rejects(createClient(port).get(), { code: 'ECONNREFUSED' });
});

test('what is in flight is waited for, and nothing is lost then', async (t) => {
  const { world, passing, lost, request, receive, whenSlow, endSlow } = await startWorker(t);
  using client = createClient(world.port());
  const began = whenSlow();
  const slow = client.get('/slow');
  await began;
  let sizeThen = -1;
  await receive({
    async take(states) {
      sizeThen = states.length;
      return [];
    },
  });
  const sending = passing.send(request);
  endSlow();
  assert.equal((await slow).body, 'slow');
  assert.equal((await sending).inFlightCount, 0);
  assert.equal(sizeThen, 2);
  passing.pause();
  await passing.unhold();
  passing.noteLost();
  assert.deepEqual(lost, []);
});

test('what is written after its time is told once, by the names of the states that differ', async (t) => {
  const { world, passing, lost, request, receive, whenSlow, endSlow } = await startWorker(t);
  using client = createClient(world.port());
  const began = whenSlow();
  const slow = client.get('/slow');
  await began;
  await receive();
  const { inFlightCount } = await passing.send({ ...request, quiesceTimeoutMs: 20 });
  assert.equal(inFlightCount, 1);
  passing.pause();
  await passing.unhold();
  endSlow();
  await slow;
  passing.noteLost();
  passing.noteLost();
  assert.deepEqual(lost, [['names']]);
});

test('an early copy holds nothing, and leaves out what can not be encoded', async (t) => {
  const { world, passing, request, receive } = await startWorker(t);
  state('tasks', () => ({ run: () => 1 }));
  await receive();
  const { states, failures } = await passing.send({ ...request, mode: 'early' });
  assert.deepEqual([states.length, failures.map(({ name }) => name)], [2, ['tasks']]);
  using client = createClient(world.port());
  assert.equal((await client.get()).body, 'quick');
});

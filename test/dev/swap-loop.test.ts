/** The loop on a runtime that only keeps the rules of one. */

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { PreparedSwap } from '../../src/deploy/create-runtime.ts';
import { createSwapLoop, type SwapLoop } from '../../src/dev/swap-loop.ts';
import { MidflightError } from '../../src/errors.ts';
import type { DevEvent } from '../../src/protocol/dev-messages.ts';

interface Fixture {
  readonly loop: SwapLoop;
  /** What runs. */
  running(): string;
  /** `mtimeS` is when, where that matters. */
  write(text: string, mtimeS?: number): void;
  /** The next swap is never prepared; it ends when it is dropped, unless it can't be. */
  hang(options: { isDroppable: boolean }): void;
  /** What is done before the next swap reads the file. */
  before(act: () => void): void;
  /** What is done while a swap is prepared, once. */
  meanwhile(act: () => void): void;
  readonly prepared: string[];
  next(): Promise<DevEvent>;
}

/** One file; `bad` can't be loaded, and `handoff` can't be swapped. */
function createFixture(t: TestContext): Fixture {
  const root = mkdtempSync(path.join(tmpdir(), 'midflight-loop-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const file = path.join(root, 'a.ts');
  const read = (): string => readFileSync(file, 'utf8');
  const write = (text: string, mtimeS?: number): void => {
    writeFileSync(file, text);
    if (mtimeS !== undefined) utimesSync(file, mtimeS, mtimeS);
  };
  write('first');
  let running = 'first';
  let taken = 'first';
  let act = (): void => undefined;
  let actBefore = (): void => undefined;
  let hangs: 'never' | 'until dropped' | 'always' = 'never';
  const prepared: string[] = [];
  const news = new EventEmitter<{ event: [DevEvent] }>();
  const loop = createSwapLoop({
    root,
    runtime: {
      async prepare(_, { signal } = {}) {
        actBefore();
        actBefore = () => undefined;
        taken = read();
        prepared.push(taken);
        const text = taken;
        act();
        act = () => undefined;
        if (hangs !== 'never') {
          const isDroppable = hangs === 'until dropped';
          hangs = 'never';
          await new Promise((_resolve, reject) => {
            if (isDroppable) signal?.addEventListener('abort', () => reject(new Error('it was dropped')));
          });
        }
        if (text.startsWith('bad')) throw new MidflightError('ERR_MIDFLIGHT_SYNTAX', ['a.ts', 1, 1, text]);
        return toPrepared(text, text === running ? 'none' : text === 'handoff' ? 'handoff' : 'swap', () => {
          running = text;
        });
      },
      async rollback() {
        running = 'first';
      },
      chainTo: (at) => ['entry.ts', at],
      files: () => ['a.ts'],
      isUnchanged: () => read() === taken,
    },
    gitLock: { isHeld: () => false, released: async () => undefined },
    emit: (event) => void news.emit('event', event),
    onModules: () => undefined,
    onSeen: () => undefined,
  });
  t.after(() => loop.stop());
  return {
    loop,
    write,
    prepared,
    hang: ({ isDroppable }) => (hangs = isDroppable ? 'until dropped' : 'always'),
    running: () => running,
    before: (next) => (actBefore = next),
    meanwhile: (next) => (act = next),
    next: async () => ((await once(news, 'event')) as [DevEvent])[0],
  };
}

function toPrepared(text: string, way: 'none' | 'swap' | 'handoff', commit: () => void): PreparedSwap {
  const change = { path: 'a.ts', change: 'changed', because: [], isInPlace: false, refusal: null } as const;
  const modules = [{ ...change, why: '', exportsAdded: [], exportsRemoved: [], exportTypes: [] }];
  const reasons = [{ code: 'MF2003', path: way, message: `because of ${text}` }];
  return {
    plan: { path: way, steps: [], reasons, warnings: [], modules, hazards: [] },
    timings: { compileMs: 0, prepareMs: 0 },
    commit: async () => commit(),
    abort: () => undefined,
  };
}

test('a file that changes while its swap is prepared is prepared again before anything is committed', async (t) => {
  const { loop, write, meanwhile, prepared, running, next } = createFixture(t);
  meanwhile(() => write('third'));
  write('second');
  loop.notice(['a.ts']);
  await next();
  assert.deepEqual([prepared, running()], [['second', 'third'], 'third']);
});

test('news of a file that is as it was read last are no news', async (t) => {
  const { loop, write, prepared, next } = createFixture(t);
  loop.notice(['a.ts']);
  write('second');
  loop.notice(['a.ts']);
  await next();
  loop.notice(['a.ts']);
  assert.deepEqual(prepared, ['second']);
});

test('an error that the next save mends at once is not told', async (t) => {
  const { loop, write, prepared, next } = createFixture(t);
  write('bad');
  loop.notice(['a.ts']);
  await new Promise(setImmediate);
  write('good');
  loop.notice(['a.ts']);
  assert.equal((await next()).type, 'swapped');
  assert.deepEqual(prepared, ['bad', 'good']);
});

test('what has moved since it was read is looked at again before it is told, also without news of it', async (t) => {
  const { loop, write, meanwhile, prepared, running, next } = createFixture(t);
  write('bad');
  meanwhile(() => void setImmediate(() => write('good')));
  loop.notice(['a.ts']);
  assert.equal((await next()).type, 'swapped');
  assert.deepEqual([prepared, running()], [['bad', 'good'], 'good']);
});

test('an error that stands is told with the imports, and its end is told where nothing has changed by it', async (t) => {
  const { loop, write, next } = createFixture(t);
  write('bad');
  loop.notice(['a.ts']);
  const failed = await next();
  assert.ok(failed.type === 'failed');
  assert.deepEqual([failed.error.code, failed.importChain], ['ERR_MIDFLIGHT_SYNTAX', ['entry.ts', 'a.ts']]);
  write('first');
  loop.notice(['a.ts']);
  assert.deepEqual(await next(), { type: 'mended' });
});

test('a file that was emptied is waited for', async (t) => {
  const { loop, write, prepared, running, next } = createFixture(t);
  write('');
  loop.notice(['a.ts']);
  write('second');
  loop.notice(['a.ts']);
  await next();
  assert.deepEqual([prepared, running()], [['second'], 'second']);
  write('');
  loop.notice(['a.ts']);
  await next();
  assert.equal(running(), '');
});

test('a file that is emptied just before it is read is waited for', async (t) => {
  const { loop, write, before, prepared, running, next } = createFixture(t);
  write('bad');
  before(() => write(''));
  loop.notice(['a.ts']);
  await new Promise(setImmediate);
  assert.deepEqual([prepared, running()], [[''], 'first']);
  write('second');
  loop.notice(['a.ts']);
  assert.equal((await next()).type, 'swapped');
  assert.deepEqual([prepared, running()], [['', 'second'], 'second']);
});

test('a file that is emptied again and again is waited for each time', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const { loop, write, prepared, running } = createFixture(t);
  for (const mtimeS of [1, 2, 3]) {
    write('', mtimeS);
    loop.notice(['a.ts']);
    await new Promise(setImmediate);
    now += 900;
    t.mock.timers.tick(900);
    await new Promise(setImmediate);
  }
  assert.deepEqual([prepared, running()], [[], 'first']);
  write('second');
  loop.notice(['a.ts']);
  await new Promise(setImmediate);
  assert.deepEqual([prepared, running()], [['second'], 'second']);
});

test('a swap that waits for what never comes is dropped when its code has changed', async (t) => {
  const { loop, write, hang, running, prepared, next } = createFixture(t);
  hang({ isDroppable: true });
  write('half');
  loop.notice(['a.ts']);
  await new Promise(setImmediate);
  write('half and half');
  loop.notice(['a.ts']);
  assert.equal((await next()).type, 'swapped');
  assert.deepEqual([prepared, running()], [['half', 'half and half'], 'half and half']);
});

test('a swap that never ends is given up for one save that comes after its start', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const { loop, write, hang, next } = createFixture(t);
  hang({ isDroppable: false });
  write('endless');
  loop.notice(['a.ts']);
  await new Promise(setImmediate);
  write('second');
  loop.notice(['a.ts']);
  const told = next();
  now += 3_001;
  t.mock.timers.tick(3_001);
  assert.deepEqual(await told, {
    type: 'unswappable',
    reasons: ['the swap before has not ended after 3 s'],
  });
});

test('news of what a swap has read are no save after its start, however long it takes', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const { loop, write, hang, next } = createFixture(t);
  hang({ isDroppable: false });
  write('slow');
  loop.notice(['a.ts']);
  await new Promise(setImmediate);
  now += 4_000;
  const told = next();
  loop.notice(['a.ts']);
  write('second');
  now += 1_000;
  loop.notice(['a.ts']);
  assert.deepEqual(await told, {
    type: 'unswappable',
    reasons: ['the swap before has not ended after 5 s'],
  });
});

test('what only another process can take is told with its reasons', async (t) => {
  const { loop, write, running, next } = createFixture(t);
  write('handoff');
  loop.notice(['a.ts']);
  assert.deepEqual(await next(), { type: 'unswappable', reasons: ['because of handoff'] });
  assert.equal(running(), 'first');
});

test('undo waits for the swap that is under way', async (t) => {
  const { loop, write, running } = createFixture(t);
  write('second');
  loop.notice(['a.ts']);
  await loop.undo();
  assert.equal(running(), 'first');
});

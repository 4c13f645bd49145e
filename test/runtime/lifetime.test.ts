import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import util from 'node:util';

import type { GenerationStatus } from '../../src/runtime/generation-scope.ts';
import { createLifetime, type Lifetime } from '../../src/runtime/lifetime.ts';
import { runAsWork } from '../../src/runtime/origin.ts';

interface Owned extends Disposable {
  readonly lifetime: Lifetime;
  become(status: GenerationStatus): void;
}

function createOwned(status: GenerationStatus = 'preparing'): Owned {
  const owner = { status };
  const lifetime = createLifetime(owner);
  return {
    lifetime,
    become(next) {
      owner.status = next;
      lifetime.statusChanged();
    },
    [Symbol.dispose]: () => lifetime.dispose(),
  };
}

/** Resolves after so many ticks of a native interval that is as quick as the one under test. */
async function ticks(count: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      count--;
      if (count > 0) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
}

test('an interval of an evaluation runs only while its owner is current, again after a rollback, never after dispose', async () => {
  using owned = createOwned();
  let count = 0;
  owned.lifetime.timers.setInterval(() => count++, 1);
  await ticks(5);
  assert.equal(count, 0);
  owned.become('current');
  await ticks(5);
  const whileCurrent = count;
  assert.ok(whileCurrent > 0);
  owned.become('previous');
  await ticks(5);
  assert.equal(count, whileCurrent);
  owned.become('current');
  await ticks(5);
  assert.ok(count > whileCurrent);
  owned.lifetime.dispose();
  const atEnd = count;
  await ticks(5);
  assert.equal(count, atEnd);
});

test('an interval of a request goes on in a generation that is no longer current', async () => {
  using owned = createOwned('current');
  let count = 0;
  runAsWork(() => owned.lifetime.timers.setInterval(() => count++, 1));
  owned.become('previous');
  await ticks(5);
  assert.ok(count > 0);
});

test('dispose with keepWork ends what modules started and leaves what connections started', async () => {
  using owned = createOwned('current');
  const { timers } = owned.lifetime;
  let work = 0;
  let module = 0;
  runAsWork(() => timers.setInterval(() => work++, 1));
  timers.setInterval(() => module++, 1);
  owned.lifetime.dispose({ keepWork: true });
  timers.setTimeout(() => module++, 1);
  await runAsWork(() => new Promise((resolve) => timers.setTimeout(resolve, 5)));
  await ticks(2);
  assert.equal(module, 0);
  assert.ok(work > 0);
});

test('timers take arguments, give Node objects, and are pending until they fire or are cleared by any means', async () => {
  using owned = createOwned();
  const { timers } = owned.lifetime;
  const values = await new Promise((resolve) => timers.setTimeout((...each) => resolve(each), 1, 'a', 'b'));
  assert.deepEqual(values, ['a', 'b']);
  assert.equal(owned.lifetime.pendingTimeouts, 0);
  const far = 100_000;
  const timer = timers.setTimeout(() => undefined, far);
  assert.equal(timer.unref(), timer);
  assert.equal(timer.hasRef(), false);
  assert.equal(owned.lifetime.pendingTimeouts, 1);
  timers.clearTimeout(timer);
  timers.clearTimeout(Number(timers.setTimeout(() => undefined, far)));
  clearTimeout(timers.setTimeout(() => undefined, far));
  timers.setTimeout(() => undefined, far).close();
  timers.clearInterval(timers.setInterval(() => undefined, far));
  timers.clearImmediate(timers.setImmediate(() => undefined));
  timers.clearTimeout(undefined);
  assert.equal(owned.lifetime.pendingTimeouts, 0);
  assert.deepEqual(owned.lifetime.open(), []);
  assert.throws(() => timers.setTimeout('x' as never, 1), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('util.promisify of the timers works as with the native ones', async () => {
  using owned = createOwned();
  const { timers } = owned.lifetime;
  const sleep = util.promisify(timers.setTimeout);
  assert.equal(await sleep(1, 'done'), 'done');
  assert.equal(await util.promisify(timers.setImmediate)('soon'), 'soon');
  const controller = new AbortController();
  const stopped = sleep(100_000, undefined, { signal: controller.signal });
  assert.equal(owned.lifetime.pendingTimeouts, 1);
  controller.abort();
  await assert.rejects(stopped, { name: 'AbortError', code: 'ABORT_ERR' });
  await assert.rejects(sleep(1, undefined, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal(owned.lifetime.pendingTimeouts, 0);
});

test('open names the kind and the line of what is open', () => {
  using owned = createOwned('current');
  owned.lifetime.timers.setInterval(() => undefined, 100_000);
  owned.lifetime.process.on('SIGWINCH', () => undefined);
  const [interval, listener] = owned.lifetime.open();
  assert.equal(interval?.kind, 'interval');
  assert.match(interval?.line ?? '', /lifetime\.test\.ts:\d+:\d+$/);
  assert.equal(listener?.kind, 'process listener');
  assert.match(listener?.line ?? '', /lifetime\.test\.ts:\d+:\d+$/);
});

test('process listeners of an evaluation are on process only while their owner is current', async () => {
  using owned = createOwned();
  const heard: unknown[] = [];
  owned.lifetime.process.on('SIGWINCH', (signal) => heard.push(signal));
  assert.equal(process.listenerCount('SIGWINCH'), 0);
  owned.become('current');
  const received = once(process, 'SIGWINCH');
  process.kill(process.pid, 'SIGWINCH');
  await received;
  assert.deepEqual(heard, ['SIGWINCH']);
  owned.become('previous');
  assert.equal(process.listenerCount('SIGWINCH'), 0);
  owned.become('current');
  assert.equal(process.listenerCount('SIGWINCH'), 1);
  owned.lifetime.dispose();
  assert.equal(process.listenerCount('SIGWINCH'), 0);
});

test('once is heard once, off takes a listener away, prepended ones come first', () => {
  using owned = createOwned('current');
  const facade = owned.lifetime.process;
  const heard: string[] = [];
  const never = (): void => void heard.push('never');
  const event = 'midflight test' as 'exit';
  assert.equal(
    facade.on(event, () => heard.push('on')),
    process,
  );
  facade.once(event, () => heard.push('once'));
  facade.prependListener(event, () => heard.push('first'));
  facade.on(event, never);
  assert.ok(process.listeners(event).length > 0);
  facade.off(event, never);
  facade.once(event, never);
  facade.removeListener(event, never);
  process.emit(event, 0);
  owned.become('previous');
  owned.become('current');
  process.emit(event, 0);
  assert.deepEqual(heard, ['first', 'on', 'once', 'first', 'on']);
  const native = (): void => undefined;
  process.on(event, native);
  facade.off(event, native);
  assert.equal(process.listeners(event).includes(native), false);
});

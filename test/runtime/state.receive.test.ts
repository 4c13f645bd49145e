/** States on their way from the registry of one process to that of another. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { state } from '../../src/index.ts';
import { createStateRegistry } from '../../src/runtime/state.ts';
import { createDeploys, encodeAll, isFinal } from './state-fixture.ts';

const isEarly = { isEarly: true };

class Limit {
  readonly label = 'limit';
  #used: number;
  constructor(used = 0) {
    this.#used = used;
  }
  use(): number {
    return ++this.#used;
  }
  get used(): number {
    return this.#used;
  }
}

const limit = (): Limit =>
  state('limit', () => new Limit(), {
    encode: ({ used }) => used,
    decode: (used: number) => new Limit(used),
  });

test('what came early is there when modules are evaluated, and what came last is in the same object', () => {
  const old = createStateRegistry();
  const jobs = state('jobs', () => ['a']);
  const early = encodeAll(old);
  jobs.push('b');
  const last = encodeAll(old);
  const { registry, prepare, commit } = createDeploys();
  assert.deepEqual(registry.receive(early, isEarly), []);
  const next = prepare();
  const held = next.evaluate(() => state('jobs', (): string[] => assert.fail('init was called')));
  assert.deepEqual(held, ['a']);
  assert.deepEqual(registry.receive(last, isFinal), []);
  assert.deepEqual(held, ['a', 'b']);
  commit(next);
  assert.equal(
    next.later(() => state('jobs', [])),
    held,
  );
});

test('code that asks for an older version gets init at first, and then what the newer code led down', () => {
  const old = createStateRegistry();
  const migrate = { 2: { up: (each: string[]) => new Set(each), down: (each: Set<string>) => [...each] } };
  state('names', () => new Set(['Ann']), { version: 2, migrate });
  const { registry, prepare } = createDeploys();
  registry.receive(encodeAll(old), isEarly);
  const next = prepare();
  const held = next.evaluate(() => state('names', (): string[] => [], { version: 1 }));
  assert.deepEqual(held, []);
  assert.deepEqual([...registry.wanted()], [['names', 1]]);
  assert.deepEqual(registry.receive(encodeAll(old, registry.wanted()), isFinal), []);
  assert.deepEqual(held, ['Ann']);
});

test('a way down that nobody has said is refused by the code that runs, by name', () => {
  const old = createStateRegistry();
  state('names', () => new Set(['Ann']), { version: 2 });
  assert.throws(() => encodeAll(old, new Map([['names', 1]])), {
    code: 'ERR_MIDFLIGHT_STATE_UNMIGRATED',
    message: /"names" has version 2 .* knows 1/,
  });
});

test('what came last and is ahead of the code is refused to it', () => {
  const old = createStateRegistry();
  state('names', () => new Set(['Ann']), { version: 2 });
  const { registry, prepare } = createDeploys();
  registry.receive(encodeAll(old), isFinal);
  assert.throws(() => prepare().evaluate(() => state('names', [], { version: 1 })), {
    code: 'ERR_MIDFLIGHT_STATE_UNMIGRATED',
  });
});

test('a problem is told by name, and the other states are taken over', () => {
  const old = createStateRegistry();
  state('good', () => ({ count: 1 }));
  state('bad', () => ({ count: 1 }));
  const { registry, prepare } = createDeploys();
  const next = prepare();
  const good = next.evaluate(() => state('good', { count: 0 }));
  const bad = next.evaluate(() =>
    state('bad', { count: 0 }, { version: 1, migrate: () => assert.fail('no such thing') }),
  );
  const problems = registry.receive(encodeAll(old), isFinal);
  assert.deepEqual(
    problems.map(({ name, error }) => [name, (error as { code?: string }).code]),
    [['bad', 'ERR_MIDFLIGHT_STATE_MIGRATION_FAILED']],
  );
  assert.deepEqual([good, bad], [{ count: 1 }, { count: 0 }]);
});

test('an object with private fields is left as it is, and code that is evaluated again gets what came', () => {
  const old = createStateRegistry();
  limit().use();
  const encoded = encodeAll(old);
  const { registry, prepare } = createDeploys();
  const first = prepare();
  const held = first.evaluate(limit);
  assert.deepEqual(
    registry.receive(encoded, isFinal).map(({ name }) => name),
    ['limit'],
  );
  assert.deepEqual([held.used, held.label], [0, 'limit']);
  registry.abort(first.scope);
  assert.equal(prepare().evaluate(limit).used, 1);
});

test('what is local of either side does not pass', () => {
  const old = createStateRegistry();
  state('pool', () => ({ query: () => 1 }), { local: true });
  state('timer', () => ({ run: () => 1 }));
  const { registry, prepare } = createDeploys();
  assert.throws(() => encodeAll(old), { code: 'ERR_MIDFLIGHT_STATE_UNENCODABLE', message: /"timer"/ });
  prepare().evaluate(() => state('timer', () => ({ run: () => 2 }), { local: true }));
  assert.deepEqual(encodeAll(old, registry.wanted()), []);
});

test('typed arrays come with a memory of their own', () => {
  const old = createStateRegistry();
  state('bytes', () => new Uint8Array([1, 2, 3]));
  const encoded = encodeAll(old);
  const { registry, prepare } = createDeploys();
  registry.receive(encoded, isFinal);
  const bytes = prepare().evaluate(() => state('bytes', () => new Uint8Array()));
  assert.deepEqual([[...bytes], bytes.buffer.byteLength], [[1, 2, 3], 3]);
});

test('what nobody here has asked for is not led down', () => {
  const old = createStateRegistry();
  state('names', () => new Set(['Ann']), { version: 2 });
  const { registry } = createDeploys();
  registry.receive(encodeAll(old), isFinal);
  assert.deepEqual(registry.names(), ['names']);
  assert.equal(encodeAll(registry)[0]?.version, 2);
  assert.throws(() => encodeAll(registry, new Map([['names', 1]])), {
    code: 'ERR_MIDFLIGHT_STATE_UNMIGRATED',
  });
});

/** Addresses, and listening sockets that outlive who serves on them. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createListeners, parseListenTarget } from '../../src/supervisor/listeners.ts';

const addresses: readonly (readonly [string, object])[] = [
  ['127.0.0.1:8080', { kind: 'tcp', host: '127.0.0.1', port: 8080, ordinal: 0 }],
  ['[::1]:8080', { kind: 'tcp', host: '::1', port: 8080, ordinal: 0 }],
  [':8080', { kind: 'tcp', host: null, port: 8080, ordinal: 0 }],
  ['localhost:0', { kind: 'tcp', host: 'localhost', port: 0, ordinal: 3 }],
  ['unix:/run/app.sock', { kind: 'unix', path: '/run/app.sock' }],
];

for (const [text, expected] of addresses) {
  test(`${text} is an address`, () => assert.deepEqual(parseListenTarget(text, 3), expected));
}

for (const text of ['8080', '127.0.0.1', '127.0.0.1:65536', 'http://127.0.0.1:80', '']) {
  test(`"${text}" is no address`, () => {
    assert.throws(() => parseListenTarget(text, 0), { code: 'ERR_MIDFLIGHT_ADDRESS_INVALID' });
  });
}

test('an address is bound once, however often it is asked for', async (t) => {
  const listeners = createListeners();
  t.after(() => listeners.close());
  const target = parseListenTarget('127.0.0.1:0', 1);
  const [first, second] = await Promise.all([listeners.acquire(target), listeners.acquire(target)]);
  assert.equal(first, second);
  assert.match(listeners.addresses()[0] ?? '', /^127\.0\.0\.1:[1-9]\d*$/);
  assert.equal(listeners.addresses().length, 1);
});

test('an address that is taken is an error, and can be asked for again', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const listeners = createListeners();
  t.after(() => listeners.close());
  const target = parseListenTarget(`127.0.0.1:${port}`, 0);
  await assert.rejects(async () => listeners.acquireListening(target), { code: 'EADDRINUSE' });
  taken.close();
  await once(taken, 'close');
  await listeners.acquireListening(target);
  assert.deepEqual(listeners.addresses(), [`127.0.0.1:${port}`]);
});

/** The request by which Node is warmed up. */

import assert from 'node:assert/strict';
import diagnostics from 'node:diagnostics_channel';
import http from 'node:http';
import { test, type TestContext } from 'node:test';
import { warmUpHttp } from '../../src/runtime/servers/warm-up.ts';

/** The servers of this process that answer while something is done, once for each request. */
async function watchServers(t: TestContext, act: () => Promise<void>): Promise<readonly http.Server[]> {
  const servers: http.Server[] = [];
  const { emit } = http.Server.prototype;
  http.Server.prototype.emit = function (event: string | symbol, ...values: unknown[]): boolean {
    if (event === 'request') servers.push(this);
    return Reflect.apply(emit, this, [event, ...values]) as boolean;
  };
  t.after(() => {
    http.Server.prototype.emit = emit;
  });
  await act();
  return servers;
}

test('a process answers one request of its own, by a server that has closed then', async (t) => {
  // It gives up where that takes long.
  t.mock.method(AbortSignal, 'timeout', () => new AbortController().signal);
  const servers = await watchServers(t, warmUpHttp);
  assert.deepEqual(
    servers.map(({ listening }) => listening),
    [false],
  );
});

test('where somebody counts requests there is none', async (t) => {
  const onStart = (): void => undefined;
  diagnostics.subscribe('http.server.request.start', onStart);
  t.after(() => diagnostics.unsubscribe('http.server.request.start', onStart));
  assert.deepEqual(await watchServers(t, warmUpHttp), []);
});

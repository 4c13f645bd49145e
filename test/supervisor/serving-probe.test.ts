/** Whether the new process serves, where an old one accepts from the same socket. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ListenTarget } from '../../src/protocol/messages.ts';
import { parseListenTarget } from '../../src/supervisor/listeners.ts';
import { probeServing, type ProbeOutcome } from '../../src/supervisor/serving-probe.ts';
import { createPrograms, toServer, type Programs } from '../support/programs.ts';

/** It answers in its own way, so that a test can tell whose answer counted. */
const old = toServer(`response.end('old');`);
const failing = toServer('response.statusCode = 500; response.end();');
const blind = ['sleep', '60'];

void suite('several processes accept from one socket', { concurrency: 4 }, () => {
  for (const listen of ['127.0.0.1:0', '[::1]:0', ':0', 'unix:socket']) {
    const isUnix = listen.startsWith('unix:');

    void test(`the answers of the old process do not count for the new one, on ${listen}`, async (t) => {
      const programs = createPrograms(t);
      const [address, target] = await bind(programs, listen);
      const before = await programs.start({ command: old, listen: [address] });
      const after = await programs.start({
        command: blind,
        listen: [address],
        settings: { ready: { line: '' } },
      });
      const ask = async ({ pid }: { pid: number }, timeoutMs: number): Promise<ProbeOutcome> =>
        probeServing({ target, path: '/', pid, timeoutMs, until: 'good' });
      assert.equal((await ask(before, 20_000)).seen, 'GET / was answered by 200');
      const { isServing, seen } = await ask(after, 1_500);
      assert.equal(isServing, false);
      // On a machine that is busy enough nobody may have accepted by then.
      assert.match(seen, /^only other processes accepted the connections$|was not answered$/);
    });

    void test(`the new process is asked until it is the one that answers, on ${listen}`, async (t) => {
      const programs = createPrograms(t);
      const [address, target] = await bind(programs, listen);
      await programs.start({ command: failing, listen: [address] });
      const after = await programs.start({ command: old, listen: [address] });
      const { isServing, seen } = await probeServing({
        target,
        path: '/',
        pid: after.pid,
        timeoutMs: 20_000,
        until: 'good',
      });
      // On a Unix socket it is known only that the new one accepts.
      if (isUnix) assert.match(seen, /^GET \/ was answered by (?:200|500)$/);
      else assert.deepEqual({ isServing, seen }, { isServing: true, seen: 'GET / was answered by 200' });
    });
  }
});

/** A port of its own, or a path in the test's own folder. */
async function bind(programs: Programs, listen: string): Promise<[string, ListenTarget]> {
  if (listen.startsWith('unix:')) {
    const address = `unix:${programs.directory}/socket`;
    return [address, parseListenTarget(address, 0)];
  }
  const target = parseListenTarget(listen, 0);
  await programs.listeners.acquireListening(target);
  const port = /\d+$/.exec(programs.listeners.addresses()[0] ?? '')?.[0] ?? '';
  return [listen, parseListenTarget(listen.replace(/0$/, port), 0)];
}

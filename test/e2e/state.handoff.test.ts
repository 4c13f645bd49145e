/** State from process to process, by the command line and with real clients: nothing that was answered is lost. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { createTestApp, type Files, type TestApp } from '../support/app.ts';

const counter: Files = {
  'server.ts': `
import { createServer } from 'node:http';
import { state } from 'midflight';
const count = state('count', () => ({ answered: 0 }));
const slow = [];
createServer((request, response) => {
  if (request.url === '/count') return response.end(JSON.stringify({ ...count, pid: process.pid }));
  count.answered++;
  response.end(String(count.answered));
}).listen(Number(process.env.PORT), '127.0.0.1');
`,
};

const config = { entry: 'server.ts', probationMs: 200, drainTimeoutMs: 5_000 };

type Json = Readonly<Record<string, unknown>>;

async function startApp(t: TestContext, files: Files, more: object = {}): Promise<TestApp> {
  const app = await createTestApp({ files, config: { ...config, ...more } });
  t.after(() => app.dispose());
  await app.start();
  return app;
}

async function deploy(app: TestApp, ...args: string[]): Promise<Json> {
  return (await app.midflight('deploy', '--json', '--path', 'handoff', ...args)).json;
}

async function ask<Answer>(app: TestApp, path: string): Promise<Answer> {
  return JSON.parse(await app.get(path)) as Answer;
}

/** Clients that keep their connection, never try again, and count what was answered. */
function startClients(app: TestApp, clientCount: number) {
  const ended = new AbortController();
  let answered = 0;
  const failures: string[] = [];
  const run = async (): Promise<void> => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    while (!ended.signal.aborted) {
      try {
        const [response] = (await once(http.get(app.origin, { agent }), 'response')) as [IncomingMessage];
        await text(response);
        if (response.statusCode === 200) answered++;
        else failures.push(`status ${response.statusCode}`);
      } catch (error) {
        failures.push(String(error));
      }
    }
    agent.destroy();
  };
  const clients = Array.from({ length: clientCount }, run);
  return {
    async stop() {
      ended.abort();
      await Promise.all(clients);
      return { answered, failures };
    },
  };
}

test('a counter that strict clients write to through five handoffs has every answered increment', async (t) => {
  const app = await startApp(t, counter);
  const clients = startClients(app, 8);
  const pids = new Set<number>();
  for (let round = 0; round < 5; round++) {
    pids.add((await ask<{ pid: number }>(app, '/count')).pid);
    const { path, result, timings } = await deploy(app);
    assert.deepEqual([path, result], ['handoff', 'committed']);
    assert.ok((timings as { stateBytes: number }).stateBytes > 0);
  }
  const { answered, failures } = await clients.stop();
  assert.deepEqual(failures, []);
  assert.equal(pids.size, 5);
  assert.equal((await ask<{ answered: number }>(app, '/count')).answered, answered);
  assert.ok(answered > 500, `${answered} answers`);
});

/** Every path while strict clients are at work: no request fails, and none mixes versions. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startLoad } from '../../scripts/load/load.ts';
import { createTestApp, type TestApp } from '../support/app.ts';
import { toFrameworkApp, toVersionFiles, type FrameworkName } from '../support/frameworks.ts';

const config = { entry: 'server.ts', probationMs: 100, drainTimeoutMs: 20_000 };
const clients = { keepAlive: 4, newConnection: 2, slow: 2, upload: 1, events: 1 };

async function startApp(t: TestContext, framework: FrameworkName, workers: number): Promise<TestApp> {
  const app = await createTestApp({
    files: toFrameworkApp(framework, 'one'),
    config: { ...config, workers },
    linkPackages: true,
  });
  t.after(() => app.dispose());
  await app.start();
  return app;
}

function assertCommitted(outcome: Readonly<Record<string, unknown>>, path: string): void {
  assert.deepEqual([outcome['path'], outcome['result']], [path, 'committed'], JSON.stringify(outcome));
}

async function deploy(app: TestApp, version: string, ...args: string[]): Promise<Record<string, unknown>> {
  app.commit(toVersionFiles(version));
  const { json } = await app.midflight('deploy', '--json', ...args);
  return json;
}

export function testUnderLoad(framework: FrameworkName, workers: number, thinkMs: number): void {
  test(`${framework} with ${workers} workers takes swaps, handoffs and rollbacks without a failed request`, async (t) => {
    const app = await startApp(t, framework, workers);
    const load = startLoad({ origin: app.origin, clients, thinkMs });
    await load.waitForVersion('one');
    for (const [path, version, ...args] of [
      ['swap', 'two'],
      ['handoff', 'three', '--path', 'handoff'],
    ] as const) {
      assertCommitted(await deploy(app, version, ...args), path);
      await load.waitForVersion(version);
      assertCommitted((await app.midflight('rollback', '--json')).json, 'swap');
    }
    await load.waitForRequests(100);
    const report = await load.stop();
    assert.deepEqual(report.failures, []);
    assert.deepEqual([...report.versions.keys()].toSorted(), ['one', 'three', 'two']);
  });
}

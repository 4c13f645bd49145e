/** The first bad release is found while the service goes on, which notices nothing. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createTestApp, type Files, type TestApp } from '../support/app.ts';

const toFiles = (version: number, isWell: boolean): Files => ({
  'server.ts': `
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
createServer((request, response) => {
  if (request.url === '/number') response.end('${version}');
  else response.end(String(process.pid));
}).listen(Number(process.env.PORT), '127.0.0.1');
export const health = () => !existsSync('trial.txt') || ${isWell};
`,
});

/** Four releases, of which the third and the last are ill where they are tried. */
async function startApp(
  t: TestContext,
): Promise<{ readonly app: TestApp; readonly releases: readonly string[] }> {
  const app = await createTestApp({
    files: toFiles(0, true),
    config: { entry: 'server.ts', probationMs: 0 },
  });
  t.after(() => app.dispose());
  await app.start();
  const releases = [(await app.status()).release];
  for (let version = 1; version < 4; version++) {
    app.commit(toFiles(version, version < 2));
    const { json } = await app.midflight('deploy', '--json');
    assert.equal(json['result'], 'committed', JSON.stringify(json));
    releases.push(json['release'] as string);
  }
  return { app, releases };
}

test('bisect finds the first release that is ill, or that a command says is bad, and what serves goes on', async (t) => {
  const { app, releases } = await startApp(t);
  const pid = await app.get();
  const before = (await app.status()).workers;
  app.write({ 'trial.txt': '' });
  const byHealth = await app.midflight('bisect');
  assert.match(
    byHealth.stdout,
    new RegExp(`^${releases[2]} is the first bad release, ${releases[1]} the last good`, 'm'),
  );
  assert.equal(byHealth.exitCode, 0);
  const trial = `"${process.execPath}" -e "fetch(process.env.MIDFLIGHT_URL + '/number').then((answer) => answer.text()).then((text) => process.exit(Number(text) < 3 ? 0 : 1))"`;
  const byCommand = await app.midflight('bisect', '--run', trial, '--json');
  assert.deepEqual([byCommand.json['result'], byCommand.json['firstBad']], ['found', releases[3]]);
  const refused = await app.midflight('bisect', '--good', releases[3] ?? '', '--bad', releases[1] ?? '');
  assert.equal(refused.exitCode, 2);
  assert.match(refused.stderr, /ERR_MIDFLIGHT_BISECT_REFUSED/);
  assert.equal((await app.midflight('bisect', '--good', 'nobody')).exitCode, 2);
  assert.equal(await app.get(), pid);
  assert.deepEqual(
    (await app.status()).workers.map((each) => each.pid),
    before.map((each) => each.pid),
  );
});

/** `rollback` to releases that are kept, or are not: outside of any probation. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestApp, type Files } from '../support/app.ts';

const toFiles = (version: string, isWell: string): Files => ({
  'server.ts': `
import { createServer } from 'node:http';
let asked = 0;
createServer((request, response) => response.end('${version}')).listen(Number(process.env.PORT), '127.0.0.1');
export const health = () => ${isWell};
`,
});

test('a rollback goes to any release that is kept, has one that never proved itself prove itself, and refuses the others', async (t) => {
  const settings = { entry: 'server.ts', probationMs: 300, keep: 2, health: { intervalMs: 50 } };
  const app = await createTestApp({ files: toFiles('one', 'true'), config: settings });
  t.after(() => app.dispose());
  await app.start();
  const { release: one } = await app.status();
  const deploy = async (version: string, isWell: string): Promise<Readonly<Record<string, unknown>>> => {
    app.commit(toFiles(version, isWell));
    return (await app.midflight('deploy', '--json')).json;
  };
  const rollback = async (...id: string[]): Promise<string> => {
    const { json } = await app.midflight('rollback', ...id, '--json');
    const { result = '-', error } = json as { result?: string; error: { code: string } | null };
    return `${result} ${error?.code ?? ''} ${await app.get()}`;
  };
  const bad = await deploy('bad', 'asked++ < 1');
  assert.equal(bad['result'], 'rolled-back');
  assert.equal(await rollback(bad['release'] as string), 'rolled-back ERR_MIDFLIGHT_PROBATION_FAILED one');
  assert.equal((await deploy('two', 'true'))['result'], 'committed');
  assert.equal(await rollback(), 'committed  one');
  assert.equal(await rollback(), 'committed  two');
  assert.equal(await rollback(one), 'committed  one');
  assert.equal(await rollback(one), 'unchanged  one');
  assert.equal(await rollback('20200101T000000000Z-00000000'), 'rejected ERR_MIDFLIGHT_RELEASE_UNKNOWN one');
  assert.equal(await rollback('../../etc'), 'rejected ERR_MIDFLIGHT_RELEASE_UNKNOWN one');
  for (const version of ['three', 'four']) {
    const { result } = await deploy(version, 'true');
    assert.equal(result, 'committed', version);
  }
  // The one that follows a deploy, which nobody waits for, is over then.
  await app.midflight('gc');
  const kept = await rollback(one);
  assert.equal(kept, 'rejected ERR_MIDFLIGHT_RELEASE_UNKNOWN four', 'it was pruned');
});

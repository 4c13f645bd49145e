/** `midflight dev`: an app that does not start, that ends by itself, or that never comes to an end of its start. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createTestDev, type TestDev } from '../support/dev.ts';
import { files, word } from '../support/dev-app.ts';

async function startDev(t: TestContext): Promise<{ dev: TestDev; pid: number }> {
  const dev = await createTestDev(files);
  t.after(() => dev.dispose());
  dev.start('server.ts');
  const { pid } = await dev.next('serving');
  return { dev, pid };
}

test('an app that throws at its start is started when it is mended', async (t) => {
  const dev = await createTestDev({ ...files, 'word.ts': "throw new Error('not yet');\n" });
  t.after(() => dev.dispose());
  dev.start('server.ts');
  const { error, importChain } = await dev.next('start-failed');
  assert.match(error.message, /"word"/);
  assert.deepEqual(importChain, ['server.ts', 'answer.ts']);
  dev.write({ 'word.ts': `${word('a')}throw new Error('not yet');\n` });
  const second = await dev.next('start-failed');
  assert.match(second.error.message, /not yet/);
  assert.deepEqual(second.importChain, ['server.ts', 'answer.ts', 'word.ts']);
  dev.write({ 'word.ts': word('late') });
  await dev.next('serving');
  assert.equal(await dev.get(), 'one late');
});

/** Ends the process when it is told to: not before the swap is made, however long that takes. */
const endsAtSignal = (text: string, act: string): string => `import fs from 'node:fs';
${word(text)}process.once('SIGUSR2', () => { ${act} });
`;

test('an app that crashes is started again by the next save, and its clients wait for it', async (t) => {
  const { dev, pid } = await startDev(t);
  dev.write({ 'word.ts': endsAtSignal('b', "throw new Error('too late');") });
  await dev.next('swapped');
  process.kill(pid, 'SIGUSR2');
  const { how } = await dev.next('ended');
  assert.equal(how, 'exit code 1');
  await dev.prints(/too late[\s\S]*word\.ts:3/);
  const waiting = dev.get();
  dev.write({ 'word.ts': word('c') });
  await dev.next('serving');
  assert.equal(await waiting, 'one c');
  // News of the first save that come after the crash are no save.
  assert.deepEqual([dev.all('ended').length, dev.all('serving').length], [1, 2]);
});

test('what is saved just before an app ends starts it again', async (t) => {
  const { dev, pid } = await startDev(t);
  const saves = `fs.writeFileSync(new URL(import.meta.url), ${JSON.stringify(word('c'))});`;
  dev.write({ 'word.ts': endsAtSignal('b', `${saves} process.exit(3);`) });
  await dev.next('swapped');
  process.kill(pid, 'SIGUSR2');
  const { how } = await dev.next('ended');
  assert.equal(how, 'exit code 3');
  await dev.next('serving');
  assert.equal(await dev.get(), 'one c');
});

test('a swap that never ends, and a start that never ends, are given up for what is saved after them', async (t) => {
  const { dev } = await startDev(t);
  const endless = (text: string): string =>
    `${word(text)}console.log('never ${text}');\nawait new Promise(() => {});\n`;
  for (const text of ['b', 'c']) {
    dev.write({ 'word.ts': endless(text) });
    if (text === 'c') dev.write({ 'package.json': '{}' });
    await dev.prints(new RegExp(`never ${text}`));
    dev.write({ 'word.ts': word(text) });
    await dev.answers(`one ${text}`);
  }
});

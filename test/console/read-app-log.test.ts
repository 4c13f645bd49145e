/** Reading the log of the app across its files. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { followAppLog, readAppLog } from '../../src/console/read-app-log.ts';
import { createAppLog, listRotated } from '../../src/supervisor/app-log.ts';

function makeFile(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-log-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return path.join(directory, 'app.log');
}

const toLines = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}\n`).join('');

test('the last lines are read from as many files as that takes, however few or many are asked for', async (t) => {
  const file = makeFile(t);
  const stream = createAppLog({ file, bytesMax: 300_000, keptMax: 100 }).openStream();
  for (let from = 1; from <= 100_000; from += 100) stream.write(Buffer.from(toLines(from, from + 99)));
  assert.ok(listRotated(file).length >= 3);
  for (const lineCount of [0, 1, 2, 50, 30_000, 99_999, 100_000, 100_001]) {
    let text = '';
    await readAppLog({ file, lineCount, write: (lines) => void (text += lines.toString()) });
    assert.ok(text === toLines(Math.max(1, 100_001 - lineCount), 100_000), String(lineCount));
  }
});

test('nothing is read where nothing was printed', async (t) => {
  const file = path.join(makeFile(t), 'not/there.log');
  await readAppLog({ file, lineCount: 10, write: () => assert.fail() });
});

test('following gives each line once and in order, from before there is a file, while it is changed for others many times', async (t) => {
  const file = makeFile(t);
  const stopped = new AbortController();
  let text = '';
  let next = 1;
  const seen = Promise.withResolvers<void>();
  const following = followAppLog(
    {
      file,
      lineCount: 10,
      write: (lines) => {
        text += lines.toString();
        if (text.endsWith('line 600\n')) seen.resolve();
      },
    },
    stopped.signal,
  );
  const stream = createAppLog({ file, bytesMax: 500, keptMax: 100 }).openStream();
  const timer = setInterval(() => {
    // Several files in one go now and then.
    for (const end = Math.min(600, next + (next % 3 === 0 ? 150 : 10)); next <= end; next++)
      stream.write(Buffer.from(`line ${next}\n`));
    if (next > 600) clearInterval(timer);
  }, 5);
  await seen.promise;
  stopped.abort();
  await following;
  assert.ok(listRotated(file).length > 5);
  assert.equal(text, toLines(1, 600));
});

/** The record of deploys: what it knows after a crash, and which release served before another. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { openHistory, type DeployResult, type History } from '../../src/deploy/history.ts';

function createFile(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-history-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return path.join(directory, 'midflight.db');
}

function record(
  history: History,
  release: string,
  result: DeployResult,
  previous: string | null = null,
): void {
  const id = history.begin('deploy', previous);
  history.end(id, {
    release,
    previous,
    path: 'swap',
    result,
    reasons: [],
    timings: { buildMs: 1 },
    evidence: null,
  });
}

test('the pointers and the rows outlive the process that wrote them', (t) => {
  const file = createFile(t);
  const first = openHistory(file);
  record(first, 'a', 'committed');
  first.setCurrent('a');
  first.setProved('a');
  assert.equal(first.generationCount(), 0);
  first.setGenerationCount(12);
  first.noteUnswappable('time.ts 1');
  first.close();
  const second = openHistory(file);
  assert.deepEqual([second.current(), second.proved()], ['a', 'a']);
  assert.equal(second.generationCount(), 12);
  assert.deepEqual([...second.unswappable()], ['time.ts 1']);
  assert.deepEqual(second.list(5)[0]?.timings, { buildMs: 1 });
  second.close();
});

test('a deploy that was under way when its supervisor died is interrupted with evidence', (t) => {
  const file = createFile(t);
  const first = openHistory(file);
  first.note(first.begin('deploy', 'a'), { release: 'b', path: 'swap' });
  first.close();
  const next = openHistory(file);
  assert.equal(next.list(1)[0]?.result, 'running');
  next.interrupt('it was killed');
  const row = next.list(1)[0];
  assert.equal(row?.result, 'interrupted');
  assert.deepEqual(
    [row.action, row.release, row.path, row.evidence],
    ['deploy', 'b', 'swap', 'it was killed'],
  );
  assert.notEqual(row.endedAt, null);
  next.close();
});

test('the release before is the last other one that was committed, also after going back', (t) => {
  const history = openHistory(createFile(t));
  assert.equal(history.servedBefore('a'), null);
  record(history, 'a', 'committed');
  record(history, 'b', 'committed', 'a');
  record(history, 'x', 'rejected', 'b');
  record(history, 'y', 'rolled-back', 'b');
  assert.equal(history.servedBefore('b'), 'a');
  record(history, 'c', 'committed', 'b');
  assert.equal(history.servedBefore('c'), 'b');
  record(history, 'b', 'committed', 'c');
  assert.equal(history.servedBefore('b'), 'c');
  history.close();
});

test('the newest deploys come first, as many as are asked for', (t) => {
  const history = openHistory(createFile(t));
  for (const release of ['a', 'b', 'c']) record(history, release, 'committed');
  assert.deepEqual(
    history.list(2).map(({ release }) => release),
    ['c', 'b'],
  );
  history.close();
});

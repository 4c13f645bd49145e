import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CpuWindow } from '../../../src/plugin/thread/cpu-window.ts';

/** What is said of a thread that uses `share` of a processor for so long. */
function judge(limit: number, shares: readonly number[]): string[] {
  const window = new CpuWindow(limit);
  const said: string[] = [];
  let cpuMs = 0;
  for (const [index, share] of shares.entries()) {
    const why = window.add({ atMs: index * 500, cpuMs });
    if (why !== null) said.push(why);
    cpuMs += share * 500;
  }
  return said;
}

test('a share of the processor is judged over whole windows only', () => {
  assert.deepEqual(judge(0.5, Array<number>(40).fill(0.4)), []);
  assert.deepEqual(judge(0.5, Array<number>(9).fill(1)), []);
  assert.match(
    judge(0.5, Array<number>(12).fill(1))[0] ?? '',
    /used 1\.00 of a processor over 5 s.*cpuShare is 0\.5/,
  );
});

test('a burst that the rest of the window makes up for is no excess', () => {
  assert.deepEqual(judge(0.5, [...Array<number>(10).fill(0.1), 1, 1, 1, ...Array<number>(10).fill(0.1)]), []);
});

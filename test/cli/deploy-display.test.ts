import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { createDeployDisplay, type DeployDisplay } from '../../src/cli/deploy-display.ts';
import type { DeployReport } from '../../src/deploy/deploy-request.ts';

interface Shown {
  readonly display: DeployDisplay;
  readonly written: string[];
  passTime(ms: number): void;
}

function show(isTerminal: boolean): Shown {
  const written: string[] = [];
  let nowMs = 0;
  const write = (text: string): void => void written.push(text);
  const display = createDeployDisplay({ isTerminal, columns: 80, write }, () => nowMs);
  return { display, written, passTime: (ms) => void (nowMs += ms) };
}

const committed: DeployReport = {
  release: 'new',
  previous: 'old',
  path: 'swap',
  result: 'committed',
  reasons: [],
  generation: 2,
  workers: 1,
  timings: { fetchMs: 20, buildMs: 2_380 },
  error: null,
};

const steps: readonly [string, number, string?][] = [
  ['fetch', 0, 'HEAD'],
  ['build', 20],
  ['plan', 2_400, 'swap: MF1001'],
  ['prepare', 2_400, 'swap'],
  ['commit', 2_405, 'generation 2 serves'],
  ['probation', 2_405, 'for 4000 ms'],
  ['hook', 2_900, 'afterCommit passed'],
  ['passed', 6_405],
];

test('without a terminal each step is one plain line with its time, and the slowest is named', () => {
  const { display, written } = show(false);
  for (const [step, atMs, message = ''] of steps) display.progress({ step, message, run: 1, atMs });
  display.tick();
  display.report(committed);
  assert.deepEqual(written.join('').split('\n'), [
    '✓ fetch         20 ms  HEAD',
    '✓ build         2.4 s',
    '  plan                 swap: MF1001',
    '✓ prepare        5 ms  swap',
    '  commit               generation 2 serves',
    '  hook                 afterCommit passed',
    '✓ probation     4.0 s  for 4000 ms',
    '  passed',
    'committed new by swap, generation 2',
    'slowest: build, 2.4 s of 2.4 s',
    'fetch 20 ms, build 2.4 s',
    '',
  ]);
});

test('a failure says the reason first, then the end of the evidence, then what to do', () => {
  const { display, written } = show(false);
  display.progress({ step: 'build', message: '', run: 1, atMs: 0 });
  display.progress({ step: 'rejected', message: 'The build failed:\nline 1', run: 1, atMs: 70 });
  const output = Array.from({ length: 70 }, (_, index) => `line ${index}`);
  const message = ['The build "make" failed:', ...output].join('\n');
  const error = { code: 'ERR_MIDFLIGHT_BUILD_FAILED', message, exitCode: 3 } as const;
  const timings = { buildMs: 70 };
  const printed = 'worker 7:\nno database\n';
  display.report({ ...committed, release: null, result: 'rejected', timings, error, output: printed });
  const lines = written.join('').split('\n');
  assert.deepEqual(lines.slice(0, 5), [
    '✗ build         70 ms',
    'rejected in build',
    'ERR_MIDFLIGHT_BUILD_FAILED: The build "make" failed:',
    '  | … 10 lines before these are in "midflight history 1"',
    '  | line 10',
  ]);
  assert.deepEqual(lines.slice(-7), [
    '  | line 69',
    'it had printed last:',
    '  | worker 7:',
    '  | no database',
    'old serves on: nothing has changed; correct that, and try again',
    'build 70 ms',
    '',
  ]);
});

test('a step that says what it is at is one step', () => {
  const told: readonly [string, number, string?][] = [
    ['build', 0],
    ['build', 2_100, 'compiling a'],
    ['build', 4_200, 'compiling b'],
    ['prepare', 5_000, 'swap'],
    ['prepare', 5_010, 'the swap failed, so a new process is tried'],
    ['commit', 5_300],
  ];
  const seen = [false, true].map((isTerminal) => {
    const { display, written } = show(isTerminal);
    for (const [step, atMs, message = ''] of told) display.progress({ step, message, run: 1, atMs });
    const lines = written.filter((text) => text.endsWith('\n'));
    return lines.map((text) => stripVTControlCharacters(text).trim());
  });
  assert.deepEqual(seen, [
    [
      'build                compiling a',
      'build                compiling b',
      '✓ build         5.0 s',
      'prepare              the swap failed, so a new process is tried',
      '✓ prepare      300 ms  swap',
      'commit',
    ],
    [
      '✓ build         5.0 s  compiling b',
      '✓ prepare      300 ms  the swap failed, so a new process is tried',
      'commit',
    ],
  ]);
});

test('at a terminal the last line is the step under way with its time so far, and a question takes its place', () => {
  const { display, written, passTime } = show(true);
  const last = (): string => written.at(-1)?.replaceAll('\r\u001B[2K', '<') ?? '';
  display.progress({ step: 'build', message: 'x'.repeat(200), run: 1, atMs: 0 });
  passTime(1_500);
  display.tick();
  assert.match(last(), /^<. build {9}1\.5 s {2}x+$/);
  assert.equal(last().length, 80);
  display.ask('abort?');
  assert.equal(last(), '<abort?');
  display.say('aborting');
  assert.deepEqual(written.slice(-2), ['\r\u001B[2Kaborting\n', '\r\u001B[2Kabort?']);
  display.ask(null);
  assert.match(last(), /build/);
  display.close();
  assert.equal(last(), '<');
});

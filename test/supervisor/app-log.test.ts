/** The log of the app: whole lines in files of bounded size, by who writes and by what goes wrong. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { createAppLog, LINE_BYTES_MAX, listRotated } from '../../src/supervisor/app-log.ts';
import { openProcessOutput } from '../../src/supervisor/process-output.ts';

const KEPT_ALL = 10_000;

function makeFile(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-log-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return path.join(directory, 'logs/app.log');
}

const readFiles = (file: string): readonly string[] =>
  [...listRotated(file), file].map((name) => readFileSync(name, 'utf8'));

test('what two processes print at full speed is there line by line, once each, and no file is too long or ends within a line', async (t) => {
  const file = makeFile(t);
  const log = createAppLog({ file, bytesMax: 100_000, keptMax: KEPT_ALL });
  const count = 20_000;
  const printed = ['a', 'b'].map(async (name) => {
    const output = openProcessOutput([], log);
    const child = spawn('sh', ['-c', `seq -f 'line ${name} %.0f ${'x'.repeat(60)}' ${count}`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    output.read(child);
    await once(child, 'exit');
    await output.ended();
  });
  await Promise.all(printed);
  const files = readFiles(file);
  assert.ok(files.length > 20);
  for (const text of files) {
    assert.ok(text.length <= 100_000);
    assert.ok(text.endsWith('\n'));
  }
  const lines = files.join('').trimEnd().split('\n');
  for (const name of ['a', 'b']) {
    const own = lines
      .filter((line) => line.startsWith(`line ${name} `))
      .map((line) => Number(line.split(' ')[2]));
    assert.deepEqual(
      own,
      Array.from({ length: count }, (_, index) => index + 1),
    );
  }
});

test('only the newest files are kept, and their names sort by time though the clock goes back', (t) => {
  const file = makeFile(t);
  const now = { value: Date.parse('2026-01-01T00:00:00Z') };
  t.mock.method(Date, 'now', () => (now.value -= 1_000));
  const stream = createAppLog({ file, bytesMax: 10, keptMax: 3 }).openStream();
  for (let number = 100; number < 110; number++) stream.write(Buffer.from(`line ${number}\n`));
  assert.deepEqual(readFiles(file), ['line 106\n', 'line 107\n', 'line 108\n', 'line 109\n']);
});

test('two who write beside each other, and an operator who moves the file away, lose each other no line', (t) => {
  const file = makeFile(t);
  const open = (): ReturnType<ReturnType<typeof createAppLog>['openStream']> =>
    createAppLog({ file, bytesMax: 50, keptMax: KEPT_ALL }).openStream();
  const streams = [open(), open()];
  for (let number = 0; number < 100; number++) streams[number % 2]?.write(Buffer.from(`${number}\n`));
  renameSync(file, `${file}.moved`);
  for (const stream of streams) stream.write(Buffer.from('after\n'));
  const moved = readFileSync(`${file}.moved`, 'utf8');
  const lines = [...readFiles(file).slice(0, -1), moved].join('').trimEnd().split('\n').map(Number);
  assert.deepEqual(
    lines,
    Array.from({ length: 100 }, (_, index) => index),
  );
  assert.equal(readFileSync(file, 'utf8'), 'after\nafter\n');
});

test('a line that was begun waits for its end, is ended with the output, and is cut where it is too long', (t) => {
  const file = makeFile(t);
  const log = createAppLog({ file });
  const [one, two, long] = [log.openStream(), log.openStream(), log.openStream()];
  one.write(Buffer.from('begun'));
  two.write(Buffer.from('two\n'));
  one.write(Buffer.from(' and ended\nrest'));
  one.end();
  assert.equal(readFileSync(file, 'utf8'), 'two\nbegun and ended\nrest\n');
  long.write(Buffer.alloc(LINE_BYTES_MAX + 1, 'x'));
  assert.equal(statSync(file).size, 'two\nbegun and ended\nrest\n'.length + LINE_BYTES_MAX + 2);
});

test('a write that fails loses its lines, and the next that does not says how many bytes', (t) => {
  const file = makeFile(t);
  const stream = createAppLog({ file }).openStream();
  rmSync(path.dirname(file), { recursive: true });
  writeFileSync(path.dirname(file), 'not a folder');
  stream.write(Buffer.from('lost\n'));
  stream.write(Buffer.from('lost too\n'));
  rmSync(path.dirname(file));
  stream.write(Buffer.from('written\n'));
  assert.equal(
    readFileSync(file, 'utf8'),
    'midflight: 14 bytes that were printed here could not be written\nwritten\n',
  );
});

test('a process whose reader is killed prints on into the log, also without Node', async (t) => {
  const file = makeFile(t);
  mkdirSync(path.dirname(file), { recursive: true });
  const reader = new URL('./output-process.ts', import.meta.url).pathname;
  for (const isNodeThere of [true, false]) {
    const parent = spawn(process.execPath, [reader, file, String(isNodeThere)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [chunk] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number.parseInt(chunk.toString(), 10);
    t.after(() => process.kill(pid, 'SIGKILL'));
    while (!readFiles(file).join('').includes(`${pid} before`)) await once(parent.stdout, 'data');
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    process.kill(pid, 'SIGUSR1');
    const marker = path.join(path.dirname(file), String(pid));
    while (!isThere(marker)) await new Promise((resolve) => setTimeout(resolve, 10));
    if (isNodeThere)
      while (!readFileSync(file, 'utf8').includes(`${pid} after`))
        await new Promise((resolve) => setTimeout(resolve, 10));
    process.kill(pid, 0);
  }
});

function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}

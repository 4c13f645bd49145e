import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { AuditEntry } from '../../src/deploy/audit-chain.ts';
import { appendAudit, readAudit } from '../../src/deploy/audit-log.ts';

const actor = { by: 'command', uid: 1, user: 'ada', pid: 2 } as const;
const toEntry = (detail: string): AuditEntry => ({ action: 'deploy', actor, result: 'committed', detail });

function makeLog(t: TestContext, count: number): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-audit-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = path.join(directory, 'audit.log');
  for (let number = 1; number <= count; number++) appendAudit(file, toEntry(`entry ${number}`));
  return file;
}

const editLines = (file: string, edit: (lines: string[]) => string[]): void => {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  writeFileSync(file, `${edit(lines).join('\n')}\n`);
};

test('what was appended is read back in its order, in a file that only its owner can read', (t) => {
  const file = makeLog(t, 3);
  const { lines, broken, torn } = readAudit(file);
  assert.deepEqual([broken, torn], [null, []]);
  assert.deepEqual(
    lines.map(({ line, detail }) => [line, detail]),
    [
      [1, 'entry 1'],
      [2, 'entry 2'],
      [3, 'entry 3'],
    ],
  );
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

const attacks: Readonly<Record<string, { edit: (lines: string[]) => string[]; line: number }>> = {
  'a changed word': { edit: (lines) => lines.map((line) => line.replace('entry 2', 'entry x')), line: 2 },
  'a line that was taken out': { edit: (lines) => lines.toSpliced(1, 1), line: 2 },
  'a line that was put in': { edit: (lines) => lines.toSpliced(2, 0, lines[1] ?? ''), line: 3 },
  'lines that changed places': {
    edit: ([one = '', two = '', ...rest]) => [two, one, ...rest],
    line: 1,
  },
  'an empty line': { edit: (lines) => lines.toSpliced(3, 0, ''), line: 4 },
  'a changed last line': {
    edit: (lines) => lines.map((line) => line.replace('entry 4', 'entry x')),
    line: 4,
  },
};

for (const [name, { edit, line }] of Object.entries(attacks)) {
  test(`the chain breaks at ${name}`, (t) => {
    const file = makeLog(t, 4);
    editLines(file, edit);
    assert.equal(readAudit(file).broken?.line, line);
  });
}

test('half a line that a crash has left is told, chained over, and breaks nothing', (t) => {
  const file = makeLog(t, 2);
  truncateSync(file, statSync(file).size - 40);
  assert.equal(readAudit(file).torn[0]?.line, 2);
  appendAudit(file, toEntry('after the crash'));
  const { lines, torn, broken } = readAudit(file);
  assert.deepEqual(
    lines.map(({ line, action }) => [line, action]),
    [
      [1, 'deploy'],
      [3, 'torn'],
      [4, 'deploy'],
    ],
  );
  assert.deepEqual([broken, torn.map(({ line }) => line)], [null, [2]]);
});

test('half a line that was changed later breaks the chain', (t) => {
  const file = makeLog(t, 2);
  truncateSync(file, statSync(file).size - 40);
  appendAudit(file, toEntry('after the crash'));
  editLines(file, (lines) => lines.map((line, index) => (index === 1 ? 'something else' : line)));
  assert.equal(readAudit(file).broken?.line, 2);
});

test('half a first line, and a line without its newline, are chained over', (t) => {
  const file = makeLog(t, 0);
  writeFileSync(file, '{"line":1,"at"');
  appendAudit(file, toEntry('first'));
  truncateSync(file, statSync(file).size - 1);
  appendAudit(file, toEntry('second'));
  const { lines, broken } = readAudit(file);
  assert.equal(broken, null);
  assert.deepEqual(
    lines.map(({ line, action }) => [line, action]),
    [
      [2, 'torn'],
      [3, 'deploy'],
      [4, 'deploy'],
    ],
  );
});

test('what is appended to a broken log leaves the break where it was', (t) => {
  const file = makeLog(t, 3);
  appendFileSync(file, 'nonsense\n');
  appendAudit(file, toEntry('later'));
  assert.equal(readAudit(file).broken?.line, 4);
});

test('processes that append at once make one chain', async (t) => {
  const file = makeLog(t, 1);
  const source = new URL('../../src/deploy/audit-log.ts', import.meta.url).href;
  const script = `import { appendAudit } from ${JSON.stringify(source)};
    for (let i = 0; i < 5; i++) appendAudit(${JSON.stringify(file)}, ${JSON.stringify(toEntry('beside'))});`;
  const children = Array.from({ length: 3 }, () =>
    spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'inherit' }),
  );
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0] as unknown));
  assert.deepEqual(codes, [0, 0, 0]);
  const { lines, broken } = readAudit(file);
  assert.deepEqual([lines.length, broken], [16, null]);
});

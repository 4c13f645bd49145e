/** docs/reference/protocol.md names every route, request, event and step that there is, and no other. */

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { plain, readTable, readText } from './markdown.ts';

const text = readText('docs/reference/protocol.md');
const messages = readText('src/protocol/messages.ts');

test('the reference of protocols has each route of the control socket', () => {
  const routes = readText('src/console/control-server.ts').matchAll(/app\.(get|post)\('(\/[\w-]+)'/g);
  assert.deepEqual(
    readTable(text, ['request', 'body']).map((row) => plain(row['request'] ?? '').replace(/\?.*/, '')),
    [...routes].map(([, method = '', route = '']) => `${method.toUpperCase()} ${route}`),
  );
});

test('the reference of protocols has each event of a stream', () => {
  const server = readText('src/console/control-server.ts');
  const events = [...server.matchAll(/send\('(\w+)'/g)].map(([, event = '']) => event);
  assert.deepEqual(cellsOf('event', 'data').toSorted(), [...new Set(events)].toSorted());
});

test('the reference of protocols has each step that progress tells', () => {
  const files = readdirSync('src/deploy').map((name) => `src/deploy/${name}`);
  const sources = [...files, 'src/release/build.ts'].map((file) => readText(file)).join('');
  const told = [...sources.matchAll(/tell\('(\w+)'/g)].map(([, step = '']) => step);
  const built = /buildSteps = \[([^\]]*)\]/.exec(sources)?.[1]?.match(/\w+/g) ?? [];
  const steps = new Set([...told, ...built, 'wait', 'passed', 'superseded']);
  assert.deepEqual(cellsOf('step', 'message').toSorted(), [...steps].toSorted());
});

test('the reference of protocols has each request to a worker', () => {
  assert.deepEqual(cellsOf('request', 'done'), typesOf('WorkerRequest'));
});

test('the reference of protocols has each event from a worker', () => {
  assert.deepEqual(cellsOf('event', 'means'), typesOf('WorkerEvent'));
});

function cellsOf(column: string, other: string): string[] {
  return readTable(text, [column, other]).flatMap((row) => plain(row[column] ?? '').split(', '));
}

/** The `type`s of a union in src/protocol/messages.ts. */
function typesOf(union: string): string[] {
  const declaration = new RegExp(`export type ${union} =([\\s\\S]*?)\\n\\n`).exec(messages)?.[1] ?? '';
  return [...declaration.matchAll(/readonly type: '(\w+)'/g)].map(([, type = '']) => type);
}

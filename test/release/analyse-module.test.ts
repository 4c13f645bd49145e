/** What the text of a module tells a plan: its states, what it does to the world, and the types of its exports. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readExportedTypes } from '../../src/release/exported-types.ts';
import { transformModule, type TransformedModule } from '../../src/release/transform/transform.ts';
import { readTypeScriptSettings } from '../../src/release/transform/typescript-settings.ts';

const settings = readTypeScriptSettings('/nowhere');

function analyse(source: string): TransformedModule {
  return transformModule({ path: 'a.ts', source, packageType: 'module', settings });
}

function statesOf(source: string): string[] {
  return (analyse(source).states ?? []).map(({ name, version, line }) => `${name} ${version} ${line}`);
}

function effectsOf(source: string): string[] {
  const { hazards } = analyse(source);
  return hazards.filter(({ kind }) => kind === 'side-effect').map(({ line, detail }) => `${line} ${detail}`);
}

test('states are known by name, version and line, under whatever name state is imported', () => {
  const source = `import { state as keep } from 'midflight';
    interface Shape { a: number }
    export const a = keep<Shape>('a', () => ({ a: 1 }), { version: 2, migrate: {} });
    export const b = keep('b', 1);
    function inner() { const keep = (name: string) => name; return keep('not one'); }
    export const c = keep(\`c\`, 1, inner());`;
  assert.deepEqual(statesOf(source), ['a 2 3', 'b 0 4', 'c null 6']);
});

test('a state that may have any name is one without a name', () => {
  const unknown = ['null null 2'];
  assert.deepEqual(
    statesOf("import { state } from 'midflight';\nstate(name(), 1, {}); declare const name: () => string;"),
    ['null 0 2'],
  );
  assert.deepEqual(
    statesOf(
      "import { state } from 'midflight';\nexport const mine = wrap(state); declare const wrap: Function;",
    ),
    unknown,
  );
  for (const text of [
    "import * as flight from 'midflight'; flight.state('a', 1);",
    "export { state } from 'midflight';",
    "export * from 'midflight';",
    "const { state } = await import('midflight'); state('a', 1);",
  ])
    assert.deepEqual(statesOf(text), ['null null 1'], text);
  assert.deepEqual(statesOf("import { defineConfig } from 'midflight'; defineConfig({});"), []);
});

test('what a module does to the world while it is evaluated is told, by line', () => {
  const source = `import fs, { mkdirSync } from 'node:fs';
import { writeFile as write } from 'fs/promises';
import * as net from 'node:net';
mkdirSync('data');
fs.promises.rm('x');
await write('a', 'b');
export const socket = net.connect(1);
process.env.TZ = 'UTC';
globalThis.app = {};
if (true) fetch('http://127.0.0.1');
class Once { static { process.chdir('/'); } }`;
  assert.deepEqual(effectsOf(source), [
    '4 fs.mkdirSync',
    '5 fs.promises.rm',
    '6 fs/promises.writeFile',
    '7 net.connect',
    '8 process.env.TZ',
    '9 globalThis.app',
    '10 fetch',
    '11 process.chdir',
  ]);
});

test('what only asks, what runs later and what has another meaning is no side effect', () => {
  const source = `import fs from 'node:fs';
const fetch = (url: string) => url; fetch('a');
fs.readFileSync('a'); fs.existsSync('a'); process.umask();
export function later() { fs.mkdirSync('a'); process.env.A = 'b'; }
export class Field { made = fs.mkdirSync('a'); }
const process2 = { env: { A: '' } }; process2.env.A = 'c';`;
  assert.deepEqual(effectsOf(source), []);
});

test('exports have the types that their text states, and none where these are inferred', () => {
  const source = `import type { Zone } from './zone.ts';
    export const limit = 5; export let cache = new Map<string, number>(); export const zones: Zone[] = [];
    export function now(zone: Zone, at = 0): Promise<Date> { return load(zone, at); }
    export function inferred(zone: Zone) { return load(zone, 0); }
    export function over(a: string): string; export function over(a: number): number; export function over(a: unknown): unknown { return a; }
    export class Clock extends Error { #ticks = 1; private zone = ''; now(): number { return this.#ticks; } }
    const local = (a: string): void => {}; export { local as renamed };
    export interface Type { a: string }
    export default async function load(zone: Zone, at: number): Promise<Date> { return null!; }`;
  assert.deepEqual(Object.fromEntries(readExportedTypes('a.ts', source)), {
    limit: '5',
    zones: 'Zone[]',
    now: '(zone: Zone, at?: number) => Promise<Date>',
    over: '(a: string) => string & (a: number) => number',
    Clock: 'class extends Error { now(): number; }',
    renamed: '(a: string) => void',
    default: '(zone: Zone, at: number) => Promise<Date>',
  });
  assert.equal(readExportedTypes('a.js', 'export const a = 1;').size, 0);
  assert.equal(readExportedTypes('a.ts', 'export const = ;').size, 0);
});

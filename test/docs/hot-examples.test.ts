/** The programs in docs/reference/import-meta-hot.md, swapped in one after the other, print what the page says. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { runApp, type RunningApp } from '../deploy/runtime-fixture.ts';
import { MidflightError } from '../../src/errors.ts';
import { readText } from './markdown.ts';

const page = 'docs/reference/import-meta-hot.md';
const blocks = /^```(ts|text)\n(.*?)^```/gms;

for (const section of readText(page).split(/^(?=## )/m)) {
  const found = [...section.matchAll(blocks)].map(([, kind = '', text = '']) => ({ kind, text }));
  if (found.length === 0) continue;
  const [heading = ''] = section.split('\n');
  test(`the programs of "${heading.slice(3)}" do what ${page} says`, async (t) => {
    const printed = capture(t);
    let app: RunningApp | null = null;
    let files: Record<string, string> = {};
    for (const { kind, text } of found) {
      if (kind === 'ts') {
        Object.assign(files, toFile(text));
        continue;
      }
      const said: string = app === null ? '' : await swap(app, files);
      app ??= await runApp(t, files);
      files = {};
      // What comes after the commit: callbacks of dispose, and what the program itself has put off.
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(`${printed()}${said}`, text);
    }
    assert.deepEqual(files, {}, 'each program has its output');
  });
}

/** The plan's reasons but the first, or the code of the error. */
async function swap(app: RunningApp, files: Record<string, string>): Promise<string> {
  try {
    const prepared = await app.prepare(files);
    const { path, reasons } = prepared.plan;
    if (path === 'swap') await prepared.commit();
    else prepared.abort();
    const others = reasons.filter(({ code }) => code !== 'MF1001');
    return others.map(({ code, message }) => `${code} ${message}\n`).join('');
  } catch (error) {
    if (error instanceof MidflightError) return `${error.code}\n`;
    throw error;
  }
}

function toFile(text: string): Record<string, string> {
  const [, name] = /^\/\/ (\S+)\n/.exec(text) ?? [];
  assert.ok(name !== undefined, `a program names its file:\n${text}`);
  return { [name]: text };
}

function capture(t: TestContext): () => string {
  let printed = '';
  t.mock.method(console, 'log', (...values: unknown[]) => {
    printed += `${values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' ')}\n`;
  });
  return () => {
    const text = printed;
    printed = '';
    return text;
  };
}

/** docs/guide/websockets.md shows what examples/chat is, which a test deploys. */

import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { readText, repository } from './markdown.ts';

const page = 'docs/guide/websockets.md';
const folder = path.join(repository, 'examples/chat');
const sources = globSync('**/*.ts', { cwd: folder, exclude: ['node_modules/**', '.midflight/**'] });
const example = sources.map((name) => readText(`examples/chat/${name}`)).join('\n');
const [ours = ''] = readText(page).split('\n## Those that are not carried');
const snippets = [...ours.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, snippet = '']) => snippet);

test(`each part of the programs of ${page} is in examples/chat`, () => {
  const parts = snippets.flatMap((snippet) => snippet.split('\n\n'));
  assert.ok(snippets.length > 2 && parts.length > 6);
  for (const part of parts) assert.ok(example.includes(part.trimEnd()), part);
});

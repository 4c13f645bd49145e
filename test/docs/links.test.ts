/** Links between our own pages lead somewhere, and the pages that everybody reads stay short. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { listMarkdown, readText, repository } from './markdown.ts';

const limits: Readonly<Record<string, number>> = { 'README.md': 150, 'ARCHITECTURE.md': 300 };
const DESIGN_LINES_MAX = 120;

test('every relative link leads to a file, and to a heading of it where it names one', () => {
  for (const page of listMarkdown()) {
    for (const target of linksOf(readText(page))) {
      const [name = '', anchor] = target.split('#');
      const file = name === '' ? page : path.posix.join(path.posix.dirname(page), name);
      assert.ok(existsSync(path.join(repository, file)), `${page} links to ${target}, which is not there`);
      if (anchor === undefined || !file.endsWith('.md')) continue;
      assert.ok(
        anchorsOf(readText(file)).includes(anchor),
        `${page} links to ${target}, which is no heading`,
      );
    }
  }
});

test('the pages that everybody reads stay short', () => {
  for (const [page, limit] of Object.entries(limits)) assert.ok(countLines(page) <= limit, page);
  const designs = listMarkdown().filter((page) => page.startsWith('docs/design/'));
  assert.ok(designs.length > 0);
  for (const page of designs) assert.ok(countLines(page) <= DESIGN_LINES_MAX, page);
});

test('every page of docs can be found from the README', () => {
  const found = new Set(['README.md']);
  for (const page of found) {
    if (!page.endsWith('.md')) continue;
    for (const target of linksOf(readText(page))) {
      const [name = ''] = target.split('#');
      const file = path.posix.join(path.posix.dirname(page), name);
      if (name !== '' && existsSync(path.join(repository, file))) found.add(file);
    }
  }
  const lost = listMarkdown().filter((page) => page.startsWith('docs/') && !found.has(page));
  assert.deepEqual(lost, []);
});

/** The links that are relative; what is in code is none. */
function linksOf(text: string): string[] {
  const prose = text.replaceAll(/^```.*?^```/gms, '').replaceAll(/`[^`]*`/g, '');
  const targets = [...prose.matchAll(/\]\(([^()\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => !/^[a-z]+:/.test(target));
}

/** The anchors of a page's headings, as they are made by what shows Markdown. */
function anchorsOf(text: string): string[] {
  const headings = text.replaceAll(/^```.*?^```/gms, '').matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function countLines(page: string): number {
  return readText(page).trimEnd().split('\n').length;
}

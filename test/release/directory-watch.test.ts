import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { createDirectoryWatch } from '../../src/release/directory-watch.ts';

function createTree(t: TestContext): string {
  const root = mkdtempSync(path.join(tmpdir(), 'midflight-watch-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(path.join(root, 'deep'));
  return root;
}

test('a file that is written, or renamed over, is told by its path', async (t) => {
  const root = createTree(t);
  const news = new EventEmitter<Record<string, []>>();
  const watch = createDirectoryWatch((file) => news.emit(path.relative(root, file)));
  t.after(() => watch.follow([]));
  watch.follow([path.join(root, 'deep')]);
  const written = once(news, 'deep/a.ts');
  writeFileSync(path.join(root, 'deep/a.ts'), '1');
  await written;
  const renamed = once(news, 'deep/a.ts');
  writeFileSync(path.join(root, 'b.tmp'), '2');
  renameSync(path.join(root, 'b.tmp'), path.join(root, 'deep/a.ts'));
  await renamed;
});

test('a directory that is replaced is told by refresh, and is watched again', async (t) => {
  const root = createTree(t);
  const news = new EventEmitter<Record<string, []>>();
  const watch = createDirectoryWatch((file) => news.emit(path.relative(root, file)));
  t.after(() => watch.follow([]));
  const deep = path.join(root, 'deep');
  watch.follow([deep, path.join(root, 'absent')]);
  assert.deepEqual(watch.refresh(), []);
  rmSync(deep, { recursive: true });
  assert.deepEqual(watch.refresh(), []);
  mkdirSync(deep);
  assert.deepEqual(watch.refresh(), [deep]);
  const written = once(news, 'deep/a.ts');
  writeFileSync(path.join(deep, 'a.ts'), '1');
  await written;
  assert.equal(watch.follows(path.join(root, 'absent')), true);
});

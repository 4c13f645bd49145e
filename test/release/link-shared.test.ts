import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { linkShared } from '../../src/release/link-shared.ts';

interface Place {
  readonly appDirectory: string;
  readonly root: string;
  link(...names: string[]): Promise<void>;
}

/** An app with an upload, and the tree of a release. */
function makePlace(t: TestContext): Place {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-shared-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [appDirectory, root] = [path.join(directory, 'app'), path.join(directory, 'tree')];
  mkdirSync(path.join(appDirectory, 'data/uploads'), { recursive: true });
  writeFileSync(path.join(appDirectory, 'data/uploads/one.txt'), 'one');
  mkdirSync(path.join(root, 'data'), { recursive: true });
  writeFileSync(path.join(root, 'data/example.txt'), 'of the repository');
  return { appDirectory, root, link: async (...names) => linkShared({ appDirectory, root, names }) };
}

test('a shared path of a release is a link to that of the app, in place of what the repository has there', async (t) => {
  const { appDirectory, root, link } = makePlace(t);
  await link('data/', './deep/er/file.db');
  assert.equal(readFileSync(path.join(root, 'data/uploads/one.txt'), 'utf8'), 'one');
  assert.equal(readlinkSync(path.join(root, 'deep/er/file.db')), path.join(appDirectory, 'deep/er/file.db'));
});

test('a shared path below another, or below a link of the repository, is refused, and nothing is removed there', async (t) => {
  const { appDirectory, root, link } = makePlace(t);
  symlinkSync(path.join(appDirectory, 'data'), path.join(root, 'elsewhere'));
  for (const names of [['data', 'data/uploads'], ['elsewhere/uploads'], ['elsewhere/a/b']])
    await assert.rejects(link(...names), {
      code: 'ERR_MIDFLIGHT_CONFIG_INVALID',
      message: /which is a link/,
    });
  assert.ok(existsSync(path.join(appDirectory, 'data/uploads/one.txt')));
  assert.equal(existsSync(path.join(appDirectory, 'data/a')), false);
});

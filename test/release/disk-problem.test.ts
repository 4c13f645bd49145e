import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MidflightError } from '../../src/errors.ts';
import { explainDiskProblem } from '../../src/release/disk-problem.ts';

test('a build that fails at another read-only place is told as it is, and a full disk in its words is one', () => {
  const failed = new MidflightError('ERR_MIDFLIGHT_BUILD_FAILED', ['npm run build', 'EROFS: /usr/lib/x']);
  assert.equal(explainDiskProblem(failed, import.meta.dirname), failed);
  const missing = Object.assign(new Error('no such file'), { code: 'ENOENT' });
  assert.equal(explainDiskProblem(missing, import.meta.dirname), missing);
  assert.match(
    String(explainDiskProblem(new Error('tar: No space left on device'), '/app')),
    /disk of \/app is full/,
  );
});

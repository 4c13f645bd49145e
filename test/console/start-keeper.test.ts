/** The keeper has little to fail by: it loads no package, and nothing that only a supervisor needs. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { repository } from '../support/app.ts';

test('the keeper loads no package, no compiler, no record and no control server', () => {
  const entry = path.join(repository, 'src/console/start-keeper.ts');
  const script = `
    const loaded = [];
    require('node:module').registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    import(${JSON.stringify(entry)}).then(() => console.log(JSON.stringify(loaded)));`;
  const { stdout } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  const loaded = (JSON.parse(stdout) as string[]).filter((url) => !url.startsWith('node:'));
  const isSmall =
    /\/src\/(?:errors|console\/start-keeper|release\/(?:home|file-lock|disk-problem)|protocol\/[\w-]+|supervisor\/[\w-]+|runtime\/servers\/[\w-]+)\.ts$/;
  assert.deepEqual(
    loaded.filter((url) => !isSmall.test(url)),
    [],
  );
  const supervisorOnly = /\/(?:workers|crew|recovery|keeper-client|node-worker|command-worker)\.ts$/;
  assert.deepEqual(
    loaded.filter((url) => supervisorOnly.test(url)),
    [],
  );
  assert.ok(loaded.some((url) => url.endsWith('/supervisor/keeper.ts')));
});

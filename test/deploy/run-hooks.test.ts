/** That a hook ends with the deploy that it is for. */

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeployParts } from '../../src/deploy/deploy-parts.ts';
import { abortRun, type DeployRun } from '../../src/deploy/deploy-run.ts';
import { runHookOf } from '../../src/deploy/run-hooks.ts';
import type { RunnableRelease } from '../../src/supervisor/process-host.ts';
import { untilEnded } from '../support/processes.ts';

test('a beforeApply that ignores the end of its deploy is killed with what it has started, long before its own deadline', async (t) => {
  const root = mkdtempSync(path.join(tmpdir(), 'midflight-hook-'));
  t.after(() => rmSync(root, { recursive: true }));
  const child = 'trap "" TERM; echo $$ > begun; mv begun child; for each in 1 2 3 4 5 6; do sleep 100; done';
  const beforeApply = `trap '' TERM; sh -c '${child}' & wait; sleep 600`;
  const hooks = { beforeApply, afterCommit: null, afterRollback: null, timeoutMs: 600_000 };
  const manifest = { id: 'next', commit: null, settings: { hooks } };
  const release = { manifest, location: { root } } as unknown as RunnableRelease;
  const run = { abort: new AbortController(), previous: null, path: 'swap', hooks: [] };
  const told: string[] = [];
  const parts = { tell: (_: string, message: string) => void told.push(message) } as unknown as DeployParts;
  const ran = runHookOf(parts, run as unknown as DeployRun, { release, name: 'beforeApply' });
  while (!existsSync(path.join(root, 'child'))) await sleep(10);
  abortRun(run as unknown as DeployRun);
  await assert.rejects(ran, { code: 'ERR_MIDFLIGHT_HOOK_FAILED' });
  await untilEnded(Number(readFileSync(path.join(root, 'child'), 'utf8')));
  assert.match(told.join('\n'), /aborted|given up/i);
});

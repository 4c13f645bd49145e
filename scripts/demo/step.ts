import { setTimeout as sleep } from 'node:timers/promises';
import type { TestApp } from '../../test/support/app.ts';
import type { Load } from '../load/load.ts';
import type { Step } from './steps.ts';

/** What a step came to, with what the clients met from its start to the next one's. */
export interface StepOutcome {
  readonly title: string;
  readonly name: string;
  readonly path: string;
  readonly result: string;
  readonly ms: number;
  readonly served: number;
  readonly failed: number;
  readonly webSocketsLost: number;
  /** Says what should have come of it; null when that came. */
  readonly unexpected: string | null;
}

/** The load goes on for a while after a deploy, so that what it broke shows in its own row. */
const SETTLE_MS = 1_000;

export async function runStep(step: Step, app: TestApp, load: Load): Promise<StepOutcome> {
  const before = load.counts();
  const startedAt = performance.now();
  const { json, stderr } = await step.run(app);
  const ms = performance.now() - startedAt;
  await sleep(SETTLE_MS);
  const { version } = JSON.parse(await app.get()) as { version: string };
  const after = load.counts();
  const { path, result } = json as { path?: string; result?: string };
  const { expected, title, name } = step;
  const isExpected = path === expected.path && result === expected.result && version === expected.version;
  const failed = after.failed - before.failed;
  return {
    title,
    name,
    path: path ?? '-',
    result: result ?? '-',
    ms,
    served: after.requests - before.requests - failed,
    failed,
    webSocketsLost: after.webSockets.lost - before.webSockets.lost,
    unexpected: isExpected
      ? null
      : `expected ${expected.result} by ${expected.path} and version ${expected.version}, ` +
        `got ${JSON.stringify(json)} ${stderr} and version ${version}`,
  };
}

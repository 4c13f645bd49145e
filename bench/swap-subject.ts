/** A process that swaps: an app from memory under createRuntime, edited and swapped as its argument says; tells what each swap took. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRuntime, type Runtime } from '../src/deploy/create-runtime.ts';
import { toModuleText } from './synthetic-app.ts';

/** `tree`: each module imports ten; `star`: every module of that tree imports the last one too, which may accept itself. */
export type Shape = 'tree' | 'star' | 'accepting star';

export interface SwapTask {
  readonly shape: Shape;
  readonly modules: number;
  /** So many modules are edited for each swap, the last ones of the tree. */
  readonly edited: number;
  readonly warmUps: number;
  readonly swaps: number;
}

export interface SwapSample {
  readonly compileMs: number;
  readonly prepareMs: number;
  readonly commitMs: number;
  /** From the call of prepare to the end of the commit. */
  readonly wholeMs: number;
  /** The longest time that nothing else could run: while it was prepared, while it was committed, and in the moments after. */
  readonly prepareBlockMs: number;
  readonly commitBlockMs: number;
  readonly afterBlockMs: number;
  readonly reevaluated: number;
}

const FAN_OUT = 10;
/** Retirement of the version before falls into this time. */
const AFTER_MS = 30;

async function run(task: SwapTask): Promise<SwapSample[]> {
  const root = mkdtempSync(path.join(tmpdir(), 'midflight-swap-'));
  const files = new Map<string, string>([['package.json', '{ "type": "module" }']]);
  for (let index = 0; index < task.modules; index++) files.set(`m${index}.ts`, toText(task, index, 0));
  const runtime = createRuntime({ root, entry: 'm0.ts', readSource: (at) => files.get(at) ?? null });
  try {
    await runtime.load();
    const samples: SwapSample[] = [];
    for (let round = 1; round <= task.warmUps + task.swaps; round++) {
      const names = Array.from({ length: task.edited }, (_, nth) => task.modules - 1 - nth);
      for (const index of names) files.set(`m${index}.ts`, toText(task, index, round));
      samples.push(
        await swap(
          runtime,
          names.map((index) => `m${index}.ts`),
        ),
      );
    }
    return samples.slice(task.warmUps);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function toText({ shape, modules }: SwapTask, index: number, version: number): string {
  const last = modules - 1;
  const children = Array.from({ length: FAN_OUT }, (_, nth) => index * FAN_OUT + nth + 1);
  const imported = children.filter((child) => child < modules);
  if (shape !== 'tree' && index !== last && !imported.includes(last)) imported.push(last);
  const accepts = shape === 'accepting star' && index === last ? 'import.meta.hot?.accept();\n' : '';
  return toModuleText(index, imported, version) + accepts;
}

async function swap(runtime: Runtime, changes: readonly string[]): Promise<SwapSample> {
  const preparing = watchBlocks();
  const calledAt = performance.now();
  const prepared = await runtime.prepare(changes);
  const prepareBlockMs = preparing();
  const { plan, timings } = prepared;
  if (plan.path !== 'swap') throw new Error(`the plan is ${plan.path}: ${JSON.stringify(plan.reasons)}`);
  const startedAt = performance.now();
  const committing = watchBlocks();
  await prepared.commit();
  const commitBlockMs = committing();
  const endedAt = performance.now();
  const settling = watchBlocks();
  await sleep(AFTER_MS);
  const reevaluated = plan.modules.filter(({ change }) => change !== 'removed').length;
  return {
    ...timings,
    commitMs: endedAt - startedAt,
    wholeMs: endedAt - calledAt,
    prepareBlockMs,
    commitBlockMs,
    afterBlockMs: settling(),
    reevaluated,
  };
}

/** Turns the event loop and looks at the clock each time; the returned function ends that and gives the longest turn. */
function watchBlocks(): () => number {
  let longest = 0;
  let before = performance.now();
  let immediate = setImmediate(turn);
  function turn(): void {
    look();
    immediate = setImmediate(turn);
  }
  function look(): void {
    const now = performance.now();
    longest = Math.max(longest, now - before);
    before = now;
  }
  return () => {
    clearImmediate(immediate);
    look();
    return longest;
  };
}

/** Swaps in a process of its own, so that tasks have a heap each. */
export async function runSwaps(task: SwapTask): Promise<readonly SwapSample[]> {
  const child = fork(import.meta.filename, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  child.send(task);
  const [samples] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown];
  if (!Array.isArray(samples)) throw new Error(`The process that swaps ended with ${String(samples)}`);
  return samples as SwapSample[];
}

if (process.argv[1] === import.meta.filename) {
  process.once('message', (task: SwapTask) => {
    run(task).then(
      (samples) => process.send?.(samples, () => process.exit(0)),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
}

/** The load in a process of its own, so that what the bench does is not in the times that clients see. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startLoad, type LoadOptions } from '../scripts/load/load.ts';
import type { Latency, LoadReport, TimeWindow } from '../scripts/load/tally.ts';

/** Named spans of time whose latencies are asked for. */
export type Windows = Readonly<Record<string, readonly TimeWindow[]>>;

export interface LoadOutcome extends LoadReport {
  readonly latencyWithin: Readonly<Record<string, Latency>>;
}

export interface LoadProcess {
  /** Lets what is in flight end. */
  stop(windows: Windows): Promise<LoadOutcome>;
}

export function startLoadProcess(options: LoadOptions): LoadProcess {
  const child = fork(fileURLToPath(import.meta.url), { serialization: 'advanced' });
  const endWithParent = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithParent);
  child.send(options);
  return {
    async stop(windows) {
      child.send(windows);
      const [outcome] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown];
      if (typeof outcome !== 'object' || outcome === null) throw new Error('the load generator has ended');
      child.kill('SIGKILL');
      process.off('exit', endWithParent);
      return outcome as LoadOutcome;
    },
  };
}

async function runLoad(): Promise<void> {
  const [options] = (await once(process, 'message')) as [LoadOptions];
  const load = startLoad(options);
  const [windows] = (await once(process, 'message')) as [Windows];
  const report = await load.stop();
  const latencies = Object.entries(windows).map(([name, spans]) => [name, load.tally.latencyWithin(spans)]);
  const outcome: LoadOutcome = { ...report, latencyWithin: Object.fromEntries(latencies) };
  process.send?.(outcome);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runLoad();

/** The load of `scripts/load/` in a process of its own. */

import { fileURLToPath } from 'node:url';
import { startLoad, type LoadOptions } from '../../scripts/load/load.ts';
import type { Latency } from '../../scripts/load/latencies.ts';
import type { LoadReport } from '../../scripts/load/tally.ts';
import { serveGenerator, startGenerator, type Generator } from './generator.ts';

export interface LoadOutcome extends LoadReport {
  readonly latencyWithin: Readonly<Record<string, Latency>>;
}

const file = fileURLToPath(import.meta.url);

export async function startLoadProcess(options: LoadOptions): Promise<Generator<LoadOutcome>> {
  return startGenerator(file, options);
}

function start(options: LoadOptions): Generator<LoadOutcome> {
  const load = startLoad(options);
  return {
    async stop(windows) {
      const report = await load.stop();
      return { ...report, latencyWithin: load.tally.latencies.byWindow(windows) };
    },
  };
}

if (process.argv[1] === file) await serveGenerator(start);

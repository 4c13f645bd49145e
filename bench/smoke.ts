/** `node bench/smoke.ts`: the benchmarks of handoffs, with few clients, against every system: do they still work? */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Claim, Result } from './report.ts';

const claims: Readonly<Record<string, () => Promise<{ readonly claim: Claim }>>> = {
  'handoff-drops': () => import('./handoff-drops.ts'),
  takeover: () => import('./takeover.ts'),
  recovery: () => import('./recovery.ts'),
  carry: () => import('./carry.ts'),
};

const run = fileURLToPath(new URL('run.ts', import.meta.url));
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

for (const [name, load] of Object.entries(claims)) {
  const { claim } = await load();
  const { stdout, status } = spawnSync(process.execPath, [run, name, '--smoke', '--json'], {
    encoding: 'utf8',
    maxBuffer: OUTPUT_BYTES_MAX,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { results } = JSON.parse(stdout || '{"results":[]}') as { results: Result[] };
  const missing = claim.systems?.filter((wanted) => results.every(({ system }) => system !== wanted)) ?? [];
  const failed = results.filter(
    ({ system, row }) => system.startsWith('Midflight') && row['failed'] !== undefined && row['failed'] !== 0,
  );
  console.log(`${name}: ${results.length} measured`);
  if (status === 0 && missing.length === 0 && failed.length === 0) continue;
  console.error(
    `${name}: exit code ${status}; not measured: ${missing.join(', ') || 'none'}; with failures: ${failed.map(({ system }) => system).join(', ') || 'none'}`,
  );
  process.exitCode = 1;
}

/** `npm run bench -- <claim> [--write]`: measures one claim beside its peers; `--write` puts it into docs/benchmarks.md. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { writeSection, type Claim } from './report.ts';

const claims: Readonly<Record<string, () => Promise<{ readonly claim: Claim }>>> = {
  drops: () => import('./drops.ts'),
  overhead: () => import('./overhead.ts'),
  boot: () => import('./boot.ts'),
  'call-cost': () => import('./call-cost.ts'),
  pause: () => import('./pause.ts'),
  'swap-latency': () => import('./swap-latency.ts'),
  'swap-memory': () => import('./swap-memory.ts'),
  'swap-scale': () => import('./swap-scale.ts'),
};

const [name = '', ...flags] = process.argv.slice(2);
const load = claims[name];
if (load === undefined) {
  console.error(`Name a claim: ${Object.keys(claims).join(', ')}`);
  process.exit(2);
}
installPeers();
// What a claim has started ends with this process, in whatever way that ends.
process.once('SIGINT', () => process.exit(130));
const { claim } = await load();
const results = await claim.measure((line) => console.error(line));
console.log(results);
if (flags.includes('--write')) writeSection(name, claim, results);
// Clients may hold idle connections.
process.exit(0);

/** The peers are no dependencies of the project, so they have a lockfile of their own; installed anew when that differs. */
function installPeers(): void {
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const lock = readFileSync(`${cwd}package-lock.json`, 'utf8');
  const stamp = `${cwd}node_modules/.installed-lock.json`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--workspaces=false'], {
    cwd,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(1);
  writeFileSync(stamp, lock);
}

/**
 * `npm run bench -- <claim>` measures one claim beside its peers, and prints a table.
 *
 *   --write               put it into docs/benchmarks.md
 *   --json                print JSON instead, where the claim has results by system
 *   --only <name>         only systems whose names contain this; may be given again
 *   --set <name>=<number> another size than the usual
 *   --smoke               small sizes: does the benchmark still work?
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine, toResultTable, writeSection, type Claim, type Sizes } from './report.ts';

const claims: Readonly<Record<string, () => Promise<{ readonly claim: Claim }>>> = {
  drops: () => import('./drops.ts'),
  'handoff-drops': () => import('./handoff-drops.ts'),
  takeover: () => import('./takeover.ts'),
  recovery: () => import('./recovery.ts'),
  carry: () => import('./carry.ts'),
  overhead: () => import('./overhead.ts'),
  boot: () => import('./boot.ts'),
  'call-cost': () => import('./call-cost.ts'),
  pause: () => import('./pause.ts'),
  'swap-latency': () => import('./swap-latency.ts'),
  'swap-memory': () => import('./swap-memory.ts'),
  'swap-scale': () => import('./swap-scale.ts'),
  'deploy-time': () => import('./deploy-time.ts'),
  store: () => import('./store.ts'),
  'plugin-call': () => import('./plugin-call.ts'),
  'plugin-swap': () => import('./plugin-swap.ts'),
};

const {
  positionals: [name = ''],
  values: flags,
} = parseArgs({
  allowPositionals: true,
  options: {
    write: { type: 'boolean' },
    json: { type: 'boolean' },
    smoke: { type: 'boolean' },
    only: { type: 'string', multiple: true },
    set: { type: 'string', multiple: true },
  },
});
const load = claims[name] ?? refuse(`Name a claim: ${Object.keys(claims).join(', ')}`);
installPeers();
// What a claim has started ends with this process, in whatever way that ends.
process.once('SIGINT', () => process.exit(130));
const { claim } = await load();
const sizes = toSizes(claim);
const isWanted = toFilter(claim.systems ?? []);
const results = await claim.measure((line) => console.error(line), { sizes, isWanted });
if (typeof results === 'string') console.log(results);
else if (flags.json === true)
  console.log(
    JSON.stringify({ claim: name, measuredOn: describeMachine(claim.versions), sizes, results }, null, 2),
  );
else console.log(toResultTable(results));
if (flags.write === true) writeSection(name, { claim, results, sizes });
// Clients may hold idle connections.
process.exit();

function toSizes({ sizes: usual = {}, smokeSizes = {} }: Claim): Sizes {
  const changed = (flags.set ?? []).map((text): [string, number] => {
    const [key = '', value = ''] = text.split('=');
    if (!(key in usual) || !Number.isFinite(Number(value || Number.NaN)))
      refuse(`--set ${text}: set one of ${Object.keys(usual).join(', ')} to a number`);
    return [key, Number(value)];
  });
  return { ...usual, ...(flags.smoke === true ? smokeSizes : {}), ...Object.fromEntries(changed) };
}

function toFilter(systems: readonly string[]): (system: string) => boolean {
  const only = flags.only ?? [];
  const contains = (system: string, text: string): boolean =>
    system.toLowerCase().includes(text.toLowerCase());
  for (const text of only)
    if (!systems.some((system) => contains(system, text)))
      refuse(`--only ${text}: name one of ${systems.join(', ') || 'none'}`);
  return (system) => only.length === 0 || only.some((text) => contains(system, text));
}

function refuse(sentence: string): never {
  console.error(sentence);
  process.exit(2);
}

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

/** What a release costs on disk, and in time, when little differs from the one before. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sweep } from '../src/deploy/sweep.ts';
import type { Manifest } from '../src/protocol/manifest.ts';
import { buildRelease, type BuiltRelease } from '../src/release/build.ts';
import { toHome, type Home } from '../src/release/home.ts';
import { verifyRelease } from '../src/release/verify.ts';
import { median, toTable, type Claim, type Sizes } from './report.ts';
import { toModuleText } from './synthetic-app.ts';

const MIB = 1_048_576;

export const claim: Claim = {
  title: 'Store',
  method: ({ modules = 0, releases = 0 }) =>
    `${releases} releases of an app of ${modules} modules, one of which differs from release to release, all kept; then all but ten are removed. Bytes are those of files, not of blocks.`,
  versions: {},
  sizes: { modules: 1_000, releases: 200 },
  smokeSizes: { modules: 20, releases: 5 },
  async measure(log, { sizes }) {
    const directory = mkdtempSync(path.join(tmpdir(), 'midflight-bench-store-'));
    try {
      return toTable(await measureIn(directory, sizes, log));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

async function measureIn(
  directory: string,
  { modules = 0, releases = 0 }: Sizes,
  log: (line: string) => void,
): Promise<Record<string, string>[]> {
  const home = createApp(directory, modules);
  const times: number[] = [];
  const ids: string[] = [];
  let first = 0;
  let before: Manifest | null = null;
  for (let version = 0; version < releases; version++) {
    change(directory, version % modules, version, modules);
    const startedAt = performance.now();
    const built: BuiltRelease = await buildRelease({
      home,
      before,
      ref: 'HEAD',
      isDirty: false,
      onStep: () => undefined,
    });
    times.push(performance.now() - startedAt);
    before = built.manifest;
    ids.push(before.id);
    if (version === 0) first = sizeOf(home.directory);
    if (version % 20 === 19) log(`${version + 1} releases`);
  }
  const all = sizeOf(home.directory);
  const verified = await timed(() => verifyRelease(home, ids.at(-1) ?? ''));
  const live = new Map(ids.slice(-10).map((id) => [id, ['newest'] as const]));
  const swept = await timed(() => sweep({ home, isDryRun: false, findLive: () => live }));
  return [
    { what: 'the first release', value: `${(first / MIB).toFixed(1)} MiB, ${Math.round(times[0] ?? 0)} ms` },
    {
      what: 'each further one',
      value: `${((all - first) / MIB / (releases - 1)).toFixed(2)} MiB, median ${Math.round(median(times.slice(1)))} ms`,
    },
    {
      what: 'of it shared: compiled modules',
      value: `${(sizeOf(home.store) / MIB).toFixed(1)} MiB of all that are left`,
    },
    { what: 'verify one', value: `${Math.round(verified)} ms` },
    {
      what: 'remove all but ten',
      value: `${Math.round(swept)} ms, ${(sizeOf(home.directory) / MIB).toFixed(1)} MiB left`,
    },
  ];
}

function createApp(directory: string, modules: number): Home {
  for (let index = 0; index < modules; index++) write(directory, index, 0, modules);
  writeFileSync(path.join(directory, 'midflight.config.json'), '{ "entry": "m0.ts" }');
  writeFileSync(path.join(directory, '.gitignore'), '.midflight\n');
  mkdirSync(path.join(directory, 'public'));
  writeFileSync(path.join(directory, 'public/page.html'), '<p>'.repeat(1_000));
  execFileSync('git', ['init', '--quiet'], { cwd: directory });
  return toHome(directory);
}

function write(directory: string, index: number, version: number, modules: number): void {
  const imported = [index * 2 + 1, index * 2 + 2].filter((at) => at < modules);
  writeFileSync(path.join(directory, `m${index}.ts`), toModuleText(index, imported, version));
}

function change(directory: string, index: number, version: number, modules: number): void {
  write(directory, index, version, modules);
  execFileSync('git', ['add', '--all'], { cwd: directory });
  const identity = ['-c', 'user.name=Bench', '-c', 'user.email=bench@example.test'];
  const message = ['commit', '--quiet', '--allow-empty', '--message', 'change'];
  execFileSync('git', [...identity, ...message], { cwd: directory });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Not by `recursive`, which follows links (v24.21), and each release has one to the store. */
function sizeOf(directory: string): number {
  const sizes = readdirSync(directory, { withFileTypes: true }).map((entry) => {
    const at = path.join(directory, entry.name);
    if (entry.isDirectory()) return sizeOf(at);
    return entry.isFile() ? statSync(at).size : 0;
  });
  return sizes.reduce((bytes, size) => bytes + size, 0);
}

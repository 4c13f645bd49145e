/** Claim: an app of 1,000 modules is up as soon from a built release as it is in plain node from what tsc makes of it. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MESSAGE_COMMAND, type ReleaseLocation, type WorkerRequest } from '../src/protocol/messages.ts';
import { buildRelease } from '../src/release/build.ts';
import { toHome, toReleaseLocation } from '../src/release/home.ts';
import { median, toTable, versionOf, type Claim, type Row } from './report.ts';
import { toModuleText } from './synthetic-app.ts';

const MODULES = 1_000;
const IMPORTS = 3;
const RUNS = 31;
const READY = 'the entry is evaluated';

const inRepository = (file: string): string => fileURLToPath(new URL(`../${file}`, import.meta.url));

export const claim: Claim = {
  title: 'Boot: an app of 1,000 modules, relative to plain node',
  method:
    `${MODULES} TypeScript modules that import ${IMPORTS} others each; the time from spawning the process to the last line of the entry. ` +
    `From a built release is what \`midflight start\` does for each worker: it spawns one, which is told which release to prepare. ` +
    `The ways in turn, ${RUNS} fresh processes each after one that is not counted; the median.`,
  versions: { typescript: versionOf('typescript') },
  async measure(log) {
    const directory = mkdtempSync(path.join(tmpdir(), 'midflight-boot-'));
    try {
      return toTable(await compare(await build(directory), log));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

/** One way to bring the app up: starts a process that says READY. */
interface Way {
  readonly name: string;
  start(): ChildProcess;
}

async function build(directory: string): Promise<readonly Way[]> {
  const source = path.join(directory, 'src');
  const compiled = path.join(directory, 'compiled');
  mkdirSync(source);
  for (const [name, text] of toApp()) writeFileSync(path.join(source, name), text);
  const options = '--module nodenext --target es2024 --rewriteRelativeImportExtensions --types node'.split(
    ' ',
  );
  const places = ['--typeRoots', inRepository('node_modules/@types'), '--outDir', compiled];
  const tsc = spawnSync(
    process.execPath,
    [inRepository('node_modules/typescript/bin/tsc'), ...options, ...places, path.join(source, 'main.ts')],
    { cwd: directory, encoding: 'utf8' },
  );
  if (tsc.status !== 0) throw new Error(`tsc failed:\n${tsc.stdout}`);
  writeFileSync(path.join(compiled, 'package.json'), '{ "type": "module" }\n');
  const home = toHome(source);
  const { manifest } = await buildRelease({ home, ref: 'HEAD', isDirty: true, onStep: () => undefined });
  const run =
    (cwd: string, ...args: string[]) =>
    (): ChildProcess =>
      spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  return [
    { name: 'plain node, tsc output', start: run(compiled, 'main.js') },
    {
      name: 'Midflight, built release',
      start: () => startWorker(source, toReleaseLocation(home, manifest.id)),
    },
    { name: 'plain node, TypeScript', start: run(source, 'main.ts') },
    {
      name: 'midflight run, from the source',
      start: run(source, inRepository('bin/midflight.js'), 'run', 'main.ts'),
    },
  ];
}

function startWorker(cwd: string, release: ReleaseLocation): ChildProcess {
  const worker = inRepository('dist/runtime/worker.js');
  const child = spawn(process.execPath, [worker, path.join(release.root, 'main.ts')], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const request: WorkerRequest = {
    type: 'prepare',
    options: { release, generation: 1, ready: 'load', readyTimeoutMs: 0, health: null },
  };
  child.send({ cmd: MESSAGE_COMMAND, id: 1, request });
  return child;
}

async function compare(ways: readonly Way[], log: (line: string) => void): Promise<Row[]> {
  const runs = ways.map((): number[] => []);
  for (let run = 0; run <= RUNS; run++) {
    for (const [index, way] of ways.entries()) {
      const ms = await measureStart(way);
      if (run > 0) runs[index]?.push(ms);
    }
    log(
      `run ${run}: ${ways.map(({ name }, index) => `${name} ${runs[index]?.at(-1)?.toFixed(0)}`).join(', ')}`,
    );
  }
  const base = median(runs[0] ?? []);
  return ways.map(({ name }, index) => ({
    '': name,
    'relative to plain node': `${(median(runs[index] ?? []) / base).toFixed(2)} ×`,
    'median, ms': median(runs[index] ?? []).toFixed(0),
    'fastest, ms': Math.min(...(runs[index] ?? [])).toFixed(0),
  }));
}

async function measureStart({ name, start }: Way): Promise<number> {
  const startedAt = performance.now();
  const child = start();
  const closed = once(child, 'close');
  const [line] = (await Promise.race([once(child.stdout ?? child, 'data'), closed])) as [unknown];
  const ms = performance.now() - startedAt;
  child.kill();
  await closed;
  if (String(line).trim() !== READY) throw new Error(`${name} said ${String(line)}`);
  return ms;
}

function* toApp(): Generator<readonly [name: string, text: string]> {
  yield ['package.json', '{ "type": "module", "private": true }\n'];
  yield ['midflight.config.json', '{ "entry": "main.ts" }\n'];
  const names = Array.from({ length: MODULES - 1 }, (_, index) => index);
  for (const index of names) yield [`m${index}.ts`, toModuleText(index, importsOf(index))];
  const imports = names.map((index) => `import { create${index} } from './m${index}.ts';`);
  yield [
    'main.ts',
    `import { writeSync } from 'node:fs';
${imports.join('\n')}
const all = [${names.map((index) => `create${index}`).join(', ')}];
if (all.length > 0) writeSync(1, '${READY}\\n');
setInterval(() => all.length, 1_000);
`,
  ];
}

function importsOf(index: number): number[] {
  const wanted = Array.from({ length: IMPORTS }, (_, nth) => (index * 7 + nth * 31) % Math.max(index, 1));
  return [...new Set(wanted)].filter((at) => at < index);
}

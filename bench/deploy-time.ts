/** Claim: a commit of one changed module answers within 300 ms, on an app of 1,000 modules. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTestApp, type Files, type TestApp } from '../test/support/app.ts';
import {
  capistrano,
  midflight,
  pm2,
  pm2Deploy,
  setCache,
  type DeploySystem,
  type RunningDeploySystem,
} from './deploy-systems.ts';
import { median, versionOf, versionOfCommand, type Claim, type Run } from './report.ts';
import { toModuleText } from './synthetic-app.ts';

const IMPORTS = 3;
const ANSWER_TIMEOUT_MS = 120_000;
/** Of one package without dependencies, so that what is measured is the tool and not the network; each is another lockfile. */
const dependencyVersions = ['2.0.0', '2.1.0', '2.1.1', '2.1.2', '2.1.3'];

const scenarios = ['1 module', '100 modules', 'dependency, warm', 'dependency, cold'] as const;
type Scenario = (typeof scenarios)[number];

const systems: readonly DeploySystem[] = [midflight, pm2, pm2Deploy, capistrano];

export const claim: Claim = {
  title: 'Deploy time: from a commit to its first answer',
  method: ({ modules = 0, rounds = 0 }) =>
    `An app of ${modules} TypeScript modules that import ${IMPORTS} others each, whose commits are pushed to a bare repository on the same disk. The time ` +
    `runs from the end of the push, when the deploy is asked for at the command line, to the first answer over a new connection that the new code ` +
    `gives; the median of ${rounds} deploys after one that is not counted, and its ratio to that of Midflight. All systems run at once, and deploy in turn, in another order each round. ` +
    `For Midflight in milliseconds of its own steps, too; "rest" is ` +
    `the start of the command line and what is between. Nobody removes old releases meanwhile. A changed dependency is another version of one small package: warm, when npm has it in its cache, and ` +
    `cold, when that is empty. Peers run the sources as they are, by Node's own type stripping; the script, and pm2 deploy as its documentation has it, install for each release, ` +
    `and the script has nobody serve during its restart.`,
  versions: {
    pm2: versionOf('pm2'),
    git: versionOfCommand('git', '--version'),
    npm: versionOfCommand('npm', '--version'),
  },
  sizes: { modules: 1_000, rounds: 5 },
  smokeSizes: { modules: 20, rounds: 1 },
  systems: systems.map(({ name }) => name),
  async measure(log, run) {
    const subjected = await startEach(run, log);
    try {
      await measureRounds(subjected, run.sizes['rounds'] ?? 0, log);
    } finally {
      for (const { running } of subjected) await running.stop();
      // A disk that has just been rid of many files is slow to make others, so this is left to the end.
      for (const { subject } of subjected) await subject.dispose();
    }
    const first = subjected.find(({ name }) => name === midflight.name)?.samples ?? null;
    return subjected.map(({ name, samples }) => ({
      system: name,
      row: toRow(samples, first),
      detail: samples,
    }));
  },
};

interface Sample {
  readonly wholeMs: number;
  readonly timings: Readonly<Record<string, number>>;
}

/** A system at work, and what was measured of it. */
interface Subjected {
  readonly name: string;
  readonly subject: Subject;
  readonly running: RunningDeploySystem;
  readonly samples: Record<Scenario, Sample[]>;
}

async function startEach(run: Run, log: (line: string) => void): Promise<Subjected[]> {
  const started: Subjected[] = [];
  for (const system of systems.filter(({ name }) => run.isWanted(name))) {
    const subject = await createSubject(run.sizes['modules'] ?? 0);
    try {
      const running = await subject.start(system);
      const samples = { '1 module': [], '100 modules': [], 'dependency, warm': [], 'dependency, cold': [] };
      await subject.answers();
      started.push({ name: system.name, subject, running, samples });
    } catch (error) {
      await subject.dispose();
      fail(log, system.name, error);
    }
  }
  return started;
}

/** One deploy of each system after the other, in another order each round, so that what else the machine does meets all. */
async function measureRounds(
  subjected: Subjected[],
  rounds: number,
  log: (line: string) => void,
): Promise<void> {
  for (const scenario of scenarios) {
    for (let round = -1; round < rounds; round++) {
      for (const each of toOrder(subjected, round + 1)) {
        try {
          const sample = await each.subject.deploy(each.running, scenario);
          if (round >= 0) each.samples[scenario].push(sample);
          const steps = JSON.stringify(toRounded(sample.timings));
          log(`  ${scenario}, ${each.name}: ${sample.wholeMs.toFixed(0)} ms ${steps}`);
        } catch (error) {
          fail(log, each.name, error);
        }
      }
    }
  }
}

function toOrder<Item>(items: readonly Item[], start: number): readonly Item[] {
  const at = items.length === 0 ? 0 : start % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

function fail(log: (line: string) => void, name: string, error: unknown): void {
  log(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exitCode = 1;
}

function toRow(samples: Subjected['samples'], first: Subjected['samples'] | null): Record<string, string> {
  const cells = scenarios.map((scenario) => {
    const taken = samples[scenario];
    const whole = wholeOf(taken);
    const names = new Set(taken.flatMap(({ timings }) => Object.keys(timings)));
    const steps = [...names].map((name): [string, number] => [
      name.replace(/Ms$/, ''),
      median(taken.map(({ timings }) => timings[name] ?? 0)),
    ]);
    const rest = whole - steps.reduce((sum, [, ms]) => sum + ms, 0);
    const shown = [...steps, ['rest', rest] as const].filter(([, ms]) => ms >= 1);
    const ratio = first === null ? '' : `, ${(whole / wholeOf(first[scenario])).toFixed(2)} ×`;
    const fastest = Math.min(...taken.map(({ wholeMs }) => wholeMs));
    return [
      `${scenario}, ms`,
      `**${whole.toFixed(0)}**${ratio} (at best ${fastest.toFixed(0)}; ${shown.map(([name, ms]) => `${name} ${ms.toFixed(0)}`).join(', ')})`,
    ];
  });
  return Object.fromEntries(cells) as Record<string, string>;
}

function wholeOf(samples: readonly Sample[]): number {
  return median(samples.map(({ wholeMs }) => wholeMs));
}

function toRounded(timings: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(timings).map(([name, ms]) => [name, Math.round(ms)]));
}

interface Subject {
  start(system: DeploySystem): Promise<RunningDeploySystem>;
  /** Resolves when the version that was pushed last answers. */
  answers(): Promise<void>;
  deploy(running: RunningDeploySystem, scenario: Scenario): Promise<Sample>;
  dispose(): Promise<void>;
}

async function createSubject(modules: number): Promise<Subject> {
  const base = mkdtempSync(path.join(tmpdir(), 'midflight-deploy-time-'));
  const remote = path.join(base, 'remote.git');
  const cache = path.join(base, 'npm-cache');
  const kept = path.join(base, 'npm-cache-kept');
  const config = { source: { repository: remote, ref: 'main' } };
  const app = await createTestApp({
    files: {},
    config,
    git: false,
    environment: { npm_config_cache: cache },
  });
  const environment = { ...process.env, PORT: String(app.port), npm_config_cache: cache };
  const git = createRepository(base, remote);
  let version = 0;
  let dependency = 0;
  const push = (files: Files): void => git.push({ ...files, ...toVersion(++version) });
  for (const [index] of dependencyVersions.entries())
    git.lock(toDependency(index), { npm_config_cache: kept });
  push({ ...toApp(modules), ...git.lock(toDependency(0), { npm_config_cache: kept }) });
  setCache(cache, kept);
  const toFiles = (scenario: Scenario): Files => {
    if (scenario === '1 module') return {};
    if (scenario === '100 modules') return toModules(modules, Math.min(99, modules), version + 1);
    dependency = (dependency + 1) % dependencyVersions.length;
    return git.lock(toDependency(dependency), { npm_config_cache: kept });
  };
  return {
    start: async (system) => system.start({ remote, directory: base, app, environment }),
    answers: async () => waitForVersion(app, version),
    async deploy(running, scenario) {
      push(toFiles(scenario));
      setCache(cache, scenario === 'dependency, cold' ? null : kept);
      // What was installed once is not installed again, whatever the cache has.
      if (scenario.startsWith('dependency'))
        rmSync(path.join(app.directory, '.midflight/deps'), { recursive: true, force: true });
      const startedAt = performance.now();
      const answered = waitForVersion(app, version).then(() => performance.now() - startedAt);
      const timings = await running.deploy();
      return { wholeMs: await answered, timings };
    },
    async dispose() {
      await app.dispose();
      rmSync(base, { recursive: true, force: true });
    },
  };
}

interface Repository {
  push(files: Files): void;
  /** package.json with its lockfile, made by npm. */
  lock(files: Files, environment: NodeJS.ProcessEnv): Files;
}

function createRepository(base: string, remote: string): Repository {
  const copy = path.join(base, 'work');
  const run = (command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string =>
    execFileSync(command, args, {
      cwd: copy,
      env: { ...process.env, ...env },
      encoding: 'utf8',
      stdio: 'pipe',
    });
  const write = (files: Files): void => {
    for (const [name, content] of Object.entries(files)) writeFileSync(path.join(copy, name), content);
  };
  mkdirSync(copy);
  run('git', ['init', '--quiet', '--bare', '--initial-branch=main', remote]);
  run('git', ['init', '--quiet', '--initial-branch=main']);
  run('git', ['config', 'user.name', 'Bench']);
  run('git', ['config', 'user.email', 'bench@example.test']);
  write({ '.gitignore': 'node_modules\n' });
  return {
    push(files) {
      write(files);
      run('git', ['add', '--all']);
      run('git', ['commit', '--quiet', '--message', 'change']);
      run('git', ['push', '--quiet', remote, 'HEAD:main']);
    },
    lock(files, environment) {
      write(files);
      run('npm', ['install', '--no-audit', '--no-fund'], environment);
      return files;
    },
  };
}

function toApp(modules: number): Files {
  return {
    ...toModules(modules, modules, 0),
    'midflight.config.json': JSON.stringify({ entry: 'server.mjs', probationMs: 100, keep: 1_000 }),
    'server.mjs': `import { createServer } from 'node:http';
import ms from 'ms';
import { describe0 } from './m0.ts';
import { version } from './version.ts';
const text = String(version) + ' ' + describe0() + ms(1000);
createServer((request, response) => response.end(text)).listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGINT', () => process.exit());
`,
  };
}

/** The last `changed` of `modules`, which are those with few importers. */
function toModules(modules: number, changed: number, version: number): Files {
  const indexes = Array.from({ length: changed }, (_, at) => modules - changed + at);
  const children = (index: number): number[] =>
    Array.from({ length: IMPORTS }, (_, at) => index * IMPORTS + at + 1).filter((at) => at < modules);
  return Object.fromEntries(
    indexes.map((index) => [`m${index}.ts`, toModuleText(index, children(index), version)]),
  );
}

function toVersion(version: number): Files {
  return { 'version.ts': `export const version: number = ${version};\n` };
}

function toDependency(index: number): Files {
  const dependencies = { ms: dependencyVersions[index] };
  return { 'package.json': JSON.stringify({ name: 'app', private: true, type: 'module', dependencies }) };
}

async function waitForVersion(app: TestApp, version: number): Promise<void> {
  const deadline = performance.now() + ANSWER_TIMEOUT_MS;
  while (!(await ask(app)).startsWith(`${version} `)) {
    if (performance.now() > deadline) throw new Error(`no answer of version ${version}`);
    await sleep(2);
  }
}

async function ask({ port }: TestApp): Promise<string> {
  try {
    const options = { host: '127.0.0.1', port, agent: false, signal: AbortSignal.timeout(1_000) };
    const [response] = (await once(http.get(options), 'response')) as [IncomingMessage];
    return await text(response);
  } catch {
    // Nobody serves at the moment.
    return '';
  }
}

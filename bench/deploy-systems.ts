/** Ways to bring a commit of a remote repository into a running service, from the push on. */

import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestApp } from '../test/support/app.ts';
import { end, runToEnd } from './systems/process.ts';

export interface DeployPlace {
  /** The bare repository that is pushed to; `main` is what is deployed. */
  readonly remote: string;
  /** An empty folder for whatever the system has. */
  readonly directory: string;
  readonly app: TestApp;
  readonly environment: NodeJS.ProcessEnv;
}

export interface DeploySystem {
  readonly name: string;
  /** Resolves when it is told to run; whether it serves is seen from outside. */
  start(place: DeployPlace): Promise<RunningDeploySystem>;
}

export interface RunningDeploySystem {
  /** Resolves with the milliseconds of its steps, as far as it tells. */
  deploy(): Promise<Readonly<Record<string, number>>>;
  stop(): Promise<void>;
}

const pm2Command = fileURLToPath(new URL('node_modules/.bin/pm2', import.meta.url));

export const midflight: DeploySystem = {
  name: 'Midflight',
  async start({ app }) {
    await app.start();
    return {
      async deploy() {
        const { json, stderr, exitCode } = await app.midflight('deploy', '--json');
        if (exitCode !== 0) throw new Error(`${JSON.stringify(json)}${stderr}`);
        return json['timings'] as Record<string, number>;
      },
      stop: async () => app.end(),
    };
  },
};

/** A working copy: pull, install where the lockfile differs, reload. */
export const pm2: DeploySystem = {
  name: 'git pull, pm2 reload',
  async start(place) {
    const copy = path.join(place.directory, 'copy');
    const env = { ...place.environment, PM2_HOME: path.join(place.directory, 'pm2') };
    await run('git', ['clone', '--quiet', place.remote, copy], { cwd: place.directory, env });
    await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: copy, env });
    const start = ['start', 'server.mjs', '--name', 'app', '-i', '1', '--kill-timeout', '2000'];
    await startPm2(start, { cwd: copy, env });
    const readLock = (): string => readFileSync(path.join(copy, 'package-lock.json'), 'utf8');
    return {
      async deploy() {
        const steps = createSteps();
        const before = readLock();
        await steps.time('fetchMs', async () =>
          run('git', ['pull', '--quiet', '--ff-only'], { cwd: copy, env }),
        );
        if (readLock() !== before)
          await steps.time('installMs', async () =>
            run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: copy, env }),
          );
        await steps.time('reloadMs', async () => run(pm2Command, ['reload', 'app'], { cwd: copy, env }));
        return steps.timings;
      },
      stop: async () => run(pm2Command, ['kill'], { cwd: copy, env }),
    };
  },
};

/** The tool of pm2 itself, set up as its documentation has it, for this machine: fetch, install, reload. */
export const pm2Deploy: DeploySystem = {
  name: 'pm2 deploy',
  async start({ remote, directory, environment }) {
    const at = path.join(directory, 'pm2-deploy');
    const file = path.join(directory, 'ecosystem.config.json');
    const env = { ...environment, PM2_HOME: path.join(directory, 'pm2-home') };
    const app = { name: 'app', script: 'server.mjs', cwd: `${at}/current`, kill_timeout: 2_000 };
    const afterwards = `npm install --no-audit --no-fund && ${pm2Command} startOrReload ${file}`;
    const production = { user: 'app', host: ['localhost'], ref: 'origin/main', repo: remote, path: at };
    const deploy = { production: { ...production, 'post-deploy': afterwards } };
    writeFileSync(file, JSON.stringify({ apps: [{ ...app, instances: 1, exec_mode: 'cluster' }], deploy }));
    // It asks for a working copy without changes.
    const cwd = path.join(directory, 'checkout');
    const place = { cwd, env };
    await run('git', ['clone', '--quiet', remote, cwd], { cwd: directory, env });
    await startPm2(['deploy', file, 'production', 'setup'], place);
    await startPm2(['deploy', file, 'production'], place);
    return {
      async deploy() {
        const steps = createSteps();
        await steps.time('deployMs', async () => run(pm2Command, ['deploy', file, 'production'], place));
        return steps.timings;
      },
      stop: async () => run(pm2Command, ['kill'], place),
    };
  },
};

/** A folder for each release: fetch, write out, install, switch the link, restart. */
export const capistrano: DeploySystem = {
  name: 'Capistrano-like script',
  async start({ remote, directory, environment: env }) {
    const mirror = path.join(directory, 'repo');
    const current = path.join(directory, 'current');
    await run('git', ['clone', '--quiet', '--mirror', remote, mirror], { cwd: directory, env });
    let count = 0;
    let service: ChildProcess | null = null;
    const release = async (steps: Steps): Promise<void> => {
      const target = path.join(directory, 'releases', String(++count));
      mkdirSync(target, { recursive: true });
      const tar = `git archive main | tar -x -C "${target}"`;
      await steps.time('fetchMs', async () => run('git', ['remote', 'update'], { cwd: mirror, env }));
      await steps.time('writeMs', async () => run('sh', ['-c', tar], { cwd: mirror, env }));
      await steps.time('installMs', async () =>
        run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: target, env }),
      );
      rmSync(current, { force: true });
      symlinkSync(target, current);
      await steps.time('restartMs', async () => {
        if (service !== null) await end(service, 2_000);
        service = spawn(process.execPath, [path.join(current, 'server.mjs')], {
          cwd: current,
          env,
          stdio: 'ignore',
        });
      });
    };
    await release(createSteps());
    return {
      async deploy() {
        const steps = createSteps();
        await release(steps);
        return steps.timings;
      },
      async stop() {
        if (service !== null) await end(service, 2_000);
      },
    };
  },
};

/** Whatever it is told, its daemon runs from then on, and would outlive what has failed. */
async function startPm2(args: readonly string[], place: Parameters<typeof run>[2]): Promise<void> {
  try {
    await run(pm2Command, args, place);
  } catch (error) {
    await run(pm2Command, ['kill'], place);
    throw error;
  }
}

interface Steps {
  readonly timings: Record<string, number>;
  time(name: string, act: () => Promise<void>): Promise<void>;
}

function createSteps(): Steps {
  const timings: Record<string, number> = {};
  return {
    timings,
    async time(name, act) {
      const startedAt = performance.now();
      await act();
      timings[name] = performance.now() - startedAt;
    },
  };
}

async function run(
  command: string,
  args: readonly string[],
  place: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<void> {
  const exitCode = await runToEnd(command, args, place);
  if (exitCode !== 0) throw new Error(`${command} ${args.join(' ')}: exit code ${exitCode}`);
}

/** Empties the cache of npm, or fills it from what is kept. */
export function setCache(cache: string, kept: string | null): void {
  rmSync(cache, { recursive: true, force: true });
  if (kept !== null && existsSync(kept)) cpSync(kept, cache, { recursive: true });
}

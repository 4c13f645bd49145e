/**
 * A supervisor of the real parts that tells each step before it takes it: what it asks of the keeper and of workers, what it
 * hears from them, what it notes, and what it tells of a deploy. Nobody lists the steps: they are all that crosses its border.
 * `.midflight/stop-at` has two lines: what is told of a deploy, and the step after that at which this stops as by SIGSTOP, until SIGCONT.
 *
 * What is asked and answered before a deploy has its plan is none of its steps, nor is what is asked every now and then.
 */

import { readFileSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { StartSettings } from '../../../src/console/start-keeper.ts';
import type { WorkerMessage, SupervisorMessage } from '../../../src/protocol/messages.ts';
import type { Keeper } from '../../../src/supervisor/keeper-client.ts';
import type { Notebook } from '../../../src/supervisor/notebook.ts';
import type { HostedProcess, ProcessEvents, ProcessHost } from '../../../src/supervisor/process-host.ts';

type KeeperClient = typeof import('../../../src/supervisor/keeper-client.ts');
type StartApp = typeof import('../../../src/console/start-app.ts');

const settings = JSON.parse(process.argv[2] ?? '') as StartSettings;
const stopFile = path.join(settings.appDirectory, '.midflight/stop-at');
/** Workers that this supervisor knows. */
const pids = new Set<number>();
const isOld = new Set<number>();
let hasPlan = false;
let stopAt: string | null = null;

const { greetKeeper } = (await load('supervisor/keeper-client.js')) as KeeperClient;
const keeper = await greetKeeper();
void keeper.lost.then(() => process.exit(1));
const { startApp } = (await load('console/start-app.js')) as StartApp;
await startApp({ settings, keeper: toStepping(keeper), version: '0.0.0', log });
await keeper.stopped();
process.exit();

async function load(name: string): Promise<unknown> {
  return import(new URL(`../../../dist/${name}`, import.meta.url).href);
}

function log(message: string): void {
  print(`midflight ${message}`);
  const progress = /^(fetch|install|build|compile|plan|prepare|commit|passed|rollback)(?:$|: )/.exec(
    message,
  )?.[1];
  if (progress === undefined) return;
  if (progress === 'fetch') hasPlan = false;
  arm(progress);
  step(`tell ${progress}`);
  if (progress !== 'plan') return;
  // Who is there when a plan is made is old from then on.
  for (const pid of pids) isOld.add(pid);
  hasPlan = true;
}

function print(line: string): void {
  writeSync(1, `${line}\n`);
}

function step(name: string, pid = 0): void {
  print(`step ${pid} ${name}`);
  if (stopAt !== name) return;
  stopAt = null;
  print(`stopped at ${pid} ${name}`);
  process.kill(process.pid, 'SIGSTOP');
}

function arm(progress: string): void {
  try {
    const [from, name] = readFileSync(stopFile, 'utf8').split('\n');
    if (from !== progress) return;
    stopAt = name ?? null;
    rmSync(stopFile);
  } catch {
    // Nobody wants it to stop.
  }
}

/** A step with a process. */
function stepOf(name: string, pid: number): void {
  if (hasPlan && !/ (?:health|sample)$/.test(name)) step(name, pid);
}

function toStepping(real: Keeper): Keeper {
  return {
    ...real,
    host: toSteppingHost(real.host),
    note(notebook) {
      step(`note ${describe(notebook as Notebook)}`);
      real.note(notebook);
    },
  };
}

function describe({ next, current, proved, leaving }: Notebook): string {
  const ends = leaving.length === 0 ? '' : ', some leave';
  if (next !== null) return `${next.phase}${ends}`;
  return `${current?.generation === proved?.generation ? 'proved' : 'probation'}${ends}`;
}

function toSteppingHost(real: ProcessHost): ProcessHost {
  return {
    ...real,
    async spawn(spec, events) {
      stepOf('spawn new', 0);
      const hearing = toHearing(events);
      const hosted = await real.spawn(spec, hearing);
      stepOf('spawned new', hosted.pid);
      return hearing.begin(hosted);
    },
    adopt(id, events) {
      const hearing = toHearing(events);
      const hosted = real.adopt(id, hearing);
      return hosted && hearing.begin(hosted);
    },
    route(fromPid, toPids) {
      stepOf(`route from ${roleOf(fromPid)}`, fromPid);
      real.route(fromPid, toPids);
    },
  };
}

function toHearing(events: ProcessEvents): ProcessEvents & { begin(hosted: HostedProcess): HostedProcess } {
  const asked = new Map<number, string>();
  let pid = 0;
  return {
    ...events,
    onMessage(raw) {
      const message = raw as WorkerMessage;
      if ('id' in message) stepOf(`${roleOf(pid)} answers ${asked.get(message.id)}`, pid);
      else if ('event' in message) stepOf(`${roleOf(pid)} says ${message.event.type}`, pid);
      events.onMessage(raw);
    },
    begin(hosted) {
      ({ pid } = hosted);
      pids.add(pid);
      return {
        ...hosted,
        send(message) {
          const { id, request } = message as SupervisorMessage & { id: number; request: { type: string } };
          asked.set(id, request.type);
          stepOf(`ask ${roleOf(pid)} to ${request.type}`, pid);
          hosted.send(message);
        },
        kill(signal) {
          stepOf(`kill ${roleOf(pid)}`, pid);
          hosted.kill(signal);
        },
        async end(timeoutMs) {
          stepOf(`end ${roleOf(pid)}`, pid);
          return hosted.end(timeoutMs);
        },
      };
    },
  };
}

function roleOf(pid: number): 'old' | 'new' {
  return isOld.has(pid) ? 'old' : 'new';
}

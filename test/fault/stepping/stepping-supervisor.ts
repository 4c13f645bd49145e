/**
 * A supervisor of the real parts that tells each step before it takes it: what it asks of the keeper and of workers, what it
 * hears from them, what it notes, and what it tells of a deploy. Nobody lists the steps: they are all that crosses its border.
 * At the step that `.midflight/stop-at` names it stops as by SIGSTOP, until SIGCONT.
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
  step(`tell ${progress}`);
  // Who is there when a plan is made is old from then on.
  if (progress === 'plan') for (const pid of pids) isOld.add(pid);
}

function print(line: string): void {
  writeSync(1, `${line}\n`);
}

function step(name: string, pid = 0): void {
  print(`step ${pid} ${name}`);
  if (stopAt() !== name) return;
  rmSync(stopFile);
  print(`stopped at ${pid} ${name}`);
  process.kill(process.pid, 'SIGSTOP');
}

function stopAt(): string | null {
  try {
    return readFileSync(stopFile, 'utf8');
  } catch {
    // Nobody wants it to stop.
    return null;
  }
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
      step('spawn new');
      const hearing = toHearing(events);
      const hosted = await real.spawn(spec, hearing);
      step('spawned new', hosted.pid);
      return hearing.begin(hosted);
    },
    adopt(id, events) {
      const hearing = toHearing(events);
      const hosted = real.adopt(id, hearing);
      return hosted && hearing.begin(hosted);
    },
    route(fromPid, toPids) {
      step(`route from ${roleOf(fromPid)}`, fromPid);
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
      if ('id' in message) step(`${roleOf(pid)} answers ${asked.get(message.id)}`, pid);
      else if ('event' in message) step(`${roleOf(pid)} says ${message.event.type}`, pid);
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
          step(`ask ${roleOf(pid)} to ${request.type}`, pid);
          hosted.send(message);
        },
        kill(signal) {
          step(`kill ${roleOf(pid)}`, pid);
          hosted.kill(signal);
        },
        async end(timeoutMs) {
          step(`end ${roleOf(pid)}`, pid);
          return hosted.end(timeoutMs);
        },
      };
    },
  };
}

function roleOf(pid: number): 'old' | 'new' {
  return isOld.has(pid) ? 'old' : 'new';
}

/** The process that serves the app: what the supervisor starts. Does as its supervisor asks. */

import path from 'node:path';
import {
  toErrorReport,
  type CarryReport,
  type DoorAnswer,
  type DrainAnswer,
  type ProveAnswer,
  type SampleAnswer,
  type WorkerRequest,
  type WorkerStatus,
} from '../protocol/messages.ts';
import { emptySample } from '../protocol/service-sample.ts';
import { protocols } from '../protocol/versions.ts';
import { openChannel } from './channel.ts';
import { createGenerations } from './generations.ts';
import { silenceIntervals } from './lifetime.ts';
import { readRelease } from './loaded-release.ts';
import { waitAsOrphan } from './orphan.ts';
import { carryKinds } from './servers/carry-kind.ts';
import type { ListenerHandle } from './servers/listener-source.ts';
import { watchService } from './watch-service.ts';
import type { Door } from './servers/private-door.ts';
import { createStatePassing } from './state-passing.ts';

// The app finds its entry where it is used to.
process.argv.splice(1, 1);

const channel = openChannel({
  onRequest,
  onCarry: (carried, handle) => generations.servers.takeOver(carried, handle),
  onDisconnect,
  onCarryNote: ({ kind, id, bytes }) => carryKinds().get(kind)?.onNote(id, Buffer.from(bytes, 'base64')),
});

/**
 * Held until the first request arrives, from the first listener that is bound until it accepts, and while accepting is
 * paused: a socket that does not accept keeps no process alive.
 */
let releaseHold = channel.hold();

function holdAnew(): void {
  releaseHold();
  releaseHold = channel.hold();
}

const homeDirectory = path.join(process.cwd(), '.midflight');

/** Nobody but the next keeper will ask for anything any more. */
function onDisconnect(): void {
  if (generations.current() === null) process.exit(0);
  const { servers } = generations;
  void passing.serveAlone();
  waitAsOrphan({
    directory: homeDirectory,
    stopAccepting: async () => servers.stopAccepting(),
    drain: async (timeoutMs) => servers.drain({ timeoutMs }),
  });
}

const generations = createGenerations({
  source: {
    async acquire(address) {
      const release = channel.hold();
      try {
        const handle = (await channel.requestListener(address)) as ListenerHandle;
        holdAnew();
        return handle;
      } finally {
        release();
      }
    },
    copy: async (address) => (await channel.requestListener(address)) as ListenerHandle,
  },
  onRolledBack(generation, error) {
    console.error(error);
    channel.emit({ type: 'rolledBack', generation, error: toErrorReport(error) });
  },
  onCrash: (generation, error) => channel.emit({ type: 'crashed', generation, error: toErrorReport(error) }),
});

const passing = createStatePassing({
  servers: generations.servers,
  states: generations.states,
  prepareAgain: () => generations.prepareAgain(),
  keepAlive: () => channel.hold(),
  onLost: (names) =>
    channel.emit({ type: 'stateLost', generation: generations.current()?.generation ?? 0, names }),
});

async function onRequest(request: WorkerRequest): Promise<unknown> {
  switch (request.type) {
    case 'prepare':
      releaseHold();
      return generations.prepare({ ...request.options, release: readRelease(request.options.release) });
    case 'commit':
      await generations.commit(request.generation, { provisional: request.probationMs > 0 });
      releaseHold();
      return null;
    case 'abort':
      return generations.abort(request.generation);
    case 'rollback':
      return generations.rollback(request.generation);
    case 'prove':
      return prove(request);
    case 'health':
      return generations.checkHealth(request.health);
    case 'pause':
      generations.hotEvents.emit('vite:beforeFullReload', { type: 'full-reload' });
      holdAnew();
      silenceIntervals(true);
      passing.pause();
      await generations.servers.pauseAccepting();
      return generations.servers.drain({ timeoutMs: 0 });
    case 'drain':
      generations.leave();
      void passing.unhold();
      return drain(request);
    case 'resume':
      await passing.resume();
      releaseHold();
      return null;
    case 'carry':
      return giveAway(request);
    case 'status':
      return toStatus();
    case 'sample':
      return toSample();
    case 'openDoor':
      return openDoor(request.generation);
    case 'closeDoor':
      door?.close();
      door = null;
      return null;
    case 'states':
      return generations.states.names();
    case 'receiveState':
      return passing.receive(request);
    case 'sendState':
      return passing.send(request);
    case 'unhold':
      return passing.unhold();
  }
}

/** A socket that is frozen keeps no process alive. */
async function giveAway(request: WorkerRequest & { type: 'carry' }): Promise<CarryReport> {
  const release = channel.hold();
  try {
    return await generations.servers.giveAway({
      ...request,
      give: channel.give,
      sendNote: channel.sendNote,
    });
  } finally {
    release();
  }
}

async function drain(request: WorkerRequest & { type: 'drain' }): Promise<DrainAnswer> {
  const left = await generations.servers.drain(request);
  passing.noteLost();
  return left;
}

/** Where too many generations are held, and the policy is to close, it is by sockets that are told to come back. */
async function prove(request: WorkerRequest & { type: 'prove' }): Promise<ProveAnswer> {
  const { generation, drainTimeoutMs, maxRetained, upgraded } = request;
  await generations.prove(generation, drainTimeoutMs);
  let retainedCount = await generations.countRetained(maxRetained);
  if (retainedCount > maxRetained && upgraded.policy === 'close') {
    await generations.servers.partWithRetired(upgraded.spreadMs);
    retainedCount = await generations.countRetained(maxRetained);
  }
  return { retainedCount };
}

let door: Door | null = null;

function openDoor(generation: number): DoorAnswer {
  const scope = generations.scopeOf(generation);
  door?.close();
  door = scope && generations.servers.openDoor(scope);
  return { port: door?.port ?? null };
}

function toSample(): SampleAnswer {
  const scope = generations.current();
  return { generation: scope?.generation ?? 0, sample: scope?.meter?.sample() ?? emptySample };
}

function toStatus(): WorkerStatus {
  const scope = generations.current();
  const { inFlightCount, openCount, upgradedCount } = generations.servers.counts();
  return {
    generation: scope?.generation ?? 0,
    release: scope?.release ?? '',
    inFlight: inFlightCount,
    open: openCount,
    upgraded: upgradedCount,
    waitsFor: generations.servers.openWork(),
    retained: generations.retained(),
    roots: generations.roots(),
    rssBytes: process.memoryUsage.rss(),
  };
}

watchService(() => generations.current());
channel.emit({ type: 'hello', protocol: protocols.worker, pid: process.pid });

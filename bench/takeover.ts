/** Claim: at a handoff there is no moment in which nobody accepts. */

import { setTimeout as sleep } from 'node:timers/promises';
import { startConnectProcess, type ConnectOutcome } from './generators/connect.ts';
import { measureEach, type Claim, type Result, type Row } from './report.ts';
import { peerVersions } from './systems/peer-versions.ts';
import { deployRepeatedly, startServiceApp } from './systems/service-app.ts';
import { midflightCarrying, serviceSystems } from './systems/service-systems.ts';
import type { System } from './systems/system.ts';
import { tableflip } from './systems/tableflip.ts';

const sizes = {
  perSecond: 2_000,
  handoffs: 20,
  workers: 2,
  steadyMs: 10_000,
  drainMs: 1_000,
  periodMs: 2_500,
};
const smokeSizes = { perSecond: 200, handoffs: 1, steadyMs: 500, periodMs: 1_500 };
/** Before it, code is not compiled and pools are empty. */
const WARM_UP_MS = 2_000;

/** Nobody has WebSockets here. */
const systems: readonly System[] = [
  ...serviceSystems.filter((system) => system !== midflightCarrying),
  tableflip,
];

export const claim: Claim = {
  title: 'Takeover: is there a gap in which nobody accepts?',
  method: (size) =>
    `${size['perSecond']} connections a second, at that rate whatever became of those before, from a process of its own; each asks once. ${size['handoffs']} handoffs, ` +
    `one each ${(size['periodMs'] ?? 0) / 1_000} s. Refused: connect() failed. Cut: accepted, and closed or reset before a whole answer. The time to the first byte is from connect() on; ` +
    `the gap is the longest time in which no connection at all got a first byte. At handoffs: from the start of each to the next one; starting the new process, ` +
    `for which the machine has 2 processors to share with the load, is in it. The systems are those of [handoff drops](#handoff-drops-what-clients-lose-when-processes-are-replaced); tableflip has a Go server, nginx and HAProxy have Node behind them.`,
  versions: peerVersions,
  sizes,
  smokeSizes,
  systems: systems.map(({ name }) => name),
  async measure(log, run) {
    const size = { ...sizes, ...run.sizes };
    return measureEach(systems, { run, log }, async (system) => measureSystem(system, size, log));
  },
};

async function measureSystem(
  system: System,
  size: typeof sizes,
  log: (line: string) => void,
): Promise<Omit<Result, 'system'>> {
  const service = await startServiceApp(system, size);
  try {
    const load = await startConnectProcess({ port: service.app.port, perSecond: size.perSecond });
    await sleep(WARM_UP_MS);
    const steadyAt = Date.now();
    await sleep(size.steadyMs);
    const steady = [[steadyAt, Date.now()]] as const;
    const deploys = await deployRepeatedly(service, { count: size.handoffs, periodMs: size.periodMs, log });
    const handoff = deploys.map(({ atMs }) => [atMs, atMs + size.periodMs] as const);
    const outcome = await load.stop({ steady, handoff });
    return { row: toRow(outcome), detail: outcome };
  } finally {
    await service.stop();
  }
}

function toRow({ attempts, failures, firstByte, longestGapMs }: ConnectOutcome): Row {
  const { ECONNREFUSED: refused = 0, ...others } = failures;
  const toTimes = (name: string): string =>
    [firstByte[name]?.p50, firstByte[name]?.p999, firstByte[name]?.max]
      .map((ms) => (ms ?? Number.NaN).toFixed(1))
      .join(' / ');
  return {
    connections: attempts,
    refused,
    cut: Object.values(others).reduce((sum, count) => sum + count, 0),
    'to first byte, p50 / p99.9 / max steady, ms': toTimes('steady'),
    'at handoffs, ms': toTimes('handoff'),
    'longest gap steady, ms': (longestGapMs['steady'] ?? Number.NaN).toFixed(1),
    'longest gap at handoffs, ms': (longestGapMs['handoff'] ?? Number.NaN).toFixed(1),
  };
}

/** Claim: under Midflight an app answers at least 0.97 times as many requests a second as under plain node. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';
import { createTestApp, findFreePort, type TestApp } from '../test/support/app.ts';
import { toFrameworkApp, toVersionFiles, type FrameworkName } from '../test/support/frameworks.ts';
import { median, toTable, versionOf, type Claim, type Row } from './report.ts';

const CONNECTIONS = 50;
const ROUND_S = 1.5;
const PAIRS = 25;
const frameworks: readonly FrameworkName[] = ['http', 'fastify', 'express'];

export const claim: Claim = {
  title: 'Overhead: requests a second under Midflight, relative to plain node',
  method:
    `The same app on the same machine at the same time, ${CONNECTIONS} keep-alive connections; ${PAIRS} pairs of rounds of ` +
    `${ROUND_S} s, the order alternating. The ratio is the median of the pairs; under Midflight after one swap, so that ` +
    `requests go to a generation that is not the first. Processor time is what the serving process used for a request, which ` +
    `neighbours on the machine disturb less.`,
  versions: {
    autocannon: versionOf('autocannon'),
    fastify: versionOf('fastify'),
    express: versionOf('express'),
  },
  async measure(log) {
    const rows: Row[] = [];
    for (const framework of frameworks) rows.push(await measureFramework(framework, log));
    return toTable(rows);
  },
};

async function measureFramework(framework: FrameworkName, log: (line: string) => void): Promise<Row> {
  const app = await createTestApp({
    files: toFrameworkApp(framework, 'one'),
    config: { entry: 'server.ts', probationMs: 100 },
    linkPackages: true,
  });
  const plainPort = await findFreePort();
  const plain = await startPlain(app, plainPort);
  try {
    await app.start();
    app.commit(toVersionFiles('two'));
    const { exitCode } = await app.midflight('deploy', '--path', 'swap');
    if (exitCode !== 0) throw new Error(`the swap failed:\n${app.log()}`);
    const worker = (await app.status()).workers[0];
    const servers = {
      plain: { port: plainPort, pid: plain.pid ?? 0 },
      midflight: { port: app.port, pid: worker?.pid ?? 0 },
    };
    return await comparePairs(framework, servers, log);
  } finally {
    plain.kill();
    await app.dispose();
  }
}

async function startPlain(app: TestApp, port: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['server.ts'], {
    cwd: app.directory,
    env: { ...process.env, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await once(child, 'spawn');
  for (;;) {
    const isUp = await fetch(`http://127.0.0.1:${port}/`).then(
      (response) => response.ok,
      () => false,
    );
    if (isUp) return child;
  }
}

interface Server {
  readonly port: number;
  readonly pid: number;
}

interface Round {
  readonly perSecond: number;
  readonly cpuMicroseconds: number;
}

async function comparePairs(
  framework: string,
  servers: { readonly plain: Server; readonly midflight: Server },
  log: (line: string) => void,
): Promise<Row> {
  const rounds = { plain: [] as Round[], midflight: [] as Round[] };
  await load(servers.plain);
  await load(servers.midflight);
  for (let pair = 0; pair < PAIRS; pair++) {
    const order = pair % 2 === 0 ? (['plain', 'midflight'] as const) : (['midflight', 'plain'] as const);
    for (const name of order) rounds[name].push(await load(servers[name]));
    log(`${framework} pair ${pair + 1}: ${ratios(rounds, 'perSecond').at(-1)?.toFixed(3)}`);
  }
  const throughput = ratios(rounds, 'perSecond');
  const cpu = ratios(rounds, 'cpuMicroseconds');
  return {
    app: framework,
    'plain node, requests/s': Math.round(median(rounds.plain.map(({ perSecond }) => perSecond))),
    'Midflight, requests/s': Math.round(median(rounds.midflight.map(({ perSecond }) => perSecond))),
    'throughput ratio (median)': median(throughput).toFixed(3),
    'lowest … highest': `${Math.min(...throughput).toFixed(3)} … ${Math.max(...throughput).toFixed(3)}`,
    'processor time a request, ratio': median(cpu).toFixed(3),
  };
}

function ratios(
  rounds: Readonly<Record<'plain' | 'midflight', readonly Round[]>>,
  key: keyof Round,
): number[] {
  return rounds.midflight.map((round, index) => round[key] / (rounds.plain[index]?.[key] ?? Number.NaN));
}

async function load({ port, pid }: Server): Promise<Round> {
  const cpuBefore = readCpuMs(pid);
  const { requests, non2xx, errors } = await autocannon({
    url: `http://127.0.0.1:${port}/`,
    connections: CONNECTIONS,
    duration: ROUND_S,
  });
  if (non2xx + errors > 0) throw new Error(`${non2xx} answers were not 2xx, ${errors} requests failed`);
  const cpuMicroseconds = ((readCpuMs(pid) - cpuBefore) * 1_000) / requests.total;
  return { perSecond: requests.total / ROUND_S, cpuMicroseconds };
}

/** User and system time of a process, from proc(5); a tick of its clock is 10 ms. */
function readCpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

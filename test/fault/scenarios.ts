/** The apps and the ways of the fault table. */

import type { Files } from '../support/app.ts';

export const faultPaths = [
  'swap',
  'handoff',
  'swap that goes back',
  'handoff that goes back',
  'restart',
  'handoff of a program',
] as const;
export type FaultPath = (typeof faultPaths)[number];

export interface Scenario {
  /** What the deploy is asked for, and what it is. */
  readonly path: 'swap' | 'handoff' | 'restart';
  readonly workerCount: number;
  readonly files: Files;
  config(port: number): object;
  version(count: number): Files;
  /** What is told right before the first step of the table. */
  readonly from: 'fetch' | 'rollback';
  /** By design, nobody accepts for some time: what comes then waits, and needs a keeper. */
  readonly hasGap: boolean;
  /** Nobody but this test asks for a status then. */
  readonly hasNoStatus?: true;
}

/** The time after a commit in which the app is made ill, and it is seen, on a machine that is busy. */
const ILL_PROBATION_MS = 60_000;

const nodeApp: Pick<Scenario, 'workerCount' | 'files' | 'config' | 'version' | 'from' | 'hasGap'> = {
  workerCount: 2,
  files: {
    'server.ts': `
import { createServer } from 'node:http';
import { state } from 'midflight';
import { version } from './version.ts';
const mark = state('mark', () => ({ id: String(process.pid) }));
let isIll = false;
createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (url.pathname === '/sicken') isIll = true;
  if (url.pathname === '/health' && isIll) response.statusCode = 500;
  const ms = Number(url.searchParams.get('ms') ?? 0);
  setTimeout(() => response.end(JSON.stringify({ version, mark: mark.id, pid: process.pid })), ms);
}).listen(Number(process.env.PORT), '127.0.0.1');
`,
  },
  config: () => ({ entry: 'server.ts', workers: 2, probationMs: 250, drainTimeoutMs: 10_000 }),
  version: (count) => ({ 'version.ts': `export const version: string = 'v${count}';\n` }),
  from: 'fetch',
  hasGap: false,
};

/** One request after the other, each on a connection of its own; at SIGTERM it answers what it has, and ends. */
const program = (count: number): string => `
use strict;
use IO::Select;
use IO::Socket::INET;
my $isOver = 0;
$SIG{TERM} = sub { $isOver = 1 };
my $listener = IO::Socket::INET->new;
$listener->fdopen(3, 'r+') or die $!;
my $select = IO::Select->new($listener);
until ($isOver) {
  next unless $select->can_read(0.02);
  my $client = $listener->accept or next;
  $client->blocking(1);
  my $request = '';
  until ($request =~ /\\r\\n\\r\\n/) {
    my $length = sysread($client, $request, 65536, length $request);
    last if defined $length ? $length == 0 : !$!{EINTR};
  }
  select(undef, undef, undef, $1 / 1000) if $request =~ /ms=(\\d+)/;
  my $answer = qq({"version":"v${count}","mark":"none","pid":$$});
  my $head = "HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: " . length($answer) . "\\r\\n\\r\\n";
  syswrite($client, $head . $answer);
  close $client;
}
`;

const scenarios: Readonly<Record<FaultPath, Scenario>> = {
  swap: { ...nodeApp, path: 'swap' },
  handoff: { ...nodeApp, path: 'handoff' },
  'swap that goes back': { ...nodeApp, path: 'swap', from: 'rollback' },
  'handoff that goes back': { ...nodeApp, path: 'handoff', from: 'rollback', hasNoStatus: true },
  restart: { ...nodeApp, path: 'restart', hasGap: true },
  'handoff of a program': {
    path: 'handoff',
    workerCount: 1,
    files: {},
    config: (port) => ({
      command: ['perl', 'server.pl'],
      listen: [`127.0.0.1:${port}`],
      probationMs: 250,
      drainTimeoutMs: 10_000,
    }),
    version: (count) => ({ 'server.pl': program(count) }),
    from: 'fetch',
    hasGap: false,
  },
};

export function scenarioOf(path: FaultPath): Scenario {
  return scenarios[path];
}

/** The configuration of a release that is to be found ill. */
export function toIllConfig(config: object): object {
  return { ...config, probationMs: ILL_PROBATION_MS, health: { path: '/health', intervalMs: 50 } };
}

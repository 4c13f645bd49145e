/**
 * Tells a service manager how the service is, by sd_notify(3): datagrams to the Unix socket NOTIFY_SOCKET. Node has no datagram
 * sockets of that kind, so a small program in Perl, which is on every Debian, sends what it reads from its input; or systemd-notify
 * does, once for each message, where systemd is and Perl is not. The helper lives as long as this, as systemd looks up by the pid
 * who has sent a message.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** The helper's output is awaited that long at the end. */
const CLOSE_TIMEOUT_MS = 1_000;
/** While something takes long, the service manager is asked every so often for this much more time. */
const EXTENSION_MS = 30_000;
const EXTENSION_INTERVAL_MS = 10_000;
const BACKLOG_BYTES_MAX = 64 * 1024;

export interface ServiceNotifierOptions {
  readonly socket: string;
  /** What the service manager should watch and signal; null where it knows. */
  readonly mainPid: number | null;
  readonly watchdogMs: number | null;
  readonly log: (message: string) => void;
  /** Resolves while all is well. No sign of life is given before it does. */
  checkAlive(): Promise<void>;
}

export interface ServiceNotifier {
  /** It serves, for the first time or again. */
  ready(status: string): void;
  status(text: string): void;
  reloading(): void;
  stopping(): void;
  /** Asks for more time until the promise has settled. */
  extendWhile(work: Promise<unknown>): void;
  /** Resolves when all has been sent. */
  close(): Promise<void>;
}

/** Where no service manager listens. */
export const silentNotifier: ServiceNotifier = {
  ready() {},
  status() {},
  reloading() {},
  stopping() {},
  extendWhile() {},
  async close() {},
};

/** One line of input is one message, in which a unit separator stands for the end of a line. */
const SEPARATOR = '\u001F';
const perlProgram = String.raw`
use strict; use warnings; use Socket;
my ($path) = @ARGV;
$0 = 'midflight notify';
$path =~ s/^@/\0/;
socket(my $socket, PF_UNIX, SOCK_DGRAM, 0) or die "socket: $!\n";
my $address = pack_sockaddr_un($path);
while (my $message = <STDIN>) {
  chomp $message;
  $message =~ tr/\x1f/\n/;
  defined send($socket, $message, 0, $address) or print STDERR "$!\n";
}
`;
const helperScript = `
command -v perl >/dev/null && exec perl -e "$1" "$NOTIFY_SOCKET"
command -v systemd-notify >/dev/null || { echo "neither perl nor systemd-notify is installed" >&2; exit 127; }
set -f
IFS=$2
while read -r message; do systemd-notify $message; done
`;

/** Starts the helper; nothing is sent yet. Where it can't run, that is logged once and the rest goes on without. */
export function createServiceNotifier(options: ServiceNotifierOptions): ServiceNotifier {
  const { socket, mainPid, watchdogMs, log, checkAlive } = options;
  const helper = spawnHelper(socket, log);
  // Its exit may be known before its last line has been read.
  const closed = new Promise<void>((resolve) => void helper.once('close', () => resolve()));
  let watchdog: NodeJS.Timeout | null = null;

  const send = (message: Readonly<Record<string, string | number>>): void => {
    const lines = Object.entries(message).map(([key, value]) => `${key}=${toOneLine(String(value))}`);
    // A helper that is stuck gets no more: the newest is not worth more memory than that.
    if ((helper.stdin?.writableLength ?? 0) > BACKLOG_BYTES_MAX) return;
    helper.stdin?.write(`${lines.join(SEPARATOR)}\n`);
  };

  const giveSignOfLife = (): void => {
    checkAlive().then(
      () => send({ WATCHDOG: 1 }),
      (error: unknown) => log(`no sign of life for the watchdog: ${String(error)}`),
    );
  };

  return {
    ready(status) {
      send({ READY: 1, STATUS: status, ...(mainPid === null ? {} : { MAINPID: mainPid }) });
      if (watchdogMs === null || watchdog !== null) return;
      giveSignOfLife();
      watchdog = setInterval(giveSignOfLife, watchdogMs / 2);
    },
    status: (text) => send({ STATUS: text }),
    reloading() {
      // systemd wants the time of its own clock, the one that performance.now() and hrtime are of.
      send({ RELOADING: 1, MONOTONIC_USEC: (process.hrtime.bigint() / 1_000n).toString() });
    },
    stopping: () => send({ STOPPING: 1, STATUS: 'stopping: requests in flight are answered' }),
    extendWhile(work) {
      const extend = (): void => send({ EXTEND_TIMEOUT_USEC: EXTENSION_MS * 1_000 });
      extend();
      const timer = setInterval(extend, EXTENSION_INTERVAL_MS);
      const end = (): void => clearInterval(timer);
      work.then(end, end);
    },
    async close() {
      if (watchdog !== null) clearInterval(watchdog);
      await endHelper(helper, closed);
    },
  };
}

function spawnHelper(socket: string, log: (message: string) => void): ChildProcess {
  const helper = spawn('/bin/sh', ['-c', helperScript, 'sh', perlProgram, SEPARATOR], {
    stdio: ['pipe', 'ignore', 'pipe'],
    // Ctrl-C at a terminal is not for it.
    detached: true,
    env: { ...process.env, NOTIFY_SOCKET: socket },
  });
  const complain = (reason: string): void =>
    log(`the service manager is not told all, at ${socket}: ${reason}`);
  helper.on('error', (error) => complain(error.message));
  helper.stderr?.on('data', (chunk: Buffer) => complain(chunk.toString().trim()));
  // It has ended; that was logged.
  helper.stdin?.on('error', () => {});
  helper.unref();
  return helper;
}

async function endHelper(helper: ChildProcess, closed: Promise<void>): Promise<void> {
  if (helper.pid === undefined) return;
  helper.stdin?.end();
  const timer = setTimeout(() => helper.kill('SIGKILL'), CLOSE_TIMEOUT_MS);
  // What it has started may hold its output open.
  await Promise.race([closed, sleep(2 * CLOSE_TIMEOUT_MS, null, { ref: false })]);
  clearTimeout(timer);
}

function toOneLine(text: string): string {
  return text.replaceAll('\n', ' ').replaceAll(SEPARATOR, ' ');
}

/**
 * The receiving end of sd_notify(3): a Unix datagram socket, which Node does not have, held by a few lines of Perl that pass on
 * what arrives.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** What a program says of itself, by sd_notify(3); only what is used. */
export interface Notification {
  readonly isReady: boolean;
  readonly isStopping: boolean;
  readonly status: string | null;
  /** From now on. */
  readonly extendMs: number | null;
  readonly mainPid: number | null;
  readonly errno: number | null;
}

export interface NotifySocket {
  close(): void;
}

/** Binds the socket. Rejects when that can't be done. */
export async function openNotifySocket(
  path: string,
  onNotification: (notification: Notification) => void,
): Promise<NotifySocket> {
  const child = spawn('perl', ['-e', script, '--', path], { stdio: ['pipe', 'pipe', 'inherit'] });
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const texts = (rest + chunk).split('\0');
    rest = texts.pop() ?? '';
    for (const text of texts)
      if (text === '') child.emit('bound');
      else onNotification(parseNotification(text));
  });
  const ended = once(child, 'close').then(() => {
    throw new Error(`no notify socket at ${path}`);
  });
  await Promise.race([once(child, 'bound'), ended]);
  ended.catch(() => null);
  // It ends when its input does.
  return { close: () => child.stdin.end() };
}

/** Lines of `NAME=value`; names that are not known say nothing. */
export function parseNotification(text: string): Notification {
  const values = new Map(
    text.split('\n').map((line): [string, string] => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  const toNumber = (name: string): number | null => {
    const value = values.get(name) ?? '';
    return /^\d{1,15}$/.test(value) ? Number(value) : null;
  };
  const extendUs = toNumber('EXTEND_TIMEOUT_USEC');
  return {
    isReady: values.get('READY') === '1',
    isStopping: values.get('STOPPING') === '1',
    status: values.get('STATUS') ?? null,
    extendMs: extendUs === null ? null : extendUs / 1_000,
    mainPid: toNumber('MAINPID'),
    errno: toNumber('ERRNO'),
  };
}

const script = String.raw`
use strict;
use Socket;

$| = 1;
socket my $socket, AF_UNIX, SOCK_DGRAM, 0 or die "$!\n";
# A program may have given up its privileges by the time that it has something to say.
umask 0;
bind $socket, pack_sockaddr_un($ARGV[0]) or die "$ARGV[0]: $!\n";
print "\0";
my $wanted = '';
vec($wanted, fileno $_, 1) = 1 for *STDIN, $socket;
while (select(my $readable = $wanted, undef, undef, undef) > 0) {
  last if vec $readable, fileno STDIN, 1;
  print "$_\0" if defined recv $socket, $_, 65536, 0 and $_ ne '';
}
`;

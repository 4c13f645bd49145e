/** Stands in for systemd: a datagram socket at which notifications arrive, as lines of a small Perl program. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';

export interface NotifyReceiver {
  readonly messages: readonly string[];
  /** Resolves with the first message, from the `from`th on, that matches. */
  waitFor(pattern: RegExp, from?: number): Promise<string>;
}

const script = String.raw`
use strict; use warnings; use Socket;
my ($path) = @ARGV;
$path =~ s/^@/\0/;
socket(my $socket, PF_UNIX, SOCK_DGRAM, 0) or die $!;
bind($socket, pack_sockaddr_un($path)) or die $!;
$| = 1;
print "bound\n";
while (defined recv($socket, my $message, 65536, 0)) { $message =~ tr/\n/ /; print "$message\n"; }
`;

/** Binds `path`, or `@name` in the abstract namespace, until the end of the test. Lines of a message are joined by spaces. */
export async function createNotifyReceiver(t: TestContext, path: string): Promise<NotifyReceiver> {
  const child = spawn('perl', ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  await once(lines, 'line');
  const messages: string[] = [];
  lines.on('line', (line) => {
    messages.push(line);
    lines.emit('message');
  });
  return {
    messages,
    async waitFor(pattern, from = 0) {
      for (;;) {
        const found = messages.slice(from).find((message) => pattern.test(message));
        if (found !== undefined) return found;
        await once(lines, 'message');
      }
    },
  };
}

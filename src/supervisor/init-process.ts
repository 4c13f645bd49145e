/**
 * As PID 1, in a container: the kernel gives orphans of the whole container to that process, and Node can't wait for children
 * that it does not know. So a shell takes the place, which can, and Node goes on as its child.
 */

import { existsSync } from 'node:fs';
import process from 'node:process';

const SHELL = '/bin/sh';
const INIT_PID = 1;

/**
 * - The traps come first: the kernel drops signals for PID 1 that have no handler.
 * - `wait` collects whatever has ended, in dash, bash and busybox. A trap interrupts it, hence the loop; the last `wait` is for a
 *   child that ended while a trap ran. 127 is what it says of one that it has told of already.
 * - SIGINT goes on as SIGTERM. At a terminal the child gets Ctrl-C itself, and a second SIGINT would mean to cut.
 * - A command in the background would get /dev/null for its input; hence 3.
 */
const script = `
for signal in HUP QUIT TERM USR1 USR2; do trap "kill -$signal \\$child 2>/dev/null" "$signal"; done
trap 'kill -TERM $child 2>/dev/null' INT
exec 3<&0
"$@" <&3 3<&- &
child=$!
exec 3<&-
while
  wait "$child"
  code=$?
  [ "$code" -gt 128 ] && kill -0 "$child" 2>/dev/null
do :; done
if [ "$code" -gt 128 ]; then
  wait "$child" 2>/dev/null
  last=$?
  [ "$last" -eq 127 ] || code=$last
fi
exit "$code"
`;

/** Returns where this is not PID 1, or can't be helped there; else the process becomes the shell, and this runs again as its child. */
export function leaveInitToShell(log: (message: string) => void): void {
  if (process.pid !== INIT_PID) return;
  const obstacle = findObstacle();
  if (obstacle !== null) {
    log(
      `pid 1 without a parent for orphans: ${obstacle}; start the container with an init of its own (--init)`,
    );
    return;
  }
  const { execve } = process;
  execve?.(
    SHELL,
    ['sh', '-c', script, 'midflight', process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    process.env,
  );
}

function findObstacle(): string | null {
  if (process.execve === undefined) return `Node ${process.version} has no process.execve`;
  if (!existsSync(SHELL)) return `there is no ${SHELL}`;
  // execve keeps descriptors 0 to 2 only: all others are close-on-exec in Node.
  return process.env['LISTEN_FDS'] === undefined ? null : 'sockets are passed in, which execve would close';
}

/** Reads what a program prints into a log, as a keeper does; the program prints more when it gets SIGUSR1, and then says so by a file. */

import { spawn } from 'node:child_process';
import path from 'node:path';
import { createAppLog } from '../../src/supervisor/app-log.ts';
import { openProcessOutput } from '../../src/supervisor/process-output.ts';

const [file = '', isNodeThere = ''] = process.argv.slice(2);
if (isNodeThere === 'false') process.execPath = '/nonexistent/node';
const output = openProcessOutput([process.stdout], createAppLog({ file }));
// `seq` is ended by SIGPIPE where nobody reads; a second after is for the shell that drops what is printed.
const script = `trap 'seq -f "$$ after %.0f" 20000; echo done >&2; : >"$0/$$"' USR1; echo $$; echo $$ before; while :; do sleep 0.05; done`;
const child = spawn('sh', ['-c', script, path.dirname(file)], {
  stdio: ['ignore', 'pipe', 'pipe'],
  detached: true,
});
output.read(child);

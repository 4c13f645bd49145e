/** Runs a keeper in a directory, with a supervisor that test/supervisor/scripted-supervisor.ts is. */

import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runKeeper } from '../../src/supervisor/keeper.ts';

const [directory = '', script = ''] = process.argv.slice(2);
const at = (name: string): string => path.join(directory, name);
process.exitCode = await runKeeper({
  directory,
  lockFile: at('supervisor.lock'),
  processFile: at('processes.json'),
  logFile: at('logs/app.log'),
  sockets: () => [],
  binFile: at('midflight.js'),
  supervisorFile: fileURLToPath(new URL('./scripted-supervisor.ts', import.meta.url)),
  args: [script],
  log: (message) => void process.stderr.write(`${message}\n`),
});
process.exit();
